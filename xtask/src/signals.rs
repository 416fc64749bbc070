//! Ctrl-C, SIGTERM and SIGHUP end what was started as well as the task itself.
//!
//! Under root each child leads a process group, so that the signal reaches its children too: cargo's tests
//! do not outlive cargo. Otherwise it stays in ours, where the terminal sends Ctrl-C by itself and where sudo
//! may ask for a password. What a test or the demo had made in the system by then is removed.

use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Command, ExitStatus, Stdio, exit},
    sync::atomic::{AtomicBool, AtomicI32, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};
use stickfast_lab::{cleanup, until};

use crate::privilege;

/// How long children may take to end by themselves.
const GRACE: Duration = Duration::from_secs(5);
const NOBODY: i32 = 0;

/// The child that runs now, as kill(2) takes it: a process, or, negative, a process group.
static CHILD: AtomicI32 = AtomicI32::new(NOBODY);
static ENDING: AtomicBool = AtomicBool::new(false);

/// Takes charge of the signals.
pub(crate) fn handle() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot handle signals")?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            end(signal);
        }
    });
    Ok(())
}

/// Starts `command`, without a standard input, and waits for it.
pub(crate) fn wait(command: &mut Command) -> Result<ExitStatus> {
    let leads = privilege::is_root();
    if leads {
        command.process_group(0);
    }
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let id = i32::try_from(child.id())?;
    CHILD.store(if leads { -id } else { id }, Ordering::SeqCst);
    let status = child.wait();
    stay_if_ending();
    CHILD.store(NOBODY, Ordering::SeqCst);
    status.context("cannot wait")
}

/// Whoever is told to end says nothing more; the thread that handles the signal ends the process.
fn stay_if_ending() {
    while ENDING.load(Ordering::SeqCst) {
        thread::park();
    }
}

#[expect(clippy::exit, reason = "the main thread may be waiting for anything")]
fn end(signal: i32) -> ! {
    ENDING.store(true, Ordering::SeqCst);
    let child = CHILD.load(Ordering::SeqCst);
    if child != NOBODY {
        let tell = |signal: Option<Signal>| kill(Pid::from_raw(child), signal);
        tell(Signal::try_from(signal).ok()).ok();
        let gone = until(GRACE, "the end of what was started", || match tell(None) {
            Err(Errno::ESRCH) => Ok(()),
            other => Err(other),
        });
        if gone.is_err() {
            tell(Some(Signal::SIGKILL)).ok();
        }
    }
    cleanup::remove_all();
    cleanup::sweep();
    drop(io::Write::write_all(&mut io::stderr(), b"interrupted\n"));
    exit(128 + signal)
}
