//! When one server is checked: at once, then at an interval from start to start, never twice at a time.

use std::time::Duration;

use crate::{
    clock::Moment,
    config::model::{Backend, Check, CheckMethod},
};

/// The checks of one server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// When the next one is wanted; `None` in maintenance, and while only the running one can tell.
    due: Option<Moment>,
    running: Option<Running>,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    since: Moment,
    /// Started before a maintenance: what it reports is about another time.
    void: bool,
}

impl Schedule {
    pub(super) fn starting_at(due: Moment) -> Self {
        Self { due: Some(due), running: None }
    }

    /// Nothing until [`Self::resume`].
    pub(super) fn paused() -> Self {
        Self { due: None, running: None }
    }

    /// When [`Self::start`] will next say yes.
    pub(super) fn due(&self) -> Option<Moment> {
        if self.running.is_some() { None } else { self.due }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether to start a check now; a yes makes it the running one.
    pub(super) fn start(&mut self, now: Moment) -> bool {
        let starts = self.due().is_some_and(|due| due <= now);
        if starts {
            self.due = None;
            self.running = Some(Running { since: now, void: false });
        }
        starts
    }

    /// The running check has reported: when it was started, or `None` if its report says nothing.
    pub(super) fn finish(&mut self) -> Option<Moment> {
        self.running.take().filter(|running| !running.void).map(|running| running.since)
    }

    /// Wants the next check an interval after the start of the last.
    pub(super) fn follow(&mut self, started: Moment, interval: Duration) {
        self.due = Some(started.after(interval));
    }

    /// No checks from here on; the running one no longer counts.
    pub(super) fn pause(&mut self) {
        self.due = None;
        if let Some(running) = &mut self.running {
            running.void = true;
        }
    }

    /// Checks again, at once or as soon as the running one has gone.
    pub(super) fn resume(&mut self, now: Moment) {
        self.due = Some(now);
    }
}

/// How long one check may take (HAProxy configuration manual, `timeout check`): connecting is bounded by
/// the shorter of `timeout connect` and `inter`; with `timeout check` an answer gets that much more,
/// without it the whole check ends after `inter`.
pub(super) fn longest_check(backend: &Backend, check: &Check) -> Duration {
    let connect = backend.timeouts.connect.map_or(check.inter, |connect| connect.min(check.inter));
    match (&backend.check, backend.timeouts.check) {
        (CheckMethod::Tcp, _) => connect,
        (CheckMethod::Http(_), None) => check.inter,
        (CheckMethod::Http(_), Some(answer)) => connect.saturating_add(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::config, *};
    use crate::config::model::{HttpCheck, HttpVersion, Timeouts};

    fn at(millis: u64) -> Moment {
        Moment(Duration::from_millis(millis))
    }

    #[test]
    fn an_interval_counts_from_the_start_of_the_last_check() {
        let mut schedule = Schedule::starting_at(at(0));
        assert!(schedule.start(at(10)));
        let started = schedule.finish().unwrap();
        schedule.follow(started, Duration::from_millis(100));
        assert_eq!(schedule.due(), Some(at(110)));
        assert!(!schedule.start(at(109)));
        assert!(schedule.start(at(110)));
    }

    #[test]
    fn a_second_check_waits_for_the_first() {
        let mut schedule = Schedule::starting_at(at(0));
        assert!(schedule.start(at(0)));
        assert_eq!(schedule.due(), None);
        assert!(!schedule.start(at(10_000)));
    }

    #[test]
    fn a_report_from_before_a_pause_says_nothing() {
        let mut schedule = Schedule::starting_at(at(0));
        assert!(schedule.start(at(0)));
        schedule.pause();
        schedule.resume(at(5));
        assert!(!schedule.start(at(5)), "the void check is still under way");
        assert_eq!(schedule.finish(), None);
        assert!(schedule.start(at(6)));
        assert_eq!(schedule.finish(), Some(at(6)));
    }

    #[test]
    fn the_longest_check_follows_the_timeouts() {
        let millis = Duration::from_millis;
        let http = CheckMethod::Http(HttpCheck {
            method: "OPTIONS".to_owned(),
            uri: "/".to_owned(),
            version: HttpVersion::Http10,
            headers: Vec::new(),
        });
        let cases = [
            (CheckMethod::Tcp, None, None, 2_000),
            (CheckMethod::Tcp, Some(500), None, 500),
            (CheckMethod::Tcp, Some(4_000), Some(50), 2_000),
            (http.clone(), Some(500), None, 2_000),
            (http.clone(), Some(500), Some(300), 800),
            (http, None, Some(300), 2_300),
        ];
        for (method, connect, answer, expected) in cases {
            let mut backend = config::with_stick().backends.remove(0);
            backend.timeouts =
                Timeouts { connect: connect.map(millis), check: answer.map(millis), ..Timeouts::default() };
            backend.check = method;
            let check = Check { inter: millis(2_000), ..backend.servers[0].check.clone().unwrap() };
            assert_eq!(
                longest_check(&backend, &check),
                millis(expected),
                "{:?} {connect:?} {answer:?}",
                backend.check
            );
        }
    }
}
