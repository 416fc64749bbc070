//! `cargo xtask setup`: installs what building and testing need.
//!
//! | what | where from | where to |
//! |---|---|---|
//! | a rustc for BPF, its clippy | packages of Debian | the system |
//! | programs of tests and demo | packages of Debian | the system |
//! | bpf-linker | crates.io, linked to that rustc's LLVM | cargo's `bin`, as `cargo install` does |
//! | bpffs | the kernel | `/sys/fs/bpf` |
//!
//! What is there already is left as it is, so a second run does nothing.

use std::{env, ffi::OsStr, path::PathBuf};

use anyhow::{Result, bail, ensure};

use crate::{
    step,
    toolchain::{Compiler, Linker, Target},
};

mod bpffs;
mod linker;
mod packages;
mod rust;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only say what is missing; exit 1 if anything is
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.check {
        let missing = missing();
        missing.iter().for_each(step::tell);
        ensure!(missing.is_empty(), "the above is missing\nhint: cargo xtask setup");
    } else {
        install()?;
    }
    step::tell("nothing is missing");
    Ok(())
}

/// Sees to it that nothing is missing, and is silent if nothing was.
///
/// # Errors
///
/// Something is missing that cannot be installed.
pub(crate) fn complete() -> Result<()> {
    if missing().is_empty() { Ok(()) } else { install() }
}

/// What is missing, in words.
fn missing() -> Vec<String> {
    let mut missing = rust::missing();
    missing.extend(packages::missing().into_iter().map(|need| need.to_string()));
    match Compiler::find(&this_machine()) {
        Err(_none) => missing.push("a rustc with `core` for BPF: compiles the XDP program".into()),
        Ok(compiler) => {
            if packages::lack_clippy(&compiler) {
                missing.push(format!("clippy of {compiler}: checks the XDP program"));
            }
            if Linker::find(compiler.llvm).is_err() {
                missing.push(format!("bpf-linker for LLVM {}: links the XDP program", compiler.llvm));
            }
        }
    }
    if !bpffs::is_mounted() {
        missing.push(format!("bpffs on {}: keeps maps and links", bpffs::PATH));
    }
    missing
}

fn install() -> Result<()> {
    let target = this_machine();
    let by_hand = rust::missing();
    if !by_hand.is_empty() {
        bail!("of the Rust that runs this, missing: {}", by_hand.join("\n"));
    }
    packages::install(&target)?;
    let compiler = Compiler::find(&target)?;
    step::tell(format_args!("the XDP program is compiled by {compiler}"));
    if Linker::find(compiler.llvm).is_err() {
        linker::install(&compiler)?;
    }
    let linker = Linker::find(compiler.llvm)?;
    step::tell(format_args!("the XDP program is linked by {}", linker.path.display()));
    bpffs::mount()
}

/// What BPF this machine runs.
pub(crate) fn this_machine() -> Target {
    Target { architecture: env::consts::ARCH.into(), big_endian: cfg!(target_endian = "big") }
}

/// Where `program` is: on `PATH`, or with the administrators' programs, which only root has on it.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(administrators)
        .map(|directory| directory.join(name.as_ref()))
        .find(|path| path.is_file())
}
