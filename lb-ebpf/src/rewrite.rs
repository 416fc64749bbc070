//! Changes to a packet that goes on: addresses, ports, TTL, MACs, and the checksums by what changed.

use crate::{
    abi::Address,
    net::{Be16, Be32, Ethernet, Frame, Ipv4, Sum, Tcp, Udp, adjust},
    parse::Packet,
};

/// One end of a packet as it shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub address: Address,
    /// Host order.
    pub port: u16,
}

/// What a packet shall look like. `None` leaves that end alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrite {
    pub source: Option<End>,
    pub destination: Option<End>,
    /// Destination, then source.
    pub macs: [u8; 12],
}

/// The four words that may change, before and after.
struct Ends {
    source: Be32,
    destination: Be32,
    source_port: Be16,
    destination_port: Be16,
}

/// Rewrites a parsed packet and takes one off its TTL. `None`: the frame is shorter than it was when it was
/// parsed, which cannot be.
#[inline(always)]
pub fn rewrite<F: Frame>(frame: &mut F, packet: &Packet, wanted: &Rewrite) -> Option<()> {
    frame.view_mut::<Ethernet>(0)?.macs = wanted.macs;

    let ip = frame.view_mut::<Ipv4>(Ethernet::LENGTH)?;
    let old = Ends {
        source: ip.source,
        destination: ip.destination,
        source_port: Be16::new(packet.source_port),
        destination_port: Be16::new(packet.destination_port),
    };
    let (source, source_port) = end(wanted.source, old.source, old.source_port);
    let (destination, destination_port) = end(wanted.destination, old.destination, old.destination_port);

    let ttl = ip.ttl_word();
    ip.ttl = packet.ttl.wrapping_sub(1);
    ip.source = source;
    ip.destination = destination;
    let addresses = Sum::default().replace32(old.source, source).replace32(old.destination, destination);
    ip.checksum = adjust(ip.checksum, addresses.replace16(ttl, ip.ttl_word()));

    let transport = addresses
        .replace16(old.source_port.raw(), source_port.raw())
        .replace16(old.destination_port.raw(), destination_port.raw());
    if packet.is_tcp() {
        let tcp = frame.view_mut::<Tcp>(packet.transport)?;
        tcp.source = source_port;
        tcp.destination = destination_port;
        tcp.checksum = adjust(tcp.checksum, transport);
    } else {
        let udp = frame.view_mut::<Udp>(packet.transport)?;
        udp.source = source_port;
        udp.destination = destination_port;
        udp.checksum = adjust_udp(udp.checksum, transport);
    }
    Some(())
}

/// RFC 768: 0 says that there is no checksum and stays 0; a computed 0 is sent as its other form.
#[inline(always)]
fn adjust_udp(checksum: Be16, delta: Sum) -> Be16 {
    if checksum.raw() == 0 {
        return checksum;
    }
    let adjusted = adjust(checksum, delta);
    if adjusted.raw() == 0 { Be16::from_raw(0xffff) } else { adjusted }
}

#[inline(always)]
fn end(wanted: Option<End>, address: Be32, port: Be16) -> (Be32, Be16) {
    match wanted {
        Some(end) => (Be32(end.address.v4_bytes()), Be16::new(end.port)),
        None => (address, port),
    }
}
