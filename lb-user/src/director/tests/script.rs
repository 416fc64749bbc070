//! Drives a director in virtual time: servers that answer their checks or do not, and a data path that
//! carries out the actions.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use crate::{
    clock::Moment,
    config::model::Config,
    director::{
        Director,
        types::{Action, AdminState, CheckReport, CheckStatus, EntryRef, Event, ServerRef},
        view::{EntryView, ServerView},
    },
};

/// How a server meets its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Passes,
    Refuses,
    /// No answer: the check ends by its timeout, which is 100 ms.
    Silent,
}

/// What the pinned maps hold and how the XDP program reads them.
#[derive(Clone, Debug, Default)]
pub(super) struct DataPath {
    current: BTreeMap<usize, Option<usize>>,
    usable: BTreeMap<ServerRef, bool>,
    stuck: BTreeMap<EntryRef, Option<usize>>,
}

impl DataPath {
    pub(super) fn apply(&mut self, action: &Action) {
        match action {
            Action::Elect { backend, server, .. } => {
                self.current.insert(*backend, *server);
            }
            Action::Serve { server, usable, .. } => {
                self.usable.insert(*server, *usable);
            }
            Action::Stick { entry, server, .. } => {
                self.stuck.insert(*entry, *server);
            }
            Action::Check { .. } | Action::Log { .. } => {}
        }
    }

    pub(super) fn is_serving(&self, backend: usize) -> bool {
        self.current.contains_key(&backend)
    }

    pub(super) fn current(&self, backend: usize) -> Option<usize> {
        self.current.get(&backend).copied().flatten()
    }

    pub(super) fn is_usable(&self, backend: usize, server: usize) -> bool {
        self.usable.get(&ServerRef { backend, server }).copied().unwrap_or(false)
    }

    pub(super) fn stuck(&self, entry: EntryRef) -> Option<usize> {
        self.stuck.get(&entry).copied().flatten()
    }

    /// The server that a packet for this address reaches.
    pub(super) fn target(&self, entry: EntryRef) -> Option<usize> {
        let usable = |server: &usize| self.is_usable(entry.backend, *server);
        let current = || self.current(entry.backend).filter(usable);
        self.stuck(entry).filter(usable).or_else(current).filter(|_| self.is_serving(entry.backend))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) director: Director,
    pub(super) path: DataPath,
    now: Moment,
    answers: BTreeMap<ServerRef, Answer>,
    /// Checks under way and when they end.
    checks: Vec<(Moment, ServerRef, CheckStatus)>,
    /// Everything since the last [`Self::taken`].
    actions: Vec<Action>,
}

impl Script {
    /// A director that has not begun: every server passes its checks.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            director: Director::new(config, Moment::default()),
            path: DataPath::default(),
            now: Moment::default(),
            answers: BTreeMap::new(),
            checks: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// A director that has begun and elected.
    pub(super) fn started(config: &Config) -> Self {
        let mut script = Self::new(config);
        script.advance(0);
        script
    }

    pub(super) fn answers(&mut self, server: ServerRef, answer: Answer) {
        self.answers.insert(server, answer);
    }

    pub(super) fn event(&mut self, event: Event) {
        self.director.handle_event(self.now, event);
        self.drain();
    }

    /// Lets time pass; timers and checks that end within it happen at their moments.
    pub(super) fn advance(&mut self, millis: u64) {
        let target = self.later(millis);
        while self.step(target) {}
    }

    pub(super) fn later(&self, millis: u64) -> Moment {
        self.now.after(Duration::from_millis(millis))
    }

    /// The next thing that happens by itself until then: one report, or one timeout. If there is none,
    /// the time has come and the answer is no.
    pub(super) fn step(&mut self, target: Moment) -> bool {
        let end = self.checks.iter().map(|(end, ..)| *end).min();
        let timeout = self.director.poll_timeout();
        let Some(next) = timeout.into_iter().chain(end).min().filter(|next| *next <= target) else {
            self.now = target;
            return false;
        };
        self.now = self.now.max(next);
        if let Some(place) = self.checks.iter().position(|(end, ..)| *end <= self.now) {
            let (_, server, status) = self.checks.remove(place);
            self.director.handle_event(self.now, Event::Checked { server, report: report(status) });
        } else {
            self.director.handle_timeout(self.now);
            let due = self.director.poll_timeout().is_some_and(|timeout| timeout <= self.now);
            assert!(!due, "a timeout that was handled is still due");
        }
        self.drain();
        true
    }

    fn drain(&mut self) {
        while let Some(action) = self.director.poll_action() {
            self.path.apply(&action);
            if let Action::Check { server } = action {
                let (delay, status) = match self.answers.get(&server).unwrap_or(&Answer::Passes) {
                    Answer::Passes => (0, CheckStatus::L4Ok),
                    Answer::Refuses => (0, CheckStatus::L4Connection),
                    Answer::Silent => (100, CheckStatus::L4Timeout),
                };
                assert!(self.checks.iter().all(|(_, other, _)| *other != server), "two checks of {server:?}");
                self.checks.push((self.now.after(Duration::from_millis(delay)), server, status));
            }
            self.actions.push(action);
        }
    }

    /// What was done since the last call.
    pub(super) fn taken(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// As [`Self::taken`], decisions only.
    pub(super) fn decisions(&mut self) -> Vec<Action> {
        let mut actions = self.taken();
        actions.retain(|action| !matches!(action, Action::Check { .. } | Action::Log { .. }));
        actions
    }

    /// As [`Self::taken`], log lines only.
    pub(super) fn lines(&mut self) -> Vec<String> {
        let text = |action| match action {
            Action::Log { text, .. } => Some(text),
            Action::Check { .. } | Action::Elect { .. } | Action::Serve { .. } | Action::Stick { .. } => None,
        };
        self.taken().into_iter().filter_map(text).collect()
    }

    // What follows speaks of the first backend and its first address, and of its servers from 1.

    pub(super) fn down(&mut self, server: usize) {
        self.answers(nth(server), Answer::Refuses);
        self.advance(300);
    }

    pub(super) fn up(&mut self, server: usize) {
        self.answers(nth(server), Answer::Passes);
        self.advance(300);
    }

    pub(super) fn operator(&mut self, server: usize, state: AdminState) {
        self.event(Event::Operator { server: nth(server), state });
    }

    pub(super) fn set(&mut self, server: usize) {
        self.event(Event::SetEntry { entry: vip(), server: server - 1 });
    }

    pub(super) fn clear(&mut self) {
        self.event(Event::ClearEntry { entry: vip() });
    }

    pub(super) fn view(&self, server: usize) -> ServerView<'_> {
        self.director.server(nth(server)).unwrap()
    }

    pub(super) fn entry(&self) -> Option<EntryView> {
        self.director.entries(0).next()
    }

    /// The server that the stick entry names, from 1.
    pub(super) fn stuck(&self) -> Option<usize> {
        self.entry().and_then(|entry| entry.server).map(|server| server + 1)
    }

    /// The server that clients reach, from 1.
    pub(super) fn serving(&self) -> Option<usize> {
        self.path.target(vip()).map(|server| server + 1)
    }
}

/// The server of the first backend, from 1.
pub(super) fn nth(server: usize) -> ServerRef {
    ServerRef { backend: 0, server: server - 1 }
}

/// The first address of the first backend.
pub(super) fn vip() -> EntryRef {
    EntryRef { backend: 0, key: IpAddr::from([10, 0, 0, 100]) }
}

pub(super) fn report(status: CheckStatus) -> CheckReport {
    let info = (status == CheckStatus::L4Connection).then(|| "Connection refused".to_owned());
    CheckReport { status, code: None, info, duration: Duration::ZERO }
}
