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
    #[error("{what}: {source}")]
    Address { what: String, source: Box<NetError> },
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
         (net.ipv4.ip_local_port_range): a reply could belong to both"
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
            Self::Network(error) => error.hint(),
            Self::Address { source, .. } => source.hint(),
            &Self::PortsOverlap { first, last, host_first, host_last } => {
                Some(disjoint_ports((first, last), (host_first, host_last)))
            }
            Self::Socket(error) => Some(error.hint().to_owned()),
            Self::Datapath(_)
            | Self::Layout(_)
            | Self::Ipv6 { .. }
            | Self::NoInterface
            | Self::NotEthernet { .. }
            | Self::Signals(_)
            | Self::Tick(_)
            | Self::Events(_) => None,
        }
    }
}

/// A range for the host that leaves the source ports alone: on the side where more is left, as near to the present
/// one as can be.
fn disjoint_ports(ours: (u16, u16), host: (u16, u16)) -> String {
    /// Ports below belong to services (RFC 6335, section 6).
    const FIRST_UNPRIVILEGED: u16 = 1024;
    let below = ours.0.saturating_sub(FIRST_UNPRIVILEGED);
    let above = u16::MAX - ours.1;
    let (from, to) = if above >= below {
        let from = ours.1.saturating_add(1);
        (from, if host.1 > from { host.1 } else { u16::MAX })
    } else {
        let to = ours.0.saturating_sub(1);
        (if host.0 < to { host.0 } else { FIRST_UNPRIVILEGED }, to)
    };
    format!(
        "choose other source-ports in the xdp section, or give the host others: \
         sysctl -w net.ipv4.ip_local_port_range=\"{from} {to}\""
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggested_range_overlaps_nothing_and_is_near_the_present_one() {
        for (ours, host, suggested) in [
            ((32768, 40000), (32768, 60999), "\"40001 60999\""),
            ((50000, 60999), (32768, 60999), "\"32768 49999\""),
            ((1024, 65000), (32768, 60999), "\"65001 65535\""),
            ((20000, 65535), (32768, 60999), "\"1024 19999\""),
        ] {
            let hint = disjoint_ports(ours, host);
            assert!(hint.ends_with(suggested), "{ours:?} {host:?}: {hint}");
        }
    }
}
