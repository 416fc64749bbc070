//! Packets that turn into an answer to their sender: a TCP reset, an ICMP port unreachable.

use crate::{
    net::{Be16, Be32, Ethernet, Frame, Icmp, Ipv4, Macs, Sum, Tcp, Udp, protocol, tcp_flag},
    parse::Packet,
};

/// TTL of packets that begin here.
const TTL: u8 = 64;

/// Turns a TCP segment into the reset that answers it (RFC 9293, section 3.10.7.1). The caller has made sure
/// that it is no reset itself. `None`: the frame could not be changed.
#[inline(always)]
pub fn reset<F: Frame>(frame: &mut F, packet: &Packet) -> Option<()> {
    #[expect(clippy::cast_possible_truncation, reason = "it is 20")]
    const LENGTH: u16 = Tcp::LENGTH as u16;

    let segment = *frame.view::<Tcp>(packet.transport)?;
    let text = u32::from(packet.total_length)
        .wrapping_sub(u32::try_from(Ipv4::LENGTH + segment.header_length()).ok()?)
        .wrapping_add(u32::from(segment.flags & tcp_flag::SYN != 0))
        .wrapping_add(u32::from(segment.flags & tcp_flag::FIN != 0));
    let (sequence, acknowledgement, flags) = if segment.flags & tcp_flag::ACK != 0 {
        (segment.acknowledgement, Be32::new(0), tcp_flag::RST)
    } else {
        let next = segment.sequence.host().wrapping_add(text);
        (Be32::new(0), Be32::new(next), tcp_flag::RST | tcp_flag::ACK)
    };
    frame.set_length(packet.transport + Tcp::LENGTH)?;
    turn_round(frame)?;
    let (source, destination) = head(frame, Tcp::LENGTH, protocol::TCP)?;

    let tcp = frame.view_mut::<Tcp>(packet.transport)?;
    *tcp = Tcp {
        source: segment.destination,
        destination: segment.source,
        sequence,
        acknowledgement,
        offset: 5 << 4,
        flags,
        window: Be16::new(0),
        checksum: Be16::new(0),
        urgent: Be16::new(0),
    };
    tcp.checksum = Sum::default()
        .be32(source)
        .be32(destination)
        .be16(Be16::new(u16::from(protocol::TCP)))
        .be16(Be16::new(LENGTH))
        .be16(tcp.source)
        .be16(tcp.destination)
        .be32(sequence)
        .be32(acknowledgement)
        .u16(u16::from_ne_bytes([tcp.offset, flags]))
        .finish();
    Some(())
}

/// The part of the refused packet that an ICMP error quotes: its IP header and eight bytes (RFC 792).
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Quote {
    ip: Ipv4,
    transport: Udp,
}

const QUOTE: usize = size_of::<Quote>();
const ICMP_ROOM: usize = Ipv4::LENGTH + Icmp::LENGTH;

/// Turns a UDP packet into the ICMP port unreachable that answers it (RFC 1122, section 3.2.2.1). `None`: the
/// frame could not be changed.
#[inline(always)]
pub fn port_unreachable<F: Frame>(frame: &mut F) -> Option<()> {
    let ethernet = *frame.view::<Ethernet>(0)?;
    frame.set_length(Ethernet::LENGTH + QUOTE)?;
    frame.grow_front::<ICMP_ROOM>()?;
    *frame.view_mut::<Ethernet>(0)? =
        Ethernet { macs: Macs::new(ethernet.macs).swapped().bytes(), ethertype: ethernet.ethertype };

    let quote = *frame.view::<Quote>(Ethernet::LENGTH + ICMP_ROOM)?;
    let ip = frame.view_mut::<Ipv4>(Ethernet::LENGTH)?;
    ip.source = quote.ip.destination;
    ip.destination = quote.ip.source;
    head(frame, Icmp::LENGTH + QUOTE, protocol::ICMP)?;

    let icmp = frame.view_mut::<Icmp>(Ethernet::LENGTH + Ipv4::LENGTH)?;
    let (kind, code) = (Icmp::UNREACHABLE, Icmp::PORT_UNREACHABLE);
    let sum = ip_sum(Sum::default(), &quote.ip)
        .be16(quote.ip.checksum)
        .be16(quote.transport.source)
        .be16(quote.transport.destination)
        .be16(quote.transport.length)
        .be16(quote.transport.checksum)
        .u16(u16::from_ne_bytes([kind, code]));
    *icmp = Icmp { kind, code, checksum: sum.finish(), rest: Be32::new(0) };
    Some(())
}

/// Swaps the MACs and the addresses.
#[inline(always)]
fn turn_round<F: Frame>(frame: &mut F) -> Option<()> {
    let ethernet = frame.view_mut::<Ethernet>(0)?;
    ethernet.macs = Macs::new(ethernet.macs).swapped().bytes();
    let ip = frame.view_mut::<Ipv4>(Ethernet::LENGTH)?;
    (ip.source, ip.destination) = (ip.destination, ip.source);
    Some(())
}

/// Writes all of the IPv4 header but the addresses, which it returns, for `payload` bytes after it.
#[inline(always)]
fn head<F: Frame>(frame: &mut F, payload: usize, protocol: u8) -> Option<(Be32, Be32)> {
    let ip = frame.view_mut::<Ipv4>(Ethernet::LENGTH)?;
    ip.version_ihl = 0x45;
    ip.tos = 0;
    ip.total_length = Be16::new(u16::try_from(Ipv4::LENGTH + payload).ok()?);
    // RFC 6864, section 4.1: an atomic datagram's id means nothing.
    ip.id = Be16::new(0);
    ip.fragment = Be16::new(Ipv4::DONT_FRAGMENT);
    ip.ttl = TTL;
    ip.protocol = protocol;
    ip.checksum = ip_sum(Sum::default(), ip).finish();
    Some((ip.source, ip.destination))
}

/// Adds an IPv4 header without its checksum field.
#[inline(always)]
fn ip_sum(sum: Sum, ip: &Ipv4) -> Sum {
    sum.u16(u16::from_ne_bytes([ip.version_ihl, ip.tos]))
        .be16(ip.total_length)
        .be16(ip.id)
        .be16(ip.fragment)
        .u16(ip.ttl_word())
        .be32(ip.source)
        .be32(ip.destination)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use etherparse::{Icmpv4Type, PacketBuilder, icmpv4::DestUnreachableHeader};

    use super::*;
    use crate::{
        host::HostFrame,
        parse::parse,
        testing::{CLIENT, CLIENT_HOP, OURS, PacketSpec, Transport, VIP, checksums_hold},
    };

    const SEQUENCE: u32 = 0xffff_fffe;
    const ACKNOWLEDGEMENT: u32 = 0xa1b2_c3d4;

    /// A client's segment near the end of the sequence numbers.
    fn segment(flags: u8, options: u8, payload: &[u8]) -> PacketSpec {
        let acknowledgement = if flags & tcp_flag::ACK != 0 { ACKNOWLEDGEMENT } else { 0 };
        let transport = Transport::Tcp { flags, sequence: SEQUENCE, acknowledgement, window: 502, options };
        PacketSpec { transport, ..PacketSpec::tcp(CLIENT, VIP, flags).carrying(payload) }
    }

    /// The reset that goes back.
    fn expected(flags: u8, sequence: u32, acknowledgement: u32) -> Vec<u8> {
        let transport = Transport::Tcp { flags, sequence, acknowledgement, window: 0, options: 0 };
        let spec = PacketSpec::tcp(VIP, CLIENT, flags);
        PacketSpec { to: CLIENT_HOP, from: OURS, id: 0, transport, ..spec }.bytes()
    }

    fn answered(spec: &PacketSpec) -> Vec<u8> {
        let mut frame = HostFrame::new(&spec.bytes());
        let packet = parse(&frame).unwrap();
        reset(&mut frame, &packet).unwrap();
        frame.bytes().to_vec()
    }

    #[test]
    fn a_segment_with_ack_is_reset_at_the_number_it_acknowledges() {
        let reset = expected(tcp_flag::RST, ACKNOWLEDGEMENT, 0);
        for flags in [tcp_flag::ACK, tcp_flag::ACK | tcp_flag::FIN, tcp_flag::ACK | tcp_flag::SYN] {
            assert_eq!(answered(&segment(flags, 0, b"")), reset);
            assert_eq!(answered(&segment(flags, 3, b"text")), reset);
        }
    }

    #[test]
    fn a_segment_without_ack_is_acknowledged_by_its_length() {
        let reset = |next| expected(tcp_flag::RST | tcp_flag::ACK, 0, next);
        assert_eq!(answered(&segment(tcp_flag::SYN, 0, b"")), reset(SEQUENCE.wrapping_add(1)));
        assert_eq!(answered(&segment(tcp_flag::SYN, 10, b"fast")), reset(SEQUENCE.wrapping_add(5)));
        assert_eq!(answered(&segment(tcp_flag::FIN, 0, b"text")), reset(SEQUENCE.wrapping_add(5)));
        assert_eq!(
            answered(&segment(tcp_flag::SYN | tcp_flag::FIN, 0, b"")),
            reset(SEQUENCE.wrapping_add(2))
        );
        assert_eq!(answered(&segment(0, 0, b"text")), reset(SEQUENCE.wrapping_add(4)));
        assert_eq!(answered(&segment(0, 0, b"")), reset(SEQUENCE));
    }

    #[test]
    fn padding_is_no_text() {
        let spec = PacketSpec { padding: 6, ..segment(0, 0, b"") };
        assert_eq!(answered(&spec), expected(tcp_flag::RST | tcp_flag::ACK, 0, SEQUENCE));
    }

    #[test]
    fn a_long_segment_shrinks_to_the_reset() {
        let reset = answered(&segment(tcp_flag::ACK, 0, &[1; 8000]));
        assert_eq!(reset, expected(tcp_flag::RST, ACKNOWLEDGEMENT, 0));
    }

    #[test]
    fn a_datagram_is_quoted_with_its_header_and_eight_bytes() {
        for spec in [
            PacketSpec::udp(CLIENT, VIP),
            PacketSpec::udp(CLIENT, VIP).carrying(b""),
            PacketSpec { tos: 0xb9, padding: 18, ..PacketSpec::udp(CLIENT, VIP).carrying(b"") },
            PacketSpec::udp(CLIENT, VIP).carrying(&[3; 8000]),
        ] {
            let question = spec.bytes();
            let mut frame = HostFrame::new(&question);
            port_unreachable(&mut frame).unwrap();

            let mut ip = etherparse::Ipv4Header {
                dont_fragment: true,
                time_to_live: 64,
                source: VIP.ip().octets(),
                destination: CLIENT.ip().octets(),
                ..etherparse::Ipv4Header::default()
            };
            ip.protocol = etherparse::IpNumber::ICMP;
            let mut answer = Vec::new();
            PacketBuilder::ethernet2(OURS, CLIENT_HOP)
                .ip(etherparse::IpHeaders::Ipv4(ip, etherparse::Ipv4Extensions::default()))
                .icmpv4(Icmpv4Type::DestinationUnreachable(DestUnreachableHeader::Port))
                .write(&mut answer, &question[14..42])
                .unwrap();
            assert_eq!(frame.bytes(), answer);
            assert!(checksums_hold(&answer));
        }
    }
}
