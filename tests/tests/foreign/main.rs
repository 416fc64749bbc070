//! Is everything that is not ours left alone? What a host does and receives before a switch is attached must be
//! what it does and receives afterwards.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod frames;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use frames::{SOURCE, odd_frames};
use socket2::{Domain, Socket, Type};
use stickfast_lab::sockets::{ask_by_datagram, ping};
use stickfast_lab::{
    Balancer, Config, Connection, Frames, Host, Lab, Nginx, Shape, Subject, TcpEcho, UdpEcho, privilege,
};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 1, 1);
const SILENCE: Duration = Duration::from_secs(2);

#[test]
fn a_host_with_haproxy_goes_on_with_its_other_business() {
    expect_the_same_business(Shape::Segment, Subject::Haproxy);
}

#[test]
fn a_host_with_stickfast_goes_on_with_its_other_business() {
    expect_the_same_business(Shape::Segment, Subject::Stickfast);
}

#[test]
fn a_router_with_stickfast_goes_on_routing() {
    expect_the_same_business(Shape::Routed, Subject::Stickfast);
}

#[test]
fn odd_frames_arrive_byte_for_byte_with_haproxy() {
    expect_the_same_frames(Subject::Haproxy);
}

#[test]
fn odd_frames_arrive_byte_for_byte_with_stickfast() {
    expect_the_same_frames(Subject::Stickfast);
}

fn expect_the_same_business(shape: Shape, subject: Subject) {
    let Some((lab, _servers)) = laboratory(shape) else { return };
    let _services = Services::start(&lab);
    let before = business(&lab);
    let trouble: Vec<_> = before.iter().filter(|(_, outcome)| outcome != "well").collect();
    assert!(trouble.is_empty(), "the laboratory itself has trouble: {trouble:?}");

    let _balancer = Balancer::start(&lab, subject, &Config::no_failback(&lab).text()).unwrap();
    assert_eq!(business(&lab), before);
}

fn expect_the_same_frames(subject: Subject) {
    // Without a bridge between the two, which would drop what is malformed.
    let Some((lab, _servers)) = laboratory(Shape::Routed) else { return };
    let mut ears = Frames::on(&lab.lb).unwrap();
    let mouth = Frames::on(&lab.client).unwrap();
    let frames = odd_frames(ears.mac().unwrap(), lab.lb.address, lab.vip());
    let mut exchange = || {
        frames.iter().for_each(|(_, frame)| mouth.send(frame).unwrap());
        ears.receive_from(SOURCE, frames.len(), SILENCE).unwrap()
    };

    let before = exchange();
    assert_eq!(before.len(), frames.len(), "the laboratory itself loses frames");
    let _balancer = Balancer::start(&lab, subject, &Config::no_failback(&lab).text()).unwrap();
    let attached = exchange();
    // Compared with what came before, not with what was sent: the kernel takes a VLAN tag out of the frame.
    for ((what, _), frame) in frames.iter().zip(&before) {
        assert!(attached.contains(frame), "{what} was changed or lost: {frame:02x?}");
    }
    assert_eq!(attached.len(), frames.len());
}

fn laboratory(shape: Shape) -> Option<(Lab, Vec<Nginx>)> {
    privilege::can_run().then(|| {
        let lab = Lab::new(shape, 2).unwrap();
        let servers = lab.servers.iter().map(|host| Nginx::new(host, 80).unwrap()).collect();
        (lab, servers)
    })
}

/// What else runs on the balancer's host and beyond it.
struct Services {
    _shells: Vec<TcpEcho>,
    _datagrams: Vec<UdpEcho>,
}

impl Services {
    fn start(lab: &Lab) -> Self {
        let hosts = [&lab.lb, &lab.bystander];
        let datagrams = |host: &Host| UdpEcho::start(host, &[SocketAddr::from((host.address, 53))]).unwrap();
        Self {
            _shells: hosts.map(|host| TcpEcho::start(host, 22).unwrap()).into(),
            _datagrams: hosts.map(datagrams).into(),
        }
    }
}

/// Everything that a client may want of the host beside the balanced service, and how each went.
fn business(lab: &Lab) -> Vec<(&'static str, String)> {
    let (client, lb, vip, bystander) = (&lab.client, lab.lb.address, lab.vip(), lab.bystander.address);
    let forget_neighbours = || client.netns.ip("neighbour flush all");
    let closed_port = || match Connection::open(client, SocketAddr::from((vip, 23))) {
        Err(error) if error.to_string().contains("refused") => Ok(()),
        other => anyhow::bail!("{other:?}"),
    };
    let outcomes = [
        ("ARP", forget_neighbours().and_then(|()| ping(client, lb, 8))),
        ("ping the host", ping(client, lb, 56)),
        ("ping the VIP", ping(client, vip, 56)),
        ("ping the host in fragments", ping(client, lb, 4000)),
        ("ping the VIP in fragments", ping(client, vip, 4000)),
        ("ping beyond the host", ping(client, bystander, 56)),
        ("ping beyond the host in fragments", ping(client, bystander, 4000)),
        ("a shell on the host", shell(client, lb, "lb")),
        ("a shell at the VIP", shell(client, vip, "lb")),
        ("a shell beyond the host", shell(client, bystander, "bystander")),
        ("a port of the VIP that nobody serves", closed_port()),
        ("a datagram to the host", datagram(client, lb, "lb", 100)),
        ("a datagram to the host in fragments", datagram(client, lb, "lb", 4000)),
        ("a datagram beyond the host", datagram(client, bystander, "bystander", 100)),
        ("a datagram beyond the host in fragments", datagram(client, bystander, "bystander", 4000)),
        ("a broadcast", to_many(lab, directed_broadcast(lb))),
        ("a limited broadcast", to_many(lab, Ipv4Addr::BROADCAST)),
        ("a multicast", to_many(lab, GROUP)),
    ];
    let in_words = |outcome: anyhow::Result<()>| match outcome {
        Ok(()) => "well".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    outcomes.into_iter().map(|(what, outcome)| (what, in_words(outcome))).collect()
}

fn shell(client: &Host, address: Ipv4Addr, name: &str) -> anyhow::Result<()> {
    let mut connection = Connection::open(client, SocketAddr::from((address, 22)))?;
    for word in ["ls", &"x".repeat(8000), "exit"] {
        let answer = connection.ask(word)?;
        anyhow::ensure!(answer == format!("{name}:{word}"), "{answer}");
    }
    Ok(())
}

fn datagram(client: &Host, address: Ipv4Addr, name: &str, length: usize) -> anyhow::Result<()> {
    let payload = vec![b'd'; length];
    let answer = ask_by_datagram(client, SocketAddr::from((address, 53)), &payload)?;
    anyhow::ensure!(answer == [name.as_bytes(), b":", &payload].concat(), "another answer");
    Ok(())
}

/// A datagram from the client to an address of many; the balancer's host is one of them.
fn to_many(lab: &Lab, address: Ipv4Addr) -> anyhow::Result<()> {
    let receiver = lab.lb.netns.enter(|| UdpSocket::bind("0.0.0.0:7000"))??;
    receiver.set_read_timeout(Some(Duration::from_secs(2)))?;
    receiver.join_multicast_v4(&GROUP, &lab.lb.address)?;
    let sender = lab.client.netns.enter(|| Socket::new(Domain::IPV4, Type::DGRAM, None))??;
    sender.set_broadcast(true)?;
    sender.set_multicast_if_v4(&lab.client.address)?;
    sender.bind(&SocketAddr::from((lab.client.address, 0)).into())?;
    sender.bind_device(Some(b"eth0"))?;
    sender.send_to(b"to all of you", &SocketAddr::from((address, 7000)).into())?;
    let mut buffer = [0; 100];
    let length = receiver.recv(&mut buffer)?;
    anyhow::ensure!(&buffer[..length] == b"to all of you", "another datagram");
    Ok(())
}

fn directed_broadcast(address: Ipv4Addr) -> Ipv4Addr {
    let [a, b, c, _] = address.octets();
    Ipv4Addr::new(a, b, c, 255)
}
