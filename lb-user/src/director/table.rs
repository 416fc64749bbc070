//! The stick table of one backend: which server each destination address is stuck to.

use std::{collections::BTreeMap, net::IpAddr};

use thiserror::Error;

use crate::{
    clock::Moment,
    config::model::{Backend, Config},
};

/// Why an entry cannot be set; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SetEntryError {
    #[error("backend {backend} has no stick table")]
    NoTable { backend: usize },
    #[error("backend {backend} has no server {server}")]
    NoServer { backend: usize, server: usize },
    /// `nopurge`, or every entry belongs to an address that is served here. Entries that exist can
    /// always be changed, however full the table is.
    #[error("the stick table is full: {used} entries, size {size}")]
    TableFull { used: usize, size: usize },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) server: Option<usize>,
    /// When it came to name that server.
    pub(super) since: Moment,
    /// The key is an address of a frontend: the entry exists as long as the configuration does.
    pub(super) served: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    size: usize,
    nopurge: bool,
    /// Sorted by the bytes of the key, as HAProxy prints them.
    entries: BTreeMap<IpAddr, Entry>,
}

impl Table {
    /// The table of `config.backends[index]`, if it has one, with an entry for each address that it
    /// sticks by.
    pub(super) fn new(config: &Config, index: usize, backend: &Backend, now: Moment) -> Option<Self> {
        if backend.table.is_none() && !backend.stick_on_dst {
            return None;
        }
        let entry = Entry { server: None, since: now, served: true };
        let frontends = config.frontends.iter().filter(|frontend| frontend.backend == index);
        let keys = frontends.flat_map(|frontend| &frontend.binds).map(|bind| bind.address);
        Some(Self {
            size: backend.table.as_ref().map_or(usize::MAX, |table| size_of_table(table.size)),
            nopurge: backend.table.as_ref().is_some_and(|table| table.nopurge),
            entries: keys.filter(|_| backend.stick_on_dst).map(|key| (key, entry)).collect(),
        })
    }

    pub(super) fn get(&self, key: IpAddr) -> Option<&Entry> {
        self.entries.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: IpAddr) -> Option<&mut Entry> {
        self.entries.get_mut(&key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (IpAddr, &Entry)> {
        self.entries.iter().map(|(key, entry)| (*key, entry))
    }

    /// Whether an entry for this key exists or can be made.
    pub(super) fn has_room_for(&self, key: IpAddr) -> Result<(), SetEntryError> {
        let used = self.entries.len();
        let fits = self.entries.contains_key(&key) || used < self.size || self.oldest_purgeable().is_some();
        if fits { Ok(()) } else { Err(SetEntryError::TableFull { used, size: self.size }) }
    }

    /// Makes an entry that names nobody, if there is none. Returns the key that had to go for it; call
    /// only when [`Self::has_room_for`] agrees.
    pub(super) fn insert(&mut self, key: IpAddr, now: Moment) -> Option<IpAddr> {
        if self.entries.contains_key(&key) {
            return None;
        }
        let purged = if self.entries.len() < self.size { None } else { self.oldest_purgeable() };
        if let Some(purged) = purged {
            self.entries.remove(&purged);
        }
        self.entries.insert(key, Entry { server: None, since: now, served: false });
        purged
    }

    pub(super) fn remove(&mut self, key: IpAddr) {
        self.entries.remove(&key);
    }

    fn oldest_purgeable(&self) -> Option<IpAddr> {
        let purgeable = self.iter().filter(|(_, entry)| !self.nopurge && !entry.served);
        purgeable.min_by_key(|(key, entry)| (entry.since, *key)).map(|(key, _)| key)
    }
}

/// A size that this machine cannot address is no limit.
fn size_of_table(size: u32) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}
