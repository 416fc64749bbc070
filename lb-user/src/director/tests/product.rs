//! Every reachable state of two servers with every event, as `docs/failover.md` prints it.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
};

use super::{
    config::{with_stick, without_stick},
    document,
    script::{Answer, Script, nth},
};
use crate::{config::model::Config, director::types::AdminState};

#[derive(Clone, Copy, Debug)]
enum Input {
    Down(usize),
    Up(usize),
    Ready(usize),
    Drain(usize),
    Maint(usize),
    Set(usize),
    Clear,
}

const OF_SERVERS: [Input; 10] = {
    use Input::{Down, Drain, Maint, Ready, Up};
    [Down(1), Up(1), Ready(1), Drain(1), Maint(1), Down(2), Up(2), Ready(2), Drain(2), Maint(2)]
};
const OF_TABLE: [Input; 3] = [Input::Set(1), Input::Set(2), Input::Clear];

impl Input {
    fn run(self, script: &mut Script) {
        let in_maint = |script: &Script, server| script.view(server).admin == AdminState::Maint;
        match self {
            // Nobody looks at a server in maintenance.
            Self::Down(server) | Self::Up(server) if in_maint(script, server) => {}
            Self::Down(server) => script.down(server),
            Self::Up(server) => script.up(server),
            Self::Ready(server) => Self::leave_maint(script, server, AdminState::Ready),
            Self::Drain(server) => Self::leave_maint(script, server, AdminState::Drain),
            Self::Maint(server) => script.operator(server, AdminState::Maint),
            Self::Set(server) => script.set(server),
            Self::Clear => script.clear(),
        }
    }

    /// A server that comes out of maintenance passes its checks.
    fn leave_maint(script: &mut Script, server: usize, state: AdminState) {
        if script.view(server).admin == AdminState::Maint {
            script.answers(nth(server), Answer::Passes);
        }
        script.operator(server, state);
        script.advance(300);
    }

    fn say(self) -> String {
        match self {
            Self::Down(server) => format!("s{server} down"),
            Self::Up(server) => format!("s{server} up"),
            Self::Ready(server) => format!("ready s{server}"),
            Self::Drain(server) => format!("drain s{server}"),
            Self::Maint(server) => format!("maint s{server}"),
            Self::Set(server) => format!("set s{server}"),
            Self::Clear => "clear".to_owned(),
        }
    }
}

/// What tells two states apart, in the order of the printed rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    servers: [&'static str; 2],
    entry: Option<usize>,
    serves: Option<usize>,
}

impl State {
    fn of(script: &Script) -> Self {
        let server = |server| {
            let view = script.view(server);
            match (view.admin, view.up) {
                (AdminState::Ready, true) => "up",
                (AdminState::Ready, false) => "down",
                (AdminState::Drain, true) => "drain",
                (AdminState::Drain, false) => "drain, down",
                (AdminState::Maint, _) => "maint",
            }
        };
        Self { servers: [server(1), server(2)], entry: script.stuck(), serves: script.serving() }
    }
}

/// All states that the inputs lead to from the start, each with what every input makes of it.
fn explore(config: &Config, inputs: &[Input]) -> BTreeMap<State, Vec<State>> {
    let start = Script::started(config);
    let mut known = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(script) = queue.pop_front() {
        let state = State::of(&script);
        if known.contains_key(&state) {
            continue;
        }
        let mut outcomes = Vec::new();
        for input in inputs {
            let mut next = script.clone();
            input.run(&mut next);
            outcomes.push(State::of(&next));
            queue.push_back(next);
        }
        known.insert(state, outcomes);
    }
    known
}

fn name(server: Option<usize>) -> String {
    server.map_or("-".to_owned(), |server| format!("s{server}"))
}

/// A row per state, a column per input. A cell is the server that serves afterwards, empty if neither it
/// nor the entry changes.
fn table(config: &Config, inputs: &[Input]) -> String {
    let sticks = config.backends[0].stick_on_dst;
    let mut text = String::from("\n| s1 | s2 | serves |");
    if sticks {
        text.push_str(" entry |");
    }
    for input in inputs {
        write!(text, " {} |", input.say()).unwrap();
    }
    writeln!(text, "\n|{}", "---|".repeat(inputs.len() + 3 + usize::from(sticks))).unwrap();
    for (state, outcomes) in explore(config, inputs) {
        let [s1, s2] = state.servers;
        write!(text, "| {s1} | {s2} | {} |", name(state.serves)).unwrap();
        if sticks {
            write!(text, " {} |", name(state.entry)).unwrap();
        }
        for after in outcomes {
            let cell = match (after.serves, after.entry) {
                same if same == (state.serves, state.entry) => String::new(),
                (None, Some(kept)) => format!("- (s{kept})"),
                (serves, _) => name(serves),
            };
            write!(text, " {cell} |").unwrap();
        }
        text.push('\n');
    }
    text.push('\n');
    text
}

#[test]
fn the_document_has_every_state_and_event_with_a_stick_table() {
    let inputs: Vec<_> = OF_SERVERS.into_iter().chain(OF_TABLE).collect();
    document::section_says("product with stick", &table(&with_stick(), &inputs));
}

#[test]
fn the_document_has_every_state_and_event_without_a_stick_table() {
    document::section_says("product without stick", &table(&without_stick(), &OF_SERVERS));
}
