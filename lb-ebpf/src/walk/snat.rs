use super::{Request, Verdict, Walk, drop, pass, refusal::Refusal};
use crate::{
    abi::{
        Counter, Flow, FlowState, Server,
        word::{FlowTag, ServerState},
    },
    flow::{self, Known, Side, Slot},
    net::{Frame, Macs},
    rewrite::{End, Rewrite},
    select::select,
    tables::{Passage, Tables},
};

impl<F: Frame, T: Tables> Walk<'_, F, T> {
    /// A client's packet: along its flow, or on a new one.
    #[inline(always)]
    pub(super) fn forward_snat(&mut self, request: Request<'_>) -> Result<Verdict, Refusal> {
        let known = flow::find(self.tables, self.packet, request.slot);
        let begins = !self.packet.is_tcp() || self.packet.opens();
        let (id, state) = match &known {
            // A connection that stands goes on at the server it began with, unless that was cut off.
            Some(known) if !begins => self.server_of(known).ok_or(Refusal::ServerDown)?,
            None if !begins => return Err(Refusal::UnknownConnection),
            _ => {
                let selected = select(self.tables, request.service, self.packet).ok_or(Refusal::NoServer)?;
                (selected.id, selected.state)
            }
        };
        let Some(server) = self.reachable(state) else { return Ok(drop(Counter::DroppedNoNextHop)) };
        let (slot, passage) = match &known {
            Some(known) if !begins || !self.begins_anew(known, id, state) => {
                self.advance(known, Side::Client);
                self.refresh(known);
                (known.slot, Passage::In)
            }
            _ => {
                let place = match known {
                    Some(known) => Some((known.slot, known.tag)),
                    None => flow::find_vacant(self.tables, self.packet),
                };
                let (slot, seen) = place.ok_or(Refusal::NoPort)?;
                if !flow::claim(self.tables, slot, seen, &self.new_flow(request, server, id, state)) {
                    return Ok(drop(Counter::DroppedContended));
                }
                (slot, Passage::First)
            }
        };
        let wanted = Rewrite {
            source: Some(End { address: server.source, port: slot.port }),
            destination: Some(End {
                address: server.address,
                port: server.port_for(self.packet.destination_port),
            }),
            macs: server.macs,
        };
        if !self.rewrite(&wanted) {
            return Ok(pass(Counter::PassedMalformed));
        }
        self.tables.count_service(request.slot, passage, self.packet.bytes);
        self.tables.count_server(id, passage, self.packet.bytes);
        Ok(self.send(server.interface, Counter::ForwardedSnat))
    }

    /// The server of a flow, unless its connections were cut: then the flow is closed.
    #[inline(always)]
    fn server_of(&self, known: &Known) -> Option<(u32, ServerState)> {
        let id = self.tables.flow(known.slot.index)?.server;
        let state = self.tables.server_state(id)?;
        if state.epoch == known.tag.server_epoch {
            return Some((id, state));
        }
        let closed = FlowTag { state: FlowState::Closed as u8, ..known.tag };
        self.tables.swap_flow_tag(known.slot.index, known.tag, closed);
        None
    }

    /// Whether a packet of a known flow makes it a new one: a SYN that is not a repetition, or a datagram whose
    /// server is not the present one.
    #[inline(always)]
    fn begins_anew(&self, known: &Known, id: u32, state: ServerState) -> bool {
        let server = self.tables.flow(known.slot.index).map(|flow| flow.server);
        let moved = server != Some(id) || known.tag.server_epoch != state.epoch;
        moved || (self.packet.is_tcp() && FlowState::of(known.tag) != FlowState::Opening)
    }

    #[inline(always)]
    fn new_flow(&self, request: Request<'_>, server: &Server, id: u32, state: ServerState) -> Flow {
        let begin = if self.packet.is_tcp() { FlowState::Opening } else { FlowState::Udp };
        Flow {
            tag: FlowTag { generation: 0, state: begin as u8, fins: 0, server_epoch: state.epoch },
            client: self.packet.source,
            macs: self.packet.macs.swapped().bytes(),
            interface: self.ingress.index,
            client_port: self.packet.source_port,
            service_port: self.packet.destination_port,
            service: request.slot,
            server: id,
            last_seen: self.tables.now(),
            server_port: server.port_for(self.packet.destination_port),
            reserved: [0; 3],
        }
    }

    /// Keeps a flow young, and its way back to the client true: a router in between may have been replaced.
    #[inline(always)]
    fn refresh(&self, known: &Known) {
        self.tables.touch_flow(known.slot.index, self.tables.now());
        let Some(flow) = self.tables.flow(known.slot.index) else { return };
        let macs = self.packet.macs.swapped();
        if macs != Macs::new(flow.macs) || self.ingress.index != flow.interface {
            self.tables.learn_client(known.slot.index, self.ingress.index, macs.bytes());
        }
    }

    #[inline(always)]
    fn advance(&self, known: &Known, side: Side) {
        let next = flow::advance(known.tag, side, self.packet.flags);
        if next != known.tag {
            self.tables.swap_flow_tag(known.slot.index, known.tag, next);
        }
    }

    /// A packet to one of our source ports: of a server, when the flow in the slot agrees.
    #[inline(always)]
    pub(super) fn reply_snat(&mut self, slot: Slot) -> Verdict {
        let (packet, tables) = (self.packet, self.tables);
        let Some((known, flow)) = flow::at(tables, slot) else { return pass(Counter::PassedNoFlow) };
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
        if state.epoch != known.tag.server_epoch {
            return drop(Counter::DroppedCutReply);
        }
        self.advance(&known, Side::Server);
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
