//! A laboratory of network namespaces for the end-to-end tests and the demo.
//!
//! [`Lab`] builds hosts and cables; [`Nginx`], [`UdpEcho`] and [`TcpEcho`] serve on them; [`Balancer`] is
//! the switch under test, a Stickfast or a HAProxy started with the same configuration; [`Http`],
//! [`Poller`] and plain sockets opened by [`Netns::enter`] are its clients.
//!
//! Whatever is made here has a name that begins with `sf-` and the process id, and is removed when its
//! owner is dropped. What outlives that (a signal, a SIGKILL) is in [`cleanup`].

pub mod cleanup;
pub mod client;
pub mod clock;
pub mod config;
pub mod echo;
pub mod frames;
pub mod netns;
pub mod privilege;
pub mod process;
pub mod server;
pub mod sockets;
pub mod subject;
pub mod topology;

pub use client::{Answer, Http, Poller, Sample};
pub use clock::until;
pub use config::Config;
pub use echo::{TcpEcho, UdpEcho};
pub use frames::Frames;
pub use netns::Netns;
pub use process::{LogLine, Process};
pub use server::Nginx;
pub use sockets::Connection;
pub use subject::{Balancer, Subject};
pub use topology::{Host, Lab, Shape};
