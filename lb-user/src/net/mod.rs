//! What the host's network looks like: interfaces, routes, neighbours, addresses, XDP features.
//!
//! Everything is asked of the kernel over netlink, in the network namespace of the calling thread, and
//! nothing is changed but for one thing: [`NextHops`] makes the kernel resolve the neighbours it watches.
//! The functions that talk rtnetlink spawn a task for their connection, so they need a tokio runtime.

mod error;
mod host;
mod link;
mod neighbour;
mod netlink;
mod next_hops;
mod notifications;
mod route;
mod xdp;

#[cfg(test)]
mod in_namespaces;

pub use error::{NetError, Unresolved};
pub use host::{LocalAddress, addresses, host_name, ip_local_port_range};
pub use link::{Link, XdpAttached, XdpMode, link_by_name, links};
pub use next_hops::{Change, NextHop, NextHops};
pub use route::{Route, route_to};
pub use xdp::{XdpFeatures, XdpSupport, xdp_features};

/// An Ethernet address, in wire order.
pub type Mac = [u8; 6];
