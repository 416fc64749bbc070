//! What HAProxy 2.6.12 answered (`tests/data/haproxy/cli`) against what we answer.

use std::{fs, path::PathBuf};

use super::{Next, Session, execute, lab::Lab};
use crate::config::model::Level;

/// Where we differ from HAProxy on purpose: capture, our answer, reason.
const DIFFERENT: &[(&str, &str, &str)] = &[
    (
        "106_show_table_after_set.out",
        "# table: bk_app, type: ip, size:2, used:1\nPTR: key=10.0.0.100 use=0 exp=0 server_id=2 server_key=s2\n\n",
        "`set table` moves traffic: the server's name follows its id",
    ),
    (
        "108_show_table_after_setkey.out",
        "# table: bk_app, type: ip, size:2, used:1\nPTR: key=10.0.0.100 use=0 exp=0 server_id=2 server_key=s2\n\n",
        "as above",
    ),
    (
        "110_show_table_two.out",
        "# table: bk_app, type: ip, size:2, used:2\nPTR: key=10.0.0.55 use=0 exp=0 server_id=1 server_key=s1\n\
         PTR: key=10.0.0.100 use=0 exp=0 server_id=2 server_key=s2\n\n",
        "as above",
    ),
    (
        "112_show_table_full.out",
        "# table: bk_app, type: ip, size:2, used:2\nPTR: key=10.0.0.55 use=0 exp=0 server_id=1 server_key=s1\n\
         PTR: key=10.0.0.100 use=0 exp=0 server_id=2 server_key=s2\n\n",
        "as above",
    ),
    ("137_user_cleartable.out", "Permission denied\n\n", "`clear table` needs the level operator"),
];

/// What must differ: addresses in memory, the version, and which commands there are to suggest. Applied
/// to both sides.
fn mask(text: &str) -> String {
    let mut masked = String::new();
    let mut in_list = false;
    for line in text.split_inclusive('\n') {
        let title = line.contains("Unknown command") || line.contains("commands are valid at this level");
        in_list = title || (in_list && line.starts_with("  "));
        if in_list && !title && !FOOTER.iter().any(|footer| line.starts_with(footer)) {
            continue;
        }
        match (line.split_once(": key="), line.find("2.6.12-")) {
            (Some((pointer, rest)), _) if pointer.starts_with("0x") => {
                masked.extend(["PTR: key=", rest]);
            }
            (_, Some(at)) => masked.extend([&line[..at], "VERSION\n"]),
            _ => masked.push_str(line),
        }
    }
    masked
}

const FOOTER: [&str; 3] = [
    "  help [<command>]                        : list matching or all commands\n",
    "  prompt                                  : toggle interactive mode with prompt\n",
    "  quit                                    : disconnect\n",
];

#[test]
fn captured_commands_get_haproxys_answers() {
    let mut lab = Lab::new();
    let mut replayed = 0;
    for line in read("COMMANDS.tsv").lines() {
        let [file, socket, command] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("malformed: {line}");
        };
        let conversation = [Step::Send(python_bytes(command))];
        let (answer, _) = converse(&mut lab, Lab::level(socket), &conversation);
        if file.contains("show_info") {
            check_info(&answer, &read(file));
        } else {
            let different = DIFFERENT.iter().find(|(different, ..)| *different == file);
            let expected = different.map_or_else(|| mask(&read(file)), |(_, ours, _)| (*ours).to_owned());
            assert_eq!(mask(&answer), expected, "{file}: {command}");
        }
        replayed += 1;
    }
    assert_eq!(replayed, 83);
}

/// Every field of ours is one of HAProxy's, under its name, position, tags and type, in its order.
#[track_caller]
fn check_info(ours: &str, haproxys: &str) {
    let described = |line: &str| {
        let (description, _) = line.rsplit_once(if line.contains(".1:") { ":" } else { ": " })?;
        Some(description.to_owned())
    };
    let mut theirs = haproxys.lines().filter_map(described);
    for field in ours.lines().filter_map(described) {
        // `Uptime: 0d 0h…` of the typed form splits at the last colon as the others do.
        assert!(theirs.any(|their| their == field), "{field} is missing or out of order");
    }
}

#[test]
fn captured_sessions_go_as_with_haproxy() {
    let mut replayed = 0;
    for file in fs::read_dir(directory()).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if !name.ends_with(".session") {
            continue;
        }
        let (steps, expected) = session(&read(&name));
        let (answer, closed) = converse(&mut Lab::new(), Level::Admin, &steps);
        let answer = if closed { format!("{answer}<EOF>") } else { answer };
        assert_eq!(mask(&answer), mask(&expected), "{name}");
        replayed += 1;
    }
    assert_eq!(replayed, 25);
}

#[derive(Debug)]
enum Step {
    Send(Vec<u8>),
    EndOfInput,
}

/// Plays one side of a connection; gives all that came back, and whether it was closed.
fn converse(lab: &mut Lab, level: Level, steps: &[Step]) -> (String, bool) {
    let mut session = Session::new(level);
    let mut output = Vec::new();
    for step in steps {
        match step {
            Step::Send(bytes) => session.receive(bytes),
            Step::EndOfInput => session.end_of_input(),
        }
        loop {
            let next = session.poll();
            output.extend(session.take_output());
            match next {
                Next::Execute(line) => session.answer(execute(lab, session.level(), &line)),
                Next::Read => break,
                Next::Drained | Next::Close => return (String::from_utf8(output).unwrap(), true),
            }
        }
    }
    (String::from_utf8(output).unwrap(), false)
}

/// A `.session` file: what was sent, and all that came back with `<EOF>` at its end if HAProxy closed.
fn session(text: &str) -> (Vec<Step>, String) {
    let (mut steps, mut received) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line == "('SHUT_WR',)" {
            steps.push(Step::EndOfInput);
        } else if let Some(sent) = line.strip_prefix("('->', ").and_then(|rest| rest.strip_suffix(')')) {
            let sent = sent.replace("x[...]x", &"x".repeat(17_000));
            steps.push(Step::Send(python_bytes(&sent)));
        } else if let Some(came) = line.strip_prefix("('<-', ").and_then(|rest| rest.strip_suffix(')')) {
            received.extend(python_bytes(came));
        } else {
            assert!(line.starts_with("('ERR', "), "malformed: {line}");
        }
    }
    // A closed connection was read from again and again; a reset is a close.
    let received = String::from_utf8(received).unwrap().replace("<ConnectionResetError>", "<EOF>");
    let expected = match received.split_once("<EOF>") {
        Some((before, _)) => format!("{before}<EOF>"),
        None => received,
    };
    (steps, expected)
}

/// The value of a Python `bytes` literal.
fn python_bytes(literal: &str) -> Vec<u8> {
    let quoted = literal.strip_prefix('b').expect("a bytes literal");
    let mut characters = quoted[1..quoted.len() - 1].bytes();
    let mut bytes = Vec::new();
    while let Some(byte) = characters.next() {
        bytes.push(match byte {
            b'\\' => match characters.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'x') => {
                    let digits = [characters.next().unwrap(), characters.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                Some(other) => other,
                None => panic!("malformed: {literal}"),
            },
            other => other,
        });
    }
    bytes
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/haproxy/cli")
}

fn read(name: &str) -> String {
    fs::read_to_string(directory().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
