use etherparse::{NetSlice, SlicedPacket, TransportSlice};

/// Of the first IPv4 packet in a frame: whether its header's checksum is right, and its TCP, UDP or ICMP
/// checksum, computed over everything. `None`: it holds no such packet.
#[must_use]
pub fn checksums(frame: &[u8]) -> Option<(bool, bool)> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(NetSlice::Ipv4(ip)) = packet.net else { return None };
    let header = ip.header().to_header();
    let right = header.calc_header_checksum() == header.header_checksum;
    let (source, destination) = (header.source, header.destination);
    let transport = match packet.transport? {
        TransportSlice::Tcp(tcp) => {
            tcp.calc_checksum_ipv4(source, destination).ok()? == tcp.to_header().checksum
        }
        TransportSlice::Udp(udp) => {
            let header = udp.to_header();
            let computed = header.calc_checksum_ipv4_raw(source, destination, udp.payload()).ok()?;
            header.checksum == 0 || header.checksum == computed
        }
        TransportSlice::Icmpv4(icmp) => {
            icmp.icmp_type().calc_checksum(icmp.payload()) == icmp.header().checksum
        }
        TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_) => return None,
    };
    Some((right, transport))
}

/// Whether every checksum of an IPv4 packet is right.
#[must_use]
pub fn checksums_hold(frame: &[u8]) -> bool {
    checksums(frame) == Some((true, true))
}
