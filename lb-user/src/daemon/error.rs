use std::{io, net::IpAddr};

use thiserror::Error;

use crate::{datapath::DatapathError, net::NetError, plan::LayoutError, runtime::BindError};

/// Why the daemon cannot start, or stopped.
#[derive(Debug, Error)]
pub enum RunError {
    #[error(transparent)]
    Network(#[from] NetError),
    #[error(transparent)]
    Datapath(#[from] DatapathError),
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error(transparent)]
    Socket(#[from] BindError),
    #[error("{what} {address}: {source}")]
    Address { what: String, address: IpAddr, source: NetError },
    #[error("{what} {address} is IPv6, which the data path does not forward yet\nhint: use an IPv4 address")]
    Ipv6 { what: String, address: IpAddr },
    #[error(
        "no interface to serve: every address of the configuration is on the loopback interface\nhint: name one with `--iface` or in the xdp section"
    )]
    NoInterface,
    #[error("interface {name} is no Ethernet interface, so no frames of clients come in there")]
    NotEthernet { name: String },
    #[error(
        "source-ports {first}-{last} overlap the host's own outgoing ports {host_first}-{host_last} \
         (net.ipv4.ip_local_port_range): a reply could belong to both\n\
         hint: choose other source-ports in the xdp section, or sysctl -w net.ipv4.ip_local_port_range=\"32768 60999\""
    )]
    PortsOverlap { first: u16, last: u16, host_first: u16, host_last: u16 },
    #[error("cannot handle signals: {0}")]
    Signals(io::Error),
    #[error("cannot read the kernel's tick: {0}")]
    Tick(io::Error),
    #[error("cannot wait for events of the data path: {0}")]
    Events(io::Error),
}

impl RunError {
    /// What to do about it, where the message does not say it itself.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Network(error) | Self::Address { source: error, .. } => error.hint(),
            Self::Socket(error) => Some(error.hint().to_owned()),
            Self::Datapath(_)
            | Self::Layout(_)
            | Self::Ipv6 { .. }
            | Self::NoInterface
            | Self::NotEthernet { .. }
            | Self::PortsOverlap { .. }
            | Self::Signals(_)
            | Self::Tick(_)
            | Self::Events(_) => None,
        }
    }
}
