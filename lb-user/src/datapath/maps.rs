//! Typed access to the maps.

use std::os::fd::{AsFd as _, BorrowedFd};

use aya::{
    Ebpf,
    maps::{Array, Map, MapData, PerCpuArray, RingBuf},
};
use bytemuck::Pod;
use lb_ebpf::abi::{
    Backend, Counter, Event, Flow, FlowState, Meta, Server, Service, StickEntry, Traffic, TrafficStats,
    capacity, map,
    word::{Chosen, FlowTag, ServerState, Word as _},
};

use super::{abi::Abi, error::DatapathError, words::Words};
use crate::plan::{Contents, Op};

type Table<T> = Array<MapData, Abi<T>>;
type Statistics<T> = PerCpuArray<MapData, Abi<T>>;

/// The daemon's handles on all maps.
pub(super) struct Maps {
    services: Table<Service>,
    service_index: Table<u32>,
    sticks: Table<StickEntry>,
    stick_words: Words,
    backends: Table<Backend>,
    backend_words: Words,
    servers: Table<Server>,
    states: Words,
    counters: Statistics<Traffic>,
    service_stats: Statistics<TrafficStats>,
    server_stats: Statistics<TrafficStats>,
    meta: Table<Meta>,
    flows: Words,
    events: RingBuf<MapData>,
}

impl Maps {
    pub(super) fn open(ebpf: &mut Ebpf, flows: u32) -> Result<Self, DatapathError> {
        let (_, flows) = worded::<Flow>(ebpf, map::FLOWS, flows)?;
        let (sticks, stick_words) = worded::<StickEntry>(ebpf, map::STICK_TABLE, capacity::STICK_ENTRIES)?;
        let (backends, backend_words) = worded::<Backend>(ebpf, map::BACKENDS, capacity::BACKENDS)?;
        let (_, states) = worded::<ServerState>(ebpf, map::SERVER_STATE, capacity::SERVERS)?;
        Ok(Self {
            services: table(ebpf, map::SERVICES)?,
            service_index: table(ebpf, map::SERVICE_INDEX)?,
            sticks,
            stick_words,
            backends,
            backend_words,
            servers: table(ebpf, map::SERVERS)?,
            states,
            counters: statistics(ebpf, map::COUNTERS)?,
            service_stats: statistics(ebpf, map::SERVICE_STATS)?,
            server_stats: statistics(ebpf, map::SERVER_STATS)?,
            meta: table(ebpf, map::META)?,
            flows,
            events: RingBuf::try_from(take(ebpf, map::EVENTS)?)
                .map_err(|source| DatapathError::Map { name: map::EVENTS, source })?,
        })
    }

    pub(super) fn meta(&self) -> Result<Meta, DatapathError> {
        read(&self.meta, map::META, 0)
    }

    pub(super) fn set_meta(&mut self, meta: Meta) -> Result<(), DatapathError> {
        write(&mut self.meta, map::META, 0, meta)
    }

    /// All used slots.
    pub(super) fn contents(&self) -> Result<Contents, DatapathError> {
        let mut contents = Contents::default();
        for slot in 0..capacity::SERVICES {
            let service = read(&self.services, map::SERVICES, slot)?;
            if !service.is_empty() {
                contents.services.insert(slot, service);
            }
        }
        for place in 0..capacity::SERVICE_INDEX {
            let word = read(&self.service_index, map::SERVICE_INDEX, place)?;
            if word != 0 {
                contents.index.insert(place, word);
            }
        }
        for slot in 0..capacity::STICK_ENTRIES {
            let entry = read(&self.sticks, map::STICK_TABLE, slot)?;
            if entry.used == 1 {
                contents.sticks.insert(slot, entry);
            }
        }
        for index in 0..capacity::BACKENDS {
            let backend = read(&self.backends, map::BACKENDS, index)?;
            if backend.identity != 0 {
                contents.backends.insert(index, backend);
            }
        }
        for slot in 0..capacity::SERVER_SLOTS {
            let server = read(&self.servers, map::SERVERS, slot)?;
            if server.identity != 0 {
                contents.servers.insert(slot, server);
            }
        }
        for id in 0..capacity::SERVERS {
            let state = self.states.load(id).map(ServerState::from_raw);
            if let Some(state) = state.filter(|state| *state != crate::plan::empty::STATE) {
                contents.states.insert(id, state);
            }
        }
        Ok(contents)
    }

    /// The word of a stick entry as it is now, the data path's changes included.
    pub(super) fn chosen(&self, slot: u32) -> Option<Chosen> {
        self.stick_words.load(slot).map(Chosen::from_raw)
    }

    /// Carries a write out. `false`: the data path changed the stick entry at the same moment, and nothing was
    /// written.
    pub(super) fn apply(&mut self, op: Op) -> Result<bool, DatapathError> {
        match op {
            Op::Server { slot, value } => write(&mut self.servers, map::SERVERS, slot, value)?,
            Op::State { id, value } => word(self.states.store(id, value.raw()), map::SERVER_STATE)?,
            Op::Backend { index, value } => {
                let identity = read(&self.backends, map::BACKENDS, index)?.identity;
                if identity == value.identity {
                    let first = [value.current, value.no_server];
                    word(self.backend_words.store(index, bytemuck::cast(first)), map::BACKENDS)?;
                } else {
                    write(&mut self.backends, map::BACKENDS, index, value)?;
                }
            }
            Op::Stick { slot, value } => write(&mut self.sticks, map::STICK_TABLE, slot, value)?,
            Op::Swing { slot, from, to } => {
                return Ok(self.stick_words.exchange(slot, from.chosen.raw(), to.chosen.raw()));
            }
            Op::Service { slot, value } => write(&mut self.services, map::SERVICES, slot, value)?,
            Op::Index { place, word } => write(&mut self.service_index, map::SERVICE_INDEX, place, word)?,
        }
        Ok(true)
    }

    /// Every counter's total over the processors.
    pub(super) fn counters(&self) -> Result<Vec<(Counter, Traffic)>, DatapathError> {
        let sum = |counter: Counter| {
            let values = per_cpu(&self.counters, map::COUNTERS, counter.index())?;
            let total = values.iter().fold(Traffic::default(), |total, Abi(one)| Traffic {
                packets: total.packets + one.packets,
                bytes: total.bytes + one.bytes,
            });
            Ok((counter, total))
        };
        Counter::ALL.into_iter().map(|(counter, _)| sum(counter)).collect()
    }

    pub(super) fn service_stats(&self, slot: u32) -> Result<TrafficStats, DatapathError> {
        Ok(total(&per_cpu(&self.service_stats, map::SERVICE_STATS, slot)?))
    }

    pub(super) fn server_stats(&self, id: u32) -> Result<TrafficStats, DatapathError> {
        Ok(total(&per_cpu(&self.server_stats, map::SERVER_STATS, id)?))
    }

    /// The next event of the data path, if one waits.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        let record = self.events.next()?;
        bytemuck::try_pod_read_unaligned(&record).ok()
    }

    /// Readable when an event waits.
    pub(super) fn events(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    /// How many flows are open at this moment, and how many could be.
    pub(super) fn flows(&self) -> (u32, u32) {
        let open = |index: &u32| {
            let tag = self.flows.load(*index).map(FlowTag::from_raw);
            tag.is_some_and(|tag| match FlowState::of(tag) {
                FlowState::Opening | FlowState::Established | FlowState::Udp => true,
                FlowState::Free | FlowState::Claimed | FlowState::Closed => false,
            })
        };
        let capacity = self.flows.entries();
        let count = (0..capacity).filter(open).count();
        (u32::try_from(count).unwrap_or(capacity), capacity)
    }
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, DatapathError> {
    ebpf.take_map(name).ok_or(DatapathError::MissingMap { name })
}

fn table<T: Pod>(ebpf: &mut Ebpf, name: &'static str) -> Result<Table<T>, DatapathError> {
    Array::try_from(take(ebpf, name)?).map_err(|source| DatapathError::Map { name, source })
}

fn statistics<T: Pod>(ebpf: &mut Ebpf, name: &'static str) -> Result<Statistics<T>, DatapathError> {
    PerCpuArray::try_from(take(ebpf, name)?).map_err(|source| DatapathError::Map { name, source })
}

/// A map together with the mapping of its words.
fn worded<T: Pod>(
    ebpf: &mut Ebpf,
    name: &'static str,
    entries: u32,
) -> Result<(Table<T>, Words), DatapathError> {
    let map = take(ebpf, name)?;
    let Map::Array(data) = &map else { return Err(DatapathError::MissingMap { name }) };
    let words = Words::map::<T>(data.fd().as_fd(), entries)
        .map_err(|source| DatapathError::Words { name, source })?;
    Ok((Array::try_from(map).map_err(|source| DatapathError::Map { name, source })?, words))
}

fn read<T: Pod>(table: &Table<T>, name: &'static str, index: u32) -> Result<T, DatapathError> {
    let Abi(value) = table.get(&index, 0).map_err(|source| DatapathError::Map { name, source })?;
    Ok(value)
}

fn write<T: Pod>(
    table: &mut Table<T>,
    name: &'static str,
    index: u32,
    value: T,
) -> Result<(), DatapathError> {
    table.set(index, Abi(value), 0).map_err(|source| DatapathError::Map { name, source })
}

fn word(written: Option<()>, name: &'static str) -> Result<(), DatapathError> {
    written.ok_or(DatapathError::MissingMap { name })
}

fn per_cpu<T: Pod>(
    map: &Statistics<T>,
    name: &'static str,
    index: u32,
) -> Result<Vec<Abi<T>>, DatapathError> {
    let values = map.get(&index, 0).map_err(|source| DatapathError::Map { name, source })?;
    Ok(values.iter().copied().collect())
}

fn total(values: &[Abi<TrafficStats>]) -> TrafficStats {
    values.iter().fold(TrafficStats::default(), |total, Abi(one)| TrafficStats {
        packets_in: total.packets_in + one.packets_in,
        bytes_in: total.bytes_in + one.bytes_in,
        packets_out: total.packets_out + one.packets_out,
        bytes_out: total.bytes_out + one.bytes_out,
        flows: total.flows + one.flows,
    })
}
