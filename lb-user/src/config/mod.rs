//! HAProxy's configuration language, read into a checked [`model`].
//!
//! ```text
//! text -> words -> line -> section -> draft -> structure -> link -> traffic -> model
//!                    keywords and their fate: tables
//! ```
//!
//! Reading goes in HAProxy's phases, and each ends the work when it has raised an alert, so that one
//! mistake is not reported as ten: reading the lines, comparing sections, resolving names, and, our own,
//! asking whether packets can be forwarded like that.

mod address;
mod condition;
mod diagnostic;
mod draft;
mod keywords;
mod line;
mod link;
pub mod model;
mod number;
mod reader;
mod report;
mod section;
mod structure;
mod tables;
mod traffic;
mod words;
mod world;

#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::{
    diagnostic::Findings,
    model::{Config, Place},
};
pub use self::{
    diagnostic::{Diagnostic, Form, Site},
    report::{Report, report},
    world::{Host, World},
};
use crate::director::types::Severity;

/// What the configuration depends on besides the files.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-L`: the local peer's name; it wins over `localpeer`.
    pub local_peer: Option<String>,
    /// The local peer's name when neither is given.
    pub host_name: String,
}

/// One configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As given on the command line; shown in messages.
    pub name: String,
    pub text: String,
}

/// A configuration that may be run.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// Warnings, and notices that the file asks for, in the order in which they came up.
    pub warnings: Vec<Diagnostic>,
    /// Keywords that are ignored without a loss.
    pub notes: Vec<Diagnostic>,
}

/// A configuration that may not be run, with everything found up to the end of the phase that failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.first_alert())]
pub struct Rejected {
    /// Alerts, and the warnings and notices among them.
    pub diagnostics: Vec<Diagnostic>,
    /// What had failed; decides how HAProxy sums it up.
    pub phase: Phase,
}

/// The steps of loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// A file cannot be read.
    Open,
    /// A line is wrong.
    Read,
    /// Sections do not fit each other, or packets cannot be forwarded like that.
    Check,
    /// A server's name does not resolve.
    Resolve,
}

/// Reads and checks `files`, in this order; a directory stands for its `*.cfg` files in alphabetical order,
/// as in HAProxy. Bytes that are not UTF-8 are replaced, which hurts only where a name has them.
///
/// # Errors
/// [`Rejected`], for files that cannot be opened or are wrong.
pub fn load(files: &[PathBuf], options: &Options) -> Result<Loaded, Rejected> {
    let mut sources = Vec::new();
    for file in files {
        if let Err(error) = read_source(file, &mut sources) {
            let reason = io_reason(&error);
            let text = format!("Cannot open configuration file/directory {} : {reason}", file.display());
            let alert = Diagnostic::new(Severity::Alert, None, text);
            return Err(Rejected { diagnostics: vec![alert], phase: Phase::Open });
        }
    }
    parse(&sources, options, &Host)
}

/// [`load`] without the files: a pure function of its arguments.
///
/// # Errors
/// [`Rejected`], for sources that are wrong.
pub fn parse(sources: &[Source], options: &Options, world: &dyn World) -> Result<Loaded, Rejected> {
    let reader::Context { findings, mut draft, .. } = reader::read(sources, options, world);
    if draft.global.local_peer.is_none() {
        draft.global.local_peer.clone_from(&options.local_peer);
    }
    let mut findings = stop_at_alerts(findings, Phase::Read)?;
    structure::check(&mut draft, &mut findings);
    let mut findings = stop_at_alerts(findings, Phase::Check)?;
    let config = link::link(&draft, world, &mut findings);
    let mut findings = stop_at_alerts(findings, Phase::Resolve)?;
    traffic::check(&config, &|place| site_of(sources, place), &mut findings);
    let findings = stop_at_alerts(findings, Phase::Check)?;
    Ok(Loaded { config, warnings: findings.said, notes: findings.notes })
}

fn stop_at_alerts(findings: Findings, phase: Phase) -> Result<Findings, Rejected> {
    if findings.has_alerts() { Err(Rejected { diagnostics: findings.said, phase }) } else { Ok(findings) }
}

impl Rejected {
    fn first_alert(&self) -> String {
        let alert = self.diagnostics.iter().find(|finding| finding.severity == Severity::Alert);
        alert.map_or_else(String::new, Diagnostic::to_string)
    }
}

/// Adds a file, or those of a directory, to `sources`.
fn read_source(path: &Path, sources: &mut Vec<Source>) -> io::Result<()> {
    let mut files = vec![path.to_path_buf()];
    if path.is_dir() {
        files = path.read_dir()?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        files.retain(|file| {
            let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            file.extension().is_some_and(|extension| extension == "cfg") && !hidden && file.is_file()
        });
        files.sort();
    }
    for file in files {
        let text = String::from_utf8_lossy(&std::fs::read(&file)?).into_owned();
        sources.push(Source { name: file.display().to_string(), text });
    }
    Ok(())
}

/// The reason as C words it, without Rust's error number.
fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// The line at `place`, as a whole.
fn site_of(sources: &[Source], place: &Place) -> Site {
    let source = sources.iter().find(|source| source.name == place.file);
    let index = usize::try_from(place.line).unwrap_or(usize::MAX).saturating_sub(1);
    let text = source.and_then(|source| source.text.lines().nth(index)).unwrap_or_default();
    let start = text.len() - text.trim_start().len();
    Site { place: place.clone(), columns: start..text.trim_end().len().max(start), source: Arc::from(text) }
}
