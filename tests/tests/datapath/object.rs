//! What the loaded program is made of.

use std::{collections::BTreeSet, process::Command};

use lb_ebpf::{abi::Mode, testing::world};

use crate::kernel::Kernel;

#[test]
fn probe() {
    let kernel = Kernel::load(&world(Mode::Dnat));
    let id = kernel.program().info().expect("the kernel describes the program").id();
    let dump = Command::new("bpftool")
        .args(["prog", "dump", "xlated", "id", &id.to_string()])
        .output()
        .expect("bpftool can be run");
    std::fs::write("/tmp/packets-xlated.txt", dump.stdout).unwrap();
}
