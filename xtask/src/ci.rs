//! `cargo xtask ci`: what continuous integration does, which is what a newcomer does.

use anyhow::Result;

use crate::{step, workspace::cargo};

pub(crate) fn run() -> Result<()> {
    // By the very commands, so that none of them works here and fails at a prompt.
    for task in ["setup", "check", "test", "demo"] {
        step::run(task, cargo("xtask").arg(task))?;
    }
    Ok(())
}
