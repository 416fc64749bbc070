//! Makes the BPF object and tells the crate where it is: `include_bytes!(env!("STICKFAST_EBPF"))`.
//!
//! `STICKFAST_EBPF_OBJECT` names an object made elsewhere, to be taken as it is; then no BPF toolchain is
//! needed. Otherwise the object is built here, with the [`toolchain`] that is found.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Error, Result, ensure};

use toolchain::{OBJECT, PROFILE, RUSTC_VARIABLE, Target, Toolchain};

#[expect(dead_code, reason = "xtask, which shares it, asks more about what was found")]
#[path = "../xtask/src/toolchain.rs"]
mod toolchain;

/// Names a prebuilt object; a relative path starts at the workspace.
const OBJECT_VARIABLE: &str = "STICKFAST_EBPF_OBJECT";

/// What the object depends on beside the library of its package, a build dependency that cargo follows.
const SOURCES: [&str; 4] = ["lb-ebpf/src", "lb-ebpf/Cargo.toml", "Cargo.toml", "Cargo.lock"];

/// The first LLVM whose BPF code may load from addresses that are not aligned.
const LLVM_WITH_MISALIGNED_ACCESS: u32 = 22;

fn main() -> ExitCode {
    match make() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Without the backtrace that an error returned from `main` may print: it would show nothing but this file.
#[expect(clippy::print_stderr, reason = "cargo shows it when the script fails")]
fn complain(error: &Error) {
    eprintln!("error: {error:#}");
}

fn make() -> Result<()> {
    let workspace =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the package is in no workspace")?;
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    println!("cargo:rerun-if-env-changed={OBJECT_VARIABLE}");
    let made = match env::var_os(OBJECT_VARIABLE) {
        Some(prebuilt) => {
            let prebuilt = workspace.join(prebuilt);
            println!("cargo:rerun-if-changed={}", prebuilt.display());
            prebuilt
        }
        None => build(workspace, &out.join("bpf"))?,
    };
    let object = out.join(OBJECT);
    fs::copy(&made, &object).with_context(|| format!("cannot copy the BPF object {}", made.display()))?;
    println!("cargo:rustc-env=STICKFAST_EBPF={}", object.display());
    Ok(())
}

/// Builds the object under `target_dir` and returns its path.
fn build(workspace: &Path, target_dir: &Path) -> Result<PathBuf> {
    for source in SOURCES {
        println!("cargo:rerun-if-changed={}", workspace.join(source).display());
    }
    println!("cargo:rerun-if-env-changed={RUSTC_VARIABLE}");
    let toolchain = Toolchain::find(target()?)?;
    for tool in [&toolchain.compiler.rustc, &toolchain.linker.path] {
        println!("cargo:rerun-if-changed={}", tool.display());
    }

    let mut flags = vec![
        "-Clink-arg=--btf",
        // By default bpf-linker makes LLVM call memcpy, memset and memmove even for a few bytes. Such a call is a
        // BPF function of its own that moves single bytes (docs/decisions/0003).
        "-Clink-arg=--disable-expand-memcpy-in-order",
    ];
    // Packet headers have an alignment of 1. Older LLVMs load them byte by byte: slower, not wrong.
    if toolchain.compiler.llvm >= LLVM_WITH_MISALIGNED_ACCESS {
        flags.push("-Ctarget-feature=+allows-misaligned-mem-access");
    }
    let mut cargo = toolchain.cargo("build", &flags, target_dir);
    // Captured: rustc warns in every crate of the target feature, which is unstable but meant.
    let done = cargo.output().with_context(|| format!("cannot run {cargo:?}"))?;
    ensure!(
        done.status.success(),
        "cannot build the BPF object with {}: {}\n{cargo:?}\n{}{}",
        toolchain.compiler,
        done.status,
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    Ok(target_dir.join(toolchain.target.triple()).join(PROFILE).join(OBJECT))
}

/// What runs on the machine that cargo compiles this package for.
fn target() -> Result<Target> {
    let of_machine = |name: &str| env::var(name).with_context(|| format!("{name} is not set"));
    let big_endian = of_machine("CARGO_CFG_TARGET_ENDIAN")? == "big";
    Ok(Target { architecture: of_machine("CARGO_CFG_TARGET_ARCH")?, big_endian })
}
