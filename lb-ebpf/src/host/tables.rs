extern crate std;

use core::cell::{Cell, RefCell};
use std::{collections::HashMap, vec::Vec};

use crate::{
    abi::{
        Address, Backend, Counter, Event, Flow, FlowState, NONE, SERVICE_PROBES, Server, Service, Settings,
        StickEntry, Traffic, TrafficStats, capacity,
        word::{Chosen, FlowTag, ServerState},
    },
    tables::{Passage, Route, Tables},
};

/// The maps as vectors, a clock that stands still, and routes by destination. What the program writes too is
/// in cells, for it shares its maps; one thread only.
#[derive(Clone, Debug)]
pub struct HostTables {
    pub settings: Settings,
    pub service_index: Vec<u32>,
    pub services: Vec<Service>,
    pub stick_table: Vec<Cell<StickEntry>>,
    pub backends: Vec<Backend>,
    pub server_state: Vec<Cell<ServerState>>,
    pub servers: Vec<Server>,
    /// TCP's slots, then UDP's.
    pub flows: Vec<Cell<Flow>>,
    pub counters: Vec<Cell<Traffic>>,
    pub service_stats: Vec<Cell<TrafficStats>>,
    pub server_stats: Vec<Cell<TrafficStats>>,
    /// Every report, oldest first. The program's own tell at most one a second of most kinds.
    pub events: RefCell<Vec<Event>>,
    /// Jiffies, low 32 bits.
    pub now: Cell<u32>,
    /// What the routing table answers for a destination; [`Route::NotForwarded`] for all others.
    pub routes: HashMap<[u8; 16], Route>,
}

/// No free word within [`SERVICE_PROBES`] of a key's first place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexFull;

impl HostTables {
    /// Empty tables of the program's capacities, with flows for `settings.ports`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let no_server = ServerState { slot: NONE, epoch: 0, usable: 0 };
        let no_stick = StickEntry {
            chosen: Chosen { server: NONE, epoch: 0 },
            backend: NONE,
            used: 0,
            key: Address::UNSPECIFIED,
        };
        Self {
            settings,
            service_index: table(capacity::SERVICE_INDEX, 0),
            services: table(capacity::SERVICES, Service::EMPTY),
            stick_table: table(capacity::STICK_ENTRIES, Cell::new(no_stick)),
            backends: table(capacity::BACKENDS, Backend { current: NONE, no_server: 0, identity: 0 }),
            server_state: table(capacity::SERVERS, Cell::new(no_server)),
            servers: table(capacity::SERVER_SLOTS, bytemuck::Zeroable::zeroed()),
            flows: table(2 * settings.ports, Cell::new(bytemuck::Zeroable::zeroed())),
            counters: std::vec![Cell::new(Traffic::default()); Counter::ALL.len()],
            service_stats: table(capacity::SERVICES, Cell::default()),
            server_stats: table(capacity::SERVERS, Cell::default()),
            events: RefCell::default(),
            now: Cell::new(0),
            routes: HashMap::new(),
        }
    }

    /// Writes `service` to `slot` and enters its key into the index.
    ///
    /// # Errors
    /// The key's neighbourhood in the index is full.
    ///
    /// # Panics
    /// There is no such slot.
    #[expect(clippy::indexing_slicing, reason = "a documented panic, and the index is masked")]
    pub fn insert_service(&mut self, slot: u32, service: Service) -> Result<(), IndexFull> {
        self.services[slot as usize] = service;
        let first = service.key.first_probe();
        let place = (first..first + SERVICE_PROBES)
            .map(|place| (place & (capacity::SERVICE_INDEX - 1)) as usize)
            .find(|&place| self.service_index[place] == 0)
            .ok_or(IndexFull)?;
        self.service_index[place] = slot + 1;
        Ok(())
    }

    /// What was counted under `counter`.
    #[must_use]
    pub fn counted(&self, counter: Counter) -> Traffic {
        get(&self.counters, counter.index()).map(Cell::get).unwrap_or_default()
    }

    /// The flows that somebody has, with their index.
    pub fn flows_in_use(&self) -> impl Iterator<Item = (usize, Flow)> {
        let flows = self.flows.iter().map(Cell::get).enumerate();
        flows.filter(|(_, flow)| FlowState::of(flow.tag) != FlowState::Free)
    }
}

fn table<V: Clone>(entries: u32, value: V) -> Vec<V> {
    std::vec![value; entries as usize]
}

fn get<V>(table: &[V], index: u32) -> Option<&V> {
    table.get(index as usize)
}

fn change<V: Copy>(cell: Option<&Cell<V>>, change: impl FnOnce(&mut V)) {
    if let Some(cell) = cell {
        let mut value = cell.get();
        change(&mut value);
        cell.set(value);
    }
}

impl Tables for HostTables {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn service_index(&self, index: u32) -> Option<u32> {
        get(&self.service_index, index).copied()
    }

    fn service(&self, slot: u32) -> Option<&Service> {
        get(&self.services, slot)
    }

    fn stick(&self, slot: u32) -> Option<Chosen> {
        get(&self.stick_table, slot).map(|entry| entry.get().chosen)
    }

    fn swing(&self, slot: u32, old: Chosen, new: Chosen) -> Option<Chosen> {
        let cell = get(&self.stick_table, slot)?;
        change(Some(cell), |entry| {
            if entry.chosen == old {
                entry.chosen = new;
            }
        });
        Some(cell.get().chosen)
    }

    fn backend(&self, index: u32) -> Option<&Backend> {
        get(&self.backends, index)
    }

    fn server_state(&self, id: u32) -> Option<ServerState> {
        get(&self.server_state, id).map(Cell::get)
    }

    fn server(&self, slot: u32) -> Option<&Server> {
        get(&self.servers, slot)
    }

    fn flow_tag(&self, index: u32) -> Option<FlowTag> {
        get(&self.flows, index).map(|flow| flow.get().tag)
    }

    fn swap_flow_tag(&self, index: u32, old: FlowTag, new: FlowTag) -> bool {
        let mut swapped = false;
        change(get(&self.flows, index), |flow| {
            swapped = flow.tag == old;
            if swapped {
                flow.tag = new;
            }
        });
        swapped
    }

    fn flow(&self, index: u32) -> Option<Flow> {
        get(&self.flows, index).map(Cell::get)
    }

    fn write_flow(&self, index: u32, flow: &Flow) {
        change(get(&self.flows, index), |target| *target = Flow { tag: target.tag, ..*flow });
    }

    fn touch_flow(&self, index: u32, now: u32) {
        change(get(&self.flows, index), |flow| flow.last_seen = now);
    }

    fn learn_client(&self, index: u32, interface: u32, macs: [u8; 12]) {
        change(get(&self.flows, index), |flow| {
            flow.interface = interface;
            flow.macs = macs;
        });
    }

    fn count(&self, counter: Counter, bytes: u64) {
        change(get(&self.counters, counter.index()), |traffic| traffic.add(bytes));
    }

    fn count_service(&self, slot: u32, passage: Passage, bytes: u64) {
        change(get(&self.service_stats, slot), |stats| stats.add(passage, bytes));
    }

    fn count_server(&self, id: u32, passage: Passage, bytes: u64) {
        change(get(&self.server_stats, id), |stats| stats.add(passage, bytes));
    }

    fn report(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }

    fn now(&self) -> u32 {
        self.now.get()
    }

    fn route(&self, _source: Address, destination: Address, _protocol: u8, _length: u16) -> Route {
        self.routes.get(&destination.bytes).copied().unwrap_or(Route::NotForwarded)
    }
}
