//! The pure half of the data path: the map ABI and every decision and rewrite of a packet.
//!
//! The same functions run in the XDP program, in unit and property tests and against the kernel under
//! `BPF_PROG_TEST_RUN`. Reading order: [`parse`], [`walk`], then [`select`] (who serves), [`flow`] (the
//! SNAT port table), [`rewrite`] and [`refuse`] (what goes back out).
//!
//! Nothing here knows a map, a clock or packet memory: [`net::Frame`] stands for the packet and
//! [`tables::Tables`] for everything else.

#![no_std]
#![forbid(unsafe_code)]

pub mod abi;
pub mod flow;
pub mod net;
pub mod parse;
pub mod refuse;
pub mod rewrite;
pub mod select;
pub mod tables;
pub mod walk;

#[cfg(not(target_arch = "bpf"))]
pub mod host;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

#[cfg(test)]
mod properties;
