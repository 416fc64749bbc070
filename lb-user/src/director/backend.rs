//! One backend: its servers, its choice, its stick table, and the order in which changes are told.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use super::{
    log,
    policy::{self, Eligible},
    server::{Observed, Server},
    table::{SetEntryError, Table},
    types::{Action, AdminState, CheckReport, EntryRef, ServerRef, Why},
};
use crate::{
    clock::Moment,
    config::model::{self, Config},
};

/// Added to the longest check when the first election waits, so that a check which ends by its own
/// timeout still reports before the wait is over.
const REPORT_GRACE: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
pub(super) struct Backend {
    /// Its place in the configuration.
    index: usize,
    name: String,
    servers: Vec<Server>,
    table: Option<Table>,
    election: Election,
    /// What the last [`Action::Elect`] said.
    current: Option<usize>,
    /// When the backend last got or lost all its eligible servers.
    last_change: Moment,
}

/// How far the first election is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Election {
    /// Starts with the first timeout: what is adopted comes before.
    Pending {
        since: Moment,
    },
    /// For first results, at most until then.
    Waiting {
        until: Moment,
    },
    Over,
}

impl Backend {
    pub(super) fn new(config: &Config, index: usize, backend: &model::Backend, now: Moment) -> Self {
        Self {
            index,
            name: backend.name.clone(),
            servers: backend.servers.iter().map(|server| Server::new(backend, server, now)).collect(),
            table: Table::new(config, index, backend, now),
            election: Election::Pending { since: now },
            current: None,
            last_change: now,
        }
    }

    pub(super) fn servers(&self) -> &[Server] {
        &self.servers
    }

    pub(super) fn table(&self) -> Option<&Table> {
        self.table.as_ref()
    }

    pub(super) fn current(&self) -> Option<usize> {
        self.current
    }

    pub(super) fn is_elected(&self) -> bool {
        self.election == Election::Over
    }

    pub(super) fn eligible(&self) -> Eligible {
        Eligible::count(self.servers.iter().map(Server::facts))
    }

    pub(super) fn last_change(&self) -> Moment {
        self.last_change
    }

    pub(super) fn poll_timeout(&self) -> Option<Moment> {
        let election = match self.election {
            Election::Pending { since } => Some(since),
            Election::Waiting { until } => Some(until),
            Election::Over => None,
        };
        self.servers.iter().filter_map(Server::check_due).chain(election).min()
    }

    /// Starts the checks that are due and ends a wait that is over.
    pub(super) fn handle_timeout(&mut self, now: Moment, out: &mut VecDeque<Action>) {
        if matches!(self.election, Election::Pending { since } if since <= now) {
            let longest = self.servers.iter().filter_map(Server::first_result_takes).max();
            let until = longest.map_or(now, |longest| now.after(longest).after(REPORT_GRACE));
            self.election = Election::Waiting { until };
        }
        let backend = self.index;
        for (server, state) in self.servers.iter_mut().enumerate() {
            if state.start_check(now) {
                out.push_back(Action::Check { server: ServerRef { backend, server } });
            }
        }
        self.end_wait(now, out);
    }

    /// See [`Event::Adopted`](super::types::Event::Adopted).
    pub(super) fn adopt(&mut self, now: Moment, key: IpAddr, server: usize, out: &mut VecDeque<Action>) {
        if self.is_elected() || self.may_set_entry(key, server).is_err() {
            return;
        }
        let mut lines = self.make_entry(now, key, out);
        self.stick(now, key, Some(server), Why::Adopted, &mut lines, out);
        out.extend(lines);
        self.end_wait(now, out);
    }

    /// See [`Event::Checked`](super::types::Event::Checked).
    pub(super) fn checked(
        &mut self,
        now: Moment,
        server: usize,
        report: CheckReport,
        out: &mut VecDeque<Action>,
    ) {
        let before = self.eligible();
        let Some(state) = self.servers.get_mut(server) else { return };
        let (up, why) = match state.observe(now, report) {
            Observed::Nothing => return,
            Observed::NoChange => return self.end_wait(now, out),
            Observed::CameUp => (true, Why::HealthUp),
            Observed::WentDown => (false, Why::HealthDown),
        };
        let mut lines = Vec::new();
        if let Some(state) = self.servers.get(server)
            && let Some(report) = state.last_report()
        {
            lines.push(log::health_changed(&self.named(state), up, report, self.eligible()));
        }
        self.note_availability(now, before, &mut lines);
        self.settle(now, why, lines, out);
    }

    /// See [`Event::Operator`](super::types::Event::Operator).
    pub(super) fn operator(
        &mut self,
        now: Moment,
        server: usize,
        to: AdminState,
        out: &mut VecDeque<Action>,
    ) {
        let before = self.eligible();
        let Some(state) = self.servers.get_mut(server) else { return };
        let from = state.admin();
        if from == to {
            return;
        }
        state.set_admin(now, to);
        let mut lines = Vec::new();
        if let Some(state) = self.servers.get(server) {
            lines.push(log::admin_changed(&self.named(state), from, to, state.is_up(), self.eligible()));
        }
        self.note_availability(now, before, &mut lines);
        self.settle(now, Why::Operator, lines, out);
    }

    /// See [`Event::Restuck`](super::types::Event::Restuck).
    pub(super) fn restuck(&mut self, now: Moment, key: IpAddr, server: usize, out: &mut VecDeque<Action>) {
        let entry = self.table.as_ref().and_then(|table| table.get(key));
        let is_news = entry.is_some_and(|entry| entry.server != Some(server));
        if is_news && self.is_usable(server) {
            let mut lines = Vec::new();
            self.stick(now, key, Some(server), Why::DataPath, &mut lines, out);
            out.extend(lines);
        }
    }

    /// Whether [`Self::set_entry`] would do something.
    pub(super) fn may_set_entry(&self, key: IpAddr, server: usize) -> Result<(), SetEntryError> {
        let backend = self.index;
        let table = self.table.as_ref().ok_or(SetEntryError::NoTable { backend })?;
        self.servers.get(server).ok_or(SetEntryError::NoServer { backend, server })?;
        table.has_room_for(key)
    }

    /// See [`Event::SetEntry`](super::types::Event::SetEntry).
    pub(super) fn set_entry(&mut self, now: Moment, key: IpAddr, server: usize, out: &mut VecDeque<Action>) {
        if self.may_set_entry(key, server).is_err() {
            return;
        }
        let mut lines = self.make_entry(now, key, out);
        // Naming an unusable server and then moving away would show the data path a state that must
        // not be: it is told the outcome only. Nor does a slip of the operator take an address out of
        // service that a drained server still serves.
        let outcome = if self.is_usable(server) {
            server
        } else {
            lines.push(self.stuck(key).set_to_unusable(self.server_name(server)));
            let present = self.table.as_ref().and_then(|table| table.get(key)?.server);
            let serves_on = present.filter(|present| self.is_usable(*present));
            self.current.or(serves_on).unwrap_or(server)
        };
        self.stick(now, key, Some(outcome), Why::TableCommand, &mut lines, out);
        out.extend(lines);
    }

    /// See [`Event::ClearEntry`](super::types::Event::ClearEntry).
    pub(super) fn clear_entry(&mut self, now: Moment, key: IpAddr, out: &mut VecDeque<Action>) {
        let elected = self.is_elected();
        let Some(table) = &mut self.table else { return };
        let Some(entry) = table.get_mut(key) else { return };
        let served = entry.served;
        if !served {
            table.remove(key);
            out.push_back(Action::Stick { entry: self.entry(key), server: None, why: Why::TableCommand });
        } else if !elected {
            // What the data path holds goes on until the election.
            entry.server = None;
        }
        let mut lines = vec![self.stuck(key).cleared()];
        if served && elected {
            self.stick(now, key, self.current, Why::TableCommand, &mut lines, out);
        }
        out.extend(lines);
    }

    /// Holds the first election if nothing more is to be waited for.
    fn end_wait(&mut self, now: Moment, out: &mut VecDeque<Action>) {
        if !self.is_elected() {
            self.settle(now, Why::FirstElection, Vec::new(), out);
        }
    }

    /// Tells everything that the facts have changed, in the one order that is safe half-way: a server
    /// may serve before it is chosen, and another is chosen before it may no longer serve. That word is
    /// the commit; the stick entries only follow it. Until the first election is over nothing but
    /// `lines` is told.
    fn settle(&mut self, now: Moment, why: Why, mut lines: Vec<Action>, out: &mut VecDeque<Action>) {
        let first = !self.is_elected();
        if first {
            if !self.may_elect(now) {
                out.extend(lines);
                return;
            }
            self.election = Election::Over;
        }
        self.tell_usable(out);
        self.elect(first, why, &mut lines, out);
        let fallen = self.tell_unusable(out);
        self.stick_the_homeless(now, first, why, &fallen, &mut lines, out);
        out.extend(lines);
    }

    /// The first results are in, or were waited for long enough, or an adopted entry cannot wait.
    fn may_elect(&self, now: Moment) -> bool {
        let Election::Waiting { until } = self.election else { return false };
        now >= until
            || !self.servers.iter().any(|server| server.first_result_takes().is_some())
            || self.entries().any(|(_, server)| server.is_some_and(|server| !self.is_usable(server)))
    }

    fn tell_usable(&mut self, out: &mut VecDeque<Action>) {
        let backend = self.index;
        for (server, state) in self.servers.iter_mut().enumerate() {
            if state.facts().is_usable() && state.announced_usable != Some(true) {
                state.announced_usable = Some(true);
                let server = ServerRef { backend, server };
                out.push_back(Action::Serve { server, usable: true, cut: false });
            }
        }
    }

    fn elect(&mut self, first: bool, why: Why, lines: &mut Vec<Action>, out: &mut VecDeque<Action>) {
        let chosen = policy::choose(self.servers.iter().map(Server::facts));
        if chosen == self.current && !first {
            return;
        }
        let why = if first { Why::FirstElection } else { why };
        let name = |server: Option<usize>| server.map(|server| self.server_name(server));
        let choice = log::Choice {
            backend: &self.name,
            has_table: self.table.is_some(),
            before: name(self.current),
            after: name(chosen),
        };
        lines.push(log::elected(&choice, why));
        out.push_back(Action::Elect { backend: self.index, server: chosen, why });
        self.current = chosen;
    }

    /// Returns the servers that are unusable since now.
    fn tell_unusable(&mut self, out: &mut VecDeque<Action>) -> Vec<usize> {
        let backend = self.index;
        let mut fallen = Vec::new();
        for (server, state) in self.servers.iter_mut().enumerate() {
            if !state.facts().is_usable() && state.announced_usable != Some(false) {
                state.announced_usable = Some(false);
                fallen.push(server);
                let cut = state.cuts_connections();
                let server = ServerRef { backend, server };
                out.push_back(Action::Serve { server, usable: false, cut });
            }
        }
        fallen
    }

    /// Gives the current server to every entry that names no usable one; with none to give, they keep
    /// what they name.
    fn stick_the_homeless(
        &mut self,
        now: Moment,
        first: bool,
        why: Why,
        fallen: &[usize],
        lines: &mut Vec<Action>,
        out: &mut VecDeque<Action>,
    ) {
        let homeless = |(key, server): (IpAddr, Option<usize>)| {
            let homeless = server.is_none_or(|server| !self.is_usable(server));
            homeless.then_some((key, server))
        };
        let homeless: Vec<_> = self.entries().filter_map(homeless).collect();
        for (key, before) in homeless {
            let why = match before {
                None if first => Why::FirstElection,
                Some(server) if first => self.why_unusable(server),
                _ => why,
            };
            match (before, self.current) {
                (_, Some(current)) => self.stick(now, key, Some(current), why, lines, out),
                (Some(server), None) if fallen.contains(&server) => {
                    lines.push(self.stuck(key).keeps(self.server_name(server), why));
                }
                (None, None) if first => {
                    lines.push(self.stuck(key).names(None, None, why));
                    out.push_back(Action::Stick { entry: self.entry(key), server: None, why });
                }
                (_, None) => {}
            }
        }
    }

    /// Makes an entry name a server: told only if that is a change. The entry exists.
    fn stick(
        &mut self,
        now: Moment,
        key: IpAddr,
        server: Option<usize>,
        why: Why,
        lines: &mut Vec<Action>,
        out: &mut VecDeque<Action>,
    ) {
        let Some(entry) = self.table.as_mut().and_then(|table| table.get_mut(key)) else { return };
        let before = entry.server;
        if before != server {
            entry.server = server;
            entry.since = now;
            out.push_back(Action::Stick { entry: self.entry(key), server, why });
        }
        let name = |server: Option<usize>| server.map(|server| self.server_name(server));
        lines.push(self.stuck(key).names(name(before), name(server), why));
    }

    /// An entry for this key, if need be in the place of another.
    fn make_entry(&mut self, now: Moment, key: IpAddr, out: &mut VecDeque<Action>) -> Vec<Action> {
        let Some(purged) = self.table.as_mut().and_then(|table| table.insert(key, now)) else {
            return Vec::new();
        };
        out.push_back(Action::Stick { entry: self.entry(purged), server: None, why: Why::TableCommand });
        vec![self.stuck(purged).purged()]
    }

    fn note_availability(&mut self, now: Moment, before: Eligible, lines: &mut Vec<Action>) {
        let after = self.eligible();
        if before.is_none() != after.is_none() {
            self.last_change = now;
        }
        if after.is_none() && !before.is_none() {
            lines.push(log::no_server_available(&self.name));
        }
    }

    fn is_usable(&self, server: usize) -> bool {
        self.servers.get(server).is_some_and(|server| server.facts().is_usable())
    }

    fn why_unusable(&self, server: usize) -> Why {
        match self.servers.get(server).map(Server::admin) {
            Some(AdminState::Maint) => Why::Operator,
            Some(AdminState::Ready | AdminState::Drain) | None => Why::HealthDown,
        }
    }

    fn entries(&self) -> impl Iterator<Item = (IpAddr, Option<usize>)> {
        self.table.iter().flat_map(Table::iter).map(|(key, entry)| (key, entry.server))
    }

    fn entry(&self, key: IpAddr) -> EntryRef {
        EntryRef { backend: self.index, key }
    }

    fn stuck(&self, key: IpAddr) -> log::Stuck<'_> {
        log::Stuck { backend: &self.name, key }
    }

    fn server_name(&self, server: usize) -> &str {
        self.servers.get(server).map_or("?", |server| &server.name)
    }

    fn named<'a>(&'a self, server: &'a Server) -> log::Named<'a> {
        log::Named { backend: &self.name, server: &server.name, role: server.role() }
    }
}
