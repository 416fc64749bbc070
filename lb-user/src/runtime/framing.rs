//! Bytes of a connection -> command lines.
//!
//! As HAProxy 2.6 does it: LF and `;` end a command, so what stands before a `;` runs before its line is
//! complete; a backslash takes the next byte as it is, be it one of these two; CR before the end is
//! dropped; a command that ends in `<<` is followed by a payload, lines up to an empty one.

/// The longest command, in bytes without its end. HAProxy's buffer size.
pub(super) const LINE_MAX: usize = 16 * 1024;

/// What the bytes so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A command without its end. Escapes are still in it.
    Line(String),
    /// The payload of a command has begun, or goes on.
    Payload,
    /// A command is longer than [`LINE_MAX`]. Nothing comes after this.
    TooLong,
}

/// Cuts a stream of bytes into [`Frame`]s. How the stream is split into pieces makes no difference.
#[derive(Debug, Default)]
pub(super) struct Framing {
    buffer: Vec<u8>,
    /// No command ends in `buffer[..scanned]`. One more than the length if the next byte to come is escaped.
    scanned: usize,
    /// The command whose payload is being read.
    held: Option<String>,
    too_long: bool,
}

impl Framing {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !self.too_long {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether every byte has been used, and no payload is awaited.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.held.is_none()
    }

    /// The next frame; `None` until more bytes come.
    pub(super) fn next(&mut self) -> Option<Frame> {
        if self.too_long {
            return Some(Frame::TooLong);
        }
        let end = self.find_end();
        if end.unwrap_or(self.buffer.len()) > LINE_MAX {
            self.too_long = true;
            self.buffer = Vec::new();
            return Some(Frame::TooLong);
        }
        let end = end?;
        let line = text(self.buffer.get(..end).unwrap_or_default());
        self.buffer.drain(..=end);
        self.scanned = 0;
        Some(self.frame(line))
    }

    /// No command takes a payload yet: it is read and forgotten.
    fn frame(&mut self, line: String) -> Frame {
        match self.held.take() {
            Some(command) if line.is_empty() => Frame::Line(command),
            Some(command) => {
                self.held = Some(command);
                Frame::Payload
            }
            None if line.ends_with("<<") => {
                let command = line.strip_suffix(" <<").unwrap_or(&line);
                self.held = Some(command.to_owned());
                Frame::Payload
            }
            None => Frame::Line(line),
        }
    }

    /// Index of the byte that ends the line at the front of the buffer.
    fn find_end(&mut self) -> Option<usize> {
        let in_payload = self.held.is_some();
        while let Some(&byte) = self.buffer.get(self.scanned) {
            match byte {
                b'\n' => return Some(self.scanned),
                b';' if !in_payload => return Some(self.scanned),
                b'\\' if !in_payload => self.scanned += 2,
                _ => self.scanned += 1,
            }
        }
        None
    }
}

/// A line as text. It ends at a NUL, as C strings do; what is not UTF-8 becomes U+FFFD.
fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

/// The words of a command: split at blanks; a backslash takes the next character as it is.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(next) = rest.next() {
        if next.is_ascii_whitespace() {
            words.extend(word.take());
            continue;
        }
        let literal = if next == '\\' { rest.next() } else { Some(next) };
        word.get_or_insert_default().extend(literal);
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(input: &[u8]) -> Vec<Frame> {
        let mut framing = Framing::default();
        framing.push(input);
        let mut frames = Vec::new();
        while let Some(frame) = framing.next() {
            let last = frame == Frame::TooLong;
            frames.push(frame);
            if last {
                break;
            }
        }
        frames
    }

    fn line(text: &str) -> Frame {
        Frame::Line(text.to_owned())
    }

    #[test]
    fn line_feeds_and_semicolons_end_commands() {
        assert_eq!(frames(b"a;b \r\n c\n"), [line("a"), line("b "), line(" c")]);
        assert_eq!(frames(b";\n"), [line(""), line("")]);
    }

    #[test]
    fn a_command_before_a_semicolon_does_not_wait_for_its_line() {
        assert_eq!(frames(b"show version;show"), [line("show version")]);
    }

    #[test]
    fn an_escaped_end_is_no_end() {
        assert_eq!(frames(b"a\\;b\n"), [line("a\\;b")]);
        assert_eq!(frames(b"a\\\nb\n"), [line("a\\\nb")]);
        assert_eq!(frames(b"a\\\\;b\n"), [line("a\\\\"), line("b")]);
    }

    #[test]
    fn an_escape_may_be_cut_off_from_what_it_escapes() {
        let mut framing = Framing::default();
        framing.push(b"a\\");
        assert_eq!(framing.next(), None);
        framing.push(b";b\n");
        assert_eq!(framing.next(), Some(line("a\\;b")));
    }

    #[test]
    fn a_payload_ends_with_an_empty_line() {
        assert_eq!(
            frames(b"set x <<\na;b\\\n\r\nshow\n"),
            [Frame::Payload, Frame::Payload, line("set x"), line("show")]
        );
    }

    #[test]
    fn a_command_ends_at_a_nul() {
        assert_eq!(frames(b"show\0 version\n\0\xff\n"), [line("show"), line("")]);
    }

    #[test]
    fn the_longest_command_passes_and_one_byte_more_does_not() {
        let mut input = vec![b'x'; LINE_MAX];
        assert_eq!(frames(&input), []);
        input.push(b'\n');
        assert_eq!(frames(&input), [line(&"x".repeat(LINE_MAX))]);
        input.insert(0, b'x');
        assert_eq!(frames(&input), [Frame::TooLong]);
        assert_eq!(frames(&input[..LINE_MAX + 1]), [Frame::TooLong]);
    }

    #[test]
    fn words_are_split_at_blanks_but_not_at_escaped_ones() {
        assert_eq!(words(" show\ttable  bk\\ app \r"), ["show", "table", "bk app"]);
        assert_eq!(words("\\show \\\\ a\\"), ["show", "\\", "a"]);
        assert!(words(" \t").is_empty());
    }
}
