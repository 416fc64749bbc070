//! Root, or sudo.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::{setup::program, toolchain::output};

/// `program`, run by root: directly, or by way of sudo.
///
/// # Errors
///
/// We are not root and there is no sudo.
pub(crate) fn root(name: &str) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(name));
    }
    require_sudo(name)?;
    let mut command = Command::new("sudo");
    command.arg(name);
    Ok(command)
}

/// Has cargo's `command` compile as the present user, and run what it compiled as root.
///
/// # Errors
///
/// We are not root and there is no sudo.
pub(crate) fn run_as_root(command: &mut Command) -> Result<()> {
    if !is_root() {
        require_sudo("what cargo compiled")?;
        let about = output(Command::new("rustc").arg("-vV"))?;
        let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        let runner = format!("CARGO_TARGET_{}_RUNNER", host.to_uppercase().replace('-', "_"));
        command.env(runner, "sudo --preserve-env");
    }
    Ok(())
}

fn require_sudo(what: &str) -> Result<()> {
    ensure!(program("sudo").is_some(), "{what} needs root\nhint: become root, or install sudo");
    Ok(())
}

/// Whether we have root's rights.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}
