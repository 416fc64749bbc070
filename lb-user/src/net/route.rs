//! Where the kernel would send a packet.

use super::{
    NetError, Unresolved,
    netlink::{Netlink, refusal},
};
use futures_util::TryStreamExt as _;
use nix::errno::Errno;
use rtnetlink::packet_route::{
    AddressFamily,
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteType, RouteVia},
};
use std::net::IpAddr;

/// The kernel's choice of route to one address, for packets of this host's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Index of the interface that it leaves by.
    pub interface: u32,
    /// `None` where the address itself is on the interface's network. May be IPv6 for an IPv4 address
    /// (RFC 8950).
    pub gateway: Option<IpAddr>,
    /// The address that the kernel would send from, and that SNAT uses.
    pub source: IpAddr,
}

/// Asks the kernel for its route to `address` (`ip route get`).
///
/// An address without a usable route is [`NetError::Unresolved`], and says which kind.
pub async fn route_to(address: IpAddr) -> Result<Route, NetError> {
    get(&Netlink::open()?, address).await
}

pub(super) async fn get(netlink: &Netlink, address: IpAddr) -> Result<Route, NetError> {
    let mut question = RouteMessage::default();
    (question.header.address_family, question.header.destination_prefix_length) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, 32),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128),
    };
    question.attributes.push(RouteAttribute::Destination(address.into()));
    let mut answers = std::pin::pin!(netlink.handle.route().get(question).execute());
    match answers.try_next().await {
        Ok(Some(message)) => Ok(read(address, &message)?),
        Ok(None) => Err(Unresolved::NoRoute { address }.into()),
        Err(source) => Err(failure(address, source)),
    }
}

fn read(address: IpAddr, message: &RouteMessage) -> Result<Route, Unresolved> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the kernel answers no lookup with another type")]
    match message.header.kind {
        RouteType::Unicast => {}
        RouteType::Local => return Err(Unresolved::Local { address }),
        RouteType::Broadcast | RouteType::Anycast | RouteType::Multicast => {
            return Err(Unresolved::NotUnicast { address });
        }
        _ => return Err(Unresolved::RouteRefuses { address, reason: Errno::EHOSTUNREACH }),
    }
    let (mut interface, mut gateway, mut source) = (None, None, None);
    for attribute in &message.attributes {
        #[expect(clippy::wildcard_enum_match_arm, reason = "attributes that say nothing to us")]
        match attribute {
            RouteAttribute::Oif(index) => interface = Some(*index),
            RouteAttribute::Gateway(via) => gateway = ip(via),
            RouteAttribute::Via(RouteVia::Inet(via)) => gateway = Some(IpAddr::V4(*via)),
            RouteAttribute::Via(RouteVia::Inet6(via)) => gateway = Some(IpAddr::V6(*via)),
            RouteAttribute::PrefSource(from) => source = ip(from),
            _ => {}
        }
    }
    Ok(Route {
        interface: interface.ok_or(Unresolved::NoRoute { address })?,
        gateway,
        source: source.ok_or(Unresolved::NoSource { address })?,
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    if let RouteAddress::Inet(address) = address {
        Some(IpAddr::V4(*address))
    } else if let RouteAddress::Inet6(address) = address {
        Some(IpAddr::V6(*address))
    } else {
        None
    }
}

/// The types of a route are told apart by the errors they give (`fib_props` in the kernel's
/// `net/ipv4/fib_semantics.c`).
fn failure(address: IpAddr, source: rtnetlink::Error) -> NetError {
    match refusal(&source) {
        Some(Errno::ENETUNREACH | Errno::ESRCH) => Unresolved::NoRoute { address }.into(),
        Some(reason @ (Errno::EHOSTUNREACH | Errno::EACCES | Errno::EINVAL | Errno::EAGAIN)) => {
            Unresolved::RouteRefuses { address, reason }.into()
        }
        _ => NetError::Request { asked: "look up a route", source },
    }
}
