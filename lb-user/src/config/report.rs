//! Prints findings in HAProxy's form, and sums a load up as `haproxy -c` does.

use std::{
    borrow::Cow,
    collections::HashSet,
    io::{self, Write},
};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Form, Loaded, Phase, Rejected, Site};
use crate::director::types::Severity;

/// How to print.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Process id that the lines carry.
    pub pid: u32,
    pub colour: bool,
    /// `-q`: print nothing.
    pub quiet: bool,
    /// `-V`: also say which keywords are ignored without a loss.
    pub verbose: bool,
    /// `-dW`: warnings are errors.
    pub zero_warning: bool,
}

/// Prints the outcome of loading and returns the exit status of `haproxy -c`: 0 valid, 1 rejected, 2 valid
/// but without any address to serve.
///
/// # Errors
/// Those of `out` and `err`.
pub fn report(
    result: &Result<Loaded, Rejected>,
    how: Report,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let (out, err): (&mut dyn Write, &mut dyn Write) =
        if how.quiet { (&mut io::sink(), &mut io::sink()) } else { (out, err) };
    let mut lines = Lines { how, err, version_said: false };
    let loaded = match result {
        Ok(loaded) => loaded,
        Err(rejected) => {
            for finding in &rejected.diagnostics {
                lines.finding(finding)?;
            }
            for text in closing(rejected) {
                lines.plain(Severity::Alert, &text)?;
            }
            return Ok(1);
        }
    };
    for finding in &loaded.warnings {
        lines.finding(finding)?;
    }
    if how.verbose {
        for note in &loaded.notes {
            lines.finding(note)?;
        }
    }
    if loaded.warnings.iter().any(|finding| finding.severity == Severity::Warning) {
        if how.zero_warning {
            lines.plain(Severity::Alert, "Some warnings were found and 'zero-warning' is set. Aborting.")?;
            return Ok(1);
        }
        writeln!(out, "Warnings were found.")?;
    }
    if loaded.config.listens() {
        writeln!(out, "Configuration file is valid")?;
        Ok(0)
    } else {
        writeln!(out, "Configuration file has no error but will not start (no listener) => exit(2).")?;
        Ok(2)
    }
}

/// HAProxy's last words, by the phase that failed.
fn closing(rejected: &Rejected) -> Vec<String> {
    let fatal = "Fatal errors found in configuration.".to_owned();
    match rejected.phase {
        Phase::Open => Vec::new(),
        Phase::Resolve => vec!["Failed to initialize server(s) addr.".to_owned()],
        Phase::Check => vec![fatal],
        Phase::Read => {
            let mut named = HashSet::new();
            let alerts = rejected.diagnostics.iter().filter(|finding| finding.severity == Severity::Alert);
            let files = alerts.filter_map(|finding| finding.site.as_ref()).map(|site| &site.place.file);
            files
                .filter(|file| named.insert(file.as_str()))
                .map(|file| format!("Error(s) found in configuration file : {file}"))
                .chain([fatal.clone()])
                .collect()
        }
    }
}

struct Lines<'a> {
    how: Report,
    err: &'a mut dyn Write,
    version_said: bool,
}

impl Lines<'_> {
    fn finding(&mut self, finding: &Diagnostic) -> io::Result<()> {
        self.plain(finding.severity, &finding.to_string())?;
        if let Some(site) = &finding.site {
            self.snippet(finding, site)?;
        }
        if let Some(hint) = &finding.hint {
            // Below the bar of the picture, which stands behind the line number.
            let bar = finding.site.as_ref().map_or(3, |site| 4 + site.place.line.to_string().len());
            writeln!(self.err, "{:bar$}= hint: {}", "", printable(hint))?;
        }
        Ok(())
    }

    /// A line in HAProxy's form. Before the first that is more than a notice it tells its version.
    fn plain(&mut self, severity: Severity, text: &str) -> io::Result<()> {
        if severity != Severity::Notice && !self.version_said {
            self.version_said = true;
            self.line(Severity::Notice, concat!("stickfast version is ", env!("CARGO_PKG_VERSION")), false)?;
        }
        self.line(severity, text, true)
    }

    fn line(&mut self, severity: Severity, text: &str, config: bool) -> io::Result<()> {
        // The tag is padded so that the process ids stand below each other.
        let (tag, pad, colour) = match severity {
            Severity::Notice => ("[NOTICE]", 3, "\x1b[32m"),
            Severity::Warning => ("[WARNING]", 2, "\x1b[33m"),
            Severity::Alert => ("[ALERT]", 4, "\x1b[31m"),
        };
        let (on, off) = if self.how.colour { (colour, "\x1b[0m") } else { ("", "") };
        let domain = if config { "config : " } else { "" };
        writeln!(self.err, "{on}{tag}{off}{:pad$}({}) : {domain}{}", "", self.how.pid, printable(text))
    }

    /// The source line with what is meant underlined.
    fn snippet(&mut self, finding: &Diagnostic, site: &Site) -> io::Result<()> {
        if site.source.trim().is_empty() {
            return Ok(());
        }
        let level = match finding.severity {
            Severity::Notice => Level::NOTE,
            Severity::Warning => Level::WARNING,
            Severity::Alert => Level::ERROR,
        };
        let line = usize::try_from(site.place.line).unwrap_or(usize::MAX);
        let annotation = AnnotationKind::Primary.span(within(&site.source, site.columns.clone()));
        // Where the text does not name the file, the picture does.
        let path = (finding.form == Form::Bare).then_some(site.place.file.as_str());
        let snippet = Snippet::source(&*site.source).line_start(line).path(path).annotation(annotation);
        let renderer = if self.how.colour { Renderer::styled() } else { Renderer::plain() };
        let picture = renderer.render(&[Group::with_level(level).element(snippet)]);
        for row in picture.lines().filter(|row| !row.trim().is_empty()) {
            writeln!(self.err, "   {}", row.trim_end())?;
        }
        Ok(())
    }
}

/// `columns`, kept inside `source` and on whole characters.
fn within(source: &str, columns: std::ops::Range<usize>) -> std::ops::Range<usize> {
    if source.get(columns.clone()).is_some() { columns } else { source.len()..source.len() }
}

/// Text from a file may not drive the terminal.
fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(escape).collect())
}
