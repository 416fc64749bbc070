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
