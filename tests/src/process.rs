//! Long-lived processes inside a namespace: their end, their log, and that none survives us.
//!
//! A process is `nsenter … setpriv --pdeathsig KILL … program`, one `exec` after the other, so the process id
//! is the program's own. The kernel sends that death signal when the *thread* that started the child ends;
//! therefore one thread that never ends starts them all. What is killed with us before it got to `setpriv`
//! is left to [`crate::cleanup::sweep`].

use std::fs;
use std::io::{self, BufRead as _, BufReader, PipeReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cleanup::{Hold, Trace};
use crate::clock::{PATIENCE, now, until};
use crate::netns::Netns;

const LINES_SHOWN: usize = 60;

type Lines = Arc<Mutex<Vec<LogLine>>>;

/// One line of a process's output, standard output and error as they come.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// When the line arrived here.
    pub at: Instant,
    /// The line without its end.
    pub text: String,
}

/// A running process; it is killed on drop, and if a test is failing then, its log is shown.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    hold: Hold,
    lines: Lines,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `command` in `netns`; when this returns it is the program itself that runs, or has ended.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(netns: &Netns, name: &str, command: &[&str]) -> Result<Self> {
        let mut inside = netns.command("setpriv");
        inside.args(["--pdeathsig", "KILL", "--"]).args(command).stdin(Stdio::null());
        let (output, writer) = io::pipe()?;
        inside.stdout(writer.try_clone()?).stderr(writer);
        let child = spawn_from_lasting_thread(inside).with_context(|| format!("cannot start {name}"))?;
        let hold = Hold::new(Trace::Process(i32::try_from(child.id())?));
        let lines = Lines::default();
        let reader = thread::spawn({
            let lines = Arc::clone(&lines);
            move || collect(output, &lines)
        });
        let mut process = Self { name: name.to_owned(), child, hold, lines, reader: Some(reader) };
        process.wait_for_program(command)?;
        Ok(process)
    }

    /// The kernel cuts a process's name to 15 bytes.
    fn wait_for_program(&mut self, command: &[&str]) -> Result<()> {
        let program = command.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        let comm = format!("/proc/{}/comm", self.id());
        until(PATIENCE, &format!("the program of {}", self.name), || {
            let name = fs::read_to_string(&comm).unwrap_or_default();
            let is_it = !name.trim_end().is_empty() && program.starts_with(name.trim_end());
            if is_it || !matches!(self.ended(), Ok(None)) { Ok(()) } else { Err(name) }
        })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal; one to a process that has ended already is lost.
    pub fn signal(&self, signal: Signal) {
        if let Trace::Process(pid) = self.hold.trace() {
            kill(Pid::from_raw(*pid), signal).ok();
        }
    }

    /// How the process ended, if it has; its log is complete then.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.hold.gone();
            if let Some(reader) = self.reader.take() {
                drop(reader.join());
            }
        }
        Ok(status)
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When the process still runs after `patience`.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        until(patience, &what, || match self.ended() {
            Ok(Some(status)) => Ok(Ok(status)),
            Ok(None) => Err("still running"),
            Err(error) => Ok(Err(error)),
        })?
    }

    /// Kills it, waits, and so frees its ports.
    ///
    /// # Errors
    /// When it does not end.
    pub fn kill(&mut self) -> Result<()> {
        self.signal(Signal::SIGKILL);
        self.wait(PATIENCE).map(drop)
    }

    /// What it has written so far.
    pub fn lines(&self) -> Vec<LogLine> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has written so far, as one text.
    pub fn log(&self) -> String {
        let lines = self.lines();
        let skipped = lines.len().saturating_sub(LINES_SHOWN);
        let shown: Vec<&str> = lines.iter().skip(skipped).map(|line| line.text.as_str()).collect();
        format!("--- {}, pid {}, the end of its log:\n{}", self.name, self.id(), shown.join("\n"))
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the test harness shows it with the failure")]
    fn drop(&mut self) {
        drop(self.kill());
        if thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

fn collect(output: PipeReader, lines: &Lines) {
    for text in BufReader::new(output).lines() {
        let Ok(text) = text else { continue };
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(LogLine { at: now(), text });
    }
}

fn spawn_from_lasting_thread(command: Command) -> Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in orders {
                drop(reply.send(command.spawn()));
            }
        });
        sender
    });
    let (reply, answer) = channel();
    if spawner.send((command, reply)).is_err() {
        bail!("the thread that starts processes has ended");
    }
    Ok(answer.recv()??)
}
