//! The XDP program: a thin adapter between the kernel and the pure walk of `lb_ebpf`.
//!
//! All unsafe code of the data path is in `bpf`. On any other target this is an empty program, so that the
//! whole workspace builds there.

#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(core_intrinsics))]
#![cfg_attr(
    target_arch = "bpf",
    expect(internal_features, reason = "core's compare_exchange is not offered on BPF, the intrinsic is")
)]

#[cfg(target_arch = "bpf")]
mod bpf;

#[cfg(not(target_arch = "bpf"))]
fn main() {}
