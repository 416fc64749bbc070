//! How long each phase of a check may take.

use crate::config::model::Timeouts;
use std::time::Duration;

/// Time limits of one check, all counted from its start.
///
/// The rules are those of HAProxy 2.6 as measured, and agree with its configuration manual (`timeout
/// check`) except that the response phase never ends before the connect phase had to:
///
/// | `timeout check` | connected by | response complete by |
/// |---|---|---|
/// | not set | `inter` | `inter` |
/// | set | min(`timeout connect`, `inter`) | `timeout check` after the connection, and not before the limit to its left |
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    connect: Duration,
    /// Counted from when the connection stands.
    response: Duration,
}

impl Limits {
    pub(super) fn new(inter: Duration, timeouts: &Timeouts) -> Self {
        match timeouts.check {
            None => Self { connect: inter, response: Duration::ZERO },
            Some(response) => {
                let connect = timeouts.connect.map_or(inter, |connect| connect.min(inter));
                Self { connect, response }
            }
        }
    }

    /// When the connection must stand.
    pub(super) fn connect(&self) -> Duration {
        self.connect
    }

    /// When the response must be complete, given when the connection stood.
    pub(super) fn response(&self, connected: Duration) -> Duration {
        self.connect.max(connected.saturating_add(self.response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_measured_on_haproxy() {
        // timeout connect, timeout check, inter -> connect limit, response limit (0 = not set; ms)
        let measured = [
            (300, 100, 500, 300, 300),
            (100, 300, 500, 100, 300),
            (100, 700, 500, 100, 700),
            (200, 50, 1000, 200, 200),
            (0, 100, 500, 500, 500),
            (2000, 700, 500, 500, 700),
            (2000, 100, 500, 500, 500),
            (300, 0, 500, 500, 500),
            (100, 2000, 1500, 100, 2000),
        ];
        let set = |ms: u64| (ms > 0).then(|| Duration::from_millis(ms));
        for (connect, check, inter, connected_by, response_by) in measured {
            let timeouts = Timeouts { connect: set(connect), check: set(check), ..Timeouts::default() };
            let limits = Limits::new(Duration::from_millis(inter), &timeouts);
            let case = (connect, check, inter);
            assert_eq!(limits.connect().as_millis(), connected_by, "{case:?}");
            assert_eq!(limits.response(Duration::ZERO).as_millis(), response_by, "{case:?}");
        }
    }

    #[test]
    fn timeout_check_counts_from_the_connection() {
        let timeouts = Timeouts { check: Some(Duration::from_secs(5)), ..Timeouts::default() };
        let limits = Limits::new(Duration::from_secs(2), &timeouts);
        assert_eq!(limits.response(Duration::from_secs(1)), Duration::from_secs(6));
    }
}
