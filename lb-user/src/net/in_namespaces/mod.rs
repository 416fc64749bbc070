//! Tests against the kernel, in network namespaces of their own. They need root: without it they say so
//! and pass, unless `STICKFAST_REQUIRE_ROOT=1` makes that a failure.

mod next_hops;
mod tables;
mod xdp;

use super::Mac;
use nix::sched::{CloneFlags, setns};
use std::{
    fmt,
    fs::File,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// Why a test did not run.
#[derive(Clone, Copy, Debug)]
enum Skipped {
    NotRoot,
}

impl fmt::Display for Skipped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRoot => formatter.write_str("network namespaces need root"),
        }
    }
}

/// `true` as root. Otherwise says why the test is skipped.
#[track_caller]
fn allowed() -> bool {
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    let why = Skipped::NotRoot;
    assert_ne!(std::env::var("STICKFAST_REQUIRE_ROOT").as_deref(), Ok("1"), "{why}");
    #[expect(clippy::print_stderr, reason = "the test harness shows it")]
    {
        eprintln!("skipped: {why}");
    }
    false
}

/// A network namespace; removed, with everything in it, when dropped.
struct Namespace {
    name: String,
}

impl Namespace {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("sfnet{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run("ip", ["netns", "add", &name]);
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    /// `ip` with these arguments, inside.
    #[track_caller]
    fn ip(&self, arguments: &str) {
        run("ip", ["-n", &self.name].into_iter().chain(arguments.split_whitespace()));
    }

    /// Any command line, inside.
    #[track_caller]
    fn exec(&self, command: &str) {
        run("ip", ["netns", "exec", &self.name].into_iter().chain(command.split_whitespace()));
    }

    /// Sets a value below `/proc/sys/net`, by its sysctl name.
    #[track_caller]
    fn sysctl(&self, setting: &str) {
        self.exec(&format!("sysctl -qw net.{setting}"));
    }

    /// Connects `ours` here to `theirs` in `far`, both up. IPv6 addresses are usable at once.
    #[track_caller]
    fn connect(&self, ours: &str, far: &Self, theirs: &str) {
        self.ip(&format!("link add {ours} type veth peer name {theirs} netns {}", far.name));
        for (namespace, interface) in [(self, ours), (far, theirs)] {
            namespace.sysctl(&format!("ipv6.conf.{interface}.accept_dad=0"));
            namespace.ip(&format!("link set {interface} up"));
        }
    }

    /// Runs `inside` in this namespace, on a thread and a current-thread runtime of its own.
    fn enter<T: Send>(&self, inside: impl AsyncFnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.name)).unwrap();
        let body = move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(inside())
        };
        std::thread::scope(|scope| {
            scope.spawn(body).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let removed = Command::new("ip").args(["netns", "del", &self.name]).status();
        if !std::thread::panicking() {
            assert!(removed.unwrap().success(), "cannot remove namespace {}", self.name);
        }
    }
}

#[track_caller]
fn run<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) {
    let mut command = Command::new(program);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A locally administered address that ends in `last`.
fn mac(last: u8) -> Mac {
    [0x02, 0, 0, 0, 0, last]
}
