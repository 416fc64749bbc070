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

/// A flow and where it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owned {
    pub slot: Slot,
    pub tag: FlowTag,
    pub flow: Flow,
}

/// The flow of a client's packet that came for `service`, if it is known.
#[inline(always)]
pub fn find<T: Tables>(tables: &T, packet: &Packet, service: u32) -> Option<Owned> {
    let start = first_candidate(tables.settings(), packet);
    for probe in 0..black_box(FLOW_PROBES) {
        let slot = candidate(tables.settings(), packet, start, probe);
        let tag = tables.flow_tag(slot.index)?;
        let flow = tables.flow(slot.index)?;
        if is_live(FlowState::of(tag))
            && flow.client == packet.source
            && flow.client_port == packet.source_port
            && flow.service_port == packet.destination_port
            && flow.service == service
        {
            return owned(tables, slot, tag);
        }
    }
    None
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
    for probe in 0..black_box(FLOW_PROBES) {
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

/// The flow that has `slot`, if any.
#[inline(always)]
pub fn at<T: Tables>(tables: &T, slot: Slot) -> Option<Owned> {
    let tag = tables.flow_tag(slot.index)?;
    if is_live(FlowState::of(tag)) { owned(tables, slot, tag) } else { None }
}

/// The flow that had `slot` when `tag` was read. `None`: the slot has been claimed since.
#[inline(always)]
fn owned<T: Tables>(tables: &T, slot: Slot, tag: FlowTag) -> Option<Owned> {
    let flow = tables.flow(slot.index)?;
    // Keeps the compiler from reading the fields after the tag; BPF has no fences.
    black_box(());
    let now = tables.flow_tag(slot.index)?;
    (now.generation == tag.generation).then_some(Owned { slot, tag, flow })
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
