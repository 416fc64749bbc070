//! What tests are made of: a small world of tables, and packets described by their headers. `etherparse` builds
//! and judges the bytes, so that nothing here is tested by itself.

pub mod generate;
mod judge;
mod packet;
mod world;

pub use judge::{checksums, checksums_hold};
pub use packet::{PacketSpec, Transport};
pub use world::{
    BACKEND, CLIENT, CLIENT_HOP, FIRST_PORT, IFINDEX, OURS, PORTS, SERVER_HOPS, SERVER_PORT, SERVERS,
    SERVICES, SNAT_SOURCE, STICK, STRANGER, VIP, macs, world,
};
