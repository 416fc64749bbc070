//! Raw Ethernet frames: sending them, and seeing what a host receives.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, sendto, setsockopt, socket,
};
use nix::sys::time::TimeVal;

use crate::topology::Host;

/// A packet socket (packet(7)) on a host's `eth0`. What it receives has passed XDP, and nothing else yet.
#[derive(Debug)]
pub struct Frames {
    socket: File,
    link: LinkAddr,
}

impl Frames {
    /// Opens the socket; it receives from now on.
    ///
    /// # Errors
    /// When the host has no `eth0`, or for want of privileges.
    pub fn on(host: &Host) -> Result<Self> {
        host.netns.enter(|| {
            let mut addresses = getifaddrs()?.filter(|entry| entry.interface_name == "eth0");
            let link = addresses.find_map(|entry| entry.address?.as_link_addr().copied());
            let link = link.with_context(|| format!("{} has no eth0", host.name))?;
            let (family, kind) = (AddressFamily::Packet, SockType::Raw);
            let socket: OwnedFd = socket(family, kind, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
            setsockopt(&socket, ReceiveTimeout, &TimeVal::new(0, 20_000))?;
            Ok(Self { socket: File::from(socket), link })
        })?
    }

    /// The Ethernet address of the host's `eth0`.
    ///
    /// # Errors
    /// When it has none.
    pub fn mac(&self) -> Result<[u8; 6]> {
        self.link.addr().context("eth0 has no Ethernet address")
    }

    /// Sends a frame as it stands.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        sendto(self.socket.as_raw_fd(), frame, &self.link, MsgFlags::empty())?;
        Ok(())
    }

    /// The frames from the Ethernet address `source` that come until there are `count` of them, or until
    /// none came for the time of `silence`.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn receive_from(&mut self, source: [u8; 6], count: usize, silence: Duration) -> Result<Vec<Vec<u8>>> {
        let mut received = Vec::new();
        let mut deadline = crate::clock::now() + silence;
        let mut buffer = [0; 65_536];
        while received.len() < count && crate::clock::now() < deadline {
            let length = match self.socket.read(&mut buffer) {
                Ok(length) => length,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let frame = buffer.get(..length).unwrap_or_default();
            if frame.get(6..12) == Some(&source) {
                received.push(frame.to_vec());
                deadline = crate::clock::now() + silence;
            }
        }
        Ok(received)
    }
}
