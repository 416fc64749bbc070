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
        .filter_map(|&keyword| Some((strsim::damerau_levenshtein(typed, keyword.words.get(most)?), keyword)))
        .filter(|(distance, _)| *distance <= typed.chars().count() / 2)
        .collect();
    if alike.is_empty() {
        return agreeing;
    }
    alike.sort_by_key(|(distance, _)| *distance);
    alike.truncate(SUGGESTIONS_MAX);
    alike.sort_by_key(|(_, keyword)| keyword.usage);
    alike.into_iter().map(|(_, keyword)| keyword).collect()
}
