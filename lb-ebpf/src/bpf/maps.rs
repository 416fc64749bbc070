//! The maps. Names and capacities are `lb_ebpf::abi`'s; `flows` is sized by the loader.

use aya_ebpf::{
    btf_maps::{Array, PerCpuArray, RingBuf},
    macros::btf_map,
};
use lb_ebpf::abi::{
    Backend, Counter, Event, Flow, Meta, Server, Service, StickEntry, Traffic, TrafficStats, capacity,
    word::ServerState,
};

/// `BPF_F_MMAPABLE`: the daemon writes these words through a mapping, as single stores.
const MMAPABLE: usize = 1 << 10;

#[btf_map(name = "services")]
pub(super) static SERVICES: Array<Service, { capacity::SERVICES as usize }> = Array::new();

#[btf_map(name = "service_index")]
pub(super) static SERVICE_INDEX: Array<u32, { capacity::SERVICE_INDEX as usize }> = Array::new();

#[btf_map(name = "stick_table")]
pub(super) static STICK_TABLE: Array<StickEntry, { capacity::STICK_ENTRIES as usize }, MMAPABLE> =
    Array::new();

#[btf_map(name = "backends")]
pub(super) static BACKENDS: Array<Backend, { capacity::BACKENDS as usize }, MMAPABLE> = Array::new();

#[btf_map(name = "servers")]
pub(super) static SERVERS: Array<Server, { capacity::SERVER_SLOTS as usize }> = Array::new();

#[btf_map(name = "server_state")]
pub(super) static SERVER_STATE: Array<ServerState, { capacity::SERVERS as usize }, MMAPABLE> = Array::new();

#[btf_map(name = "flows")]
pub(super) static FLOWS: Array<Flow, { 2 * capacity::DEFAULT_PORTS as usize }, MMAPABLE> = Array::new();

#[btf_map(name = "counters")]
pub(super) static COUNTERS: PerCpuArray<Traffic, { Counter::ALL.len() }> = PerCpuArray::new();

#[btf_map(name = "service_stats")]
pub(super) static SERVICE_STATS: PerCpuArray<TrafficStats, { capacity::SERVICES as usize }> =
    PerCpuArray::new();

#[btf_map(name = "server_stats")]
pub(super) static SERVER_STATS: PerCpuArray<TrafficStats, { capacity::SERVERS as usize }> =
    PerCpuArray::new();

#[btf_map(name = "events")]
pub(super) static EVENTS: RingBuf<Event, { capacity::EVENT_RING as usize }> = RingBuf::new();

/// Only the daemon reads and writes it; it stands here so that it is made with the others.
#[btf_map(name = "meta")]
#[expect(dead_code, reason = "made here, used by the daemon")]
pub(super) static META: Array<Meta, 1> = Array::new();

/// Jiffies of the last report of each kind, so that a flood of refusals is no flood of events. Not pinned.
#[btf_map(name = "report_times")]
pub(super) static REPORT_TIMES: PerCpuArray<u32, 4> = PerCpuArray::new();
