//! The kernel's half as the daemon sees it: load, pin, adopt, attach, read and write the maps.
//!
//! Everything is pinned, so the daemon may die at any moment: the program stays attached, the maps stay as
//! they are, and the next start adopts them. What shall be written is [`crate::plan`]'s matter.

mod abi;
mod attach;
mod error;
mod jiffies;
mod kernel;
mod maps;
mod pins;
mod readiness;
mod trace;
mod words;

pub use attach::Attachment;
pub use error::DatapathError;
pub use jiffies::TickRate;
pub use kernel::{Datapath, Tuning};
pub use pins::detach;
pub use readiness::Readiness;

/// The compiled XDP programs (see `build.rs`).
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("STICKFAST_EBPF"));
