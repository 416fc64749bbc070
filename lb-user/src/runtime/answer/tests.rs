//! Answers that the captures do not hold. Unless said otherwise they were seen from HAProxy 2.6.12.

use std::{net::IpAddr, time::Duration};

use super::*;
use crate::{
    clock::Moment,
    config::model::{ServerPort, StickKind},
    director::types::{AdminState, CheckStatus},
    runtime::{
        lab::Lab,
        view::{EntryView, ServerView},
    },
};

#[track_caller]
fn expect(lab: &mut Lab, level: Level, line: &str, answer: &str) {
    assert_eq!(execute(lab, level, line).render(SeverityOutput::None), answer, "{line}");
}

/// As an administrator of a fresh lab.
#[track_caller]
fn expect_fresh(line: &str, answer: &str) {
    expect(&mut Lab::new(), Level::Admin, line, answer);
}

fn state_line(lab: &mut Lab, name: &str) -> String {
    let answer = execute(lab, Level::Admin, "show servers state").render(SeverityOutput::None);
    let line = answer.lines().find(|line| line.split(' ').nth(3) == Some(name));
    line.expect("the server has a line").to_owned()
}

#[test]
fn backends_and_servers_can_be_named_by_id() {
    let mut lab = Lab::new();
    expect(&mut lab, Level::Admin, "disable server #3/#1", "\n");
    assert_eq!(lab.servers[0].admin, AdminState::Maint);
    expect(&mut lab, Level::Admin, "enable server #3/s1", "\n");
    assert_eq!(lab.servers[0].admin, AdminState::Ready);
    expect_fresh("enable server #9/s1", "No such backend.\n\n");
    expect_fresh("enable server 3/1", "No such backend.\n\n");
    expect_fresh("enable server #3/#9", "No such server.\n\n");
}

#[test]
fn a_server_name_has_two_parts() {
    for name in ["", "bk_app", "bk_app/", "/s1", "/"] {
        expect_fresh(&format!("disable server {name}"), "Require 'backend/server'.\n\n");
    }
    expect_fresh("disable server bk_app/s1/x", "No such server.\n\n");
}

#[test]
fn what_set_server_cannot_do_yet_is_said() {
    expect_fresh("set server bk_app/s1 weight 10", "'set server <srv> weight' is not supported.\n\n");
    expect_fresh("set server bk_app/s1 addr 10.0.0.3", "'set server <srv> addr' is not supported.\n\n");
    expect_fresh("show info json", "'show info json' is not supported.\n\n");
}

#[test]
fn levels_are_checked_before_arguments() {
    let mut lab = Lab::new();
    for line in ["set server", "disable server x", "set table", "clear table nope", "operator"] {
        expect(&mut lab, Level::User, line, "Permission denied\n\n");
    }
    for line in ["set server", "enable server bk_app/s1"] {
        expect(&mut lab, Level::Operator, line, "Permission denied\n\n");
    }
    expect(&mut lab, Level::User, "show table bk_app key 10.0.0.100", "Permission denied\n\n");
    expect(&mut lab, Level::User, "show table nope", "No such table\n\n");
}

#[test]
fn filters_of_show_table_are_combined() {
    let mut lab = Lab::new();
    expect(&mut lab, Level::Admin, "set table bk_app key 10.0.0.9 data.server_id 2", "\n");
    let line = "show table bk_app data.server_id gt 0 data.server_id lt 2";
    expect(
        &mut lab,
        Level::Admin,
        line,
        "# table: bk_app, type: ip, size:2, used:2\n\
         0xa000064: key=10.0.0.100 use=0 exp=0 server_id=1 server_key=s1\n\n",
    );
    expect(
        &mut lab,
        Level::Admin,
        "show table bk_app data.server_key eq 1",
        "# table: bk_app, type: ip, size:2, used:2\n\n",
    );
}

#[test]
fn what_is_wrong_with_a_filter_is_said() {
    let operators = r#"Require and operator among "eq", "ne", "le", "ge", "lt", "gt""#;
    for (filter, fault) in [
        ("key", "Key value expected"),
        ("data.server_id", &format!("Filter entry #1: {operators}")),
        ("data.server_id eq", "Filter entry #1: Require a valid integer value to compare against"),
        ("data.server_id eq 1x", "Filter entry #1: Require a valid integer value to compare against"),
        ("data.server_id eq 1 data.server_id", &format!("Filter entry #2: {operators}")),
        ("data.server_id eq 1 data.foo", "Filter entry #2: Unknown data type"),
        ("data.gpc0 eq 1", "Filter entry #1: Data type not stored in this table"),
        (
            "data.server_id ge 1 data.server_id le 8 data.server_id ne 3 data.server_id lt 5 data.server_id lt 5",
            "Detected extra data in filter, 16th word of input, after '5'",
        ),
    ] {
        expect_fresh(&format!("show table bk_app {filter}"), &format!("{fault}\n\n"));
        expect_fresh(&format!("clear table bk_app {filter}"), &format!("{fault}\n\n"));
    }
}

#[test]
fn clear_table_forgets_what_its_filter_takes() {
    let mut lab = Lab::new();
    expect(&mut lab, Level::Operator, "set table bk_app key 10.0.0.9 data.server_id 2", "\n");
    expect(&mut lab, Level::Operator, "clear table bk_app data.server_id eq 2", "\n");
    assert_eq!(lab.entries.len(), 1);
    expect(&mut lab, Level::Operator, "clear table bk_app key zz", "\n");
    assert_eq!(lab.entries.len(), 1);
}

#[test]
fn set_table_moves_the_entry_to_the_server_of_that_id() {
    let mut lab = Lab::new();
    lab.config.backends[0].servers[1].id = 20;
    expect(&mut lab, Level::Operator, "set table bk_app key 10.0.0.100 data.server_id 20", "\n");
    assert_eq!(lab.entries[0].server, Some(1));
    // Not so in HAProxy, which stores any number.
    expect(
        &mut lab,
        Level::Operator,
        "set table bk_app key 10.0.0.100 data.server_id 2",
        "No such server.\n\n",
    );
    assert_eq!(lab.entries[0].server, Some(1));
}

#[test]
fn set_table_changes_nothing_unless_every_word_is_right() {
    for (words, complaint) in [
        ("key", "Key value expected"),
        ("foo", "Required arguments: <table> key <key> [data.<store_data_type> <value>]*"),
        (
            "data.server_id eq 1",
            r#"content-based lookup is only supported with the "show" and "clear" actions"#,
        ),
        ("key 10.0.0.100 foo 2", r#""data.<type>" followed by a value expected"#),
        ("key 10.0.0.100 data.server_id 2 foo", r#""data.<type>" followed by a value expected"#),
        ("key 10.0.0.100 data.server_id +2", "Require a valid integer value to store"),
        ("key 10.0.0.100 data.server_id 0x2", "Require a valid integer value to store"),
        ("key 10.0.0.100 data.foo 2", "Unknown data type"),
        // HAProxy resolves these as host names, and makes an entry for whatever comes out.
        ("key zz data.server_id 2", "Invalid key"),
        ("key 10.0.0 data.server_id 2", "Invalid key"),
        ("key ::1 data.server_id 2", "Invalid key"),
    ] {
        let mut lab = Lab::new();
        expect(&mut lab, Level::Admin, &format!("set table bk_app {words}"), &format!("{complaint}\n\n"));
        assert_eq!(lab.entries, Lab::new().entries, "{words}");
    }
}

#[test]
fn an_ipv6_table_shows_ipv4_keys_as_mapped_addresses() {
    let mut lab = Lab::new();
    let table = lab.config.backends[0].table.as_mut().unwrap();
    (table.kind, table.size) = (StickKind::Ipv6, 1024);
    let key: IpAddr = "fe80::1".parse().unwrap();
    lab.entries.push(EntryView { key, server: None, expires_in: Some(Duration::from_millis(599_999)) });
    lab.entries.reverse();
    expect(
        &mut lab,
        Level::Admin,
        "show table bk_app",
        "# table: bk_app, type: ipv6, size:1024, used:2\n\
         0xffff0a000064: key=::ffff:10.0.0.100 use=0 exp=0 server_id=1 server_key=s1\n\
         0xfe800000000000000000000000000001: key=fe80::1 use=0 exp=599999 server_id=0 server_key=-\n\n",
    );
    expect(&mut lab, Level::Admin, "show table bk_app key 10.0.0.100", "Invalid key\n\n");
    expect(&mut lab, Level::Admin, "clear table bk_app key ::ffff:10.0.0.100", "\n");
    assert_eq!(lab.entries.len(), 1);
}

#[test]
fn tables_are_listed_from_the_last_to_the_first() {
    let mut lab = Lab::new();
    let mut second = lab.config.backends[0].clone();
    second.name = "bk_second".to_owned();
    let mut third = second.clone();
    third.table = None;
    lab.config.backends.extend([third, second]);
    expect(
        &mut lab,
        Level::User,
        "show table",
        "# table: bk_second, type: ip, size:2, used:0\n# table: bk_app, type: ip, size:2, used:1\n\n",
    );
}

#[test]
fn a_server_that_is_down_is_stopped_and_its_last_check_failed() {
    let mut lab = Lab::new();
    lab.servers[0] = ServerView {
        up: false,
        health: 0,
        since: Moment(Duration::from_secs(1)),
        last_check: Some(CheckStatus::L4Connection),
        ..lab.servers[0]
    };
    assert_eq!(state_line(&mut lab, "s1"), "3 bk_app 1 s1 10.0.0.1 0 0 1 1 3 8 2 0 6 0 0 0 - 80 - 0 0 - - 0");
}

#[test]
fn check_status_numbers_are_haproxys() {
    for (status, number) in [
        // Not seen; the numbers around it leave no other.
        (CheckStatus::SocketError, "5 2"),
        (CheckStatus::L4Ok, "6 3"),
        (CheckStatus::L4Timeout, "7 2"),
        (CheckStatus::L4Connection, "8 2"),
        (CheckStatus::L7Timeout, "12 2"),
        (CheckStatus::L7Response, "13 2"),
        (CheckStatus::L7Ok, "15 3"),
        (CheckStatus::L7Status, "17 2"),
    ] {
        let mut lab = Lab::new();
        lab.servers[0].last_check = Some(status);
        let line = state_line(&mut lab, "s1");
        assert!(line.contains(&format!(" 4 {number} 4 6 ")), "{status:?}: {line}");
    }
}

#[test]
fn a_server_without_checks_shows_none() {
    let mut lab = Lab::new();
    lab.config.backends[0].servers[0].check = None;
    lab.servers[0].last_check = None;
    assert_eq!(state_line(&mut lab, "s1"), "3 bk_app 1 s1 10.0.0.1 2 0 1 1 4 1 0 2 0 0 0 0 - 80 - 0 0 - - 0");
}

#[test]
fn disabled_stays_visible_after_the_server_was_enabled() {
    let mut lab = Lab::new();
    lab.config.backends[0].servers[0].disabled = true;
    lab.servers[0] = ServerView { admin: AdminState::Maint, last_check: None, ..lab.servers[0] };
    assert_eq!(
        state_line(&mut lab, "s1"),
        "3 bk_app 1 s1 10.0.0.1 0 5 1 1 4 1 0 0 14 0 0 0 - 80 - 0 0 - - 0"
    );
    expect(&mut lab, Level::Admin, "enable server bk_app/s1", "\n");
    assert_eq!(state_line(&mut lab, "s1"), "3 bk_app 1 s1 10.0.0.1 2 4 1 1 0 1 0 2 6 0 0 0 - 80 - 0 0 - - 0");
}

#[test]
fn ports_addresses_and_ids_of_their_own_are_shown() {
    let mut lab = Lab::new();
    let server = &mut lab.config.backends[0].servers[0];
    (server.id, server.port, server.weight) = (7, ServerPort::Shifted(1000), 30);
    server.check.as_mut().unwrap().target = "127.0.0.2:29701".parse().unwrap();
    lab.servers[0].checking = true;
    assert_eq!(
        state_line(&mut lab, "s1"),
        "3 bk_app 7 s1 10.0.0.1 2 0 30 30 4 6 3 4 7 0 0 1 - 1000 - 0 29701 127.0.0.2 - 0"
    );
}

#[test]
fn show_info_has_all_that_hatop_reads() {
    let answer = execute(&mut Lab::new(), Level::User, "show info").render(SeverityOutput::None);
    let fields = [
        "Name",
        "Version",
        "Release_date",
        "Nbproc",
        "Process_num",
        "Pid",
        "Uptime",
        "Maxconn",
        "CurrConns",
        "PipesUsed",
        "Maxpipes",
        "Tasks",
        "Run_queue",
        "node",
    ];
    for field in fields {
        assert!(answer.lines().any(|line| line.starts_with(&format!("{field}: "))), "{field}");
    }
    assert!(answer.ends_with("\n\n"));
    assert!(!answer.contains("description"));
}

#[test]
fn show_info_tells_the_description_if_there_is_one() {
    let mut lab = Lab::new();
    lab.config.global.description = Some("my lb".to_owned());
    let answer = execute(&mut lab, Level::User, "show info typed").render(SeverityOutput::None);
    assert!(answer.contains("\n51.description.1:COS:str:my lb\n"), "{answer}");
}

#[test]
fn the_version_begins_with_the_release_whose_commands_these_are() {
    let answer = execute(&mut Lab::new(), Level::User, "show version").render(SeverityOutput::None);
    assert!(answer.starts_with("2.6.12-stickfast-"), "{answer}");
}

#[test]
fn only_messages_carry_a_severity() {
    let mut lab = Lab::new();
    for (line, start) in [
        ("foo", "[6]: Unknown command"),
        ("help", "[6]: The following"),
        ("show version", "[6]: 2.6"),
        ("show cli level", "[6]: admin\n\n"),
        ("show table nope", "[3]: No such table\n\n"),
        ("set timeout", "[3]: 'set timeout' only supports 'cli'.\n\n"),
        ("show backend", "# name\n"),
        ("show info", "Name"),
        ("show servers state", "1\n"),
        ("show table", "# table"),
        ("enable server bk_app/s1", "\n"),
    ] {
        let answer = execute(&mut lab, Level::Admin, line).render(SeverityOutput::Number);
        assert!(answer.starts_with(start), "{line}: {answer}");
    }
    let answer = execute(&mut lab, Level::Admin, "show cli level").render(SeverityOutput::String);
    assert_eq!(answer, "[info]: admin\n\n");
}

#[test]
fn set_timeout_and_set_severity_output_want_a_value() {
    expect_fresh("set timeout cli", "Expects an integer value.\n\n");
    expect_fresh("set timeout cli 0", "Invalid timeout value.\n\n");
    expect_fresh("set timeout foo 1", "'set timeout' only supports 'cli'.\n\n");
    let usage = "one of 'none', 'number', 'string' is a required argument\n\n";
    expect_fresh("set severity-output", usage);
    expect_fresh("set severity-output foo", usage);
}
