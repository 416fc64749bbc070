//! The other end of a stats socket: what `stickfast ctl` is.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout,
};

/// How long the whole exchange may take. A daemon at work answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a command got no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// There is no socket, or nobody listens on it any more.
    #[error("nobody listens on {}", socket.display())]
    NobodyListens { socket: PathBuf },
    #[error("not allowed to connect to {}", socket.display())]
    NotAllowed { socket: PathBuf },
    #[error("no answer on {} within {} s", socket.display(), PATIENCE.as_secs())]
    Timeout { socket: PathBuf },
    /// The daemon went away, or the line was longer than 16 kB.
    #[error("the connection to {} ended without an answer", socket.display())]
    NoAnswer { socket: PathBuf },
    #[error("cannot talk to {}: {source}", socket.display())]
    Io { socket: PathBuf, source: io::Error },
}

impl ClientError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NobodyListens { .. } => {
                "is stickfast running (`systemctl status stickfast`)? \
                 if its configuration names another `stats socket`, give that path"
            }
            Self::NotAllowed { .. } => {
                "run as root, or have the `stats socket` line give your group access (`mode 660 group …`)"
            }
            Self::Timeout { .. } => "is the daemon stopped (`systemctl status stickfast`)?",
            Self::NoAnswer { .. } => "look into the daemon's log (`journalctl -u stickfast`)",
            Self::Io { .. } => "is this path a stats socket?",
        }
    }
}

/// Sends a command line, or several separated by `;`, and returns the whole answer: each command's text
/// and the empty line behind it.
///
/// # Errors
/// If the daemon cannot be reached or does not answer. What the daemon complains about is an answer.
pub async fn send(socket: &Path, command: &str) -> Result<String, ClientError> {
    let exchange = timeout(PATIENCE, exchange(socket, command));
    let answer = exchange.await.map_err(|_elapsed| ClientError::Timeout { socket: socket.to_owned() })?;
    match answer {
        Ok(answer) if answer.is_empty() => Err(ClientError::NoAnswer { socket: socket.to_owned() }),
        Ok(answer) => Ok(answer),
        Err(source) => Err(explain(socket, source)),
    }
}

async fn exchange(socket: &Path, command: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(format!("{}\n", command.trim_end()).as_bytes()).await?;
    // Should the command be `prompt`, the daemon closes nevertheless.
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn explain(socket: &Path, source: io::Error) -> ClientError {
    let socket = socket.to_owned();
    let kind = source.kind();
    if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
        ClientError::NobodyListens { socket }
    } else if kind == io::ErrorKind::PermissionDenied {
        ClientError::NotAllowed { socket }
    } else if matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) {
        ClientError::NoAnswer { socket }
    } else {
        ClientError::Io { socket, source }
    }
}
