//! What the loaded program is made of.

use std::{collections::BTreeSet, process::Command};

use lb_ebpf::{abi::Mode, testing::world};

use crate::kernel::Kernel;

/// Instructions after the verifier has removed what the settings close: well below what would no longer fit a
/// processor's instruction cache beside the driver.
const MOST_INSTRUCTIONS: usize = 4_500;

/// What the forwarding path may call. Look-ups in arrays and the clock are no calls: the verifier puts their code in
/// place.
const HELPERS: [&str; 7] = [
    "bpf_redirect",
    "bpf_ringbuf_reserve",
    "bpf_ringbuf_submit",
    "bpf_xdp_adjust_head",
    "bpf_xdp_adjust_tail",
    "bpf_xdp_fib_lookup",
    "bpf_xdp_get_buff_len",
];

#[test]
fn the_loaded_program_is_one_function_that_calls_allowed_helpers_only() {
    let kernel = Kernel::load(&world(Mode::Dnat));
    let id = kernel.program().info().expect("the kernel describes the program").id();
    let dump = Command::new("bpftool")
        .args(["prog", "dump", "xlated", "id", &id.to_string()])
        .output()
        .expect("bpftool can be run");
    let text = String::from_utf8(dump.stdout).expect("bpftool prints text");
    let instructions = text.lines().filter(|line| is_instruction(line)).count();
    println!("{instructions} instructions");
    assert!((1_000..=MOST_INSTRUCTIONS).contains(&instructions), "{instructions} instructions");

    let calls: BTreeSet<&str> =
        text.lines().filter_map(|line| line.split_once(") call ")?.1.split(['#', ' ']).next()).collect();
    assert!(calls.contains("bpf_xdp_fib_lookup"), "the one call that dnat must make is not seen: {calls:?}");
    let others: Vec<_> = calls.iter().filter(|call| !HELPERS.contains(call)).collect();
    assert!(others.is_empty(), "calls besides the allowed ones: {others:?}");
}

/// `  12: (85) call …`
fn is_instruction(line: &str) -> bool {
    line.trim_start().split_once(": (").is_some_and(|(number, _)| number.parse::<u32>().is_ok())
}
