//! Packets as bytes: the view of a frame, the headers, their checksums.

mod checksum;
mod frame;
mod header;

pub use checksum::{Sum, adjust};
pub use frame::Frame;
pub use header::{Be16, Be32, Ethernet, Icmp, Ipv4, Macs, Tcp, Udp, ethertype, protocol, tcp_flag};
