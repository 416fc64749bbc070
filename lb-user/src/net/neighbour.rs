//! The kernel's neighbour table: ARP and NDP.

use super::{
    Mac, NetError,
    netlink::{Netlink, refusal},
};
use futures_util::StreamExt as _;
use nix::errno::Errno;
use rtnetlink::{
    packet_core::{NLM_F_REQUEST, NetlinkMessage, NetlinkPayload},
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState},
    },
};
use std::net::IpAddr;

/// A neighbour as far as its frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    /// `None` while it is not resolved.
    pub(super) mac: Option<Mac>,
    pub(super) trust: Trust,
}

/// Whether the kernel knows what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Confirmed lately, or set by hand.
    Sure,
    /// The kernel is asking, and will notify how that ended.
    Asking,
    /// Long not confirmed, unknown or failed; the kernel waits for somebody to use it.
    Doubtful,
}

/// The entry of `address` on the interface with this index.
pub(super) async fn get(netlink: &Netlink, interface: u32, address: IpAddr) -> Result<Neighbour, NetError> {
    let failed = |source| NetError::Request { asked: "look up a neighbour", source };
    let mut question = NeighbourMessage::default();
    question.header.family = family(address);
    question.header.ifindex = interface;
    question.attributes.push(NeighbourAttribute::Destination(match address {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => address.into(),
    }));
    // The crate's own request dumps the whole table; the kernel looks up one entry since 5.0.
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetNeighbour(question));
    request.header.flags = NLM_F_REQUEST;
    let answer = netlink.handle.clone().request(request).map_err(failed)?.next().await;
    match answer.map(NetlinkMessage::into_parts) {
        Some((_, NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(entry)))) => Ok(read(&entry)),
        Some((_, NetlinkPayload::Error(error))) => match rtnetlink::Error::NetlinkError(error) {
            none if refusal(&none) == Some(Errno::ENOENT) => {
                Ok(Neighbour { mac: None, trust: Trust::Doubtful })
            }
            error => Err(failed(error)),
        },
        Some((header, other)) => {
            Err(failed(rtnetlink::Error::UnexpectedMessage(NetlinkMessage::new(header, other))))
        }
        None => Err(failed(rtnetlink::Error::RequestFailed)),
    }
}

/// Makes the kernel resolve or confirm `address`, as if a packet were sent to it (`NTF_USE`).
pub(super) async fn ask(netlink: &Netlink, interface: u32, address: IpAddr) -> Result<(), NetError> {
    let request = netlink.handle.neighbours().add(interface, address).replace();
    // Any other state would make a new entry one that is never collected.
    let request = request.state(NeighbourState::None).flags(NeighbourFlags::Use);
    request.execute().await.map_err(|source| NetError::Request { asked: "resolve a neighbour", source })
}

/// Whose entry a notification is about: interface index and address.
pub(super) fn subject(message: &NeighbourMessage) -> Option<(u32, IpAddr)> {
    let address = message.attributes.iter().find_map(|attribute| {
        if let NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) = attribute {
            Some(IpAddr::V4(*address))
        } else if let NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) = attribute {
            Some(IpAddr::V6(*address))
        } else {
            None
        }
    });
    address.map(|address| (message.header.ifindex, address))
}

fn read(entry: &NeighbourMessage) -> Neighbour {
    let mac = || {
        entry.attributes.iter().find_map(|attribute| {
            let NeighbourAttribute::LinkLayerAddress(address) = attribute else { return None };
            Mac::try_from(address.as_slice()).ok()
        })
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "failed, empty, or a state that we do not know")]
    match entry.header.state {
        NeighbourState::Reachable | NeighbourState::Permanent | NeighbourState::Noarp => {
            Neighbour { mac: mac(), trust: Trust::Sure }
        }
        NeighbourState::Stale => Neighbour { mac: mac(), trust: Trust::Doubtful },
        NeighbourState::Delay | NeighbourState::Probe => Neighbour { mac: mac(), trust: Trust::Asking },
        NeighbourState::Incomplete => Neighbour { mac: None, trust: Trust::Asking },
        _ => Neighbour { mac: None, trust: Trust::Doubtful },
    }
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
