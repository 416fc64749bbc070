//! Steps: what is done is told before it is done, and how long it took after.

use std::{fmt::Display, process::Command, sync::OnceLock, time::Instant};

use anyhow::{Error, Result, ensure};
use stickfast_lab::clock::now;

use crate::signals;

/// Runs `command` to its end, with its output where ours goes.
///
/// # Errors
///
/// It cannot be started, or it fails; the error names the step and the whole command.
pub(crate) fn run(title: &str, command: &mut Command) -> Result<()> {
    let begun = now();
    tell(format_args!("{title}: {}", line(command)));
    let status = signals::wait(command)?;
    ensure!(status.success(), "step {title:?} failed: {status}\n  {}", line(command));
    tell(format_args!("{title}: done in {:.1} s", begun.elapsed().as_secs_f64()));
    Ok(())
}

/// One line of progress, with the seconds since the start.
pub(crate) fn tell(what: impl Display) {
    static START: OnceLock<Instant> = OnceLock::new();
    say(format_args!("==> {:4} s  {what}", START.get_or_init(now).elapsed().as_secs()));
}

/// One line of what the task is there to show.
#[expect(clippy::print_stdout, reason = "the one place that a task prints from")]
pub(crate) fn say(what: impl Display) {
    println!("{what}");
}

/// Says why the task failed.
#[expect(clippy::print_stderr, reason = "the last word of a task that fails")]
pub(crate) fn complain(error: &Error) {
    eprintln!("error: {error:#}");
}

/// `command` as it would be typed, with the variables that are set for it.
fn line(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={}", name.display(), quoted(&value?.to_string_lossy())))
    });
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words = words.map(|word| quoted(&word.to_string_lossy()));
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else if word.contains(char::is_control) {
        format!("$'{}'", word.escape_default().to_string().replace("\\u{1f}", r"\x1f"))
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_a_shell_takes_it() {
        let mut command = Command::new("cargo");
        command.args(["test", "--", "a b", "it's", "", "-Da\x1f-Db"]).env("FLAGS", "-D x").env_remove("GONE");
        assert_eq!(line(&command), r"FLAGS='-D x' cargo test -- 'a b' 'it'\''s' '' $'-Da\x1f-Db'");
    }

    #[test]
    fn a_failing_step_names_itself_and_its_command() {
        let error = run("wrong", &mut Command::new("false")).unwrap_err().to_string();
        assert!(error.starts_with("step \"wrong\" failed: exit status: 1"), "{error}");
        assert!(error.ends_with("false"), "{error}");
    }
}
