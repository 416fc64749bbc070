//! The lines that say what happened: HAProxy's own where it has one, and ours with the reason.
//!
//! HAProxy counts sessions and queued requests in its lines. There are no queues here and connections are
//! the data path's matter, so these numbers are 0; scripts that match the lines still find them.

use std::{
    fmt::{self, Display, Formatter},
    net::IpAddr,
};

use super::{
    policy::{Eligible, Role},
    types::{Action, AdminState, CheckReport, Severity, Why},
};

/// A server as HAProxy's lines begin.
pub(super) struct Named<'a> {
    pub(super) backend: &'a str,
    pub(super) server: &'a str,
    pub(super) role: Role,
}

impl Display for Named<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = match self.role {
            Role::Primary => "Server",
            Role::Backup => "Backup Server",
        };
        write!(f, "{kind} {}/{}", self.backend, self.server)
    }
}

/// `… is DOWN, reason: …` and `… is UP, reason: …`; `left` is counted after the change.
pub(super) fn health_changed(server: &Named<'_>, up: bool, report: &CheckReport, left: Eligible) -> Action {
    let state = if up { "UP" } else { "DOWN" };
    warning(format!("{server} is {state}, {}. {}", Reason(report), Remaining { eligible: left, up }))
}

/// The operator's state of a server has changed; `up` is its observed health after the change.
pub(super) fn admin_changed(
    server: &Named<'_>,
    from: AdminState,
    to: AdminState,
    up: bool,
    left: Eligible,
) -> Action {
    use AdminState::{Drain, Maint, Ready};
    let state = if up { "UP" } else { "DOWN" };
    warning(match (from, to) {
        (Ready | Drain, Maint) if up => {
            let remaining = Remaining { eligible: left, up: false };
            format!("{server} is going DOWN for maintenance. {remaining}")
        }
        (_, Maint) => format!("{server} was DOWN and now enters maintenance."),
        (Maint, Ready) => format!("{server} is {state}/READY (leaving forced maintenance)."),
        (Maint, Drain) => format!("{server} is {state}/DRAIN (leaving forced maintenance)."),
        (_, Drain) => format!("{server} enters drain state. {}", Remaining { eligible: left, up }),
        (_, Ready) => format!("{server} is {state} (leaving forced drain)."),
    })
}

pub(super) fn no_server_available(backend: &str) -> Action {
    Action::Log { severity: Severity::Alert, text: format!("backend '{backend}' has no server available!") }
}

/// A backend's choice: all its traffic, or with a stick table what no entry holds elsewhere.
pub(super) struct Choice<'a> {
    pub(super) backend: &'a str,
    pub(super) has_table: bool,
    pub(super) before: Option<&'a str>,
    pub(super) after: Option<&'a str>,
}

pub(super) fn elected(choice: &Choice<'_>, why: Why) -> Action {
    let Choice { backend, has_table, before, after } = *choice;
    let traffic = if has_table { "traffic without a stick entry" } else { "traffic" };
    notice(match (before, after) {
        (Some(before), Some(after)) => {
            format!("Backend {backend}: {traffic} moves from {before} to {after} ({why}).")
        }
        (None, Some(after)) => format!("Backend {backend}: {traffic} goes to {after} ({why})."),
        (_, None) => format!("Backend {backend}: no server for {traffic} ({why})."),
    })
}

/// A stick entry, for the lines about it.
#[derive(Clone, Copy)]
pub(super) struct Stuck<'a> {
    pub(super) backend: &'a str,
    pub(super) key: IpAddr,
}

impl Stuck<'_> {
    pub(super) fn names(self, before: Option<&str>, after: Option<&str>, why: Why) -> Action {
        notice(match (before, after) {
            (Some(before), Some(after)) if before == after => format!("{self} stays on {after} ({why})."),
            (Some(before), Some(after)) => format!("{self} moves from {before} to {after} ({why})."),
            (None, Some(after)) => format!("{self} goes to {after} ({why})."),
            (_, None) => format!("{self} waits for a server ({why})."),
        })
    }

    /// The entry's server is unusable and so is every other.
    pub(super) fn keeps(self, server: &str, why: Why) -> Action {
        notice(format!("{self} keeps {server}, no server is eligible ({why})."))
    }

    /// The operator named a server that cannot serve.
    pub(super) fn set_to_unusable(self, server: &str) -> Action {
        notice(format!("{self} is set to {server}, which is not usable."))
    }

    pub(super) fn cleared(self) -> Action {
        notice(format!("{self} is cleared."))
    }

    pub(super) fn purged(self) -> Action {
        notice(format!("{self} is purged, the table is full."))
    }
}

impl Display for Stuck<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Stick table {}: {}", self.backend, self.key)
    }
}

struct Reason<'a>(&'a CheckReport);

impl Display for Reason<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let CheckReport { status, code, info, duration } = self.0;
        write!(f, "reason: {}", status.description())?;
        if let Some(code) = code {
            write!(f, ", code: {code}")?;
        }
        if let Some(info) = info {
            write!(f, ", info: \"{info}\"")?;
        }
        write!(f, ", check duration: {}ms", duration.as_millis())
    }
}

/// What a backend has left after one of its servers went up or down.
struct Remaining {
    eligible: Eligible,
    up: bool,
}

impl Display for Remaining {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Eligible { active, backup } = self.eligible;
        let state = if self.up { "online" } else { "left" };
        write!(f, "{active} active and {backup} backup servers {state}.")?;
        if active == 0 && backup > 0 {
            write!(f, " Running on backup.")?;
        }
        if self.up {
            write!(f, " 0 sessions requeued, 0 total in queue.")
        } else {
            write!(f, " 0 sessions active, 0 requeued, 0 remaining in queue.")
        }
    }
}

fn warning(text: String) -> Action {
    Action::Log { severity: Severity::Warning, text }
}

fn notice(text: String) -> Action {
    Action::Log { severity: Severity::Notice, text }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{super::types::CheckStatus, *};

    const S1: Named<'_> = Named { backend: "bk_app", server: "s1", role: Role::Primary };
    const S2: Named<'_> = Named { backend: "bk_app", server: "s2", role: Role::Backup };

    fn left(active: usize, backup: usize) -> Eligible {
        Eligible { active, backup }
    }

    fn report(status: CheckStatus, code: Option<u16>, info: Option<&str>, millis: u64) -> CheckReport {
        CheckReport { status, code, info: info.map(str::to_owned), duration: Duration::from_millis(millis) }
    }

    #[track_caller]
    fn says(action: &Action, severity: Severity, text: &str) {
        assert_eq!(action, &Action::Log { severity, text: text.to_owned() });
    }

    /// The expected lines were printed by HAProxy 2.6.12, those of L7 checks without the agent's code.
    #[test]
    fn health_lines_are_haproxys() {
        use CheckStatus::{L4Connection, L4Ok, L4Timeout, L7Ok, L7Status};
        let refused = report(L4Connection, None, Some("Connection refused"), 0);
        let passed = report(L4Ok, None, None, 0);
        let slow = report(L4Timeout, None, None, 2000);
        let cases = [
            (
                health_changed(&S1, false, &refused, left(0, 1)),
                "Server bk_app/s1 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check duration: 0ms. 0 active and 1 backup servers left. Running on backup. 0 sessions active, 0 requeued, 0 remaining in queue.",
            ),
            (
                health_changed(&S2, false, &refused, left(1, 0)),
                "Backup Server bk_app/s2 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check duration: 0ms. 1 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
            ),
            (
                health_changed(&S1, false, &slow, left(0, 0)),
                "Server bk_app/s1 is DOWN, reason: Layer4 timeout, check duration: 2000ms. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
            ),
            (
                health_changed(&S1, true, &passed, left(1, 1)),
                "Server bk_app/s1 is UP, reason: Layer4 check passed, check duration: 0ms. 1 active and 1 backup servers online. 0 sessions requeued, 0 total in queue.",
            ),
            (
                health_changed(&S1, true, &report(L7Ok, Some(200), None, 3), left(0, 1)),
                "Server bk_app/s1 is UP, reason: Layer7 check passed, code: 200, check duration: 3ms. 0 active and 1 backup servers online. Running on backup. 0 sessions requeued, 0 total in queue.",
            ),
            (
                health_changed(&S1, false, &report(L7Status, Some(500), Some("Oops"), 1), left(0, 1)),
                "Server bk_app/s1 is DOWN, reason: Layer7 wrong status, code: 500, info: \"Oops\", check duration: 1ms. 0 active and 1 backup servers left. Running on backup. 0 sessions active, 0 requeued, 0 remaining in queue.",
            ),
        ];
        for (action, text) in cases {
            says(&action, Severity::Warning, text);
        }
    }

    #[test]
    fn operator_lines_are_haproxys() {
        use AdminState::{Drain, Maint, Ready};
        let cases = [
            (
                admin_changed(&S1, Ready, Maint, true, left(0, 1)),
                "Server bk_app/s1 is going DOWN for maintenance. 0 active and 1 backup servers left. Running on backup. 0 sessions active, 0 requeued, 0 remaining in queue.",
            ),
            (
                admin_changed(&S2, Drain, Maint, true, left(0, 0)),
                "Backup Server bk_app/s2 is going DOWN for maintenance. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
            ),
            (
                admin_changed(&S1, Ready, Maint, false, left(0, 1)),
                "Server bk_app/s1 was DOWN and now enters maintenance.",
            ),
            (
                admin_changed(&S1, Maint, Ready, true, left(1, 1)),
                "Server bk_app/s1 is UP/READY (leaving forced maintenance).",
            ),
            (
                admin_changed(&S1, Maint, Drain, true, left(0, 1)),
                "Server bk_app/s1 is UP/DRAIN (leaving forced maintenance).",
            ),
            (
                admin_changed(&S2, Ready, Drain, true, left(1, 0)),
                "Backup Server bk_app/s2 enters drain state. 1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.",
            ),
            (
                admin_changed(&S1, Ready, Drain, true, left(0, 1)),
                "Server bk_app/s1 enters drain state. 0 active and 1 backup servers online. Running on backup. 0 sessions requeued, 0 total in queue.",
            ),
            (
                admin_changed(&S2, Drain, Ready, true, left(1, 1)),
                "Backup Server bk_app/s2 is UP (leaving forced drain).",
            ),
            (
                admin_changed(&S2, Drain, Ready, false, left(1, 0)),
                "Backup Server bk_app/s2 is DOWN (leaving forced drain).",
            ),
        ];
        for (action, text) in cases {
            says(&action, Severity::Warning, text);
        }
        says(&no_server_available("bk_app"), Severity::Alert, "backend 'bk_app' has no server available!");
    }

    #[test]
    fn our_lines_name_the_reason() {
        let stuck = Stuck { backend: "bk_app", key: "10.0.0.100".parse().unwrap() };
        let choice = |has_table, before, after| Choice { backend: "bk_app", has_table, before, after };
        let cases = [
            (
                stuck.names(Some("s1"), Some("s2"), Why::HealthDown),
                "Stick table bk_app: 10.0.0.100 moves from s1 to s2 (health down).",
            ),
            (
                stuck.names(None, Some("s1"), Why::FirstElection),
                "Stick table bk_app: 10.0.0.100 goes to s1 (first election).",
            ),
            (
                stuck.names(Some("s1"), Some("s1"), Why::TableCommand),
                "Stick table bk_app: 10.0.0.100 stays on s1 (table command).",
            ),
            (
                stuck.names(None, None, Why::FirstElection),
                "Stick table bk_app: 10.0.0.100 waits for a server (first election).",
            ),
            (
                stuck.keeps("s2", Why::HealthDown),
                "Stick table bk_app: 10.0.0.100 keeps s2, no server is eligible (health down).",
            ),
            (
                elected(&choice(true, Some("s2"), Some("s1")), Why::HealthUp),
                "Backend bk_app: traffic without a stick entry moves from s2 to s1 (health up).",
            ),
            (
                elected(&choice(false, None, Some("s1")), Why::Operator),
                "Backend bk_app: traffic goes to s1 (operator).",
            ),
            (
                elected(&choice(false, Some("s1"), None), Why::HealthDown),
                "Backend bk_app: no server for traffic (health down).",
            ),
        ];
        for (action, text) in cases {
            says(&action, Severity::Notice, text);
        }
    }
}
