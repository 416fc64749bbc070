//! Time as the XDP program counts it.

use std::{io, time::Duration};

use nix::time::{ClockId, clock_getres};

/// Length of a jiffy: the program's clock is the kernel's tick, which costs it nothing to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickRate {
    tick: Duration,
}

impl TickRate {
    /// Of the running kernel. The coarse clocks advance with the tick, so their resolution is its length
    /// (clock_getres(2); `KTIME_LOW_RES` in the kernel's `include/linux/hrtimer_defs.h`).
    ///
    /// # Errors
    /// The kernel has no coarse clock.
    pub fn of_this_kernel() -> io::Result<Self> {
        let resolution = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE)?;
        let tick = Duration::from(resolution);
        if tick.is_zero() {
            return Err(io::Error::other("the kernel's tick has no length"));
        }
        Ok(Self { tick })
    }

    /// `time` in jiffies: at least one, and few enough that differences of 32 bits stay unambiguous.
    pub fn jiffies(self, time: Duration) -> u32 {
        let jiffies = time.as_nanos() / self.tick.as_nanos().max(1);
        u32::try_from(jiffies).unwrap_or(u32::MAX).clamp(1, u32::MAX / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_ticks_at_a_rate_that_linux_can_be_built_with() {
        let rate = TickRate::of_this_kernel().unwrap();
        let hertz = (1e9 / rate.tick.as_nanos() as f64).round();
        assert!([100.0, 250.0, 300.0, 1000.0].contains(&hertz), "{hertz} Hz");
    }

    #[test]
    fn a_timeout_is_at_least_one_jiffy_and_never_ambiguous() {
        let rate = TickRate { tick: Duration::from_millis(4) };
        assert_eq!(rate.jiffies(Duration::ZERO), 1);
        assert_eq!(rate.jiffies(Duration::from_secs(20)), 5000);
        assert_eq!(rate.jiffies(Duration::MAX), u32::MAX / 4);
    }
}
