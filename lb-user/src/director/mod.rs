//! Who serves: a pure state machine. Events and the time in, actions out; it knows no clock, no socket,
//! no runtime.
//!
//! Contract of the parts that stand around it:
//! * after every `handle_*` call, drain [`Director::poll_action`] and carry out the actions in their order:
//!   the order is what makes a failover safe half-way;
//! * call [`Director::handle_timeout`] at [`Director::poll_timeout`]; an early call does nothing;
//! * [`Event::Adopted`] comes before the first [`Director::handle_timeout`], which starts the checks and
//!   the first election;
//! * every [`Action::Check`] is answered by one [`Event::Checked`];
//! * moments never go back.
//!
//! An event that names what does not exist is ignored.

mod backend;
pub mod health;
mod log;
pub mod policy;
mod schedule;
mod server;
pub mod table;
#[cfg(test)]
mod tests;
pub mod types;
pub mod view;

use std::collections::VecDeque;

use self::{
    backend::Backend,
    types::{Action, Event},
};
use crate::{clock::Moment, config::model::Config};

/// Decides for every backend who serves.
#[derive(Clone, Debug)]
pub struct Director {
    backends: Vec<Backend>,
    actions: VecDeque<Action>,
}

impl Director {
    /// Copies what it needs. Checked servers start up, one failed check away from down; those that are
    /// `disabled` start in maintenance.
    pub fn new(config: &Config, now: Moment) -> Self {
        let backends = config.backends.iter().enumerate();
        Self {
            backends: backends.map(|(index, backend)| Backend::new(config, index, backend, now)).collect(),
            actions: VecDeque::new(),
        }
    }

    /// Takes note of what happened.
    pub fn handle_event(&mut self, now: Moment, event: Event) {
        let Some(backend) = self.backends.get_mut(event.backend()) else { return };
        let out = &mut self.actions;
        match event {
            Event::Adopted { entry, server } => backend.adopt(now, entry.key, server, out),
            Event::Checked { server, report } => backend.checked(now, server.server, report, out),
            Event::Operator { server, state } => backend.operator(now, server.server, state, out),
            Event::Restuck { entry, server } => backend.restuck(now, entry.key, server, out),
            Event::SetEntry { entry, server } => backend.set_entry(now, entry.key, server, out),
            Event::ClearEntry { entry } => backend.clear_entry(now, entry.key, out),
        }
    }

    /// Starts the checks that are due and ends the wait for a first election that has waited long enough.
    pub fn handle_timeout(&mut self, now: Moment) {
        for backend in &mut self.backends {
            backend.handle_timeout(now, &mut self.actions);
        }
    }

    /// When [`Self::handle_timeout`] is wanted next.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.backends.iter().filter_map(Backend::poll_timeout).min()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }
}
