use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv6 address, or an IPv4 address mapped into it (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2), in wire
/// order. One form for both families keeps one lookup and one layout.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Address {
    pub bytes: [u8; 16],
}

impl Address {
    /// `::`, where no address is known.
    pub const UNSPECIFIED: Self = Self { bytes: [0; 16] };

    /// The mapped form of an IPv4 address in wire order.
    #[inline(always)]
    pub fn v4(bytes: [u8; 4]) -> Self {
        // By words: single bytes would be kept one by one.
        Self { bytes: bytemuck::cast([[0; 4], [0; 4], [0, 0, 0xff, 0xff], bytes]) }
    }

    /// The IPv4 address in wire order. Meaningless for an IPv6 address.
    #[inline(always)]
    pub fn v4_bytes(&self) -> [u8; 4] {
        let [_, _, _, v4] = bytemuck::cast::<_, [[u8; 4]; 4]>(self.bytes);
        v4
    }

    /// The two halves as the processor loads them: for comparing and hashing only.
    #[inline(always)]
    pub fn halves(&self) -> [u64; 2] {
        bytemuck::cast(self.bytes)
    }
}

// Written out because a derived comparison of 16 bytes becomes a call of `bcmp`, which BPF does not have.
impl PartialEq for Address {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b], [c, d]) = (self.halves(), other.halves());
        a == c && b == d
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self { bytes: v6.octets() },
        }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        let v6 = Ipv6Addr::from(address.bytes);
        v6.to_ipv4_mapped().map_or(Self::V6(v6), |v4: Ipv4Addr| Self::V4(v4))
    }
}
