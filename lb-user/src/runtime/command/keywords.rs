//! The commands by their words.

use super::{Command, Context, InfoFormat, Rejection, operand, table};
use crate::{config::model::Level, director::types::AdminState, runtime::answer::SeverityOutput};

/// One command: how it begins, who may use it, how the rest of it is understood.
pub(in crate::runtime) struct Keyword {
    pub(in crate::runtime) words: &'static [&'static str],
    /// First column of `help`.
    pub(in crate::runtime) usage: &'static str,
    /// Second column of `help`.
    pub(in crate::runtime) about: &'static str,
    pub(super) level: Level,
    pub(super) parse: fn(Context<'_>, &[&str]) -> Result<Command, Rejection>,
}

/// The commands that `help` selects from, in its order.
pub(in crate::runtime) const KEYWORDS: &[Keyword] = &[
    Keyword {
        words: &["clear", "table"],
        usage: "clear table <table> [<filter>]*",
        about: "forget entries of a stick table (filter: key K, data.server_id OP N)",
        level: Level::Operator,
        parse: table::clear,
    },
    Keyword {
        words: &["disable", "server"],
        usage: "disable server <bk>/<srv>",
        about: "take a server out for maintenance",
        level: Level::Admin,
        parse: |context, arguments| server_state(context, arguments, AdminState::Maint),
    },
    Keyword {
        words: &["enable", "server"],
        usage: "enable server <bk>/<srv>",
        about: "bring a server back from maintenance or drain",
        level: Level::Admin,
        parse: |context, arguments| server_state(context, arguments, AdminState::Ready),
    },
    Keyword {
        words: &["operator"],
        usage: "operator",
        about: "go down to the level operator",
        level: Level::Operator,
        parse: |_, _| Ok(Command::LowerLevel(Level::Operator)),
    },
    Keyword {
        words: &["set", "server"],
        usage: "set server <bk>/<srv> [opts]",
        about: "change a server (state ready|drain|maint)",
        level: Level::Admin,
        parse: set_server,
    },
    Keyword {
        words: &["set", "severity-output"],
        usage: "set severity-output <level>",
        about: "mark messages with their severity (none|number|string)",
        level: Level::User,
        parse: set_severity_output,
    },
    Keyword {
        words: &["set", "table"],
        usage: "set table <table> key <k> [data.* <v>]*",
        about: "send the traffic of a key to a server (data.server_id N)",
        level: Level::Operator,
        parse: table::set,
    },
    Keyword {
        words: &["set", "timeout"],
        usage: "set timeout [cli] <delay>",
        about: "close this connection after so long without a command",
        level: Level::User,
        parse: set_timeout,
    },
    Keyword {
        words: &["show", "backend"],
        usage: "show backend",
        about: "list the backends",
        level: Level::User,
        parse: |_, _| Ok(Command::ShowBackends),
    },
    Keyword {
        words: &["show", "cli", "level"],
        usage: "show cli level",
        about: "the level of this connection",
        level: Level::User,
        parse: |_, _| Ok(Command::ShowCliLevel),
    },
    Keyword {
        words: &["show", "cli", "sockets"],
        usage: "show cli sockets",
        about: "the stats sockets and their levels",
        level: Level::User,
        parse: |_, _| Ok(Command::ShowCliSockets),
    },
    Keyword {
        words: &["show", "info"],
        usage: "show info [typed]",
        about: "facts about the process",
        level: Level::User,
        parse: show_info,
    },
    Keyword {
        words: &["show", "servers", "state"],
        usage: "show servers state [<backend>]",
        about: "health and operator's state of servers",
        level: Level::User,
        parse: show_servers_state,
    },
    Keyword {
        words: &["show", "table"],
        usage: "show table <table> [<filter>]*",
        about: "stick tables, or the entries of one (filter: key K, data.server_id OP N)",
        level: Level::User,
        parse: table::show,
    },
    Keyword {
        words: &["show", "version"],
        usage: "show version",
        about: "the version of the process",
        level: Level::User,
        parse: |_, _| Ok(Command::ShowVersion),
    },
    Keyword {
        words: &["user"],
        usage: "user",
        about: "go down to the level user",
        level: Level::User,
        parse: |_, _| Ok(Command::LowerLevel(Level::User)),
    },
];

/// The commands at the end of every `help`.
pub(in crate::runtime) const FOOTER: &[Keyword] = &[
    Keyword {
        words: &["help"],
        usage: "help [<command>]",
        about: "list matching or all commands",
        level: Level::User,
        parse: |_, arguments| Ok(Command::Help { words: operand::owned(arguments) }),
    },
    Keyword {
        words: &["prompt"],
        usage: "prompt",
        about: "toggle interactive mode with prompt",
        level: Level::User,
        parse: |_, _| Ok(Command::Prompt),
    },
    Keyword {
        words: &["quit"],
        usage: "quit",
        about: "disconnect",
        level: Level::User,
        parse: |_, _| Ok(Command::Quit),
    },
];

fn server_state(context: Context<'_>, arguments: &[&str], state: AdminState) -> Result<Command, Rejection> {
    let server = operand::server(context.config, arguments)?;
    Ok(Command::SetServerState { server, state })
}

fn set_server(context: Context<'_>, arguments: &[&str]) -> Result<Command, Rejection> {
    let server = operand::server(context.config, arguments)?;
    let state = match arguments.get(1..).unwrap_or_default() {
        ["state", "ready", ..] => AdminState::Ready,
        ["state", "drain", ..] => AdminState::Drain,
        ["state", "maint", ..] => AdminState::Maint,
        ["state", ..] => return Err(Rejection::BadServerState),
        ["addr", ..] => return Err(Rejection::Unsupported("set server <srv> addr")),
        ["agent" | "agent-addr" | "agent-port" | "agent-send", ..] => {
            return Err(Rejection::Unsupported("set server <srv> agent"));
        }
        ["check-addr" | "check-port", ..] => {
            return Err(Rejection::Unsupported("set server <srv> check-addr"));
        }
        ["fqdn", ..] => return Err(Rejection::Unsupported("set server <srv> fqdn")),
        ["health", ..] => return Err(Rejection::Unsupported("set server <srv> health")),
        ["ssl", ..] => return Err(Rejection::Unsupported("set server <srv> ssl")),
        ["weight", ..] => return Err(Rejection::Unsupported("set server <srv> weight")),
        _ => return Err(Rejection::SetServerUsage),
    };
    Ok(Command::SetServerState { server, state })
}

fn set_severity_output(_: Context<'_>, arguments: &[&str]) -> Result<Command, Rejection> {
    let output = match arguments {
        ["none", ..] => SeverityOutput::None,
        ["number", ..] => SeverityOutput::Number,
        ["string", ..] => SeverityOutput::String,
        _ => return Err(Rejection::BadSeverityOutput),
    };
    Ok(Command::SetSeverityOutput(output))
}

fn set_timeout(_: Context<'_>, arguments: &[&str]) -> Result<Command, Rejection> {
    match arguments {
        ["cli", delay, ..] => operand::delay(delay).map(Command::SetTimeout).ok_or(Rejection::BadTimeout),
        ["cli"] => Err(Rejection::TimeoutMissing),
        _ => Err(Rejection::BadTimeoutName),
    }
}

fn show_info(_: Context<'_>, arguments: &[&str]) -> Result<Command, Rejection> {
    let mut format = InfoFormat::Plain;
    for argument in arguments {
        match *argument {
            "typed" => format = InfoFormat::Typed,
            "json" => return Err(Rejection::Unsupported("show info json")),
            "desc" => return Err(Rejection::Unsupported("show info desc")),
            // `float`, and whatever HAProxy does not know either.
            _ => {}
        }
    }
    Ok(Command::ShowInfo(format))
}

fn show_servers_state(context: Context<'_>, arguments: &[&str]) -> Result<Command, Rejection> {
    let backend = match arguments {
        [] => None,
        [name, ..] => Some(operand::backend(context.config, name).ok_or(Rejection::BackendNotFound)?),
    };
    Ok(Command::ShowServersState { backend })
}
