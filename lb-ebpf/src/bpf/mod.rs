//! The kernel's side of the walk: packet memory, maps, helpers.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "helpers speak C's integers: an ifindex, a frame's length and a verdict fit into all of them, and of \
              the jiffies only the low 32 bits are wanted"
)]

mod entry;
mod frame;
mod maps;
mod tables;

// The verifier accepts no program from which this can be reached.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

// `bpf_fib_lookup` is for GPL-compatible programs only; without this section aya would claim plain GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
