use super::{Address, NONE, capacity};

/// Which way packets that match a service key travel.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Client to VIP: the key is a destination.
    Request = 0,
    /// Server to client in mode `dnat`: the key is a source.
    Reply = 1,
}

/// How packets of a service are rewritten.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Destination and source: replies come back here.
    Snat = 0,
    /// Destination only: the server routes its replies through this host.
    Dnat = 1,
    /// MACs only: the server answers the client directly.
    Dsr = 2,
}

impl Mode {
    /// The mode a service holds; an unknown number is `Snat`.
    #[inline(always)]
    pub fn of(number: u8) -> Self {
        match number {
            1 => Self::Dnat,
            2 => Self::Dsr,
            _ => Self::Snat,
        }
    }
}

/// What finds a service.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct ServiceKey {
    pub address: Address,
    /// Host order; 0 = every port of the address.
    pub port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// A [`Direction`].
    pub direction: u8,
}

impl ServiceKey {
    /// First place of the key in `service_index`; the daemon and the program probe upwards from here.
    #[inline(always)]
    pub fn first_probe(&self) -> u32 {
        let [high, low] = self.address.halves();
        let ports = u64::from(self.port) | u64::from(self.protocol) << 16 | u64::from(self.direction) << 24;
        // Multiplicative hashing (Knuth, TAOCP 6.4): the high bits of the product are the well mixed ones.
        // The key comes from the wire, but only the daemon inserts, so nobody can lengthen a probe.
        let mixed = (high ^ low.rotate_left(32) ^ ports << 32 ^ ports).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as u32 & (capacity::SERVICE_INDEX - 1)
    }
}

/// How many words of `service_index` a lookup reads at most.
pub const SERVICE_PROBES: u32 = 8;

/// A word of `service_index` whose service is gone: a probe goes on behind it, as it would not behind 0.
pub const DELETED: u32 = u32::MAX;

/// A value of `services`. Immutable while `service_index` names it. Written by: daemon; read by: XDP.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Service {
    pub key: ServiceKey,
    /// Index into `backends`.
    pub backend: u32,
    /// Slot of the stick entry, or [`NONE`]: the backend fails back by itself.
    pub stick: u32,
    /// Of a [`Direction::Reply`] key: the slot of the service that its server belongs to; else [`NONE`].
    pub request: u32,
    /// A [`Mode`].
    pub mode: u8,
    pub reserved: u8,
    /// Of a [`Direction::Reply`] key without port: how far the server's ports lie above the VIP's, modulo 2^16.
    pub port_shift: u16,
}

impl Service {
    /// Whether this slot was never used.
    pub fn is_empty(&self) -> bool {
        self.key.protocol == 0
    }

    /// What an unused slot holds.
    pub const EMPTY: Self = Self {
        key: ServiceKey { address: Address::UNSPECIFIED, port: 0, protocol: 0, direction: 0 },
        backend: NONE,
        stick: NONE,
        request: NONE,
        mode: 0,
        reserved: 0,
        port_shift: 0,
    };
}
