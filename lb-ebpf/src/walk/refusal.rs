use super::{Request, Verdict, Walk, drop};
use crate::{
    abi::{Counter, Event, EventKind, NONE, NoServerPolicy},
    net::{Frame, tcp_flag},
    refuse,
    tables::Tables,
};

/// Why a client is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no usable server.
    NoServer,
    /// All source ports that the flow may have are in use.
    NoPort,
    /// The server of the connection went down.
    ServerDown,
    /// The connection is not known.
    UnknownConnection,
}

impl Refusal {
    /// How it counts when the client gets an answer.
    #[inline(always)]
    fn answered(self) -> Counter {
        match self {
            Self::NoServer => Counter::RejectedNoServer,
            Self::NoPort => Counter::RejectedPortsExhausted,
            Self::ServerDown => Counter::ResetServerDown,
            Self::UnknownConnection => Counter::ResetUnknownConnection,
        }
    }

    /// How it counts when the client gets none.
    #[inline(always)]
    fn silent(self) -> Counter {
        match self {
            Self::NoServer => Counter::DroppedNoServer,
            Self::NoPort => Counter::DroppedPortsExhausted,
            Self::ServerDown | Self::UnknownConnection => Counter::DroppedUnknownConnection,
        }
    }

    /// What the daemon is told. Only these are a matter of the backend's policy; segments without a connection
    /// are always answered.
    #[inline(always)]
    fn event(self) -> Option<EventKind> {
        match self {
            Self::NoServer => Some(EventKind::NoServer),
            Self::NoPort => Some(EventKind::PortsExhausted),
            Self::ServerDown | Self::UnknownConnection => None,
        }
    }
}

impl<F: Frame, T: Tables> Walk<'_, F, T> {
    /// Answers the client, or does not. A reset is never answered.
    #[inline(always)]
    pub(super) fn refuse(&mut self, request: Request<'_>, refusal: Refusal) -> Verdict {
        if let Some(event) = refusal.event() {
            self.tables.report(Event {
                kind: event as u32,
                slot: request.slot,
                server: NONE,
                reserved: 0,
                client: self.packet.source,
            });
            if self.policy(request) == NoServerPolicy::Drop {
                return drop(refusal.silent());
            }
        }
        if self.packet.flags & tcp_flag::RST != 0 {
            return drop(refusal.silent());
        }
        let answer = if self.packet.is_tcp() {
            refuse::reset(self.frame, self.packet)
        } else {
            refuse::port_unreachable(self.frame)
        };
        match answer {
            Some(()) => self.send(self.ingress.index, refusal.answered()),
            None => drop(refusal.silent()),
        }
    }

    #[inline(always)]
    fn policy(&self, request: Request<'_>) -> NoServerPolicy {
        let backend = self.tables.backend(request.service.backend);
        backend.map_or(NoServerPolicy::Drop, |backend| NoServerPolicy::of(backend.no_server))
    }
}
