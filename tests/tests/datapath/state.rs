//! All that a run may change besides the frame, in a form that host and kernel can be compared in.

use lb_ebpf::{
    abi::{Event, Flow, StickEntry, Traffic, TrafficStats},
    host::HostTables,
    testing::SERVERS,
};

/// What the maps hold, of the entries that are in use.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) counters: Vec<Traffic>,
    /// By service slot.
    pub(crate) service_stats: Vec<(u32, TrafficStats)>,
    /// By server id.
    pub(crate) server_stats: Vec<(u32, TrafficStats)>,
    /// By slot.
    pub(crate) stick: Vec<(u32, StickEntry)>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) events: Vec<Event>,
}

impl State {
    pub(crate) fn of(tables: &HostTables) -> Self {
        let services = (0..).zip(&tables.services).filter(|(_, service)| !service.is_empty());
        let stick = (0..).zip(&tables.stick_table).map(|(slot, entry)| (slot, entry.get()));
        Self {
            counters: tables.counters.iter().map(|traffic| traffic.get()).collect(),
            service_stats: services
                .map(|(slot, _)| (slot, tables.service_stats[slot as usize].get()))
                .collect(),
            server_stats: (0..)
                .zip(&tables.server_stats)
                .take(SERVERS.len())
                .map(|(id, stats)| (id, stats.get()))
                .collect(),
            stick: stick.filter(|(_, entry)| entry.used == 1).collect(),
            flows: tables.flows.iter().map(|flow| flow.get()).collect(),
            events: tables.events.borrow().clone(),
        }
    }

    /// The same without the times, which two clocks never agree on.
    pub(crate) fn timeless(mut self) -> Self {
        for flow in &mut self.flows {
            flow.last_seen = 0;
        }
        self
    }
}
