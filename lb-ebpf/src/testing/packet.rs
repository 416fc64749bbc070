extern crate std;

use core::net::SocketAddrV4;
use std::vec::Vec;

use etherparse::{IpDscp, IpEcn, IpFragOffset, IpHeaders, IpNumber, Ipv4Header, PacketBuilder, TcpHeader};

use super::world::{CLIENT_HOP, OURS};
use crate::net::tcp_flag;

/// A TCP or UDP packet over IPv4, as its headers describe it. All lengths and checksums follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketSpec {
    /// Destination MAC.
    pub to: [u8; 6],
    /// Source MAC.
    pub from: [u8; 6],
    pub source: SocketAddrV4,
    pub destination: SocketAddrV4,
    pub ttl: u8,
    pub tos: u8,
    pub id: u16,
    pub transport: Transport,
    pub payload: Vec<u8>,
    /// Bytes after the IPv4 packet.
    pub padding: usize,
}

/// The part of a [`PacketSpec`] that TCP and UDP do not share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Tcp {
        /// Control bits.
        flags: u8,
        sequence: u32,
        acknowledgement: u32,
        window: u16,
        /// Options of no operation, in words of four bytes.
        options: u8,
    },
    Udp {
        /// Whether there is one.
        checksum: bool,
    },
}

impl PacketSpec {
    /// A segment from the client's next hop to us.
    #[must_use]
    pub fn tcp(source: SocketAddrV4, destination: SocketAddrV4, flags: u8) -> Self {
        let transport = Transport::Tcp {
            flags,
            sequence: 0x0102_0304,
            acknowledgement: if flags & tcp_flag::ACK != 0 { 0xa1b2_c3d4 } else { 0 },
            window: 502,
            options: 0,
        };
        Self {
            to: OURS,
            from: CLIENT_HOP,
            source,
            destination,
            ttl: 64,
            tos: 0,
            id: 0x1234,
            transport,
            payload: Vec::new(),
            padding: 0,
        }
    }

    /// A datagram from the client's next hop to us.
    #[must_use]
    pub fn udp(source: SocketAddrV4, destination: SocketAddrV4) -> Self {
        Self {
            transport: Transport::Udp { checksum: true },
            payload: b"question".to_vec(),
            ..Self::tcp(source, destination, 0)
        }
    }

    /// The same packet with another payload.
    #[must_use]
    pub fn carrying(self, payload: &[u8]) -> Self {
        Self { payload: payload.to_vec(), ..self }
    }

    /// The frame.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut ip = Ipv4Header {
            identification: self.id,
            dont_fragment: true,
            fragment_offset: IpFragOffset::ZERO,
            time_to_live: self.ttl,
            protocol: IpNumber::TCP,
            source: self.source.ip().octets(),
            destination: self.destination.ip().octets(),
            ..Ipv4Header::default()
        };
        ip.dscp = IpDscp::try_new(self.tos >> 2).expect("six bits");
        ip.ecn = IpEcn::try_new(self.tos & 3).expect("two bits");
        let ip = IpHeaders::Ipv4(ip, etherparse::Ipv4Extensions::default());
        let below = PacketBuilder::ethernet2(self.from, self.to).ip(ip);

        let mut frame = Vec::new();
        match self.transport {
            Transport::Tcp { flags, sequence, acknowledgement, window, options } => {
                let mut tcp = TcpHeader::new(self.source.port(), self.destination.port(), sequence, window);
                tcp.acknowledgment_number = acknowledgement;
                tcp.fin = flags & 0x01 != 0;
                tcp.syn = flags & 0x02 != 0;
                tcp.rst = flags & 0x04 != 0;
                tcp.psh = flags & 0x08 != 0;
                tcp.ack = flags & 0x10 != 0;
                tcp.urg = flags & 0x20 != 0;
                tcp.ece = flags & 0x40 != 0;
                tcp.cwr = flags & 0x80 != 0;
                tcp.set_options_raw(&std::vec![1; 4 * usize::from(options)]).expect("at most ten words");
                below.tcp_header(tcp).write(&mut frame, &self.payload).expect("it fits");
            }
            Transport::Udp { checksum } => {
                let udp = below.udp(self.source.port(), self.destination.port());
                udp.write(&mut frame, &self.payload).expect("it fits");
                if !checksum && let Some(field) = frame.get_mut(40..42) {
                    field.fill(0);
                }
            }
        }
        frame.resize(frame.len() + self.padding, 0);
        frame
    }
}
