//! The components of the Rust that runs this task, which it cannot install for itself.

use crate::{toolchain::output, workspace::cargo};

/// Subcommand of cargo, and the component of rustup that brings it.
const COMPONENTS: [(&str, &str); 2] = [("fmt", "rustfmt"), ("clippy", "clippy")];

/// What `cargo xtask check` lacks, in words that tell the remedy.
pub(super) fn missing() -> Vec<String> {
    let absent = |&(subcommand, _): &(&str, &str)| output(cargo(subcommand).arg("--version")).is_err();
    COMPONENTS
        .into_iter()
        .filter(absent)
        .map(|(subcommand, component)| {
            format!("cargo {subcommand}: checks this code (rustup component add {component})")
        })
        .collect()
}
