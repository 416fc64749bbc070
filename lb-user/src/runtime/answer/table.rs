//! `show table`.

use std::{fmt::Write as _, net::IpAddr};

use super::Answer;
use crate::{
    config::model::{Backend, Level, StickKind, StickTable},
    runtime::{
        command::Select,
        view::{EntryView, Subject},
    },
};

/// `show table`: one line per table. HAProxy lists them from the last declared to the first.
pub(super) fn headers(subject: &dyn Subject) -> Answer {
    let mut text = String::new();
    for (index, backend) in subject.config().backends.iter().enumerate().rev() {
        if let Some(table) = &backend.table {
            header(&mut text, backend, table, subject.entries(index).len());
        }
    }
    Answer::data(text)
}

/// `show table T [filter]`.
pub(super) fn entries(subject: &dyn Subject, level: Level, backend: usize, select: &Select) -> Answer {
    let Some((backend_index, backend, table)) = find(subject, backend) else {
        return Answer::silent();
    };
    let mut entries = subject.entries(backend_index);
    let used = entries.len();
    entries.retain(|entry| select.takes(entry, server_id(backend, entry)));
    if entries.is_empty() && !matches!(select, Select::Filters(_)) {
        return Answer::silent();
    }
    let mut text = String::new();
    header(&mut text, backend, table, used);
    if level < Level::Operator {
        text.push_str("# contents not dumped due to insufficient privileges\n");
        return Answer::data(text);
    }
    entries.sort_by_key(|entry| printed_key(table, entry));
    for entry in &entries {
        line(&mut text, backend, table, entry);
    }
    Answer::data(text)
}

/// HAProxy's id of the server that an entry names, 0 if it names none.
pub(super) fn server_id(backend: &Backend, entry: &EntryView) -> u32 {
    entry.server.and_then(|server| backend.servers.get(server)).map_or(0, |server| server.id)
}

fn find(subject: &dyn Subject, index: usize) -> Option<(usize, &Backend, &StickTable)> {
    let backend = subject.config().backends.get(index)?;
    Some((index, backend, backend.table.as_ref()?))
}

#[expect(clippy::let_underscore_must_use, reason = "writing to a String does not fail")]
fn header(text: &mut String, backend: &Backend, table: &StickTable, used: usize) {
    let kind = match table.kind {
        StickKind::Ip => "ip",
        StickKind::Ipv6 => "ipv6",
    };
    let _ = writeln!(text, "# table: {}, type: {kind}, size:{}, used:{used}", backend.name, table.size);
}

/// Where HAProxy prints the entry's address in memory, we print its key as a number: as unique, and the
/// same after a restart.
#[expect(clippy::let_underscore_must_use, reason = "writing to a String does not fail")]
fn line(text: &mut String, backend: &Backend, table: &StickTable, entry: &EntryView) {
    let key = printed_key(table, entry);
    let handle = match key {
        IpAddr::V4(key) => u128::from(key.to_bits()),
        IpAddr::V6(key) => key.to_bits(),
    };
    let expires = entry.expires_in.map_or(0, |left| left.as_millis());
    let name = entry.server.and_then(|server| backend.servers.get(server)).map_or("-", |server| &server.name);
    let id = server_id(backend, entry);
    let _ = writeln!(text, "{handle:#x}: key={key} use=0 exp={expires} server_id={id} server_key={name}");
}

fn printed_key(table: &StickTable, entry: &EntryView) -> IpAddr {
    match (table.kind, entry.key) {
        (StickKind::Ip, key) => key,
        (StickKind::Ipv6, IpAddr::V4(key)) => IpAddr::V6(key.to_ipv6_mapped()),
        (StickKind::Ipv6, IpAddr::V6(key)) => IpAddr::V6(key),
    }
}
