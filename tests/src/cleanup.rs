//! What the laboratory leaves in the system, and how every bit of it goes away again.
//!
//! A [`Hold`] removes its [`Trace`] on drop, which covers success, failure and panic. A process that ends by
//! a signal calls [`remove_all`] from its handler thread. After a SIGKILL the next laboratory to start
//! calls [`sweep`]. The kernel kills the processes of a killed laboratory (see [`crate::process`]).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PREFIX: &str = "sf-";
const NAMESPACES: &str = "/run/netns";
const BPFFS: &str = "/sys/fs/bpf";

static HELD: Mutex<BTreeSet<Trace>> = Mutex::new(BTreeSet::new());
static NEXT: AtomicU32 = AtomicU32::new(1);
static SWEPT: Once = Once::new();

/// One thing that lives outside of this process. In the order in which they are to be removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trace {
    /// A child process.
    Process(i32),
    /// A directory of the BPF file system: the pins in it are unlinked.
    Pins(PathBuf),
    /// A named network namespace.
    Namespace(String),
    /// A scratch directory.
    Directory(PathBuf),
}

/// Owns a [`Trace`] and removes it on drop.
#[derive(Debug)]
pub struct Hold(Trace);

impl Hold {
    /// Takes responsibility for `trace`, which may be made only after this call.
    pub fn new(trace: Trace) -> Self {
        SWEPT.call_once(sweep);
        held(|traces| traces.insert(trace.clone()));
        Self(trace)
    }

    /// What is held.
    pub fn trace(&self) -> &Trace {
        &self.0
    }

    /// Forgets a trace that has gone by itself.
    pub fn gone(&self) {
        held(|traces| traces.remove(&self.0));
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if held(|traces| traces.remove(&self.0)) {
            remove(&self.0);
        }
    }
}

/// A name that no other laboratory on this machine uses: `sf-<pid>-<n>-<role>`.
pub fn unique(role: &str) -> String {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}-{number}-{role}", process::id())
}

/// A fresh directory under the system's temporary one.
///
/// # Errors
/// When it cannot be created.
pub fn scratch() -> anyhow::Result<Hold> {
    let path = std::env::temp_dir().join(unique("dir"));
    let hold = Hold::new(Trace::Directory(path.clone()));
    fs::create_dir(&path)?;
    Ok(hold)
}

/// Where a laboratory's BPF objects are pinned; whoever pins makes the directory.
pub fn pins() -> (PathBuf, Hold) {
    let path = Path::new(BPFFS).join(unique("pins"));
    (path.clone(), Hold::new(Trace::Pins(path)))
}

/// Removes everything that this process holds. For a signal handler's thread, right before the exit.
pub fn remove_all() {
    for trace in held(std::mem::take) {
        remove(&trace);
    }
}

/// Removes what laboratories that no longer live have left, and what still runs in their namespaces.
pub fn sweep() {
    let leftovers = |directory: &Path| -> Vec<(String, PathBuf)> {
        let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
        let named =
            entries.flatten().map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
        named.filter(|(name, _)| owner(name).is_some_and(is_dead)).collect()
    };
    for (_, path) in leftovers(Path::new(BPFFS)) {
        remove(&Trace::Pins(path));
    }
    for (name, _) in leftovers(Path::new(NAMESPACES)) {
        let pids = Command::new("ip").args(["netns", "pids", &name]).stderr(Stdio::null()).output();
        let pids =
            pids.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        pids.split_whitespace().flat_map(str::parse).for_each(|pid| remove(&Trace::Process(pid)));
        remove(&Trace::Namespace(name));
    }
    for (_, path) in leftovers(&std::env::temp_dir()) {
        remove(&Trace::Directory(path));
    }
}

fn owner(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

fn is_dead(pid: u32) -> bool {
    !Path::new("/proc").join(pid.to_string()).exists()
}

fn held<T>(change: impl FnOnce(&mut BTreeSet<Trace>) -> T) -> T {
    change(&mut HELD.lock().unwrap_or_else(PoisonError::into_inner))
}

/// As far as it can be done: a trace that has gone already is no failure.
fn remove(trace: &Trace) {
    match trace {
        Trace::Process(pid) => {
            kill(Pid::from_raw(*pid), Signal::SIGKILL).ok();
        }
        Trace::Namespace(name) => {
            let mut ip = Command::new("ip");
            drop(ip.args(["netns", "delete", name]).stderr(Stdio::null()).status());
        }
        Trace::Pins(path) | Trace::Directory(path) => drop(fs::remove_dir_all(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_read_from_the_name_and_from_nothing_else() {
        assert_eq!(owner("sf-12-3-lb"), Some(12));
        assert_eq!(owner(&unique("lb")), Some(process::id()));
        assert_eq!(owner("sf-x-3-lb"), None);
        assert_eq!(owner("stickfast"), None);
    }

    #[test]
    fn a_directory_goes_with_its_hold() {
        let hold = scratch().unwrap();
        let Trace::Directory(path) = hold.trace().clone() else { panic!("not a directory") };
        fs::write(path.join("file"), "content").unwrap();
        drop(hold);
        assert!(!path.exists());
    }

    #[test]
    fn a_living_owner_keeps_its_traces() {
        let hold = scratch().unwrap();
        sweep();
        let Trace::Directory(path) = hold.trace() else { panic!("not a directory") };
        assert!(path.exists());
    }
}
