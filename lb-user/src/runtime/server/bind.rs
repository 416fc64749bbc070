//! Putting the socket files in place, and taking them away.

use std::{
    ffi::OsString,
    fs, io,
    os::{
        fd::AsFd as _,
        unix::{
            fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
            net::UnixListener as StdListener,
        },
    },
    path::{Path, PathBuf},
};

use nix::{
    sys::socket::{getsockopt, sockopt::PeerCredentials},
    unistd::{Gid, Group, Uid, User, chown},
};
use socket2::{Domain, SockAddr, Socket, Type};
use thiserror::Error;
use tokio::net::UnixListener;

use crate::config::model::{Level, StatsSocket};

/// Mode of a socket whose line states none: like HAProxy's under the usual umask, where only the owner
/// can write and so connect.
const DEFAULT_MODE: u32 = 0o600;

/// Mode of a directory made for a socket.
const DIRECTORY_MODE: u32 = 0o755;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// Why a stats socket cannot be served.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another process answers there.
    #[error("stats socket {} is already served{}", path.display(), pid.map(|pid| format!(" by process {pid}")).unwrap_or_default())]
    InUse { path: PathBuf, pid: Option<i32> },
    /// Something is there that is no socket; it is left alone.
    #[error("cannot make stats socket {}: the path exists and is no socket", path.display())]
    NotASocket { path: PathBuf },
    #[error("cannot make stats socket {}: the path has {length} bytes, at most {limit} fit", path.display())]
    PathTooLong { path: PathBuf, length: usize, limit: usize },
    #[error("cannot make stats socket {}: no such user '{user}'", path.display())]
    NoSuchUser { path: PathBuf, user: String },
    #[error("cannot make stats socket {}: no such group '{group}'", path.display())]
    NoSuchGroup { path: PathBuf, group: String },
    #[error("cannot {step} stats socket {}: {source}", path.display())]
    Io { path: PathBuf, step: &'static str, source: io::Error },
}

impl BindError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::InUse { .. } => "stop that process first, or give this one another `stats socket`",
            Self::NotASocket { .. } => "remove it, or name another path in `stats socket`",
            Self::PathTooLong { .. } => "name a shorter path in `stats socket`",
            Self::NoSuchUser { .. } => "create the user, or name another one after `user`",
            Self::NoSuchGroup { .. } => "create the group, or name another one after `group`",
            Self::Io { .. } => "check the directory's permissions, and `mode`, `user` and `group`",
        }
    }
}

/// Listening stats sockets. Their files are removed when it is dropped.
#[derive(Debug)]
pub struct Sockets {
    bound: Vec<Bound>,
}

impl Sockets {
    /// Makes the sockets and listens on them. Missing parent directories are made; the socket of a
    /// process that is gone is replaced.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// For the first socket that cannot be served; none is left behind then.
    pub fn bind(sockets: &[StatsSocket]) -> Result<Self, BindError> {
        let bound = sockets.iter().map(Bound::new).collect::<Result<_, _>>()?;
        Ok(Self { bound })
    }

    pub(super) fn into_parts(self) -> (Vec<(UnixListener, Level, PathBuf)>, Vec<SocketFile>) {
        let parts = self.bound.into_iter();
        parts.map(|bound| ((bound.listener, bound.level, bound.file.path.clone()), bound.file)).unzip()
    }
}

#[derive(Debug)]
struct Bound {
    listener: UnixListener,
    level: Level,
    file: SocketFile,
}

impl Bound {
    fn new(socket: &StatsSocket) -> Result<Self, BindError> {
        let path = &socket.path;
        let fail = |step| move |source| BindError::Io { path: path.clone(), step, source };
        let owner = owner(socket)?;
        let group = group(socket)?;
        make_parent(path).map_err(fail("make the directory of"))?;
        refuse_if_alive(path)?;

        // The file appears under its name only when it can be used, and with its final permissions:
        // nobody can connect to a socket that does not listen yet.
        let temporary = Temporary::new(path)?;
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(fail("create"))?;
        let address = SockAddr::unix(&temporary.path).map_err(fail("name"))?;
        listener.bind(&address).map_err(fail("bind"))?;
        let mode = fs::Permissions::from_mode(socket.mode.unwrap_or(DEFAULT_MODE));
        fs::set_permissions(&temporary.path, mode).map_err(fail("set the mode of"))?;
        if owner.is_some() || group.is_some() {
            chown(&temporary.path, owner, group).map_err(|errno| fail("set the owner of")(errno.into()))?;
        }
        listener.listen(BACKLOG).map_err(fail("listen on"))?;
        listener.set_nonblocking(true).map_err(fail("set up"))?;
        let listener = UnixListener::from_std(StdListener::from(listener)).map_err(fail("set up"))?;
        let file = temporary.put_in_place(path).map_err(fail("put in place"))?;
        Ok(Self { listener, level: socket.level, file })
    }
}

fn owner(socket: &StatsSocket) -> Result<Option<Uid>, BindError> {
    let Some(name) = &socket.user else { return Ok(None) };
    let user = User::from_name(name).ok().flatten().map(|user| user.uid);
    let uid = user.or_else(|| name.parse().ok().map(Uid::from_raw));
    let unknown = || BindError::NoSuchUser { path: socket.path.clone(), user: name.clone() };
    uid.ok_or_else(unknown).map(Some)
}

fn group(socket: &StatsSocket) -> Result<Option<Gid>, BindError> {
    let Some(name) = &socket.group else { return Ok(None) };
    let group = Group::from_name(name).ok().flatten().map(|group| group.gid);
    let gid = group.or_else(|| name.parse().ok().map(Gid::from_raw));
    let unknown = || BindError::NoSuchGroup { path: socket.path.clone(), group: name.clone() };
    gid.ok_or_else(unknown).map(Some)
}

fn make_parent(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(parent)
        }
        _ => Ok(()),
    }
}

/// Refuses a path where somebody listens, or that is no socket.
fn refuse_if_alive(path: &Path) -> Result<(), BindError> {
    let fail = |step| move |source| BindError::Io { path: path.to_owned(), step, source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail("look at")(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(fail("look at"))?;
    // A full backlog must not make us wait.
    probe.set_nonblocking(true).map_err(fail("look at"))?;
    match SockAddr::unix(path).and_then(|address| probe.connect(&address)) {
        Ok(()) => {
            let pid = getsockopt(&probe.as_fd(), PeerCredentials).ok().map(|peer| peer.pid());
            Err(BindError::InUse { path: path.to_owned(), pid })
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(BindError::InUse { path: path.to_owned(), pid: None })
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fail("look at")(error)),
    }
}

/// A socket's file under its first name, beside the final one. Removed when dropped.
struct Temporary {
    path: PathBuf,
    in_place: bool,
}

impl Temporary {
    fn new(path: &Path) -> Result<Self, BindError> {
        /// `sun_path` of `sockaddr_un`, less the NUL that ends it.
        const SUN_PATH: usize = 107;
        let suffix = format!(".{}.tmp", std::process::id());
        let (length, limit) = (path.as_os_str().len(), SUN_PATH - suffix.len());
        if length > limit {
            return Err(BindError::PathTooLong { path: path.to_owned(), length, limit });
        }
        let mut temporary = OsString::from(path);
        temporary.push(suffix);
        let temporary = Self { path: temporary.into(), in_place: false };
        // Of an earlier process with our id.
        match fs::remove_file(&temporary.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(BindError::Io { path: path.to_owned(), step: "clear the way for", source })
            }
            _ => Ok(temporary),
        }
    }

    fn put_in_place(mut self, path: &Path) -> io::Result<SocketFile> {
        let made = fs::symlink_metadata(&self.path)?;
        fs::rename(&self.path, path)?;
        self.in_place = true;
        Ok(SocketFile { path: path.to_owned(), identity: (made.dev(), made.ino()) })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.in_place {
            // It may not have been made yet, and there is nobody to tell.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// The file of a listening socket. Removed when dropped, unless another process has replaced it.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let present = fs::symlink_metadata(&self.path).map(|found| (found.dev(), found.ino()));
        if present.is_ok_and(|present| present == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(socket = %self.path.display(), %error, "cannot remove the stats socket");
        }
    }
}
