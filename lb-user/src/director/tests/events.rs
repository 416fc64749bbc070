//! The order of actions, the log, the table's commands.

use std::{net::IpAddr, time::Duration};

use super::{
    config::{three_servers, with_stick, without_stick},
    script::{Script, nth, vip},
};
use crate::{
    clock::Moment,
    director::{
        policy::Eligible,
        table::SetEntryError,
        types::{Action, AdminState, EntryRef, Event, Why},
        view::EntryView,
    },
};

fn elect(server: Option<usize>, why: Why) -> Action {
    Action::Elect { backend: 0, server: server.map(|server| server - 1), why }
}

fn serve(server: usize, usable: bool, cut: bool) -> Action {
    Action::Serve { server: nth(server), usable, cut }
}

fn stick(server: Option<usize>, why: Why) -> Action {
    Action::Stick { entry: vip(), server: server.map(|server| server - 1), why }
}

/// A key that is no address of a frontend.
fn other(last: u8) -> EntryRef {
    EntryRef { backend: 0, key: IpAddr::from([10, 0, 9, last]) }
}

#[test]
fn a_failover_elects_commits_sticks_and_logs_in_this_order() {
    let mut script = Script::started(&with_stick());
    script.taken();
    script.down(1);
    let mut actions = script.taken();
    actions.retain(|action| !matches!(action, Action::Check { .. }));
    let why = Why::HealthDown;
    assert_eq!(actions[..3], [elect(Some(2), why), serve(1, false, true), stick(Some(2), why)]);
    assert!(actions[3..].iter().all(|action| matches!(action, Action::Log { .. })), "{actions:?}");
}

#[test]
fn a_return_serves_before_it_is_elected_and_moves_nothing() {
    let mut script = Script::started(&with_stick());
    script.down(1);
    script.taken();
    script.up(1);
    assert_eq!(script.decisions(), [serve(1, true, false), elect(Some(1), Why::HealthUp)]);
    assert_eq!(script.serving(), Some(2));
}

#[test]
fn without_a_stick_table_the_election_alone_fails_back() {
    let mut script = Script::started(&without_stick());
    script.down(1);
    script.taken();
    script.up(1);
    assert_eq!(script.decisions(), [serve(1, true, false), elect(Some(1), Why::HealthUp)]);
    assert_eq!(script.serving(), Some(1));
}

#[test]
fn the_log_tells_a_failover_and_what_follows() {
    let mut script = Script::started(&with_stick());
    script.taken();
    script.down(1);
    script.down(2);
    script.up(1);
    script.operator(1, AdminState::Maint);
    script.operator(1, AdminState::Maint);
    assert_eq!(
        script.lines(),
        [
            "Server bk_app/s1 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check duration: 0ms. 0 active and 1 backup servers left. Running on backup. 0 sessions active, 0 requeued, 0 remaining in queue.",
            "Backend bk_app: traffic without a stick entry moves from s1 to s2 (health down).",
            "Stick table bk_app: 10.0.0.100 moves from s1 to s2 (health down).",
            "Backup Server bk_app/s2 is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check duration: 0ms. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
            "backend 'bk_app' has no server available!",
            "Backend bk_app: no server for traffic without a stick entry (health down).",
            "Stick table bk_app: 10.0.0.100 keeps s2, no server is eligible (health down).",
            "Server bk_app/s1 is UP, reason: Layer4 check passed, check duration: 0ms. 1 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.",
            "Backend bk_app: traffic without a stick entry goes to s1 (health up).",
            "Stick table bk_app: 10.0.0.100 moves from s2 to s1 (health up).",
            "Server bk_app/s1 is going DOWN for maintenance. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
            "backend 'bk_app' has no server available!",
            "Backend bk_app: no server for traffic without a stick entry (operator).",
            "Stick table bk_app: 10.0.0.100 keeps s1, no server is eligible (operator).",
        ]
    );
}

#[test]
fn maintenance_cuts_connections_only_where_configured() {
    for shutdown in [false, true] {
        let mut config = with_stick();
        config.backends[0].servers[0].shutdown_sessions_on_down = shutdown;
        let mut script = Script::started(&config);
        script.taken();
        script.operator(1, AdminState::Maint);
        let why = Why::Operator;
        assert_eq!(script.decisions(), [elect(Some(2), why), serve(1, false, shutdown), stick(Some(2), why)]);
    }
}

#[test]
fn drain_moves_the_choice_and_not_the_traffic() {
    let mut script = Script::started(&with_stick());
    script.taken();
    script.operator(1, AdminState::Drain);
    assert_eq!(script.decisions(), [elect(Some(2), Why::Operator)]);
    assert_eq!(script.serving(), Some(1));
}

#[test]
fn a_server_that_leaves_maintenance_is_up_with_one_failure_left() {
    let mut script = Script::started(&with_stick());
    script.down(1);
    script.operator(1, AdminState::Maint);
    assert_eq!(script.view(1).health, Some(0));
    script.operator(1, AdminState::Ready);
    assert!(script.view(1).up);
    assert_eq!(script.view(1).health, Some(2));
    script.advance(0);
    assert!(!script.view(1).up, "it still refuses its checks");
}

#[test]
fn a_server_that_leaves_drain_is_as_its_checks_say() {
    let mut script = Script::started(&with_stick());
    script.down(1);
    script.operator(1, AdminState::Drain);
    script.operator(1, AdminState::Ready);
    assert!(!script.view(1).up);
}

#[test]
fn the_data_path_is_believed_about_usable_servers() {
    let mut script = Script::started(&three_servers(true));
    script.down(3);
    script.taken();
    script.event(Event::Restuck { entry: vip(), server: 2 });
    script.event(Event::Restuck { entry: vip(), server: 0 });
    script.event(Event::Restuck { entry: vip(), server: 9 });
    script.event(Event::Restuck { entry: other(1), server: 1 });
    assert_eq!(script.decisions(), [], "unusable, no news, no such server, no such entry");
    script.event(Event::Restuck { entry: vip(), server: 1 });
    assert_eq!(script.decisions(), [stick(Some(2), Why::DataPath)]);
}

#[test]
fn an_entry_set_to_an_unusable_server_goes_to_the_current_one() {
    let mut script = Script::started(&three_servers(true));
    script.set(2);
    script.down(3);
    script.taken();
    script.set(3);
    let mut actions = script.taken();
    actions.retain(|action| !matches!(action, Action::Check { .. }));
    assert_eq!(actions.remove(0), stick(Some(1), Why::TableCommand));
    let lines: Vec<_> = actions
        .iter()
        .filter_map(|action| if let Action::Log { text, .. } = action { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(
        lines,
        [
            "Stick table bk_app: 10.0.0.100 is set to s3, which is not usable.",
            "Stick table bk_app: 10.0.0.100 moves from s2 to s1 (table command).",
        ]
    );
}

#[test]
fn an_entry_set_to_an_unusable_server_stays_on_a_drained_one_if_nobody_is_eligible() {
    let mut script = Script::started(&with_stick());
    script.down(2);
    script.operator(1, AdminState::Drain);
    script.taken();
    script.set(2);
    assert_eq!(script.decisions(), []);
    assert_eq!(script.serving(), Some(1));
}

#[test]
fn clearing_elects_anew_at_once() {
    let mut script = Script::started(&with_stick());
    script.set(2);
    script.taken();
    script.clear();
    assert_eq!(script.decisions(), [stick(Some(1), Why::TableCommand)]);
    script.clear();
    assert_eq!(
        script.lines(),
        [
            "Stick table bk_app: 10.0.0.100 is cleared.",
            "Stick table bk_app: 10.0.0.100 stays on s1 (table command).",
        ]
    );
}

#[test]
fn clearing_before_the_election_only_forgets() {
    let mut script = Script::new(&with_stick());
    script.event(Event::Adopted { entry: vip(), server: 1 });
    script.taken();
    script.clear();
    assert_eq!(script.decisions(), []);
    script.advance(0);
    assert_eq!(script.stuck(), Some(1));
}

#[test]
fn other_keys_fit_until_the_table_is_full() {
    let mut script = Script::started(&with_stick());
    assert_eq!(script.director.may_set_entry(other(1), 0), Ok(()));
    script.event(Event::SetEntry { entry: other(1), server: 0 });
    assert_eq!(script.director.may_set_entry(other(1), 1), Ok(()), "it exists");
    assert_eq!(script.director.may_set_entry(vip(), 1), Ok(()), "it exists");
    let full = SetEntryError::TableFull { used: 2, size: 2 };
    assert_eq!(script.director.may_set_entry(other(2), 0), Err(full));
    script.taken();
    script.event(Event::SetEntry { entry: other(2), server: 0 });
    assert_eq!(script.taken(), []);
    script.event(Event::ClearEntry { entry: other(1) });
    assert_eq!(script.director.may_set_entry(other(2), 0), Ok(()));
}

#[test]
fn a_full_table_that_may_purge_gives_up_its_oldest_other_key() {
    let mut config = with_stick();
    let table = config.backends[0].table.as_mut().unwrap();
    (table.size, table.nopurge) = (3, false);
    let mut script = Script::started(&config);
    for last in [2, 1, 3] {
        script.advance(10);
        script.event(Event::SetEntry { entry: other(last), server: 0 });
    }
    let keys: Vec<_> = script.director.entries(0).map(|entry| entry.key).collect();
    assert_eq!(keys, [vip().key, other(1).key, other(3).key]);
    let removed = Action::Stick { entry: other(2), server: None, why: Why::TableCommand };
    assert!(script.taken().contains(&removed));
}

#[test]
fn a_table_full_of_served_addresses_has_no_room_even_if_it_may_purge() {
    let mut config = with_stick();
    let table = config.backends[0].table.as_mut().unwrap();
    (table.size, table.nopurge) = (1, false);
    let script = Script::started(&config);
    let full = SetEntryError::TableFull { used: 1, size: 1 };
    assert_eq!(script.director.may_set_entry(other(1), 0), Err(full));
}

#[test]
fn an_entry_needs_a_table_and_a_server() {
    let script = Script::started(&without_stick());
    assert_eq!(script.director.may_set_entry(vip(), 0), Err(SetEntryError::NoTable { backend: 0 }));
    let elsewhere = EntryRef { backend: 4, ..vip() };
    assert_eq!(script.director.may_set_entry(elsewhere, 0), Err(SetEntryError::NoTable { backend: 4 }));
    let script = Script::started(&with_stick());
    let missing = SetEntryError::NoServer { backend: 0, server: 2 };
    assert_eq!(script.director.may_set_entry(vip(), 2), Err(missing));
}

#[test]
fn every_distinct_address_has_an_entry() {
    let mut config = with_stick();
    let addresses: Vec<IpAddr> =
        ["10.0.0.100", "10.0.0.55", "10.0.0.100"].iter().map(|text| text.parse().unwrap()).collect();
    config.frontends.push(super::config::frontend(0, &addresses));
    let mut script = Script::started(&config);
    script.down(1);
    let entries: Vec<_> =
        script.director.entries(0).map(|entry| (entry.key.to_string(), entry.server)).collect();
    assert_eq!(entries, [("10.0.0.55".to_owned(), Some(1)), ("10.0.0.100".to_owned(), Some(1))]);
}

#[test]
fn the_views_say_what_is() {
    let mut script = Script::started(&with_stick());
    script.advance(50);
    let failed = Moment(Duration::from_millis(200));
    script.down(1);
    let view = script.view(1);
    assert_eq!((view.up, view.usable, view.eligible, view.health), (false, false, false, Some(0)));
    assert_eq!(view.last_change, failed);
    assert_eq!(view.last_report.unwrap().info.as_deref(), Some("Connection refused"));
    let backend = script.director.backend(0).unwrap();
    assert_eq!((backend.current, backend.elected), (Some(1), true));
    assert_eq!(backend.eligible, Eligible { active: 0, backup: 1 });
    assert_eq!(backend.last_change, Moment::default());
    let entry = EntryView { key: vip().key, server: Some(1), since: failed };
    assert_eq!(script.entry(), Some(entry));
    script.down(2);
    assert!(script.director.backend(0).unwrap().last_change > failed);
}
