//! A line's words -> a [`Command`] whose names exist, or HAProxy's words for why there is none.

mod keywords;
mod operand;
mod table;

use std::{net::IpAddr, time::Duration};

use thiserror::Error;

pub(super) use self::{
    keywords::{FOOTER, KEYWORDS, Keyword},
    table::Select,
};
use super::answer::SeverityOutput;
use crate::{
    config::model::{Config, Level},
    director::types::{AdminState, ServerRef},
};

/// Understands a command for a connection of this level.
///
/// # Errors
/// In HAProxy's order: unknown command, missing level, then the first word that is wrong.
pub(super) fn parse(config: &Config, level: Level, words: &[&str]) -> Result<Command, Rejection> {
    let mut keywords = KEYWORDS.iter().chain(FOOTER);
    let keyword = keywords.find(|keyword| words.starts_with(keyword.words)).ok_or(Rejection::Unknown)?;
    if level < keyword.level {
        return Err(Rejection::PermissionDenied);
    }
    let arguments = words.get(keyword.words.len()..).unwrap_or_default();
    (keyword.parse)(Context { config, level }, arguments)
}

/// What the arguments of a command are understood against.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    config: &'a Config,
    level: Level,
}

/// A command of the Runtime API. Indices are valid in the configuration it was parsed against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help {
        words: Vec<String>,
    },
    Prompt,
    Quit,
    LowerLevel(Level),
    SetSeverityOutput(SeverityOutput),
    SetTimeout(Duration),
    ShowCliLevel,
    ShowCliSockets,
    ShowVersion,
    ShowInfo(InfoFormat),
    ShowBackends,
    ShowServersState {
        backend: Option<usize>,
    },
    ShowTables,
    ShowTable {
        backend: usize,
        select: Select,
    },
    SetTable {
        backend: usize,
        key: IpAddr,
        server: usize,
    },
    ClearTable {
        backend: usize,
        select: Select,
    },
    SetServerState {
        server: ServerRef,
        state: AdminState,
    },
    /// Accepted by HAProxy, and without an effect.
    Nothing,
}

/// How `show info` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InfoFormat {
    Plain,
    Typed,
}

/// Why a line is no [`Command`], in HAProxy 2.6's words: scripts match them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Rejection {
    /// Answered with a list of commands.
    #[error("Unknown command")]
    Unknown,
    #[error("Permission denied")]
    PermissionDenied,
    #[error("'{0}' is not supported.")]
    Unsupported(&'static str),

    #[error("Require 'backend/server'.")]
    ServerNameMissing,
    #[error("No such backend.")]
    NoSuchBackend,
    #[error("No such server.")]
    NoSuchServer,
    #[error("Can't find backend.")]
    BackendNotFound,
    #[error(
        "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | \
         check-addr | check-port | fqdn | health | ssl | state | weight"
    )]
    SetServerUsage,
    #[error("'set server <srv> state' expects 'ready', 'drain' and 'maint'.")]
    BadServerState,

    #[error("No such table")]
    NoSuchTable,
    #[error("Optional argument only supports \"data.<store_data_type>\" <operator> <value> and key <key>")]
    ShowTableUsage,
    #[error("Required arguments: <table> key <key> [data.<store_data_type> <value>]*")]
    SetTableUsage,
    #[error("Required arguments: <table> \"data.<store_data_type>\" <operator> <value> or <table> key <key>")]
    ClearTableUsage,
    #[error("content-based lookup is only supported with the \"show\" and \"clear\" actions")]
    SetTableFilter,
    #[error("Key value expected")]
    KeyMissing,
    #[error("Invalid key")]
    InvalidKey,
    #[error("\"data.<type>\" followed by a value expected")]
    DataExpected,
    #[error(transparent)]
    Data(#[from] DataFault),
    #[error("Require a valid integer value to store")]
    BadValue,
    #[error("Filter entry #{entry}: {fault}")]
    Filter { entry: usize, fault: FilterFault },
    #[error("Detected extra data in filter, 16th word of input, after '{after}'")]
    TooManyFilters { after: String },

    #[error("one of 'none', 'number', 'string' is a required argument")]
    BadSeverityOutput,
    #[error("'set timeout' only supports 'cli'.")]
    BadTimeoutName,
    #[error("Expects an integer value.")]
    TimeoutMissing,
    #[error("Invalid timeout value.")]
    BadTimeout,
}

/// What is wrong with one filter of `show table` or `clear table`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum FilterFault {
    #[error(transparent)]
    Data(#[from] DataFault),
    #[error("Require and operator among \"eq\", \"ne\", \"le\", \"ge\", \"lt\", \"gt\"")]
    BadOperator,
    #[error("Require a valid integer value to compare against")]
    BadValue,
}

/// What is wrong with the name of a piece of data in a stick table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum DataFault {
    #[error("Unknown data type")]
    Unknown,
    #[error("Data type not stored in this table")]
    NotStored,
}
