//! The SNAT port table: a flow's source port is its index, so the reply finds it without a hash.
//!
//! A slot belongs to whoever changed its tag to `Claimed`; its fields are written before the tag says what it
//! is. Nothing is ever evicted: expiry is judged when somebody wants the slot.

use core::hint::black_box;

use crate::{
    abi::{Flow, FlowState, Settings, word::FlowTag},
    net::tcp_flag,
    parse::Packet,
    tables::Tables,
};

/// How many neighbouring slots a flow may live in.
pub const FLOW_PROBES: u32 = 8;

const CLIENT_FIN: u8 = 1;
const SERVER_FIN: u8 = 2;
const BOTH_FINS: u8 = CLIENT_FIN | SERVER_FIN;

/// Which side sent a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// A place in the port table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub index: u32,
    /// The source port, host order.
    pub port: u16,
}

/// The slot of a source port, or `None` where the port is not one of ours. Separate halves for TCP and UDP.
#[inline(always)]
pub fn slot_of_port(settings: &Settings, packet: &Packet, port: u16) -> Option<Slot> {
    let offset = u32::from(port).wrapping_sub(settings.first_port);
    (offset < settings.ports).then(|| slot_at(settings, packet, offset))
}

/// Where a flow lives, and its tag as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub slot: Slot,
    pub tag: FlowTag,
}

/// The flow of a client's packet that came for `service`, if it is known.
#[inline(always)]
pub fn find<T: Tables>(tables: &T, packet: &Packet, service: u32) -> Option<Known> {
    let start = first_candidate(tables.settings(), packet);
    for probe in 0..probes(tables.settings()) {
        let slot = candidate(tables.settings(), packet, start, probe);
        let tag = tables.flow_tag(slot.index)?;
        let flow = tables.flow(slot.index)?;
        if is_live(FlowState::of(tag))
            && flow.client == packet.source
            && flow.client_port == packet.source_port
            && flow.service_port == packet.destination_port
            && flow.service == service
            && still(tables, slot, tag)
        {
            return Some(Known { slot, tag });
        }
    }
    None
}

/// The flow that has `slot`, if any.
#[inline(always)]
pub fn at<T: Tables>(tables: &T, slot: Slot) -> Option<(Known, Flow)> {
    let tag = tables.flow_tag(slot.index)?;
    let flow = tables.flow(slot.index)?;
    (is_live(FlowState::of(tag)) && still(tables, slot, tag)).then_some((Known { slot, tag }, flow))
}

/// Whether the fields read since `tag` was are those of one flow: its slot has not been claimed meanwhile.
#[inline(always)]
fn still<T: Tables>(tables: &T, slot: Slot, tag: FlowTag) -> bool {
    // Keeps the compiler from reading the fields after the tag; BPF has no fences.
    black_box(());
    tables.flow_tag(slot.index).is_some_and(|now| now.generation == tag.generation)
}

/// The slot that a new flow of `packet` may claim, and its tag: free before expired before merely closed, then
/// whichever has rested longer. `None`: all that it may have are in use.
#[inline(always)]
pub fn find_vacant<T: Tables>(tables: &T, packet: &Packet) -> Option<(Slot, FlowTag)> {
    let settings = tables.settings();
    let now = tables.now();
    let start = first_candidate(settings, packet);
    let mut best = None;
    let mut best_rest = 0;
    for probe in 0..probes(settings) {
        let slot = candidate(settings, packet, start, probe);
        let tag = tables.flow_tag(slot.index)?;
        let flow = tables.flow(slot.index)?;
        let rest = rest(settings, FlowState::of(tag), now.wrapping_sub(flow.last_seen));
        if rest > best_rest {
            best_rest = rest;
            best = Some((slot, tag));
        }
    }
    best
}

#[inline(always)]
fn is_live(state: FlowState) -> bool {
    !matches!(state, FlowState::Free | FlowState::Claimed)
}

/// Takes a vacant slot for `flow`. `false`: another processor was faster.
#[inline(always)]
pub fn claim<T: Tables>(tables: &T, slot: Slot, seen: FlowTag, flow: &Flow) -> bool {
    let claimed = FlowTag {
        generation: seen.generation.wrapping_add(1),
        state: FlowState::Claimed as u8,
        fins: 0,
        server_epoch: 0,
    };
    if !tables.swap_flow_tag(slot.index, seen, claimed) {
        return false;
    }
    tables.write_flow(slot.index, flow);
    tables.swap_flow_tag(slot.index, claimed, FlowTag { generation: claimed.generation, ..flow.tag })
}

/// The tag after a segment with `flags` from `side` (RFC 9293, section 3.6, as far as a bystander can tell).
#[inline(always)]
pub fn advance(tag: FlowTag, side: Side, flags: u8) -> FlowTag {
    let state = FlowState::of(tag);
    if state == FlowState::Udp {
        return tag;
    }
    let mut next = tag;
    if flags & tcp_flag::RST != 0 {
        next.state = FlowState::Closed as u8;
        return next;
    }
    if flags & tcp_flag::FIN != 0 {
        next.fins |= match side {
            Side::Client => CLIENT_FIN,
            Side::Server => SERVER_FIN,
        };
    }
    if next.fins == BOTH_FINS {
        next.state = FlowState::Closed as u8;
    } else if side == Side::Server && state == FlowState::Opening {
        next.state = FlowState::Established as u8;
    }
    next
}

#[inline(always)]
fn slot_at(settings: &Settings, packet: &Packet, offset: u32) -> Slot {
    let half = if packet.is_tcp() { 0 } else { settings.ports };
    #[expect(clippy::cast_possible_truncation, reason = "the daemon keeps first_port + ports within 65536")]
    Slot { index: half + offset, port: (settings.first_port + offset) as u16 }
}

/// How many candidates a flow has: fewer where there are not so many ports.
#[inline(always)]
fn probes(settings: &Settings) -> u32 {
    // A bound that the compiler does not know keeps the loop a loop.
    black_box(FLOW_PROBES).min(settings.ports)
}

/// The candidate number `probe` of a flow whose first is `start`: they follow one another round the range.
#[inline(always)]
fn candidate(settings: &Settings, packet: &Packet, start: u32, probe: u32) -> Slot {
    let offset = start + probe;
    slot_at(settings, packet, if offset >= settings.ports { offset - settings.ports } else { offset })
}

/// Where a flow's candidates begin: its 5-tuple spread evenly over the ports.
#[inline(always)]
fn first_candidate(settings: &Settings, packet: &Packet) -> u32 {
    let [high, low] = packet.source.halves();
    let [to_high, to_low] = packet.destination.halves();
    let ports = u64::from(packet.source_port) << 16 | u64::from(packet.destination_port);
    let mixed = (high ^ low.rotate_left(23) ^ ports << 9).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (to_high ^ to_low).rotate_left(41);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    // Multiply-shift reduction: below `ports`.
    (((mixed >> 32) * u64::from(settings.ports)) >> 32) as u32
}

/// How fit a slot is to be taken: 0 = in use; a closed connection that has rested less than its due ranks
/// below every expired one.
#[inline(always)]
fn rest(settings: &Settings, state: FlowState, idle: u32) -> u64 {
    const EXPIRED: u64 = 1 << 33;
    let limit = match state {
        FlowState::Free => return u64::MAX,
        FlowState::Claimed => return 0,
        FlowState::Closed => return 1 + u64::from(idle),
        FlowState::Opening => settings.opening_jiffies,
        FlowState::Established => settings.established_jiffies,
        FlowState::Udp => settings.udp_jiffies,
    };
    if idle > limit { EXPIRED + u64::from(idle) } else { 0 }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;
    use crate::{
        abi::Mode,
        host::{HostFrame, HostTables},
        parse::parse,
        testing::{CLIENT, FIRST_PORT, PORTS, PacketSpec, SERVICES, VIP, world},
    };

    const TCP: u32 = SERVICES[0];
    const STATES: [FlowState; 6] = [
        FlowState::Free,
        FlowState::Claimed,
        FlowState::Opening,
        FlowState::Established,
        FlowState::Closed,
        FlowState::Udp,
    ];

    /// A SYN from a port of the client.
    fn syn(port: u16) -> Packet {
        let source = core::net::SocketAddrV4::new(*CLIENT.ip(), port);
        parse(&HostFrame::new(&PacketSpec::tcp(source, VIP, tcp_flag::SYN).bytes())).unwrap()
    }

    fn flow_of(packet: &Packet, state: FlowState) -> Flow {
        Flow {
            tag: FlowTag { generation: 0, state: state as u8, fins: 0, server_epoch: 0 },
            client: packet.source,
            client_port: packet.source_port,
            service_port: packet.destination_port,
            service: TCP,
            ..bytemuck::Zeroable::zeroed()
        }
    }

    /// Claims a slot for a packet, as the walk does.
    fn open(tables: &HostTables, packet: &Packet) -> Option<Slot> {
        let (slot, seen) = find_vacant(tables, packet)?;
        claim(tables, slot, seen, &flow_of(packet, FlowState::Opening)).then_some(slot)
    }

    /// Puts flows of others into every slot that `packet` may have, `idle` jiffies old.
    fn crowd(tables: &HostTables, packet: &Packet, state: FlowState, idle: u32) -> Vec<Slot> {
        let slots: Vec<_> = (0..FLOW_PROBES)
            .map(|probe| {
                candidate(&tables.settings, packet, first_candidate(&tables.settings, packet), probe)
            })
            .collect();
        for slot in &slots {
            let last_seen = tables.now.get().wrapping_sub(idle);
            tables.flows[slot.index as usize].set(Flow { last_seen, ..flow_of(&syn(1), state) });
        }
        slots
    }

    fn tag(state: FlowState, fins: u8) -> FlowTag {
        FlowTag { generation: 9, state: state as u8, fins, server_epoch: 5 }
    }

    #[test]
    fn a_claimed_flow_is_found_again() {
        let tables = world(Mode::Snat);
        let slot = open(&tables, &syn(40000)).unwrap();
        let known = find(&tables, &syn(40000), TCP).unwrap();
        let tag = FlowTag { generation: 1, ..tag(FlowState::Opening, 0) };
        assert_eq!(known, Known { slot, tag: FlowTag { server_epoch: 0, ..tag } });
        assert_eq!(at(&tables, slot).map(|(known, flow)| (known, flow.client_port)), Some((known, 40000)));
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let tables = world(Mode::Snat);
        let packet = syn(40000);
        open(&tables, &packet).unwrap();
        // Looked for where it lives: another key would begin elsewhere.
        let crowd = |change: fn(&mut Flow)| {
            let changed = tables.clone();
            for flow in &changed.flows {
                let mut value = flow.get();
                change(&mut value);
                flow.set(value);
            }
            find(&changed, &packet, TCP).is_some()
        };
        assert!(crowd(|_| {}));
        assert!(!crowd(|flow| flow.client.bytes[15] ^= 1));
        assert!(!crowd(|flow| flow.client_port ^= 1));
        assert!(!crowd(|flow| flow.service_port ^= 1));
        assert!(find(&tables, &packet, TCP + 1).is_none());
    }

    #[test]
    fn tcp_and_udp_have_slots_of_their_own() {
        let settings = world(Mode::Snat).settings;
        let tcp = syn(40000);
        let udp = Packet { protocol: crate::net::protocol::UDP, ..tcp };
        assert_eq!(slot_of_port(&settings, &tcp, FIRST_PORT), Some(Slot { index: 0, port: FIRST_PORT }));
        assert_eq!(
            slot_of_port(&settings, &udp, FIRST_PORT),
            Some(Slot { index: PORTS.into(), port: FIRST_PORT })
        );
    }

    #[test]
    fn only_ports_of_the_range_have_slots() {
        let settings = world(Mode::Snat).settings;
        let slot = |port| slot_of_port(&settings, &syn(1), port);
        assert_eq!(slot(FIRST_PORT - 1), None);
        assert!(slot(FIRST_PORT + PORTS - 1).is_some());
        assert_eq!(slot(FIRST_PORT + PORTS), None);
        let none = Settings { ports: 0, ..settings };
        assert!((0..=u16::MAX).all(|port| slot_of_port(&none, &syn(1), port).is_none()));
    }

    #[test]
    fn candidates_follow_one_another_round_the_range() {
        let settings = world(Mode::Snat).settings;
        let ports = (0..FLOW_PROBES).map(|probe| candidate(&settings, &syn(1), 12, probe).port - FIRST_PORT);
        assert_eq!(ports.collect::<Vec<_>>(), [12, 13, 14, 15, 0, 1, 2, 3]);
    }

    #[test]
    fn a_range_shorter_than_the_candidates_is_used_up_and_not_left() {
        for ports in 0..FLOW_PROBES {
            let mut tables = world(Mode::Snat);
            tables.settings.ports = ports;
            let opened: Vec<_> = (1..100).filter_map(|port| open(&tables, &syn(port))).collect();
            assert_eq!(opened.len(), ports as usize);
            assert!(opened.iter().all(|slot| slot.index < ports), "{opened:?}");
        }
    }

    #[test]
    fn first_candidates_are_spread_evenly() {
        let settings = world(Mode::Snat).settings;
        let mut hits = [0_u32; PORTS as usize];
        for port in 1..=u16::MAX {
            hits[first_candidate(&settings, &syn(port)) as usize] += 1;
        }
        // 4096 each, if it were perfect; the standard deviation of chance is 62.
        assert!(hits.iter().all(|hits| (3850..4350).contains(hits)), "{hits:?}");
    }

    #[test]
    fn a_crowded_neighbourhood_is_full() {
        for state in [FlowState::Opening, FlowState::Established, FlowState::Udp, FlowState::Claimed] {
            let tables = world(Mode::Snat);
            crowd(&tables, &syn(40000), state, 0);
            assert_eq!(find_vacant(&tables, &syn(40000)), None, "{state:?}");
        }
    }

    #[test]
    fn the_last_candidate_is_used_and_found() {
        let tables = world(Mode::Snat);
        let slots = crowd(&tables, &syn(40000), FlowState::Established, 0);
        tables.flows[slots[7].index as usize].set(bytemuck::Zeroable::zeroed());
        assert_eq!(open(&tables, &syn(40000)), Some(slots[7]));
        assert_eq!(find(&tables, &syn(40000), TCP).map(|known| known.slot), Some(slots[7]));
    }

    #[test]
    fn a_slot_may_be_taken_when_its_time_has_passed_and_not_before() {
        let settings = world(Mode::Snat).settings;
        for (state, limit) in [
            (FlowState::Opening, settings.opening_jiffies),
            (FlowState::Established, settings.established_jiffies),
            (FlowState::Udp, settings.udp_jiffies),
        ] {
            let tables = world(Mode::Snat);
            // The clock has just gone round.
            tables.now.set(5);
            crowd(&tables, &syn(40000), state, limit);
            assert_eq!(find_vacant(&tables, &syn(40000)), None, "{state:?}");
            crowd(&tables, &syn(40000), state, limit + 1);
            assert!(find_vacant(&tables, &syn(40000)).is_some(), "{state:?}");
        }
    }

    #[test]
    fn free_goes_before_expired_before_closed_and_the_most_rested_first() {
        let tables = world(Mode::Snat);
        let expired = tables.settings.opening_jiffies + 1;
        let slots = crowd(&tables, &syn(40000), FlowState::Established, 0);
        let choose = |index: usize, state, idle| {
            let last_seen = tables.now.get().wrapping_sub(idle);
            let cell = &tables.flows[slots[index].index as usize];
            cell.set(Flow { last_seen, ..flow_of(&syn(1), state) });
            find_vacant(&tables, &syn(40000)).map(|(slot, _)| slot)
        };
        assert_eq!(choose(1, FlowState::Closed, 0), Some(slots[1]));
        assert_eq!(choose(2, FlowState::Closed, u32::MAX), Some(slots[2]));
        assert_eq!(choose(3, FlowState::Closed, 70), Some(slots[2]));
        assert_eq!(choose(4, FlowState::Opening, expired), Some(slots[4]));
        assert_eq!(choose(5, FlowState::Opening, expired + 1), Some(slots[5]));
        assert_eq!(choose(6, FlowState::Free, 0), Some(slots[6]));
    }

    #[test]
    fn a_tag_moves_only_as_its_segments_say() {
        use FlowState::{Closed, Established, Opening, Udp};
        use Side::{Client, Server};
        let (syn, ack, fin, rst) = (tcp_flag::SYN, tcp_flag::ACK, tcp_flag::FIN, tcp_flag::RST);
        // State and FINs seen, then what comes, then state and FINs.
        for (state, fins, side, flags, next, next_fins) in [
            (Opening, 0, Client, syn, Opening, 0),
            (Opening, 0, Client, ack, Opening, 0),
            (Opening, 0, Server, syn | ack, Established, 0),
            (Opening, 0, Server, ack, Established, 0),
            (Opening, 0, Server, rst | ack, Closed, 0),
            (Opening, 0, Client, rst, Closed, 0),
            (Opening, 0, Client, fin | ack, Opening, CLIENT_FIN),
            (Opening, CLIENT_FIN, Server, fin | ack, Closed, BOTH_FINS),
            (Established, 0, Client, ack, Established, 0),
            (Established, 0, Client, fin | ack, Established, CLIENT_FIN),
            (Established, 0, Server, fin | ack, Established, SERVER_FIN),
            (Established, CLIENT_FIN, Client, fin | ack, Established, CLIENT_FIN),
            (Established, CLIENT_FIN, Server, fin | ack, Closed, BOTH_FINS),
            (Established, SERVER_FIN, Client, fin | ack, Closed, BOTH_FINS),
            (Established, CLIENT_FIN, Server, rst, Closed, CLIENT_FIN),
            (Established, 0, Client, rst, Closed, 0),
            (Closed, BOTH_FINS, Client, ack, Closed, BOTH_FINS),
            (Closed, 0, Server, syn | ack, Closed, 0),
            (Closed, 0, Client, fin, Closed, CLIENT_FIN),
            (Udp, 0, Client, 0, Udp, 0),
            (Udp, 0, Server, rst | fin, Udp, 0),
        ] {
            let case = std::format!("{state:?} {fins} {side:?} {flags:#x}");
            assert_eq!(advance(tag(state, fins), side, flags), tag(next, next_fins), "{case}");
        }
    }

    #[test]
    fn a_claim_fails_once_the_tag_has_changed() {
        for state in STATES {
            let tables = world(Mode::Snat);
            let (slot, seen) = find_vacant(&tables, &syn(40000)).unwrap();
            tables.swap_flow_tag(slot.index, seen, tag(state, 0));
            let before = tables.flow(slot.index);
            assert!(!claim(&tables, slot, seen, &flow_of(&syn(40000), FlowState::Opening)));
            assert_eq!(tables.flow(slot.index), before);
        }
    }

    #[test]
    fn a_slot_being_filled_in_belongs_to_nobody() {
        let tables = world(Mode::Snat);
        let slot = open(&tables, &syn(40000)).unwrap();
        for state in [FlowState::Free, FlowState::Claimed] {
            let flow = &tables.flows[slot.index as usize];
            flow.set(Flow { tag: tag(state, 0), ..flow.get() });
            assert_eq!(at(&tables, slot), None);
            assert_eq!(find(&tables, &syn(40000), TCP), None);
        }
    }
}
