//! A line of a configuration file, cut into words, and the findings that point into it.

use std::{ops::Range, sync::Arc};

use super::{
    diagnostic::{Diagnostic, Form, Outcome, Site},
    model::Place,
    words::Word,
};
use crate::director::types::Severity;

/// A line with at least one word.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub place: Place,
    pub source: Arc<str>,
    pub words: Vec<Word>,
    /// `no` or `default` stood in front.
    pub negated: bool,
}

impl Line {
    /// The word at `index`; empty past the end, as in HAProxy.
    pub(super) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", |word| &word.text)
    }

    pub(super) fn has(&self, index: usize) -> bool {
        index < self.words.len()
    }

    /// The words from `index` on, joined by blanks.
    pub(super) fn rest(&self, index: usize) -> String {
        self.words.iter().skip(index).map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Where the word at `index` stands; past the end, the end of the last word.
    pub(super) fn site(&self, index: usize) -> Site {
        let last = self.words.last().map_or(0, |word| word.span.end);
        self.site_at(self.words.get(index).map_or(last..last, |word| word.span.clone()))
    }

    pub(super) fn site_at(&self, columns: Range<usize>) -> Site {
        Site { place: self.place.clone(), columns, source: Arc::clone(&self.source) }
    }

    /// An alert about the word at `index`.
    pub(super) fn alert(&self, index: usize, text: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Alert, Some(self.site(index)), text)
    }

    pub(super) fn warning(&self, index: usize, text: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, Some(self.site(index)), text)
    }

    pub(super) fn notice(&self, index: usize, text: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Notice, Some(self.site(index)), text)
    }

    /// Refuses words from `index` on after `keyword`.
    pub(super) fn ends_at(&self, index: usize, keyword: &str) -> Outcome {
        if self.has(index) {
            let extra = self.word(index);
            return Err(self
                .alert(index, format!("'{keyword}' cannot handle unexpected argument '{extra}'."))
                .into());
        }
        Ok(())
    }
}

/// Reads the parameters that follow the fixed words of a `bind`, `server`, … line.
pub(super) struct Arguments<'a> {
    pub line: &'a Line,
    /// Index of the parameter last taken.
    pub at: usize,
    next: usize,
    /// What stands before every complaint, e.g. `'server bk_app/s1' : `.
    context: String,
    form: Form,
}

impl<'a> Arguments<'a> {
    /// Starts at the word `first`.
    pub(super) fn new(line: &'a Line, first: usize, context: String, form: Form) -> Self {
        Self { line, at: first, next: first, context, form }
    }

    /// The next word, if there is one.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        let line = self.line;
        let word = line.words.get(self.next)?;
        self.at = self.next;
        self.next += 1;
        Some(&word.text)
    }

    /// The word last taken.
    pub(super) fn keyword(&self) -> &'a str {
        let line = self.line;
        line.word(self.at)
    }

    /// The value of the parameter just taken, or the complaint `missing`.
    pub(super) fn value(&mut self, missing: &str) -> Outcome<&'a str> {
        match self.next() {
            Some(value) if !value.is_empty() => Ok(value),
            _ => {
                self.at = self.next;
                Err(self.fault(missing))
            }
        }
    }

    /// Skips `count` words.
    pub(super) fn skip(&mut self, count: usize) {
        self.next = self.next.saturating_add(count);
    }

    /// A complaint about the word last taken.
    pub(super) fn fault(&self, text: &str) -> Box<Diagnostic> {
        Box::new(self.line.alert(self.at, format!("{}{text}", self.context)).form(self.form))
    }
}
