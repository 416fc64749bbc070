//! Everything the walk needs besides the packet.

pub use crate::abi::Passage;
use crate::abi::{
    Address, Backend, Counter, Event, Flow, Server, Service, Settings,
    word::{Chosen, FlowTag, ServerState},
};

/// The maps, the clock and the kernel's routing table, as pure code sees them. The kernel's implementation is
/// in the XDP program, [`crate::host::HostTables`] is the one of the tests. An index out of range is `None`.
pub trait Tables {
    fn settings(&self) -> &Settings;

    /// A word of `service_index`: service slot + 1, 0, or [`crate::abi::DELETED`].
    fn service_index(&self, index: u32) -> Option<u32>;
    fn service(&self, slot: u32) -> Option<&Service>;

    fn stick(&self, slot: u32) -> Option<Chosen>;
    /// Swings the entry from `old` to `new`; what it holds afterwards, whoever wrote it.
    fn swing(&self, slot: u32, old: Chosen, new: Chosen) -> Option<Chosen>;

    fn backend(&self, index: u32) -> Option<&Backend>;
    fn server_state(&self, id: u32) -> Option<ServerState>;
    fn server(&self, slot: u32) -> Option<&Server>;

    fn flow_tag(&self, index: u32) -> Option<FlowTag>;
    /// Whether the tag was `old` and is `new` now.
    fn swap_flow_tag(&self, index: u32, old: FlowTag, new: FlowTag) -> bool;
    /// The fields of a flow beside its tag. They are only meaningful while the tag says who owns them.
    fn flow(&self, index: u32) -> Option<Flow>;
    /// Writes all fields beside the tag; the caller owns the slot.
    fn write_flow(&self, index: u32, flow: &Flow);
    /// Remembers that a packet passed. Racing writers write nearly the same.
    fn touch_flow(&self, index: u32, now: u32);
    /// Remembers where the client is reached.
    fn learn_client(&self, index: u32, interface: u32, macs: [u8; 12]);

    fn count(&self, counter: Counter, bytes: u64);
    fn count_service(&self, slot: u32, passage: Passage, bytes: u64);
    fn count_server(&self, id: u32, passage: Passage, bytes: u64);
    fn report(&self, event: Event);

    /// Jiffies, low 32 bits.
    fn now(&self) -> u32;
    /// Asks the kernel how a packet of `length` bytes from `source` gets to `destination` (both IPv4).
    fn route(&self, source: Address, destination: Address, protocol: u8, length: u16) -> Route;
}

/// An answer of the kernel's routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Send it so.
    Via { interface: u32, macs: [u8; 12] },
    /// The kernel knows the way but must resolve the neighbour first: it gets the packet.
    NoNeighbour,
    /// Not this host's to forward: for the host itself, forbidden, or forwarding is switched off.
    NotForwarded,
}
