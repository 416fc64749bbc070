use super::{Request, Verdict, Walk, drop};
use crate::{
    abi::{Counter, Event, EventKind, NONE, NoServerPolicy},
    net::{Frame, protocol, tcp_flag},
    refuse,
    tables::Tables,
};

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

impl<F: Frame, T: Tables> Walk<'_, F, T> {
    /// There is no usable server.
    #[inline(always)]
    pub(super) fn turn_away_no_server(self, request: Request<'_>) -> Verdict {
        self.turn_away(request, &NO_SERVER)
    }

    /// All source ports that the flow may have are in use.
    #[inline(always)]
    pub(super) fn turn_away_no_port(self, request: Request<'_>) -> Verdict {
        self.turn_away(request, &PORTS_EXHAUSTED)
    }

    /// Refuses a packet as the backend's policy says, and tells the daemon.
    #[inline(always)]
    fn turn_away(self, request: Request<'_>, refusal: &Refusal) -> Verdict {
        self.tables.report(Event {
            kind: refusal.event as u32,
            slot: request.slot,
            server: NONE,
            reserved: 0,
            client: self.packet.source,
        });
        let policy = self
            .tables
            .backend(request.service.backend)
            .map_or(NoServerPolicy::Drop, |backend| NoServerPolicy::of(backend.no_server));
        if policy == NoServerPolicy::Drop || self.packet.flags & tcp_flag::RST != 0 {
            return drop(refusal.silent);
        }
        let answered = if self.packet.protocol == protocol::TCP {
            refuse::reset(self.frame, self.packet)
        } else {
            refuse::port_unreachable(self.frame)
        };
        match answered {
            Some(()) => self.send(self.ingress.index, refusal.answered),
            None => drop(refusal.silent),
        }
    }

    /// Answers a segment with a reset; a reset itself is never answered.
    #[inline(always)]
    pub(super) fn answer_reset(self, counter: Counter) -> Verdict {
        if self.packet.flags & tcp_flag::RST != 0 {
            return drop(Counter::DroppedUnknownConnection);
        }
        match refuse::reset(self.frame, self.packet) {
            Some(()) => self.send(self.ingress.index, counter),
            None => drop(Counter::DroppedUnknownConnection),
        }
    }
}
