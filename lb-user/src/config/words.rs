//! Cuts a line into words: quotes, backslashes, comments, environment variables (configuration manual 2.2
//! and 2.3).

use std::{iter::Peekable, ops::Range, str::CharIndices};

/// One word of a line after quotes, escapes and variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    /// The bytes of the line that it came from.
    pub span: Range<usize>,
}

/// Why a line cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("unmatched quote")]
    Quote,
    #[error("truncated or invalid hexadecimal sequence")]
    Hexadecimal,
    #[error("unmatched brace in environment variable name")]
    Brace,
    #[error("forbidden first char in environment variable name")]
    VariableName,
    #[error("truncated or invalid word expansion sequence")]
    Expansion,
    #[error("NUL byte")]
    Nul,
}

/// Cuts `line`, asking `variable` for the variables in double quotes; an unknown one is empty. A fault
/// comes with the byte offset at which it stands.
///
/// `.if` and `.elif` take the rest of the line as one word, because it is an expression.
pub(super) fn split(
    line: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Word>, (usize, Fault)> {
    if let Some(at) = line.find('\0') {
        return Err((at, Fault::Nul));
    }
    let mut cutter =
        Cutter { line, rest: line.char_indices().peekable(), variable, words: Vec::new(), word: None };
    cutter.run()?;
    Ok(cutter.words)
}

struct Cutter<'a> {
    line: &'a str,
    rest: Peekable<CharIndices<'a>>,
    variable: &'a dyn Fn(&str) -> Option<String>,
    words: Vec<Word>,
    /// The word being read; quotes may begin an empty one.
    word: Option<Word>,
}

impl Cutter<'_> {
    fn run(&mut self) -> Result<(), (usize, Fault)> {
        // Where the double quotes that are open began.
        let mut quoted = None;
        while let Some((at, c)) = self.rest.next() {
            match c {
                '"' => {
                    self.put(at, "");
                    quoted = if quoted.is_some() { None } else { Some(at) };
                }
                '\\' => self.escape(at, quoted.is_some())?,
                '$' if quoted.is_some() => self.expand(at)?,
                _ if quoted.is_some() => self.put_char(at, c),
                '\'' => self.strong(at)?,
                '#' | '\r' | '\n' => break,
                ' ' | '\t' if !self.in_condition() => self.end_word(),
                _ => self.put_char(at, c),
            }
            let end = self.here();
            if let Some(word) = &mut self.word {
                word.span.end = end;
            }
        }
        match quoted {
            Some(at) => Err((at, Fault::Quote)),
            None => {
                self.end_word();
                Ok(())
            }
        }
    }

    /// Single quotes: nothing is special until the next one.
    fn strong(&mut self, start: usize) -> Result<(), (usize, Fault)> {
        self.put(start, "");
        for (at, c) in self.rest.by_ref() {
            if c == '\'' {
                return Ok(());
            }
            let word = self.word.get_or_insert_with(|| Word { text: String::new(), span: at..at });
            word.text.push(c);
        }
        Err((start, Fault::Quote))
    }

    /// A backslash; before a character that needs none it stays.
    fn escape(&mut self, at: usize, quoted: bool) -> Result<(), (usize, Fault)> {
        let plain = match self.rest.peek().map(|&(_, c)| c) {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(c @ (' ' | '\t' | '#' | '\\' | '\'' | '"')) => c,
            Some('$') if quoted => '$',
            Some('x') => {
                self.rest.next();
                let digits = [self.hexadecimal(at)?, self.hexadecimal(at)?];
                let [high, low] = digits;
                match char::from_u32(high * 16 + low) {
                    Some('\0') | None => return Err((at, Fault::Nul)),
                    Some(c) => self.put_char(at, c),
                }
                return Ok(());
            }
            _ => {
                self.put_char(at, '\\');
                return Ok(());
            }
        };
        self.rest.next();
        self.put_char(at, plain);
        Ok(())
    }

    fn hexadecimal(&mut self, at: usize) -> Result<u32, (usize, Fault)> {
        let digit = self.rest.next_if(|(_, c)| c.is_ascii_hexdigit()).and_then(|(_, c)| c.to_digit(16));
        digit.ok_or((at, Fault::Hexadecimal))
    }

    /// `$NAME`, `${NAME}`, `${NAME-default}` or `${NAME[*]}`; the dollar is read already.
    fn expand(&mut self, at: usize) -> Result<(), (usize, Fault)> {
        let brace = self.rest.next_if(|&(_, c)| c == '{').map(|(at, _)| at);
        let mut name = String::new();
        // Only HAProxy's own variables (`.FILE`) begin with a dot.
        let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '.';
        match self.rest.next_if(|&(_, c)| first(c)) {
            Some((_, c)) => name.push(c),
            None => return Err((self.here(), Fault::VariableName)),
        }
        while let Some((_, c)) = self.rest.next_if(|&(_, c)| c.is_ascii_alphanumeric() || c == '_') {
            name.push(c);
        }
        let mut value = (self.variable)(&name);
        let mut several = false;
        if let Some(brace) = brace {
            if let Some((at, _)) = self.rest.next_if(|&(_, c)| c == '[') {
                several = ['*', ']'].iter().all(|&c| self.rest.next_if(|&(_, next)| next == c).is_some());
                if !several {
                    return Err((at, Fault::Expansion));
                }
            }
            if self.rest.next_if(|&(_, c)| c == '-').is_some() {
                let mut default = String::new();
                while let Some((_, c)) = self.rest.next_if(|&(_, c)| c != '}' && c != '"') {
                    default.push(c);
                }
                value = value.or(Some(default));
            }
            self.rest.next_if(|&(_, c)| c == '}').ok_or((brace, Fault::Brace))?;
        }
        let value = value.unwrap_or_default();
        if several {
            for (i, part) in value.split_ascii_whitespace().enumerate() {
                if i > 0 {
                    self.end_word();
                }
                self.put(at, part);
            }
        } else {
            self.put(at, &value);
        }
        Ok(())
    }

    /// Whether the word being read is the expression of a condition.
    fn in_condition(&self) -> bool {
        self.word.is_some()
            && matches!(self.words.as_slice(), [first] if matches!(first.text.as_str(), ".if" | ".elif"))
    }

    fn put_char(&mut self, at: usize, c: char) {
        self.put(at, c.encode_utf8(&mut [0; 4]));
    }

    fn put(&mut self, at: usize, text: &str) {
        let word = self.word.get_or_insert_with(|| Word { text: String::new(), span: at..at });
        word.text.push_str(text);
    }

    fn end_word(&mut self) {
        self.words.extend(self.word.take());
    }

    /// The offset of what comes next.
    fn here(&mut self) -> usize {
        self.rest.peek().map_or(self.line.len(), |&(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variables(name: &str) -> Option<String> {
        match name {
            "VIP" => Some("10.0.0.100".into()),
            "LIST" => Some("check  inter 1s".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn words(line: &str) -> Vec<String> {
        split(line, &variables).unwrap().into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_are_cut_as_haproxy_cuts_them() {
        for (line, expected) in [
            ("", vec![]),
            ("  # comment", vec![]),
            ("\tmode \t tcp ", vec!["mode", "tcp"]),
            ("mode tcp#x", vec!["mode", "tcp"]),
            ("mode tcp\r", vec!["mode", "tcp"]),
            (r#"mode t"c"'p'"#, vec!["mode", "tcp"]),
            (r#"a "b # c" 'd "e' "f'g""#, vec!["a", "b # c", "d \"e", "f'g"]),
            (r#"a "" ''"#, vec!["a", "", ""]),
            (r"a\ b \# \\ \' \n\t", vec!["a b", "#", "\\", "'", "\n\t"]),
            (r"tcp\", vec!["tcp\\"]),
            (r"a\qb \$x", vec!["a\\qb", "\\$x"]),
            (r"'\n$VIP'", vec![r"\n$VIP"]),
            (r"\x41\x42c", vec!["ABc"]),
            (r#""$VIP":80 $VIP"#, vec!["10.0.0.100:80", "$VIP"]),
            (r#""${VIP}:${PORT-80}${EMPTY-x}""#, vec!["10.0.0.100:80"]),
            (r#""\$VIP""#, vec!["$VIP"]),
            (r#"s1 "a${LIST[*]}b""#, vec!["s1", "acheck", "inter", "1sb"]),
            (".if a && b # c", vec![".if", "a && b "]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn a_fault_points_at_its_cause() {
        for (line, at, fault) in [
            (" mode 'tcp", 6, Fault::Quote),
            (" mode \"tcp", 6, Fault::Quote),
            (r" mode \x7", 6, Fault::Hexadecimal),
            (r#" mode "${FOO""#, 8, Fault::Brace),
            (r#" mode "$1""#, 8, Fault::VariableName),
            (r#" mode "${}""#, 9, Fault::VariableName),
            (r#" mode "$""#, 8, Fault::VariableName),
            (r#" mode "${FOO[*}""#, 12, Fault::Expansion),
            (r#" mode "${FOO.}""#, 8, Fault::Brace),
            ("mode tcp\0http", 8, Fault::Nul),
            (r"a \x00", 2, Fault::Nul),
        ] {
            assert_eq!(split(line, &variables), Err((at, fault)), "{line}");
        }
    }

    #[test]
    fn a_span_covers_what_the_word_was_made_from() {
        let line = r#"  mode "t"cp # x"#;
        let spans: Vec<_> =
            split(line, &variables).unwrap().into_iter().map(|word| &line[word.span]).collect();
        assert_eq!(spans, ["mode", "\"t\"cp"]);
    }

    proptest! {
        #[test]
        fn any_text_gives_words_within_the_line_or_a_fault(line in any::<String>()) {
            match split(&line, &variables) {
                Ok(words) => for word in words {
                    prop_assert!(line.get(word.span).is_some());
                },
                Err((at, _)) => prop_assert!(line.is_char_boundary(at)),
            }
        }
    }
}
