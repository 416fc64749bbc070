//! What the daemon costs besides packets: memory, and the time from its first election to the first packet forwarded.
//! `cargo bench -p stickfast-lab --bench daemon`, or `cargo xtask bench daemon`; set `STICKFAST_BIN` for a release build.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use stickfast_lab::{
    Balancer, Config, Http, Lab, Nginx, Poller, Shape, Subject,
    clock::{PATIENCE, now},
    privilege, until,
};

const ROUNDS: usize = 5;
const REQUESTS: usize = 2_000;
/// What the daemon logs at its first election.
const ELECTED: &str = "(first election)";

fn main() -> Result<()> {
    ensure!(privilege::can_run(), "measuring needs root");
    let mut rounds = (0..ROUNDS).map(|_| Round::measure()).collect::<Result<Vec<_>>>()?;
    rounds.sort_by_key(|round| round.to_first_answer);
    let middle = rounds.get(ROUNDS / 2).context("no rounds")?;
    println!("median of {ROUNDS} starts, and the largest memory of all:");
    println!("start to first election       {:>8.1?}", middle.to_election);
    println!("first election to first answer{:>8.1?}", middle.to_first_answer);
    println!("resident memory at rest       {:>8} kB", largest(&rounds, |round| round.at_rest));
    println!("resident memory under load    {:>8} kB", largest(&rounds, |round| round.under_load));
    Ok(())
}

struct Round {
    to_election: Duration,
    to_first_answer: Duration,
    /// kB
    at_rest: u64,
    /// kB
    under_load: u64,
}

impl Round {
    fn measure() -> Result<Self> {
        let lab = Lab::new(Shape::Segment, 2)?;
        let _servers = lab.servers.iter().map(|host| Nginx::new(host, 80)).collect::<Result<Vec<_>>>()?;
        let url = format!("http://{}/", lab.vip());
        let http = Http::on(&lab.client);
        // Asks from before the start on: its first answer is the moment when packets pass.
        let poller = Poller::start(&http, &url, 1, Duration::from_millis(1))?;
        let mut balancer = Balancer::prepare(&lab, Subject::Stickfast, &Config::no_failback(&lab).text())?;
        let started = now();
        balancer.launch()?;
        let answered = until(PATIENCE, "the first answer", || {
            let first = poller.samples().into_iter().find(|sample| sample.answer.server().is_some());
            first.map(|sample| sample.answered).ok_or("none yet")
        })?;
        drop(poller.stop());
        let log = balancer.lines();
        let election =
            log.iter().find(|line| line.text.contains(ELECTED)).context("no election is logged")?;
        let process = balancer.process().context("it runs")?.id();
        let at_rest = resident(process)?;
        let poller = Poller::start(&http, &url, 20, Duration::ZERO)?;
        until(PATIENCE, "enough requests", || match poller.samples().len() {
            enough if enough >= REQUESTS => Ok(()),
            few => Err(few),
        })?;
        drop(poller.stop());
        Ok(Self {
            to_election: election.at.duration_since(started),
            to_first_answer: answered.saturating_duration_since(election.at),
            at_rest,
            under_load: resident(process)?,
        })
    }
}

fn largest(rounds: &[Round], of: impl Fn(&Round) -> u64) -> u64 {
    rounds.iter().map(of).max().unwrap_or_default()
}

/// `VmRSS` of a process, in kB (proc(5)).
fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let number = line.split_whitespace().next().context("VmRSS is empty")?;
    Ok(number.parse()?)
}
