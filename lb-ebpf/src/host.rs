//! The walk's surroundings in ordinary memory, for tests and for explaining what the program would do.
//!
//! ```
//! use lb_ebpf::{abi::Settings, host::{HostFrame, HostTables}, walk::{Action, walk}};
//!
//! let tables = HostTables::new(bytemuck::Zeroable::zeroed());
//! let mut frame = HostFrame::new(&[0; 60]);
//! assert_eq!(walk(&mut frame, &tables, 1).action, Action::Pass);
//! assert_eq!(frame.bytes(), [0; 60]);
//! ```

mod frame;
mod tables;

pub use frame::HostFrame;
pub use tables::{HostTables, IndexFull};
