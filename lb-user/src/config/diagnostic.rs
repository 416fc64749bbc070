//! What there is to say about a configuration, and where in it.

use std::{collections::HashSet, fmt, ops::Range, sync::Arc};

use super::model::Place;
use crate::director::types::Severity;

/// One finding, in HAProxy's wording where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// Where; `None` for a finding about the configuration as a whole.
    pub site: Option<Site>,
    /// How the place is written in front of the text.
    pub form: Form,
    pub text: String,
    /// The remedy, when the text does not imply it.
    pub hint: Option<String>,
}

/// A stretch of a line of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub place: Place,
    /// Bytes of `source` that are meant; may be empty at the end of the line.
    pub columns: Range<usize>,
    /// The line, without its line feed.
    pub source: Arc<str>,
}

/// HAProxy writes a place in five ways; scripts match on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `parsing [file:4] : text`
    Spaced,
    /// `parsing [file:4]: text`
    Tight,
    /// `Parsing [file:4]: text`
    Capital,
    /// `[file:4] : text`
    Bracket,
    /// `text`
    Bare,
}

/// What a parsing step gives, or the finding that ends it.
pub(super) type Outcome<T = ()> = Result<T, Box<Diagnostic>>;

impl Diagnostic {
    /// A finding at `site`, if it has one, in the form `parsing [file:line] : text`.
    pub(super) fn new(severity: Severity, site: Option<Site>, text: impl Into<String>) -> Self {
        let form = if site.is_some() { Form::Spaced } else { Form::Bare };
        Self { severity, site, form, text: text.into(), hint: None }
    }

    /// This finding with its place written in another way.
    pub(super) fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// This finding with a remedy.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The line that HAProxy would print, without its tag and process id.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Site { place: Place { file, line }, .. }) = &self.site {
            match self.form {
                Form::Spaced => write!(f, "parsing [{file}:{line}] : ")?,
                Form::Tight => write!(f, "parsing [{file}:{line}]: ")?,
                Form::Capital => write!(f, "Parsing [{file}:{line}]: ")?,
                Form::Bracket => write!(f, "[{file}:{line}] : ")?,
                Form::Bare => {}
            }
        }
        f.write_str(&self.text)
    }
}

/// Collects findings in the order in which they come up.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Alerts, warnings, and the notices that the file itself asks for.
    pub said: Vec<Diagnostic>,
    /// Keywords that are ignored without a loss.
    pub notes: Vec<Diagnostic>,
    ignored: HashSet<String>,
}

impl Findings {
    pub(super) fn push(&mut self, finding: impl Into<Box<Diagnostic>>) {
        self.said.push(*finding.into());
    }

    /// Reports an ignored keyword the first time only; `lost` when something is missing without it.
    pub(super) fn ignored(&mut self, keyword: &str, lost: bool, finding: Diagnostic) {
        if self.ignored.insert(keyword.to_owned()) {
            if lost { self.said.push(finding) } else { self.notes.push(finding) }
        }
    }

    pub(super) fn has_alerts(&self) -> bool {
        self.said.iter().any(|finding| finding.severity == Severity::Alert)
    }
}
