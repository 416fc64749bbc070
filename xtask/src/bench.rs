//! `cargo xtask bench`: measurements.

use anyhow::Result;
use clap::ValueEnum;

use crate::{
    privilege, setup, step,
    workspace::{LAB, cargo_locked},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to measure
    what: Subject,
    /// More for the benchmark, after `--`
    #[arg(last = true, value_name = "ARGUMENT")]
    rest: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Subject {
    /// The XDP program, packet by packet, in the kernel
    Datapath,
    /// The daemon's memory, and how soon after its first election packets pass
    Daemon,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    setup::complete()?;
    let mut bench = cargo_locked("bench");
    let what = match arguments.what {
        Subject::Datapath => "datapath",
        Subject::Daemon => "daemon",
    };
    bench.args(["--package", LAB, "--bench", what, "--"]).args(&arguments.rest);
    privilege::run_as_root(&mut bench)?;
    step::run("measure", &mut bench)
}
