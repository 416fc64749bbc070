//! The pins: where they are, whether they fit this version, how they go.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use aya::maps::MapInfo;
use aya_obj::Object;
use lb_ebpf::abi::map;
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

use super::error::DatapathError;

/// A directory on a BPF filesystem that belongs to one instance of Stickfast, which holds it by a lock: the kernel
/// takes the lock away when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Pins {
    directory: PathBuf,
    _lock: Flock<File>,
}

/// Pins of links carry the interface's name behind this.
const LINK_PREFIX: &str = "link_";

impl Pins {
    /// The pins in `directory`, which is made if need be. Also whether any were there.
    pub(super) fn open(directory: &Path) -> Result<(Self, bool), DatapathError> {
        let existing = directory.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
        let filesystem = statfs(existing).map_err(|errno| failure("look at", existing, errno.into()))?;
        if filesystem.filesystem_type() != BPF_FS_MAGIC {
            return Err(DatapathError::NotBpffs { path: directory.to_owned() });
        }
        fs::create_dir_all(directory).map_err(|error| failure("make", directory, error))?;
        let pins = Self { directory: directory.to_owned(), _lock: lock(directory)? };
        let adopted = pins.map(map::META).exists();
        Ok((pins, adopted))
    }

    /// Where a map is pinned.
    pub(super) fn map(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Where the link of an interface is pinned.
    pub(super) fn link(&self, interface: &str) -> PathBuf {
        self.directory.join(format!("{LINK_PREFIX}{interface}"))
    }

    /// Interfaces whose links are pinned.
    pub(super) fn linked_interfaces(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.directory) else { return Vec::new() };
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| name.strip_prefix(LINK_PREFIX).map(str::to_owned))
            .collect()
    }

    pub(super) fn unlink(&self, interface: &str) -> Result<(), DatapathError> {
        let path = self.link(interface);
        fs::remove_file(&path).map_err(|error| failure("remove", &path, error))
    }

    /// Compares every pinned map with what the object declares. aya takes a pinned map as it is, and a value
    /// of another size would be read past its end.
    pub(super) fn check(&self, object: &Object, flows: u32) -> Result<(), DatapathError> {
        for (name, declared) in &object.maps {
            let path = self.map(name);
            if !map::ALL.contains(&name.as_str()) || !path.exists() {
                continue;
            }
            let info =
                MapInfo::from_pin(&path).map_err(|error| failure("read", &path, io::Error::other(error)))?;
            let entries = if name == map::FLOWS { flows } else { declared.max_entries() };
            let kind = info.map_type().map_or(u64::MAX, |kind| kind as u64);
            let facts = [
                ("type", kind, u64::from(declared.map_type())),
                ("a key size of", u64::from(info.key_size()), u64::from(declared.key_size())),
                ("a value size of", u64::from(info.value_size()), u64::from(declared.value_size())),
                ("a capacity of", u64::from(info.max_entries()), u64::from(entries)),
                ("flags", u64::from(info.map_flags()), u64::from(declared.map_flags())),
            ];
            for (what, seen, wanted) in facts {
                self.expect(name, what, seen, wanted)?;
            }
        }
        Ok(())
    }

    /// An error that names the map, unless `seen` is as `wanted`.
    pub(super) fn expect(
        &self,
        name: &str,
        what: &'static str,
        seen: u64,
        wanted: u64,
    ) -> Result<(), DatapathError> {
        if seen == wanted {
            return Ok(());
        }
        let (path, pin_path) = (self.map(name), self.directory.clone());
        Err(DatapathError::Incompatible { path, pin_path, what, seen, wanted })
    }

    /// Removes all pins of ours: links first, so that no program runs without its maps' names. The kernel ends
    /// what nobody holds any more. Anything that is not ours stays, and the directory with it.
    pub(super) fn remove(&self) -> Result<(), DatapathError> {
        for interface in self.linked_interfaces() {
            self.unlink(&interface)?;
        }
        for path in map::ALL.map(|name| self.map(name)) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failure("remove", &path, error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        match fs::remove_dir(&self.directory) {
            Err(error)
                if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) =>
            {
                Err(failure("remove", &self.directory, error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Takes the data path of `pin_path` down: programs off their interfaces, maps and flows forgotten. The
/// interfaces that were served.
///
/// # Errors
/// A pin that cannot be removed, or a daemon that still runs.
pub fn detach(pin_path: &Path) -> Result<Vec<String>, DatapathError> {
    if !pin_path.exists() {
        return Ok(Vec::new());
    }
    let pins = Pins { directory: pin_path.to_owned(), _lock: lock(pin_path)? };
    let interfaces = pins.linked_interfaces();
    pins.remove()?;
    Ok(interfaces)
}

/// Makes the directory ours alone.
fn lock(directory: &Path) -> Result<Flock<File>, DatapathError> {
    let file = File::open(directory).map_err(|error| failure("open", directory, error))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
        if errno == Errno::EWOULDBLOCK {
            return DatapathError::InUse { path: directory.to_owned() };
        }
        failure("lock", directory, errno.into())
    })
}

fn failure(action: &'static str, path: &Path, source: io::Error) -> DatapathError {
    if source.kind() == io::ErrorKind::PermissionDenied {
        return DatapathError::Privilege { source };
    }
    DatapathError::Pin { action, path: path.to_owned(), source }
}
