//! The walk's tables, on BPF maps and helpers.

use core::intrinsics::{AtomicOrdering, atomic_cxchg};

use aya_ebpf::{
    bindings::{
        BPF_FIB_LKUP_RET_FRAG_NEEDED, BPF_FIB_LKUP_RET_NO_NEIGH, BPF_FIB_LKUP_RET_SUCCESS,
        bpf_fib_lookup as FibLookup, xdp_md,
    },
    btf_maps::PerCpuArray,
    helpers::{bpf_fib_lookup, bpf_jiffies64},
};
use lb_ebpf::{
    abi::{
        Address, Backend, Counter, Event, EventKind, Flow, Server, Service, Settings, TrafficStats,
        word::{Chosen, FlowTag, ServerState, Word},
    },
    tables::{Passage, Route, Tables},
};

use super::maps;

/// `AF_INET`.
const INET: u8 = 2;

/// The maps and helpers of the program that runs.
pub(super) struct KernelTables<'a> {
    context: *mut xdp_md,
    settings: &'a Settings,
}

impl<'a> KernelTables<'a> {
    /// # Safety
    /// `context` is the context of the program that runs.
    #[inline(always)]
    pub(super) unsafe fn new(context: *mut xdp_md, settings: &'a Settings) -> Self {
        Self { context, settings }
    }
}

/// Exchanges the word at `target` if it is `old`; what was there, and whether it was exchanged.
///
/// # Safety
/// `target` points to an aligned `u64` in a map value.
#[inline(always)]
unsafe fn exchange(target: *mut u64, old: u64, new: u64) -> (u64, bool) {
    // SAFETY: the caller's promise; the instruction is atomic.
    unsafe { atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(target, old, new) }
}

/// Reads a shared word whole.
///
/// # Safety
/// `source` points to an aligned word in a map value.
#[inline(always)]
unsafe fn load<W: Word>(source: *const W) -> W {
    // SAFETY: the caller's promise; volatile keeps it one load, and any bits are a `W`.
    W::from_raw(unsafe { source.cast::<u64>().read_volatile() })
}

/// Adds a packet to this CPU's own statistics.
#[inline(always)]
fn add<const N: usize>(map: &PerCpuArray<TrafficStats, N>, index: u32, passage: Passage, bytes: u64) {
    let Some(stats) = map.get_ptr_mut(index) else { return };
    // SAFETY: the pointer is this CPU's own value, and the program is not preempted by itself.
    unsafe { (*stats).add(passage, bytes) };
}

impl Tables for KernelTables<'_> {
    #[inline(always)]
    fn settings(&self) -> &Settings {
        self.settings
    }

    #[inline(always)]
    fn service_index(&self, index: u32) -> Option<u32> {
        // SAFETY: an aligned word in a map value; volatile keeps it one load.
        maps::SERVICE_INDEX.get_ptr(index).map(|word| unsafe { word.read_volatile() })
    }

    #[inline(always)]
    fn service(&self, slot: u32) -> Option<&Service> {
        maps::SERVICES.get(slot)
    }

    #[inline(always)]
    fn stick(&self, slot: u32) -> Option<Chosen> {
        // SAFETY: `chosen` is the entry's first field, aligned to 8.
        maps::STICK_TABLE.get_ptr(slot).map(|entry| unsafe { load(&raw const (*entry).chosen) })
    }

    #[inline(always)]
    fn swing(&self, slot: u32, old: Chosen, new: Chosen) -> Option<Chosen> {
        let entry = maps::STICK_TABLE.get_ptr_mut(slot)?;
        // SAFETY: as in `stick`.
        let (found, swung) = unsafe { exchange((&raw mut (*entry).chosen).cast(), old.raw(), new.raw()) };
        Some(if swung { new } else { Chosen::from_raw(found) })
    }

    #[inline(always)]
    fn backend(&self, index: u32) -> Option<&Backend> {
        maps::BACKENDS.get(index)
    }

    #[inline(always)]
    fn server_state(&self, id: u32) -> Option<ServerState> {
        // SAFETY: the value is one aligned word.
        maps::SERVER_STATE.get_ptr(id).map(|state| unsafe { load(state) })
    }

    #[inline(always)]
    fn server(&self, slot: u32) -> Option<&Server> {
        maps::SERVERS.get(slot)
    }

    #[inline(always)]
    fn flow_tag(&self, index: u32) -> Option<FlowTag> {
        // SAFETY: `tag` is the flow's first field, aligned to 8.
        maps::FLOWS.get_ptr(index).map(|flow| unsafe { load(&raw const (*flow).tag) })
    }

    #[inline(always)]
    fn swap_flow_tag(&self, index: u32, old: FlowTag, new: FlowTag) -> bool {
        let Some(flow) = maps::FLOWS.get_ptr_mut(index) else { return false };
        // SAFETY: as in `flow_tag`.
        unsafe { exchange((&raw mut (*flow).tag).cast(), old.raw(), new.raw()).1 }
    }

    #[inline(always)]
    fn flow(&self, index: u32) -> Option<Flow> {
        maps::FLOWS.get(index).copied()
    }

    #[inline(always)]
    fn write_flow(&self, index: u32, flow: &Flow) {
        let Some(target) = maps::FLOWS.get_ptr_mut(index) else { return };
        // SAFETY: the caller has claimed the slot, so nobody else writes these fields; readers look at the tag
        // first. The tag itself is left alone.
        unsafe {
            let tag = (*target).tag;
            *target = Flow { tag, ..*flow };
        }
    }

    #[inline(always)]
    fn touch_flow(&self, index: u32, now: u32) {
        let Some(flow) = maps::FLOWS.get_ptr_mut(index) else { return };
        // SAFETY: an aligned word; whoever races writes nearly the same time. Written only when it changes, so
        // that the cache line stays shared between the processors of the two directions.
        unsafe {
            let seen = &raw mut (*flow).last_seen;
            if seen.read_volatile() != now {
                seen.write_volatile(now);
            }
        }
    }

    #[inline(always)]
    fn learn_client(&self, index: u32, interface: u32, macs: [u8; 12]) {
        let Some(flow) = maps::FLOWS.get_ptr_mut(index) else { return };
        // SAFETY: plain fields of a map value. Both come from the same client at the same time; a reader in
        // between sends one frame to the old next hop, as it would have a moment before.
        unsafe {
            (*flow).interface = interface;
            (*flow).macs = macs;
        }
    }

    #[inline(always)]
    fn count(&self, counter: Counter, bytes: u64) {
        let Some(traffic) = maps::COUNTERS.get_ptr_mut(counter.index()) else { return };
        // SAFETY: this CPU's own value.
        unsafe { (*traffic).add(bytes) };
    }

    #[inline(always)]
    fn count_service(&self, slot: u32, passage: Passage, bytes: u64) {
        add(&maps::SERVICE_STATS, slot, passage, bytes);
    }

    #[inline(always)]
    fn count_server(&self, id: u32, passage: Passage, bytes: u64) {
        add(&maps::SERVER_STATS, id, passage, bytes);
    }

    #[inline(always)]
    fn report(&self, event: Event) {
        // A re-stick happens once; everything else may come with every packet, so once a second is enough.
        if event.kind != EventKind::Restuck as u32 {
            let Some(time) = maps::REPORT_TIMES.get_ptr_mut(event.kind & 3) else { return };
            let now = self.now();
            // SAFETY: this CPU's own value.
            unsafe {
                if now.wrapping_sub(*time) < self.settings.second_jiffies {
                    return;
                }
                *time = now;
            }
        }
        if let Some(mut record) = maps::EVENTS.reserve(0) {
            record.write(event);
            record.submit(0);
        }
    }

    #[inline(always)]
    fn now(&self) -> u32 {
        // SAFETY: the helper takes nothing and reads the kernel's clock.
        let jiffies = unsafe { bpf_jiffies64() };
        jiffies as u32
    }

    #[inline(always)]
    fn route(&self, source: Address, destination: Address, protocol: u8, length: u16) -> Route {
        // SAFETY: plain old data; all zero is what the helper wants in fields that are not used.
        let mut question: FibLookup = unsafe { core::mem::zeroed() };
        question.family = INET;
        question.l4_protocol = protocol;
        question.__bindgen_anon_1.tot_len = length;
        question.__bindgen_anon_3.ipv4_src = u32::from_ne_bytes(source.v4_bytes());
        question.__bindgen_anon_4.ipv4_dst = u32::from_ne_bytes(destination.v4_bytes());
        // SAFETY: `context` is the running program's.
        question.ifindex = unsafe { (*self.context).ingress_ifindex };
        // SAFETY: both pointers are valid for the call; the length is the structure's.
        let answer = unsafe {
            bpf_fib_lookup(self.context.cast(), &raw mut question, size_of::<FibLookup>() as i32, 0)
        };
        match u32::try_from(answer) {
            Ok(BPF_FIB_LKUP_RET_SUCCESS) => {}
            // Larger than the interface takes: the kernel says so to the sender.
            Ok(BPF_FIB_LKUP_RET_NO_NEIGH | BPF_FIB_LKUP_RET_FRAG_NEEDED) => return Route::NoNeighbour,
            _ => return Route::NotForwarded,
        }
        // Byte by byte: the verifier takes no unaligned words from the stack.
        let [a, b, c, d, e, f] = question.dmac;
        let [g, h, i, j, k, l] = question.smac;
        Route::Via { interface: question.ifindex, macs: [a, b, c, d, e, f, g, h, i, j, k, l] }
    }
}
