//! The first election and the schedule of checks.

use std::time::Duration;

use super::{
    config::{INTER, backend, backup, server, site, with_stick, without_stick},
    script::{Answer, Script, nth, report, vip},
};
use crate::{
    clock::Moment,
    config::model::{Check, Server},
    director::{
        Director,
        types::{Action, AdminState, CheckStatus, EntryRef, Event, ServerRef, Why},
    },
};

fn serve(server: usize, usable: bool, cut: bool) -> Action {
    Action::Serve { server: nth(server), usable, cut }
}

fn at(millis: u64) -> Moment {
    Moment(Duration::from_millis(millis))
}

#[test]
fn the_election_ends_with_the_last_first_result() {
    let mut director = Director::new(&with_stick(), at(0));
    assert_eq!(director.poll_timeout(), Some(at(0)));
    director.handle_timeout(at(0));
    assert_eq!(director.poll_action(), Some(Action::Check { server: nth(1) }));
    assert_eq!(director.poll_action(), Some(Action::Check { server: nth(2) }));
    director.handle_event(at(1), Event::Checked { server: nth(2), report: report(CheckStatus::L4Ok) });
    assert_eq!(director.poll_action(), None, "the backup merely answered first");
    assert!(!director.backend(0).unwrap().elected);
    director.handle_event(at(2), Event::Checked { server: nth(1), report: report(CheckStatus::L4Ok) });
    let why = Why::FirstElection;
    for expected in [
        serve(1, true, false),
        serve(2, true, false),
        Action::Elect { backend: 0, server: Some(0), why },
        Action::Stick { entry: vip(), server: Some(0), why },
    ] {
        assert_eq!(director.poll_action(), Some(expected));
    }
    assert!(director.backend(0).unwrap().elected);
}

#[test]
fn a_dead_primary_is_found_before_the_election() {
    let mut script = Script::new(&with_stick());
    script.answers(nth(1), Answer::Refuses);
    script.advance(0);
    let why = Why::FirstElection;
    assert_eq!(
        script.decisions(),
        [
            serve(2, true, false),
            Action::Elect { backend: 0, server: Some(1), why },
            serve(1, false, true),
            Action::Stick { entry: vip(), server: Some(1), why },
        ]
    );
}

#[test]
fn a_silent_primary_is_waited_for() {
    let mut script = Script::new(&with_stick());
    script.answers(nth(1), Answer::Silent);
    script.advance(99);
    assert_eq!(script.decisions(), []);
    script.advance(1);
    assert_eq!(script.stuck(), Some(2));
}

#[test]
fn the_wait_is_bounded_if_a_report_never_comes() {
    let mut director = Director::new(&with_stick(), at(0));
    director.handle_timeout(at(0));
    director.handle_event(at(1), Event::Checked { server: nth(2), report: report(CheckStatus::L4Ok) });
    director.handle_event(at(1), Event::Operator { server: nth(2), state: AdminState::Maint });
    // The check of 100 ms and the grace of 100 ms.
    assert_eq!(director.poll_timeout(), Some(at(200)));
    director.handle_timeout(at(199));
    assert!(!director.backend(0).unwrap().elected, "an early call does nothing");
    director.handle_timeout(at(200));
    assert_eq!(director.backend(0).unwrap().current, Some(0), "never checked counts as up");
}

#[test]
fn a_backend_without_checks_elects_at_once() {
    let unchecked = |server| Server { check: None, ..server };
    let config = site(vec![backend("bk_app", true, vec![unchecked(server(1)), unchecked(backup(2))])]);
    let script = Script::started(&config);
    assert_eq!(script.stuck(), Some(1));
    assert_eq!(script.director.poll_timeout(), None);
}

#[test]
fn a_server_that_is_disabled_is_neither_checked_nor_waited_for() {
    let disabled = Server { disabled: true, ..server(1) };
    let mut script = Script::started(&site(vec![backend("bk_app", true, vec![disabled, backup(2)])]));
    assert_eq!(script.stuck(), Some(2));
    let checks = script.taken().into_iter().filter(|action| matches!(action, Action::Check { .. }));
    assert_eq!(checks.collect::<Vec<_>>(), [Action::Check { server: nth(2) }]);
    assert_eq!(script.view(1).admin, AdminState::Maint);
}

#[test]
fn the_election_of_nobody_still_opens_the_addresses() {
    let mut script = Script::new(&with_stick());
    script.answers(nth(1), Answer::Refuses);
    script.answers(nth(2), Answer::Refuses);
    script.advance(0);
    let why = Why::FirstElection;
    assert_eq!(
        script.decisions(),
        [
            Action::Elect { backend: 0, server: None, why },
            serve(1, false, true),
            serve(2, false, true),
            Action::Stick { entry: vip(), server: None, why },
        ]
    );
    script.up(2);
    assert_eq!(script.stuck(), Some(2));
}

#[test]
fn an_adopted_entry_stays_where_it_is() {
    let mut script = Script::new(&with_stick());
    script.event(Event::Adopted { entry: vip(), server: 1 });
    script.advance(0);
    let sticks: Vec<_> =
        script.taken().into_iter().filter(|action| matches!(action, Action::Stick { .. })).collect();
    assert_eq!(sticks, [Action::Stick { entry: vip(), server: Some(1), why: Why::Adopted }]);
    assert_eq!(script.director.backend(0).unwrap().current, Some(0));
}

#[test]
fn an_adopted_server_that_is_dead_does_not_wait_for_the_others() {
    let mut script = Script::new(&with_stick());
    script.answers(nth(1), Answer::Refuses);
    script.answers(nth(2), Answer::Silent);
    script.event(Event::Adopted { entry: vip(), server: 0 });
    script.advance(0);
    assert_eq!(script.stuck(), Some(2));
}

#[test]
fn what_the_maps_say_must_exist() {
    let mut script = Script::new(&with_stick());
    script.event(Event::Adopted { entry: vip(), server: 7 });
    script.event(Event::Adopted { entry: EntryRef { backend: 7, ..vip() }, server: 0 });
    assert_eq!(script.taken(), []);
}

#[test]
fn checks_follow_each_other_by_the_interval_of_the_health() {
    let mut config = without_stick();
    let check = Check {
        fast_inter: Some(Duration::from_millis(10)),
        down_inter: Some(Duration::from_millis(500)),
        ..config.backends[0].servers[0].check.clone().unwrap()
    };
    config.backends[0].servers = vec![Server { check: Some(check), ..server(1) }];
    let mut script = Script::started(&config);
    assert_eq!(script.director.poll_timeout(), Some(Moment(INTER)));
    script.answers(nth(1), Answer::Refuses);
    for (millis, next) in [(100, 110), (10, 610)] {
        script.advance(millis);
        assert_eq!(script.director.poll_timeout(), Some(at(next)));
    }
    assert!(!script.view(1).up);
}

/// The worst case of the budget in `docs/failover.md`: the server dies right after it passed a check.
#[test]
fn a_dead_server_is_noticed_within_the_timing_budget() {
    for (answer, down_at) in [(Answer::Refuses, 200), (Answer::Silent, 300)] {
        let mut script = Script::started(&with_stick());
        script.answers(nth(1), answer);
        script.advance(1_000);
        assert_eq!(script.entry().unwrap().since, at(down_at), "{answer:?}");
    }
}

#[test]
fn a_report_that_nobody_asked_for_is_ignored() {
    let mut script = Script::started(&with_stick());
    script.taken();
    for server in [nth(1), ServerRef { backend: 0, server: 9 }, ServerRef { backend: 9, server: 0 }] {
        script.event(Event::Checked { server, report: report(CheckStatus::L4Timeout) });
        script.event(Event::Checked { server, report: report(CheckStatus::L4Timeout) });
    }
    assert_eq!(script.taken(), []);
    assert!(script.view(1).up);
}

#[test]
fn a_report_from_before_maintenance_is_ignored() {
    let mut script = Script::started(&with_stick());
    script.answers(nth(1), Answer::Silent);
    script.advance(150);
    script.answers(nth(1), Answer::Passes);
    assert!(script.view(1).check_in_progress);
    script.operator(1, AdminState::Maint);
    script.operator(1, AdminState::Ready);
    let checks_of_s1 = |script: &mut Script| {
        let is_check = |action: &Action| *action == Action::Check { server: nth(1) };
        script.taken().iter().filter(|action| is_check(action)).count()
    };
    checks_of_s1(&mut script);
    script.advance(49);
    assert_eq!(checks_of_s1(&mut script), 0, "the old check is still under way");
    script.advance(1);
    assert!(script.view(1).up, "its failure would have been enough");
    assert_eq!(checks_of_s1(&mut script), 1, "the next one starts at once");
}

#[test]
fn a_server_in_maintenance_is_not_checked() {
    let mut script = Script::started(&with_stick());
    script.operator(1, AdminState::Maint);
    script.taken();
    script.advance(1_000);
    assert!(!script.taken().contains(&Action::Check { server: nth(1) }));
    script.operator(1, AdminState::Ready);
    script.advance(0);
    assert!(script.taken().contains(&Action::Check { server: nth(1) }));
}
