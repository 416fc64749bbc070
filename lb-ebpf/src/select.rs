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

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::{
        abi::Mode,
        host::{HostFrame, HostTables},
        net::tcp_flag,
        parse::parse,
        testing::{BACKEND, CLIENT, PacketSpec, SERVICES, STICK, VIP, world},
    };

    fn selected(tables: &HostTables) -> Option<u32> {
        let frame = HostFrame::new(&PacketSpec::tcp(CLIENT, VIP, tcp_flag::SYN).bytes());
        let service = &tables.services[SERVICES[0] as usize];
        select(tables, service, &parse(&frame).unwrap()).map(|selected| selected.id)
    }

    fn stuck_to(tables: &HostTables) -> Chosen {
        tables.stick_table[STICK as usize].get().chosen
    }

    fn set_usable(tables: &mut HostTables, id: usize, usable: u16) {
        tables.server_state[id].get_mut().usable = usable;
    }

    #[test]
    fn the_stick_entry_decides_and_not_the_backend() {
        let mut tables = world(Mode::Snat);
        tables.backends[BACKEND as usize].current = 1;
        assert_eq!(selected(&tables), Some(0));
        assert!(tables.events.borrow().is_empty());
    }

    #[test]
    fn a_dead_server_is_left_for_the_current_one_once_and_for_all() {
        let mut tables = world(Mode::Snat);
        set_usable(&mut tables, 0, 0);
        tables.backends[BACKEND as usize].current = 1;
        assert_eq!(selected(&tables), Some(1));
        assert_eq!(stuck_to(&tables), Chosen { server: 1, epoch: 1 });

        set_usable(&mut tables, 0, 1);
        tables.backends[BACKEND as usize].current = 0;
        assert_eq!(selected(&tables), Some(1), "no failback");

        let restuck = Event {
            kind: EventKind::Restuck as u32,
            slot: STICK,
            server: 1,
            reserved: 0,
            client: crate::abi::Address::v4([192, 0, 2, 7]),
        };
        assert_eq!(*tables.events.borrow(), [restuck]);
    }

    #[test]
    fn an_entry_without_server_takes_the_current_one() {
        let mut tables = world(Mode::Snat);
        tables.stick_table[STICK as usize].get_mut().chosen = Chosen { server: NONE, epoch: 4 };
        assert_eq!(selected(&tables), Some(0));
        assert_eq!(stuck_to(&tables), Chosen { server: 0, epoch: 5 });
    }

    #[test]
    fn without_a_usable_server_nothing_is_chosen_or_changed() {
        for current in [0, 1, NONE] {
            let mut tables = world(Mode::Snat);
            set_usable(&mut tables, 0, 0);
            set_usable(&mut tables, 1, 0);
            tables.backends[BACKEND as usize].current = current;
            assert_eq!(selected(&tables), None);
            assert_eq!(stuck_to(&tables), Chosen { server: 0, epoch: 0 });
        }
    }

    #[test]
    fn without_a_stick_table_the_current_server_has_the_traffic() {
        let mut tables = world(Mode::Snat);
        tables.services[SERVICES[0] as usize].stick = NONE;
        assert_eq!(selected(&tables), Some(0));
        tables.backends[BACKEND as usize].current = 1;
        assert_eq!(selected(&tables), Some(1));
        set_usable(&mut tables, 1, 0);
        assert_eq!(selected(&tables), None);
    }

    #[test]
    fn an_unknown_number_counts_as_not_usable() {
        let mut tables = world(Mode::Snat);
        set_usable(&mut tables, 0, 2);
        tables.backends[BACKEND as usize].current = 1;
        assert_eq!(selected(&tables), Some(1));
    }
}
