//! Where things are, and cargo.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::toolchain::output;

/// The package of the daemon, and its binary.
pub(crate) const DAEMON: [&str; 4] = ["--package", "lb-user", "--bin", "stickfast"];
/// The package of the end-to-end tests and benchmarks.
pub(crate) const LAB: &str = "stickfast-lab";

/// The directory of the workspace.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

/// The cargo that runs this task, in the workspace.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).arg(subcommand);
    command
}

/// The same, refusing to change the locked versions.
pub(crate) fn cargo_locked(subcommand: &str) -> Command {
    let mut command = cargo(subcommand);
    command.arg("--locked");
    command
}

/// Where cargo puts what it makes.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let metadata = output(cargo("metadata").args(["--no-deps", "--format-version=1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let directory = metadata.get("target_directory").and_then(|value| value.as_str());
    Ok(directory.context("`cargo metadata` names no target directory")?.into())
}
