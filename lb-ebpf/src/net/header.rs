//! Headers as they lie in a packet: alignment 1, wire byte order held in the types.

use bytemuck::{Pod, Zeroable};

/// A 16-bit number in network byte order.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Be16([u8; 2]);

impl Be16 {
    #[inline(always)]
    pub fn new(host: u16) -> Self {
        Self(host.to_be_bytes())
    }

    #[inline(always)]
    pub fn host(self) -> u16 {
        u16::from_be_bytes(self.0)
    }

    /// The bytes as the processor loads them: what checksums add up (RFC 1071, section 2 (B)).
    #[inline(always)]
    pub fn raw(self) -> u16 {
        u16::from_ne_bytes(self.0)
    }

    #[inline(always)]
    pub fn from_raw(raw: u16) -> Self {
        Self(raw.to_ne_bytes())
    }
}

/// A 32-bit number in network byte order.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Be32(pub [u8; 4]);

impl Be32 {
    #[inline(always)]
    pub fn new(host: u32) -> Self {
        Self(host.to_be_bytes())
    }

    #[inline(always)]
    pub fn host(self) -> u32 {
        u32::from_be_bytes(self.0)
    }

    /// See [`Be16::raw`].
    #[inline(always)]
    pub fn raw(self) -> u32 {
        u32::from_ne_bytes(self.0)
    }
}

/// Ethernet II.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Ethernet {
    /// Destination, then source: moved as one, because single MACs of six bytes become calls of `memcpy`.
    pub macs: [u8; 12],
    pub ethertype: Be16,
}

impl Ethernet {
    pub const LENGTH: usize = size_of::<Self>();
}

/// The MACs of a frame that goes back where one with these came from.
#[inline(always)]
pub fn macs_back(macs: [u8; 12]) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = macs;
    [g, h, i, j, k, l, a, b, c, d, e, f]
}

/// Whether two pairs of MACs are equal, by words: a derived comparison would call `bcmp`.
#[inline(always)]
pub fn same_macs(left: [u8; 12], right: [u8; 12]) -> bool {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = left;
    let [m, n, o, p, q, r, s, t, u, v, w, x] = right;
    u32::from_ne_bytes([a, b, c, d]) == u32::from_ne_bytes([m, n, o, p])
        && u32::from_ne_bytes([e, f, g, h]) == u32::from_ne_bytes([q, r, s, t])
        && u32::from_ne_bytes([i, j, k, l]) == u32::from_ne_bytes([u, v, w, x])
}

/// EtherTypes (IEEE 802 numbers).
pub mod ethertype {
    pub const IPV4: u16 = 0x0800;
}

/// IPv4 without options (RFC 791).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Ipv4 {
    pub version_ihl: u8,
    pub tos: u8,
    pub total_length: Be16,
    pub id: Be16,
    pub fragment: Be16,
    pub ttl: u8,
    pub protocol: u8,
    pub checksum: Be16,
    pub source: Be32,
    pub destination: Be32,
}

impl Ipv4 {
    pub const LENGTH: usize = size_of::<Self>();
    /// Flag "more fragments" and the fragment offset: a packet with any of these set is a fragment.
    pub const FRAGMENT_BITS: u16 = 0x3fff;
    pub const DONT_FRAGMENT: u16 = 0x4000;

    /// TTL and protocol as the checksum sees them.
    #[inline(always)]
    pub fn ttl_word(&self) -> u16 {
        u16::from_ne_bytes([self.ttl, self.protocol])
    }
}

/// IP protocol numbers.
pub mod protocol {
    pub const ICMP: u8 = 1;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
}

/// TCP without options (RFC 9293, section 3.1).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Tcp {
    pub source: Be16,
    pub destination: Be16,
    pub sequence: Be32,
    pub acknowledgement: Be32,
    /// Header length in the high four bits, in words of four bytes.
    pub offset: u8,
    pub flags: u8,
    pub window: Be16,
    pub checksum: Be16,
    pub urgent: Be16,
}

impl Tcp {
    pub const LENGTH: usize = size_of::<Self>();

    /// Header length in bytes, options included.
    #[inline(always)]
    pub fn header_length(&self) -> usize {
        usize::from(self.offset >> 4) * 4
    }
}

/// TCP control bits.
pub mod tcp_flag {
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const ACK: u8 = 0x10;
}

/// UDP (RFC 768).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Udp {
    pub source: Be16,
    pub destination: Be16,
    pub length: Be16,
    /// 0 = the sender did not compute one.
    pub checksum: Be16,
}

impl Udp {
    pub const LENGTH: usize = size_of::<Self>();
}

/// ICMP destination unreachable (RFC 792), without the quoted packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Icmp {
    pub kind: u8,
    pub code: u8,
    pub checksum: Be16,
    pub rest: Be32,
}

impl Icmp {
    pub const LENGTH: usize = size_of::<Self>();
    pub const UNREACHABLE: u8 = 3;
    pub const PORT_UNREACHABLE: u8 = 3;
}
