//! The project's chores, as `cargo xtask COMMAND`.
//!
//! Prerequisites are Rust (see `rust-version` in Cargo.toml), with which it is built, and a C compiler, which
//! Rust links with. Everything else is found, or installed, by `cargo xtask setup`.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bench;
mod build;
mod check;
mod ci;
mod demo;
mod privilege;
mod run;
mod setup;
mod signals;
mod step;
mod test;
mod toolchain;
mod workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set up, build, run and prove Stickfast")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what building and testing need
    Setup(setup::Arguments),
    /// Build the daemon, with the XDP program in it
    Build(build::Arguments),
    /// Check formatting and lints, of both halves
    Check,
    /// Run the unit and property tests, then the end-to-end tests
    Test(test::Arguments),
    /// Measure
    Bench(bench::Arguments),
    /// Run the daemon on interfaces of this machine
    Run(run::Arguments),
    /// Show failover with and without failback, on servers in network namespaces
    Demo,
    /// Do what continuous integration does
    Ci,
}

fn main() -> ExitCode {
    let task = Arguments::parse().task;
    match signals::handle().and_then(|()| task.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            step::complain(&error);
            ExitCode::FAILURE
        }
    }
}

impl Task {
    fn run(self) -> Result<()> {
        match self {
            Self::Setup(arguments) => setup::run(&arguments),
            Self::Build(arguments) => build::run(&arguments),
            Self::Check => check::run(),
            Self::Test(arguments) => test::run(&arguments),
            Self::Bench(arguments) => bench::run(&arguments),
            Self::Run(arguments) => run::run(&arguments),
            Self::Demo => demo::run(),
            Self::Ci => ci::run(),
        }
    }
}
