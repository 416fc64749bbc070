use core::hint::black_box;

use crate::{
    abi::{Address, Direction, SERVICE_PROBES, Service, ServiceKey, capacity},
    tables::Tables,
};

/// The service at a port, else the one for all ports of the address.
#[inline(always)]
pub(super) fn find<T: Tables>(
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
    // A bound that the compiler does not know keeps the loop a loop.
    for step in 0..black_box(SERVICE_PROBES) {
        let word = tables.service_index((first + step) & (capacity::SERVICE_INDEX - 1))?;
        let slot = word.checked_sub(1)?;
        // Deleted: the key may still be further on.
        let Some(service) = tables.service(slot) else { continue };
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

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;
    use crate::{
        abi::{DELETED, Mode},
        host::{HostTables, IndexFull},
        net::protocol,
        testing::{SERVICES, world},
    };

    /// Keys that begin their probe at the same place.
    fn colliding() -> impl Iterator<Item = ServiceKey> {
        let key = |number: u32| ServiceKey {
            address: Address::v4(number.to_be_bytes()),
            port: 80,
            protocol: protocol::TCP,
            direction: Direction::Request as u8,
        };
        (0..).map(key).filter(|key| key.first_probe() == capacity::SERVICE_INDEX - 2)
    }

    /// As many services as a probe reaches, round the end of the index.
    fn full() -> (HostTables, Vec<ServiceKey>) {
        let mut tables = world(Mode::Snat);
        let keys: Vec<_> = colliding().take(SERVICE_PROBES as usize).collect();
        for (slot, &key) in (100..).zip(&keys) {
            let service = Service { key, ..tables.services[SERVICES[0] as usize] };
            tables.insert_service(slot, service).unwrap();
        }
        (tables, keys)
    }

    fn found(tables: &HostTables, key: ServiceKey) -> Option<u32> {
        let slot = find(tables, key.address, key.port, key.protocol, Direction::Request);
        slot.map(|(slot, _)| slot)
    }

    #[test]
    fn the_last_of_a_full_probe_is_found() {
        let (mut tables, keys) = full();
        for (slot, &key) in (100..).zip(&keys) {
            assert_eq!(found(&tables, key), Some(slot));
        }
        let one_more = colliding().nth(SERVICE_PROBES as usize).unwrap();
        assert_eq!(found(&tables, one_more), None);
        let service = Service { key: one_more, ..tables.services[SERVICES[0] as usize] };
        assert_eq!(tables.insert_service(200, service), Err(IndexFull));
    }

    #[test]
    fn a_service_behind_a_deleted_one_is_found() {
        let (mut tables, keys) = full();
        for word in &mut tables.service_index {
            if (101..107).contains(word) {
                *word = DELETED;
            }
        }
        assert_eq!(found(&tables, keys[0]), None);
        assert_eq!(found(&tables, keys[7]), Some(107));
    }

    #[test]
    fn a_free_place_ends_the_probe() {
        let (mut tables, keys) = full();
        let first = keys[0].first_probe() as usize;
        tables.service_index[first] = 0;
        assert_eq!(found(&tables, keys[7]), None);
    }

    #[test]
    fn a_port_of_its_own_goes_before_all_ports() {
        let (mut tables, keys) = full();
        tables.settings.any_port = 1;
        let any = ServiceKey { port: 0, ..keys[0] };
        let service = Service { key: any, ..tables.services[SERVICES[0] as usize] };
        tables.insert_service(200, service).unwrap();
        assert_eq!(found(&tables, keys[0]), Some(100));
        assert_eq!(found(&tables, ServiceKey { port: 81, ..keys[0] }), Some(200));
        tables.settings.any_port = 0;
        assert_eq!(found(&tables, ServiceKey { port: 81, ..keys[0] }), None);
    }
}
