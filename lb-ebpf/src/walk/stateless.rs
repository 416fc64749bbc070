use super::{Request, Verdict, Walk, drop, pass, refusal::Refusal};
use crate::{
    abi::{Counter, Mode, NONE, Service},
    net::Frame,
    rewrite::{End, Rewrite},
    select::select,
    tables::{Passage, Route, Tables},
};

impl<F: Frame, T: Tables> Walk<'_, F, T> {
    /// `dnat` and `dsr`: no memory of flows, everything goes to the present server.
    #[inline(always)]
    pub(super) fn forward_stateless(&mut self, request: Request<'_>, mode: Mode) -> Result<Verdict, Refusal> {
        let packet = self.packet;
        let selected = select(self.tables, request.service, packet).ok_or(Refusal::NoServer)?;
        let Some(server) = self.reachable(selected.state) else { return Ok(drop(Counter::DroppedNoNextHop)) };
        let (destination, counter) = match mode {
            Mode::Dsr => (None, Counter::ForwardedDsr),
            Mode::Dnat | Mode::Snat => {
                let port = server.port_for(packet.destination_port);
                (Some(End { address: server.address, port }), Counter::ForwardedDnat)
            }
        };
        if !self.rewrite(&Rewrite { source: None, destination, macs: server.macs }) {
            return Ok(pass(Counter::PassedMalformed));
        }
        let passage = if packet.opens() { Passage::First } else { Passage::In };
        self.tables.count_service(request.slot, passage, packet.bytes);
        self.tables.count_server(selected.id, passage, packet.bytes);
        Ok(self.send(server.interface, counter))
    }

    /// A packet of a server of a `dnat` service, on its way to the client.
    #[inline(always)]
    pub(super) fn reply_dnat(&mut self, reply: &Service) -> Verdict {
        let packet = self.packet;
        let Some(service) = self.tables.service(reply.request) else {
            return pass(Counter::PassedOtherDestination);
        };
        if packet.ttl <= 1 {
            return pass(Counter::PassedTtl);
        }
        // A service for all ports keeps them, moved by the server's shift.
        let port = match service.key.port {
            0 => packet.source_port.wrapping_sub(reply.port_shift),
            port => port,
        };
        let source = Some(End { address: service.key.address, port });
        let route =
            self.tables.route(service.key.address, packet.destination, packet.protocol, packet.total_length);
        let (interface, macs) = match route {
            Route::Via { interface, macs } => (interface, macs),
            // For this host itself: its own connection to the server, a health check first of all.
            Route::NotForwarded => return pass(Counter::PassedNotForwarded),
            Route::NoNeighbour => (NONE, self.packet.macs.bytes()),
        };
        if !self.rewrite(&Rewrite { source, destination: None, macs }) {
            return pass(Counter::PassedMalformed);
        }
        if interface == NONE {
            return pass(Counter::PassedNoNeighbour);
        }
        self.tables.count_service(reply.request, Passage::Out, packet.bytes);
        self.send(interface, Counter::RepliedDnat)
    }
}
