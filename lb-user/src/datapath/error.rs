use std::{io, path::PathBuf};

use aya::{EbpfError, maps::MapError, pin::PinError};
use thiserror::Error;

/// Why the data path cannot be set up or used.
#[derive(Debug, Error)]
pub enum DatapathError {
    #[error(
        "{path} is not on a BPF filesystem, so nothing can be pinned there\n\
         hint: mount -t bpf bpf /sys/fs/bpf"
    )]
    NotBpffs { path: PathBuf },

    #[error(
        "the pins in {path} belong to a daemon that runs\n\
         hint: stop that one first, or give this one pins of its own with --pin-path"
    )]
    InUse { path: PathBuf },

    #[error("cannot {action} {path}: {source}")]
    Pin { action: &'static str, path: PathBuf, source: io::Error },

    #[error(
        "no permission to use BPF\n\
         hint: run as root, or with the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"
    )]
    Privilege { source: io::Error },

    #[error(
        "this kernel ({release}) cannot load the program: {reason}\n\
         hint: Stickfast needs Linux {floor} or newer"
    )]
    OldKernel { release: String, floor: &'static str, reason: String },

    #[error("the kernel refused the program: {cause}")]
    Verifier { cause: String, log: String },

    #[error(
        "pinned map {path} has {what} {seen}, this version needs {wanted}: it belongs to another version or \
         another configuration of Stickfast\n\
         hint: `stickfast detach --pin-path {pin_path}` removes it, and with it the present connections"
    )]
    Incompatible { path: PathBuf, pin_path: PathBuf, what: &'static str, seen: u64, wanted: u64 },

    #[error(
        "interface {interface} already has an XDP program: {owner}\n\
         hint: detach that one first, e.g. `ip link set dev {interface} xdp off`; Stickfast never replaces the \
         program of somebody else"
    )]
    Occupied { interface: String, owner: String },

    #[error(
        "cannot attach to {interface}: its driver has no native XDP ({source})\n\
         hint: `mode auto` or `mode generic` in the xdp section"
    )]
    NoNative { interface: String, source: io::Error },

    #[error("cannot attach to {interface}: {source}")]
    Attach { interface: String, source: Box<dyn std::error::Error + Send + Sync> },

    #[error("more than {limit} interfaces: {names}")]
    TooManyInterfaces { limit: u32, names: String },

    #[error("map {name}: {source}")]
    Map { name: &'static str, source: MapError },

    #[error("map {name} is missing from the BPF object")]
    MissingMap { name: &'static str },

    #[error("the BPF object cannot be used: {source}")]
    Object { source: Box<EbpfError> },

    #[error("the BPF object has no program {name}")]
    MissingProgram { name: &'static str },

    #[error("cannot pin the link of {interface}: {source}")]
    PinLink { interface: String, source: PinError },

    #[error("cannot map the words of {name} into memory: {source}")]
    Words { name: &'static str, source: io::Error },
}
