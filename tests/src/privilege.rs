//! Whether this machine can run the laboratory at all, and the typed reason when it cannot.

use std::fmt;
use std::path::Path;

/// Set to `1` where a skipped test is a failure, as in continuous integration.
pub const REQUIRE_ROOT: &str = "STICKFAST_REQUIRE_ROOT";

const PROGRAMS: [&str; 6] = ["ip", "ethtool", "nsenter", "setpriv", "nginx", "haproxy"];

/// Why the laboratory cannot run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// Namespaces and XDP need root.
    NotRoot,
    /// The BPF file system is not mounted at `/sys/fs/bpf`.
    NoBpffs,
    /// A program that the laboratory runs is not installed.
    NoProgram(&'static str),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRoot => f.write_str("namespaces and XDP need root"),
            Self::NoBpffs => f.write_str("no BPF file system at /sys/fs/bpf: mount -t bpf bpf /sys/fs/bpf"),
            Self::NoProgram(name) => write!(f, "{name} is not installed: cargo xtask setup"),
        }
    }
}

/// Asks whether the laboratory can run.
///
/// # Errors
/// The first reason why not.
pub fn check() -> Result<(), Unavailable> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Unavailable::NotRoot);
    }
    if !nix::sys::statfs::statfs("/sys/fs/bpf")
        .is_ok_and(|fs| fs.filesystem_type() == nix::sys::statfs::BPF_FS_MAGIC)
    {
        return Err(Unavailable::NoBpffs);
    }
    let missing = PROGRAMS.into_iter().find(|program| !is_installed(program));
    missing.map_or(Ok(()), |program| Err(Unavailable::NoProgram(program)))
}

/// For the first line of a test: `false`, with the reason printed, where the test cannot run.
///
/// # Panics
/// Where it cannot run but [`REQUIRE_ROOT`] says that it must.
#[expect(clippy::print_stderr, clippy::panic, reason = "the answer of a test is its output")]
pub fn can_run() -> bool {
    match check() {
        Ok(()) => true,
        Err(reason) if std::env::var(REQUIRE_ROOT).is_ok_and(|value| value == "1") => {
            panic!("{REQUIRE_ROOT}=1, but {reason}")
        }
        Err(reason) => {
            eprintln!("skipped: {reason}");
            false
        }
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|directory| Path::new(&directory).join(program).is_file())
}
