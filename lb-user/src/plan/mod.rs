//! From decisions to map writes: pure.
//!
//! [`Layout`] keeps which id, slot and index everything has and so turns the director's actions into what the
//! maps shall hold; [`plan`] compares that with what they hold now and puts the difference into an order in
//! which every prefix is safe. A crash between two writes leaves a state that the next start repairs with
//! the same comparison.

mod layout;
mod place;
#[cfg(test)]
mod tests;

pub use layout::{Adopted, Layout};
pub use place::LayoutError;

use std::collections::BTreeMap;

use lb_ebpf::abi::{Backend, Server, Service, StickEntry, word::ServerState};

/// What the maps hold, or shall hold: used slots only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// By service slot.
    pub services: BTreeMap<u32, Service>,
    /// Words of the index by place: service slot + 1, or [`lb_ebpf::abi::DELETED`].
    pub index: BTreeMap<u32, u32>,
    /// By stick slot.
    pub sticks: BTreeMap<u32, StickEntry>,
    /// By backend index.
    pub backends: BTreeMap<u32, Backend>,
    /// By server slot.
    pub servers: BTreeMap<u32, Server>,
    /// By server id.
    pub states: BTreeMap<u32, ServerState>,
}

/// One map write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Server {
        slot: u32,
        value: Server,
    },
    State {
        id: u32,
        value: ServerState,
    },
    Backend {
        index: u32,
        value: Backend,
    },
    /// A whole entry, where none stood.
    Stick {
        slot: u32,
        value: StickEntry,
    },
    /// The word of an entry that stands: from what was seen to what is wanted, unless the data path was faster.
    Swing {
        slot: u32,
        from: StickEntry,
        to: StickEntry,
    },
    Service {
        slot: u32,
        value: Service,
    },
    Index {
        place: u32,
        word: u32,
    },
}

/// The writes that turn `seen` into `wanted`, in an order whose every prefix is safe:
/// data of servers before anything names it; servers that become usable; where new traffic goes; only then
/// servers that become unusable (the commit of a failover); stick entries; services once everything that
/// they name stands; last, what is no longer named.
pub fn plan(seen: &Contents, wanted: &Contents) -> Vec<Op> {
    let mut ops = Vec::new();
    for (&slot, &value) in changed(&seen.servers, &wanted.servers) {
        ops.push(Op::Server { slot, value });
    }
    let states: Vec<_> = changed(&seen.states, &wanted.states).collect();
    for &(&id, &value) in states.iter().filter(|(_, state)| state.usable == 1) {
        ops.push(Op::State { id, value });
    }
    for (&index, &value) in changed(&seen.backends, &wanted.backends) {
        ops.push(Op::Backend { index, value });
    }
    for &(&id, &value) in states.iter().filter(|(_, state)| state.usable != 1) {
        ops.push(Op::State { id, value });
    }
    for (&slot, &value) in changed(&seen.sticks, &wanted.sticks) {
        ops.push(match seen.sticks.get(&slot) {
            Some(&from) if from.key == value.key && from.backend == value.backend => {
                Op::Swing { slot, from, to: value }
            }
            Some(_) | None => Op::Stick { slot, value },
        });
    }
    for (&slot, &value) in changed(&seen.services, &wanted.services) {
        ops.push(Op::Service { slot, value });
    }
    for (&place, &word) in changed(&seen.index, &wanted.index) {
        ops.push(Op::Index { place, word });
    }
    ops.extend(leftovers(seen, wanted));
    ops
}

/// Carries a write out on a copy of the maps.
pub fn apply(op: Op, contents: &mut Contents) {
    match op {
        Op::Server { slot, value } => set(&mut contents.servers, slot, value, empty::SERVER),
        Op::State { id, value } => set(&mut contents.states, id, value, empty::STATE),
        Op::Backend { index, value } => set(&mut contents.backends, index, value, empty::BACKEND),
        Op::Stick { slot, value } | Op::Swing { slot, to: value, .. } => {
            set(&mut contents.sticks, slot, value, empty::STICK);
        }
        Op::Service { slot, value } => set(&mut contents.services, slot, value, Service::EMPTY),
        Op::Index { place, word } => set(&mut contents.index, place, word, 0),
    }
}

/// What unused slots hold.
pub mod empty {
    use lb_ebpf::abi::{
        Address, Backend, NONE, Server, StickEntry,
        word::{Chosen, ServerState},
    };

    pub const SERVER: Server = Server {
        address: Address::UNSPECIFIED,
        source: Address::UNSPECIFIED,
        identity: 0,
        macs: [0; 12],
        interface: 0,
        port: 0,
        port_shift: 0,
        reserved: 0,
    };
    pub const STATE: ServerState = ServerState { slot: 0, epoch: 0, usable: 0 };
    pub const BACKEND: Backend = Backend { current: 0, no_server: 0, identity: 0 };
    pub const STICK: StickEntry = StickEntry {
        chosen: Chosen { server: NONE, epoch: 0 },
        backend: 0,
        used: 0,
        key: Address::UNSPECIFIED,
    };
}

fn set<V: PartialEq>(map: &mut BTreeMap<u32, V>, key: u32, value: V, empty: V) {
    if value == empty {
        map.remove(&key);
    } else {
        map.insert(key, value);
    }
}

/// Entries of `wanted` that `seen` does not have so.
fn changed<'a, V: PartialEq>(
    seen: &'a BTreeMap<u32, V>,
    wanted: &'a BTreeMap<u32, V>,
) -> impl Iterator<Item = (&'a u32, &'a V)> {
    wanted.iter().filter(|(key, value)| seen.get(key) != Some(value))
}

/// Keys of `seen` that are not wanted any more.
fn gone<'a, V>(seen: &'a BTreeMap<u32, V>, wanted: &'a BTreeMap<u32, V>) -> impl Iterator<Item = u32> + 'a {
    seen.keys().copied().filter(|key| !wanted.contains_key(key))
}

/// Takes away what nobody names any more: the names before what they name.
fn leftovers(seen: &Contents, wanted: &Contents) -> Vec<Op> {
    let services =
        gone(&seen.services, &wanted.services).map(|slot| Op::Service { slot, value: Service::EMPTY });
    let sticks = gone(&seen.sticks, &wanted.sticks).map(|slot| Op::Stick { slot, value: empty::STICK });
    let backends =
        gone(&seen.backends, &wanted.backends).map(|index| Op::Backend { index, value: empty::BACKEND });
    let states = gone(&seen.states, &wanted.states).map(|id| Op::State { id, value: empty::STATE });
    let servers = gone(&seen.servers, &wanted.servers).map(|slot| Op::Server { slot, value: empty::SERVER });
    services.chain(sticks).chain(backends).chain(states).chain(servers).collect()
}
