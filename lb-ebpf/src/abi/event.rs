use super::Address;

/// What an [`Event`] tells.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The stick entry `slot` was swung to `server` because its server was not usable.
    Restuck = 1,
    /// Nobody could serve the service `slot`.
    NoServer = 2,
    /// No source port was free for a flow of the service `slot`.
    PortsExhausted = 3,
}

impl TryFrom<u32> for EventKind {
    type Error = u32;

    /// # Errors
    /// The number, where it names no event.
    fn try_from(number: u32) -> Result<Self, u32> {
        match number {
            1 => Ok(Self::Restuck),
            2 => Ok(Self::NoServer),
            3 => Ok(Self::PortsExhausted),
            other => Err(other),
        }
    }
}

/// A record of the ring buffer `events`. Written by: XDP; read by: daemon.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Event {
    /// An [`EventKind`].
    pub kind: u32,
    /// Stick slot or service slot, by kind.
    pub slot: u32,
    /// Server id, or [`super::NONE`].
    pub server: u32,
    pub reserved: u32,
    /// The client of the packet that caused it.
    pub client: Address,
}
