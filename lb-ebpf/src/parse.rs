//! Bytes to a [`Packet`], or the reason why it is none of ours.

use crate::{
    abi::{Address, Counter},
    net::{Be16, Ethernet, Frame, Ipv4, Macs, Tcp, Udp, ethertype, protocol, tcp_flag},
};

/// A TCP or UDP packet over IPv4 without options, whose headers are wholly in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    pub macs: Macs,
    pub source: Address,
    pub destination: Address,
    /// IP protocol number: TCP or UDP.
    pub protocol: u8,
    pub ttl: u8,
    /// Host order.
    pub source_port: u16,
    /// Host order.
    pub destination_port: u16,
    /// TCP control bits; 0 for UDP.
    pub flags: u8,
    /// Where the transport header begins.
    pub transport: usize,
    /// IPv4 total length, host order: what follows it in the frame is Ethernet padding.
    pub total_length: u16,
    /// Bytes of the frame, as statistics count them.
    pub bytes: u64,
}

/// The two ports that TCP and UDP begin with.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Ports {
    source: Be16,
    destination: Be16,
}

impl Packet {
    /// Whether this asks for a new connection.
    #[inline(always)]
    pub fn opens(&self) -> bool {
        self.flags & (tcp_flag::SYN | tcp_flag::ACK | tcp_flag::RST) == tcp_flag::SYN
    }

    #[inline(always)]
    pub fn is_tcp(&self) -> bool {
        self.protocol == protocol::TCP
    }
}

/// Reads the headers of a frame.
///
/// # Errors
/// The reason to leave the frame alone. A header that says something impossible is `PassedMalformed`: the
/// kernel knows best what to do with it.
#[inline(always)]
pub fn parse<F: Frame>(frame: &F) -> Result<Packet, Counter> {
    let ethernet = frame.view::<Ethernet>(0).ok_or(Counter::PassedMalformed)?;
    if ethernet.ethertype != Be16::new(ethertype::IPV4) {
        return Err(Counter::PassedOtherEthertype);
    }
    let ip = frame.view::<Ipv4>(Ethernet::LENGTH).ok_or(Counter::PassedMalformed)?;
    if ip.version_ihl != 0x45 {
        let options = ip.version_ihl > 0x45 && ip.version_ihl < 0x50;
        return Err(if options { Counter::PassedOptions } else { Counter::PassedMalformed });
    }
    if ip.fragment.host() & Ipv4::FRAGMENT_BITS != 0 {
        return Err(Counter::PassedFragment);
    }
    let total_length = ip.total_length.host();
    let transport = Ethernet::LENGTH + Ipv4::LENGTH;
    let room = usize::from(total_length).wrapping_sub(Ipv4::LENGTH);
    let end = Ethernet::LENGTH + usize::from(total_length);
    if usize::from(total_length) < Ipv4::LENGTH || (end > frame.length() && end > frame.whole_length()) {
        return Err(Counter::PassedMalformed);
    }
    let flags = match ip.protocol {
        protocol::TCP => {
            let tcp = frame.view::<Tcp>(transport).ok_or(Counter::PassedMalformed)?;
            if tcp.header_length() < Tcp::LENGTH || tcp.header_length() > room {
                return Err(Counter::PassedMalformed);
            }
            tcp.flags
        }
        protocol::UDP => {
            let udp = frame.view::<Udp>(transport).ok_or(Counter::PassedMalformed)?;
            if usize::from(udp.length.host()) < Udp::LENGTH || usize::from(udp.length.host()) > room {
                return Err(Counter::PassedMalformed);
            }
            0
        }
        _ => return Err(Counter::PassedOtherProtocol),
    };
    let ports = frame.view::<Ports>(transport).ok_or(Counter::PassedMalformed)?;
    Ok(Packet {
        macs: Macs::new(ethernet.macs),
        source: Address::v4(ip.source.0),
        destination: Address::v4(ip.destination.0),
        protocol: ip.protocol,
        ttl: ip.ttl,
        source_port: ports.source.host(),
        destination_port: ports.destination.host(),
        flags,
        transport,
        total_length,
        bytes: end.max(frame.length()) as u64,
    })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;
    use crate::{
        host::HostFrame,
        testing::{CLIENT, CLIENT_HOP, OURS, PacketSpec, Transport, VIP, macs},
    };

    fn parsed(bytes: &[u8]) -> Result<Packet, Counter> {
        parse(&HostFrame::new(bytes))
    }

    fn segment() -> Vec<u8> {
        PacketSpec::tcp(CLIENT, VIP, tcp_flag::SYN).bytes()
    }

    fn datagram() -> Vec<u8> {
        PacketSpec::udp(CLIENT, VIP).bytes()
    }

    #[track_caller]
    fn assert_left_alone(bytes: &[u8], reason: Counter) {
        assert_eq!(parsed(bytes), Err(reason), "{bytes:02x?}");
    }

    /// `bytes` with one of them changed.
    fn with(mut bytes: Vec<u8>, offset: usize, value: u8) -> Vec<u8> {
        bytes[offset] = value;
        bytes
    }

    #[test]
    fn a_segment_is_read_whole() {
        let packet = Packet {
            macs: Macs::new(macs(OURS, CLIENT_HOP)),
            source: Address::v4([192, 0, 2, 7]),
            destination: Address::v4([203, 0, 113, 10]),
            protocol: protocol::TCP,
            ttl: 64,
            source_port: 40000,
            destination_port: 80,
            flags: tcp_flag::SYN,
            transport: 34,
            total_length: 40,
            bytes: 54,
        };
        assert_eq!(parsed(&segment()), Ok(packet));
    }

    #[test]
    fn a_datagram_has_no_flags() {
        let packet = parsed(&datagram()).unwrap();
        assert_eq!((packet.protocol, packet.flags, packet.total_length), (protocol::UDP, 0, 36));
    }

    #[test]
    fn only_a_bare_syn_opens_a_connection() {
        let opens = |flags| parsed(&PacketSpec::tcp(CLIENT, VIP, flags).bytes()).unwrap().opens();
        assert!(opens(tcp_flag::SYN));
        // With ECN set-up (RFC 3168, section 6.1.1).
        assert!(opens(tcp_flag::SYN | 0xc0));
        for flags in [0, tcp_flag::ACK, tcp_flag::FIN, tcp_flag::RST] {
            assert!(!opens(flags), "{flags:#x}");
        }
        assert!(!opens(tcp_flag::SYN | tcp_flag::ACK));
        assert!(!opens(tcp_flag::SYN | tcp_flag::RST));
    }

    #[test]
    fn what_follows_the_packet_is_padding_and_counts_as_bytes() {
        let spec = PacketSpec { padding: 6, ..PacketSpec::tcp(CLIENT, VIP, tcp_flag::ACK) };
        let packet = parsed(&spec.bytes()).unwrap();
        assert_eq!((packet.total_length, packet.bytes), (40, 60));
    }

    #[test]
    fn a_packet_that_continues_in_further_buffers_is_whole() {
        let packet = parsed(&PacketSpec::udp(CLIENT, VIP).carrying(&[0; 8900]).bytes()).unwrap();
        assert_eq!((packet.total_length, packet.bytes), (8928, 8942));
    }

    #[test]
    fn a_frame_cut_anywhere_is_malformed() {
        for whole in [segment(), datagram(), PacketSpec::tcp(CLIENT, VIP, 0).carrying(b"text").bytes()] {
            for length in 0..whole.len() {
                assert_left_alone(&whole[..length], Counter::PassedMalformed);
            }
        }
    }

    #[test]
    fn other_ethertypes_are_left_alone() {
        // ARP, 802.1Q, 802.1ad, IPv6, PPPoE session, LLDP, and an 802.3 length.
        for ethertype in [0x0806_u16, 0x8100, 0x88a8, 0x86dd, 0x8864, 0x88cc, 46] {
            let [high, low] = ethertype.to_be_bytes();
            assert_left_alone(&with(with(segment(), 12, high), 13, low), Counter::PassedOtherEthertype);
        }
    }

    #[test]
    fn a_version_or_header_length_that_cannot_be_is_malformed() {
        for version_ihl in [0x00, 0x40, 0x44, 0x05, 0x55, 0x65, 0xf5] {
            assert_left_alone(&with(segment(), 14, version_ihl), Counter::PassedMalformed);
        }
    }

    #[test]
    fn options_and_fragments_are_left_alone() {
        for version_ihl in 0x46..=0x4f {
            assert_left_alone(&with(segment(), 14, version_ihl), Counter::PassedOptions);
        }
        // More fragments; the second fragment; the last one.
        for (high, low) in [(0x20, 0), (0x20, 0xb9), (0x1f, 0xff), (0, 1)] {
            assert_left_alone(&with(with(segment(), 20, high), 21, low), Counter::PassedFragment);
        }
    }

    #[test]
    fn the_flags_that_make_no_fragment_do_not_matter() {
        for flags in [0x00, 0x40, 0x80, 0xc0] {
            assert!(parsed(&with(with(segment(), 20, flags), 21, 0)).is_ok());
        }
    }

    #[test]
    fn other_protocols_are_left_alone() {
        // ICMP, IGMP, IPIP, GRE, ESP, SCTP.
        for protocol in [1, 2, 4, 47, 50, 132] {
            assert_left_alone(&with(segment(), 23, protocol), Counter::PassedOtherProtocol);
        }
    }

    #[test]
    fn a_total_length_that_lies_is_malformed() {
        for length in (0..40_u8).chain(41..=255) {
            assert_left_alone(&with(segment(), 17, length), Counter::PassedMalformed);
        }
    }

    #[test]
    fn a_data_offset_that_lies_is_malformed() {
        for words in (0..5).chain(6..16) {
            assert_left_alone(&with(segment(), 46, words << 4), Counter::PassedMalformed);
        }
        let Transport::Tcp { flags, sequence, acknowledgement, window, .. } =
            PacketSpec::tcp(CLIENT, VIP, tcp_flag::SYN).transport
        else {
            unreachable!("it is a segment")
        };
        let transport = Transport::Tcp { flags, sequence, acknowledgement, window, options: 10 };
        let longest = PacketSpec { transport, ..PacketSpec::tcp(CLIENT, VIP, 0) };
        assert_eq!(parsed(&longest.bytes()).unwrap().total_length, 80);
    }

    #[test]
    fn a_udp_length_that_lies_is_malformed() {
        for length in (0..8).chain(17..=255) {
            assert_left_alone(&with(datagram(), 39, length), Counter::PassedMalformed);
        }
    }
}
