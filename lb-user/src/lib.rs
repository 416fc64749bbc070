//! Stickfast's daemon and command line.
//!
//! Data flows one way: [`config`], [`probe`] and [`runtime`] bring events, [`director`] decides,
//! `plan` says what the maps must hold, `datapath` writes them. [`daemon`] is the loop that joins them.

pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod datapath;
pub mod director;
pub mod net;
pub mod plan;
pub mod probe;
pub mod runtime;
