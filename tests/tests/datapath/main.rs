//! The program in the kernel against the same functions on the host: fixtures, generated frames, and what the
//! loaded object is made of. Needs root; everything happens in namespaces and by test runs.

mod differential;
mod fixtures;
mod kernel;
mod namespace;
mod object;
mod run;
mod state;
