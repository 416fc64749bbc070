//! What holds for every packet.

extern crate std;

use core::{cell::Cell, net::SocketAddrV4};
use std::vec::Vec;

use proptest::prelude::*;

use crate::{
    abi::{
        Address, Backend, Counter, Event, Flow, Mode, Server, Service, Settings,
        word::{Chosen, FlowTag, ServerState},
    },
    flow,
    host::{HostFrame, HostTables},
    net::tcp_flag,
    parse::{Packet, parse},
    tables::{Passage, Route, Tables},
    testing::{
        CLIENT, CLIENT_HOP, IFINDEX, OURS, PacketSpec, SERVER_HOPS, SERVERS, SERVICES, SNAT_SOURCE,
        Transport, VIP, checksums, generate, world,
    },
    walk::{Action, Verdict, walk},
};

/// How the kernel reaches the clients.
const TO_CLIENT: Route = Route::Via { interface: IFINDEX, macs: [2, 0, 0, 0, 0, 0xc1, 2, 0, 0, 0, 0, 1] };

/// The exits of packets that were translated.
const TRANSLATED: [Counter; 6] = [
    Counter::ForwardedSnat,
    Counter::ForwardedDnat,
    Counter::ForwardedDsr,
    Counter::RepliedSnat,
    Counter::RepliedDnat,
    Counter::PassedNoNeighbour,
];

const MODES: [Mode; 3] = [Mode::Snat, Mode::Dnat, Mode::Dsr];

fn walked(tables: &HostTables, bytes: &[u8]) -> (Verdict, Vec<u8>) {
    let mut frame = HostFrame::new(bytes);
    let verdict = walk(&mut frame, tables, IFINDEX);
    (verdict, frame.bytes().to_vec())
}

/// What was counted since `before`: the counters that moved.
fn moved(before: &HostTables, after: &HostTables) -> Vec<(Counter, u64, u64)> {
    let counters = Counter::ALL.iter().map(|&(counter, _)| {
        let (before, after) = (before.counted(counter), after.counted(counter));
        (counter, after.packets - before.packets, after.bytes - before.bytes)
    });
    counters.filter(|&(_, packets, _)| packets > 0).collect()
}

/// `bytes` without what forwarding may change: MACs, TTL, addresses, ports and checksums.
fn kept(bytes: &[u8]) -> Vec<u8> {
    let udp = bytes[23] == 17;
    let checksum = if udp { 40..42 } else { 50..52 };
    let changing = |offset: &usize| {
        *offset < 12 || *offset == 22 || (24..38).contains(offset) || checksum.contains(offset)
    };
    bytes.iter().enumerate().filter(|(offset, _)| !changing(offset)).map(|(_, &byte)| byte).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// In one world, frame after frame: flows come and go on the way.
    #[test]
    fn whatever_comes_is_counted_once_and_changed_only_where_that_is_allowed(
        mode in prop::sample::select(MODES.to_vec()),
        frames in prop::collection::vec(generate::frame(), 1..30),
    ) {
        let mut tables = world(mode);
        tables.routes.insert(Address::v4(CLIENT.ip().octets()).bytes, TO_CLIENT);
        for frame in frames {
            let before = tables.clone();
            let (verdict, after) = walked(&tables, &frame);
            let length = HostFrame::new(&frame);
            let counted = moved(&before, &tables);
            prop_assert_eq!(counted.len(), 1);
            prop_assert_eq!((counted[0].0, counted[0].1), (verdict.counter, 1));
            if frame.len() < 3500 {
                prop_assert_eq!(counted[0].2, length.bytes().len() as u64);
            }
            if TRANSLATED.contains(&verdict.counter) {
                prop_assert_eq!(kept(&frame), kept(&after));
                prop_assert_eq!(after[22], frame[22] - 1);
                prop_assert_eq!(checksums(&after), checksums(&frame));
            } else {
                match verdict.action {
                    Action::Pass => prop_assert_eq!(&after, &frame),
                    Action::Drop => {}
                    // An answer of our own.
                    Action::Transmit | Action::Redirect => {
                        prop_assert_eq!(checksums(&after), Some((true, true)));
                    }
                }
            }
        }
    }

    /// What `dnat` does to a packet, it undoes in the reply.
    #[test]
    fn a_dnat_reply_seems_to_come_from_the_vip(
        client in generate::client(),
        there in generate::transport(),
        back in generate::transport(),
        payload: Vec<u8>,
    ) {
        prop_assume!(is_tcp(there) == is_tcp(back));
        let mut tables = world(Mode::Dnat);
        tables.routes.insert(Address::v4(CLIENT.ip().octets()).bytes, TO_CLIENT);
        let request = spec(client, VIP, there, &payload);
        let (verdict, at_server) = walked(&tables, &request.bytes());
        prop_assert_eq!(verdict.counter, Counter::ForwardedDnat);
        let seen = PacketSpec { to: SERVER_HOPS[0], from: OURS, destination: SERVERS[0], ttl: 63, ..request };
        prop_assert_eq!(at_server, seen.bytes());

        let reply = PacketSpec { from: SERVER_HOPS[0], ..spec(SERVERS[0], client, back, &payload) };
        let (verdict, at_client) = walked(&tables, &reply.bytes());
        prop_assert_eq!(verdict.counter, Counter::RepliedDnat);
        let seen = PacketSpec { to: CLIENT_HOP, from: OURS, source: VIP, ttl: 63, ..reply };
        prop_assert_eq!(at_client, seen.bytes());
    }

    /// What `snat` does to a packet, it undoes in the reply, for every flow at once.
    #[test]
    fn a_snat_reply_comes_to_its_client_from_the_vip(
        flows in prop::collection::btree_map(1_u16.., (any::<bool>(), any::<Vec<u8>>()), 1..8),
    ) {
        let tables = world(Mode::Snat);
        let mut ports = Vec::new();
        for (&port, (tcp, payload)) in &flows {
            let client = SocketAddrV4::new(*CLIENT.ip(), port);
            let request = spec(client, VIP, transport(*tcp, tcp_flag::SYN), payload);
            let (verdict, at_server) = walked(&tables, &request.bytes());
            prop_assert_eq!(verdict.counter, Counter::ForwardedSnat);
            let source_port = u16::from_be_bytes([at_server[34], at_server[35]]);
            let source = SocketAddrV4::new(SNAT_SOURCE, source_port);
            let seen = PacketSpec {
                to: SERVER_HOPS[0], from: OURS, source, destination: SERVERS[0], ttl: 63, ..request
            };
            prop_assert_eq!(at_server, seen.bytes());
            ports.push((client, source, *tcp, payload));
        }
        for (client, source, tcp, payload) in ports {
            let reply = spec(SERVERS[0], source, transport(tcp, tcp_flag::SYN | tcp_flag::ACK), payload);
            let reply = PacketSpec { from: SERVER_HOPS[0], ..reply };
            let (verdict, at_client) = walked(&tables, &reply.bytes());
            prop_assert_eq!(verdict.counter, Counter::RepliedSnat);
            let seen = PacketSpec { to: CLIENT_HOP, from: OURS, source: VIP, destination: client, ttl: 63, ..reply };
            prop_assert_eq!(at_client, seen.bytes());
        }
    }

    /// One processor is interrupted by another at every step of its claim.
    #[test]
    fn two_claims_never_own_one_slot(
        ports: [u16; 2],
        taken in prop::collection::vec(any::<bool>(), 16),
        step in 0_u32..60,
    ) {
        prop_assume!(ports[0] != ports[1]);
        let tables = world(Mode::Snat);
        for (cell, _) in tables.flows.iter().zip(taken).filter(|(_, taken)| *taken) {
            let tag = FlowTag { generation: 1, state: 3, fins: 0, server_epoch: 0 };
            cell.set(Flow { tag, ..bytemuck::Zeroable::zeroed() });
        }
        let claimed = Cell::new([None; 2]);
        let open = |tables: &dyn Fn(&Packet) -> Option<flow::Slot>, who: usize| {
            let client = SocketAddrV4::new(*CLIENT.ip(), ports[who]);
            let syn = HostFrame::new(&PacketSpec::tcp(client, VIP, tcp_flag::SYN).bytes());
            let packet = parse(&syn).expect("a whole segment");
            let slot = tables(&packet);
            let mut all = claimed.get();
            all[who] = slot.map(|slot| (slot, packet));
            claimed.set(all);
        };
        let interrupt = || open(&|packet| claim(&tables, packet), 1);
        let interrupted = Interrupted { tables: &tables, steps: Cell::new(step), interrupt: &interrupt };
        open(&|packet| claim(&interrupted, packet), 0);

        let [one, other] = claimed.get();
        if let (Some((one, _)), Some((other, _))) = (one, other) {
            prop_assert_ne!(one, other);
        }
        for (slot, packet) in [one, other].into_iter().flatten() {
            prop_assert_eq!(flow::find(&tables, &packet, SERVICES[0]).map(|known| known.slot), Some(slot));
        }
    }
}

fn is_tcp(transport: Transport) -> bool {
    matches!(transport, Transport::Tcp { .. })
}

fn transport(tcp: bool, flags: u8) -> Transport {
    if tcp { PacketSpec::tcp(VIP, VIP, flags).transport } else { Transport::Udp { checksum: true } }
}

fn spec(source: SocketAddrV4, destination: SocketAddrV4, transport: Transport, payload: &[u8]) -> PacketSpec {
    PacketSpec { transport, ..PacketSpec::udp(source, destination).carrying(payload) }
}

/// Takes a slot for a client's SYN, as the walk does.
fn claim<T: Tables>(tables: &T, packet: &Packet) -> Option<flow::Slot> {
    let (slot, seen) = flow::find_vacant(tables, packet)?;
    let flow = Flow {
        tag: FlowTag { generation: 0, state: 2, fins: 0, server_epoch: 0 },
        client: packet.source,
        client_port: packet.source_port,
        service_port: packet.destination_port,
        service: SERVICES[0],
        ..bytemuck::Zeroable::zeroed()
    };
    flow::claim(tables, slot, seen, &flow).then_some(slot)
}

/// Tables whose user is interrupted before one of its steps.
struct Interrupted<'a> {
    tables: &'a HostTables,
    steps: Cell<u32>,
    interrupt: &'a dyn Fn(),
}

impl Interrupted<'_> {
    fn step(&self) -> &HostTables {
        let left = self.steps.get();
        self.steps.set(left.wrapping_sub(1));
        if left == 0 {
            (self.interrupt)();
        }
        self.tables
    }
}

impl Tables for Interrupted<'_> {
    fn settings(&self) -> &Settings {
        self.tables.settings()
    }

    fn flow_tag(&self, index: u32) -> Option<FlowTag> {
        self.step().flow_tag(index)
    }

    fn swap_flow_tag(&self, index: u32, old: FlowTag, new: FlowTag) -> bool {
        self.step().swap_flow_tag(index, old, new)
    }

    fn flow(&self, index: u32) -> Option<Flow> {
        self.step().flow(index)
    }

    fn write_flow(&self, index: u32, flow: &Flow) {
        self.step().write_flow(index, flow);
    }

    fn now(&self) -> u32 {
        self.step().now()
    }

    fn touch_flow(&self, _: u32, _: u32) {
        unreachable!("a claim does not")
    }

    fn learn_client(&self, _: u32, _: u32, _: [u8; 12]) {
        unreachable!("a claim does not")
    }

    fn service_index(&self, _: u32) -> Option<u32> {
        unreachable!("a claim does not")
    }

    fn service(&self, _: u32) -> Option<&Service> {
        unreachable!("a claim does not")
    }

    fn stick(&self, _: u32) -> Option<Chosen> {
        unreachable!("a claim does not")
    }

    fn swing(&self, _: u32, _: Chosen, _: Chosen) -> Option<Chosen> {
        unreachable!("a claim does not")
    }

    fn backend(&self, _: u32) -> Option<&Backend> {
        unreachable!("a claim does not")
    }

    fn server_state(&self, _: u32) -> Option<ServerState> {
        unreachable!("a claim does not")
    }

    fn server(&self, _: u32) -> Option<&Server> {
        unreachable!("a claim does not")
    }

    fn count(&self, _: Counter, _: u64) {
        unreachable!("a claim does not")
    }

    fn count_service(&self, _: u32, _: Passage, _: u64) {
        unreachable!("a claim does not")
    }

    fn count_server(&self, _: u32, _: Passage, _: u64) {
        unreachable!("a claim does not")
    }

    fn report(&self, _: Event) {
        unreachable!("a claim does not")
    }

    fn route(&self, _: Address, _: Address, _: u8, _: u16) -> Route {
        unreachable!("a claim does not")
    }
}
