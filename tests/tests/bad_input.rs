//! Is what cannot work refused with a message that helps, before anything is touched?

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fmt::Write as _;
use std::process::Command;

use stickfast_lab::subject::stickfast;
use stickfast_lab::{Balancer, Config, Lab, Nginx, Shape, Subject, privilege};

/// A configuration or a machine that cannot work.
struct Case {
    what: &'static str,
    /// The article's configuration, spoilt.
    spoil: fn(&str) -> String,
    /// What stands in front of the command line.
    through: &'static [&'static str],
    /// Words that the message has to have: the object, what was seen, what to do.
    says: &'static [&'static str],
    /// The same for HAProxy, where it refuses as well.
    haproxy_says: Option<&'static [&'static str]>,
}

const CASES: &[Case] = &[
    Case {
        what: "an unknown keyword, with the one that was meant",
        spoil: |text| text.replace("stick on dst", "stck on dst"),
        through: &[],
        says: &["lab.cfg:18", "stck"],
        haproxy_says: Some(&["lab.cfg:18", "stck"]),
    },
    Case {
        what: "a word that is misspelt on a server's line",
        spoil: |text| text.replace("80 backup check", "80 backup chck"),
        through: &[],
        says: &["lab.cfg:20", "chck", "check"],
        haproxy_says: Some(&["lab.cfg:20", "chck", "check"]),
    },
    Case {
        what: "a server whose name does not resolve",
        spoil: |text| text.replace("10.0.0.1:80", "nobody.invalid:80"),
        through: &[],
        says: &["s1", "nobody.invalid", "resolve"],
        haproxy_says: Some(&["s1", "nobody.invalid", "resolve"]),
    },
    Case {
        what: "a backend that is not there",
        spoil: |text| text.replace("default_backend bk_app", "default_backend bk_other"),
        through: &[],
        says: &["bk_other"],
        haproxy_says: Some(&["bk_other"]),
    },
    Case {
        what: "a rule that a packet forwarder cannot follow",
        spoil: |text| {
            text.replace(
                "    default_backend",
                "    http-request deny if { path /admin }\n    default_backend",
            )
        },
        through: &[],
        says: &["lab.cfg", "http-request"],
        haproxy_says: None,
    },
    Case {
        what: "a VIP that no interface has and no route leads to",
        spoil: |text| text.replace("10.0.0.100:80", "192.0.2.1:80"),
        through: &[],
        says: &["192.0.2.1"],
        haproxy_says: Some(&["192.0.2.1:80"]),
    },
    Case {
        what: "a server that no route leads to",
        spoil: |text| text.replace("10.0.0.2:80", "192.0.2.2:80"),
        through: &[],
        says: &["192.0.2.2", "route"],
        haproxy_says: None,
    },
    Case {
        what: "an interface that is not there",
        spoil: |text| with_section(text, "interface eth7"),
        through: &[],
        says: &["eth7"],
        haproxy_says: None,
    },
    Case {
        what: "an unknown mode",
        spoil: |text| with_section(text, "forward nat"),
        through: &[],
        says: &["lab.cfg", "nat", "snat"],
        haproxy_says: None,
    },
    Case {
        what: "source ports that the kernel hands out itself",
        spoil: |text| with_section(text, "source-ports 30000-40000"),
        through: &[],
        says: &["30000-40000", "ip_local_port_range", "32768"],
        haproxy_says: None,
    },
    Case {
        what: "no privileges",
        spoil: str::to_owned,
        through: &["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"],
        says: &["CAP_"],
        haproxy_says: None,
    },
];

#[test]
fn haproxy_refuses_what_it_cannot_do() {
    if !privilege::can_run() {
        return;
    }
    let lab = Lab::new(Shape::Segment, 2).unwrap();
    for case in CASES {
        let Some(says) = case.haproxy_says else { continue };
        let text = (case.spoil)(&Config::no_failback(&lab).text());
        let balancer = Balancer::prepare(&lab, Subject::Haproxy, &text).unwrap();
        let (status, said) = balancer.run_to_end(case.through).unwrap();
        expect_refusal(case.what, status.code(), &said, says);
    }
}

#[test]
fn stickfast_refuses_what_it_cannot_do_and_touches_nothing() {
    if !privilege::can_run() {
        return;
    }
    let lab = Lab::new(Shape::Segment, 2).unwrap();
    let mut complaints = String::new();
    for case in CASES {
        let text = (case.spoil)(&Config::no_failback(&lab).text());
        let balancer = Balancer::prepare(&lab, Subject::Stickfast, &text).unwrap();
        let (status, said) = balancer.run_to_end(case.through).unwrap();
        let complaint = unrefused(status.code())
            .or_else(|| unsaid(&said, case.says))
            .or_else(|| said_twice(&said))
            .or_else(|| left_behind(&lab, &balancer));
        if let Some(complaint) = complaint {
            writeln!(complaints, "{}: {complaint}:\n{said}\n", case.what).unwrap();
        }
    }
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn the_remedy_for_overlapping_source_ports_is_one() {
    if !privilege::can_run() {
        return;
    }
    let lab = Lab::new(Shape::Segment, 2).unwrap();
    let _servers = lab.servers.iter().map(|host| Nginx::new(host, 80).unwrap()).collect::<Vec<_>>();
    let text = with_section(&Config::no_failback(&lab).text(), "source-ports 30000-40000");
    let mut balancer = Balancer::prepare(&lab, Subject::Stickfast, &text).unwrap();
    let (_, said) = balancer.run_to_end(&[]).unwrap();

    let advice = said.split("sysctl -w net.ipv4.ip_local_port_range=\"").nth(1);
    let range = advice.and_then(|rest| rest.split('"').next()).unwrap_or_else(|| panic!("no remedy: {said}"));
    lab.lb.netns.sysctl("net/ipv4/ip_local_port_range", range).unwrap();
    balancer.launch().unwrap();
    balancer.serves(&lab).unwrap();
}

#[test]
fn stickfast_never_evicts_another_program() {
    if !privilege::can_run() {
        return;
    }
    let lab = Lab::new(Shape::Segment, 2).unwrap();
    let text = Config::no_failback(&lab).text();
    let mut first = Balancer::prepare(&lab, Subject::Stickfast, &text).unwrap();
    first.launch().unwrap();
    let program = lab.lb.xdp_program("eth0").unwrap().unwrap();

    let second = Balancer::prepare(&lab, Subject::Stickfast, &text).unwrap();
    let (status, said) = second.run_to_end(&[]).unwrap();
    expect_refusal("an interface that is taken", status.code(), &said, &["eth0", &program.to_string()]);
    assert!(!second.pins().exists(), "pins are left: {said}");
    assert_eq!(lab.lb.xdp_program("eth0").unwrap(), Some(program));
}

#[test]
fn stickfast_check_answers_without_privileges_or_network() {
    if !privilege::can_run() {
        return;
    }
    let lab = Lab::new(Shape::Segment, 2).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("lab.cfg");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-all", "--inh-caps=-all", "--"]).arg(stickfast().unwrap());
        let output = command.args(["check", "-f"]).arg(&file).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let text = Config::no_failback(&lab).text();
    let (code, said) = check(&text);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(unsaid(&said, &["Configuration file is valid"]), None, "{said}");

    let (code, said) = check(&text.replace("stick on dst", "stck on dst"));
    expect_refusal("a bad file", code, &said, &["lab.cfg:18", "stck"]);

    std::fs::remove_file(&file).unwrap();
    let output = Command::new(stickfast().unwrap()).args(["check", "-f"]).arg(&file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    expect_refusal(
        "no file",
        output.status.code(),
        &said,
        &[file.to_str().unwrap(), "No such file or directory"],
    );
}

/// A refusal is neither a success, nor a panic (101), nor the death by a signal.
fn unrefused(code: Option<i32>) -> Option<String> {
    (!matches!(code, Some(1..=100))).then(|| format!("exit status {code:?}"))
}

fn unsaid(said: &str, words: &[&str]) -> Option<String> {
    let missing: Vec<_> = words.iter().filter(|word| !said.contains(**word)).collect();
    (!missing.is_empty()).then(|| format!("the message lacks {missing:?}"))
}

/// An error that is shown together with its source often says the source twice.
fn said_twice(said: &str) -> Option<String> {
    let lines = said.lines().filter(|line| line.starts_with("stickfast:") || line.starts_with("hint:"));
    let mut before = String::new();
    for part in lines.flat_map(|line| line.split(": ")).filter(|part| part.len() > 10) {
        if before.contains(part) {
            return Some(format!("the message says {part:?} twice"));
        }
        before += part;
    }
    None
}

fn left_behind(lab: &Lab, balancer: &Balancer) -> Option<String> {
    if let Some(program) = lab.lb.xdp_program("eth0").unwrap() {
        return Some(format!("program {program} is left on eth0"));
    }
    balancer.pins().exists().then(|| format!("pins are left in {}", balancer.pins().display()))
}

#[track_caller]
fn expect_refusal(what: &str, code: Option<i32>, said: &str, words: &[&str]) {
    let complaint = unrefused(code).or_else(|| unsaid(said, words));
    assert_eq!(complaint, None, "{what}: {said}");
}

fn with_section(text: &str, line: &str) -> String {
    format!("{text}\n.if defined(STICKFAST)\nxdp\n    {line}\n.endif\n")
}
