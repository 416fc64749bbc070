//! Logs on stderr, in HAProxy's form: `[WARNING]  (4711) : Server bk_app/s1 is DOWN …`.

use std::{
    fmt,
    io::{IsTerminal as _, stderr},
};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// Environment variable with a filter, e.g. `STICKFAST_LOG=debug`.
const FILTER: &str = "STICKFAST_LOG";

/// Starts logging. Quiet libraries, everything of ours from notices upwards, unless the environment says
/// otherwise.
pub(super) fn start() {
    let filter =
        EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new("warn,lb_user=info,packet=info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .event_format(Lines { pid: std::process::id(), colour: stderr().is_terminal() });
    // Already started: only in tests, and then that is the one to use.
    drop(subscriber.try_init());
}

struct Lines {
    pid: u32,
    colour: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let (tag, colour) = match *event.metadata().level() {
            Level::ERROR => ("[ALERT]   ", "\x1b[31m"),
            Level::WARN => ("[WARNING] ", "\x1b[33m"),
            Level::INFO => ("[NOTICE]  ", ""),
            Level::DEBUG | Level::TRACE => ("[DEBUG]   ", "\x1b[2m"),
        };
        let (on, off) = if self.colour && !colour.is_empty() { (colour, "\x1b[0m") } else { ("", "") };
        write!(writer, "{on}{tag}{off} ({}) : ", self.pid)?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
