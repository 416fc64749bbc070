use super::{Address, word::Chosen};

/// A value of `stick_table`. Written by: daemon; the word also by XDP, when its server is not usable.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct StickEntry {
    /// Who has the key's traffic.
    pub chosen: Chosen,
    /// Index into `backends`: the table's owner.
    pub backend: u32,
    /// 1 where an entry stands, 0 in an unused slot.
    pub used: u32,
    /// The destination address that sticks.
    pub key: Address,
}

/// A value of `backends`. Written by: daemon; read by: XDP.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Backend {
    /// Server id that new traffic without a usable stick entry goes to, or [`super::NONE`]. One word.
    pub current: u32,
    /// A [`NoServerPolicy`].
    pub no_server: u32,
    /// Hash of the backend's name: tells after a restart whose slot this is; 0 in an unused slot.
    pub identity: u64,
}

/// What a client gets while nobody can serve it.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoServerPolicy {
    /// TCP reset, ICMP port unreachable.
    Reject = 0,
    /// Silence.
    Drop = 1,
}

impl NoServerPolicy {
    /// The policy a backend holds; an unknown number is `Reject`.
    #[inline(always)]
    pub fn of(number: u32) -> Self {
        if number == 1 { Self::Drop } else { Self::Reject }
    }
}
