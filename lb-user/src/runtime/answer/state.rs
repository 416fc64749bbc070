//! Commands that change the state of servers and stick entries.

use std::net::IpAddr;

use super::{Answer, table};
use crate::{
    director::types::{AdminState, EntryRef, Event, ServerRef},
    runtime::{
        command::Select,
        view::{Refused, Subject},
    },
};

/// `disable server`, `enable server`, `set server … state`.
pub(super) fn set_server(subject: &mut dyn Subject, server: ServerRef, state: AdminState) -> Answer {
    outcome(subject.apply(Event::Operator { server, state }))
}

/// `set table … data.server_id`. Traffic follows, unlike in HAProxy, where the server's name, which this
/// command does not change, wins over its id.
pub(super) fn set_entry(subject: &mut dyn Subject, backend: usize, key: IpAddr, server: usize) -> Answer {
    outcome(subject.apply(Event::SetEntry { entry: EntryRef { backend, key }, server }))
}

/// `clear table`.
pub(super) fn clear_entries(subject: &mut dyn Subject, backend: usize, select: &Select) -> Answer {
    let mut entries = subject.entries(backend);
    if let Some(backend) = subject.config().backends.get(backend) {
        entries.retain(|entry| select.takes(entry, table::server_id(backend, entry)));
    }
    outcome(entries.iter().try_for_each(|entry| {
        subject.apply(Event::ClearEntry { entry: EntryRef { backend, key: entry.key } })
    }))
}

fn outcome(result: Result<(), Refused>) -> Answer {
    match result {
        Ok(()) => Answer::silent(),
        Err(refused) => Answer::error(refused.to_string()),
    }
}
