//! `cargo xtask demo`: the article's two configurations, played with real servers in network namespaces.
//!
//! Nothing outside of the namespaces changes, and they go away with the demo, however it ends. HAProxy plays
//! the same parts with `STICKFAST_LAB_SUBJECT=haproxy`.

use std::{env, fs, os::unix::process::CommandExt as _, time::Instant};

use anyhow::{Context as _, Error, Result, ensure};
use stickfast_lab::{Subject, clock::now, privilege::check, subject::BINARY};

use crate::{build, privilege, setup, step::say, workspace::root};
use stage::Stage;
use story::{ACTS, Act};

mod stage;
mod story;

pub(crate) fn run() -> Result<()> {
    let subject = Subject::from_env()?;
    if subject == Subject::Stickfast && env::var_os(BINARY).is_none() {
        return build_and_run();
    }
    check().map_err(Error::msg)?;
    let begun = now();
    let mut verdicts = Vec::new();
    for act in &ACTS {
        verdicts.extend(play(act, subject, begun)?);
    }
    let held = verdicts.iter().filter(|&&held| held).count();
    say(format_args!("demo: {} steps, {held} held", verdicts.len()));
    ensure!(held == verdicts.len(), "{} of the demo's steps did not hold", verdicts.len() - held);
    Ok(())
}

/// Has the laboratory, which is told by the environment, use an optimised daemon.
fn build_and_run() -> Result<()> {
    setup::complete()?;
    let daemon = build::daemon(true)?;
    let mut again = privilege::root("env")?;
    again.arg(format!("{BINARY}={}", daemon.display())).arg(env::current_exe()?).arg("demo");
    Err(Error::new(again.exec()).context("cannot run the demo"))
}

/// Plays one act on a stage of its own; says of each step whether it held.
fn play(act: &Act, subject: Subject, begun: Instant) -> Result<Vec<bool>> {
    let path = root().join("tests/data/config").join(act.configuration);
    let configuration =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    say(format_args!("\n{}\n{subject}, with {} as the article prints it", act.title, act.configuration));
    let mut stage = Stage::set(subject, &configuration)?;
    let steps = act.steps.iter().filter(|step| subject == Subject::Stickfast || !step.needs_xdp);
    let mut verdicts = Vec::new();
    for step in steps {
        let outcome = (step.play)(&mut stage);
        let mark = if outcome.is_ok() { '✓' } else { '✗' };
        say(format_args!("{:6.1} s  {mark} {}", begun.elapsed().as_secs_f64(), step.title));
        let seen = outcome.as_ref().map_or_else(|error| format!("{error:#}"), Clone::clone);
        seen.lines().for_each(|line| say(format_args!("            {line}")));
        verdicts.push(outcome.is_ok());
    }
    Ok(verdicts)
}
