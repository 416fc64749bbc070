//! The walk of a packet: parse, find the service, choose the server, rewrite, send.

use crate::{
    abi::{
        Address, Backend, Counter, Direction, Event, EventKind, Flow, FlowState, Mode, NONE, NoServerPolicy,
        SERVICE_PROBES, Server, Service, ServiceKey, capacity,
        word::{FlowTag, ServerState},
    },
    flow::{self, Found, Side, Slot},
    net::{Ethernet, Frame, protocol, same_macs, tcp_flag},
    parse::{Packet, parse},
    refuse,
    rewrite::{End, Rewrite, rewrite},
    select::{Selected, select},
    tables::{Passage, Route, Tables},
};

/// What happens to the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To the kernel, as if nothing were here.
    Pass,
    Drop,
    /// Back out of the interface it came in on.
    Transmit,
    /// Out of the verdict's interface.
    Redirect,
}

/// The end of a walk: what to do, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub action: Action,
    /// Where a [`Action::Redirect`] goes; otherwise 0. Not a field of the variant: the compiler would move it
    /// about where it holds nothing, and the verifier refuses to move what was never written.
    pub interface: u32,
    pub counter: Counter,
}

/// Where a frame came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ingress {
    index: u32,
    redirect: bool,
}

/// Why a client is turned away, by whether it gets an answer.
struct Refusal {
    answered: Counter,
    silent: Counter,
    event: EventKind,
}

const NO_SERVER: Refusal = Refusal {
    answered: Counter::RejectedNoServer,
    silent: Counter::DroppedNoServer,
    event: EventKind::NoServer,
};

const PORTS_EXHAUSTED: Refusal = Refusal {
    answered: Counter::RejectedPortsExhausted,
    silent: Counter::DroppedPortsExhausted,
    event: EventKind::PortsExhausted,
};

/// Decides about a frame that came in on interface `ifindex`, changes it accordingly and counts it.
#[inline(always)]
pub fn walk<F: Frame, T: Tables>(frame: &mut F, tables: &T, ifindex: u32) -> Verdict {
    let bytes = frame.length() as u64;
    let verdict = decide(frame, tables, ifindex, bytes);
    tables.count(verdict.counter, bytes);
    verdict
}

#[inline(always)]
fn decide<F: Frame, T: Tables>(frame: &mut F, tables: &T, ifindex: u32, bytes: u64) -> Verdict {
    let packet = match parse(frame) {
        Ok(packet) => packet,
        Err(reason) => return pass(reason),
    };
    let ingress = match ingress(frame, tables, ifindex) {
        Ok(ingress) => ingress,
        Err(reason) => return pass(reason),
    };
    let request = find_service(
        tables,
        packet.destination,
        packet.destination_port,
        packet.protocol,
        Direction::Request,
    );
    if let Some((slot, service)) = request {
        if packet.ttl <= 1 {
            return pass(Counter::PassedTtl);
        }
        return match Mode::of(service.mode) {
            Mode::Snat => forward_snat(frame, tables, ingress, &packet, slot, service, bytes),
            mode => forward_stateless(frame, tables, ingress, &packet, slot, service, mode, bytes),
        };
    }
    if let Some(slot) = flow::slot_of_port(tables.settings(), &packet, packet.destination_port) {
        return reply_snat(frame, tables, ingress, &packet, slot, bytes);
    }
    if tables.settings().dnat == 1 {
        let reply =
            find_service(tables, packet.source, packet.source_port, packet.protocol, Direction::Reply);
        if let Some((_, service)) = reply {
            return reply_dnat(frame, tables, ingress, &packet, service, bytes);
        }
    }
    pass(Counter::PassedOtherDestination)
}

#[inline(always)]
fn pass(counter: Counter) -> Verdict {
    Verdict { action: Action::Pass, interface: 0, counter }
}

#[inline(always)]
fn drop(counter: Counter) -> Verdict {
    Verdict { action: Action::Drop, interface: 0, counter }
}

#[inline(always)]
fn send(ingress: Ingress, interface: u32, counter: Counter) -> Verdict {
    if interface == ingress.index && !ingress.redirect {
        Verdict { action: Action::Transmit, interface: 0, counter }
    } else {
        Verdict { action: Action::Redirect, interface, counter }
    }
}

/// Which interface of ours this is, and whether the frame is addressed to it.
#[inline(always)]
fn ingress<F: Frame, T: Tables>(frame: &F, tables: &T, ifindex: u32) -> Result<Ingress, Counter> {
    let ethernet = frame.view::<Ethernet>(0).ok_or(Counter::PassedMalformed)?;
    for index in 0..capacity::INTERFACES as usize {
        let Some(interface) = tables.settings().interfaces.get(index) else { break };
        if interface.index == 0 {
            break;
        }
        if interface.index == ifindex {
            return if ethernet.is_to(interface.mac) {
                Ok(Ingress { index: ifindex, redirect: interface.redirect == 1 })
            } else {
                Err(Counter::PassedOtherMac)
            };
        }
    }
    Err(Counter::PassedOtherInterface)
}

/// The service at a port, else the one for all ports of the address.
#[inline(always)]
fn find_service<T: Tables>(
    tables: &T,
    address: Address,
    port: u16,
    protocol: u8,
    direction: Direction,
) -> Option<(u32, &Service)> {
    let key = ServiceKey { address, port, protocol, direction: direction as u8 };
    let found = probe(tables, key);
    if found.is_none() && tables.settings().any_port == 1 {
        return probe(tables, ServiceKey { port: 0, ..key });
    }
    found
}

#[inline(always)]
fn probe<T: Tables>(tables: &T, key: ServiceKey) -> Option<(u32, &Service)> {
    let first = key.first_probe();
    for step in 0..SERVICE_PROBES {
        let word = tables.service_index((first + step) & (capacity::SERVICE_INDEX - 1))?;
        let slot = word.checked_sub(1)?;
        let service = tables.service(slot)?;
        if service.key.address == key.address
            && service.key.port == key.port
            && service.key.protocol == key.protocol
            && service.key.direction == key.direction
        {
            return Some((slot, service));
        }
    }
    None
}

/// `dnat` and `dsr`: no memory of flows, everything goes to the present server.
#[expect(clippy::too_many_arguments, reason = "a struct would only be taken apart again: all of it is used")]
#[inline(always)]
fn forward_stateless<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    ingress: Ingress,
    packet: &Packet,
    slot: u32,
    service: &Service,
    mode: Mode,
    bytes: u64,
) -> Verdict {
    let Some(selected) = select(tables, service, packet) else {
        return turn_away(frame, tables, ingress, packet, slot, service, NO_SERVER);
    };
    let Some(server) = reachable(tables, selected.state) else { return pass(Counter::PassedNoNextHop) };
    let (destination, counter) = match mode {
        Mode::Dsr => (None, Counter::ForwardedDsr),
        Mode::Dnat | Mode::Snat => {
            let port = server.port_for(packet.destination_port);
            (Some(End { address: server.address, port }), Counter::ForwardedDnat)
        }
    };
    let wanted = Rewrite { source: None, destination, macs: server.macs };
    if rewrite(frame, packet, &wanted).is_none() {
        return pass(Counter::PassedMalformed);
    }
    let passage = if packet.opens() { Passage::First } else { Passage::In };
    tables.count_service(slot, passage, bytes);
    tables.count_server(selected.id, passage, bytes);
    send(ingress, server.interface, counter)
}

#[inline(always)]
fn forward_snat<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    ingress: Ingress,
    packet: &Packet,
    service_slot: u32,
    service: &Service,
    bytes: u64,
) -> Verdict {
    let found = flow::find(tables, packet, service_slot);
    // A connection that stands goes on at the server it began with.
    if let Found::Live { slot, tag, flow } = found
        && packet.is_tcp()
        && !packet.opens()
    {
        let state = tables.server_state(flow.server);
        let Some(state) = state.filter(|state| state.epoch == tag.server_epoch) else {
            tables.swap_flow_tag(slot.index, tag, FlowTag { state: FlowState::Closed as u8, ..tag });
            return answer_reset(frame, ingress, packet, Counter::ResetServerDown);
        };
        let Some(server) = reachable(tables, state) else { return pass(Counter::PassedNoNextHop) };
        let next = flow::advance(tag, Side::Client, packet.flags);
        if next != tag {
            tables.swap_flow_tag(slot.index, tag, next);
        }
        refresh(frame, tables, ingress, slot, &flow);
        let to = Towards { server, server_id: flow.server, service: service_slot, port: slot.port };
        return send_to_server(frame, tables, ingress, packet, &to, Passage::In, bytes);
    }
    let known = matches!(found, Found::Live { .. });
    if packet.is_tcp() && !packet.opens() && !known {
        return answer_reset(frame, ingress, packet, Counter::ResetUnknownConnection);
    }
    let Some(selected) = select(tables, service, packet) else {
        return turn_away(frame, tables, ingress, packet, service_slot, service, NO_SERVER);
    };
    let Some(server) = reachable(tables, selected.state) else { return pass(Counter::PassedNoNextHop) };
    let (slot, seen, passage) = match found {
        Found::Full => {
            return turn_away(frame, tables, ingress, packet, service_slot, service, PORTS_EXHAUSTED);
        }
        Found::Live { slot, tag, flow } => {
            if !begins_anew(packet, tag, &flow, selected) {
                refresh(frame, tables, ingress, slot, &flow);
                let to = Towards { server, server_id: selected.id, service: service_slot, port: slot.port };
                return send_to_server(frame, tables, ingress, packet, &to, Passage::In, bytes);
            }
            (slot, tag, Passage::First)
        }
        Found::Vacant { slot, tag } => (slot, tag, Passage::First),
    };
    let Some(ethernet) = frame.view::<Ethernet>(0) else { return pass(Counter::PassedMalformed) };
    let state = if packet.is_tcp() { FlowState::Opening } else { FlowState::Udp };
    let flow = Flow {
        tag: FlowTag { generation: 0, state: state as u8, fins: 0, server_epoch: selected.state.epoch },
        client: packet.source,
        macs: ethernet.macs_back(),
        interface: ingress.index,
        client_port: packet.source_port,
        service_port: packet.destination_port,
        service: service_slot,
        server: selected.id,
        last_seen: tables.now(),
        server_port: server.port_for(packet.destination_port),
        reserved: [0; 3],
    };
    if !flow::claim(tables, slot, seen, &flow) {
        return drop(Counter::DroppedContended);
    }
    let to = Towards { server, server_id: selected.id, service: service_slot, port: slot.port };
    send_to_server(frame, tables, ingress, packet, &to, passage, bytes)
}

/// Keeps a flow young, and its way back to the client true: a router in between may have been replaced.
#[inline(always)]
fn refresh<F: Frame, T: Tables>(frame: &F, tables: &T, ingress: Ingress, slot: Slot, flow: &Flow) {
    tables.touch_flow(slot.index, tables.now());
    let Some(ethernet) = frame.view::<Ethernet>(0) else { return };
    let macs = ethernet.macs_back();
    if !same_macs(macs, flow.macs) || ingress.index != flow.interface {
        tables.learn_client(slot.index, ingress.index, macs);
    }
}

/// Whether a packet of a known flow makes it a new one: a SYN that is not a repetition, or a datagram whose
/// server is not the present one.
#[inline(always)]
fn begins_anew(packet: &Packet, tag: FlowTag, flow: &Flow, selected: Selected) -> bool {
    let moved = flow.server != selected.id || tag.server_epoch != selected.state.epoch;
    moved || (packet.is_tcp() && FlowState::of(tag) != FlowState::Opening)
}

/// The server end of a `snat` flow.
struct Towards<'a> {
    server: &'a Server,
    server_id: u32,
    service: u32,
    port: u16,
}

#[inline(always)]
fn send_to_server<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    ingress: Ingress,
    packet: &Packet,
    to: &Towards<'_>,
    passage: Passage,
    bytes: u64,
) -> Verdict {
    let wanted = Rewrite {
        source: Some(End { address: to.server.source, port: to.port }),
        destination: Some(End {
            address: to.server.address,
            port: to.server.port_for(packet.destination_port),
        }),
        macs: to.server.macs,
    };
    if rewrite(frame, packet, &wanted).is_none() {
        return pass(Counter::PassedMalformed);
    }
    tables.count_service(to.service, passage, bytes);
    tables.count_server(to.server_id, passage, bytes);
    send(ingress, to.server.interface, Counter::ForwardedSnat)
}

/// A packet to one of our source ports: of a server, when the flow in the slot agrees.
#[inline(always)]
fn reply_snat<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    ingress: Ingress,
    packet: &Packet,
    slot: Slot,
    bytes: u64,
) -> Verdict {
    let (Some(tag), Some(flow)) = (tables.flow_tag(slot.index), tables.flow(slot.index)) else {
        return pass(Counter::PassedNoFlow);
    };
    let live = !matches!(FlowState::of(tag), FlowState::Free | FlowState::Claimed);
    let state = tables.server_state(flow.server);
    let server = state.and_then(|state| tables.server(state.slot));
    let (Some(state), Some(server), Some(service)) = (state, server, tables.service(flow.service)) else {
        return pass(Counter::PassedNoFlow);
    };
    if !live
        || packet.source != server.address
        || packet.source_port != flow.server_port
        || packet.destination != server.source
    {
        return pass(Counter::PassedNoFlow);
    }
    if packet.ttl <= 1 {
        return pass(Counter::PassedTtl);
    }
    if state.epoch != tag.server_epoch {
        return drop(Counter::DroppedCutReply);
    }
    let next = flow::advance(tag, Side::Server, packet.flags);
    if next != tag {
        tables.swap_flow_tag(slot.index, tag, next);
    }
    tables.touch_flow(slot.index, tables.now());
    let wanted = Rewrite {
        source: Some(End { address: service.key.address, port: flow.service_port }),
        destination: Some(End { address: flow.client, port: flow.client_port }),
        macs: flow.macs,
    };
    if rewrite(frame, packet, &wanted).is_none() {
        return pass(Counter::PassedMalformed);
    }
    tables.count_service(flow.service, Passage::Out, bytes);
    tables.count_server(flow.server, Passage::Out, bytes);
    send(ingress, flow.interface, Counter::RepliedSnat)
}

/// A packet of a server of a `dnat` service, on its way to the client.
#[inline(always)]
fn reply_dnat<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    ingress: Ingress,
    packet: &Packet,
    reply: &Service,
    bytes: u64,
) -> Verdict {
    let Some(service) = tables.service(reply.request) else { return pass(Counter::PassedOtherDestination) };
    if packet.ttl <= 1 {
        return pass(Counter::PassedTtl);
    }
    // The route is asked before anything is changed, but for the packet as it will be.
    let route = tables.route(service.key.address, packet.destination, packet.protocol, packet.total_length);
    let (interface, macs, counter) = match route {
        Route::Via { interface, macs } => (interface, macs, Counter::RepliedDnat),
        Route::AskKernel => match frame.view::<Ethernet>(0) {
            Some(ethernet) => (NONE, ethernet.macs, Counter::PassedNoNeighbour),
            None => return pass(Counter::PassedMalformed),
        },
    };
    let wanted = Rewrite {
        source: Some(End { address: service.key.address, port: service.key.port }),
        destination: None,
        macs,
    };
    if rewrite(frame, packet, &wanted).is_none() {
        return pass(Counter::PassedMalformed);
    }
    if interface == NONE {
        return pass(counter);
    }
    tables.count_service(reply.request, Passage::Out, bytes);
    send(ingress, interface, counter)
}

/// The server's present data, once its next hop is known.
#[inline(always)]
fn reachable<T: Tables>(tables: &T, state: ServerState) -> Option<&Server> {
    tables.server(state.slot).filter(|server| server.interface != 0)
}

/// Refuses a packet as the backend's policy says, and tells the daemon.
#[inline(always)]
fn turn_away<F: Frame, T: Tables>(
    frame: &mut F,
    tables: &T,
    ingress: Ingress,
    packet: &Packet,
    service_slot: u32,
    service: &Service,
    refusal: Refusal,
) -> Verdict {
    tables.report(Event {
        kind: refusal.event as u32,
        slot: service_slot,
        server: NONE,
        reserved: 0,
        client: packet.source,
    });
    let policy = tables
        .backend(service.backend)
        .map_or(NoServerPolicy::Drop, |backend: &Backend| NoServerPolicy::of(backend.no_server));
    if policy == NoServerPolicy::Drop || packet.flags & tcp_flag::RST != 0 {
        return drop(refusal.silent);
    }
    if packet.protocol == protocol::TCP {
        return answer_reset(frame, ingress, packet, refusal.answered);
    }
    match refuse::port_unreachable(frame) {
        Some(()) => send(ingress, ingress.index, refusal.answered),
        None => drop(refusal.silent),
    }
}

/// Answers a segment with a reset; a reset itself is never answered.
#[inline(always)]
fn answer_reset<F: Frame>(frame: &mut F, ingress: Ingress, packet: &Packet, counter: Counter) -> Verdict {
    let unanswered = drop(Counter::DroppedUnknownConnection);
    if packet.flags & tcp_flag::RST != 0 {
        return unanswered;
    }
    match refuse::reset(frame, packet) {
        Some(()) => send(ingress, ingress.index, counter),
        None => unanswered,
    }
}
