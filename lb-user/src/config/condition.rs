//! Conditional blocks: `.if`, `.elif`, `.else`, `.endif` (configuration manual 2.4).

/// Version of HAProxy's language that we read; what `version_atleast` compares with.
const LANGUAGE: [u32; 3] = [2, 6, 12];

/// Deepest nesting of parentheses and negations in an expression.
const DEPTH: usize = 64;

/// Why an expression has no value, with the byte offset in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub at: usize,
    /// HAProxy's wording, up to where it names the directive.
    pub text: String,
}

/// Value of an expression. `defined` says whether an environment variable exists.
pub(super) fn evaluate(expression: &str, defined: &dyn Fn(&str) -> bool) -> Result<bool, Fault> {
    let text = expression.trim_end();
    if text.trim_start().is_empty() {
        return Ok(false);
    }
    let mut reader = Reader { text, at: 0, defined };
    let value = reader.any(0)?;
    reader.skip_blanks();
    match reader.rest().chars().next() {
        None => Ok(value),
        Some(c) => {
            Err(reader
                .fault(format!("unexpected character '{c}' at the end of conditional expression '{text}'")))
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    defined: &'a dyn Fn(&str) -> bool,
}

impl<'a> Reader<'a> {
    /// `a || b || …`. Both sides are read whatever the first is, so that a fault never hides.
    fn any(&mut self, depth: usize) -> Result<bool, Fault> {
        let mut value = self.all(depth)?;
        while self.take("||") {
            value |= self.all(depth)?;
        }
        Ok(value)
    }

    fn all(&mut self, depth: usize) -> Result<bool, Fault> {
        let mut value = self.term(depth)?;
        while self.take("&&") {
            value &= self.term(depth)?;
        }
        Ok(value)
    }

    fn term(&mut self, depth: usize) -> Result<bool, Fault> {
        if depth == DEPTH {
            return Err(self.fault("conditional expression nested too deeply".into()));
        }
        self.skip_blanks();
        let start = self.at;
        if self.take("!") {
            return Ok(!self.term(depth + 1)?);
        }
        if self.take("(") {
            let value = self.any(depth + 1)?;
            if !self.take(")") {
                let whole = self.text.get(start..).unwrap_or_default();
                self.at = start;
                return Err(self.fault(format!("expected ')' after conditional expression '{whole}'")));
            }
            return Ok(value);
        }
        let digits = self.span_of(|c| c.is_ascii_digit() || c == '-');
        if !digits.is_empty() {
            self.at += digits.len();
            return Ok(digits.trim_start_matches('-').bytes().any(|digit| digit != b'0'));
        }
        self.predicate()
    }

    fn predicate(&mut self) -> Result<bool, Fault> {
        let name = self.span_of(|c| c.is_ascii_alphanumeric() || c == '_');
        let arity = match name {
            "defined" | "feature" | "version_atleast" | "version_before" => 1,
            "streq" | "strneq" => 2,
            _ => {
                let rest = self.rest();
                return Err(self.fault(format!("unparsable conditional expression '{rest}'")));
            }
        };
        self.at += name.len();
        let arguments = self.arguments(name, arity)?;
        let argument = |i: usize| arguments.get(i).copied().unwrap_or_default();
        Ok(match name {
            "defined" => (self.defined)(argument(0)),
            "streq" => argument(0) == argument(1),
            "strneq" => argument(0) != argument(1),
            "version_atleast" => LANGUAGE >= version(argument(0)),
            "version_before" => LANGUAGE < version(argument(0)),
            // `feature`: what HAProxy may be built with, TLS for one, we never are.
            _ => false,
        })
    }

    /// `(a,b)`; blanks belong to the arguments, as in HAProxy.
    fn arguments(&mut self, predicate: &str, arity: usize) -> Result<Vec<&'a str>, Fault> {
        let tail = format!("of predicate '{predicate}' used in conditional expression");
        if !self.rest().starts_with('(') {
            return Err(self.fault(format!("missing arguments (got 0/{arity}) {tail}")));
        }
        let inner = self.rest().get(1..).unwrap_or_default();
        let Some(end) = inner.find(')') else {
            self.at = self.text.len();
            return Err(self.fault(format!("expected ')' in argument {arity} {tail}")));
        };
        let arguments: Vec<&str> = inner.get(..end).unwrap_or_default().split(',').collect();
        if arguments.len() < arity {
            let got = arguments.len();
            return Err(self.fault(format!(
                "missing arguments (got {got}/{arity}), type 'string' expected in argument {got} {tail}"
            )));
        }
        if arguments.len() > arity {
            return Err(self.fault(format!("expected ')' after argument {arity} {tail}")));
        }
        self.at += end + 2;
        Ok(arguments)
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_blanks();
        let there = self.rest().starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    fn skip_blanks(&mut self) {
        self.at += self.span_of(|c| c == ' ' || c == '\t').len();
    }

    fn span_of(&self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        rest.get(..rest.find(|c| !wanted(c)).unwrap_or(rest.len())).unwrap_or_default()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault(&self, text: String) -> Fault {
        Fault { at: self.at, text }
    }
}

/// `2.6.12` or `2.4-dev19`; a part that is missing or no number is 0.
fn version(text: &str) -> [u32; 3] {
    let release = text.split('-').next().unwrap_or_default();
    let mut parts = release.split('.').map(|part| part.parse().unwrap_or(0));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

/// Which lines count, by the blocks that are open.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<Block>);

#[derive(Clone, Copy, Debug)]
struct Block {
    branch: Branch,
    else_seen: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Branch {
    /// This branch counts.
    Taken,
    /// None has counted so far.
    Waiting,
    /// An earlier one counted, or the block lies in one that does not.
    Over,
}

impl Blocks {
    /// Whether the present line counts.
    pub(super) fn active(&self) -> bool {
        self.0.last().is_none_or(|block| block.branch == Branch::Taken)
    }

    /// Whether a block is open.
    pub(super) fn open(&self) -> bool {
        !self.0.is_empty()
    }

    /// `.if`; the condition is asked only where it counts.
    pub(super) fn on_if<E>(&mut self, condition: impl FnOnce() -> Result<bool, E>) -> Result<(), E> {
        let branch = if !self.active() {
            Branch::Over
        } else {
            // A faulty condition still opens a block, lest its `.endif` be called lone.
            match condition() {
                Ok(value) => taken_if(value),
                Err(fault) => {
                    self.0.push(Block { branch: Branch::Over, else_seen: false });
                    return Err(fault);
                }
            }
        };
        self.0.push(Block { branch, else_seen: false });
        Ok(())
    }

    /// `.elif`; `None` when it does not belong here.
    pub(super) fn on_elif<E>(
        &mut self,
        condition: impl FnOnce() -> Result<bool, E>,
    ) -> Option<Result<(), E>> {
        let block = self.0.last_mut().filter(|block| !block.else_seen)?;
        block.branch = match block.branch {
            Branch::Waiting => match condition() {
                Ok(value) => taken_if(value),
                Err(fault) => return Some(Err(fault)),
            },
            Branch::Taken | Branch::Over => Branch::Over,
        };
        Some(Ok(()))
    }

    /// `.else`; `false` when it does not belong here.
    pub(super) fn on_else(&mut self) -> bool {
        let Some(block) = self.0.last_mut().filter(|block| !block.else_seen) else { return false };
        *block = Block {
            branch: if block.branch == Branch::Waiting { Branch::Taken } else { Branch::Over },
            else_seen: true,
        };
        true
    }

    /// `.endif`; `false` when no block is open.
    pub(super) fn on_endif(&mut self) -> bool {
        self.0.pop().is_some()
    }
}

fn taken_if(value: bool) -> Branch {
    if value { Branch::Taken } else { Branch::Waiting }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(expression: &str) -> Result<bool, Fault> {
        evaluate(expression, &|name| name == "STICKFAST")
    }

    #[test]
    fn expressions_have_haproxys_values() {
        for (expression, expected) in [
            ("", false),
            ("0", false),
            ("1", true),
            ("-1", true),
            ("00", false),
            ("defined(STICKFAST)", true),
            ("!defined(STICKFAST)", false),
            ("!!1", true),
            ("! 1", false),
            ("defined( STICKFAST )", false),
            ("defined()", false),
            ("streq(a,a)", true),
            ("streq(a,)", false),
            ("strneq(a b,c)", true),
            ("(1)", true),
            ("1 && 0 || 1", true),
            ("1 && !defined(X) || 0", true),
            ("0 && (1 || 1)", false),
            ("defined(STICKFAST)&&1", true),
            ("feature(OPENSSL)", false),
            ("version_atleast(2.6)", true),
            ("version_atleast(2.6.13)", false),
            ("version_atleast(2.4-dev19)", true),
            ("version_before(3)", true),
            ("1 ", true),
        ] {
            assert_eq!(value(expression), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn faults_carry_haproxys_words_and_place() {
        for (expression, at, text) in [
            ("foo", 0, "unparsable conditional expression 'foo'"),
            ("(1", 0, "expected ')' after conditional expression '(1'"),
            ("1 & 1", 2, "unexpected character '&' at the end of conditional expression '1 & 1'"),
            ("5x", 1, "unexpected character 'x' at the end of conditional expression '5x'"),
            (
                "defined(FOO",
                11,
                "expected ')' in argument 1 of predicate 'defined' used in conditional expression",
            ),
            (
                "streq(a)",
                5,
                "missing arguments (got 1/2), type 'string' expected in argument 1 of predicate 'streq' \
                 used in conditional expression",
            ),
        ] {
            assert_eq!(value(expression), Err(Fault { at, text: text.into() }), "{expression}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert!(value(&"(".repeat(100_000)).is_err());
        assert!(value(&"!".repeat(100_000)).is_err());
    }

    #[test]
    fn one_branch_of_a_block_counts() {
        let ok = |value| move || Ok::<bool, ()>(value);
        let mut blocks = Blocks::default();
        blocks.on_if(ok(false)).unwrap();
        assert!(!blocks.active());
        // A block within a branch that does not count never counts.
        blocks.on_if(ok(true)).unwrap();
        assert!(!blocks.active());
        assert!(blocks.on_else());
        assert!(!blocks.active());
        assert!(blocks.on_endif());
        blocks.on_elif(ok(true)).unwrap().unwrap();
        assert!(blocks.active());
        assert!(blocks.on_else());
        assert!(!blocks.active());
        assert!(!blocks.on_else(), "a second .else");
        assert!(blocks.on_elif(ok(true)).is_none(), ".elif after .else");
        assert!(blocks.on_endif());
        assert!(blocks.active() && !blocks.open());
        assert!(!blocks.on_endif());
    }

    proptest! {
        #[test]
        fn any_expression_gives_a_value_or_a_fault_within_it(
            expression in "([ ()!&|,0-9a-z]|defined|streq|é)*",
        ) {
            if let Err(fault) = value(&expression) {
                prop_assert!(expression.is_char_boundary(fault.at));
            }
        }
    }
}
