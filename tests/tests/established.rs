//! What becomes of a connection that is open when its server goes?

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use stickfast_lab::clock::{PATIENCE, now};
use stickfast_lab::{Balancer, Config, Connection, Lab, Nginx, Shape, Subject, TcpEcho, privilege, until};

/// How soon after the mark a connection with traffic has to know.
const AT_ONCE: Duration = Duration::from_millis(100);
const CONNECTIONS: usize = 9;
/// The port that the checks ask. It fails alone, so the connections' own port keeps on answering, and the mark
/// is all that can end them.
const CHECKED: u16 = 81;

#[test]
fn haproxy_lets_connections_go_on_when_their_server_is_marked_down() {
    let Some(mut bench) = Bench::new(Subject::Haproxy, "") else { return };
    let mut connection = bench.connect();
    bench.checks[0].kill().unwrap();
    bench.balancer.wait_until_up("s1", false).unwrap();
    assert_eq!(connection.ask("still there").unwrap(), "s1:still there");
}

#[test]
fn haproxy_cuts_them_at_once_when_told_to() {
    let Some(bench) = Bench::new(Subject::Haproxy, "on-marked-down shutdown-sessions") else { return };
    bench.expect_cut_at_once_when_s1_is_marked_down(ErrorKind::UnexpectedEof);
}

#[test]
fn stickfast_resets_them_at_once_when_their_server_is_marked_down() {
    let Some(bench) = Bench::new(Subject::Stickfast, "") else { return };
    bench.expect_cut_at_once_when_s1_is_marked_down(ErrorKind::ConnectionReset);
}

#[test]
fn haproxy_lets_connections_finish_after_a_planned_switch() {
    expect_connections_to_finish_after_a_planned_switch(Subject::Haproxy);
}

#[test]
fn stickfast_lets_connections_finish_after_a_planned_switch() {
    expect_connections_to_finish_after_a_planned_switch(Subject::Stickfast);
}

#[test]
fn haproxy_cuts_after_a_planned_switch_when_told_to() {
    expect_a_cut_after_a_planned_switch_when_told_to(Subject::Haproxy, ErrorKind::UnexpectedEof);
}

#[test]
fn stickfast_cuts_after_a_planned_switch_when_told_to() {
    expect_a_cut_after_a_planned_switch_when_told_to(Subject::Stickfast, ErrorKind::ConnectionReset);
}

fn expect_connections_to_finish_after_a_planned_switch(subject: Subject) {
    let Some(bench) = Bench::new(subject, "") else { return };
    let mut connection = bench.connect();
    assert_eq!(bench.balancer.ctl("set server bk_app/s1 state maint").unwrap(), "\n");
    for round in 0..50 {
        assert_eq!(connection.ask(&round.to_string()).unwrap(), format!("s1:{round}"));
        assert_eq!(bench.connect().ask("new").unwrap(), "s2:new");
    }
}

fn expect_a_cut_after_a_planned_switch_when_told_to(subject: Subject, how: ErrorKind) {
    let Some(bench) = Bench::new(subject, "on-marked-down shutdown-sessions") else { return };
    let mut connection = bench.connect();
    assert_eq!(bench.balancer.ctl("set server bk_app/s1 state maint").unwrap(), "\n");
    assert_eq!(connection.ask("still there").unwrap_err().kind(), how);
    assert_eq!(bench.connect().ask("new").unwrap(), "s2:new");
}

/// Two servers that keep connections, each with a second port for its checks.
struct Bench {
    lab: Lab,
    balancer: Balancer,
    checks: Vec<Nginx>,
    _servers: Vec<TcpEcho>,
}

impl Bench {
    fn new(subject: Subject, on_servers: &str) -> Option<Self> {
        if !privilege::can_run() {
            return None;
        }
        let lab = Lab::new(Shape::Segment, 2).unwrap();
        let servers = lab.servers.iter().map(|host| TcpEcho::start(host, 80).unwrap()).collect();
        let checks = lab.servers.iter().map(|host| Nginx::new(host, CHECKED).unwrap()).collect();
        let check = format!("check port {CHECKED} inter 100ms fall 2 rise 2 {on_servers}");
        let configuration = Config::no_failback(&lab).mode("tcp").check(&check).text();
        let mut balancer = Balancer::prepare(&lab, subject, &configuration).unwrap();
        balancer.launch().unwrap();
        let bench = Self { lab, balancer, checks, _servers: servers };
        until(PATIENCE, "the first answer", || {
            let answer = Connection::open(&bench.lab.client, bench.address())
                .and_then(|mut connection| Ok(connection.ask("hello")?));
            match answer {
                Ok(answer) if answer == "s1:hello" => Ok(()),
                other => Err(other.map_err(|error| format!("{error:#}"))),
            }
        })
        .unwrap();
        Some(bench)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((self.lab.vip(), 80))
    }

    fn connect(&self) -> Connection {
        let mut connection = Connection::open(&self.lab.client, self.address()).unwrap();
        connection.ask("hello").unwrap();
        connection
    }

    /// The mark's instant is the arrival of its line in the log; a busy machine delays single threads, so the
    /// median of the connections counts.
    #[track_caller]
    fn expect_cut_at_once_when_s1_is_marked_down(mut self, how: ErrorKind) {
        let talking: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let connection = self.connect();
                thread::spawn(move || talk_until_cut(connection))
            })
            .collect();
        self.checks[0].kill().unwrap();
        let cuts: Vec<(Instant, ErrorKind)> =
            talking.into_iter().map(|thread| thread.join().unwrap()).collect();
        let marked = self.marked_down();

        let strange: Vec<_> = cuts.iter().filter(|(_, kind)| *kind != how).collect();
        assert!(strange.is_empty(), "expected {how:?}, but: {strange:?}");
        let mut delays: Vec<Duration> =
            cuts.iter().map(|(at, _)| at.saturating_duration_since(marked)).collect();
        delays.sort();
        assert!(delays[CONNECTIONS / 2] <= AT_ONCE, "the connections were cut only after {delays:?}");
        assert_eq!(self.connect().ask("new").unwrap(), "s2:new");
    }

    fn marked_down(&self) -> Instant {
        let marked = until(PATIENCE, "the line of the mark", || {
            let lines = self.balancer.lines();
            let mark = lines.iter().find(|line| line.text.contains("Server bk_app/s1 is DOWN"));
            mark.map(|line| line.at).ok_or_else(|| self.balancer.log())
        });
        marked.unwrap()
    }
}

/// Asks every millisecond, and says when and how it ended.
fn talk_until_cut(mut connection: Connection) -> (Instant, ErrorKind) {
    let deadline = now() + PATIENCE;
    loop {
        match connection.ask("still there") {
            Ok(answer) => assert_eq!(answer, "s1:still there"),
            Err(error) => return (now(), error.kind()),
        }
        assert!(now() < deadline, "the connection went on for {PATIENCE:?}");
        thread::sleep(Duration::from_millis(1));
    }
}
