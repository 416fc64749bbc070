//! What the director is told and what it answers.

use std::{
    fmt::{self, Display, Formatter},
    net::IpAddr,
    time::Duration,
};

/// A server by its place in the configuration: `config.backends[backend].servers[server]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerRef {
    pub backend: usize,
    pub server: usize,
}

/// A stick entry: the table of a backend and the destination address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryRef {
    pub backend: usize,
    pub key: IpAddr,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The pinned maps already said so when the daemon started. Comes before everything else.
    Adopted { entry: EntryRef, server: usize },
    /// A check that [`Action::Check`] asked for has ended.
    Checked { server: ServerRef, report: CheckReport },
    /// `disable server`, `enable server`, `set server … state`.
    Operator { server: ServerRef, state: AdminState },
    /// The data path moved the entry by itself because its server was not usable.
    Restuck { entry: EntryRef, server: usize },
    /// `set table … data.server_id`.
    SetEntry { entry: EntryRef, server: usize },
    /// `clear table … key`.
    ClearEntry { entry: EntryRef },
}

impl Event {
    /// The backend it is about.
    pub(super) fn backend(&self) -> usize {
        match self {
            Self::Checked { server, .. } | Self::Operator { server, .. } => server.backend,
            Self::Adopted { entry, .. }
            | Self::Restuck { entry, .. }
            | Self::SetEntry { entry, .. }
            | Self::ClearEntry { entry } => entry.backend,
        }
    }
}

/// Something must be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run a check now; answered by [`Event::Checked`].
    Check { server: ServerRef },
    /// The server that new traffic without a usable stick entry goes to. The first one for a backend
    /// means that its first election is over: from then on its addresses may be served.
    Elect { backend: usize, server: Option<usize>, why: Why },
    /// Whether stuck traffic may go on to this server. `cut` ends its present connections.
    Serve { server: ServerRef, usable: bool, cut: bool },
    /// The stick entry now names this server (`None`: nobody, until one is usable).
    Stick { entry: EntryRef, server: Option<usize>, why: Why },
    /// A line for the log, in HAProxy's wording where it has one.
    Log { severity: Severity, text: String },
}

/// Why a decision was taken; kept in logs and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// First choice after the start.
    FirstElection,
    /// What the pinned maps said.
    Adopted,
    /// The server before was marked down by its checks.
    HealthDown,
    /// A server came (back) up and is preferred, or is the only one.
    HealthUp,
    /// The operator changed a server's state.
    Operator,
    /// `set table` or `clear table`.
    TableCommand,
    /// The data path had moved it.
    DataPath,
}

/// As it stands in parentheses at the end of a log line.
impl Display for Why {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstElection => "first election",
            Self::Adopted => "adopted",
            Self::HealthDown => "health down",
            Self::HealthUp => "health up",
            Self::Operator => "operator",
            Self::TableCommand => "table command",
            Self::DataPath => "data path",
        })
    }
}

/// The operator's state of a server (HAProxy management guide, `set server state`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdminState {
    #[default]
    Ready,
    /// Keeps the traffic that is stuck to it, gets nothing new.
    Drain,
    Maint,
}

/// HAProxy's log levels as they stand in its stderr lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Notice,
    Warning,
    Alert,
}

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    pub status: CheckStatus,
    /// HTTP status, where there is one.
    pub code: Option<u16>,
    /// E.g. `Connection refused`; shown as `info: "…"`.
    pub info: Option<String>,
    pub duration: Duration,
}

/// HAProxy's check status codes (management guide 9.1, column `check_status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStatus {
    /// `L4OK` "Layer4 check passed"
    L4Ok,
    /// `L4TOUT` "Layer4 timeout"
    L4Timeout,
    /// `L4CON` "Layer4 connection problem"
    L4Connection,
    /// `L7OK` "Layer7 check passed"
    L7Ok,
    /// `L7TOUT` "Layer7 timeout"
    L7Timeout,
    /// `L7RSP` "Layer7 invalid response"
    L7Response,
    /// `L7STS` "Layer7 wrong status"
    L7Status,
    /// `SOCKERR` "Socket error"
    SocketError,
}

impl CheckStatus {
    /// Whether the server passed.
    pub fn passed(self) -> bool {
        matches!(self, Self::L4Ok | Self::L7Ok)
    }

    /// HAProxy's words, as in `reason: …` of its log lines.
    pub fn description(self) -> &'static str {
        match self {
            Self::L4Ok => "Layer4 check passed",
            Self::L4Timeout => "Layer4 timeout",
            Self::L4Connection => "Layer4 connection problem",
            Self::L7Ok => "Layer7 check passed",
            Self::L7Timeout => "Layer7 timeout",
            Self::L7Response => "Layer7 invalid response",
            Self::L7Status => "Layer7 wrong status",
            Self::SocketError => "Socket error",
        }
    }
}
