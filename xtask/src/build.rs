//! `cargo xtask build`: the daemon, with the XDP program in it.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    setup, step,
    workspace::{DAEMON, cargo_locked, target_dir},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Optimise
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::complete()?;
    let daemon = daemon(arguments.release)?;
    step::tell(format_args!("built {}", daemon.display()));
    Ok(())
}

/// Builds the daemon and returns the path of the binary.
pub(crate) fn daemon(release: bool) -> Result<PathBuf> {
    let mut build = cargo_locked("build");
    build.args(DAEMON);
    if release {
        build.arg("--release");
    }
    step::run("build", &mut build)?;
    Ok(target_dir()?.join(if release { "release" } else { "debug" }).join("stickfast"))
}
