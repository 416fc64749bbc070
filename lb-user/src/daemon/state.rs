//! All that the daemon knows, and what it does about events.

use std::{net::IpAddr, sync::Arc};

use lb_ebpf::abi::{self, EventKind};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::RunError;
use crate::{
    clock::{Clock, Moment},
    config::model::Config,
    datapath::{Attachment, Datapath},
    director::{
        Director,
        types::{Action, Event, ServerRef, Severity},
    },
    net::{self, Change, Unresolved},
    plan::{self, Contents, Layout},
    probe,
};

pub(super) struct State {
    pub(super) config: Arc<Config>,
    pub(super) clock: Clock,
    pub(super) director: Director,
    pub(super) datapath: Datapath,
    pub(super) host_name: String,
    layout: Layout,
    /// What the maps hold, as far as is known.
    seen: Contents,
    reports: mpsc::Sender<Event>,
    checks: TaskTracker,
}

impl State {
    /// Adopts what the maps hold.
    pub(super) fn new(
        config: Arc<Config>,
        clock: Clock,
        datapath: Datapath,
        reports: mpsc::Sender<Event>,
        checks: TaskTracker,
    ) -> Result<Self, RunError> {
        let seen = datapath.contents()?;
        let layout = Layout::new(&config, &seen)?;
        let director = Director::new(&config, clock.now());
        let host_name = net::host_name()?;
        let mut state = Self { config, clock, director, datapath, host_name, layout, seen, reports, checks };
        for adopted in state.layout.adopted() {
            let event = Event::Adopted { entry: adopted.entry, server: adopted.server };
            state.director.handle_event(clock.now(), event);
        }
        Ok(state)
    }

    /// Makes the maps fit, then lets packets in.
    pub(super) fn attach(&mut self, attachments: &[Attachment]) -> Result<(), RunError> {
        self.carry_out();
        Ok(self.datapath.attach(attachments)?)
    }

    pub(super) fn poll_timeout(&self) -> Option<Moment> {
        self.director.poll_timeout()
    }

    pub(super) fn handle_timeout(&mut self) {
        self.director.handle_timeout(self.clock.now());
        self.carry_out();
    }

    pub(super) fn handle_event(&mut self, event: Event) {
        self.director.handle_event(self.clock.now(), event);
        self.carry_out();
    }

    pub(super) fn next_hop_changed(&mut self, change: &Change) {
        match &change.next_hop {
            Ok(hop) => {
                tracing::debug!("{} is reached over interface {}", change.address, hop.interface);
                self.layout.reach(change.address, Some(hop));
            }
            // Whether the server lives is the checks' question. Until they have answered, what it was last
            // reached by is the best guess: a neighbour that is slow to answer has not moved.
            Err(reason @ Unresolved::NoNeighbour { .. }) => {
                tracing::debug!("{}: {reason}", change.address);
            }
            Err(reason) => {
                tracing::warn!("{} cannot be reached: {reason}", change.address);
                self.layout.reach(change.address, None);
            }
        }
        self.write();
    }

    /// Reads the event ring empty.
    pub(super) fn data_path_events(&mut self) {
        while let Some(event) = self.datapath.next_event() {
            match EventKind::try_from(event.kind) {
                Ok(EventKind::Restuck) => self.look_at_stick_entries(),
                Ok(EventKind::NoServer) => {
                    tracing::warn!("{}: a client got no server: {}", self.service(&event), client(&event));
                }
                Ok(EventKind::PortsExhausted) => tracing::warn!(
                    "{}: a client got no source port: {}. hint: a wider source-ports range",
                    self.service(&event),
                    client(&event)
                ),
                Err(number) => tracing::warn!("the data path reports an unknown event, number {number}"),
            }
        }
    }

    /// Takes note of stick entries that the data path has moved by itself.
    pub(super) fn look_at_stick_entries(&mut self) {
        self.observe();
        self.carry_out();
    }

    /// Does what the director decided: first the maps, because clients wait for them; then checks and logs.
    fn carry_out(&mut self) {
        let mut later = Vec::new();
        while let Some(action) = self.director.poll_action() {
            self.layout.follow(&action);
            later.push(action);
        }
        self.write();
        for action in later {
            match action {
                Action::Check { server } => self.check(server),
                Action::Log { severity: Severity::Notice, text } => tracing::info!("{text}"),
                Action::Log { severity: Severity::Warning, text } => tracing::warn!("{text}"),
                Action::Log { severity: Severity::Alert, text } => tracing::error!("{text}"),
                Action::Elect { .. } | Action::Serve { .. } | Action::Stick { .. } => {}
            }
        }
    }

    /// Writes the difference between what the maps hold and what they shall hold.
    fn write(&mut self) {
        self.observe();
        for op in plan::plan(&self.seen, self.layout.wanted()) {
            match self.datapath.apply(op) {
                Ok(true) => plan::apply(op, &mut self.seen),
                // The data path moved the entry between our look and our write: next time we know.
                Ok(false) => tracing::debug!("the data path was faster: {op:?}"),
                Err(error) => tracing::error!(%error, "cannot write a map; trying again"),
            }
        }
    }

    /// Compares the stick entries with what is known of them. What the director has just decided to change is
    /// left to be written; anything else that moved is news to it.
    fn observe(&mut self) {
        let slots: Vec<u32> = self.layout.stick_slots().collect();
        for slot in slots {
            let (Some(live), Some(known)) = (self.datapath.chosen(slot), self.seen.sticks.get_mut(&slot))
            else {
                continue;
            };
            if known.chosen == live {
                continue;
            }
            let undecided = self.layout.wanted().sticks.get(&slot) == Some(&*known);
            known.chosen = live;
            if undecided && let Some((entry, server)) = self.layout.observe_stick(slot, live) {
                self.director.handle_event(self.clock.now(), Event::Restuck { entry, server });
            }
        }
    }

    /// Runs one check; its report comes back as an event.
    fn check(&self, server: ServerRef) {
        let config = Arc::clone(&self.config);
        let (reports, clock) = (self.reports.clone(), self.clock);
        self.checks.spawn(async move {
            let Some(backend) = config.backends.get(server.backend) else { return };
            let Some(check) = backend.servers.get(server.server).and_then(|s| s.check.as_ref()) else {
                return;
            };
            let report = probe::check(check, &backend.check, &backend.timeouts, &clock).await;
            // The loop is gone only when the daemon ends.
            drop(reports.send(Event::Checked { server, report }).await);
        });
    }

    /// The service of an event, for people.
    fn service(&self, event: &abi::Event) -> String {
        match self.layout.service(event.slot) {
            Some(service) => format!("{}:{}", IpAddr::from(service.key.address), service.key.port),
            None => format!("service {}", event.slot),
        }
    }
}

fn client(event: &abi::Event) -> IpAddr {
    event.client.into()
}
