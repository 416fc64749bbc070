//! What the Runtime API sees of the daemon, and the one way in which it changes anything.

use std::{net::IpAddr, time::Duration};

use thiserror::Error;

use crate::{
    clock::Moment,
    config::model::Config,
    director::types::{AdminState, CheckStatus, Event, ServerRef},
};

/// The running daemon as the Runtime API knows it. Every call is synchronous and cheap.
pub trait Subject {
    /// The configuration in force.
    fn config(&self) -> &Config;
    /// The present moment. [`Moment`]s count from the daemon's start, so this is the uptime, too.
    fn now(&self) -> Moment;
    /// The present state of a server of [`Subject::config`].
    fn server(&self, server: ServerRef) -> ServerView;
    /// The stick entries of a backend of [`Subject::config`], in any order.
    fn entries(&self, backend: usize) -> Vec<EntryView>;
    /// Carries out what an operator asked for: [`Event::Operator`], [`Event::SetEntry`] or
    /// [`Event::ClearEntry`].
    ///
    /// # Errors
    /// If the state cannot take the event; nothing has changed then.
    fn apply(&mut self, event: Event) -> Result<(), Refused>;
    /// Facts about the process.
    fn process(&self) -> ProcessView;
}

/// One server at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerView {
    /// What its checks say; true for a server without checks.
    pub up: bool,
    /// What the operator says. A server that the configuration calls `disabled` starts in maintenance.
    pub admin: AdminState,
    /// HAProxy's health counter, 0 to `rise + fall - 1`. Not shown for a server without checks.
    pub health: u32,
    /// When `up` or `admin` last changed.
    pub since: Moment,
    /// How the last finished check ended.
    pub last_check: Option<CheckStatus>,
    /// A check is under way.
    pub checking: bool,
}

/// One stick entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryView {
    /// An IPv4 key as such, whatever the type of the table.
    pub key: IpAddr,
    /// Index of the server in its backend; `None` while no server is usable.
    pub server: Option<usize>,
    /// Time left in a table with `expire`; `None` = for ever.
    pub expires_in: Option<Duration>,
}

/// The process at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessView {
    pub pid: u32,
    /// `node` of the configuration, or else the host name.
    pub node: String,
    /// Flows that the data path follows now.
    pub flows: u64,
    /// Flows that it can follow at once.
    pub flow_capacity: u64,
}

/// Why a change was not made. The messages are HAProxy's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// The stick table is full and has `nopurge`.
    #[error("Unable to allocate a new entry")]
    TableFull,
}
