//! Who serves a packet: the stick entry's server, or the backend's current one.

use crate::{
    abi::{
        Event, EventKind, NONE, Service,
        word::{Chosen, ServerState},
    },
    parse::Packet,
    tables::Tables,
};

/// A server that may be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    pub id: u32,
    pub state: ServerState,
}

/// The server for new traffic of `service`. Where the stick entry names one that is not usable, the backend's
/// current one is swung into it at once: whoever comes first does it, the others follow what they find.
#[inline(always)]
pub fn select<T: Tables>(tables: &T, service: &Service, packet: &Packet) -> Option<Selected> {
    if service.stick == NONE {
        return current(tables, service);
    }
    let chosen = tables.stick(service.stick)?;
    if let Some(selected) = usable(tables, chosen.server) {
        return Some(selected);
    }
    let next = current(tables, service)?;
    let wanted = Chosen { server: next.id, epoch: chosen.epoch.wrapping_add(1) };
    let found = tables.swing(service.stick, chosen, wanted)?;
    if found == wanted {
        tables.report(Event {
            kind: EventKind::Restuck as u32,
            slot: service.stick,
            server: next.id,
            reserved: 0,
            client: packet.source,
        });
        return Some(next);
    }
    usable(tables, found.server)
}

#[inline(always)]
fn current<T: Tables>(tables: &T, service: &Service) -> Option<Selected> {
    usable(tables, tables.backend(service.backend)?.current)
}

#[inline(always)]
fn usable<T: Tables>(tables: &T, id: u32) -> Option<Selected> {
    let state = tables.server_state(id)?;
    (state.usable == 1).then_some(Selected { id, state })
}
