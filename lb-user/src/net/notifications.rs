//! What the kernel says unasked when its tables change.

use super::{NetError, neighbour};
use nix::errno::Errno;
use rtnetlink::{
    MulticastGroup,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::RouteNetlinkMessage,
    sys::{AsyncSocket as _, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE},
};
use std::{future::poll_fn, net::IpAddr};

/// Where changes of links, addresses, routes, rules and neighbours are announced.
const GROUPS: [MulticastGroup; 8] = [
    MulticastGroup::Link,
    MulticastGroup::Neigh,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
];

/// Longer than any notification; one that is cut counts as [`Notice::Everything`].
const BUFFER_BYTES: usize = 32 * 1024;

/// A subscription. It is read from the socket directly and only when asked, so a slow reader costs no
/// memory: the kernel drops what does not fit and says so, which is [`Notice::Everything`].
pub(super) struct Notifications {
    socket: TokioSocket,
    buffer: Vec<u8>,
}

/// What may have changed. Only a reason to look: the tables themselves are what counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The neighbour entry of this address on the interface with this index.
    Neighbour(u32, IpAddr),
    /// Links, routes or addresses; or notifications were lost.
    Everything,
}

impl Notifications {
    pub(super) fn subscribe() -> Result<Self, NetError> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE).map_err(NetError::Socket)?;
        let groups = GROUPS.iter().fold(0, |bits, group| bits | 1 << (*group as u32 - 1));
        socket.socket_mut().bind(&SocketAddr::new(0, groups)).map_err(NetError::Socket)?;
        Ok(Self { socket, buffer: Vec::with_capacity(BUFFER_BYTES) })
    }

    /// Waits for the next datagram. Nothing is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Notice {
        self.buffer.clear();
        match poll_fn(|context| self.socket.poll_recv_from(context, &mut self.buffer)).await {
            Ok(_kernel) => read(&self.buffer),
            Err(error) => {
                if error.raw_os_error() == Some(Errno::ENOBUFS as i32) {
                    tracing::debug!("the kernel lost notifications: reading all tables again");
                } else {
                    tracing::warn!(%error, "cannot read netlink notifications");
                }
                Notice::Everything
            }
        }
    }
}

/// The kernel sends each notification in a datagram of its own.
fn read(datagram: &[u8]) -> Notice {
    let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(datagram) else {
        return Notice::Everything;
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever it is, looking again is right")]
    match message.payload {
        NetlinkPayload::InnerMessage(
            RouteNetlinkMessage::NewNeighbour(entry) | RouteNetlinkMessage::DelNeighbour(entry),
        ) => match neighbour::subject(&entry) {
            Some((interface, address)) => Notice::Neighbour(interface, address),
            None => Notice::Everything,
        },
        _ => Notice::Everything,
    }
}
