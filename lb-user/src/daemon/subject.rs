//! What the Runtime API sees of the daemon.

use crate::{
    clock::Moment,
    config::model::Config,
    director::{
        table::SetEntryError,
        types::{AdminState, Event, ServerRef},
    },
    runtime::{EntryView, ProcessView, Refused, ServerView, Subject},
};

use super::state::State;

impl Subject for State {
    fn config(&self) -> &Config {
        &self.config
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn server(&self, server: ServerRef) -> ServerView {
        let Some(view) = self.director.server(server) else {
            // The Runtime API names servers of our own configuration only.
            return ServerView {
                up: false,
                admin: AdminState::Maint,
                health: 0,
                since: Moment::default(),
                last_check: None,
                checking: false,
            };
        };
        ServerView {
            up: view.up,
            admin: view.admin,
            health: view.health.unwrap_or_default(),
            since: view.last_change,
            last_check: view.last_report.map(|report| report.status),
            checking: view.check_in_progress,
        }
    }

    fn entries(&self, backend: usize) -> Vec<EntryView> {
        let view = |entry: crate::director::view::EntryView| EntryView {
            key: entry.key,
            server: entry.server,
            expires_in: None,
        };
        self.director.entries(backend).map(view).collect()
    }

    fn apply(&mut self, event: Event) -> Result<(), Refused> {
        if let Event::SetEntry { entry, server } = event {
            match self.director.may_set_entry(entry, server) {
                Ok(()) | Err(SetEntryError::NoTable { .. } | SetEntryError::NoServer { .. }) => {}
                Err(SetEntryError::TableFull { .. }) => return Err(Refused::TableFull),
            }
        }
        self.handle_event(event);
        Ok(())
    }

    fn process(&self) -> ProcessView {
        let (flows, flow_capacity) = self.datapath.flows();
        ProcessView {
            pid: std::process::id(),
            node: self.config.global.node.clone().unwrap_or_else(|| self.host_name.clone()),
            flows: flows.into(),
            flow_capacity: flow_capacity.into(),
        }
    }
}
