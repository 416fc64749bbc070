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
    /// See [`Macs`].
    pub macs: [u8; 12],
    pub ethertype: Be16,
}

impl Ethernet {
    pub const LENGTH: usize = size_of::<Self>();
}

/// Destination and source MAC as three words. Single bytes would be kept one by one, each in a register or on the
/// stack; comparing them would call `bcmp`.
#[derive(Clone, Copy, Debug, Eq)]
pub struct Macs([u32; 3]);

impl Macs {
    #[inline(always)]
    pub fn new(bytes: [u8; 12]) -> Self {
        Self(bytemuck::cast(bytes))
    }

    #[inline(always)]
    pub fn bytes(self) -> [u8; 12] {
        bytemuck::cast(self.0)
    }

    /// Of a frame that goes back where one with these came from.
    #[inline(always)]
    pub fn swapped(self) -> Self {
        let [a, b, c] = self.0.map(u32::from_le);
        Self([b >> 16 | c << 16, c >> 16 | a << 16, a >> 16 | b << 16].map(u32::to_le))
    }

    /// Whether the destination is `mac`.
    #[inline(always)]
    pub fn is_to(self, mac: [u8; 6]) -> bool {
        let [a, b, _] = self.0.map(u32::from_le);
        let [c, d, e] = bytemuck::cast::<_, [u16; 3]>(mac).map(u16::from_le);
        a == (u32::from(c) | u32::from(d) << 16) && b & 0xffff == u32::from(e)
    }
}

impl PartialEq for Macs {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b, c], [d, e, f]) = (self.0, other.0);
        a == d && b == e && c == f
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macs_know_their_halves() {
        let macs = Macs::new([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(macs.swapped().bytes(), [7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6]);
        assert!(macs.is_to([1, 2, 3, 4, 5, 6]));
        for byte in 0..6 {
            let mut other = [1, 2, 3, 4, 5, 6];
            other[byte] ^= 0x80;
            assert!(!macs.is_to(other));
        }
    }
}
