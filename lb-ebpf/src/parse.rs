//! Bytes to a [`Packet`], or the reason why it is none of ours.

use crate::{
    abi::{Address, Counter},
    net::{Be16, Ethernet, Frame, Ipv4, Tcp, Udp, ethertype, protocol, tcp_flag},
};

/// A TCP or UDP packet over IPv4 without options, whose headers are wholly in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
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
