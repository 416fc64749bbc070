//! Waiting until a ring buffer has something to read.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use tokio::io::unix::AsyncFd;

/// Tells when a map's file descriptor is readable.
#[derive(Debug)]
pub struct Readiness(AsyncFd<OwnedFd>);

impl Readiness {
    /// Of the map behind `fd`, through a descriptor of its own. Needs a tokio runtime.
    ///
    /// # Errors
    /// No descriptor left, or the map cannot be polled.
    #[expect(unsafe_code, reason = "tokio wants a promise about the descriptor")]
    pub fn of(fd: BorrowedFd<'_>) -> io::Result<Self> {
        // SAFETY: the descriptor is owned by the value that is registered, so it stays open and the same as
        // long as the registration.
        let registered = unsafe { AsyncFd::register(fd.try_clone_to_owned()?) };
        Ok(Self(registered.map_err(|error| io::Error::other(error.to_string()))?))
    }

    /// Returns when something came since the last call.
    ///
    /// # Errors
    /// The runtime is shutting down.
    pub async fn wait(&self) -> io::Result<()> {
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}
