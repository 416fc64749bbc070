//! The process: `show info`, `show version`, `show cli …`.

use std::time::Duration;

use super::Answer;
use crate::{
    config::model::{Config, Level},
    runtime::{command::InfoFormat, server::stats_sockets, view::Subject},
};

/// The release whose Runtime API this is. Tools read `major.minor` out of `Version` and leave commands
/// out for releases that did not have them.
const HAPROXY_VERSION: &str = "2.6.12";

/// Date of this release as `Release_date` shows it.
const RELEASE_DATE: &str = "2026/11/22";

/// `show version`, and `Version` of `show info`: HAProxy's release, then ours.
pub(super) fn version() -> String {
    format!("{HAPROXY_VERSION}-stickfast-{}", env!("CARGO_PKG_VERSION"))
}

pub(super) fn level_name(level: Level) -> &'static str {
    match level {
        Level::User => "user",
        Level::Operator => "operator",
        Level::Admin => "admin",
    }
}

/// `show cli sockets`.
pub(super) fn sockets(config: &Config) -> Answer {
    let sockets = stats_sockets(&config.global);
    let lines = sockets
        .iter()
        .map(|socket| format!("unix@{} {} all\n", socket.path.display(), level_name(socket.level)));
    Answer::data(format!("# socket lvl processes\n{}", lines.collect::<String>()))
}

/// `show info`.
pub(super) fn process(subject: &dyn Subject, format: InfoFormat) -> Answer {
    let lines = fields(subject).into_iter().map(|field| match format {
        InfoFormat::Plain => format!("{}: {}\n", field.name, field.value),
        InfoFormat::Typed => format!(
            "{}.{}.1:{}:{}:{}\n",
            field.position,
            field.name,
            field.tags,
            field.value.kind(),
            field.value
        ),
    });
    Answer::data(lines.collect::<String>())
}

struct Field {
    position: u8,
    name: &'static str,
    /// Origin, nature and scope (HAProxy management guide, section 9.2).
    tags: &'static str,
    value: Value,
}

enum Value {
    Text(String),
    Number(u64),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "str",
            Self::Number(_) => "u32",
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// The fields of HAProxy's `show info` that tools read, in its order and under its positions. What a
/// packet forwarder does not have is 0, except `Idle_pct`: nothing here works on packets, and a 0 would
/// read as overload.
fn fields(subject: &dyn Subject) -> Vec<Field> {
    let config = subject.config();
    let process = subject.process();
    let uptime = subject.now().0;
    let binds: usize = config.frontends.iter().map(|frontend| frontend.binds.len()).sum();
    let listeners = binds + stats_sockets(&config.global).len();
    let text = |text: &str| Value::Text(text.to_owned());
    let field = |position, name, tags, value| Field { position, name, tags, value };

    let mut fields = vec![
        field(0, "Name", "POS", text("Stickfast")),
        field(1, "Version", "POS", Value::Text(version())),
        field(2, "Release_date", "POS", text(RELEASE_DATE)),
        field(3, "Nbthread", "CGS", Value::Number(1)),
        field(4, "Nbproc", "CGS", Value::Number(1)),
        field(5, "Process_num", "KGP", Value::Number(1)),
        field(6, "Pid", "SGP", Value::Number(process.pid.into())),
        field(7, "Uptime", "MDP", Value::Text(uptime_text(uptime))),
        field(8, "Uptime_sec", "MDP", Value::Number(uptime.as_secs())),
        field(15, "Maxconn", "CLP", Value::Number(process.flow_capacity)),
        field(17, "CurrConns", "MGP", Value::Number(process.flows)),
        field(23, "Maxpipes", "CLP", Value::Number(0)),
        field(24, "PipesUsed", "MGP", Value::Number(0)),
        field(26, "ConnRate", "MRP", Value::Number(0)),
        field(47, "Tasks", "MGP", Value::Number(0)),
        field(48, "Run_queue", "MGP", Value::Number(0)),
        field(49, "Idle_pct", "MaP", Value::Number(100)),
        field(50, "node", "COS", Value::Text(process.node)),
    ];
    if let Some(description) = &config.global.description {
        fields.push(field(51, "description", "COS", text(description)));
    }
    fields.extend([
        field(52, "Stopping", "MGP", Value::Number(0)),
        field(53, "Jobs", "MGP", Value::Number(0)),
        field(55, "Listeners", "MGP", Value::Number(u64::try_from(listeners).unwrap_or(u64::MAX))),
        field(56, "ActivePeers", "MGP", Value::Number(0)),
        field(57, "ConnectedPeers", "MGP", Value::Number(0)),
    ]);
    fields
}

/// `1d 2h03m04s`.
fn uptime_text(uptime: Duration) -> String {
    let seconds = uptime.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    format!("{days}d {}h{:02}m{:02}s", hours % 24, minutes % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_counts_days_hours_minutes_and_seconds() {
        assert_eq!(uptime_text(Duration::from_secs(3)), "0d 0h00m03s");
        assert_eq!(uptime_text(Duration::from_secs(2 * 86_400 + 13 * 3600 + 5 * 60 + 59)), "2d 13h05m59s");
    }
}
