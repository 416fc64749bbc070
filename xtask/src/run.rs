//! `cargo xtask run`: the daemon, optimised, on interfaces of this machine.

use std::{os::unix::process::CommandExt as _, path::PathBuf};

use anyhow::{Error, Result};

use crate::{build, privilege, setup};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Interface to attach to; may be repeated
    #[arg(long, value_name = "IF")]
    iface: Vec<String>,
    /// Configuration, in HAProxy's language; may be repeated
    #[arg(short, long, value_name = "FILE", required = true)]
    file: Vec<PathBuf>,
    /// More for `stickfast run`, after `--`
    #[arg(last = true, value_name = "ARGUMENT")]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::complete()?;
    let daemon = build::daemon(true)?;
    let mut command = privilege::root(&daemon.to_string_lossy())?;
    command.arg("run");
    for interface in &arguments.iface {
        command.args(["--iface", interface]);
    }
    for file in &arguments.file {
        command.arg("-f").arg(file);
    }
    // The daemon takes this process's place, and with it the terminal and the signals.
    let error = command.args(&arguments.rest).exec();
    Err(Error::new(error).context(format!("cannot run {}", daemon.display())))
}
