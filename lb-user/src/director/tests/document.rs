//! Keeps sections of `docs/failover.md` equal to what the code says.

use std::{
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/failover.md");

/// Tests run side by side and write the same file.
static WRITING: Mutex<()> = Mutex::new(());

/// Compares the text between the section's two marks with `text`. With `STICKFAST_BLESS=1` in the
/// environment it is written instead.
#[track_caller]
pub(super) fn section_says(section: &str, text: &str) {
    let (begin, end) = (format!("<!-- {section}: begin -->\n"), format!("<!-- {section}: end -->\n"));
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let document = fs::read_to_string(Path::new(FILE)).unwrap();
    let (head, rest) = document.split_once(&begin).expect("the section begins");
    let (present, tail) = rest.split_once(&end).expect("the section ends");
    if std::env::var_os("STICKFAST_BLESS").is_some_and(|value| value == "1") {
        fs::write(FILE, format!("{head}{begin}{text}{end}{tail}")).unwrap();
        return;
    }
    let differs = present.lines().zip(text.lines()).find(|(present, wanted)| present != wanted);
    assert!(
        present == text,
        "docs/failover.md, section {section}, is not what the code does; first difference: {differs:?}\n\
         hint: if the change is meant, STICKFAST_BLESS=1 cargo test -p lb-user director::"
    );
}
