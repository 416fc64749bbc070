//! The sections and their keywords, one module each.

pub(super) mod bind;
pub(super) mod check;
pub(super) mod global;
pub(super) mod peers;
pub(super) mod proxy;
pub(super) mod server;
pub(super) mod stick;
pub(super) mod xdp;

/// Whether HAProxy takes `name` for the name of a section or a server; otherwise the character that is wrong.
fn check_name(name: &str) -> Result<(), char> {
    match name.chars().find(|&c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))) {
        Some(c) => Err(c),
        None => Ok(()),
    }
}
