//! Packets that come out as they went in.

use std::net::SocketAddrV4;

use lb_ebpf::{
    abi::{Address, Counter, Direction, Mode, Service},
    flow,
    host::{HostFrame, HostTables},
    net::tcp_flag,
    parse::parse,
    testing::{
        CLIENT, CLIENT_HOP, FIRST_PORT, OURS, PORTS, PacketSpec, SERVICES, STRANGER, VIP, macs, world,
    },
};

use crate::kernel::Kernel;

/// A packet, and the tables that make it come out unchanged.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The exit it takes.
    counter: Counter,
    pub(crate) tables: HostTables,
    /// Makes the flow.
    before: Option<PacketSpec>,
    pub(crate) frame: Vec<u8>,
}

pub(crate) fn all() -> Vec<Case> {
    let client = lucky_client();
    let syn = PacketSpec::tcp(client, VIP, tcp_flag::SYN);
    // A reply goes to where its request came from, so for this case that is we ourselves.
    let looped = PacketSpec { from: OURS, ..ack(VIP, client) };
    let returned = PacketSpec { to: CLIENT_HOP, from: OURS, ..ack(VIP, CLIENT) };
    let (dsr, dnat, snat) = (mirror(Mode::Dsr), mirror(Mode::Dnat), mirror(Mode::Snat));
    vec![
        Case::new("dsr", Counter::ForwardedDsr, &dsr, &ack(CLIENT, VIP)),
        Case::new("dnat, client to server", Counter::ForwardedDnat, &dnat, &ack(CLIENT, VIP)),
        Case::new("dnat, server to client", Counter::RepliedDnat, &replying(), &returned),
        Case::new("snat, client to server", Counter::ForwardedSnat, &snat, &ack(client, VIP))
            .after(syn.clone()),
        Case::new("snat, server to client", Counter::RepliedSnat, &snat, &looped)
            .after(PacketSpec { from: OURS, ..syn }),
        Case::new("foreign TCP", Counter::PassedOtherDestination, &snat, &ack(CLIENT, STRANGER)),
        Case::new(
            "foreign TCP, with dnat in use",
            Counter::PassedOtherDestination,
            &dnat,
            &ack(CLIENT, STRANGER),
        ),
        Case { frame: arp(), ..Case::new("ARP", Counter::PassedOtherEthertype, &snat, &ack(CLIENT, VIP)) },
    ]
}

impl Case {
    /// `packet` in a frame of 64 bytes, the FCS included.
    fn new(name: &'static str, counter: Counter, tables: &HostTables, packet: &PacketSpec) -> Self {
        let frame = PacketSpec { padding: 6, ..packet.clone() }.bytes();
        Self { name, counter, tables: tables.clone(), before: None, frame }
    }

    fn after(self, packet: PacketSpec) -> Self {
        Self { before: Some(packet), ..self }
    }

    /// That the case is what it says: it takes its exit, and comes out as it went in, TTL and checksum aside.
    ///
    /// # Panics
    /// It is not.
    pub(crate) fn check(&self, kernel: &mut Kernel) {
        if let Some(before) = &self.before {
            kernel.run(&before.bytes());
        }
        let mut counted = || kernel.state(&self.tables).counters[self.counter.index() as usize].packets;
        let before = counted();
        let out = kernel.run(&self.frame).frame;
        let after = kernel.state(&self.tables).counters[self.counter.index() as usize].packets;
        assert_eq!(after, before + 1, "{} does not leave by {:?}", self.name, self.counter);
        let differ = |at: &usize| out.get(*at) != self.frame.get(*at);
        let differing: Vec<_> = (0..out.len().max(self.frame.len())).filter(differ).collect();
        assert!(differing.iter().all(|at| [22, 24, 25].contains(at)), "{} changes {differing:?}", self.name);
    }
}

fn ack(source: SocketAddrV4, destination: SocketAddrV4) -> PacketSpec {
    PacketSpec::tcp(source, destination, tcp_flag::ACK)
}

/// The server has the VIP's address, the client's is what `snat` puts as the source, and the next hop is we.
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

/// The VIP is a server's address, so replies come from it. They come to the MAC that they are sent on to.
fn replying() -> HostTables {
    let mut tables = mirror(Mode::Dnat);
    tables.settings.interfaces[0].mac = CLIENT_HOP;
    let [slot, other] = SERVICES;
    let mut key = tables.services[slot as usize].key;
    key.direction = Direction::Reply as u8;
    let reply = Service { key, request: slot, ..tables.services[slot as usize] };
    tables.service_index.fill(0);
    tables.insert_service(other, reply).expect("the index is empty");
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

fn arp() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend(CLIENT_HOP);
    frame.extend([0x08, 0x06]);
    frame.resize(60, 0);
    frame
}
