//! What a command prints and does.

mod help;
mod info;
mod servers;
mod state;
mod table;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, time::Duration};

use super::{
    command::{self, Command, Rejection},
    framing,
    view::Subject,
};
use crate::config::model::Level;

/// Runs one command for a connection of this level.
///
/// Whatever the line is, there is an answer: what is not understood gets HAProxy's error for it.
pub fn execute(subject: &mut dyn Subject, level: Level, line: &str) -> Answer {
    let words = framing::words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match command::parse(subject.config(), level, &words) {
        Ok(command) => carry_out(subject, level, command),
        Err(Rejection::Unknown) => help::unknown(&words),
        Err(rejection) => Answer::error(rejection.to_string()),
    }
}

fn carry_out(subject: &mut dyn Subject, level: Level, command: Command) -> Answer {
    match command {
        Command::Help { words } => help::matching(&words),
        Command::Prompt => Answer::silent().and(Effect::TogglePrompt),
        Command::Quit => Answer::silent().and(Effect::Quit),
        Command::LowerLevel(to) => Answer::silent().and(Effect::LowerLevel(to)),
        Command::SetSeverityOutput(to) => Answer::silent().and(Effect::SetSeverityOutput(to)),
        Command::SetTimeout(to) => Answer::silent().and(Effect::SetTimeout(to)),
        Command::ShowCliLevel => Answer::info(info::level_name(level)),
        Command::ShowCliSockets => info::sockets(subject.config()),
        Command::ShowVersion => Answer::info(info::version()),
        Command::ShowInfo(format) => info::process(subject, format),
        Command::ShowBackends => servers::backends(subject.config()),
        Command::ShowServersState { backend } => servers::state(subject, backend),
        Command::ShowTables => table::headers(subject),
        Command::ShowTable { backend, select } => table::entries(subject, level, backend, &select),
        Command::SetTable { backend, key, server } => state::set_entry(subject, backend, key, server),
        Command::ClearTable { backend, select } => state::clear_entries(subject, backend, &select),
        Command::SetServerState { server, state } => state::set_server(subject, server, state),
        Command::Nothing => Answer::silent(),
    }
}

/// The result of a command: text for the client, and what changes for its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Answer {
    severity: Option<Severity>,
    text: Cow<'static, str>,
    effect: Option<Effect>,
}

impl Answer {
    /// Success without a word.
    fn silent() -> Self {
        Self::data("")
    }

    /// A listing.
    fn data(text: impl Into<Cow<'static, str>>) -> Self {
        Self { severity: None, text: text.into(), effect: None }
    }

    /// A message that is no complaint.
    fn info(text: impl Into<Cow<'static, str>>) -> Self {
        Self { severity: Some(Severity::Info), ..Self::data(text) }
    }

    /// A complaint.
    fn error(text: impl Into<Cow<'static, str>>) -> Self {
        Self { severity: Some(Severity::Error), ..Self::data(text) }
    }

    fn and(self, effect: Effect) -> Self {
        Self { effect: Some(effect), ..self }
    }

    /// What changes for the connection.
    pub fn effect(&self) -> Option<Effect> {
        self.effect
    }

    /// The text as it goes to the client: with its severity if that was asked for, and an empty line.
    pub fn render(&self, output: SeverityOutput) -> String {
        let severity = self.severity.map(|severity| severity.prefix(output)).unwrap_or_default();
        let end = if self.text.is_empty() || self.text.ends_with('\n') { "\n" } else { "\n\n" };
        format!("{severity}{}{end}", self.text)
    }
}

/// How serious a message is, on syslog's scale. Listings have no severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Info,
}

impl Severity {
    fn prefix(self, output: SeverityOutput) -> &'static str {
        match (output, self) {
            (SeverityOutput::None, _) => "",
            (SeverityOutput::Number, Self::Error) => "[3]: ",
            (SeverityOutput::Number, Self::Info) => "[6]: ",
            (SeverityOutput::String, Self::Error) => "[err]: ",
            (SeverityOutput::String, Self::Info) => "[info]: ",
        }
    }
}

/// `set severity-output`: how messages are marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeverityOutput {
    #[default]
    None,
    Number,
    String,
}

/// What an [`Answer`] changes for its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    TogglePrompt,
    /// To at most this level.
    LowerLevel(Level),
    SetSeverityOutput(SeverityOutput),
    SetTimeout(Duration),
    /// Close without an answer.
    Quit,
}
