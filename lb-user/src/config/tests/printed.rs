//! The printed form, byte for byte.

use super::{accepted, printed, read, read_as};
use crate::config::Report;

const BAD_OPTION: &str = "defaults\n mode tcp\n option http-server-closed\n";

#[test]
fn an_alert_is_haproxys_line_and_the_source_below_it() {
    let (status, stdout, stderr) = printed(&read_as("f.cfg", BAD_OPTION), Report::default());
    assert_eq!((status, stdout.as_str()), (1, ""));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        stderr,
        format!(
            "[NOTICE]   (1) : stickfast version is {version}\n\
             [ALERT]    (1) : config : parsing [f.cfg:3] : unknown option 'http-server-closed'; did you mean 'http-server-close' maybe ?\n\
             \x20    |\n\
             \x20  3 |  option http-server-closed\n\
             \x20    |         ^^^^^^^^^^^^^^^^^^\n\
             [ALERT]    (1) : config : Error(s) found in configuration file : f.cfg\n\
             [ALERT]    (1) : config : Fatal errors found in configuration.\n"
        )
    );
}

#[test]
fn a_hint_stands_below_the_picture() {
    let text = "\n".repeat(8) + "frontend f\n bind *:80 name app\n";
    let (_, _, stderr) = printed(&read_as("web.cfg", &text), Report::default());
    let lines: Vec<_> = stderr.lines().skip(1).take(5).collect();
    assert_eq!(
        lines,
        [
            "[ALERT]    (1) : config : parsing [web.cfg:10] : 'bind' : '*:80' names no address, and packets are recognised by theirs.",
            "      |",
            "   10 |  bind *:80 name app",
            "      |       ^^^^",
            "      = hint: give the virtual address; several are separated by commas",
        ]
    );
}

#[test]
fn quiet_keeps_only_the_status() {
    let how = Report { quiet: true, ..Report::default() };
    assert_eq!(printed(&read(BAD_OPTION), how), (1, String::new(), String::new()));
}

#[test]
fn zero_warning_makes_a_warning_fatal() {
    let text = ".warning \"look out\"\n";
    let (status, stdout, _) = printed(&read(text), Report::default());
    assert_eq!(status, 2);
    assert!(stdout.starts_with("Warnings were found.\n"));
    let (status, stdout, stderr) = printed(&read(text), Report { zero_warning: true, ..Report::default() });
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert!(stderr.ends_with("Some warnings were found and 'zero-warning' is set. Aborting.\n"), "{stderr}");
}

#[test]
fn notes_are_for_those_who_ask() {
    let text = "defaults\n mode http\n maxconn 10\n maxconn 20\n";
    let notes = accepted(text).notes;
    assert_eq!(notes.len(), 2, "each keyword once: {notes:?}");
    assert_eq!(printed(&read(text), Report::default()).2, "");
    assert!(
        printed(&read(text), Report { verbose: true, ..Report::default() })
            .2
            .contains("'maxconn' is ignored")
    );
}

#[test]
fn a_file_cannot_drive_the_terminal() {
    let (_, _, stderr) =
        printed(&read("defaults\n mode \"\\x1b[2J\"\n option \x1b[31m\n"), Report::default());
    assert!(!stderr.contains('\x1b'), "{stderr:?}");
}

#[test]
fn a_finding_without_a_place_in_its_text_has_it_in_the_picture() {
    let text = "frontend f\n bind 10.0.0.100:80\n default_backend nope\n";
    let (_, _, stderr) = printed(&read_as("f.cfg", text), Report::default());
    let lines: Vec<_> = stderr.lines().skip(1).take(5).collect();
    assert_eq!(
        lines,
        [
            "[ALERT]    (1) : config : Proxy 'f': unable to find required default_backend: 'nope'.",
            "    --> f.cfg:3:18",
            "     |",
            "   3 |  default_backend nope",
            "     |                  ^^^^",
        ]
    );
}

#[test]
fn a_missing_line_feed_is_a_warning_and_the_line_counts() {
    let loaded = accepted("listen l\n bind 10.0.0.100:80\n server s 10.0.0.1:80");
    assert_eq!(loaded.config.backends[0].servers.len(), 1);
    let said: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        ["parsing [case.cfg:3]: Missing LF on last line, file might have been truncated at position 22."]
    );
}
