//! Opening the connection of a check.

use super::Verdict;
use crate::director::types::CheckStatus;
use nix::errno::Errno;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{io, net::SocketAddr, time::Duration};
use tokio::net::TcpStream;

/// Why there is no connection. `Display` is HAProxy's `info`.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// This host ran out of something, e.g. file descriptors or local ports; says nothing about the server.
    #[error("{}", .0.desc())]
    Local(Errno),
    /// The kernel would not even try, e.g. for want of a route.
    #[error("General socket error ({})", .0.desc())]
    Attempt(Errno),
    /// The server, or a router on the way, answered with a refusal.
    #[error("{}", .0.desc())]
    Answer(Errno),
}

impl From<ConnectError> for Verdict {
    fn from(error: ConnectError) -> Self {
        let status = match error {
            ConnectError::Local(_) => CheckStatus::SocketError,
            ConnectError::Attempt(_) | ConnectError::Answer(_) => CheckStatus::L4Connection,
        };
        Self::with_info(status, error.to_string())
    }
}

/// Connects to `target`. However the stream is dropped, the connection ends with an RST.
///
/// With quick ACKs off the kernel holds back the handshake's last ACK, to send it along with the first
/// data. A stream that is dropped at once therefore answers the SYN/ACK with the RST alone: the server's
/// kernel forgets the half-open connection and its application accepts nothing.
pub(super) async fn connect(target: SocketAddr) -> Result<TcpStream, ConnectError> {
    let stream = start(target)?;
    stream.writable().await.map_err(|error| ConnectError::Local(errno(&error)))?;
    match stream.take_error() {
        Ok(None) => Ok(stream),
        Ok(Some(error)) => Err(ConnectError::Answer(errno(&error))),
        Err(error) => Err(ConnectError::Local(errno(&error))),
    }
}

/// Sends the SYN.
fn start(target: SocketAddr) -> Result<TcpStream, ConnectError> {
    let socket = open(target).map_err(|error| ConnectError::Local(errno(&error)))?;
    match socket.connect(&SockAddr::from(target)).map_err(|error| errno(&error)) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(refused @ Errno::ECONNREFUSED) => return Err(ConnectError::Answer(refused)),
        Err(shortage @ (Errno::EAGAIN | Errno::EADDRINUSE | Errno::EADDRNOTAVAIL | Errno::ENOBUFS)) => {
            return Err(ConnectError::Local(shortage));
        }
        Err(other) => return Err(ConnectError::Attempt(other)),
    }
    TcpStream::from_std(socket.into()).map_err(|error| ConnectError::Local(errno(&error)))
}

fn open(target: SocketAddr) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(target), kind, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_quickack(false)?;
    socket.set_linger(Some(Duration::ZERO))?;
    Ok(socket)
}

/// The operating system's error number; `UnknownErrno` for an error that tokio made up.
pub(super) fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_on_this_host_is_not_the_servers_fault() {
        let verdict = Verdict::from(ConnectError::Local(Errno::EMFILE));
        let expected = Verdict::with_info(CheckStatus::SocketError, "Too many open files".to_owned());
        assert_eq!(verdict, expected);
    }
}
