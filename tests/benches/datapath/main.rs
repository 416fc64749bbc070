//! What the program costs per packet, by `BPF_PROG_TEST_RUN`: `cargo bench -p stickfast-lab --bench datapath`.
//!
//! Every packet is rewritten to what it was (the server has the VIP's address), so that all the work is done and
//! the next repetition finds the same bytes. A program that does nothing runs in between, behind the same driver;
//! its cost is taken off.

mod driver;
#[path = "../../tests/datapath/kernel.rs"]
mod kernel;
#[path = "../../tests/datapath/namespace.rs"]
mod namespace;
#[path = "../../tests/datapath/run.rs"]
mod run;
#[path = "../../tests/datapath/state.rs"]
mod state;

use std::net::SocketAddrV4;

use driver::Driven;
use kernel::Kernel;
use lb_ebpf::{
    abi::{Address, Counter, Mode},
    flow,
    host::{HostFrame, HostTables},
    net::tcp_flag,
    parse::parse,
    testing::{CLIENT, CLIENT_HOP, FIRST_PORT, OURS, PORTS, PacketSpec, STRANGER, VIP, macs, world},
};

/// Repetitions in a run.
const REPEAT: u32 = 200_000;
const ROUNDS: usize = 51;

/// A packet that comes out as it went in.
struct Case {
    name: &'static str,
    counter: Counter,
    tables: HostTables,
    /// Makes the flow.
    before: Option<PacketSpec>,
    frame: Vec<u8>,
}

fn main() {
    namespace::enter();
    let cases = cases();
    let mut kernels: Vec<_> = cases.iter().map(|case| Kernel::load(&case.tables)).collect();
    for (case, kernel) in cases.iter().zip(&mut kernels) {
        check(case, kernel);
    }
    let floor = Driven::new(kernels[0].named("pass"), &cases[0].frame).unwrap();
    let driven: Vec<_> = cases
        .iter()
        .zip(&kernels)
        .map(|(case, kernel)| Driven::new(kernel.named("stickfast"), &case.frame).unwrap())
        .collect();
    let mut floors = Vec::new();
    let mut costs = vec![Vec::new(); cases.len()];
    for round in 0..=ROUNDS {
        let cost = floor.time(REPEAT).unwrap();
        if round > 0 {
            floors.push(f64::from(cost))
        }
        for (driven, costs) in driven.iter().zip(&mut costs) {
            let cost = driven.time(REPEAT).unwrap();
            if round > 0 {
                costs.push(f64::from(cost))
            }
        }
    }
    let floor = median(&mut floors);
    println!("floor {floor:.1} ns");
    for (case, costs) in cases.iter().zip(&mut costs) {
        let min = costs.iter().copied().fold(f64::MAX, f64::min);
        let cost = median(costs);
        println!("{:30} {cost:6.1} ns {:6.1} ns net (min {:.1})", case.name, cost - floor, min - floor);
    }
    let size = kernels[0].program().info().unwrap();
    println!("{:?}", size.size_translated().map(|b| b / 8));
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The server has the VIP's address, and its next hop is us.
fn mirror(mode: Mode) -> HostTables {
    let mut tables = world(mode);
    for server in &mut tables.servers {
        server.address = Address::v4(VIP.ip().octets());
        server.source = Address::v4(CLIENT.ip().octets());
        server.port = VIP.port();
        server.macs = macs(OURS, CLIENT_HOP);
    }
    tables
}

/// A client whose flow gets the source port that it has.
fn lucky_client() -> SocketAddrV4 {
    let lucky = (FIRST_PORT..FIRST_PORT + PORTS).find(|&port| {
        let frame = PacketSpec::tcp(SocketAddrV4::new(*CLIENT.ip(), port), VIP, tcp_flag::SYN).bytes();
        let packet = parse(&HostFrame::new(&frame)).expect("a whole packet");
        flow::find_vacant(&mirror(Mode::Snat), &packet).is_some_and(|(slot, _)| slot.port == port)
    });
    SocketAddrV4::new(*CLIENT.ip(), lucky.expect("one of all ports is its own first candidate"))
}

fn cases() -> Vec<Case> {
    let padded = |spec: PacketSpec| PacketSpec { ttl: 255, padding: 6, ..spec }.bytes();
    let ack = |source, destination| PacketSpec::tcp(source, destination, tcp_flag::ACK);
    let client = lucky_client();
    let syn = PacketSpec::tcp(client, VIP, tcp_flag::SYN);
    let to_client = PacketSpec { to: CLIENT_HOP, from: OURS, ..ack(VIP, CLIENT) };
    // The server is the VIP, so its replies are keyed by it. They come to the MAC that they are sent on to.
    let mut replying = mirror(Mode::Dnat);
    replying.settings.interfaces[0].mac = CLIENT_HOP;
    let request = replying.services.iter().position(|service| !service.is_empty()).expect("there is one");
    let request = u32::try_from(request).expect("a slot");
    let mut reply = replying.services[request as usize];
    reply.key.direction = 1;
    reply.request = request;
    replying.service_index.fill(0);
    replying.insert_service(request + 1, reply).expect("there is room");

    let case = |name, counter, tables, frame| Case { name, counter, tables, before: None, frame };
    vec![
        case("dsr", Counter::ForwardedDsr, mirror(Mode::Dsr), padded(ack(CLIENT, VIP))),
        case("dnat", Counter::ForwardedDnat, mirror(Mode::Dnat), padded(ack(CLIENT, VIP))),
        Case {
            before: Some(syn.clone()),
            ..case(
                "snat, client to server",
                Counter::ForwardedSnat,
                mirror(Mode::Snat),
                padded(ack(client, VIP)),
            )
        },
        Case {
            before: Some(PacketSpec { from: OURS, ..syn }),
            ..case(
                "snat, server to client",
                Counter::RepliedSnat,
                mirror(Mode::Snat),
                padded(PacketSpec { from: OURS, ..ack(VIP, client) }),
            )
        },
        case("dnat, server to client", Counter::RepliedDnat, replying, padded(to_client)),
        case(
            "foreign TCP",
            Counter::PassedOtherDestination,
            mirror(Mode::Dnat),
            padded(ack(CLIENT, STRANGER)),
        ),
        case(
            "foreign TCP, snat only",
            Counter::PassedOtherDestination,
            mirror(Mode::Snat),
            padded(ack(CLIENT, STRANGER)),
        ),
        case("ARP", Counter::PassedOtherEthertype, mirror(Mode::Snat), arp()),
    ]
}

fn arp() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend(CLIENT_HOP);
    frame.extend([0x08, 0x06]);
    frame.resize(60, 0);
    frame
}

/// That the case is what it says: it takes the exit, and comes out as it went in, TTL aside.
fn check(case: &Case, kernel: &mut Kernel) {
    if let Some(before) = &case.before {
        kernel.run(&before.bytes());
    }
    let mut counted = || kernel.state(&case.tables).counters[case.counter.index() as usize].packets;
    let before = counted();
    let out = kernel.run(&case.frame).frame;
    let mut counted = || kernel.state(&case.tables).counters[case.counter.index() as usize].packets;
    assert_eq!(counted(), before + 1, "{} does not leave by {:?}: {:02x?}", case.name, case.counter, out);
    let differ: Vec<_> = (0..out.len()).filter(|&at| out[at] != case.frame[at]).collect();
    assert!(differ.iter().all(|at| [22, 24, 25].contains(at)), "{}: bytes {differ:?} change", case.name);
}
