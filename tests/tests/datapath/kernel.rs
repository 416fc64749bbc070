//! The program in the kernel: loaded with maps of its own, run by `BPF_PROG_TEST_RUN`, attached to nothing.

use aya::{
    Ebpf, EbpfLoader, Pod,
    maps::{Array, MapData, PerCpuArray, PerCpuValues, RingBuf},
    programs::{TestRun as _, TestRunOptions, Xdp},
    util::nr_cpus,
};
use bytemuck::Zeroable;
use lb_ebpf::{
    abi::{Event, Traffic, TrafficStats, map},
    host::HostTables,
    testing::IFINDEX,
};

use crate::{run::Outcome, state::State};

/// Room for what the program makes of a frame.
const ROOM: usize = 16 * 1024;

/// A value of a map.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Abi<T>(T);

// SAFETY: `bytemuck::Pod` promises what `aya::Pod` asks for: a copyable type without padding, of which any bytes
// are a value. `transparent` keeps its layout.
unsafe impl<T: bytemuck::Pod> Pod for Abi<T> {}

/// A loaded program and its maps.
pub(crate) struct Kernel {
    ebpf: Ebpf,
    events: RingBuf<MapData>,
    /// What the maps that only the daemon writes hold.
    written: HostTables,
}

/// `struct xdp_md`, as much of it as a test run takes.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Context {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_ifindex: u32,
    rx_queue_index: u32,
    egress_ifindex: u32,
}

/// The BPF object under test.
pub(crate) fn object() -> Vec<u8> {
    lb_user::datapath::OBJECT.to_vec()
}

impl Kernel {
    /// Loads the program with fresh maps that hold what `tables` holds.
    pub(crate) fn load(tables: &HostTables) -> Self {
        let settings = tables.settings;
        let mut ebpf = EbpfLoader::new()
            .override_global("SETTINGS", bytemuck::bytes_of(&settings), true)
            .map_max_entries(map::FLOWS, (2 * settings.ports).max(1))
            .load(&object())
            .expect("the object can be loaded");
        let program: &mut Xdp =
            ebpf.program_mut("stickfast").expect("it has the program").try_into().expect("for XDP");
        program.load().expect("the verifier accepts the program");
        let pass: &mut Xdp =
            ebpf.program_mut("pass").expect("it has the program").try_into().expect("for XDP");
        pass.load().expect("the verifier accepts the program");
        let events = ebpf.take_map(map::EVENTS).expect("it has the map");
        let events = RingBuf::try_from(events).expect("it is a ring buffer");
        let mut zeroed = HostTables::new(settings);
        zeroed.services.fill(Zeroable::zeroed());
        zeroed.backends.fill(Zeroable::zeroed());
        zeroed.server_state.fill(Zeroable::zeroed());
        let mut kernel = Self { ebpf, events, written: zeroed };
        kernel.set(tables);
        kernel
    }

    /// The load balancer.
    pub(crate) fn program(&self) -> &Xdp {
        self.named("stickfast")
    }

    pub(crate) fn named(&self, name: &str) -> &Xdp {
        self.ebpf.program(name).expect("it has the program").try_into().expect("for XDP")
    }

    /// Makes the maps hold what `tables` holds, whatever has happened since.
    pub(crate) fn set(&mut self, tables: &HostTables) {
        self.configure(tables);
        let state = State::of(tables);
        for (slot, entry) in state.stick {
            self.write(map::STICK_TABLE, slot, entry);
        }
        for (index, flow) in (0..).zip(state.flows) {
            self.write(map::FLOWS, index, flow);
        }
        for (index, traffic) in (0..).zip(state.counters) {
            self.write_first_cpu(map::COUNTERS, index, traffic);
        }
        for (slot, stats) in state.service_stats {
            self.write_first_cpu(map::SERVICE_STATS, slot, stats);
        }
        for (id, stats) in state.server_stats {
            self.write_first_cpu(map::SERVER_STATS, id, stats);
        }
        self.take_events();
    }

    /// As [`Self::set`], but only the maps that the program does not write.
    ///
    /// # Panics
    /// `tables` has other settings than the program was loaded with.
    pub(crate) fn configure(&mut self, tables: &HostTables) {
        let old = core::mem::replace(&mut self.written, tables.clone());
        assert_eq!(old.settings, tables.settings);
        let states =
            |tables: &HostTables| tables.server_state.iter().map(|state| state.get()).collect::<Vec<_>>();
        self.write_changes(map::SERVICES, &old.services, &tables.services);
        self.write_changes(map::SERVICE_INDEX, &old.service_index, &tables.service_index);
        self.write_changes(map::BACKENDS, &old.backends, &tables.backends);
        self.write_changes(map::SERVERS, &old.servers, &tables.servers);
        self.write_changes(map::SERVER_STATE, &states(&old), &states(tables));
    }

    /// Runs the program once on a frame that came in on the world's interface.
    pub(crate) fn run(&self, frame: &[u8]) -> Outcome {
        let context = Context {
            data: 0,
            data_end: u32::try_from(frame.len()).expect("a short frame"),
            data_meta: 0,
            ingress_ifindex: IFINDEX,
            rx_queue_index: 0,
            egress_ifindex: 0,
        };
        let mut out = vec![0; ROOM];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ctx_in: Some(bytemuck::bytes_of(&context)),
            ..TestRunOptions::new()
        };
        let result = self.program().test_run(options).expect("the kernel runs the program");
        out.truncate(result.data_size_out as usize);
        Outcome { action: result.return_value, frame: out }
    }

    /// What the maps hold now, of the entries that `tables` uses; events since the last time.
    pub(crate) fn state(&mut self, tables: &HostTables) -> State {
        let mut state = State::of(tables);
        for (index, traffic) in (0..).zip(&mut state.counters) {
            let values: PerCpuValues<Abi<Traffic>> = self.read_per_cpu(map::COUNTERS, index);
            *traffic = values.iter().fold(Traffic::default(), |sum, Abi(one)| Traffic {
                packets: sum.packets + one.packets,
                bytes: sum.bytes + one.bytes,
            });
        }
        for (slot, stats) in &mut state.service_stats {
            *stats = sum(&self.read_per_cpu(map::SERVICE_STATS, *slot));
        }
        for (id, stats) in &mut state.server_stats {
            *stats = sum(&self.read_per_cpu(map::SERVER_STATS, *id));
        }
        for (slot, entry) in &mut state.stick {
            *entry = self.read(map::STICK_TABLE, *slot);
        }
        for (index, flow) in (0..).zip(&mut state.flows) {
            *flow = self.read(map::FLOWS, index);
        }
        state.events = self.take_events();
        state
    }

    fn take_events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(record) = self.events.next() {
            events.push(bytemuck::pod_read_unaligned(&record));
        }
        events
    }

    fn write_changes<V: bytemuck::Pod + PartialEq>(&mut self, name: &str, old: &[V], new: &[V]) {
        for (index, (old, new)) in (0..).zip(old.iter().zip(new)) {
            if old != new {
                self.write(name, index, *new);
            }
        }
    }

    fn write<V: bytemuck::Pod>(&mut self, name: &str, index: u32, value: V) {
        let map = self.ebpf.map_mut(name).expect("it has the map");
        let mut array: Array<_, Abi<V>> = Array::try_from(map).expect("it is an array");
        array.set(index, Abi(value), 0).expect("the index is in range");
    }

    fn write_first_cpu<V: bytemuck::Pod>(&mut self, name: &str, index: u32, value: V) {
        let map = self.ebpf.map_mut(name).expect("it has the map");
        let mut array: PerCpuArray<_, Abi<V>> = PerCpuArray::try_from(map).expect("it is a per-CPU array");
        let mut values = vec![Abi(V::zeroed()); nr_cpus().expect("processors can be counted")];
        values[0] = Abi(value);
        let values = PerCpuValues::try_from(values).expect("one for each processor");
        array.set(index, values, 0).expect("the index is in range");
    }

    fn read<V: bytemuck::Pod>(&self, name: &str, index: u32) -> V {
        let map = self.ebpf.map(name).expect("it has the map");
        let array: Array<_, Abi<V>> = Array::try_from(map).expect("it is an array");
        array.get(&index, 0).expect("the index is in range").0
    }

    fn read_per_cpu<V: bytemuck::Pod>(&self, name: &str, index: u32) -> PerCpuValues<Abi<V>> {
        let map = self.ebpf.map(name).expect("it has the map");
        let array: PerCpuArray<_, Abi<V>> = PerCpuArray::try_from(map).expect("it is a per-CPU array");
        array.get(&index, 0).expect("the index is in range")
    }
}

fn sum(values: &PerCpuValues<Abi<TrafficStats>>) -> TrafficStats {
    values.iter().fold(TrafficStats::default(), |sum, Abi(one)| TrafficStats {
        packets_in: sum.packets_in + one.packets_in,
        bytes_in: sum.bytes_in + one.bytes_in,
        packets_out: sum.packets_out + one.packets_out,
        bytes_out: sum.bytes_out + one.bytes_out,
        flows: sum.flows + one.flows,
    })
}
