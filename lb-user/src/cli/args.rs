//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, builder::NonEmptyStringValueParser};
use clap_complete::Shell;

use crate::runtime::DEFAULT_SOCKET;

/// Where maps and links are pinned when nothing else is said.
pub(super) const DEFAULT_PIN_PATH: &str = "/sys/fs/bpf/stickfast";

/// Active/passive load balancing without failback, in the kernel.
#[derive(Debug, Parser)]
#[command(name = "stickfast", version, arg_required_else_help = true)]
#[command(after_help = "Exit status: 0 success, 1 failure or invalid configuration, 2 wrong usage, or a \
                        configuration without any address to serve.")]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve the addresses of an HAProxy configuration.
    Run(Run),
    /// Check a configuration without touching anything.
    Check(Check),
    /// Send a command to a running daemon and print its answer.
    Ctl(Ctl),
    /// Take the data path down: forwarding ends, connections are forgotten.
    Detach(Pins),
    /// Print a script that completes this command line.
    Completions { shell: Shell },
    /// Print the manual page of this command, or of one of its subcommands.
    Man { subcommand: Option<String> },
}

#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) config: Configuration,
    /// Serve this interface (may be given several times). Default: those of the xdp section, else those over
    /// which the configured addresses are reached.
    #[arg(long = "iface", value_name = "IF", value_parser = NonEmptyStringValueParser::new())]
    pub(super) interfaces: Vec<String>,
    #[command(flatten)]
    pub(super) pins: Pins,
    /// Log the verdict on every packet. Slow; for looking at a few.
    #[arg(long)]
    pub(super) trace: bool,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) config: Configuration,
    /// Print nothing; the exit status tells.
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Also name the keywords that are ignored without a loss.
    #[arg(short = 'V', long)]
    pub(super) verbose: bool,
    /// Warnings are errors.
    #[arg(long)]
    pub(super) zero_warning: bool,
}

#[derive(Debug, Args)]
pub(super) struct Configuration {
    /// Configuration file; several are read as if they were one.
    #[arg(short = 'f', value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Name of the local peer. Default: `localpeer`, else the host's name.
    #[arg(short = 'L', value_name = "NAME")]
    pub(super) local_peer: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Pins {
    /// Directory on a BPF filesystem that belongs to this instance.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_PIN_PATH)]
    pub(super) pin_path: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Ctl {
    /// The daemon's stats socket.
    #[arg(short, long, value_name = "PATH", default_value = DEFAULT_SOCKET)]
    pub(super) socket: PathBuf,
    /// A command of the Runtime API, e.g. "show table bk_app".
    #[arg(required = true, value_name = "COMMAND")]
    pub(super) command: Vec<String>,
}
