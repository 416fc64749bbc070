//! `tests/data/haproxy/check`: what `haproxy -c` of 2.6.12 printed for these files.

use super::{data, printed, read_as};
use crate::config::{Options, Report, load};

/// What `haproxy -c` said about one file.
struct Vector {
    name: String,
    status: u8,
    stdout: String,
    /// Lines of stderr without tag, process id and version.
    said: Vec<String>,
}

/// Files about which we say something else on purpose, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("art2", "which peer we are may also follow from an address, so the section stays without a warning"),
    ("missing_lf", "a missing line feed is a warning, the line is read"),
    ("no_timeouts", "the data path has timeouts of its own"),
    ("bind_inuse_same", "HAProxy fails when it starts, we at the check"),
    ("too_many", "`acl` and `use_backend` are refused before a missing backend is looked for"),
    ("stick_http_on_tcp", "HAProxy accepts a key that is never found"),
];

#[test]
fn checks_print_what_haproxy_prints() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 30);
    for vector in vectors {
        if DIFFERENT.iter().any(|(name, _)| *name == vector.name) {
            continue;
        }
        let file = format!("{}.cfg", vector.name);
        let text = std::fs::read_to_string(data("haproxy/check").join(&file)).unwrap();
        let (status, stdout, stderr) = printed(&read_as(&file, &text), Report::default());
        let name = &vector.name;
        assert_eq!((status, &stdout), (vector.status, &vector.stdout), "{name}\n{stderr}");
        assert_eq!(said(&stderr), vector.said, "{name}");
    }
}

#[test]
fn deliberate_differences_differ() {
    for (name, why) in DIFFERENT {
        let vector = vectors().into_iter().find(|vector| vector.name == *name).unwrap();
        let file = format!("{name}.cfg");
        let text = std::fs::read_to_string(data("haproxy/check").join(&file)).unwrap();
        let (status, _, stderr) = printed(&read_as(&file, &text), Report::default());
        assert!(status != vector.status || said(&stderr) != vector.said, "{name} no longer differs: {why}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named_with_the_reason() {
    let result = load(&["nosuch.cfg".into()], &Options::default());
    let (status, stdout, stderr) = printed(&result, Report::default());
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert_eq!(
        said(&stderr),
        ["config : Cannot open configuration file/directory nosuch.cfg : No such file or directory"]
    );
}

fn vectors() -> Vec<Vector> {
    let results = std::fs::read_to_string(data("haproxy/check/RESULTS.txt")).unwrap();
    results
        .split("##### ")
        .filter_map(|part| {
            let (head, rest) = part.split_once('\n')?;
            let (name, status) = head.split_once("  exit=")?;
            let stdout = rest.lines().find_map(|line| line.strip_prefix("stdout: '"))?;
            Some(Vector {
                name: name.to_owned(),
                status: status.parse().unwrap(),
                stdout: stdout.trim_end_matches('\'').replace("\\n", "\n"),
                said: said(rest),
            })
        })
        .collect()
}

/// The lines that begin with a tag, from behind the process id on, without the version.
fn said(stderr: &str) -> Vec<String> {
    stderr
        .lines()
        .filter(|line| line.starts_with('['))
        .map(|line| line.split_once(") : ").unwrap().1.to_owned())
        .filter(|line| line.starts_with("config : "))
        .collect()
}
