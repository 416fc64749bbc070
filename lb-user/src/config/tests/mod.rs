//! The reader as a whole.

mod article;
mod cases;
mod hostile;
mod model;
mod printed;
mod reference;
mod vectors;

use std::{net::IpAddr, path::PathBuf};

use super::{Loaded, Options, Rejected, Report, Source, World, parse, report};

/// A system on which `www` is 10.0.0.1, `v6only` is 2001:db8::1, and nothing else has a name.
struct Lab;

impl World for Lab {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "VIP" => Some("10.0.0.100".into()),
            "OPTIONS" => Some("check inter 1s".into()),
            _ => None,
        }
    }

    fn resolve(&self, name: &str) -> Vec<IpAddr> {
        match name {
            "www" => vec![IpAddr::from([10, 0, 0, 1])],
            "v6only" => vec!["2001:db8::1".parse().unwrap()],
            _ => Vec::new(),
        }
    }

    fn has_user(&self, name: &str) -> bool {
        name == "root"
    }

    fn has_group(&self, name: &str) -> bool {
        name == "root"
    }
}

fn options() -> Options {
    Options { local_peer: None, host_name: "lb".into() }
}

fn read(text: &str) -> Result<Loaded, Rejected> {
    read_as("case.cfg", text)
}

fn read_as(name: &str, text: &str) -> Result<Loaded, Rejected> {
    parse(&[Source { name: name.into(), text: text.into() }], &options(), &Lab)
}

/// A configuration that must be accepted.
#[track_caller]
fn accepted(text: &str) -> Loaded {
    read(text).unwrap_or_else(|rejected| panic!("{text}\n{rejected}"))
}

/// Exit status, stdout and stderr of a check with process id 1.
fn printed(result: &Result<Loaded, Rejected>, how: Report) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let status = report(result, Report { pid: 1, ..how }, &mut out, &mut err).unwrap();
    (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// `tests/data` of the workspace.
fn data(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data")).join(path)
}
