//! Builds bpf-linker, which is linked to the LLVM of the compiler whose code it is to link.

use std::{fs, io::ErrorKind, os::unix::fs::symlink, path::Path};

use anyhow::{Context as _, Result, ensure};

use crate::{
    step,
    toolchain::{Compiler, Llvm, cargo_bin},
    workspace::{cargo, target_dir},
};

const VERSION: &str = "0.13.0";
/// The LLVMs that this version has a feature for.
const SUPPORTED: std::ops::RangeInclusive<u32> = 21..=23;

/// Halves the time to build it, and costs none when it links: the work is done in LLVM.
const PROFILE: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
];

/// Builds it for `compiler` and puts it where `cargo install` puts programs.
pub(super) fn install(compiler: &Compiler) -> Result<()> {
    let llvm = compiler.llvm;
    ensure!(SUPPORTED.contains(&llvm), "bpf-linker {VERSION} knows LLVM {SUPPORTED:?}, not {compiler}'s");
    let library =
        Llvm::of(&compiler.rustc).with_context(|| format!("{compiler} has no libLLVM to link to"))?;
    let path = library.path.canonicalize()?;
    step::tell(format_args!("bpf-linker is to be linked to {}", path.display()));

    // All that it wants of an LLVM installation is `lib/libLLVM.so`. When it runs it looks there once more,
    // for the library's own name, which matters for rustup's: that is in no directory of the system.
    let home = cargo_bin().context("neither CARGO_HOME nor HOME is set")?;
    let prefix = home.with_file_name(format!("bpf-linker-llvm-{llvm}"));
    let directory = prefix.join("lib");
    fs::create_dir_all(&directory)?;
    for name in ["libLLVM.so", &library.name] {
        point(&directory.join(name), &path)?;
    }

    let mut install = cargo("install");
    install
        .args(["bpf-linker", "--version", VERSION, "--locked", "--force", "--no-default-features"])
        .args(["--features", &format!("llvm-{llvm}")])
        .arg("--target-dir")
        .arg(target_dir()?.join("bpf-linker"))
        .env("LLVM_PREFIX", &prefix)
        .envs(PROFILE);
    step::run("build bpf-linker", &mut install)
}

/// Makes `link` a symbolic link to `original`, whatever it was.
fn point(link: &Path, original: &Path) -> Result<()> {
    let result = match fs::remove_file(link) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => symlink(original, link),
    };
    result.with_context(|| format!("cannot link {} to {}", link.display(), original.display()))
}
