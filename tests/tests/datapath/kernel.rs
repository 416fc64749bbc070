//! The program in the kernel: loaded with tables of its own, run by `BPF_PROG_TEST_RUN`, attached to nothing.

use std::{env, fs, time::Duration};

use aya::{
    Ebpf, EbpfLoader,
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use lb_ebpf::abi::{Settings, map};

/// Room for what a program makes of a frame.
const ROOM: usize = 16 * 1024;

/// A loaded program with fresh maps.
pub struct Kernel {
    pub ebpf: Ebpf,
}

/// What came out.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `XDP_PASS` and its like.
    pub action: u32,
    pub frame: Vec<u8>,
}

/// `struct xdp_md` as `BPF_PROG_TEST_RUN` takes it.
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
pub fn object() -> Vec<u8> {
    let path = env::var("STICKFAST_EBPF_OBJECT").expect("STICKFAST_EBPF_OBJECT names the BPF object");
    fs::read(&path).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
}

impl Kernel {
    pub fn load(settings: &Settings) -> Self {
        let mut ebpf = EbpfLoader::new()
            .override_global("SETTINGS", bytemuck::bytes_of(settings), true)
            .map_max_entries(map::FLOWS, (2 * settings.ports).max(1))
            .load(&object())
            .expect("the object loads");
        let program: &mut Xdp =
            ebpf.program_mut("stickfast").expect("the program is there").try_into().expect("xdp");
        program.load().unwrap_or_else(|error| panic!("{error:#?}"));
        Self { ebpf }
    }

    pub fn program(&self) -> &Xdp {
        self.ebpf.program("stickfast").expect("the program is there").try_into().expect("xdp")
    }

    /// Runs the program once on a frame that came in on `ifindex`.
    pub fn run(&self, frame: &[u8], ifindex: u32) -> Outcome {
        let context = Context {
            data: 0,
            data_end: frame.len() as u32,
            data_meta: 0,
            ingress_ifindex: ifindex,
            rx_queue_index: 0,
            egress_ifindex: 0,
        };
        let mut out = vec![0; ROOM];
        let result = self
            .program()
            .test_run(TestRunOptions {
                data_in: Some(frame),
                data_out: Some(&mut out),
                ctx_in: Some(bytemuck::bytes_of(&context)),
                ..TestRunOptions::new()
            })
            .expect("a test run");
        out.truncate(result.data_size_out as usize);
        Outcome { action: result.return_value, frame: out }
    }
}
