//! What can go wrong, and what to do about it.

use nix::errno::Errno;
use std::{io, net::IpAddr};

/// A question about the host's network that has no answer.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    #[error("cannot open a netlink socket: {0}")]
    Socket(#[source] io::Error),
    /// The kernel refused a request or sent something else than its answer.
    #[error("cannot {asked}: {source}")]
    Request {
        /// What for, e.g. `list interfaces`.
        asked: &'static str,
        source: rtnetlink::Error,
    },
    #[error("cannot ask interface {interface} for its XDP features: {source}")]
    XdpFeatures { interface: u32, source: io::Error },
    #[error("interface {name} does not exist; this host has {}", existing.join(", "))]
    NoSuchInterface { name: String, existing: Vec<String> },
    /// The address cannot be reached by sending frames to a neighbour.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    #[error("cannot read {path}: {source}")]
    Read { path: &'static str, source: io::Error },
    #[error("{path} says `{seen}`, expected {expected}")]
    Parse { path: &'static str, seen: String, expected: &'static str },
}

impl NetError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unresolved(unresolved) => Some(unresolved.hint()),
            Self::NoSuchInterface { .. } => Some("name one of them in section `xdp`".to_owned()),
            Self::Socket(_)
            | Self::Request { .. }
            | Self::XdpFeatures { .. }
            | Self::Read { .. }
            | Self::Parse { .. } => None,
        }
    }
}

/// Why there is no next hop towards an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    #[error("{address} has no route")]
    NoRoute { address: IpAddr },
    /// A route of type `unreachable`, `prohibit`, `blackhole` or `throw` says that it must not be reached.
    #[error("{address} is refused by a route ({})", reason.desc())]
    RouteRefuses { address: IpAddr, reason: Errno },
    #[error("{address} is an address of this host")]
    Local { address: IpAddr },
    #[error("{address} is a broadcast or multicast address")]
    NotUnicast { address: IpAddr },
    #[error("the route to {address} has no source address")]
    NoSource { address: IpAddr },
    #[error("interface {interface}, the way to {address}, is down")]
    LinkDown { address: IpAddr, interface: String },
    /// The way leads into a tunnel or another device without Ethernet frames.
    #[error("interface {interface}, the way to {address}, is not Ethernet")]
    NotEthernet { address: IpAddr, interface: String },
    /// Nobody answers ARP or neighbour discovery, or nobody has been asked yet.
    #[error("{neighbour}, the next hop to {address}, is not resolved on {interface}")]
    NoNeighbour { address: IpAddr, neighbour: IpAddr, interface: String },
}

impl Unresolved {
    /// What the operator can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoRoute { address } => format!("add a route, or an address of the network of {address}"),
            Self::RouteRefuses { address, .. } => format!("see `ip route get {address}`"),
            Self::Local { .. } => {
                "servers must run on other hosts: XDP cannot deliver to this one".to_owned()
            }
            Self::NotUnicast { .. } => "give the address of one host".to_owned(),
            Self::NoSource { address } => format!("give the interface towards {address} an address"),
            Self::LinkDown { interface, .. } => format!("see `ip link show {interface}`; check the far end"),
            Self::NotEthernet { address, .. } => format!("reach {address} over an Ethernet interface"),
            Self::NoNeighbour { neighbour, interface, .. } => {
                format!("check that {neighbour} is up and on the network of {interface}")
            }
        }
    }
}
