//! One connection to the Runtime API, without the connection.

use std::time::Duration;

use super::{
    answer::{Answer, Effect, SeverityOutput},
    framing::{Frame, Framing},
};
use crate::config::model::Level;

/// What to do next with a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Run this command at [`Session::level`] and give the result to [`Session::answer`].
    Execute(String),
    /// Bring more bytes, or [`Session::end_of_input`].
    Read,
    /// Everything that came has been answered and there is no prompt: close, unless there is more to
    /// read at this very moment.
    Drained,
    /// Send the output that is left, then close.
    Close,
}

/// The state of one connection. Sans-IO: [`receive`](Self::receive) bytes, [`poll`](Self::poll) until it
/// says [`Next::Read`], send what [`take_output`](Self::take_output) gives.
#[derive(Debug)]
pub struct Session {
    framing: Framing,
    level: Level,
    prompt: bool,
    severity: SeverityOutput,
    timeout: Option<Duration>,
    output: Vec<u8>,
    answered: bool,
    input_ended: bool,
    closing: bool,
}

impl Session {
    /// A connection to a socket of this level.
    pub fn new(level: Level) -> Self {
        Self {
            framing: Framing::default(),
            level,
            prompt: false,
            severity: SeverityOutput::None,
            timeout: None,
            output: Vec::new(),
            answered: false,
            input_ended: false,
            closing: false,
        }
    }

    /// What the client may do at present.
    pub fn level(&self) -> Level {
        self.level
    }

    /// How long the client may be idle, if it has said so itself (`set timeout cli`).
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Takes bytes that the client sent.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.framing.push(bytes);
    }

    /// The client will send no more. What it sent before is still answered.
    pub fn end_of_input(&mut self) {
        self.input_ended = true;
    }

    /// What to do now. After [`Next::Execute`] it must be answered before the next call, because the
    /// answer may change the session.
    pub fn poll(&mut self) -> Next {
        if self.closing {
            return Next::Close;
        }
        while let Some(frame) = self.framing.next() {
            match frame {
                Frame::Line(line) => return Next::Execute(line),
                Frame::Payload if self.prompt => self.output.extend(b"+ "),
                Frame::Payload => {}
                Frame::TooLong => {
                    self.closing = true;
                    return Next::Close;
                }
            }
        }
        if self.input_ended {
            Next::Close
        } else if self.answered && !self.prompt && self.framing.is_empty() {
            Next::Drained
        } else {
            Next::Read
        }
    }

    /// Takes the answer to the command that [`poll`](Self::poll) gave out.
    pub fn answer(&mut self, answer: Answer) {
        match answer.effect() {
            None => {}
            Some(Effect::TogglePrompt) => self.prompt = !self.prompt,
            Some(Effect::LowerLevel(level)) => self.level = self.level.min(level),
            Some(Effect::SetSeverityOutput(severity)) => self.severity = severity,
            Some(Effect::SetTimeout(timeout)) => self.timeout = Some(timeout),
            Some(Effect::Quit) => {
                self.closing = true;
                return;
            }
        }
        self.answered = true;
        self.output.extend(answer.render(self.severity).bytes());
        if self.prompt {
            self.output.extend(b"> ");
        }
    }

    /// The bytes to send to the client since the last call.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::runtime::{answer::execute, framing::LINE_MAX, lab::Lab};

    /// All that a client gets for these pieces, up to the end of its input or of the session.
    fn converse(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut lab, mut session) = (Lab::new(), Session::new(Level::Admin));
        let mut output = Vec::new();
        let mut pieces = pieces.iter();
        loop {
            let next = session.poll();
            output.extend(session.take_output());
            match (next, pieces.len()) {
                (Next::Execute(line), _) => session.answer(execute(&mut lab, session.level(), &line)),
                (Next::Read | Next::Drained, 0) => session.end_of_input(),
                (Next::Read | Next::Drained, _) => session.receive(pieces.next().unwrap()),
                (Next::Close, _) => return output,
            }
        }
    }

    #[test]
    fn a_command_without_its_end_is_not_run() {
        assert_eq!(converse(&[b"show version"]), b"");
    }

    #[test]
    fn without_a_prompt_the_session_is_over_when_all_is_answered() {
        let mut session = Session::new(Level::User);
        assert_eq!(session.poll(), Next::Read);
        session.receive(b"show version;show");
        assert_eq!(session.poll(), Next::Execute("show version".to_owned()));
        session.answer(execute(&mut Lab::new(), Level::User, "show version"));
        assert_eq!(session.poll(), Next::Read, "half a command is left");
        session.receive(b" version\n");
        assert_eq!(session.poll(), Next::Execute("show version".to_owned()));
        session.answer(execute(&mut Lab::new(), Level::User, "show version"));
        assert_eq!(session.poll(), Next::Drained);
    }

    #[test]
    fn with_a_prompt_a_payload_is_asked_for_line_by_line() {
        assert_eq!(converse(&[b"prompt\nshow backend <<\nfoo;bar\n\n"]), b"\n> + + # name\nbk_app\n\n> ",);
    }

    #[test]
    fn nothing_after_quit_is_run() {
        assert_eq!(converse(&[b"show backend;quit;show backend\n"]), b"# name\nbk_app\n\n");
    }

    #[test]
    fn a_level_that_was_lowered_stays_low() {
        assert_eq!(
            converse(&[b"operator;user;operator;disable server bk_app/s1;show cli level\n"]),
            b"\n\nPermission denied\n\nPermission denied\n\nuser\n\n",
        );
    }

    #[test]
    fn set_timeout_is_kept_for_the_connection() {
        let mut session = Session::new(Level::User);
        assert_eq!(session.timeout(), None);
        session.answer(execute(&mut Lab::new(), Level::User, "set timeout cli 1m"));
        assert_eq!(session.timeout(), Some(Duration::from_secs(60)));
    }

    fn anything() -> impl Strategy<Value = Vec<u8>> {
        let words: &[&[u8]] = &[
            b"prompt",
            b"show",
            b" ",
            b"table",
            b"bk_app",
            b"version\n",
            b"\n",
            b";",
            b"\\",
            b"\r\n",
            b"<<\n",
            b"data.server_id",
            b"eq",
            b"key",
            b"10.0.0.100",
            b"set table bk_app key ",
            b"clear table bk_app\n",
            b"user\n",
            b"set severity-output string\n",
            b"disable server bk_app/s1\n",
            b"show servers state\n",
            b"help ",
            b"quit\n",
            b"\0",
            b"\xff",
        ];
        let piece = prop_oneof![
            60 => select(words.to_vec()).prop_map(<[u8]>::to_vec),
            10 => vec(any::<u8>(), 0..20),
            // Around the longest line.
            1 => (LINE_MAX - 20..LINE_MAX + 20).prop_map(|length| vec![b'x'; length]),
        ];
        vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn how_the_input_is_split_makes_no_difference(
            input in anything(),
            cuts in vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &input[cut[0]..cut[1]]).collect();
            prop_assert_eq!(converse(&pieces), converse(&[&input]));
        }
    }
}
