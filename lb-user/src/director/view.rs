//! What the Runtime API and the metrics may know about the director's state.

use std::net::IpAddr;

use super::{
    Director,
    policy::{Eligible, Role},
    server::Server,
    table::SetEntryError,
    types::{AdminState, CheckReport, EntryRef, ServerRef},
};
use crate::clock::Moment;

/// One server now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerView<'a> {
    /// HAProxy's health counter in `0..rise + fall` (0 in maintenance); `None` without `check`.
    pub health: Option<u32>,
    /// Observed health alone; always true without `check`.
    pub up: bool,
    pub admin: AdminState,
    pub role: Role,
    /// When health or the operator's state last changed.
    pub last_change: Moment,
    pub last_report: Option<&'a CheckReport>,
    pub check_in_progress: bool,
    /// May keep traffic that is stuck to it.
    pub usable: bool,
    /// May be chosen for new traffic.
    pub eligible: bool,
}

/// One backend now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackendView {
    /// The server for traffic that no stick entry holds elsewhere.
    pub current: Option<usize>,
    /// The first election is over.
    pub elected: bool,
    pub eligible: Eligible,
    /// When it last got its first or lost its last eligible server.
    pub last_change: Moment,
}

/// One stick entry now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryView {
    pub key: IpAddr,
    /// May be an unusable one while no server is eligible.
    pub server: Option<usize>,
    /// Since when it names that server.
    pub since: Moment,
}

impl Director {
    /// `None` if there is no such server.
    pub fn server(&self, server: ServerRef) -> Option<ServerView<'_>> {
        let server = self.backends.get(server.backend)?.servers().get(server.server)?;
        Some(ServerView::of(server))
    }

    /// `None` if there is no such backend.
    pub fn backend(&self, backend: usize) -> Option<BackendView> {
        self.backends.get(backend).map(|backend| BackendView {
            current: backend.current(),
            elected: backend.is_elected(),
            eligible: backend.eligible(),
            last_change: backend.last_change(),
        })
    }

    /// The stick entries of a backend in key order; none if it has no table.
    pub fn entries(&self, backend: usize) -> impl Iterator<Item = EntryView> {
        let table = self.backends.get(backend).and_then(|backend| backend.table());
        table.into_iter().flat_map(|table| table.iter()).map(|(key, entry)| EntryView {
            key,
            server: entry.server,
            since: entry.since,
        })
    }

    /// Whether [`Event::SetEntry`](super::types::Event::SetEntry) would be carried out; if not, the
    /// event does nothing.
    pub fn may_set_entry(&self, entry: EntryRef, server: usize) -> Result<(), SetEntryError> {
        let EntryRef { backend, key } = entry;
        let state = self.backends.get(backend).ok_or(SetEntryError::NoTable { backend })?;
        state.may_set_entry(key, server)
    }
}

impl<'a> ServerView<'a> {
    fn of(server: &'a Server) -> Self {
        let facts = server.facts();
        Self {
            health: server.health_counter(),
            up: facts.up,
            admin: facts.admin,
            role: facts.role,
            last_change: server.last_change(),
            last_report: server.last_report(),
            check_in_progress: server.is_check_running(),
            usable: facts.is_usable(),
            eligible: facts.is_eligible(),
        }
    }
}
