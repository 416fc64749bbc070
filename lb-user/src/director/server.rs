//! What is known about one server.

use std::time::Duration;

use super::{
    health::{Health, Intervals, Thresholds},
    policy::{Facts, Role},
    schedule::{Schedule, longest_check},
    types::{AdminState, CheckReport},
};
use crate::{clock::Moment, config::model};

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) name: String,
    role: Role,
    weight: u32,
    shutdown_sessions_on_down: bool,
    admin: AdminState,
    /// `None`: the server line has no `check`.
    checks: Option<Checks>,
    /// The last [`Action::Serve`](super::types::Action::Serve), as long as there was one.
    pub(super) announced_usable: Option<bool>,
    /// When health or the operator's state last changed.
    last_change: Moment,
}

#[derive(Clone, Debug)]
struct Checks {
    thresholds: Thresholds,
    intervals: Intervals,
    longest: Duration,
    health: Health,
    schedule: Schedule,
    last_report: Option<CheckReport>,
}

/// What a check's report did to the health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Observed {
    /// Nobody had asked, or it was about the time before a maintenance.
    Nothing,
    NoChange,
    CameUp,
    WentDown,
}

impl Server {
    pub(super) fn new(backend: &model::Backend, server: &model::Server, now: Moment) -> Self {
        let schedule = if server.disabled { Schedule::paused() } else { Schedule::starting_at(now) };
        let checks = server.check.as_ref().map(|check| {
            let thresholds = Thresholds::new(check.rise, check.fall);
            Checks {
                thresholds,
                intervals: Intervals::new(check),
                longest: longest_check(backend, check),
                health: Health::presumed_up(thresholds),
                schedule,
                last_report: None,
            }
        });
        Self {
            name: server.name.clone(),
            role: if server.backup { Role::Backup } else { Role::Primary },
            weight: server.weight,
            shutdown_sessions_on_down: server.shutdown_sessions_on_down,
            admin: if server.disabled { AdminState::Maint } else { AdminState::Ready },
            checks,
            announced_usable: None,
            last_change: now,
        }
    }

    pub(super) fn facts(&self) -> Facts {
        Facts { up: self.is_up(), admin: self.admin, role: self.role, weight: self.weight }
    }

    pub(super) fn is_up(&self) -> bool {
        self.checks.as_ref().is_none_or(|checks| checks.health.is_up(checks.thresholds))
    }

    /// Whether becoming unusable now ends its connections: always when the checks say that it is dead;
    /// after the operator's word only with `on-marked-down shutdown-sessions`.
    pub(super) fn cuts_connections(&self) -> bool {
        !self.is_up() || self.shutdown_sessions_on_down
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    pub(super) fn admin(&self) -> AdminState {
        self.admin
    }

    pub(super) fn last_change(&self) -> Moment {
        self.last_change
    }

    pub(super) fn last_report(&self) -> Option<&CheckReport> {
        self.checks.as_ref()?.last_report.as_ref()
    }

    /// HAProxy's counter; it shows 0 in maintenance, when nobody observes.
    pub(super) fn health_counter(&self) -> Option<u32> {
        let checks = self.checks.as_ref()?;
        Some(if self.admin == AdminState::Maint { 0 } else { checks.health.counter() })
    }

    pub(super) fn is_check_running(&self) -> bool {
        self.checks.as_ref().is_some_and(|checks| checks.schedule.is_running())
    }

    /// How long a first result may be waited for, while there is none and one is to come.
    pub(super) fn first_result_takes(&self) -> Option<Duration> {
        let checks = self.checks.as_ref()?;
        let awaited = checks.last_report.is_none() && self.admin != AdminState::Maint;
        awaited.then_some(checks.longest)
    }

    pub(super) fn check_due(&self) -> Option<Moment> {
        self.checks.as_ref()?.schedule.due()
    }

    /// Whether a check is to be started now; it then counts as running.
    pub(super) fn start_check(&mut self, now: Moment) -> bool {
        self.checks.as_mut().is_some_and(|checks| checks.schedule.start(now))
    }

    pub(super) fn observe(&mut self, now: Moment, report: CheckReport) -> Observed {
        let Some(checks) = &mut self.checks else { return Observed::Nothing };
        let Some(started) = checks.schedule.finish() else { return Observed::Nothing };
        let was_up = checks.health.is_up(checks.thresholds);
        checks.health = checks.health.observe(checks.thresholds, report.status.passed());
        let is_up = checks.health.is_up(checks.thresholds);
        checks.schedule.follow(started, checks.intervals.following(checks.health, checks.thresholds));
        checks.last_report = Some(report);
        if was_up != is_up {
            self.last_change = now;
        }
        match (was_up, is_up) {
            (false, true) => Observed::CameUp,
            (true, false) => Observed::WentDown,
            (true, true) | (false, false) => Observed::NoChange,
        }
    }

    /// The operator's word. Leaving maintenance means up at once, as HAProxy does it.
    pub(super) fn set_admin(&mut self, now: Moment, admin: AdminState) {
        let (before, maint) = (self.admin, AdminState::Maint);
        if before == admin {
            return;
        }
        self.admin = admin;
        self.last_change = now;
        let Some(checks) = &mut self.checks else { return };
        if admin == maint {
            checks.schedule.pause();
        } else if before == maint {
            checks.health = Health::presumed_up(checks.thresholds);
            checks.schedule.resume(now);
        }
    }
}
