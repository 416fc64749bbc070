//! Goes through the lines of the files: directives here, sections in [`super::section`].

use std::{collections::HashMap, sync::Arc};

use super::{
    Options, Source, World, condition,
    condition::Blocks,
    diagnostic::{Diagnostic, Findings, Form, Outcome, Site},
    draft::{Draft, Peers, Proxy},
    keywords::{Fate, Group, Table, did_you_mean, find},
    line::Line,
    model::Place,
    section,
    tables::{GLOBAL, SECTIONS, XDP},
    words,
};
use crate::director::types::Severity;

/// What a handler of a keyword may look at and add to.
pub(super) struct Context<'a> {
    pub options: &'a Options,
    pub world: &'a dyn World,
    pub findings: Findings,
    pub draft: Draft,
    /// `setenv` and `unsetenv`; `None` hides a variable of the process.
    pub environment: HashMap<String, Option<String>>,
    /// `resetenv`: of the process, only these variables are left.
    pub environment_kept: Option<Vec<String>>,
}

/// The section that lines belong to.
pub(super) enum Section {
    /// Before the first one of a file.
    None,
    Global,
    Proxy(Box<Proxy>),
    Peers(Box<Peers>),
    Xdp,
    /// Ignored, or its first line was wrong: its lines are not looked at.
    Skipped,
}

/// Handles a line of a section without sub-kinds.
pub(super) type Handler = fn(&mut Context<'_>, &Line) -> Outcome;

/// Handles the first line of a section.
pub(super) type Start = fn(&mut Context<'_>, &Line) -> Outcome<Section>;

/// Reads all sources.
pub(super) fn read<'a>(sources: &[Source], options: &'a Options, world: &'a dyn World) -> Context<'a> {
    let context = Context {
        options,
        world,
        findings: Findings::default(),
        draft: Draft::default(),
        environment: HashMap::new(),
        environment_kept: None,
    };
    let mut reader =
        Reader { context, section: Section::None, blocks: Blocks::default(), title: String::new() };
    for source in sources {
        reader.read_source(source);
    }
    reader.context
}

struct Reader<'a> {
    context: Context<'a>,
    section: Section,
    blocks: Blocks,
    /// `.SECTION`: name of the section, or its kind if it has none.
    title: String,
}

impl Reader<'_> {
    fn read_source(&mut self, source: &Source) {
        // A file starts anew: neither a section nor a block reaches over its end.
        self.blocks = Blocks::default();
        self.title.clear();
        let mut last = None;
        for (number, text) in (1..).zip(source.text.split_inclusive('\n')) {
            let place = Place { file: source.name.clone(), line: number };
            let line = text.strip_suffix('\n');
            let site =
                Site { place, columns: 0..0, source: Arc::from(line.unwrap_or(text).trim_end_matches('\r')) };
            if line.is_none() {
                self.context.findings.push(missing_line_feed(&site));
            }
            self.read_line(&site);
            last = Some(site);
        }
        if let Some(site) = last.filter(|_| self.blocks.open()) {
            let finding = Diagnostic::new(Severity::Alert, Some(site), "non-terminated '.if' block.");
            self.context.findings.push(finding.form(Form::Tight));
        }
        self.close_section();
    }

    fn read_line(&mut self, site: &Site) {
        let variable = |name: &str| self.variable(name, site);
        let words = match words::split(&site.source, &variable) {
            Ok(words) => words,
            Err((at, fault)) => {
                let text = format!("{fault} at position {}:", at + 1);
                let site = Site { columns: at..at, ..site.clone() };
                self.context
                    .findings
                    .push(Diagnostic::new(Severity::Alert, Some(site), text).form(Form::Tight));
                return;
            }
        };
        let line =
            Line { place: site.place.clone(), source: Arc::clone(&site.source), words, negated: false };
        let outcome = match line.word(0) {
            _ if !line.has(0) => Ok(()),
            word if word.starts_with('.') => self.directive(&line),
            _ if !self.blocks.active() => Ok(()),
            _ => self.statement(line),
        };
        if let Err(finding) = outcome {
            self.context.findings.push(finding);
        }
    }

    fn variable(&self, name: &str, site: &Site) -> Option<String> {
        match name {
            ".FILE" => Some(site.place.file.clone()),
            ".LINE" => Some(site.place.line.to_string()),
            ".SECTION" => Some(self.title.clone()),
            _ => self.context.variable(name),
        }
    }

    fn directive(&mut self, line: &Line) -> Outcome {
        let name = line.word(0);
        let refuse = |text: String| Err(Box::new(line.alert(0, text).form(Form::Tight)));
        let context = &self.context;
        let evaluate = || condition(context, line);
        match name {
            ".if" => return self.blocks.on_if(evaluate),
            ".elif" => {
                let open = self.blocks.open();
                return match self.blocks.on_elif(evaluate) {
                    Some(outcome) => outcome,
                    None => refuse(misplaced(name, open)),
                };
            }
            ".else" | ".endif" => {
                if line.has(1) {
                    return refuse(format!("Unexpected argument '{}' for '{name}'.", line.word(1)));
                }
                let open = self.blocks.open();
                let fits = if name == ".else" { self.blocks.on_else() } else { self.blocks.on_endif() };
                return if fits { Ok(()) } else { refuse(misplaced(name, open)) };
            }
            _ if !self.blocks.active() => return Ok(()),
            _ => {}
        }
        let severity = match name {
            ".notice" => Some(Severity::Notice),
            ".warning" => Some(Severity::Warning),
            ".alert" => Some(Severity::Alert),
            // For HAProxy's diagnostic mode, which we do not have.
            ".diag" => None,
            _ => return refuse(format!("unknown directive '{name}'.")),
        };
        if line.has(2) {
            return refuse(format!(
                "Unexpected argument '{}' for '{name}'. Use quotes if the message should contain spaces.",
                line.word(2)
            ));
        }
        if let Some(severity) = severity {
            let text = format!("'{}'.", line.word(1));
            let finding = Diagnostic::new(severity, Some(line.site(1)), text);
            self.context.findings.push(finding.form(Form::Tight));
        }
        Ok(())
    }

    /// A line that is no directive: the start of a section, or a keyword of the present one.
    fn statement(&mut self, mut line: Line) -> Outcome {
        if let Some(group) = find(SECTIONS, line.word(0)) {
            self.close_section();
            self.section = Section::Skipped;
            self.title = line.word(usize::from(line.has(1))).to_owned();
            let label = format!("section '{}'", line.word(0));
            if let Some(start) = self.context.judge(group, &line, 0, &label)? {
                self.section = start(&mut self.context, &line)?;
            }
            return Ok(());
        }
        if matches!(line.word(0), "no" | "default") {
            strip_negation(&mut line)?;
        }
        let word = line.word(0);
        match &mut self.section {
            Section::None => Err(line
                .alert(0, format!("unknown keyword '{word}' out of section."))
                .form(Form::Tight)
                .into()),
            Section::Skipped => Ok(()),
            Section::Proxy(proxy) => section::proxy::line(proxy, &mut self.context, &line),
            Section::Peers(peers) => section::peers::line(peers, &mut self.context, &line),
            Section::Global => self.context.plain(GLOBAL, "global", &line),
            Section::Xdp => self.context.plain(XDP, "xdp", &line),
        }
    }

    fn close_section(&mut self) {
        match std::mem::replace(&mut self.section, Section::None) {
            Section::Proxy(proxy) => self.context.draft.add_proxy(*proxy),
            Section::Peers(peers) => self.context.draft.peers.push(*peers),
            Section::None | Section::Global | Section::Xdp | Section::Skipped => {}
        }
    }
}

impl Context<'_> {
    /// Value of an environment variable.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        if name == "STICKFAST" {
            return Some(env!("CARGO_PKG_VERSION").to_owned());
        }
        match self.environment.get(name) {
            Some(value) => value.clone(),
            None => {
                let kept = self.environment_kept.as_ref();
                if kept.is_some_and(|kept| !kept.iter().any(|kept| kept == name)) {
                    return None;
                }
                self.world.variable(name)
            }
        }
    }

    /// The handler of a keyword at the word `index`, `None` if it is ignored, or why it is refused.
    pub(super) fn judge<H: Copy>(
        &mut self,
        group: &Group<H>,
        line: &Line,
        index: usize,
        label: &str,
    ) -> Outcome<Option<H>> {
        match group.fate {
            Fate::Implemented(handler) => return Ok(Some(handler)),
            // Off is what everything is that we do not do.
            _ if line.negated => {}
            Fate::Harmless(why) => {
                self.findings.ignored(
                    label,
                    false,
                    line.notice(index, format!("{label} is ignored: {why}.")),
                );
            }
            Fate::Missing(why) => {
                self.findings.ignored(
                    label,
                    true,
                    line.warning(index, format!("{label} is ignored: {why}.")),
                );
            }
            Fate::Later(why) => {
                return Err(line
                    .alert(index, format!("{label} is not supported yet, because {why}."))
                    .into());
            }
            Fate::Refused(why) => {
                return Err(line.alert(index, format!("{label} is not supported, because {why}.")).into());
            }
            Fate::Gone(text) => return Err(line.alert(index, text).into()),
        }
        Ok(None)
    }

    /// A line of a section without sub-kinds.
    fn plain(&mut self, table: Table<Handler>, section: &str, line: &Line) -> Outcome {
        let word = line.word(0);
        let Some(group) = find(table, word) else {
            return Err(unknown(table, line, section));
        };
        match self.judge(group, line, 0, &format!("'{word}'"))? {
            Some(handler) => handler(self, line),
            None => Ok(()),
        }
    }
}

/// HAProxy's answer to a keyword that is in no list.
pub(super) fn unknown<H>(table: Table<H>, line: &Line, section: &str) -> Box<Diagnostic> {
    let word = line.word(0);
    let hint = did_you_mean(table, word);
    Box::new(line.alert(0, format!("unknown keyword '{word}' in '{section}' section{hint}")))
}

fn condition(context: &Context<'_>, line: &Line) -> Outcome<bool> {
    let defined = |name: &str| context.variable(name).is_some();
    condition::evaluate(line.word(1), &defined).map_err(|fault| {
        let directive = line.word(0);
        let text = format!("{} in '{directive}' at position {}:", fault.text, fault.at + 1);
        let start = line.site(1).columns.start + fault.at;
        let site = line.site_at(start..start);
        Diagnostic::new(Severity::Alert, Some(site), text).form(Form::Tight).into()
    })
}

/// `.elif`, `.else` or `.endif` where it cannot be.
fn misplaced(name: &str, open: bool) -> String {
    if open {
        format!("'{name}' after '.else' is not permitted.")
    } else {
        format!("lone '{name}' with no matching '.if'.")
    }
}

/// HAProxy takes the whole file for truncated; we say so and read the line.
fn missing_line_feed(site: &Site) -> Diagnostic {
    let end = site.source.len();
    let text = format!("Missing LF on last line, file might have been truncated at position {}.", end + 1);
    let site = Site { columns: end..end, ..site.clone() };
    Diagnostic::new(Severity::Warning, Some(site), text)
        .form(Form::Tight)
        .hint("HAProxy refuses the file: end it with a line feed")
}

/// Takes `no` or `default` off a line, where HAProxy allows them.
fn strip_negation(line: &mut Line) -> Outcome {
    const NEGATABLE: [&str; 7] = [
        "option",
        "log",
        "busy-polling",
        "set-dumpable",
        "strict-limits",
        "insecure-fork-wanted",
        "numa-cpu-mapping",
    ];
    if !NEGATABLE.contains(&line.word(1)) {
        let text = "negation/default currently supported only for options, log, busy-polling, set-dumpable, \
                    strict-limits, insecure-fork-wanted and numa-cpu-mapping.";
        return Err(line.alert(0, text).form(Form::Tight).into());
    }
    line.words.remove(0);
    line.negated = true;
    Ok(())
}
