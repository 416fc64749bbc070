//! A frame's run, on the host as in the kernel.

use lb_ebpf::{
    host::{HostFrame, HostTables},
    testing::IFINDEX,
    walk::{Action, Verdict, walk},
};

/// What came out of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The XDP action (`linux/bpf.h`).
    pub(crate) action: u32,
    pub(crate) frame: Vec<u8>,
}

/// Runs the program's functions on a frame that came in on the world's interface.
pub(crate) fn run_on_host(tables: &HostTables, frame: &[u8]) -> (Verdict, Outcome) {
    let mut frame = HostFrame::new(frame);
    let verdict = walk(&mut frame, tables, IFINDEX);
    let action = match verdict.action {
        Action::Drop => 1,
        Action::Pass => 2,
        Action::Transmit => 3,
        Action::Redirect => 4,
    };
    (verdict, Outcome { action, frame: frame.bytes().to_vec() })
}
