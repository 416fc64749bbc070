//! `cargo xtask test`: the whole suite.

use anyhow::Result;
use nix::unistd::Uid;
use stickfast_lab::{cleanup, privilege::REQUIRE_ROOT};

use crate::{
    build, privilege, setup, step,
    workspace::{LAB, cargo_locked},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only tests whose names contain one of these
    filter: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::complete()?;
    let mut unit = cargo_locked("test");
    unit.args(["--workspace", "--exclude", LAB, "--"]).args(&arguments.filter);
    if Uid::effective().is_root() {
        unit.env(REQUIRE_ROOT, "1");
    }
    step::run("unit and property tests", &mut unit)?;

    build::daemon(false)?;
    let mut lab = cargo_locked("test");
    // One at a time: they measure how long a failover takes, and share the processors with nobody.
    lab.args(["--package", LAB, "--", "--test-threads=1"]).args(&arguments.filter).env(REQUIRE_ROOT, "1");
    privilege::run_as_root(&mut lab)?;
    let result = step::run("end-to-end tests", &mut lab);
    // A test that was killed cleans nothing up.
    cleanup::sweep();
    result
}
