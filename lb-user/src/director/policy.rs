//! Who is eligible, who may keep the traffic that is stuck to it, and who is chosen.
//!
//! Three facts are known about a server and never merged: what its checks observe, what the operator
//! wants, and the role it was configured with. Everything here is computed from them.

use super::types::AdminState;

/// Configured place of a server; a backup serves new traffic only when no primary can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Primary,
    Backup,
}

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Observed health; a server without checks is always up.
    pub(super) up: bool,
    pub(super) admin: AdminState,
    pub(super) role: Role,
    /// The configured `weight`.
    pub(super) weight: u32,
}

impl Facts {
    /// May keep the traffic that is stuck to it: drained servers and those of weight 0 may.
    pub(super) fn is_usable(&self) -> bool {
        self.up && self.admin != AdminState::Maint
    }

    /// May be chosen for new traffic.
    pub(super) fn is_eligible(&self) -> bool {
        self.up && self.admin == AdminState::Ready && self.weight > 0
    }
}

/// The server for new traffic, in HAProxy's order: the first eligible primary, else the first eligible
/// backup.
pub(super) fn choose(servers: impl Iterator<Item = Facts> + Clone) -> Option<usize> {
    let first = |role| servers.clone().position(|server| server.role == role && server.is_eligible());
    first(Role::Primary).or_else(|| first(Role::Backup))
}

/// Servers that may be chosen for new traffic; HAProxy's `act` and `bck` of a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Eligible {
    pub active: usize,
    pub backup: usize,
}

impl Eligible {
    pub(super) fn count(servers: impl Iterator<Item = Facts> + Clone) -> Self {
        let of = |role| servers.clone().filter(|server| server.role == role && server.is_eligible()).count();
        Self { active: of(Role::Primary), backup: of(Role::Backup) }
    }

    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: Facts = Facts { up: true, admin: AdminState::Ready, role: Role::Primary, weight: 1 };
    const BACKUP: Facts = Facts { role: Role::Backup, ..PRIMARY };
    const DOWN: Facts = Facts { up: false, ..PRIMARY };
    const DRAIN: Facts = Facts { admin: AdminState::Drain, ..PRIMARY };
    const MAINT: Facts = Facts { admin: AdminState::Maint, ..PRIMARY };
    const WEIGHTLESS: Facts = Facts { weight: 0, ..PRIMARY };

    #[test]
    fn the_first_eligible_primary_goes_before_every_backup() {
        let cases: [(&[Facts], Option<usize>); 9] = [
            (&[], None),
            (&[PRIMARY, BACKUP], Some(0)),
            (&[BACKUP, PRIMARY], Some(1)),
            (&[PRIMARY, PRIMARY], Some(0)),
            (&[DOWN, PRIMARY, BACKUP], Some(1)),
            (&[DOWN, BACKUP, BACKUP], Some(1)),
            (&[DRAIN, WEIGHTLESS, BACKUP], Some(2)),
            (&[MAINT, BACKUP], Some(1)),
            (&[DOWN, DRAIN, MAINT, WEIGHTLESS], None),
        ];
        for (servers, expected) in cases {
            assert_eq!(choose(servers.iter().copied()), expected, "{servers:?}");
        }
    }

    #[test]
    fn drain_and_weight_zero_keep_what_is_stuck_and_get_nothing_new() {
        for (facts, usable, eligible) in [
            (PRIMARY, true, true),
            (BACKUP, true, true),
            (DRAIN, true, false),
            (WEIGHTLESS, true, false),
            (MAINT, false, false),
            (DOWN, false, false),
            (Facts { up: false, ..DRAIN }, false, false),
        ] {
            assert_eq!((facts.is_usable(), facts.is_eligible()), (usable, eligible), "{facts:?}");
        }
    }

    #[test]
    fn only_eligible_servers_are_counted() {
        let servers = [PRIMARY, DRAIN, DOWN, WEIGHTLESS, BACKUP, BACKUP];
        assert_eq!(Eligible::count(servers.iter().copied()), Eligible { active: 1, backup: 2 });
    }
}
