use super::{Address, word::FlowTag};

/// What is known of a flow's connection.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowState {
    /// Nobody's.
    Free = 0,
    /// A processor is filling the slot in.
    Claimed = 1,
    /// TCP: only the client's SYN has been seen.
    Opening = 2,
    /// TCP: the server has answered.
    Established = 3,
    /// TCP: closed by both sides or reset; kept for late segments until the slot is wanted.
    Closed = 4,
    Udp = 5,
}

impl FlowState {
    /// The state a tag holds; an unknown number counts as claimed: nobody touches it.
    #[inline(always)]
    pub fn of(tag: FlowTag) -> Self {
        match tag.state {
            0 => Self::Free,
            2 => Self::Opening,
            3 => Self::Established,
            4 => Self::Closed,
            5 => Self::Udp,
            _ => Self::Claimed,
        }
    }
}

/// A value of `flows`: one cache line, both directions of a flow. The index is
/// `protocol * ports + (source port - first port)`, protocol 0 = TCP, 1 = UDP.
/// Written by: XDP; read by: XDP, daemon.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Flow {
    pub tag: FlowTag,
    pub client: Address,
    /// Destination and source MAC of a frame to the client.
    pub macs: [u8; 12],
    /// Interface the client is reached over.
    pub interface: u32,
    /// Host order.
    pub client_port: u16,
    /// Port of the VIP that the client asked for, host order.
    pub service_port: u16,
    /// Slot of the service.
    pub service: u32,
    /// Server id.
    pub server: u32,
    /// Jiffies (low 32 bits) at the last packet.
    pub last_seen: u32,
    /// Of the server, host order: where replies come from.
    pub server_port: u16,
    pub reserved: [u16; 3],
}
