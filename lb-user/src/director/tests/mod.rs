//! The director as a whole, in virtual time.

pub(super) mod config;
mod document;
mod election;
mod events;
mod product;
mod properties;
mod script;
mod transitions;
