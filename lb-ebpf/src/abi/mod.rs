//! What the XDP program and the daemon share through pinned maps: the only place where map names,
//! layouts and capacities are written.
//!
//! Every type is plain old data without padding, so that keys compare as bytes and a layout mistake does
//! not compile. Addresses and MACs are bytes in wire order; ports and counts are host order. Words that
//! two processors share are single aligned `u64`s with a typed view ([`word`]).

mod address;
mod counter;
mod event;
mod flow;
mod server;
mod service;
mod settings;
mod stick;
pub mod word;

pub use address::Address;
pub use counter::{Counter, Passage, Traffic, TrafficStats};
pub use event::{Event, EventKind};
pub use flow::{Flow, FlowState};
pub use server::Server;
pub use service::{DELETED, Direction, Mode, SERVICE_PROBES, Service, ServiceKey};
pub use settings::{Interface, Settings};
pub use stick::{Backend, NoServerPolicy, StickEntry};

/// Rises with every change of a layout, a map's kind or the meaning of a field.
pub const ABI_VERSION: u32 = 1;

/// "None" in a field that holds a slot or a server id.
pub const NONE: u32 = u32::MAX;

/// Map names, as pinned and as `bpftool map show` prints them.
pub mod map {
    pub const SERVICES: &str = "services";
    pub const SERVICE_INDEX: &str = "service_index";
    pub const STICK_TABLE: &str = "stick_table";
    pub const BACKENDS: &str = "backends";
    pub const SERVERS: &str = "servers";
    pub const SERVER_STATE: &str = "server_state";
    pub const FLOWS: &str = "flows";
    pub const COUNTERS: &str = "counters";
    pub const SERVICE_STATS: &str = "service_stats";
    pub const SERVER_STATS: &str = "server_stats";
    pub const EVENTS: &str = "events";
    pub const META: &str = "meta";

    /// Every pinned map.
    pub const ALL: [&str; 12] = [
        SERVICES,
        SERVICE_INDEX,
        STICK_TABLE,
        BACKENDS,
        SERVERS,
        SERVER_STATE,
        FLOWS,
        COUNTERS,
        SERVICE_STATS,
        SERVER_STATS,
        EVENTS,
        META,
    ];
}

/// Capacities. All but the flows are fixed; the flows follow the configured source ports.
pub mod capacity {
    /// Addresses with port and protocol, both directions.
    pub const SERVICES: u32 = 4096;
    /// Words of the hash index over the services; a power of two, four times as many as services so that
    /// a probe is short.
    pub const SERVICE_INDEX: u32 = 4 * SERVICES;
    /// Destination addresses that stick.
    pub const STICK_ENTRIES: u32 = 1024;
    pub const BACKENDS: u32 = 256;
    /// Server ids.
    pub const SERVERS: u32 = 1024;
    /// Server slots: twice the ids, because a change is written to a fresh slot.
    pub const SERVER_SLOTS: u32 = 2 * SERVERS;
    /// Interfaces one program serves.
    pub const INTERFACES: u32 = 8;
    /// Bytes of the event ring.
    pub const EVENT_RING: u32 = 1 << 18;
    /// Source ports that are reserved when nothing is configured.
    pub const DEFAULT_PORTS: u32 = 32767 - 10000 + 1;
}

/// The one entry of the `meta` map: what was true when the maps were made.
/// Written by: daemon, once; read by: daemon, before it adopts pinned maps.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Meta {
    pub abi_version: u32,
    /// First source port of the flow table, host order.
    pub first_port: u32,
    /// Number of source ports.
    pub ports: u32,
    pub reserved: u32,
}
