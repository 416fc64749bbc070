//! The programs.

use core::hint::black_box;

use aya_ebpf::{bindings::xdp_action, helpers::bpf_redirect, macros::xdp, programs::XdpContext};
use aya_log_ebpf::info;
use lb_ebpf::{
    abi::{Interface, Settings, capacity},
    walk::{Action, Verdict, walk},
};

use super::{frame::XdpFrame, tables::KernelTables};

/// Overwritten by the loader, then frozen: the verifier sees the values.
#[unsafe(no_mangle)]
static SETTINGS: Settings = Settings {
    first_port: 0,
    ports: 0,
    dnat: 0,
    any_port: 0,
    trace: 0,
    opening_jiffies: 0,
    established_jiffies: 0,
    udp_jiffies: 0,
    second_jiffies: 0,
    interfaces: [Interface { index: 0, mac: [0; 6], redirect: 0 }; capacity::INTERFACES as usize],
};

/// The load balancer.
#[xdp(frags)]
#[inline(always)]
fn stickfast(context: XdpContext) -> u32 {
    // What the loader wrote, not what the compiler sees above.
    let settings = black_box(&SETTINGS);
    let ifindex = context.ingress_ifindex() as u32;
    // SAFETY: it is the context of this run.
    let (mut frame, tables) =
        unsafe { (XdpFrame::new(context.ctx), KernelTables::new(context.ctx, settings)) };
    let verdict = walk(&mut frame, &tables, ifindex);
    if settings.trace == 1 {
        trace(&context, ifindex, verdict);
    }
    match verdict.action {
        Action::Pass => xdp_action::XDP_PASS,
        Action::Drop => xdp_action::XDP_DROP,
        Action::Transmit => xdp_action::XDP_TX,
        // SAFETY: the helper takes numbers and fails by returning XDP_ABORTED.
        Action::Redirect => (unsafe { bpf_redirect(verdict.interface, 0) }) as u32,
    }
}

/// Passes everything. A veth takes redirected frames only while a program is at its far end, and measurements
/// take it as their floor.
#[xdp(frags)]
fn pass(_: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// A line per packet, for looking at a few of them; off, it is not even in the loaded program. The daemon
/// puts the name in place of the reason's number: text would be copied by a call of `memcpy`.
#[inline(always)]
fn trace(context: &XdpContext, ifindex: u32, verdict: Verdict) {
    let reason = verdict.counter.index();
    match verdict.action {
        Action::Redirect => info!(context, "{} -> {} reason={}", ifindex, verdict.interface, reason),
        Action::Pass | Action::Drop | Action::Transmit => info!(context, "{} reason={}", ifindex, reason),
    }
}
