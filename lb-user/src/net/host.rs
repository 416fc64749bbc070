//! Facts about this host: its addresses, ports and name.

use super::{NetError, netlink::Netlink};
use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::address::AddressAttribute;
use std::{net::IpAddr, ops::RangeInclusive};

const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const HOST_NAME: &str = "/proc/sys/kernel/hostname";

/// An address of an interface of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// Index of the interface.
    pub interface: u32,
    pub address: IpAddr,
    pub prefix_length: u8,
}

/// Every address of this host, `lo`'s included.
pub async fn addresses() -> Result<Vec<LocalAddress>, NetError> {
    let netlink = Netlink::open()?;
    let failed = |source| NetError::Request { asked: "list addresses", source };
    let mut messages = std::pin::pin!(netlink.handle.address().get().execute());
    let mut addresses = Vec::new();
    while let Some(message) = messages.try_next().await.map_err(failed)? {
        // On a point-to-point link `Address` is the far end and `Local` ours (rtnetlink(7)).
        let (mut near, mut any) = (None, None);
        for attribute in &message.attributes {
            if let AddressAttribute::Local(address) = attribute {
                near = Some(*address);
            } else if let AddressAttribute::Address(address) = attribute {
                any = Some(*address);
            }
        }
        addresses.extend(near.or(any).map(|address| LocalAddress {
            interface: message.header.index,
            address,
            prefix_length: message.header.prefix_len,
        }));
    }
    Ok(addresses)
}

/// The ports that the kernel gives to outgoing connections (`net.ipv4.ip_local_port_range`); ours must be
/// others. Counts for IPv6 too.
pub fn ip_local_port_range() -> Result<RangeInclusive<u16>, NetError> {
    let text = read(PORT_RANGE)?;
    parse_range(&text).ok_or_else(|| NetError::Parse {
        path: PORT_RANGE,
        seen: text.trim().to_owned(),
        expected: "two port numbers",
    })
}

/// The name of this host, which is HAProxy's default for `localpeer` and `node`.
pub fn host_name() -> Result<String, NetError> {
    Ok(read(HOST_NAME)?.trim_end().to_owned())
}

fn read(path: &'static str) -> Result<String, NetError> {
    std::fs::read_to_string(path).map_err(|source| NetError::Read { path, source })
}

fn parse_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    let range = numbers.next()?.ok()?..=numbers.next()?.ok()?;
    numbers.next().is_none().then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_loopback_address_is_ours() {
        let found = addresses().await.unwrap();
        assert!(found.iter().any(|local| local.address == IpAddr::from([127, 0, 0, 1])), "{found:?}");
    }

    #[test]
    fn the_kernels_port_range_is_two_numbers() {
        assert_eq!(parse_range("32768\t60999\n"), Some(32768..=60999));
        for broken in ["", "32768", "32768\t70000", "a\tb", "1 2 3"] {
            assert_eq!(parse_range(broken), None, "{broken:?}");
        }
        assert!(!ip_local_port_range().unwrap().is_empty());
    }

    #[test]
    fn the_host_has_a_name() {
        let name = host_name().unwrap();
        assert!(!name.is_empty() && !name.contains(char::is_whitespace), "{name:?}");
    }
}
