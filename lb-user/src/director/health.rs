//! What the checks say about one server: HAProxy's rise and fall counter, and how long to the next check.

use std::time::Duration;

use crate::config::model::Check;

/// `rise` and `fall` (HAProxy configuration manual, section 5.2); both at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    rise: u32,
    fall: u32,
}

impl Thresholds {
    /// Zero counts as one: a threshold that is always passed would flip at every check.
    pub fn new(rise: u32, fall: u32) -> Self {
        Self { rise: rise.max(1), fall: fall.max(1) }
    }

    /// The counter of a server with nothing against it.
    fn full(self) -> u32 {
        self.rise.saturating_add(self.fall - 1)
    }
}

/// Observed health as one counter in `0..rise + fall`: the server is up from `rise` on.
///
/// It is the `srv_check_health` of HAProxy's `show servers state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health(u32);

impl Health {
    /// Up, but one failed check away from down: so a server starts and so it leaves maintenance.
    pub fn presumed_up(thresholds: Thresholds) -> Self {
        Self(thresholds.rise)
    }

    /// The health after one more check. One pass while up restores full health, one failure while
    /// rising starts over.
    pub fn observe(self, thresholds: Thresholds, passed: bool) -> Self {
        let Thresholds { rise, .. } = thresholds;
        match (passed, self.0) {
            (true, counter) if counter.saturating_add(1) >= rise => Self(thresholds.full()),
            (true, counter) => Self(counter + 1),
            (false, counter) if counter > rise => Self(counter - 1),
            (false, _) => Self(0),
        }
    }

    pub fn is_up(self, thresholds: Thresholds) -> bool {
        self.0 >= thresholds.rise
    }

    pub fn counter(self) -> u32 {
        self.0
    }
}

/// Time from the start of one check to the start of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals {
    steady: Duration,
    transition: Duration,
    down: Duration,
}

/// Keeps a configuration that asks for no pause at all from checking in a busy loop.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

impl Intervals {
    /// `inter`, `fastinter` and `downinter`.
    pub fn new(check: &Check) -> Self {
        let steady = check.inter.max(SHORTEST_INTERVAL);
        let or_steady = |interval: Option<Duration>| interval.unwrap_or(steady).max(SHORTEST_INTERVAL);
        Self { steady, transition: or_steady(check.fast_inter), down: or_steady(check.down_inter) }
    }

    /// The interval that follows a check which left the server in this health.
    pub fn following(self, health: Health, thresholds: Thresholds) -> Duration {
        match health.0 {
            0 => self.down,
            counter if counter >= thresholds.full() => self.steady,
            _ => self.transition,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HAProxy's behaviour told without its counter: consecutive results since the last flip.
    struct Naive {
        up: bool,
        against: u32,
        unchecked: bool,
    }

    impl Naive {
        fn observe(&mut self, rise: u32, fall: u32, passed: bool) {
            let needed = match (self.up, self.unchecked) {
                (true, true) => 1,
                (true, false) => fall,
                (false, _) => rise,
            };
            self.unchecked = false;
            self.against = if passed == self.up { 0 } else { self.against + 1 };
            if self.against >= needed {
                self.up = !self.up;
                self.against = 0;
            }
        }
    }

    #[test]
    fn the_counter_agrees_with_counting_consecutive_results() {
        const LENGTH: u32 = 11;
        for (rise, fall) in (1..=4).flat_map(|rise| (1..=4).map(move |fall| (rise, fall))) {
            let thresholds = Thresholds::new(rise, fall);
            for sequence in 0..1_u32 << LENGTH {
                let mut health = Health::presumed_up(thresholds);
                let mut naive = Naive { up: true, against: 0, unchecked: true };
                for step in 0..LENGTH {
                    let passed = sequence >> step & 1 == 1;
                    health = health.observe(thresholds, passed);
                    naive.observe(rise, fall, passed);
                    let context = format!("rise {rise} fall {fall} results {sequence:011b} step {step}");
                    assert_eq!(health.is_up(thresholds), naive.up, "{context}");
                    // The distance to the flip is what HAProxy shows as `UP n/F` and `DOWN n/R`.
                    let shown = if naive.up { rise + fall - 1 - naive.against } else { naive.against };
                    assert_eq!(health.counter(), shown, "{context}");
                }
            }
        }
    }

    #[test]
    fn a_server_starts_up_and_one_failed_check_takes_it_down() {
        let thresholds = Thresholds::new(2, 3);
        let health = Health::presumed_up(thresholds);
        assert!(health.is_up(thresholds));
        assert_eq!(health.observe(thresholds, false), Health(0));
    }

    #[test]
    fn one_pass_in_a_fall_restores_full_health() {
        let thresholds = Thresholds::new(2, 3);
        let results = [true, false, false, true];
        let health = results
            .iter()
            .fold(Health::presumed_up(thresholds), |health, passed| health.observe(thresholds, *passed));
        assert_eq!(health, Health(4));
    }

    #[test]
    fn one_failure_during_rise_starts_over() {
        let thresholds = Thresholds::new(3, 1);
        let results = [false, true, true, false];
        let health = results
            .iter()
            .fold(Health::presumed_up(thresholds), |health, passed| health.observe(thresholds, *passed));
        assert_eq!(health, Health(0));
    }

    #[test]
    fn thresholds_of_zero_count_as_one() {
        assert_eq!(Thresholds::new(0, 0), Thresholds::new(1, 1));
    }

    #[test]
    fn the_interval_follows_the_health() {
        let check = Check {
            target: "10.0.0.1:80".parse().unwrap(),
            inter: Duration::from_secs(2),
            fast_inter: Some(Duration::from_millis(100)),
            down_inter: Some(Duration::from_secs(5)),
            rise: 2,
            fall: 3,
        };
        let thresholds = Thresholds::new(check.rise, check.fall);
        let intervals = Intervals::new(&check);
        for (counter, expected) in [(0, 5_000), (1, 100), (2, 100), (3, 100), (4, 2_000)] {
            assert_eq!(
                intervals.following(Health(counter), thresholds),
                Duration::from_millis(expected),
                "counter {counter}"
            );
        }
        let plain = Intervals::new(&Check { fast_inter: None, down_inter: None, ..check });
        for counter in 0..=4 {
            assert_eq!(
                plain.following(Health(counter), thresholds),
                Duration::from_secs(2),
                "counter {counter}"
            );
        }
    }
}
