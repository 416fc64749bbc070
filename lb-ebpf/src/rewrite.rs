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

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;
    use crate::{
        host::HostFrame,
        net::tcp_flag,
        parse::parse,
        testing::{
            CLIENT, OURS, PacketSpec, SERVER_HOPS, SERVERS, SNAT_SOURCE, Transport, VIP, checksums,
            checksums_hold, macs,
        },
    };

    fn rewritten(bytes: &[u8], wanted: &Rewrite) -> Vec<u8> {
        let mut frame = HostFrame::new(bytes);
        let packet = parse(&frame).unwrap();
        rewrite(&mut frame, &packet, wanted).unwrap();
        frame.bytes().to_vec()
    }

    fn end(address: core::net::SocketAddrV4) -> Option<End> {
        Some(End { address: Address::v4(address.ip().octets()), port: address.port() })
    }

    fn to_server() -> Rewrite {
        let source = core::net::SocketAddrV4::new(SNAT_SOURCE, 20001);
        Rewrite { source: end(source), destination: end(SERVERS[0]), macs: macs(SERVER_HOPS[0], OURS) }
    }

    fn at_server(spec: PacketSpec) -> PacketSpec {
        let source = core::net::SocketAddrV4::new(SNAT_SOURCE, 20001);
        PacketSpec {
            to: SERVER_HOPS[0],
            from: OURS,
            source,
            destination: SERVERS[0],
            ttl: spec.ttl - 1,
            ..spec
        }
    }

    #[test]
    fn a_packet_comes_out_as_if_it_had_been_sent_so() {
        let segment = PacketSpec::tcp(CLIENT, VIP, tcp_flag::ACK).carrying(b"odd length!");
        let padded = PacketSpec { tos: 0xb9, padding: 6, ..PacketSpec::tcp(CLIENT, VIP, tcp_flag::SYN) };
        let datagram = PacketSpec::udp(CLIENT, VIP);
        for spec in [segment, padded, datagram] {
            assert_eq!(rewritten(&spec.bytes(), &to_server()), at_server(spec).bytes());
        }
    }

    #[test]
    fn what_is_not_asked_for_stays() {
        let spec = PacketSpec::tcp(CLIENT, VIP, tcp_flag::SYN);
        let wanted = Rewrite { source: None, destination: None, macs: macs(SERVER_HOPS[1], OURS) };
        let moved = PacketSpec { to: SERVER_HOPS[1], from: OURS, ttl: 63, ..spec.clone() };
        assert_eq!(rewritten(&spec.bytes(), &wanted), moved.bytes());
    }

    #[test]
    fn a_datagram_without_checksum_gets_none() {
        let transport = Transport::Udp { checksum: false };
        let spec = PacketSpec { transport, ..PacketSpec::udp(CLIENT, VIP) };
        assert_eq!(rewritten(&spec.bytes(), &to_server()), at_server(spec).bytes());
    }

    #[test]
    fn a_datagram_whose_checksum_becomes_zero_carries_its_other_form() {
        let zero =
            (0..=u16::MAX).map(|id| at_server(PacketSpec::udp(CLIENT, VIP).carrying(&id.to_be_bytes())));
        let zero =
            zero.map(|spec| (spec.bytes(), spec.payload)).find(|(frame, _)| frame[40..42] == [0xff; 2]);
        let (expected, payload) = zero.expect("one of all payloads sums up to it");
        let spec = PacketSpec::udp(CLIENT, VIP).carrying(&payload);
        assert_eq!(rewritten(&spec.bytes(), &to_server()), expected);
    }

    #[test]
    fn wrong_checksums_are_not_repaired() {
        let spec = PacketSpec::tcp(CLIENT, VIP, tcp_flag::ACK).carrying(b"text");
        for (offset, expected) in [(24, (false, true)), (50, (true, false)), (55, (true, false))] {
            let mut bytes = spec.bytes();
            bytes[offset] ^= 0x10;
            assert_eq!(checksums(&rewritten(&bytes, &to_server())), Some(expected));
        }
        assert!(checksums_hold(&rewritten(&spec.bytes(), &to_server())));
    }
}
