//! Which id, slot and index everything has, across restarts.

use std::net::IpAddr;

use lb_ebpf::abi::{NONE, Server, Service, word::Chosen};

use super::{
    Contents,
    place::{BackendPlaces, LayoutError, Placer},
};
use crate::{
    config::model::Config,
    director::types::{Action, EntryRef, ServerRef},
    net::NextHop,
};

/// A stick entry found in pinned maps that still means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adopted {
    pub entry: EntryRef,
    /// Index of the server in its backend.
    pub server: usize,
}

/// The assignment of ids and slots, and what the maps shall hold.
#[derive(Clone, Debug)]
pub struct Layout {
    backends: Vec<BackendPlaces>,
    wanted: Contents,
}

impl Layout {
    /// Places everything of `config`, keeping the places that `seen` says it has already. Nothing that is in
    /// use is changed by this alone: services are installed after their backend's first election, and the states
    /// of known servers stay until the director says otherwise.
    ///
    /// # Errors
    /// What does not fit.
    pub fn new(config: &Config, seen: &Contents) -> Result<Self, LayoutError> {
        let (backends, wanted) = Placer::new(seen).place(config)?;
        Ok(Self { backends, wanted })
    }

    /// What the maps shall hold.
    pub fn wanted(&self) -> &Contents {
        &self.wanted
    }

    /// The stick entries of pinned maps that this configuration still has, with servers it still has.
    pub fn adopted(&self) -> Vec<Adopted> {
        let mut adopted = Vec::new();
        for (backend, places) in self.backends.iter().enumerate() {
            for (&key, slot) in &places.sticks {
                let Some(entry) = self.wanted.sticks.get(slot) else { continue };
                if let Some(server) = places.servers.iter().position(|s| s.id == entry.chosen.server) {
                    adopted.push(Adopted { entry: EntryRef { backend, key }, server });
                }
            }
        }
        adopted
    }

    /// Makes the wanted contents follow a decision.
    pub fn follow(&mut self, action: &Action) {
        match *action {
            Action::Elect { backend, server, .. } => self.elect(backend, server),
            Action::Serve { server, usable, cut } => self.serve(server, usable, cut),
            Action::Stick { entry, server, .. } => self.stick(entry, server),
            Action::Check { .. } | Action::Log { .. } => {}
        }
    }

    /// Makes servers at `address` reachable by `hop`; `None`: not at all for now.
    pub fn reach(&mut self, address: IpAddr, hop: Option<&NextHop>) {
        let ids: Vec<u32> = self
            .backends
            .iter()
            .flat_map(|places| &places.servers)
            .filter(|server| server.address == address)
            .map(|server| server.id)
            .collect();
        for id in ids {
            let Some(state) = self.wanted.states.get_mut(&id) else { continue };
            let Some(&old) = self.wanted.servers.get(&state.slot) else { continue };
            let new = match hop {
                Some(hop) => Server {
                    source: hop.source.into(),
                    macs: macs(hop.destination_mac, hop.source_mac),
                    interface: hop.interface,
                    ..old
                },
                None => Server { interface: 0, ..old },
            };
            if new != old {
                // The other one of the id's two slots. This one stays as it is, because a packet under way may
                // still read it.
                let fresh = state.slot ^ 1;
                self.wanted.servers.insert(fresh, new);
                state.slot = fresh;
            }
        }
        self.install();
    }

    /// Takes over what the data path did to a stick entry by itself. The entry and the server it names now, if
    /// that is a change.
    pub fn observe_stick(&mut self, slot: u32, chosen: Chosen) -> Option<(EntryRef, usize)> {
        let entry = self.wanted.sticks.get_mut(&slot)?;
        if entry.chosen == chosen {
            return None;
        }
        entry.chosen = chosen;
        let (backend, places) = self
            .backends
            .iter()
            .enumerate()
            .find(|(_, places)| places.sticks.values().any(|&s| s == slot))?;
        let (&key, _) = places.sticks.iter().find(|&(_, &s)| s == slot)?;
        let server = places.servers.iter().position(|server| server.id == chosen.server)?;
        Some((EntryRef { backend, key }, server))
    }

    /// Slots of the stick entries that this node serves.
    pub fn stick_slots(&self) -> impl Iterator<Item = u32> + '_ {
        self.backends.iter().flat_map(|places| places.sticks.values().copied())
    }

    /// Id of a server in the maps.
    pub fn server_id(&self, server: ServerRef) -> Option<u32> {
        Some(self.backends.get(server.backend)?.servers.get(server.server)?.id)
    }

    /// The service in a slot.
    pub fn service(&self, slot: u32) -> Option<&Service> {
        self.wanted.services.get(&slot)
    }

    fn elect(&mut self, backend: usize, server: Option<usize>) {
        let Some(places) = self.backends.get_mut(backend) else { return };
        let current = server.and_then(|server| places.servers.get(server)).map_or(NONE, |server| server.id);
        if let Some(value) = self.wanted.backends.get_mut(&places.index) {
            value.current = current;
        }
        places.elected = true;
        self.install();
    }

    /// Installs the services of elected backends. One whose server's next hop is still being asked for waits for
    /// it: until then its packets are the kernel's, and none is lost.
    fn install(&mut self) {
        let Contents { services, index, backends, servers, states, .. } = &mut self.wanted;
        for places in self.backends.iter_mut().filter(|places| places.elected && !places.installed) {
            let current = backends.get(&places.index).map_or(NONE, |backend| backend.current);
            let slot = states.get(&current).map(|state| state.slot);
            let reachable =
                slot.and_then(|slot| servers.get(&slot)).is_some_and(|server| server.interface != 0);
            if current != NONE && !reachable {
                continue;
            }
            for placed in &places.services {
                services.insert(placed.slot, placed.service);
                index.insert(placed.place, placed.slot + 1);
            }
            places.installed = true;
        }
    }

    fn serve(&mut self, server: ServerRef, usable: bool, cut: bool) {
        let Some(id) = self.server_id(server) else { return };
        let Some(state) = self.wanted.states.get_mut(&id) else { return };
        state.usable = u16::from(usable);
        if cut {
            state.epoch = state.epoch.wrapping_add(1);
        }
    }

    fn stick(&mut self, entry: EntryRef, server: Option<usize>) {
        let Some(places) = self.backends.get(entry.backend) else { return };
        let Some(slot) = places.sticks.get(&entry.key) else { return };
        let id = server.and_then(|server| places.servers.get(server)).map_or(NONE, |server| server.id);
        if let Some(value) = self.wanted.sticks.get_mut(slot)
            && value.chosen.server != id
        {
            value.chosen = Chosen { server: id, epoch: value.chosen.epoch.wrapping_add(1) };
        }
    }
}

/// Destination, then source.
fn macs(destination: [u8; 6], source: [u8; 6]) -> [u8; 12] {
    let mut macs = [0; 12];
    let (first, second) = macs.split_at_mut(6);
    first.copy_from_slice(&destination);
    second.copy_from_slice(&source);
    macs
}
