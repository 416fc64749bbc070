//! `cargo xtask check`: formatting and lints, of both halves.

use anyhow::Result;

use crate::{
    setup::{self, this_machine},
    step,
    toolchain::Toolchain,
    workspace::{cargo, cargo_locked, root, target_dir},
};

pub(crate) fn run() -> Result<()> {
    setup::complete()?;
    step::run("format", cargo("fmt").args(["--all", "--check"]))?;
    let everything = ["--workspace", "--all-targets", "--", "-D", "warnings"];
    step::run("lint", cargo_locked("clippy").args(everything))?;

    let toolchain = Toolchain::find(this_machine())?;
    // Not under the build script's directories: what is only checked is of no use to it.
    let mut lint = toolchain.cargo("check", &["-Dwarnings"], &target_dir()?.join("bpf-lint"));
    // Another compiler's clippy cannot read the `core` of this one.
    match toolchain.compiler.clippy() {
        Some(clippy) => drop(lint.env("RUSTC_WORKSPACE_WRAPPER", clippy)),
        None => step::tell(format_args!("no clippy beside {}: rustc's warnings must do", toolchain.compiler)),
    }
    step::run("lint the XDP program", lint.current_dir(root()))
}
