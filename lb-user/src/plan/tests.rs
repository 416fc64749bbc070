use std::net::{IpAddr, Ipv4Addr};

use lb_ebpf::abi::{DELETED, NONE, word::ServerState};
use proptest::prelude::*;

use super::{Contents, Layout, Op, apply, plan};
use crate::{
    config::{self, Host, Source, model::Config},
    director::types::{Action, EntryRef, ServerRef, Why},
    net::NextHop,
};

const SERVERS: usize = 3;
const BACKENDS: usize = 2;

/// Two backends of three servers called `names`1 …; the first sticks and has two addresses, the second fails back
/// and forwards by `forward`.
fn config(names: &str, forward: &str, ports: &str) -> Config {
    let backend = |number: usize, stick: &str| {
        let servers = (1..=SERVERS).map(|server| {
            let backup = if server == 1 { "" } else { " backup" };
            format!(" server {names}{server} 10.0.{number}.{server}:80 check{backup}\n")
        });
        format!("backend bk{number}\n{stick}{}", servers.collect::<String>())
    };
    let text = format!(
        "defaults\n mode tcp\n timeout client 20s\n timeout server 20s\n timeout connect 4s\n\
         xdp\n forward {forward} backend bk1\n\
         frontend ft0\n bind 10.1.0.1:{ports}\n bind 10.1.0.2:80\n default_backend bk0\n\
         frontend ft1\n bind 10.1.0.3:80\n default_backend bk1\n{}{}",
        backend(0, " stick-table type ip size 10 nopurge\n stick on dst\n"),
        backend(1, ""),
    );
    let source = Source { name: "test.cfg".to_owned(), text };
    config::parse(&[source], &config::Options::default(), &Host).unwrap().config
}

fn vip(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 1, 0, last).into()
}

fn elect(backend: usize, server: Option<usize>) -> Action {
    Action::Elect { backend, server, why: Why::FirstElection }
}

fn serve(backend: usize, server: usize, usable: bool, cut: bool) -> Action {
    Action::Serve { server: ServerRef { backend, server }, usable, cut }
}

fn stick(last: u8, server: Option<usize>) -> Action {
    let entry = EntryRef { backend: 0, key: vip(last) };
    Action::Stick { entry, server, why: Why::FirstElection }
}

/// Everything up, s1 serves everywhere, all next hops known.
fn serving(config: &Config, seen: &Contents) -> Layout {
    let mut layout = Layout::new(config, seen).unwrap();
    for backend in 0..BACKENDS {
        for server in 0..SERVERS {
            layout.follow(&serve(backend, server, true, false));
        }
        layout.follow(&elect(backend, Some(0)));
    }
    layout.follow(&stick(1, Some(0)));
    layout.follow(&stick(2, Some(0)));
    for server in config.backends.iter().flat_map(|backend| &backend.servers) {
        layout.reach(server.address, Some(&hop(1)));
    }
    layout
}

fn hop(last: u8) -> NextHop {
    NextHop {
        interface: 7,
        source_mac: [2, 0, 0, 0, 0, 1],
        destination_mac: [2, 0, 0, 0, 1, last],
        source: vip(200),
    }
}

/// Carries all writes out, looking at every state on the way.
fn carry_out(seen: &mut Contents, wanted: &Contents, look: impl Fn(&Contents, Op)) {
    for op in plan(seen, wanted) {
        apply(op, seen);
        look(seen, op);
    }
}

/// Whatever a map names stands.
fn assert_names_stand(contents: &Contents) {
    for (place, &word) in &contents.index {
        let known = word == DELETED || contents.services.contains_key(&(word - 1));
        assert!(known, "index {place} names service {}", word - 1);
    }
    for service in contents.services.values() {
        assert!(contents.backends.contains_key(&service.backend), "{service:?}");
        assert!(service.stick == NONE || contents.sticks.contains_key(&service.stick), "{service:?}");
        assert!(service.request == NONE || contents.services.contains_key(&service.request), "{service:?}");
    }
    for entry in contents.sticks.values() {
        assert!(known_server(contents, entry.chosen.server), "{entry:?}");
    }
    for backend in contents.backends.values() {
        assert!(known_server(contents, backend.current), "{backend:?}");
    }
    for state in contents.states.values() {
        assert!(contents.servers.contains_key(&state.slot), "{state:?}");
    }
}

fn known_server(contents: &Contents, id: u32) -> bool {
    id == NONE || contents.states.contains_key(&id)
}

/// The server id that a client of each service gets, as the data path selects.
fn who_serves(contents: &Contents) -> Vec<(u32, Option<u32>)> {
    let usable = |id: &u32| contents.states.get(id).is_some_and(|state| state.usable == 1);
    let serves = |service: &lb_ebpf::abi::Service| {
        let stuck = contents.sticks.get(&service.stick).map(|entry| entry.chosen.server);
        let current = contents.backends.get(&service.backend).map(|backend| backend.current);
        stuck.filter(usable).or(current.filter(usable))
    };
    contents.services.iter().map(|(&slot, service)| (slot, serves(service))).collect()
}

#[test]
fn the_maps_become_what_is_wanted_and_stay_so() {
    for forward in ["snat", "dnat", "dsr"] {
        let config = config("s", forward, "80");
        let mut seen = Contents::default();
        let layout = serving(&config, &seen);
        carry_out(&mut seen, layout.wanted(), |contents, _| assert_names_stand(contents));
        assert_eq!(&seen, layout.wanted());
        assert_eq!(plan(&seen, layout.wanted()), []);
    }
}

#[test]
fn a_restart_with_the_same_configuration_writes_nothing() {
    let config = config("s", "dnat", "8000-8009");
    let mut seen = Contents::default();
    carry_out(&mut seen, serving(&config, &Contents::default()).wanted(), |_, _| {});
    let again = Layout::new(&config, &seen).unwrap();
    assert_eq!(plan(&seen, again.wanted()), []);
    assert_eq!(again.adopted().len(), 2);
}

#[test]
fn servers_keep_their_ids_when_others_come_before_them() {
    let mut first = config("s", "snat", "80");
    let mut seen = Contents::default();
    let old = serving(&first, &seen);
    carry_out(&mut seen, old.wanted(), |_, _| {});

    first.backends[0].servers.rotate_left(1);
    first.backends.swap(0, 1);
    for frontend in &mut first.frontends {
        frontend.backend = 1 - frontend.backend;
    }
    let new = Layout::new(&first, &seen).unwrap();
    let s1 = ServerRef { backend: 0, server: 0 };
    let s1_now = ServerRef { backend: 1, server: 2 };
    assert_eq!(old.server_id(s1), new.server_id(s1_now));
    assert_eq!(plan(&seen, new.wanted()), []);
}

#[test]
fn what_is_not_configured_any_more_goes_after_whatever_named_it() {
    let mut seen = Contents::default();
    carry_out(&mut seen, serving(&config("s", "dnat", "80"), &Contents::default()).wanted(), |_, _| {});
    // Other servers, and one port less: new services are installed by the next election.
    let other = config("t", "snat", "81");
    let mut layout = Layout::new(&other, &seen).unwrap();
    carry_out(&mut seen, layout.wanted(), |contents, _| assert_names_stand(contents));
    layout.follow(&serve(0, 0, true, false));
    layout.follow(&elect(0, Some(0)));
    layout.reach(other.backends[0].servers[0].address, Some(&hop(1)));
    carry_out(&mut seen, layout.wanted(), |contents, _| assert_names_stand(contents));
    assert_eq!(&seen, layout.wanted());
    let ports: Vec<u16> = seen.services.values().map(|service| service.key.port).collect();
    assert!(ports.contains(&81) && ports.len() == 3, "{ports:?}");
}

#[test]
fn a_server_that_moves_to_another_machine_loses_its_connections() {
    let mut config = config("s", "snat", "80");
    let mut seen = Contents::default();
    let old = serving(&config, &seen);
    carry_out(&mut seen, old.wanted(), |_, _| {});
    config.backends[0].servers[0].address = vip(77);
    let new = Layout::new(&config, &seen).unwrap();
    let id = new.server_id(ServerRef { backend: 0, server: 0 }).unwrap();
    assert_eq!(new.wanted().states[&id].epoch, seen.states[&id].epoch + 1);
    assert_ne!(new.wanted().states[&id].slot, seen.states[&id].slot);
}

#[test]
fn a_changed_next_hop_is_written_beside_the_old_one_before_it_is_named() {
    let config = config("s", "snat", "80");
    let mut seen = Contents::default();
    let mut layout = serving(&config, &seen);
    carry_out(&mut seen, layout.wanted(), |_, _| {});
    let server = &config.backends[0].servers[0];
    layout.reach(server.address, Some(&hop(9)));

    let ops = plan(&seen, layout.wanted());
    let id = layout.server_id(ServerRef { backend: 0, server: 0 }).unwrap();
    let [Op::Server { slot, .. }, Op::State { id: named, value }] = *ops.as_slice() else {
        panic!("{ops:?}");
    };
    assert_eq!((named, value.slot), (id, slot));
    assert_ne!(slot, seen.states[&id].slot);
}

#[test]
fn services_wait_for_the_next_hop_of_their_server() {
    let config = config("s", "snat", "80");
    let mut layout = Layout::new(&config, &Contents::default()).unwrap();
    layout.follow(&serve(0, 0, true, false));
    layout.follow(&elect(0, Some(0)));
    assert!(layout.wanted().services.is_empty() && layout.wanted().index.is_empty());
    layout.reach(config.backends[0].servers[0].address, Some(&hop(1)));
    assert_eq!(layout.wanted().services.len(), 2);
    // Nobody to wait for: clients are told so at once.
    layout.follow(&elect(1, None));
    assert_eq!(layout.wanted().services.len(), 3);
}

#[test]
fn the_commit_of_a_failover_comes_after_the_new_server_is_named() {
    let config = config("s", "snat", "80");
    let mut seen = Contents::default();
    let mut layout = serving(&config, &seen);
    carry_out(&mut seen, layout.wanted(), |_, _| {});
    // In whatever order the director says it.
    layout.follow(&serve(0, 0, false, true));
    layout.follow(&stick(1, Some(1)));
    layout.follow(&elect(0, Some(1)));
    let ops = plan(&seen, layout.wanted());
    assert!(
        matches!(
            ops.as_slice(),
            [
                Op::Backend { .. },
                Op::State { value: ServerState { usable: 0, epoch: 1, .. }, .. },
                Op::Swing { .. }
            ]
        ),
        "{ops:?}"
    );
}

#[test]
fn ports_beyond_the_capacity_are_refused() {
    let error = Layout::new(&config("s", "snat", "1-60000"), &Contents::default()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("too many services") || text.contains("no free place"), "{text}");
}

#[test]
fn all_ports_of_an_address_take_one_place() {
    let mut seen = Contents::default();
    carry_out(
        &mut seen,
        serving(&config("s", "snat", "1-65535"), &Contents::default()).wanted(),
        |contents, _| assert_names_stand(contents),
    );
    assert_eq!(seen.services.len(), 3);
}

/// A consistent decision: which servers are usable, and the choices that follow from it.
#[derive(Clone, Debug)]
struct Decision {
    usable: [[bool; SERVERS]; BACKENDS],
    stick: [usize; 2],
    cut: bool,
    hop: u8,
}

fn decision() -> impl Strategy<Value = Decision> {
    (any::<[[bool; SERVERS]; BACKENDS]>(), [0..SERVERS, 0..SERVERS], any::<bool>(), 1..5_u8)
        .prop_map(|(usable, stick, cut, hop)| Decision { usable, stick, cut, hop })
}

fn follow(layout: &mut Layout, config: &Config, decision: &Decision) {
    for (backend, usable) in decision.usable.iter().enumerate() {
        let first = usable.iter().position(|&usable| usable);
        layout.follow(&elect(backend, first));
        for (server, &usable) in usable.iter().enumerate() {
            layout.follow(&serve(backend, server, usable, decision.cut && !usable));
        }
        if backend == 0 {
            for (last, &wish) in (1..).zip(&decision.stick) {
                layout.follow(&stick(last, if usable[wish] { Some(wish) } else { first }));
            }
        }
    }
    layout.reach(config.backends[0].servers[0].address, Some(&hop(decision.hop)));
}

proptest! {
    #[test]
    fn every_prefix_of_every_change_serves_whoever_served_before_or_will_serve(
        decisions in proptest::collection::vec(decision(), 1..8),
        forward in prop_oneof!["snat", "dnat", "dsr"],
    ) {
        let config = config("s", &forward, "80");
        let mut seen = Contents::default();
        let mut layout = serving(&config, &seen);
        carry_out(&mut seen, layout.wanted(), |_, _| {});
        for decision in &decisions {
            follow(&mut layout, &config, decision);
            let (before, after) = (who_serves(&seen), who_serves(layout.wanted()));
            carry_out(&mut seen, layout.wanted(), |contents, op| {
                assert_names_stand(contents);
                for ((slot, now), ((_, was), (_, will))) in
                    who_serves(contents).into_iter().zip(before.iter().zip(&after))
                {
                    let continues = was.is_some() && will.is_some();
                    assert!(!continues || now.is_some(), "service {slot} has nobody after {op:?}");
                }
            });
            prop_assert_eq!(&seen, layout.wanted());
        }
    }

    /// A daemon that died between any two writes, and a start from what it left.
    #[test]
    fn a_crash_between_two_writes_is_repaired_by_the_next_start(
        decision in decision(),
        survived in 0..12_usize,
    ) {
        let config = config("s", "snat", "80");
        let mut seen = Contents::default();
        let mut layout = serving(&config, &seen);
        carry_out(&mut seen, layout.wanted(), |_, _| {});
        follow(&mut layout, &config, &decision);
        for op in plan(&seen, layout.wanted()).into_iter().take(survived) {
            apply(op, &mut seen);
        }
        let mut next = Layout::new(&config, &seen).unwrap();
        follow(&mut next, &config, &decision);
        carry_out(&mut seen, next.wanted(), |contents, _| assert_names_stand(contents));
        prop_assert_eq!(&seen, next.wanted());
        prop_assert_eq!(who_serves(&seen), who_serves(layout.wanted()));
    }
}
