//! Words that several processors read and write at once. Each is one aligned `u64`, read and written whole;
//! the types here give their bits names.

/// A word with a typed view. The view's bytes are the word's bytes, so that `bpftool` shows its fields.
pub trait Word: bytemuck::Pod {
    /// As stored.
    #[inline(always)]
    fn raw(self) -> u64 {
        bytemuck::cast(self)
    }

    /// The typed view of what is stored.
    #[inline(always)]
    fn from_raw(raw: u64) -> Self {
        bytemuck::cast(raw)
    }
}

/// Of a stick entry: the server it names. Written by: daemon and XDP (compare-and-exchange).
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Chosen {
    /// Server id, or [`super::NONE`].
    pub server: u32,
    /// Rises with each change, so that a change back and forth is still seen as a change.
    pub epoch: u32,
}

/// Of a server: may it be used, and where its present data is. Written by: daemon; read by: XDP.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct ServerState {
    /// Index into `servers`.
    pub slot: u32,
    /// Rises when the server's connections are to be cut: flows remember the one they began under.
    pub epoch: u16,
    /// 1: traffic may go there; 0: it may not.
    pub usable: u16,
}

/// Of a flow: who owns the slot and in which state its connection is. Written by: XDP.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct FlowTag {
    /// Rises with each claim of the slot.
    pub generation: u32,
    /// A [`super::FlowState`].
    pub state: u8,
    /// Bit 0: the client has sent FIN, bit 1: the server has.
    pub fins: u8,
    /// The server's epoch when the flow was bound to it.
    pub server_epoch: u16,
}

impl Word for Chosen {}
impl Word for ServerState {}
impl Word for FlowTag {}
