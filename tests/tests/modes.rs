//! Does every mode carry whole connections, many at once, and datagrams, before and after a failover?

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use stickfast_lab::clock::PATIENCE;
use stickfast_lab::server::large_file;
use stickfast_lab::sockets::ask_by_datagram;
use stickfast_lab::{Balancer, Config, Host, Http, Lab, Nginx, Shape, Subject, UdpEcho, privilege, until};

const PARALLEL: usize = 200;
/// Empty, odd, and as long as a frame holds: 1500 less the IPv4 and UDP headers and the server's name.
const PAYLOADS: [usize; 5] = [0, 1, 7, 512, 1500 - 28 - 3];

#[test]
fn haproxy_carries_connections() {
    let Some(bench) = Bench::new(Shape::Segment) else { return };
    let configuration = Config::no_failback(&bench.lab).mode("tcp");
    let _balancer = Balancer::start(&bench.lab, Subject::Haproxy, &configuration.text()).unwrap();
    bench.expect_connections("s1");
}

#[test]
fn snat_carries_everything_on_one_segment() {
    carry(Shape::Segment, "snat");
}

#[test]
fn snat_carries_everything_between_two_networks() {
    carry(Shape::Routed, "snat");
}

#[test]
fn dnat_carries_everything_between_two_networks() {
    carry(Shape::Routed, "dnat");
}

#[test]
fn dsr_carries_everything_on_one_segment() {
    carry(Shape::Segment, "dsr");
}

fn carry(shape: Shape, mode: &'static str) {
    let Some(mut bench) = Bench::new(shape) else { return };
    let direct = mode == "dsr";
    if direct {
        bench.lab.give_servers_the_vip().unwrap();
    }
    let echoes: Vec<UdpEcho> = bench.lab.servers.iter().map(|host| bench.echo(host, direct)).collect();
    // Without a port, a server gets the port that the client asked for: one server line serves both binds.
    let servers = bench.lab.servers.iter().enumerate().map(|(n, server)| {
        format!("server {} {}{}", server.name, server.address, if n == 0 { "" } else { " backup" })
    });
    let configuration = Config::no_failback(&bench.lab)
        .mode("tcp")
        .forward(mode)
        .frontend_line(&format!("bind udp@{}:5353", bench.lab.vip()))
        .servers(&servers.collect::<Vec<_>>())
        .check("check port 80 inter 100ms fall 2 rise 2")
        .text();
    let balancer = Balancer::start(&bench.lab, Subject::Stickfast, &configuration).unwrap();

    bench.expect_connections("s1");
    bench.expect_datagrams("s1");
    bench.expect_the_host_to_reach_its_servers();
    bench.servers[0].kill().unwrap();
    balancer.wait_until_up("s1", false).unwrap();
    bench.expect_connections("s2");
    bench.expect_datagrams("s2");
    bench.expect_no_bad_checksums();
    drop(echoes);
}

/// The laboratory and its HTTP servers.
struct Bench {
    lab: Lab,
    servers: Vec<Nginx>,
}

impl Bench {
    fn new(shape: Shape) -> Option<Self> {
        privilege::can_run().then(|| {
            let lab = Lab::new(shape, 2).unwrap();
            let servers = lab.servers.iter().map(|host| Nginx::new(host, 80).unwrap()).collect();
            Self { lab, servers }
        })
    }

    fn echo(&self, host: &Host, direct: bool) -> UdpEcho {
        let address = if direct { self.lab.vip() } else { host.address };
        UdpEcho::start(host, &[SocketAddr::from((address, 5353))]).unwrap()
    }

    #[track_caller]
    fn expect_connections(&self, server: &str) {
        let http = Http::on(&self.lab.client);
        let url = format!("http://{}", self.lab.vip());
        assert_eq!(http.get(&format!("{url}/")).server(), Some(server));
        let received = http.download(&format!("{url}/10m")).unwrap();
        assert!(received == large_file(), "{} bytes arrived, and they are not the file", received.len());

        let address = SocketAddr::from((self.lab.vip(), 80));
        let answers = self.lab.client.netns.enter(|| ask_at_the_same_time(address)).unwrap();
        let strangers: Vec<_> = answers.iter().filter(|answer| !answer.ends_with(server)).collect();
        assert!(strangers.is_empty(), "expected {server} {PARALLEL} times, but: {strangers:?}");
    }

    #[track_caller]
    fn expect_datagrams(&self, server: &str) {
        let address = SocketAddr::from((self.lab.vip(), 5353));
        for length in PAYLOADS {
            let payload = vec![b'x'; length];
            let answer = ask_by_datagram(&self.lab.client, address, &payload).unwrap();
            assert_eq!(answer, [server.as_bytes(), b":", &payload].concat(), "{length} bytes");
        }
    }

    /// The answers to the host's own connections come from the same address and port as those to clients.
    #[track_caller]
    fn expect_the_host_to_reach_its_servers(&self) {
        for server in &self.lab.servers {
            let answer = Http::on(&self.lab.lb).get(&format!("http://{}/", server.address));
            assert_eq!(answer.server(), Some(server.name.as_str()), "{answer}");
        }
    }

    /// The kernels of both ends count what they throw away.
    #[track_caller]
    fn expect_no_bad_checksums(&self) {
        for host in self.lab.servers.iter().chain([&self.lab.client]) {
            for protocol in ["Tcp", "Udp"] {
                let errors = snmp_counter(host, protocol, "InCsumErrors");
                assert_eq!(errors, 0, "{protocol} checksum errors at {}", host.name);
            }
        }
    }
}

/// All connections are open before the first request is sent.
fn ask_at_the_same_time(address: SocketAddr) -> Vec<String> {
    let connect = |_| {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let mut streams: Vec<TcpStream> = (0..PARALLEL).map(connect).collect();
    for stream in &mut streams {
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    }
    let read = |mut stream: TcpStream| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    streams.into_iter().map(read).collect()
}

/// `/proc/net` would show the namespace of the process's first thread, not of this one.
fn snmp_counter(host: &Host, protocol: &str, counter: &str) -> u64 {
    let read = || std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let table = host.netns.enter(read).unwrap();
    let mut rows = table.lines().filter(|line| line.starts_with(&format!("{protocol}:")));
    let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
    let column = names.split(' ').position(|name| name == counter).unwrap();
    values.split(' ').nth(column).unwrap().parse().unwrap()
}

#[test]
fn the_laboratory_answers_datagrams_without_a_switch() {
    let Some(bench) = Bench::new(Shape::Segment) else { return };
    let server = bench.lab.server(1).unwrap();
    let _echo = bench.echo(server, false);
    let address = SocketAddr::from((server.address, 5353));
    let answer =
        until(Duration::from_secs(5), "the echo", || ask_by_datagram(&bench.lab.client, address, b"hello"));
    assert_eq!(answer.unwrap(), b"s1:hello");
    bench.expect_no_bad_checksums();
}
