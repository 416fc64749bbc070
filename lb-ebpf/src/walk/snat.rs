use super::{Request, Verdict, Walk, drop, pass};
use crate::{
    abi::{Counter, Flow, FlowState, Server, word::FlowTag},
    flow::{self, Owned, Side, Slot},
    net::{Frame, same_macs},
    rewrite::{End, Rewrite},
    select::{Selected, select},
    tables::{Passage, Tables},
};

impl<F: Frame, T: Tables> Walk<'_, F, T> {
    /// A client's packet: along its flow, or on a new one.
    #[inline(always)]
    pub(super) fn forward_snat(self, request: Request<'_>) -> Verdict {
        let known = flow::find(self.tables, self.packet, request.slot);
        if self.packet.is_tcp() && !self.packet.opens() {
            return match known {
                Some(known) => self.continue_connection(request, known),
                None => self.answer_reset(Counter::ResetUnknownConnection),
            };
        }
        let Some(selected) = select(self.tables, request.service, self.packet) else {
            return self.turn_away_no_server(request);
        };
        let Some(server) = self.reachable(selected.state) else { return pass(Counter::PassedNoNextHop) };
        let to = To { server, server_id: selected.id };
        let place = match known {
            Some(known) if !self.begins_anew(&known, selected) => {
                self.refresh(&known);
                return self.send_to_server(request, to, known.slot.port, Passage::In);
            }
            Some(known) => Some((known.slot, known.tag)),
            None => flow::find_vacant(self.tables, self.packet),
        };
        let Some((slot, seen)) = place else { return self.turn_away_no_port(request) };
        let Some(flow) = self.new_flow(request, &to, selected) else {
            return pass(Counter::PassedMalformed);
        };
        if !flow::claim(self.tables, slot, seen, &flow) {
            return drop(Counter::DroppedContended);
        }
        self.send_to_server(request, to, slot.port, Passage::First)
    }

    /// A connection that stands goes on at the server it began with, unless that was cut off.
    #[inline(always)]
    fn continue_connection(self, request: Request<'_>, known: Owned) -> Verdict {
        let Owned { slot, tag, flow } = known;
        let state = self.tables.server_state(flow.server);
        let Some(state) = state.filter(|state| state.epoch == tag.server_epoch) else {
            self.tables.swap_flow_tag(slot.index, tag, FlowTag { state: FlowState::Closed as u8, ..tag });
            return self.answer_reset(Counter::ResetServerDown);
        };
        let Some(server) = self.reachable(state) else { return pass(Counter::PassedNoNextHop) };
        self.advance(slot, tag, Side::Client);
        self.refresh(&known);
        self.send_to_server(request, To { server, server_id: flow.server }, slot.port, Passage::In)
    }

    /// Whether a packet of a known flow makes it a new one: a SYN that is not a repetition, or a datagram whose
    /// server is not the present one.
    #[inline(always)]
    fn begins_anew(&self, known: &Owned, selected: Selected) -> bool {
        let moved = known.flow.server != selected.id || known.tag.server_epoch != selected.state.epoch;
        moved || (self.packet.is_tcp() && FlowState::of(known.tag) != FlowState::Opening)
    }

    #[inline(always)]
    fn new_flow(&self, request: Request<'_>, to: &To<'_>, selected: Selected) -> Option<Flow> {
        let state = if self.packet.is_tcp() { FlowState::Opening } else { FlowState::Udp };
        Some(Flow {
            tag: FlowTag { generation: 0, state: state as u8, fins: 0, server_epoch: selected.state.epoch },
            client: self.packet.source,
            macs: self.macs_back()?,
            interface: self.ingress.index,
            client_port: self.packet.source_port,
            service_port: self.packet.destination_port,
            service: request.slot,
            server: to.server_id,
            last_seen: self.tables.now(),
            server_port: to.server.port_for(self.packet.destination_port),
            reserved: [0; 3],
        })
    }

    /// Keeps a flow young, and its way back to the client true: a router in between may have been replaced.
    #[inline(always)]
    fn refresh(&self, known: &Owned) {
        self.tables.touch_flow(known.slot.index, self.tables.now());
        let Some(macs) = self.macs_back() else { return };
        if !same_macs(macs, known.flow.macs) || self.ingress.index != known.flow.interface {
            self.tables.learn_client(known.slot.index, self.ingress.index, macs);
        }
    }

    #[inline(always)]
    fn advance(&self, slot: Slot, tag: FlowTag, side: Side) {
        let next = flow::advance(tag, side, self.packet.flags);
        if next != tag {
            self.tables.swap_flow_tag(slot.index, tag, next);
        }
    }

    #[inline(always)]
    fn send_to_server(mut self, request: Request<'_>, to: To<'_>, port: u16, passage: Passage) -> Verdict {
        let To { server, server_id } = to;
        let wanted = Rewrite {
            source: Some(End { address: server.source, port }),
            destination: Some(End {
                address: server.address,
                port: server.port_for(self.packet.destination_port),
            }),
            macs: server.macs,
        };
        if !self.rewrite(&wanted) {
            return pass(Counter::PassedMalformed);
        }
        self.tables.count_service(request.slot, passage, self.packet.bytes);
        self.tables.count_server(server_id, passage, self.packet.bytes);
        self.send(server.interface, Counter::ForwardedSnat)
    }

    /// A packet to one of our source ports: of a server, when the flow in the slot agrees.
    #[inline(always)]
    pub(super) fn reply_snat(mut self, slot: Slot) -> Verdict {
        let (packet, tables) = (self.packet, self.tables);
        let Some(Owned { tag, flow, .. }) = flow::at(tables, slot) else {
            return pass(Counter::PassedNoFlow);
        };
        let state = tables.server_state(flow.server);
        let server = state.and_then(|state| tables.server(state.slot));
        let (Some(state), Some(server), Some(service)) = (state, server, tables.service(flow.service)) else {
            return pass(Counter::PassedNoFlow);
        };
        if packet.source != server.address
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
        self.advance(slot, tag, Side::Server);
        tables.touch_flow(slot.index, tables.now());
        let wanted = Rewrite {
            source: Some(End { address: service.key.address, port: flow.service_port }),
            destination: Some(End { address: flow.client, port: flow.client_port }),
            macs: flow.macs,
        };
        if !self.rewrite(&wanted) {
            return pass(Counter::PassedMalformed);
        }
        tables.count_service(flow.service, Passage::Out, packet.bytes);
        tables.count_server(flow.server, Passage::Out, packet.bytes);
        self.send(flow.interface, Counter::RepliedSnat)
    }
}

/// Where a client's packet goes.
struct To<'a> {
    server: &'a Server,
    server_id: u32,
}
