//! What the loaded program is made of: which helpers it calls, how long it is, how much stack it needs.

use std::{collections::BTreeSet, process::Command};

use lb_ebpf::{abi::Mode, host::HostTables, testing::world};

use crate::kernel::Kernel;

/// Helpers of the walk itself. Lookups in arrays and `bpf_jiffies64` are not among them: the verifier puts
/// instructions in their place.
const HELPERS: [&str; 7] = [
    "bpf_ringbuf_reserve",
    "bpf_ringbuf_submit",
    "bpf_xdp_adjust_head",
    "bpf_xdp_adjust_tail",
    "bpf_xdp_fib_lookup",
    "bpf_xdp_get_buff_len",
    "bpf_xdp_redirect",
];
/// Instructions that the largest program may have: a jump means that something is inlined once too often.
const INSTRUCTIONS: usize = 3800;
/// Bytes of stack, of the 512 that there are.
const STACK: u32 = 448;

/// The program as the verifier left it.
struct Program {
    instructions: usize,
    /// Names of what it calls, and what they are called with where they have none.
    calls: BTreeSet<String>,
    stack: u32,
}

impl Program {
    fn loaded(tables: &HostTables) -> Self {
        let kernel = Kernel::load(tables);
        let id = kernel.program().info().expect("the kernel describes the program").id().to_string();
        let dump = Command::new("bpftool").args(["prog", "dump", "xlated", "id", &id]).output();
        let dump = String::from_utf8(dump.expect("bpftool can be run").stdout).expect("it prints text");
        // " 17: (85) call bpf_xdp_redirect#1234"; lines of source begin with a semicolon.
        let instructions: Vec<_> =
            dump.lines().filter_map(|line| line.trim_start().split_once(": (")).collect();
        let calls = instructions.iter().filter_map(|(_, text)| text.split_once(" call "));
        let frames = instructions.iter().flat_map(|(_, text)| text.split("r10 -").skip(1));
        Self {
            instructions: instructions.len(),
            calls: calls.map(|(_, name)| name.split('#').next().unwrap_or(name).to_owned()).collect(),
            stack: frames
                .filter_map(|rest| rest.split(|byte: char| !byte.is_ascii_digit()).next()?.parse().ok())
                .max()
                .unwrap_or(0),
        }
    }
}

/// The program with everything that settings can switch on, but for the trace.
fn largest() -> HostTables {
    let mut tables = world(Mode::Dnat);
    tables.settings.any_port = 1;
    tables
}

#[test]
fn the_loaded_program_calls_the_walks_helpers_and_nothing_else() {
    let program = Program::loaded(&largest());
    assert_eq!(program.calls, HELPERS.map(str::to_owned).into());
}

#[test]
fn without_dnat_the_kernels_routes_are_not_asked() {
    let program = Program::loaded(&world(Mode::Snat));
    assert!(!program.calls.contains("bpf_xdp_fib_lookup"), "{:?}", program.calls);
}

#[test]
fn the_trace_is_in_the_program_only_when_it_is_switched_on() {
    let mut tables = largest();
    let without = Program::loaded(&tables);
    tables.settings.trace = 1;
    let with = Program::loaded(&tables);
    let added: Vec<_> = with.calls.difference(&without.calls).collect();
    assert_eq!(added, ["bpf_ringbuf_discard"], "the log gives up a record that does not fit");
    assert!(with.instructions > without.instructions);
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "the sizes are worth seeing, also while they are within their bounds"
)]
fn the_program_stays_small() {
    let Program { instructions, stack, .. } = Program::loaded(&largest());
    println!("{instructions} instructions, {stack} bytes of stack");
    assert!(instructions <= INSTRUCTIONS, "{instructions} instructions");
    assert!(stack <= STACK, "{stack} bytes of stack");
}
