//! HAProxy's Runtime API on the stats sockets (HAProxy management guide, section 9.3), and its client.
//!
//! ```text
//! socket -> framing -> session ------ line, level ------> execute -> command -> answer
//!                      session <----- Answer ------------            (Subject: the daemon's state)
//! socket <- bytes ----'
//! ```
//!
//! [`Session`] and [`execute`] are pure: bytes and text in, bytes and text out. [`serve`] puts sockets
//! around sessions and hands each command as a [`Request`] to the one task that owns the [`Subject`], so
//! that no state is shared and no client can make that task wait. [`send`] is the other end.
//!
//! A new command is a row in `command::KEYWORDS`, a variant of `command::Command` and a function in
//! `answer`.

mod answer;
mod client;
mod command;
mod framing;
mod server;
mod session;
mod view;

#[cfg(test)]
mod lab;
#[cfg(test)]
mod replay;

pub use answer::{Answer, Effect, Severity, SeverityOutput, execute};
pub use client::{ClientError, send};
pub use server::{BindError, DEFAULT_SOCKET, Limits, Request, Sockets, serve, stats_sockets};
pub use session::{Next, Session};
pub use view::{EntryView, ProcessView, Refused, ServerView, Subject};
