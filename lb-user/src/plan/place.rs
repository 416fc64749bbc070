//! Placing a configuration: every backend, server, stick entry and service gets its place in the maps, the one
//! it has already where there is one.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use lb_ebpf::abi::{
    Address, Backend, DELETED, Direction, Mode, NONE, NoServerPolicy, SERVICE_PROBES, Server, Service,
    ServiceKey, StickEntry, capacity,
    word::{Chosen, ServerState},
};
use thiserror::Error;

use super::{Contents, empty};
use crate::config::model::{self, Config, Forward, NoServer, Protocol, ServerPort};

/// Why a configuration does not fit into the maps.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LayoutError {
    #[error("too many {what}: the data path holds {capacity}")]
    Full { what: &'static str, capacity: u32 },
    #[error(
        "{address}:{port}: no free place within {SERVICE_PROBES} probes of the service index\n\
         hint: fewer ports per address; all ports of an address (1-65535) take one place"
    )]
    Crowded { address: IpAddr, port: u16 },
}

/// Where a backend and all that belongs to it stand.
#[derive(Clone, Debug)]
pub(super) struct BackendPlaces {
    /// In `backends`.
    pub(super) index: u32,
    /// In the configuration's order.
    pub(super) servers: Vec<ServerPlace>,
    /// Slots by destination address.
    pub(super) sticks: BTreeMap<IpAddr, u32>,
    /// Requests before the replies that name their slots.
    pub(super) services: Vec<PlacedService>,
    /// The first election is over.
    pub(super) elected: bool,
    /// All services are in the index.
    pub(super) installed: bool,
}

impl BackendPlaces {
    /// `id` where it is one of this backend's servers still.
    fn known(&self, id: u32) -> u32 {
        if self.servers.iter().any(|server| server.id == id) { id } else { NONE }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ServerPlace {
    pub(super) id: u32,
    pub(super) address: IpAddr,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct PlacedService {
    pub(super) slot: u32,
    /// In the service index.
    pub(super) place: u32,
    pub(super) service: Service,
}

/// Places one configuration.
pub(super) struct Placer<'a> {
    seen: &'a Contents,
    wanted: Contents,
    /// The index as it will be when every service is installed.
    index: BTreeMap<u32, u32>,
    /// Service slots that are spoken for.
    slots: BTreeSet<u32>,
}

impl<'a> Placer<'a> {
    pub(super) fn new(seen: &'a Contents) -> Self {
        Self {
            seen,
            wanted: Contents { index: seen.index.clone(), ..Contents::default() },
            index: seen.index.clone(),
            slots: seen.services.keys().copied().collect(),
        }
    }

    /// The places of all backends, and what the maps shall hold before the first decision.
    pub(super) fn place(mut self, config: &Config) -> Result<(Vec<BackendPlaces>, Contents), LayoutError> {
        let mut backends = Vec::new();
        for (position, backend) in config.backends.iter().enumerate() {
            backends.push(self.place_backend(config, position, backend)?);
        }
        let services = &self.wanted.services;
        for word in self.wanted.index.values_mut() {
            if *word != DELETED && !services.contains_key(&word.wrapping_sub(1)) {
                *word = DELETED;
            }
        }
        Ok((backends, self.wanted))
    }

    fn place_backend(
        &mut self,
        config: &Config,
        position: usize,
        backend: &model::Backend,
    ) -> Result<BackendPlaces, LayoutError> {
        let identity = identity(&[&backend.name]);
        let index = find(&self.seen.backends, |known| known.identity == identity)
            .or_else(|| free(capacity::BACKENDS, &[&self.seen.backends, &self.wanted.backends]))
            .ok_or(LayoutError::Full { what: "backends", capacity: capacity::BACKENDS })?;
        let no_server = match backend.no_server {
            NoServer::Reject => NoServerPolicy::Reject,
            NoServer::Drop => NoServerPolicy::Drop,
        };
        let mut places = BackendPlaces {
            index,
            servers: Vec::new(),
            sticks: BTreeMap::new(),
            services: Vec::new(),
            elected: false,
            installed: false,
        };
        for server in &backend.servers {
            places.servers.push(self.place_server(&backend.name, server)?);
        }
        let current = self.seen.backends.get(&index).map_or(NONE, |known| places.known(known.current));
        self.wanted.backends.insert(index, Backend { current, no_server: no_server as u32, identity });
        for frontend in config.frontends.iter().filter(|frontend| frontend.backend == position) {
            for bind in &frontend.binds {
                let stick = if backend.stick_on_dst {
                    self.place_stick(&mut places, index, bind.address)?
                } else {
                    NONE
                };
                self.place_services(&mut places, backend, bind, stick)?;
            }
        }
        Ok(places)
    }

    fn place_server(&mut self, backend: &str, server: &model::Server) -> Result<ServerPlace, LayoutError> {
        let identity = identity(&[backend, &server.name]);
        let is_it = |state: &ServerState| {
            self.seen.servers.get(&state.slot).is_some_and(|known| known.identity == identity)
        };
        let known = self.seen.states.iter().find(|(_, state)| is_it(state));
        let (id, state) = match known {
            Some((&id, &state)) => (id, state),
            None => {
                let id = free(capacity::SERVERS, &[&self.seen.states, &self.wanted.states])
                    .ok_or(LayoutError::Full { what: "servers", capacity: capacity::SERVERS })?;
                (id, ServerState { slot: 2 * id, epoch: 0, usable: 0 })
            }
        };
        let (port, port_shift) = server_port(server.port);
        let fresh = Server { address: server.address.into(), identity, port, port_shift, ..empty::SERVER };
        let old = self.seen.servers.get(&state.slot).filter(|_| known.is_some());
        let same_target = old.is_some_and(|old| {
            (old.address, old.port, old.port_shift) == (fresh.address, fresh.port, fresh.port_shift)
        });
        // What the id's other slot holds is of the past; it stays until the slot is used again.
        let twin = state.slot ^ 1;
        if let Some(past) = self.seen.servers.get(&twin).filter(|past| past.identity == identity) {
            self.wanted.servers.insert(twin, *past);
        }
        match old {
            Some(&old) if same_target => {
                self.wanted.servers.insert(state.slot, old);
                self.wanted.states.insert(id, state);
            }
            Some(_) => {
                // The name moved to another machine: its old connections end.
                self.wanted.servers.insert(twin, fresh);
                self.wanted
                    .states
                    .insert(id, ServerState { slot: twin, epoch: state.epoch.wrapping_add(1), ..state });
            }
            None => {
                self.wanted.servers.insert(state.slot, fresh);
                self.wanted.states.insert(id, state);
            }
        }
        Ok(ServerPlace { id, address: server.address })
    }

    fn place_stick(
        &mut self,
        places: &mut BackendPlaces,
        backend: u32,
        address: IpAddr,
    ) -> Result<u32, LayoutError> {
        if let Some(&slot) = places.sticks.get(&address) {
            return Ok(slot);
        }
        let key = Address::from(address);
        let slot = find(&self.seen.sticks, |known| known.key == key && known.backend == backend)
            .or_else(|| free(capacity::STICK_ENTRIES, &[&self.seen.sticks, &self.wanted.sticks]))
            .ok_or(LayoutError::Full { what: "stick entries", capacity: capacity::STICK_ENTRIES })?;
        let mut entry = self.seen.sticks.get(&slot).copied().unwrap_or(StickEntry {
            chosen: Chosen { server: NONE, epoch: 0 },
            backend,
            used: 1,
            key,
        });
        let server = places.known(entry.chosen.server);
        if server != entry.chosen.server {
            entry.chosen = Chosen { server, epoch: entry.chosen.epoch.wrapping_add(1) };
        }
        self.wanted.sticks.insert(slot, entry);
        places.sticks.insert(address, slot);
        Ok(slot)
    }

    fn place_services(
        &mut self,
        places: &mut BackendPlaces,
        backend: &model::Backend,
        bind: &model::Bind,
        stick: u32,
    ) -> Result<(), LayoutError> {
        let mode = match backend.forward {
            Forward::Snat => Mode::Snat,
            Forward::Dnat => Mode::Dnat,
            Forward::Dsr => Mode::Dsr,
        };
        let protocol = match bind.protocol {
            Protocol::Tcp => lb_ebpf::net::protocol::TCP,
            Protocol::Udp => lb_ebpf::net::protocol::UDP,
        };
        let all_ports = bind.ports == (1..=u16::MAX);
        let ports = if all_ports { 0..=0 } else { bind.ports.clone() };
        for port in ports {
            let request = Service {
                key: ServiceKey {
                    address: bind.address.into(),
                    port,
                    protocol,
                    direction: Direction::Request as u8,
                },
                backend: places.index,
                stick,
                request: NONE,
                mode: mode as u8,
                reserved: 0,
                port_shift: 0,
            };
            let slot = self.place_service(places, request)?;
            if mode != Mode::Dnat {
                continue;
            }
            for server in &backend.servers {
                let (fixed, shift) = server_port(server.port);
                // A range of ports in both: the key has none, and the reply's port is shifted back.
                let server_port = match fixed {
                    0 if port == 0 => 0,
                    0 => port.wrapping_add(shift),
                    fixed => fixed,
                };
                let reply = Service {
                    key: ServiceKey {
                        address: server.address.into(),
                        port: server_port,
                        protocol,
                        direction: Direction::Reply as u8,
                    },
                    request: slot,
                    port_shift: shift,
                    ..request
                };
                self.place_service(places, reply)?;
            }
        }
        Ok(())
    }

    /// Gives a service its slot. One that stands already keeps it and stays installed.
    fn place_service(&mut self, places: &mut BackendPlaces, service: Service) -> Result<u32, LayoutError> {
        let known = find(&self.seen.services, |known| known.key == service.key);
        let slot = known
            .or_else(|| (0..capacity::SERVICES).find(|slot| !self.slots.contains(slot)))
            .ok_or(LayoutError::Full { what: "services", capacity: capacity::SERVICES })?;
        self.slots.insert(slot);
        let place = self.place_key(slot, &service.key).ok_or_else(|| LayoutError::Crowded {
            address: service.key.address.into(),
            port: service.key.port,
        })?;
        if known.is_some() {
            self.wanted.services.insert(slot, service);
            self.wanted.index.insert(place, slot + 1);
        }
        places.services.push(PlacedService { slot, place, service });
        Ok(slot)
    }

    /// The place of a service in the index: where it stands, else the first free one.
    fn place_key(&mut self, slot: u32, key: &ServiceKey) -> Option<u32> {
        let first = key.first_probe();
        let mut places = (0..SERVICE_PROBES).map(|step| (first + step) % capacity::SERVICE_INDEX);
        let place = places
            .clone()
            .find(|place| self.index.get(place) == Some(&(slot + 1)))
            .or_else(|| places.find(|place| self.index.get(place).is_none_or(|&word| word == DELETED)))?;
        self.index.insert(place, slot + 1);
        Some(place)
    }
}

/// A server's port and shift as the maps spell them: the shift counts where the port is 0.
fn server_port(port: ServerPort) -> (u16, u16) {
    match port {
        ServerPort::Fixed(port) => (port, 0),
        ServerPort::Shifted(shift) => (0, u16::try_from(shift.rem_euclid(1 << 16)).unwrap_or_default()),
    }
}

fn find<V>(map: &BTreeMap<u32, V>, mut matches: impl FnMut(&V) -> bool) -> Option<u32> {
    map.iter().find(|(_, value)| matches(value)).map(|(&key, _)| key)
}

/// The lowest key, from 1, that none of the maps uses: 0 is what memory that was never written names.
fn free<V>(capacity: u32, used: &[&BTreeMap<u32, V>]) -> Option<u32> {
    (1..capacity).find(|key| used.iter().all(|map| !map.contains_key(key)))
}

/// A stable hash of a name (FNV-1a, 64 bits), never 0: it is compared across versions of this program, which
/// the standard library's hashers do not promise.
fn identity(parts: &[&str]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME)).max(1)
}
