//! `show servers state` and `show backend`.

use std::fmt::Write as _;

use super::Answer;
use crate::{
    clock::Moment,
    config::model::{Backend, Check, Config, Server, ServerPort},
    director::types::{AdminState, CheckStatus, ServerRef},
    runtime::view::{ServerView, Subject},
};

/// First lines of `show servers state`: the version of the format, and its columns (HAProxy management
/// guide, `show servers state`).
const STATE_HEADER: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state \
     srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result \
     srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port \
     srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n";

/// Health that HAProxy shows for a server without checks: its default `rise`.
const UNCHECKED_HEALTH: u32 = 2;

/// `show backend`.
pub(super) fn backends(config: &Config) -> Answer {
    let names = config.backends.iter().map(|backend| format!("{}\n", backend.name));
    Answer::data(format!("# name\n{}", names.collect::<String>()))
}

/// `show servers state [B]`.
pub(super) fn state(subject: &dyn Subject, only: Option<usize>) -> Answer {
    let mut text = STATE_HEADER.to_owned();
    let backends = subject.config().backends.iter().enumerate();
    for (index, backend) in backends.filter(|(index, _)| only.is_none_or(|only| only == *index)) {
        for (place, server) in backend.servers.iter().enumerate() {
            let view = subject.server(ServerRef { backend: index, server: place });
            line(&mut text, backend, place, server, view, subject.now());
        }
    }
    Answer::data(text)
}

#[expect(clippy::let_underscore_must_use, reason = "writing to a String does not fail")]
fn line(text: &mut String, backend: &Backend, place: usize, server: &Server, view: ServerView, now: Moment) {
    let check = Checked::new(server, view);
    let _ = writeln!(
        text,
        "{be_id} {be_name} {id} {name} {address} {op} {admin} {weight} {weight} {since} {check_status} \
         {check_result} {health} {check_state} 0 0 {forced_id} - {port} - 0 {check_port} {check_addr} - 0",
        be_id = backend.id,
        be_name = backend.name,
        id = server.id,
        name = server.name,
        address = server.address,
        op = if view.up && view.admin != AdminState::Maint { 2 } else { 0 },
        admin = admin_bits(server, view.admin),
        weight = server.weight,
        since = now.since(view.since).as_secs(),
        check_status = check.status,
        check_result = check.result,
        health = check.health,
        check_state = check.state,
        forced_id = u8::from(usize::try_from(server.id) != Ok(place + 1)),
        port = port(server.port),
        check_port = check.port,
        check_addr = check.address,
    );
}

/// `srv_admin_state`: 1 in maintenance, 4 `disabled` in the configuration, 8 in drain.
fn admin_bits(server: &Server, state: AdminState) -> u8 {
    let forced = match state {
        AdminState::Ready => 0,
        AdminState::Maint => 1,
        AdminState::Drain => 8,
    };
    if server.disabled { forced | 4 } else { forced }
}

/// `srv_port`: a shift is printed like a port.
fn port(port: ServerPort) -> i64 {
    match port {
        ServerPort::Fixed(port) => i64::from(port),
        ServerPort::Shifted(by) => i64::from(by),
    }
}

/// The columns about checks.
struct Checked {
    /// HAProxy's number of the last check's status; 1 = there was none.
    status: u8,
    /// 0 unknown, 2 failed, 3 passed.
    result: u8,
    health: u32,
    /// 1 under way, 2 configured, 4 enabled, 8 paused.
    state: u8,
    /// If it is not the server's.
    port: u16,
    /// If it is not the server's, else `-`.
    address: String,
}

impl Checked {
    fn new(server: &Server, view: ServerView) -> Self {
        let maint = view.admin == AdminState::Maint;
        let health = if server.check.is_some() { view.health } else { UNCHECKED_HEALTH };
        let state = match &server.check {
            None => 0,
            Some(_) if maint => 2 | 4 | 8,
            Some(_) if view.checking => 1 | 2 | 4,
            Some(_) => 2 | 4,
        };
        Self {
            status: view.last_check.map_or(1, status_number),
            result: view.last_check.map_or(0, |status| if passed(status) { 3 } else { 2 }),
            health: if maint { 0 } else { health },
            state,
            port: server.check.as_ref().map_or(0, |check| own_port(server, check)),
            address: server
                .check
                .as_ref()
                .filter(|check| check.target.ip() != server.address)
                .map_or_else(|| "-".to_owned(), |check| check.target.ip().to_string()),
        }
    }
}

/// The port of a check, 0 if it is the server's.
fn own_port(server: &Server, check: &Check) -> u16 {
    let port = check.target.port();
    if server.port == ServerPort::Fixed(port) { 0 } else { port }
}

fn status_number(status: CheckStatus) -> u8 {
    match status {
        CheckStatus::SocketError => 5,
        CheckStatus::L4Ok => 6,
        CheckStatus::L4Timeout => 7,
        CheckStatus::L4Connection => 8,
        CheckStatus::L7Timeout => 12,
        CheckStatus::L7Response => 13,
        CheckStatus::L7Ok => 15,
        CheckStatus::L7Status => 17,
    }
}

fn passed(status: CheckStatus) -> bool {
    match status {
        CheckStatus::L4Ok | CheckStatus::L7Ok => true,
        CheckStatus::SocketError
        | CheckStatus::L4Timeout
        | CheckStatus::L4Connection
        | CheckStatus::L7Timeout
        | CheckStatus::L7Response
        | CheckStatus::L7Status => false,
    }
}
