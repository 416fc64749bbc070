//! What the command line asks for. The only modules that print are here and in `config::report`.

mod args;
mod log;

use std::{
    io::{self, IsTerminal as _, Write as _, stderr, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};

use self::args::{Check, Cli, Command, Configuration, Ctl, Run};
use crate::{
    config::{self, Loaded, Rejected, Report},
    daemon::{self, RunError},
    datapath, net, runtime,
};

/// Does what the arguments of this process say.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(run) => self::run(&run),
        Command::Check(check) => self::check(&check),
        Command::Ctl(ctl) => self::ctl(&ctl),
        Command::Detach(pins) => detach(&pins.pin_path),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "stickfast", &mut stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { subcommand } => man(subcommand.as_deref()),
    };
    result.unwrap_or_else(|error| {
        let hint = error.chain().find_map(hint);
        // Nobody is left to tell if stderr is closed.
        drop(write_failure(&error, hint.as_deref()));
        ExitCode::FAILURE
    })
}

fn run(run: &Run) -> anyhow::Result<ExitCode> {
    let result = load(&run.config)?;
    let loaded = match result {
        Ok(loaded) if loaded.config.listens() => {
            // Warnings only: a daemon's standard output belongs to nobody.
            config::report(&Ok(loaded.clone()), report(false), &mut io::sink(), &mut stderr())?;
            loaded
        }
        other => {
            let status = config::report(&other, report(false), &mut stderr(), &mut stderr())?;
            return Ok(ExitCode::from(status));
        }
    };
    log::start();
    let options = daemon::Options {
        interfaces: run.interfaces.clone(),
        pin_path: run.pins.pin_path.clone(),
        trace: run.trace,
    };
    block_on(daemon::run(loaded.config, &options))??;
    Ok(ExitCode::SUCCESS)
}

fn check(check: &Check) -> anyhow::Result<ExitCode> {
    let result = load(&check.config)?;
    let how = Report { quiet: check.quiet, zero_warning: check.zero_warning, ..report(check.verbose) };
    Ok(ExitCode::from(config::report(&result, how, &mut stdout(), &mut stderr())?))
}

fn ctl(ctl: &Ctl) -> anyhow::Result<ExitCode> {
    let answer = block_on(runtime::send(&ctl.socket, &ctl.command.join(" ")))??;
    stdout().write_all(answer.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn detach(pin_path: &Path) -> anyhow::Result<ExitCode> {
    let interfaces = datapath::detach(pin_path)?;
    let mut out = stdout();
    if interfaces.is_empty() {
        writeln!(out, "nothing is attached by the pins of {}", pin_path.display())?;
    } else {
        writeln!(out, "detached from {}", interfaces.join(", "))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn man(subcommand: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut command = Cli::command();
    command.build();
    let command = match subcommand {
        None => command,
        Some(name) => command
            .find_subcommand(name)
            .with_context(|| format!("stickfast has no subcommand '{name}'"))?
            .clone(),
    };
    clap_mangen::Man::new(command).render(&mut stdout())?;
    Ok(ExitCode::SUCCESS)
}

fn load(configuration: &Configuration) -> anyhow::Result<Result<Loaded, Rejected>> {
    let files: &[PathBuf] = &configuration.files;
    let options =
        config::Options { local_peer: configuration.local_peer.clone(), host_name: net::host_name()? };
    Ok(config::load(files, &options))
}

fn report(verbose: bool) -> Report {
    Report { pid: std::process::id(), colour: stderr().is_terminal(), verbose, ..Report::default() }
}

/// One thread: the daemon waits most of the time, and what it knows needs no locks.
fn block_on<F: Future>(future: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.context("cannot start the runtime")?.block_on(future))
}

fn hint(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<RunError>() {
        return error.hint();
    }
    error.downcast_ref::<runtime::ClientError>().map(|error| error.hint().to_string())
}

/// The message, and what to do.
fn write_failure(error: &anyhow::Error, hint: Option<&str>) -> io::Result<()> {
    let mut err = stderr();
    writeln!(err, "stickfast: {}", message(error))?;
    match hint {
        Some(hint) => writeln!(err, "hint: {hint}"),
        None => Ok(()),
    }
}

/// Errors of our own name their causes themselves; any other is told with them.
fn message(error: &anyhow::Error) -> String {
    let own = error.is::<RunError>()
        || error.is::<datapath::DatapathError>()
        || error.is::<net::NetError>()
        || error.is::<runtime::ClientError>();
    if own { error.to_string() } else { format!("{error:#}") }
}
