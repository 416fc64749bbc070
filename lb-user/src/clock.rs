//! The one place that reads a clock. Everything else takes a [`Moment`] as an argument.

use std::time::{Duration, Instant};

/// A point in monotonic time, counted from the daemon's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Duration);

impl Moment {
    /// This moment moved by `later`.
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Source of [`Moment`]s; made once, at the daemon's start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts counting now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        Moment(self.start.elapsed())
    }

    /// `moment` on the scale that tokio's timers use.
    pub fn instant(&self, moment: Moment) -> Instant {
        self.start + moment.0
    }
}
