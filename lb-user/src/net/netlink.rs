//! The rtnetlink connection that the questions go over.

use super::NetError;
use nix::errno::Errno;
use rtnetlink::Handle;
use tokio_util::task::AbortOnDropHandle;

/// A connection to the kernel; closed when dropped.
pub(super) struct Netlink {
    pub(super) handle: Handle,
    _connection: AbortOnDropHandle<()>,
}

impl Netlink {
    /// Opens a connection in the network namespace of the calling thread.
    pub(super) fn open() -> Result<Self, NetError> {
        let (connection, handle, _unsolicited) = rtnetlink::new_connection().map_err(NetError::Socket)?;
        Ok(Self { handle, _connection: AbortOnDropHandle::new(tokio::spawn(connection)) })
    }
}

/// The kernel's error number in its refusal of a request.
pub(super) fn refusal(error: &rtnetlink::Error) -> Option<Errno> {
    match error {
        rtnetlink::Error::NetlinkError(message) => {
            message.code.map(|code| Errno::from_raw(code.get().wrapping_neg()))
        }
        rtnetlink::Error::UnexpectedMessage(_)
        | rtnetlink::Error::RequestFailed
        | rtnetlink::Error::NamespaceError(_)
        | rtnetlink::Error::InvalidHardwareAddress(_)
        | rtnetlink::Error::InvalidIp(_)
        | rtnetlink::Error::InvalidAddress(..)
        | rtnetlink::Error::InvalidNla(_) => None,
    }
}
