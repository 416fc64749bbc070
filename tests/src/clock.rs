//! The laboratory's clock: real time, and waiting for a condition instead of for a duration.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The longest that anything of the laboratory may take on a busy machine with two cores.
pub const PATIENCE: Duration = Duration::from_secs(20);

const PAUSE: Duration = Duration::from_millis(5);

/// The monotonic time.
#[expect(clippy::disallowed_methods, reason = "real processes and packets have no other time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Calls `attempt` until it returns a value, and returns that value.
///
/// # Errors
/// After `patience`, an error that says `what` was waited for and what the last attempt saw.
pub fn until<T, Seen: Debug>(
    patience: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Result<T, Seen>,
) -> Result<T> {
    let deadline = now() + patience;
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(seen) if now() >= deadline => bail!("waited {patience:?} for {what}, last saw {seen:?}"),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}
