//! Does traffic go on whatever happens to the daemon?

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::net::SocketAddr;
use std::time::Duration;

use stickfast_lab::clock::{PATIENCE, now};
use stickfast_lab::{
    Answer, Balancer, Config, Connection, Http, Lab, Nginx, Poller, Process, Sample, Shape, Subject, TcpEcho,
    privilege, until,
};

const CLIENTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(5);
const ENOUGH: usize = 500;
const URL: &str = "http://10.0.0.100/";

#[test]
fn haproxy_takes_the_service_with_it() {
    let Some(mut bench) = Bench::new(Subject::Haproxy) else { return };
    let before = bench.poll();
    assert_all_from(&before, "s1");
    bench.balancer.kill().unwrap();
    assert_eq!(Http::on(&bench.lab.client).get(URL), Answer::Refused);
}

#[test]
fn no_request_fails_while_the_daemon_is_killed_and_started_again() {
    let Some(mut bench) = Bench::new(Subject::Stickfast) else { return };
    let poller = bench.start_polling();
    bench.wait_for_more(&poller);
    bench.balancer.kill().unwrap();
    bench.wait_for_more(&poller);
    bench.balancer.launch().unwrap();
    bench.wait_for_more(&poller);
    assert_all_from(&poller.stop(), "s1");
}

#[test]
fn no_request_fails_while_the_daemon_is_asked_to_end_and_started_again() {
    let Some(mut bench) = Bench::new(Subject::Stickfast) else { return };
    let poller = bench.start_polling();
    bench.wait_for_more(&poller);
    let status = bench.balancer.terminate().unwrap();
    assert!(status.success(), "SIGTERM: {status}");
    bench.wait_for_more(&poller);
    bench.balancer.launch().unwrap();
    bench.wait_for_more(&poller);
    assert_all_from(&poller.stop(), "s1");
}

#[test]
fn a_connection_outlives_the_daemon() {
    let Some(mut bench) = Bench::new(Subject::Stickfast) else { return };
    let echoes = bench.lab.servers.iter().map(|host| TcpEcho::start(host, 7).unwrap()).collect::<Vec<_>>();
    // All ports of the VIP: the connection goes to port 7 of the server, the checks to port 80.
    let servers: Vec<String> =
        bench.lab.servers.iter().map(|server| format!("server {} {}", server.name, server.address)).collect();
    let configuration = Config::no_failback(&bench.lab)
        .mode("tcp")
        .frontend_line("bind 10.0.0.100:7")
        .servers(&servers)
        .check("check port 80 inter 100ms fall 2 rise 2");
    bench.restart_afresh(&configuration.text());

    let address = SocketAddr::from((bench.lab.vip(), 7));
    let mut connection = Connection::open(&bench.lab.client, address).unwrap();
    let mut asked = 0..;
    let mut still_there = || {
        let line = asked.next().map(|number: u32| number.to_string()).unwrap();
        assert_eq!(connection.ask(&line).unwrap(), format!("s1:{line}"));
    };
    still_there();
    bench.balancer.kill().unwrap();
    (0..100).for_each(|_| still_there());
    bench.balancer.launch().unwrap();
    (0..100).for_each(|_| still_there());
    drop(echoes);
}

#[test]
fn a_restart_is_no_failback() {
    let Some(mut bench) = Bench::new(Subject::Stickfast) else { return };
    bench.servers[0].kill().unwrap();
    bench.balancer.wait_until_up("s1", false).unwrap();
    assert_eq!(Http::on(&bench.lab.client).get(URL), Answer::From("s2".into()));
    bench.servers[0].start().unwrap();
    bench.balancer.wait_until_up("s1", true).unwrap();

    let poller = bench.start_polling();
    bench.balancer.kill().unwrap();
    bench.wait_for_more(&poller);
    bench.balancer.launch().unwrap();
    bench.wait_for_more(&poller);
    assert_all_from(&poller.stop(), "s2");
    let table = bench.balancer.ctl("show table bk_app").unwrap();
    assert!(table.contains("key=10.0.0.100 use=0 exp=0 server_id=2 server_key=s2"), "{table}");
}

#[test]
fn the_restarted_daemon_goes_on_checking() {
    let Some(mut bench) = Bench::new(Subject::Stickfast) else { return };
    bench.balancer.kill().unwrap();
    bench.balancer.launch().unwrap();
    bench.servers[0].kill().unwrap();
    bench.balancer.wait_until_up("s1", false).unwrap();
    assert_eq!(Http::on(&bench.lab.client).get(URL), Answer::From("s2".into()));
}

#[test]
fn a_running_daemon_keeps_its_pins_to_itself() {
    let Some(bench) = Bench::new(Subject::Stickfast) else { return };
    let output = bench.balancer.detach().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("belong to a daemon that runs"), "{said}");

    let text = Config::no_failback(&bench.lab).text();
    let second = Balancer::prepare(&bench.lab, Subject::Stickfast, &text).unwrap();
    let (own, others) = (second.pins().to_str().unwrap(), bench.balancer.pins().to_str().unwrap());
    let command: Vec<String> = second.command().unwrap();
    let command: Vec<&str> = command.iter().map(|word| if word == own { others } else { word }).collect();
    let mut process = Process::start(&bench.lab.lb.netns, "second", &command).unwrap();
    let status = process.wait(PATIENCE).unwrap();
    assert!(!status.success() && process.log().contains("belong to a daemon that runs"), "{}", process.log());

    assert_eq!(Http::on(&bench.lab.client).get(URL), Answer::From("s1".into()));
}

#[test]
fn detach_leaves_nothing_behind() {
    let Some(mut bench) = Bench::new(Subject::Stickfast) else { return };
    let attached = bench.lab.lb.xdp_program("eth0").unwrap();
    assert!(attached.is_some(), "nothing is attached while it serves");
    bench.balancer.terminate().unwrap();
    assert_eq!(bench.lab.lb.xdp_program("eth0").unwrap(), attached, "the daemon took its program along");

    let output = bench.balancer.detach().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!bench.balancer.pins().exists(), "pins are left in {}", bench.balancer.pins().display());
    // The kernel lets go of the link on a work queue.
    until(PATIENCE, "a clean interface", || match bench.lab.lb.xdp_program("eth0") {
        Ok(None) => Ok(()),
        other => Err(other.map_err(|error| format!("{error:#}"))),
    })
    .unwrap();
    assert_eq!(Http::on(&bench.lab.client).get(URL), Answer::Refused);
}

struct Bench {
    lab: Lab,
    servers: Vec<Nginx>,
    balancer: Balancer,
}

impl Bench {
    fn new(subject: Subject) -> Option<Self> {
        privilege::can_run().then(|| {
            let lab = Lab::new(Shape::Segment, 2).unwrap();
            let servers = lab.servers.iter().map(|host| Nginx::new(host, 80).unwrap()).collect();
            let balancer = Balancer::start(&lab, subject, &Config::no_failback(&lab).text()).unwrap();
            Self { lab, servers, balancer }
        })
    }

    fn restart_afresh(&mut self, configuration: &str) {
        self.balancer.kill().unwrap();
        self.balancer.detach().unwrap();
        self.balancer.configure(configuration).unwrap();
        self.balancer.launch().unwrap();
        self.balancer.serves(&self.lab).unwrap();
    }

    fn start_polling(&self) -> Poller {
        Poller::start(&Http::on(&self.lab.client), URL, CLIENTS, PAUSE).unwrap()
    }

    fn wait_for_more(&self, poller: &Poller) {
        let since = now();
        until(PATIENCE, "more requests", || {
            let more = poller.samples().iter().filter(|sample| sample.asked > since).count();
            if more >= ENOUGH { Ok(()) } else { Err(more) }
        })
        .unwrap();
    }

    fn poll(&self) -> Vec<Sample> {
        let poller = self.start_polling();
        self.wait_for_more(&poller);
        poller.stop()
    }
}

#[track_caller]
fn assert_all_from(samples: &[Sample], server: &str) {
    let others: Vec<_> = samples.iter().filter(|sample| sample.answer.server() != Some(server)).collect();
    assert!(others.is_empty(), "{} of {} requests: {:?}", others.len(), samples.len(), others.first());
}
