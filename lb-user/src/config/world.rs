//! What the reader asks of the system it runs on.

use std::net::{IpAddr, ToSocketAddrs as _};

use nix::unistd::{Group, User};

/// Everything that a configuration may depend on outside its files.
pub trait World {
    /// Value of an environment variable, for `"${NAME}"` and `defined(NAME)`.
    fn variable(&self, name: &str) -> Option<String>;

    /// Addresses of a host name, best first; empty when it has none.
    fn resolve(&self, name: &str) -> Vec<IpAddr>;

    fn has_user(&self, name: &str) -> bool;

    fn has_group(&self, name: &str) -> bool;
}

/// This host.
#[derive(Clone, Copy, Debug)]
pub struct Host;

impl World for Host {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        match (name, 0).to_socket_addrs() {
            Ok(addresses) => addresses.map(|address| address.ip()).collect(),
            Err(_) => Vec::new(),
        }
    }

    fn has_user(&self, name: &str) -> bool {
        matches!(User::from_name(name), Ok(Some(_)))
    }

    fn has_group(&self, name: &str) -> bool {
        matches!(Group::from_name(name), Ok(Some(_)))
    }
}
