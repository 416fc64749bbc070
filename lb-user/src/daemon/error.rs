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
        "forward dnat needs this host to route its servers' replies, but {interface} does not forward IPv4"
    )]
    NotForwarding { interface: String },
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
            Self::NotForwarding { .. } => {
                Some("sysctl -w net.ipv4.ip_forward=1, or use forward snat".to_owned())
            }
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

/// A range for the host that leaves the source ports alone: what is left of the present one on its larger side, or a new
/// one where nothing is left.
fn disjoint_ports(ours: (u16, u16), host: (u16, u16)) -> String {
    /// Ports below belong to services (RFC 6335, section 6).
    const FIRST_UNPRIVILEGED: u16 = 1024;
    let below = (host.0, ours.0.saturating_sub(1));
    let above = (ours.1.saturating_add(1), host.1);
    let left = |(from, to): (u16, u16)| to.saturating_sub(from);
    let (from, to) = if left(above).max(left(below)) == 0 {
        let (below, above) = ((FIRST_UNPRIVILEGED, below.1), (above.0, u16::MAX));
        if left(above) >= left(below) { above } else { below }
    } else if left(above) >= left(below) {
        above
    } else {
        below
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
