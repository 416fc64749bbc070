//! HAProxy's configuration language, read into a checked [`model`].

pub mod model;
