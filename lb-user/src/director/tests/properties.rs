//! What holds after any sequence of events.

use std::{fmt::Write as _, net::IpAddr};

use proptest::{collection::vec, prelude::*};

use super::{
    config,
    script::{Answer, DataPath, Script, report},
};
use crate::{
    config::model::{Backend, Config, Server},
    director::{
        Director,
        types::{Action, AdminState, CheckStatus, EntryRef, Event, ServerRef},
    },
};

/// One thing that happens to a whole site.
#[derive(Clone, Debug)]
enum Happening {
    Passes(u64),
    Answer(ServerRef, Answer),
    Event(Event),
}

fn server() -> impl Strategy<Value = Server> {
    (any::<bool>(), 0..4_u32, 1..4_u32, 1..4_u32, prop::bool::weighted(0.8), 0..8_u8).prop_map(
        |(backup, weight, rise, fall, checked, flags)| {
            let mut server = config::server(1);
            server.backup = backup;
            server.weight = weight.min(1);
            server.disabled = flags == 0;
            server.shutdown_sessions_on_down = flags % 2 == 1;
            server.check = server.check.filter(|_| checked).map(|mut check| {
                (check.rise, check.fall) = (rise, fall);
                check
            });
            server
        },
    )
}

fn backend() -> impl Strategy<Value = Backend> {
    (vec(server(), 1..4), prop::bool::weighted(0.7), any::<bool>()).prop_map(
        |(mut servers, stick, nopurge)| {
            for (server, id) in servers.iter_mut().zip(1..) {
                server.id = id;
                server.name.clear();
                write!(server.name, "s{id}").unwrap();
            }
            let mut backend = config::backend("bk", stick, servers);
            if let Some(table) = &mut backend.table {
                table.nopurge = nopurge;
            }
            backend
        },
    )
}

/// Up to three backends, each at 10.0.0.100 + n and 10.0.0.200.
fn site() -> impl Strategy<Value = Config> {
    vec(backend(), 1..4).prop_map(|backends| {
        let mut config = config::site(backends);
        for backend in 0..config.backends.len() {
            config.frontends.push(config::frontend(backend, &[IpAddr::from([10, 0, 0, 200])]));
        }
        config
    })
}

/// Sometimes names a backend or a server that does not exist.
fn server_ref() -> impl Strategy<Value = ServerRef> {
    (0..4_usize, 0..4_usize).prop_map(|(backend, server)| ServerRef { backend, server })
}

/// Served addresses, and one that only the operator knows.
fn entry_ref() -> impl Strategy<Value = EntryRef> {
    (0..4_usize, prop::sample::select(vec![100_u8, 101, 102, 200, 250, 251]))
        .prop_map(|(backend, last)| EntryRef { backend, key: IpAddr::from([10, 0, 0, last]) })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop::sample::select(vec![Answer::Passes, Answer::Refuses, Answer::Silent])
}

fn happening() -> impl Strategy<Value = Happening> {
    use AdminState::{Drain, Maint, Ready};
    let event = prop_oneof![
        4 => (server_ref(), prop::sample::select(vec![Ready, Drain, Maint]))
            .prop_map(|(server, state)| Event::Operator { server, state }),
        1 => server_ref()
            .prop_map(|server| Event::Checked { server, report: report(CheckStatus::L7Timeout) }),
        2 => (entry_ref(), 0..4_usize).prop_map(|(entry, server)| Event::SetEntry { entry, server }),
        2 => (entry_ref(), 0..4_usize).prop_map(|(entry, server)| Event::Restuck { entry, server }),
        1 => (entry_ref(), 0..4_usize).prop_map(|(entry, server)| Event::Adopted { entry, server }),
        1 => entry_ref().prop_map(|entry| Event::ClearEntry { entry }),
    ];
    prop_oneof![
        3 => (0..400_u64).prop_map(Happening::Passes),
        3 => (server_ref(), answer()).prop_map(|(server, answer)| Happening::Answer(server, answer)),
        4 => event.prop_map(Happening::Event),
    ]
}

fn entries(director: &Director, backend: usize) -> Vec<(EntryRef, Option<usize>)> {
    director.entries(backend).map(|entry| (EntryRef { backend, key: entry.key }, entry.server)).collect()
}

fn is_usable(director: &Director, backend: usize, server: usize) -> bool {
    director.server(ServerRef { backend, server }).is_some_and(|server| server.usable)
}

fn is_eligible(director: &Director, backend: usize, server: usize) -> bool {
    director.server(ServerRef { backend, server }).is_some_and(|server| server.eligible)
}

/// The choice told again, from the views alone.
fn preferred(config: &Config, director: &Director, backend: usize) -> Option<usize> {
    let servers = &config.backends[backend].servers;
    let mut eligible: Vec<_> =
        (0..servers.len()).filter(|server| is_eligible(director, backend, *server)).collect();
    eligible.sort_by_key(|server| (servers[*server].backup, *server));
    eligible.first().copied()
}

/// The state that the last action leaves must be one the director stands by.
fn check_state(config: &Config, script: &Script) {
    let director = &script.director;
    for (backend, configured) in config.backends.iter().enumerate() {
        let view = director.backend(backend).unwrap();
        assert_eq!(view.elected, script.path.is_serving(backend));
        if !view.elected {
            continue;
        }
        assert_eq!(view.current, preferred(config, director, backend));
        assert_eq!(script.path.current(backend), view.current);
        for server in 0..configured.servers.len() {
            assert_eq!(script.path.is_usable(backend, server), is_usable(director, backend, server));
        }
        for (entry, server) in entries(director, backend) {
            assert_eq!(script.path.stuck(entry), server, "{entry:?}");
            let usable = server.is_some_and(|server| is_usable(director, backend, server));
            assert!(usable || view.current.is_none(), "{entry:?} waits while {:?} could serve", view.current);
        }
    }
}

/// Every state that the data path goes through on the way must be safe, as the daemon may die in it.
fn check_prefixes(before: &Script, after: &Script, actions: &[Action]) {
    let mut path: DataPath = before.path.clone();
    for action in actions {
        path.apply(action);
        let backend = match action {
            Action::Elect { backend, .. } => *backend,
            Action::Serve { server, .. } => server.backend,
            Action::Stick { entry, .. } => entry.backend,
            Action::Check { .. } | Action::Log { .. } => continue,
        };
        if let Some(current) = path.current(backend) {
            assert!(path.is_usable(backend, current), "the current server may not serve after {action:?}");
        }
        if !path.is_serving(backend) {
            continue;
        }
        for (entry, _) in entries(&after.director, backend) {
            let target = path.target(entry);
            if let Some(target) = target {
                let sides = [before, after];
                let usable = sides.iter().any(|side| is_usable(&side.director, backend, target));
                assert!(usable, "{entry:?} reaches an unusable server after {action:?}");
            }
            let could_serve = (0..4).any(|server| {
                is_eligible(&before.director, backend, server)
                    && is_eligible(&after.director, backend, server)
            });
            assert!(target.is_some() || !could_serve, "{entry:?} reaches nobody after {action:?}");
        }
    }
}

/// An entry leaves a server that could go on only by a command, or because the data path did it.
fn check_no_failback(before: &Script, after: &Script, happening: &Happening) {
    let named = match happening {
        Happening::Event(
            Event::SetEntry { entry, .. }
            | Event::ClearEntry { entry }
            | Event::Restuck { entry, .. }
            | Event::Adopted { entry, .. },
        ) => Some(*entry),
        Happening::Event(Event::Checked { .. } | Event::Operator { .. })
        | Happening::Passes(_)
        | Happening::Answer(..) => None,
    };
    for backend in 0..4 {
        let later = entries(&after.director, backend);
        for (entry, server) in entries(&before.director, backend) {
            let Some(server) = server.filter(|server| is_usable(&before.director, backend, *server)) else {
                continue;
            };
            let stays = later.contains(&(entry, Some(server)));
            let purged = !later.iter().any(|(other, _)| *other == entry);
            let reason = named == Some(entry) || purged || !is_usable(&after.director, backend, server);
            assert!(stays || reason, "{entry:?} left s{} by {happening:?}", server + 1);
        }
    }
}

/// Setting an entry moves traffic or leaves it; it never takes an address out of service.
fn check_set_entry(before: &Script, after: &Script, happening: &Happening) {
    if let Happening::Event(Event::SetEntry { entry, .. }) = happening {
        let lost = before.path.target(*entry).is_some() && after.path.target(*entry).is_none();
        assert!(!lost, "{happening:?} took the address out of service");
    }
}

/// The same word a second time changes nothing.
fn check_repetition(after: &Script, event: &Event) {
    let mut again = after.clone();
    again.taken();
    again.event(event.clone());
    assert_eq!(again.decisions(), [], "{event:?} repeated");
}

fn run(config: &Config, adopted: &[(EntryRef, usize)], happenings: &[Happening]) {
    let mut script = Script::new(config);
    for (entry, server) in adopted {
        script.event(Event::Adopted { entry: *entry, server: *server });
    }
    script.taken();
    for happening in happenings {
        let check = |before: &Script, script: &mut Script| {
            let actions = script.taken();
            check_state(config, script);
            check_prefixes(before, script, &actions);
            check_no_failback(before, script, happening);
            check_set_entry(before, script, happening);
            check_checks(before, &actions);
        };
        let mut before = script.clone();
        match happening {
            Happening::Passes(millis) => {
                let target = script.later(*millis);
                while script.step(target) {
                    check(&before, &mut script);
                    before = script.clone();
                }
            }
            Happening::Answer(server, answer) => script.answers(*server, *answer),
            Happening::Event(event) => {
                script.event(event.clone());
                check(&before, &mut script);
                check_repetition(&script, event);
            }
        }
    }
    // However it went, the first election ends.
    script.advance(1_000);
    for backend in 0..config.backends.len() {
        assert!(script.director.backend(backend).unwrap().elected);
    }
}

/// That no server has two checks at a time is asserted by [`Script`] itself, and that time goes on.
fn check_checks(before: &Script, actions: &[Action]) {
    for action in actions {
        if let Action::Check { server } = action {
            let view = before.director.server(*server).unwrap();
            assert_ne!(view.admin, AdminState::Maint, "{server:?} is checked in maintenance");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_invariants_hold_after_any_events(
        config in site(),
        adopted in vec((entry_ref(), 0..4_usize), 0..3),
        happenings in vec(happening(), 1..40),
    ) {
        run(&config, &adopted, &happenings);
    }
}
