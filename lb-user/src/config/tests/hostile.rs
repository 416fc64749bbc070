//! Whatever a file holds, reading it ends with a model or a reason.

use proptest::{prelude::*, sample::Index};

use super::{data, options, printed, read};
use crate::config::{Report, load};

/// Words that lead into every corner of the reader.
const WORDS: &[&str] = &[
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "peers",
    "xdp",
    "stats",
    "socket",
    "/s",
    "bind",
    "server",
    "s1",
    "b",
    "10.0.0.1:80",
    "10.0.0.1:+1",
    "[::1]:80-90",
    "udp@10.0.0.1:53",
    "check",
    "inter",
    "5s",
    "rise",
    "0",
    "backup",
    "stick-table",
    "stick",
    "on",
    "dst",
    "type",
    "ip",
    "size",
    "2",
    "peers",
    "LB",
    "peer",
    "from",
    "option",
    "httpchk",
    "http-check",
    "send",
    "hdr",
    "timeout",
    "client",
    "default_backend",
    "default-server",
    "no",
    "interface",
    "forward",
    "dnat",
    "backend",
    "source-ports",
    "10-9",
    ".if",
    ".else",
    ".endif",
    "defined(A)",
    "(",
    "\"",
    "'",
    "\\",
    "$",
    "\"${A-",
    "}\"",
    "#",
    "\0",
    "é",
    "setenv",
    "A",
    "id",
    "1",
    "level",
    "admin",
    "mode",
];

proptest! {
    #[test]
    fn any_lines_are_read_or_refused(
        lines in prop::collection::vec(prop::collection::vec(prop::sample::select(WORDS), 0..8), 0..12),
    ) {
        let text: String = lines.iter().map(|words| words.join(" ") + "\n").collect();
        survives(&text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn a_damaged_configuration_is_read_or_refused(
        damages in prop::collection::vec((any::<Index>(), any::<u8>(), 0_u8..4), 1..20),
    ) {
        let mut bytes = std::fs::read(data("config/full.cfg")).unwrap();
        for (place, byte, kind) in damages {
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at + 1),
            }
            if bytes.is_empty() {
                break;
            }
        }
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_file_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let result = load(&[file.path().to_path_buf()], &options());
        printed(&result, Report::default());
    }
}

fn survives(text: &str) {
    let result = read(text);
    let (status, ..) = printed(&result, Report { verbose: true, colour: true, ..Report::default() });
    assert_eq!(status == 1, result.is_err());
}
