//! `docs/configuration.md` lists every keyword with its fate; the lists of what is ignored and refused are
//! written from [`super::super::tables`] between two markers. With `STICKFAST_BLESS=1` they are written anew.

use std::fmt::Write as _;

use crate::config::{
    keywords::{Fate, Table},
    tables::{BIND, GLOBAL, HTTP_CHECKS, OPTIONS, PEERS, PROXY, SECTIONS, SERVER, SOCKET, TIMEOUTS, XDP},
};

const BEGIN: &str = "<!-- written from the keyword tables: begin -->\n";
const END: &str = "<!-- written from the keyword tables: end -->\n";

#[test]
fn the_reference_lists_every_keyword() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (head, rest) = document.split_once(BEGIN).unwrap();
    let (lists, tail) = rest.split_once(END).unwrap();
    let written = all_lists();
    if std::env::var_os("STICKFAST_BLESS").is_some() {
        std::fs::write(path, format!("{head}{BEGIN}{written}{END}{tail}")).unwrap();
    } else {
        assert!(
            lists == written,
            "docs/configuration.md is out of date: run the tests with STICKFAST_BLESS=1"
        );
    }
    for name in implemented() {
        let described = head.contains(&format!("`{name}"))
            || head.contains(&format!(" {name}`"))
            || head.contains(&format!(" {name} "));
        assert!(described, "docs/configuration.md says nothing about {name}");
    }
}

#[test]
fn no_keyword_stands_twice() {
    fn names<H>(table: Table<H>) -> Vec<&'static str> {
        let mut names: Vec<_> = table.iter().flat_map(|group| group.names).copied().collect();
        names.sort_unstable();
        names
    }
    for names in [
        names(SECTIONS),
        names(GLOBAL),
        names(SOCKET),
        names(PEERS),
        names(XDP),
        names(PROXY),
        names(OPTIONS),
        names(TIMEOUTS),
        names(HTTP_CHECKS),
        names(BIND),
        names(SERVER),
    ] {
        for pair in names.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }
}

fn implemented() -> Vec<&'static str> {
    fn of<H>(table: Table<H>) -> impl Iterator<Item = &'static str> {
        let groups = table.iter().filter(|group| matches!(group.fate, Fate::Implemented(_)));
        groups.flat_map(|group| group.names).copied()
    }
    of(SECTIONS)
        .chain(of(GLOBAL))
        .chain(of(SOCKET))
        .chain(of(PEERS))
        .chain(of(XDP))
        .chain(of(PROXY))
        .chain(of(OPTIONS))
        .chain(of(TIMEOUTS))
        .chain(of(HTTP_CHECKS))
        .chain(of(BIND))
        .chain(of(SERVER))
        .collect()
}

fn all_lists() -> String {
    let mut text = String::new();
    list(&mut text, "Sections", SECTIONS);
    list(&mut text, "`global`", GLOBAL);
    list(&mut text, "`stats socket` parameters", SOCKET);
    list(&mut text, "`peers`", PEERS);
    list(&mut text, "`defaults`, `frontend`, `backend`, `listen`", PROXY);
    list(&mut text, "`option`", OPTIONS);
    list(&mut text, "`timeout`", TIMEOUTS);
    list(&mut text, "`http-check`", HTTP_CHECKS);
    list(&mut text, "`bind` parameters", BIND);
    list(&mut text, "`server` and `default-server` parameters", SERVER);
    text
}

fn list<H>(text: &mut String, title: &str, table: Table<H>) {
    writeln!(text, "\n### {title}\n\n| keyword | fate | because |\n|---|---|---|").unwrap();
    for group in table {
        let (fate, why) = match group.fate {
            Fate::Implemented(_) => continue,
            Fate::Harmless(why) => ("ignored", why),
            Fate::Missing(why) => ("ignored, warned of", why),
            Fate::Later(why) => ("refused for now", why),
            Fate::Refused(why) => ("refused", why),
            Fate::Gone(_) => ("refused", "HAProxy 2.6 refuses it too"),
        };
        let names: Vec<_> = group.names.iter().map(|name| format!("`{name}`")).collect();
        writeln!(text, "| {} | {fate} | {why} |", names.join(" ")).unwrap();
    }
}
