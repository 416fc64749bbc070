//! Runs a program many times on one frame. Forwarding takes one off the TTL, so a program of a few instructions
//! goes before each repetition, puts TTL and header checksum back, and calls the program under test.
//!
//! aya loads objects only; these instructions are loaded by the system call itself.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use aya::programs::{ProgramFd, Xdp};

/// A program behind its driver.
pub(crate) struct Driven {
    driver: OwnedFd,
    frame: Vec<u8>,
    /// Holds the program for the driver's call.
    _programs: OwnedFd,
}

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Instruction {
    code: u8,
    /// Destination in the low half, source in the high one.
    registers: u8,
    offset: i16,
    immediate: i32,
}

// Members of `union bpf_attr` (linux/bpf.h), as far as they are used.

#[repr(C)]
#[derive(Default)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
}

#[repr(C)]
struct MapUpdate {
    map: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct ProgramLoad {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log: [u64; 2],
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    ifindex: u32,
    attach_type: u32,
}

#[repr(C)]
#[derive(Default)]
struct TestRun {
    program: u32,
    return_value: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
}

const BPF_MAP_CREATE: i32 = 0;
const BPF_MAP_UPDATE_ELEM: i32 = 2;
const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_TEST_RUN: i32 = 10;
const BPF_MAP_TYPE_PROG_ARRAY: u32 = 3;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;
const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;

impl Driven {
    /// `program` on `frame`, which it leaves as it is but for TTL and header checksum.
    pub(crate) fn new(program: &Xdp, frame: &[u8]) -> io::Result<Self> {
        let mut create =
            MapCreate { kind: BPF_MAP_TYPE_PROG_ARRAY, key_size: 4, value_size: 4, max_entries: 1, flags: 0 };
        let programs = file(bpf(BPF_MAP_CREATE, &mut create)?);
        let fd: &ProgramFd = program.fd().map_err(io::Error::other)?;
        let (key, value) = (0_u32, number(fd.as_fd().as_raw_fd()));
        let mut update = MapUpdate {
            map: number(programs.as_raw_fd()),
            padding: 0,
            key: address(&key),
            value: address(&value),
            flags: 0,
        };
        bpf(BPF_MAP_UPDATE_ELEM, &mut update)?;
        let instructions = instructions(frame, programs.as_raw_fd());
        let mut load = ProgramLoad {
            kind: BPF_PROG_TYPE_XDP,
            instruction_count: u32::try_from(instructions.len()).map_err(io::Error::other)?,
            instructions: address(instructions.as_slice()),
            license: address(c"Dual MIT/GPL".to_bytes_with_nul()),
            log: [0; 2],
            kernel_version: 0,
            flags: BPF_F_XDP_HAS_FRAGS,
            name: *b"driver\0\0\0\0\0\0\0\0\0\0",
            ifindex: 0,
            attach_type: BPF_XDP,
        };
        let driver = file(bpf(BPF_PROG_LOAD, &mut load)?);
        Ok(Self { driver, frame: frame.to_vec(), _programs: programs })
    }

    /// Nanoseconds for one repetition, the driver's included: the mean of `repeat`.
    pub(crate) fn time(&self, repeat: u32) -> io::Result<u32> {
        let mut run = TestRun {
            program: number(self.driver.as_raw_fd()),
            size_in: u32::try_from(self.frame.len()).map_err(io::Error::other)?,
            data_in: address(self.frame.as_slice()),
            repeat,
            ..TestRun::default()
        };
        bpf(BPF_PROG_TEST_RUN, &mut run)?;
        Ok(run.duration)
    }
}

/// Puts bytes 22 to 25 back and calls the first of `programs`.
fn instructions(frame: &[u8], programs: RawFd) -> Vec<Instruction> {
    let ttl_to_checksum = i32::from_ne_bytes([frame[22], frame[23], frame[24], frame[25]]);
    let length = i32::try_from(frame.len()).expect("a short frame");
    let one = |code, registers, offset, immediate| Instruction { code, registers, offset, immediate };
    vec![
        one(0xbf, 0x16, 0, 0),                // r6 = r1
        one(0x61, 0x12, 0, 0),                // r2 = the frame's start
        one(0x61, 0x13, 4, 0),                // r3 = its end
        one(0xbf, 0x24, 0, 0),                // r4 = r2
        one(0x07, 0x04, 0, length),           // r4 += length
        one(0x2d, 0x34, 6, 0),                // if r4 > r3, leave
        one(0x62, 0x02, 22, ttl_to_checksum), // *(u32 *)(r2 + 22)
        one(0xbf, 0x61, 0, 0),                // r1 = r6
        one(0x18, 0x12, 0, programs),         // r2 = the programs
        one(0x00, 0x00, 0, 0),                //   (its second half)
        one(0xb7, 0x03, 0, 0),                // r3 = 0
        one(0x85, 0x00, 0, 12),               // bpf_tail_call
        one(0xb7, 0x00, 0, 0),                // r0 = XDP_ABORTED
        one(0x95, 0x00, 0, 0),                // exit
    ]
}

/// The system call: a file descriptor or 0.
fn bpf<A>(command: i32, attributes: &mut A) -> io::Result<i32> {
    // SAFETY: `attributes` is the command's member of `union bpf_attr`, of the size that is given; the addresses
    // in it are those of values that outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<A>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { i32::try_from(result).map_err(io::Error::other) }
}

fn file(fd: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made it, for us alone.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn number(fd: RawFd) -> u32 {
    u32::try_from(fd).expect("an open file's number is not negative")
}

fn address<T: ?Sized>(value: &T) -> u64 {
    std::ptr::from_ref(value).cast::<u8>() as u64
}
