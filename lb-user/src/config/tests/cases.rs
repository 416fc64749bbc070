//! `tests/data/config/*.cases`: small configurations and everything that is said about them.
//!
//! ```text
//! === a sentence
//! lines of the configuration
//! ---
//! exit 1
//! ALERT parsing [case.cfg:1] : …
//! ```
//! With `STICKFAST_BLESS=1` the answers are written anew; review the difference.

use std::fmt::Write as _;

use super::{data, printed, read};
use crate::{config::Report, director::types::Severity};

#[test]
fn every_case_gives_its_answer() {
    let mut files: Vec<_> = data("config")
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cases"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = String::new();
    for file in files {
        let written = std::fs::read_to_string(&file).unwrap();
        let mut actual = String::new();
        for case in written.split("=== ").skip(1) {
            let (title, rest) = case.split_once('\n').unwrap();
            let (text, _) = rest.split_once("---\n").unwrap();
            write!(actual, "=== {title}\n{text}---\n{}\n", answer(text)).unwrap();
        }
        if std::env::var_os("STICKFAST_BLESS").is_some() {
            std::fs::write(&file, &actual).unwrap();
        } else {
            let cases = written.split("=== ").zip(actual.split("=== "));
            for (written, actual) in cases.filter(|(written, actual)| written.trim_end() != actual.trim_end())
            {
                write!(wrong, "{}\nexpected {written}\nbut got {actual}\n", file.display()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn answer(text: &str) -> String {
    let result = read(text);
    let (status, ..) = printed(&result, Report::default());
    let mut answer = format!("exit {status}\n");
    let findings = match &result {
        Ok(loaded) => &loaded.warnings,
        Err(rejected) => &rejected.diagnostics,
    };
    for finding in findings {
        let tag = match finding.severity {
            Severity::Notice => "NOTICE",
            Severity::Warning => "WARNING",
            Severity::Alert => "ALERT",
        };
        writeln!(
            answer,
            "{tag} {}",
            finding.to_string().escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"")
        )
        .unwrap();
    }
    answer
}
