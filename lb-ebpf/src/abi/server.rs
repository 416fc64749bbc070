use super::Address;

/// A value of `servers`: all that a rewrite towards a server needs, in one cache line.
/// Immutable while a `server_state` word names it: a change is written to a fresh slot and the word is
/// swung. Written by: daemon; read by: XDP.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Server {
    pub address: Address,
    /// What SNAT puts as the source: an address of this host.
    pub source: Address,
    /// Hash of "backend/server": tells after a restart whose id this is.
    pub identity: u64,
    /// Destination and source MAC of a frame to the server.
    pub macs: [u8; 12],
    /// Interface the server is reached over; 0 while its next hop is not known.
    pub interface: u32,
    /// Host order; 0: the port that the client asked for, moved by `port_shift`.
    pub port: u16,
    /// Added modulo 2^16 when `port` is 0.
    pub port_shift: u16,
    pub reserved: u32,
}

impl Server {
    /// The server's port for a packet to `service_port` of the VIP; host order.
    #[inline(always)]
    pub fn port_for(&self, service_port: u16) -> u16 {
        if self.port == 0 { service_port.wrapping_add(self.port_shift) } else { self.port }
    }
}
