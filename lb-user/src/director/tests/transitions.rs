//! The transition table of two and three servers, beside what HAProxy does.

use std::fmt::Write as _;

use super::{
    config::{backend, backup, server, site, three_servers, with_stick, without_stick},
    document,
    script::{Script, nth, vip},
};
use crate::{
    config::model::{Config, Server},
    director::types::{AdminState, Event},
};

#[derive(Clone, Copy, Debug)]
enum Step {
    Adopt(usize),
    Down(usize),
    Up(usize),
    Maint(usize),
    Drain(usize),
    Ready(usize),
    Set(usize),
    Clear,
    /// A client's request: HAProxy decides by it, the director does not need it.
    Request,
}
use Step::{Adopt, Clear, Down, Drain, Maint, Ready, Request, Set, Up};

impl Step {
    fn is_before_start(self) -> bool {
        matches!(self, Adopt(_))
    }

    fn run(self, script: &mut Script) {
        match self {
            Adopt(server) => script.event(Event::Adopted { entry: vip(), server: server - 1 }),
            Down(server) => script.down(server),
            Up(server) => script.up(server),
            Maint(server) => script.operator(server, AdminState::Maint),
            Drain(server) => script.operator(server, AdminState::Drain),
            Ready(server) => script.operator(server, AdminState::Ready),
            Set(server) => script.set(server),
            Clear => script.clear(),
            Request => {}
        }
    }

    fn say(self) -> String {
        match self {
            Adopt(server) => format!("adopt s{server}"),
            Down(server) => format!("s{server} down"),
            Up(server) => format!("s{server} up"),
            Maint(server) => format!("maint s{server}"),
            Drain(server) => format!("drain s{server}"),
            Ready(server) => format!("ready s{server}"),
            Set(server) => format!("set table s{server}"),
            Clear => "clear table".to_owned(),
            Request => "request".to_owned(),
        }
    }
}

/// Who answers a request and whom the entry then names; 0 = nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outcome {
    serves: usize,
    entry: usize,
}

const fn on(server: usize) -> Outcome {
    Outcome { serves: server, entry: server }
}

/// Nobody serves; the entry is kept.
const fn none_kept(entry: usize) -> Outcome {
    Outcome { serves: 0, entry }
}

/// Without a stick table.
const fn plain(serves: usize) -> Outcome {
    Outcome { serves, entry: 0 }
}

impl Outcome {
    fn say(self) -> String {
        match self {
            Self { serves: 0, entry: 0 } => "nobody".to_owned(),
            Self { serves: 0, entry } => format!("nobody, s{entry} kept"),
            Self { serves, entry } if serves == entry || entry == 0 => format!("s{serves}"),
            Self { serves, entry } => format!("s{serves}, entry s{entry}"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Site {
    Config2,
    Config1,
    TwoPrimaries,
    BackupOfWeightZero,
    Three,
    ThreeWithoutStick,
}

impl Site {
    const ALL: [Self; 6] = [
        Self::Config2,
        Self::Config1,
        Self::TwoPrimaries,
        Self::BackupOfWeightZero,
        Self::Three,
        Self::ThreeWithoutStick,
    ];

    fn config(self) -> Config {
        let pair = |s1, s2| site(vec![backend("bk_app", true, vec![s1, s2])]);
        match self {
            Self::Config2 => with_stick(),
            Self::Config1 => without_stick(),
            Self::TwoPrimaries => pair(server(1), server(2)),
            Self::BackupOfWeightZero => pair(server(1), Server { weight: 0, ..backup(2) }),
            Self::Three => three_servers(true),
            Self::ThreeWithoutStick => three_servers(false),
        }
    }

    fn say(self) -> &'static str {
        match self {
            Self::Config2 => "`s1`, `s2 backup`, `stick on dst`",
            Self::Config1 => "`s1`, `s2 backup`, no stick table",
            Self::TwoPrimaries => "`s1`, `s2`, `stick on dst`",
            Self::BackupOfWeightZero => "`s1`, `s2 backup weight 0`, `stick on dst`",
            Self::Three => "`s1`, `s2 backup`, `s3 backup`, `stick on dst`",
            Self::ThreeWithoutStick => "`s1`, `s2 backup`, `s3 backup`, no stick table",
        }
    }

    fn rows(self) -> &'static [Row] {
        match self {
            Self::Config2 => CONFIG_2,
            Self::Config1 => CONFIG_1,
            Self::TwoPrimaries => TWO_PRIMARIES,
            Self::BackupOfWeightZero => BACKUP_OF_WEIGHT_ZERO,
            Self::Three => THREE,
            Self::ThreeWithoutStick => THREE_WITHOUT_STICK,
        }
    }
}

/// What leads to the first column of a row, and what then happens: HAProxy's outcome, ours, and the
/// reason if they differ.
type Row = (&'static [Step], &'static [Step], Outcome, Outcome, &'static str);

const COMMIT: &str = "the entry follows at once, not with the next request";
const FIRST_BACK: &str = "whoever is back first gets the traffic; it does not wait for a request";

const CONFIG_2: &[Row] = &[
    (&[], &[Request], on(1), on(1), ""),
    (&[], &[Down(1), Request], on(2), on(2), ""),
    (&[], &[Down(1)], Outcome { serves: 2, entry: 1 }, on(2), COMMIT),
    (&[], &[Down(1), Up(1), Request], on(1), on(2), COMMIT),
    (&[Down(1)], &[Up(1), Request], on(2), on(2), ""),
    (&[Down(1), Up(1)], &[Down(2), Request], on(1), on(1), ""),
    (&[Down(2)], &[Up(2), Request], on(1), on(1), ""),
    (&[Down(1)], &[Down(2), Request], none_kept(2), none_kept(2), ""),
    (&[Down(2)], &[Down(1), Request], none_kept(1), none_kept(1), ""),
    (&[Down(1), Down(2)], &[Up(1), Request], on(1), on(1), ""),
    (&[Down(1), Down(2)], &[Up(1), Up(2), Request], on(2), on(1), FIRST_BACK),
    (&[Down(1), Down(2)], &[Up(2), Up(1), Request], on(2), on(2), ""),
    (&[], &[Maint(1), Request], on(2), on(2), ""),
    (&[Maint(1)], &[Ready(1), Request], on(2), on(2), ""),
    (&[Set(2)], &[Drain(2), Request], on(2), on(2), ""),
    (&[Set(2), Drain(2)], &[Ready(2), Request], on(2), on(2), ""),
    (&[], &[Drain(1), Request], on(1), on(1), ""),
    (&[Drain(1)], &[Down(2), Request], on(1), on(1), ""),
    (&[Drain(1)], &[Down(1), Request], on(2), on(2), ""),
    (&[Set(2)], &[Maint(2), Request], on(1), on(1), ""),
    (&[Set(2)], &[Maint(2), Ready(2), Request], on(2), on(1), COMMIT),
    (&[Maint(1)], &[Clear, Request], on(2), on(2), ""),
    (&[Set(2)], &[Clear, Request], on(1), on(1), ""),
    (&[], &[Set(2), Request], on(1), on(2), "`set table` moves traffic; HAProxy's `server_key` wins over it"),
    (
        &[Drain(2)],
        &[Set(2), Request],
        on(1),
        on(2),
        "as above, and a drained server keeps what is stuck to it",
    ),
    (&[Down(2)], &[Set(2), Request], on(1), on(1), ""),
    (&[Maint(1)], &[Maint(2), Request], none_kept(2), none_kept(2), ""),
    (&[Maint(1), Maint(2)], &[Ready(1), Request], on(1), on(1), ""),
    (&[Maint(1), Maint(2)], &[Ready(1), Ready(2), Request], on(2), on(1), FIRST_BACK),
    (&[Adopt(2)], &[Request], on(1), on(2), "entries survive a restart; HAProxy's table starts empty"),
    (&[Adopt(2)], &[Down(2), Request], on(1), on(1), ""),
];

const CONFIG_1: &[Row] = &[
    (&[], &[Request], plain(1), plain(1), ""),
    (&[], &[Down(1), Request], plain(2), plain(2), ""),
    (&[Down(1)], &[Up(1), Request], plain(1), plain(1), ""),
    (&[Down(1)], &[Down(2), Request], plain(0), plain(0), ""),
    (&[Down(1), Down(2)], &[Up(2), Request], plain(2), plain(2), ""),
    (&[], &[Maint(1), Request], plain(2), plain(2), ""),
    (&[Maint(1)], &[Ready(1), Request], plain(1), plain(1), ""),
    (&[], &[Drain(1), Request], plain(2), plain(2), ""),
    (&[Drain(1)], &[Down(2), Request], plain(0), plain(0), ""),
];

const TWO_PRIMARIES: &[Row] = &[
    (&[], &[Request], on(1), on(1), ""),
    (&[], &[Down(1), Request], on(2), on(2), ""),
    (&[Down(1)], &[Up(1), Request], on(2), on(2), ""),
];

const BACKUP_OF_WEIGHT_ZERO: &[Row] = &[
    (&[Adopt(2)], &[Request], on(1), on(2), "entries survive a restart; then as drained"),
    (&[], &[Set(2), Request], on(1), on(2), "`set table` moves traffic, also to weight 0"),
    (&[], &[Down(1), Request], none_kept(1), none_kept(1), ""),
];

const THREE: &[Row] = &[
    (&[], &[Down(1), Request], on(2), on(2), ""),
    (&[Down(1)], &[Down(2), Request], on(3), on(3), ""),
    (&[Down(1), Down(2)], &[Up(2), Request], on(3), on(3), ""),
    (&[Down(1), Down(2), Up(2)], &[Up(1), Request], on(3), on(3), ""),
    (&[Down(1), Down(2), Up(2)], &[Down(3), Request], on(2), on(2), ""),
];

const THREE_WITHOUT_STICK: &[Row] = &[
    (&[Down(1)], &[Down(2), Request], plain(3), plain(3), ""),
    (&[Down(1), Down(2)], &[Up(2), Request], plain(2), plain(2), ""),
    (&[Down(1)], &[Up(1), Request], plain(1), plain(1), ""),
];

fn run(site: Site, steps: &[Step]) -> Script {
    let mut script = Script::new(&site.config());
    for step in steps.iter().filter(|step| step.is_before_start()) {
        step.run(&mut script);
    }
    script.advance(0);
    for step in steps.iter().filter(|step| !step.is_before_start()) {
        step.run(&mut script);
    }
    script
}

fn outcome(script: &Script) -> Outcome {
    Outcome { serves: script.serving().unwrap_or(0), entry: script.stuck().unwrap_or(0) }
}

#[test]
fn every_row_of_the_transition_table_holds() {
    for site in Site::ALL {
        for (before, steps, haproxy, ours, reason) in site.rows() {
            let all: Vec<_> = before.iter().chain(*steps).copied().collect();
            assert_eq!(outcome(&run(site, &all)), *ours, "{site:?}: {before:?} then {steps:?}");
            assert_eq!(haproxy != ours, !reason.is_empty(), "a reason exactly where they differ: {all:?}");
        }
    }
}

#[test]
fn the_document_has_this_transition_table() {
    let mut text = String::new();
    for site in Site::ALL {
        let servers = site.config().backends[0].servers.len();
        write!(text, "\n{}:\n\n", site.say()).unwrap();
        text.push_str("| before | traffic on | event | HAProxy | Stickfast | if they differ: why |\n");
        text.push_str("|---|---|---|---|---|---|\n");
        for (before, steps, haproxy, ours, reason) in site.rows() {
            let script = run(site, before);
            let state: Vec<_> =
                (1..=servers).map(|server| format!("s{server} {}", state_of(&script, server))).collect();
            let events: Vec<_> = steps.iter().map(|step| step.say()).collect();
            let mark = if reason.is_empty() { "" } else { "**" };
            writeln!(
                text,
                "| {} | {} | {} | {} | {mark}{}{mark} | {reason} |",
                state.join(", "),
                outcome(&script).say(),
                events.join(", "),
                haproxy.say(),
                ours.say()
            )
            .unwrap();
        }
    }
    text.push('\n');
    document::section_says("transitions", &text);
}

fn state_of(script: &Script, server: usize) -> &'static str {
    let view = script.director.server(nth(server)).unwrap();
    match (view.admin, view.up) {
        (AdminState::Ready, true) => "up",
        (AdminState::Ready, false) => "down",
        (AdminState::Drain, true) => "drain",
        (AdminState::Drain, false) => "drain, down",
        (AdminState::Maint, _) => "maint",
    }
}

#[test]
fn a_full_nopurge_table_still_moves_its_entry() {
    let mut config = with_stick();
    config.backends[0].table.as_mut().unwrap().size = 1;
    let mut script = Script::started(&config);
    script.down(1);
    script.up(1);
    assert_eq!(outcome(&script), on(2), "HAProxy goes on naming s1 and so fails back");
}

#[test]
fn a_server_that_returns_at_once_does_not_take_its_traffic_back() {
    let mut script = Script::started(&with_stick());
    script.down(1);
    script.up(1);
    script.advance(3_000);
    assert_eq!(outcome(&script), on(2), "in HAProxy a retried request rewrites the entry within 3 s");
}
