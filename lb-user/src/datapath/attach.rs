//! Putting the program onto interfaces, and keeping it there over restarts.

use std::{error::Error, io};

use aya::programs::{
    ProgramError, Xdp, XdpMode,
    links::{FdLink, PinnedLink},
    xdp::XdpLink,
};

use super::{error::DatapathError, pins::Pins};
use crate::{config::model::AttachMode, net::Link};

/// An interface to serve.
#[derive(Clone, Debug)]
pub struct Attachment {
    pub link: Link,
    pub mode: AttachMode,
}

/// How a program ended up on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attached {
    /// It replaced the one of an earlier run, without a gap.
    Replaced,
    Native,
    /// In the kernel's generic path, by demand.
    Generic,
    /// In the kernel's generic path, because the driver has no XDP.
    FellBack,
}

/// Attaches `program`, or swaps it into the link of an earlier run, and pins the link.
pub(super) fn attach(
    program: &mut Xdp,
    pins: &Pins,
    attachment: &Attachment,
) -> Result<Attached, DatapathError> {
    let name = &attachment.link.name;
    if pins.link(name).exists() && replace(program, pins, name)? {
        return Ok(Attached::Replaced);
    }
    let index = attachment.link.index;
    let (result, attached) = match attachment.mode {
        AttachMode::Native => (program.attach_to_if_index(index, XdpMode::Driver), Attached::Native),
        AttachMode::Generic => (program.attach_to_if_index(index, XdpMode::Skb), Attached::Generic),
        AttachMode::Auto => match program.attach_to_if_index(index, XdpMode::Driver) {
            Err(error) if is(&error, libc::EOPNOTSUPP) => {
                (program.attach_to_if_index(index, XdpMode::Skb), Attached::FellBack)
            }
            result => (result, Attached::Native),
        },
    };
    let id = result.map_err(|source| explain(source, attachment))?;
    let link = program.take_link(id).map_err(|error| failure(name, error))?;
    let link = FdLink::try_from(link).map_err(|error| failure(name, error))?;
    link.pin(pins.link(name)).map_err(|source| DatapathError::PinLink { interface: name.clone(), source })?;
    Ok(attached)
}

/// `false`: the link is dead (its interface was removed), and its pin is gone now.
fn replace(program: &mut Xdp, pins: &Pins, name: &str) -> Result<bool, DatapathError> {
    let pinned = PinnedLink::from_pin(pins.link(name)).map_err(|error| failure(name, error))?;
    let link = XdpLink::try_from(FdLink::from(pinned)).map_err(|error| failure(name, error))?;
    match program.attach_to_link(link) {
        Ok(id) => {
            // The pin keeps it; dropping our handle changes nothing.
            drop(program.take_link(id).map_err(|error| failure(name, error))?);
            Ok(true)
        }
        Err(error) if is(&error, libc::ENOLINK) || is(&error, libc::EINVAL) => {
            pins.unlink(name)?;
            Ok(false)
        }
        Err(error) => Err(failure(name, error)),
    }
}

fn failure(interface: &str, source: impl Error + Send + Sync + 'static) -> DatapathError {
    DatapathError::Attach { interface: interface.to_owned(), source: Box::new(source) }
}

fn is(error: &ProgramError, errno: i32) -> bool {
    os_error(error).is_some_and(|source| source.raw_os_error() == Some(errno))
}

fn os_error(error: &ProgramError) -> Option<&io::Error> {
    if let ProgramError::SyscallError(error) = error { Some(&error.io_error) } else { None }
}

fn explain(source: ProgramError, attachment: &Attachment) -> DatapathError {
    let interface = attachment.link.name.clone();
    let errno = os_error(&source).and_then(io::Error::raw_os_error);
    match errno {
        Some(libc::EBUSY | libc::EEXIST) => {
            let owner = match &attachment.link.xdp_program {
                Some(program) => format!("program id {} ({:?} mode)", program.id, program.mode),
                None => "one that came just now".to_owned(),
            };
            DatapathError::Occupied { interface, owner }
        }
        Some(libc::EPERM) => DatapathError::Privilege { source: io::Error::from_raw_os_error(libc::EPERM) },
        Some(errno @ libc::EOPNOTSUPP) => {
            DatapathError::NoNative { interface, source: io::Error::from_raw_os_error(errno) }
        }
        _ => failure(&interface, source),
    }
}
