//! How keywords are listed: each stands once, with where it may be and what becomes of it. The lists are
//! in [`super::tables`].

use std::fmt;

/// A list of keywords of one place, with a handler of type `H` for those that are implemented.
pub(super) type Table<H> = &'static [Group<H>];

/// Keywords that share their fate.
pub(super) struct Group<H: 'static> {
    pub names: &'static [&'static str],
    pub within: Within,
    /// Words to skip after a parameter that is ignored.
    pub arguments: usize,
    pub fate: Fate<H>,
}

/// What becomes of a keyword.
#[derive(Clone, Copy)]
pub(super) enum Fate<H> {
    Implemented(H),
    /// Ignored, and nothing is lost: it tunes what a packet forwarder does not have. Noted once.
    Harmless(&'static str),
    /// Ignored, but something the operator may count on is missing. Warned of once.
    Missing(&'static str),
    /// Refused for now: without it another server might be chosen, or something untrue be believed.
    Later(&'static str),
    /// Refused for good.
    Refused(&'static str),
    /// HAProxy refuses it in these words.
    Gone(&'static str),
}

impl<H> Fate<H> {
    pub(super) fn refuses(&self) -> bool {
        matches!(self, Self::Later(_) | Self::Refused(_) | Self::Gone(_))
    }
}

/// Kinds of proxy section in which a keyword means something (configuration manual 4.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Within {
    pub defaults: bool,
    pub frontend: bool,
    pub backend: bool,
}

pub(super) const ALL: Within = Within { defaults: true, frontend: true, backend: true };
pub(super) const FRONTEND: Within = Within { defaults: true, frontend: true, backend: false };
pub(super) const BACKEND: Within = Within { defaults: true, frontend: false, backend: true };

impl Within {
    pub(super) const fn not_in_defaults(self) -> Self {
        Self { defaults: false, ..self }
    }
}

/// Keywords allowed everywhere.
pub(super) const fn group<H>(names: &'static [&'static str], fate: Fate<H>) -> Group<H> {
    Group { names, within: ALL, arguments: 0, fate }
}

/// Keywords that mean something only in some kinds of proxy section.
pub(super) const fn only<H>(within: Within, names: &'static [&'static str], fate: Fate<H>) -> Group<H> {
    Group { names, within, arguments: 0, fate }
}

impl<H: Copy> Group<H> {
    /// The words that follow a parameter, for one that is ignored.
    pub(super) const fn arguments(self, arguments: usize) -> Self {
        Self { arguments, ..self }
    }
}

/// The group that `word` stands in. A name that ends in `*` stands for everything that begins like it.
pub(super) fn find<H>(table: Table<H>, word: &str) -> Option<&'static Group<H>> {
    table.iter().find(|group| {
        group.names.iter().any(|name| match name.strip_suffix('*') {
            Some(prefix) => word.starts_with(prefix),
            None => *name == word,
        })
    })
}

/// `; did you mean 'X' maybe ?`, or nothing when no name is close to what was written.
pub(super) struct DidYouMean(Option<&'static str>);

/// Looks for a name close to `word`.
pub(super) fn did_you_mean<H>(table: Table<H>, word: &str) -> DidYouMean {
    closest(table.iter().flat_map(|group| group.names.iter().copied()), word)
}

fn closest(names: impl Iterator<Item = &'static str>, word: &str) -> DidYouMean {
    // Nobody means a keyword by a word of hundreds of letters, and the distance costs their square.
    let length = word.chars().take(64).count();
    let allowed = if length < 64 { length / 3 } else { 0 };
    let nearest = names
        .filter(|name| !name.ends_with('*') && name.len().abs_diff(length) <= allowed)
        .map(|name| (strsim::damerau_levenshtein(name, word), name))
        .min_by_key(|(distance, _)| *distance);
    DidYouMean(nearest.filter(|(distance, _)| *distance <= allowed).map(|(_, name)| name))
}

impl fmt::Display for DidYouMean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "; did you mean '{name}' maybe ?"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SOME: Table<()> = &[
        group(&["http-server-close", "dontlognull", "check"], Fate::Harmless("")),
        group(&["tune.*"], Fate::Harmless("")),
    ];

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_nothing_else() {
        for (word, hint) in [
            ("http-server-closed", "; did you mean 'http-server-close' maybe ?"),
            ("dontlognul", "; did you mean 'dontlognull' maybe ?"),
            ("chck", "; did you mean 'check' maybe ?"),
            ("foobar", ""),
            ("", ""),
        ] {
            assert_eq!(did_you_mean(SOME, word).to_string(), hint, "{word}");
        }
        assert_eq!(did_you_mean(SOME, &"y".repeat(100_000)).to_string(), "");
    }

    #[test]
    fn a_star_stands_for_the_rest_of_a_name() {
        assert!(find(SOME, "tune.bufsize").is_some());
        assert!(find(SOME, "tun").is_none());
    }
}
