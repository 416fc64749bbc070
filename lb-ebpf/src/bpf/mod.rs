//! The kernel's side of the walk: packet memory, maps, helpers.

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
