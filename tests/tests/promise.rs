//! The article promises that nothing fails back. HAProxy breaks that in two situations, both with the article's
//! own configuration; does Stickfast hold in them?

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::time::{Duration, Instant};

use anyhow::Result;
use stickfast_lab::clock::{PATIENCE, now};
use stickfast_lab::{Answer, Balancer, Config, Http, Lab, Nginx, Poller, Shape, Subject, privilege, until};

/// How often each situation is played; continuous integration says less.
const REPETITIONS: &str = "STICKFAST_LAB_REPETITIONS";
const CLIENTS: usize = 50;
/// Clients give up before HAProxy does.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Between two requests of one client.
const PAUSE: Duration = Duration::from_millis(50);
/// Requests that are to be answered in a phase before the next begins.
const ENOUGH: usize = 200;

/// What makes HAProxy fail back.
#[derive(Clone, Copy)]
enum Situation {
    /// The table holds the one entry and one more, and requests are in flight to s1 when its machine dies: a
    /// pending session has the spare entry, so the table is full and the failover cannot be written down.
    TableWithOneSpareEntry,
    /// The table has room, but s1 returns so soon that requests are still being repeated against it: their
    /// answers write s1 into the entry again.
    BackWithinThreeSeconds,
}

use Situation::{BackWithinThreeSeconds, TableWithOneSpareEntry};

#[test]
fn haproxy_fails_back_when_requests_were_in_flight() {
    expect_haproxy_to_fail_back(TableWithOneSpareEntry);
}

#[test]
fn stickfast_does_not_when_requests_were_in_flight() {
    expect_stickfast_to_hold(TableWithOneSpareEntry);
}

#[test]
fn haproxy_fails_back_when_the_server_returns_at_once() {
    expect_haproxy_to_fail_back(BackWithinThreeSeconds);
}

#[test]
fn stickfast_does_not_when_the_server_returns_at_once() {
    expect_stickfast_to_hold(BackWithinThreeSeconds);
}

/// Once in three times is enough: this proves that the situation is the one that it says.
fn expect_haproxy_to_fail_back(situation: Situation) {
    let Some(mut stage) = Stage::new() else { return };
    let breaks = |Outcome { failbacks, entry }: &Outcome| match situation {
        TableWithOneSpareEntry => !failbacks.is_empty() && entry.contains("server_key=s1"),
        BackWithinThreeSeconds => !failbacks.is_empty() && entry.contains("server_key=s2"),
    };
    let broken = (0..3).any(|_| breaks(&stage.play(Subject::Haproxy, situation).unwrap()));
    assert!(broken, "HAProxy held, so the situation is not the one that breaks it");
}

fn expect_stickfast_to_hold(situation: Situation) {
    let Some(mut stage) = Stage::new() else { return };
    let repetitions = std::env::var(REPETITIONS).map_or(10, |number| number.parse().unwrap());
    for repetition in 1..=repetitions {
        let Outcome { failbacks, entry } = stage.play(Subject::Stickfast, situation).unwrap();
        assert!(entry.contains("server_key=s2"), "repetition {repetition}: the failover is not in {entry}");
        assert!(
            failbacks.is_empty(),
            "repetition {repetition}: s1 answered {} requests after the failover, the first {:?} after it",
            failbacks.len(),
            failbacks.first(),
        );
    }
}

#[derive(Debug)]
struct Outcome {
    /// `show table` after the failover and before s1's return.
    entry: String,
    /// How long after the failover s1 answered a request that was asked after it.
    failbacks: Vec<Duration>,
}

struct Stage {
    lab: Lab,
    servers: Vec<Nginx>,
}

impl Stage {
    fn new() -> Option<Self> {
        privilege::can_run().then(|| {
            let lab = Lab::new(Shape::Segment, 2).unwrap();
            let servers = lab.servers.iter().map(|host| Nginx::new(host, 80).unwrap()).collect();
            Self { lab, servers }
        })
    }

    /// s1 goes under load, and returns.
    fn play(&mut self, subject: Subject, situation: Situation) -> Result<Outcome> {
        self.servers.iter_mut().try_for_each(Nginx::start)?;
        let size = match situation {
            TableWithOneSpareEntry => 2,
            BackWithinThreeSeconds => 1000,
        };
        let configuration = Config::no_failback(&self.lab).table_size(size).text();
        let balancer = Balancer::start(&self.lab, subject, &configuration)?;
        let http = Http::on(&self.lab.client).with_timeout(TIMEOUT);
        let poller = Poller::start(&http, "http://10.0.0.100/", CLIENTS, PAUSE)?;
        wait_for_answers(&poller, "s1", now())?;

        match situation {
            TableWithOneSpareEntry => self.lab.cut(self.lab.server(1)?)?,
            BackWithinThreeSeconds => self.servers[0].kill()?,
        }
        balancer.wait_until_up("s1", false)?;
        let failover = now();
        wait_for_answers(&poller, "s2", failover)?;
        let entry = balancer.ctl("show table bk_app")?;
        match situation {
            TableWithOneSpareEntry => self.lab.mend(self.lab.server(1)?)?,
            BackWithinThreeSeconds => self.servers[0].start()?,
        }
        balancer.wait_until_up("s1", true)?;
        // As long again as HAProxy goes on repeating requests.
        wait_until_over(&poller, now() + Duration::from_secs(3))?;

        let samples = poller.stop();
        let from_s1 = |answer: &Answer| answer.server() == Some("s1");
        let late = samples.iter().filter(|sample| sample.asked > failover && from_s1(&sample.answer));
        Ok(Outcome { entry, failbacks: late.map(|sample| sample.asked - failover).collect() })
    }
}

fn wait_for_answers(poller: &Poller, server: &str, since: Instant) -> Result<()> {
    until(PATIENCE, &format!("{ENOUGH} answers of {server}"), || {
        let samples = poller.samples();
        let answers = samples.iter().filter(|s| s.asked > since && s.answer.server() == Some(server)).count();
        if answers >= ENOUGH { Ok(()) } else { Err(answers) }
    })
}

/// Until requests that were asked after `instant` have been answered.
fn wait_until_over(poller: &Poller, instant: Instant) -> Result<()> {
    until(PATIENCE, "the end of the phase", || {
        let last = poller.samples().last().map(|sample| sample.asked);
        if last.is_some_and(|asked| asked > instant) { Ok(()) } else { Err(()) }
    })
}
