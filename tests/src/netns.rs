//! Network namespaces, and how to be in one.

use std::fs::File;
use std::io::Write as _;
use std::panic;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CloneFlags, setns};

use crate::cleanup::{Hold, Trace, unique};

/// A network namespace; it is removed with its last clone.
#[derive(Clone, Debug)]
pub struct Netns {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    _hold: Hold,
}

impl Netns {
    /// Makes a namespace with the loopback up. IPv6 is off: its neighbour discovery and router
    /// solicitations would be traffic that no test asked for.
    ///
    /// # Errors
    /// When `ip netns add` fails, for want of privileges for example.
    pub fn new(role: &str) -> Result<Self> {
        let name = unique(role);
        let hold = Hold::new(Trace::Namespace(name.clone()));
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let netns = Self { inner: Arc::new(Inner { name, _hold: hold }) };
        netns.sysctl("net/ipv6/conf/all/disable_ipv6", "1")?;
        netns.ip("link set lo up")?;
        Ok(netns)
    }

    /// The name that `ip netns` knows.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The file that `nsenter --net=` takes.
    pub fn path(&self) -> PathBuf {
        PathBuf::from("/run/netns").join(self.name())
    }

    /// Runs `work` in this namespace, on a thread of its own, and waits for it. A socket opened there stays
    /// in this namespace wherever it is used afterwards.
    ///
    /// Only the network changes: unlike under `ip netns exec`, `/sys/fs/bpf` is still the system's.
    ///
    /// # Errors
    /// When the namespace cannot be entered. A panic of `work` is passed on.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| self.join_this_thread().map(|()| work()));
            inside.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
        })
    }

    /// Starts a thread in this namespace that lives on.
    ///
    /// # Errors
    /// When the thread cannot be started. One that cannot enter the namespace ends with that error.
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<Result<T>>> {
        let netns = self.clone();
        let thread = thread::Builder::new().name(name.to_owned());
        Ok(thread.spawn(move || netns.join_this_thread().map(|()| work()))?)
    }

    /// A command that runs in this namespace. For a process that stays, see [`crate::Process`].
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display())).arg(program);
        command
    }

    /// Runs commands of `ip`, one on each line of `batch`.
    ///
    /// # Errors
    /// The first line that failed, with what `ip` says about it.
    pub fn ip(&self, batch: &str) -> Result<()> {
        let mut command = Command::new("ip");
        command.args(["-n", self.name(), "-batch", "-"]);
        run_with_input(&mut command, batch).with_context(|| format!("ip -n {}: {batch}", self.name()))
    }

    /// Writes `value` to a file below `/proc/sys`, which shows each thread its own namespace.
    ///
    /// # Errors
    /// When there is no such file or it refuses the value.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = PathBuf::from("/proc/sys").join(key);
        self.enter(|| std::fs::write(&path, value))?.with_context(|| format!("sysctl {key}={value}"))
    }

    fn join_this_thread(&self) -> Result<()> {
        let path = self.path();
        let file = File::open(&path).with_context(|| format!("namespace {}", path.display()))?;
        setns(file, CloneFlags::CLONE_NEWNET).with_context(|| format!("setns {}", path.display()))
    }
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started or fails; with its standard error.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed ({}): {}", output.status, error.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn run_with_input(command: &mut Command, input: &str) -> Result<()> {
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
