//! `show table`, `set table`, `clear table`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Command, Context, DataFault, FilterFault, Rejection};
use crate::{
    config::model::{Config, Level, StickKind},
    runtime::view::EntryView,
};

/// HAProxy's limit.
const FILTERS_MAX: usize = 4;

/// Data that HAProxy can store in a stick table; ours hold the server.
const DATA_TYPES: &[&str] = &[
    "bytes_in_cnt",
    "bytes_in_rate",
    "bytes_out_cnt",
    "bytes_out_rate",
    "conn_cnt",
    "conn_cur",
    "conn_rate",
    "gpc",
    "gpc0",
    "gpc0_rate",
    "gpc1",
    "gpc1_rate",
    "gpc_rate",
    "gpt",
    "gpt0",
    "http_err_cnt",
    "http_err_rate",
    "http_fail_cnt",
    "http_fail_rate",
    "http_req_cnt",
    "http_req_rate",
    "sess_cnt",
    "sess_rate",
];

/// Which entries of a table are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Select {
    /// Those that pass every filter.
    Filters(Vec<Filter>),
    Key(IpAddr),
    /// None: the key is of no address.
    Nothing,
}

impl Select {
    /// `server_id` is HAProxy's id of the entry's server, 0 if it has none.
    pub(in crate::runtime) fn takes(&self, entry: &EntryView, server_id: u32) -> bool {
        match self {
            Self::Filters(filters) => filters.iter().all(|filter| filter.takes(server_id)),
            Self::Key(key) => entry.key == *key,
            Self::Nothing => false,
        }
    }
}

/// `data.<type> <operator> <value>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) struct Filter {
    data: Data,
    operator: Operator,
    value: i64,
}

impl Filter {
    fn takes(self, server_id: u32) -> bool {
        let compared = i64::from(server_id).cmp(&self.value);
        self.data == Data::ServerId
            && match self.operator {
                Operator::Eq => compared.is_eq(),
                Operator::Ne => compared.is_ne(),
                Operator::Le => compared.is_le(),
                Operator::Ge => compared.is_ge(),
                Operator::Lt => compared.is_lt(),
                Operator::Gt => compared.is_gt(),
            }
    }
}

/// What our stick tables store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    ServerId,
    /// Not a number: nothing compares with it.
    ServerKey,
}

impl Data {
    fn parse(name: &str) -> Result<Self, DataFault> {
        match name {
            "server_id" => Ok(Self::ServerId),
            "server_key" => Ok(Self::ServerKey),
            _ if DATA_TYPES.contains(&name) => Err(DataFault::NotStored),
            _ => Err(DataFault::Unknown),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Eq,
    Ne,
    Le,
    Ge,
    Lt,
    Gt,
}

impl Operator {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "le" => Self::Le,
            "ge" => Self::Ge,
            "lt" => Self::Lt,
            "gt" => Self::Gt,
            _ => return None,
        })
    }
}

pub(super) fn show(context: Context<'_>, arguments: &[&str]) -> Result<Command, Rejection> {
    let Some((name, rest)) = arguments.split_first() else {
        return Ok(Command::ShowTables);
    };
    let table = Table::find(context.config, name)?;
    let select = select(table, rest, Rejection::ShowTableUsage)?;
    if context.level < Level::Operator && !matches!(select, Select::Filters(_)) {
        return Err(Rejection::PermissionDenied);
    }
    Ok(Command::ShowTable { backend: table.backend, select })
}

pub(super) fn clear(context: Context<'_>, arguments: &[&str]) -> Result<Command, Rejection> {
    let (name, rest) = arguments.split_first().ok_or(Rejection::ClearTableUsage)?;
    let table = Table::find(context.config, name)?;
    let select = select(table, rest, Rejection::ClearTableUsage)?;
    Ok(Command::ClearTable { backend: table.backend, select })
}

pub(super) fn set(context: Context<'_>, arguments: &[&str]) -> Result<Command, Rejection> {
    let (name, rest) = arguments.split_first().ok_or(Rejection::SetTableUsage)?;
    let table = Table::find(context.config, name)?;
    let (key, data) = match rest {
        [] => return Ok(Command::Nothing),
        ["key"] => return Err(Rejection::KeyMissing),
        ["key", key, data @ ..] => (table.key(key).ok_or(Rejection::InvalidKey)?, data),
        [other, ..] if other.starts_with("data.") => return Err(Rejection::SetTableFilter),
        _ => return Err(Rejection::SetTableUsage),
    };
    let mut server = None;
    for pair in data.chunks(2) {
        server = Some(stored_server(table, pair, context.config)?);
    }
    Ok(match server {
        Some(server) => Command::SetTable { backend: table.backend, key, server },
        None => Command::Nothing,
    })
}

/// `data.server_id N` of `set table`.
fn stored_server(table: Table, pair: &[&str], config: &Config) -> Result<usize, Rejection> {
    let name = pair.first().and_then(|word| word.strip_prefix("data.")).ok_or(Rejection::DataExpected)?;
    let data = Data::parse(name)?;
    let id = pair.get(1).and_then(|value| integer(value));
    let (Data::ServerId, Some(id)) = (data, id) else {
        return Err(Rejection::BadValue);
    };
    let mut servers = config.backends.get(table.backend).into_iter().flat_map(|backend| &backend.servers);
    servers.position(|server| i64::from(server.id) == id).ok_or(Rejection::NoSuchServer)
}

/// What follows the table's name; `usage` is the complaint if that is neither a key nor a filter.
fn select(table: Table, words: &[&str], usage: Rejection) -> Result<Select, Rejection> {
    match words {
        ["key"] => Err(Rejection::KeyMissing),
        ["key", key, ..] => match (table.key(key), table.kind) {
            (Some(key), _) => Ok(Select::Key(key)),
            // HAProxy takes the word for a host name to resolve, and finds no entry for it.
            (None, StickKind::Ip) => Ok(Select::Nothing),
            (None, StickKind::Ipv6) => Err(Rejection::InvalidKey),
        },
        [other, ..] if !other.starts_with("data.") => Err(usage),
        _ => filters(words).map(Select::Filters),
    }
}

fn filters(words: &[&str]) -> Result<Vec<Filter>, Rejection> {
    let mut filters = Vec::new();
    for (index, words) in words.chunks(3).enumerate() {
        if index == FILTERS_MAX {
            let after = filters.last().map(|filter: &Filter| filter.value.to_string()).unwrap_or_default();
            return Err(Rejection::TooManyFilters { after });
        }
        filters.push(filter(words).map_err(|fault| Rejection::Filter { entry: index + 1, fault })?);
    }
    Ok(filters)
}

fn filter(words: &[&str]) -> Result<Filter, FilterFault> {
    let mut words = words.iter();
    let name = words.next().and_then(|word| word.strip_prefix("data."));
    let data = Data::parse(name.ok_or(DataFault::Unknown)?)?;
    let operator = words.next().and_then(|word| Operator::parse(word)).ok_or(FilterFault::BadOperator)?;
    let value = words.next().and_then(|word| integer(word)).ok_or(FilterFault::BadValue)?;
    Ok(Filter { data, operator, value })
}

/// A decimal number as HAProxy takes it: a sign only if it is negative.
fn integer(word: &str) -> Option<i64> {
    if word.starts_with('+') { None } else { word.parse().ok() }
}

/// A backend with a stick table.
#[derive(Clone, Copy)]
struct Table {
    backend: usize,
    kind: StickKind,
}

impl Table {
    fn find(config: &Config, name: &str) -> Result<Self, Rejection> {
        config
            .backends
            .iter()
            .enumerate()
            .filter(|(_, backend)| backend.name == name)
            .find_map(|(index, backend)| Some(Self { backend: index, kind: backend.table.as_ref()?.kind }))
            .ok_or(Rejection::NoSuchTable)
    }

    /// A key of this table; see [`EntryView::key`] for the form.
    fn key(self, word: &str) -> Option<IpAddr> {
        match self.kind {
            StickKind::Ip => {
                let key = word.parse::<Ipv4Addr>().map(IpAddr::V4);
                let key = key.or_else(|_| word.parse::<Ipv6Addr>().map(|key| key.to_canonical())).ok()?;
                key.is_ipv4().then_some(key)
            }
            StickKind::Ipv6 => word.parse::<Ipv6Addr>().map(|key| key.to_canonical()).ok(),
        }
    }
}
