//! `help`, and what an unknown command gets.

use super::Answer;
use crate::runtime::command::{FOOTER, KEYWORDS, Keyword};

/// Suggestions for an unknown command, at most.
const SUGGESTIONS_MAX: usize = 5;

/// `help [<command>]`: the commands that begin so, or the nearest ones to it.
pub(super) fn matching(words: &[String]) -> Answer {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Answer::info(list("The following commands are valid at this level:", &nearest(&words)))
}

/// The answer to a line that is no command.
pub(super) fn unknown(words: &[&str]) -> Answer {
    let title = if words.is_empty() {
        "Unknown command. Please enter one of the following commands only:"
    } else {
        "Unknown command, but maybe one of the following ones is a better match:"
    };
    Answer::info(list(title, &nearest(words)))
}

fn list(title: &str, keywords: &[&Keyword]) -> String {
    let keywords = keywords.iter().copied().chain(FOOTER);
    let lines = keywords.map(|keyword| format!("  {:<40}: {}\n", keyword.usage, keyword.about));
    format!("{title}\n{}", lines.collect::<String>())
}

/// The commands that agree with the most words; of these the ones whose next word is much like the one
/// that was typed, if there are any.
fn nearest(words: &[&str]) -> Vec<&'static Keyword> {
    let agreement = |keyword: &Keyword| keyword.words.iter().zip(words).take_while(|(a, b)| a == b).count();
    let most = KEYWORDS.iter().map(agreement).max().unwrap_or_default();
    let agreeing: Vec<_> = KEYWORDS.iter().filter(|keyword| agreement(keyword) == most).collect();
    let Some(typed) = words.get(most) else {
        return agreeing;
    };
    let mut alike: Vec<_> = agreeing
        .iter()
        .filter_map(|&keyword| Some((unlikeness(typed, keyword.words.get(most)?)?, keyword)))
        .collect();
    if alike.is_empty() {
        return agreeing;
    }
    alike.sort_by_key(|(distance, _)| *distance);
    alike.truncate(SUGGESTIONS_MAX);
    alike.sort_by_key(|(_, keyword)| keyword.usage);
    alike.into_iter().map(|(_, keyword)| keyword).collect()
}

/// How many letters to change for `word` to become `keyword`; `None` if that is more than half of them.
fn unlikeness(word: &str, keyword: &str) -> Option<usize> {
    let limit = word.len() / 2;
    // Cheap, and saves comparing thousands of letters.
    if word.len().abs_diff(keyword.len()) > limit {
        return None;
    }
    Some(strsim::damerau_levenshtein(word, keyword)).filter(|distance| *distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggestions(line: &str) -> Vec<&'static str> {
        let words: Vec<&str> = line.split(' ').collect();
        nearest(&words).iter().map(|keyword| keyword.usage).collect()
    }

    #[test]
    fn a_mistyped_word_gets_the_commands_that_are_like_it() {
        assert_eq!(suggestions("show vresion"), ["show version"]);
        assert_eq!(suggestions("dsable server"), ["disable server <bk>/<srv>", "enable server <bk>/<srv>"]);
    }

    #[test]
    fn words_that_agree_narrow_the_list() {
        assert_eq!(suggestions("show servers foo"), ["show servers state [<backend>]"]);
        assert_eq!(suggestions("show cli"), ["show cli level", "show cli sockets"]);
        assert_eq!(suggestions("set zzzzzz").len(), 4);
    }

    #[test]
    fn what_is_like_nothing_gets_every_command() {
        assert_eq!(suggestions("qqq").len(), KEYWORDS.len());
        assert_eq!(suggestions(&"x".repeat(10_000)).len(), KEYWORDS.len());
    }

    #[test]
    fn every_usage_leaves_its_column_and_stands_in_order() {
        assert!(KEYWORDS.iter().all(|keyword| keyword.usage.len() <= 40));
        assert!(KEYWORDS.is_sorted_by_key(|keyword| keyword.words));
    }
}
