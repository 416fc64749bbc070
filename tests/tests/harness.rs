//! Does the laboratory keep its own promises?

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use stickfast_lab::cleanup::sweep;
use stickfast_lab::clock::PATIENCE;
use stickfast_lab::{Answer, Balancer, Config, Http, Lab, Nginx, Process, Shape, Subject, privilege, until};

#[test]
fn a_request_reaches_the_first_server_through_haproxy() {
    if !privilege::can_run() {
        return;
    }
    let lab = Lab::new(Shape::Segment, 2).unwrap();
    let _servers = lab.servers.iter().map(|host| Nginx::new(host, 80).unwrap()).collect::<Vec<_>>();
    let balancer = Balancer::start(&lab, Subject::Haproxy, &Config::no_failback(&lab).text()).unwrap();

    assert_eq!(Http::on(&lab.client).get("http://10.0.0.100/"), Answer::From("s1".into()));
    assert!(balancer.ctl("show table bk_app").unwrap().contains("server_id=1 server_key=s1"));
}

#[test]
fn each_way_to_fail_has_an_answer_of_its_own() {
    if !privilege::can_run() {
        return;
    }
    let lab = Lab::new(Shape::Segment, 1).unwrap();
    let http = Http::on(&lab.client).with_timeout(Duration::from_secs(2));
    let server = Nginx::new(lab.server(1).unwrap(), 80).unwrap();

    assert_eq!(http.get("http://10.0.0.1/"), Answer::From("s1".into()));
    assert_eq!(http.get("http://10.0.0.1:81/"), Answer::Refused);
    server.pause();
    assert_eq!(http.get("http://10.0.0.1/"), Answer::Timeout);
    server.resume();
    assert_eq!(http.get("http://10.0.0.1/"), Answer::From("s1".into()));
    lab.cut(lab.server(1).unwrap()).unwrap();
    assert_eq!(http.get("http://10.0.0.1/"), Answer::Timeout);
    lab.mend(lab.server(1).unwrap()).unwrap();
    assert_eq!(http.get("http://10.0.0.1/"), Answer::From("s1".into()));
}

#[test]
fn a_switch_that_does_not_start_shows_its_log() {
    if !privilege::can_run() {
        return;
    }
    let lab = Lab::new(Shape::Segment, 1).unwrap();
    let error = Balancer::start(&lab, Subject::Haproxy, "rubbish\n").unwrap_err();
    assert!(format!("{error:#}").contains("unknown keyword 'rubbish'"), "{error:#}");
}

#[test]
fn nothing_is_left_of_a_laboratory_after_a_panic() {
    if !privilege::can_run() {
        return;
    }
    let (report, seen) = std::sync::mpsc::channel();
    let failed = std::thread::spawn(move || {
        let lab = Lab::new(Shape::Routed, 1).unwrap();
        let process = Process::start(&lab.client.netns, "sleep", &["sleep", "1000"]).unwrap();
        report.send((lab.client.netns.path(), process.id())).unwrap();
        panic!("as a failing test does");
    })
    .join();

    assert!(failed.is_err());
    let (namespace, pid) = seen.recv().unwrap();
    assert!(!namespace.exists());
    assert!(!is_alive(&pid.to_string()));
}

#[test]
fn nothing_is_left_of_a_laboratory_that_was_killed_once_the_next_has_swept() {
    if !privilege::can_run() {
        return;
    }
    let this = std::env::current_exe().unwrap();
    let victim = Command::new(this).args(["--exact", "victim", "--ignored", "--nocapture"]).output().unwrap();
    assert!(!victim.status.success(), "the victim lives");
    let said = String::from_utf8_lossy(&victim.stdout);
    let report = said.lines().find_map(|line| line.split_once("victim: ")).unwrap().1;
    let (namespace, pid) = report.split_once(' ').unwrap();
    let namespace = PathBuf::from(namespace);

    until(PATIENCE, "the end of its process", || if is_alive(pid) { Err("alive") } else { Ok(()) }).unwrap();
    assert!(namespace.exists(), "a killed laboratory cannot remove its namespaces: this test tests nothing");
    sweep();
    assert!(!namespace.exists());
}

/// Ends as by SIGKILL, without a single drop.
#[test]
#[ignore = "started by the test above"]
#[expect(clippy::print_stdout, reason = "the test above reads it")]
fn victim() {
    let lab = Lab::new(Shape::Segment, 0).unwrap();
    let process = Process::start(&lab.client.netns, "sleep", &["sleep", "1000"]).unwrap();
    println!("victim: {} {}", lab.client.netns.path().display(), process.id());
    std::io::stdout().flush().unwrap();
    std::process::abort();
}

#[test]
fn a_condition_that_never_comes_true_tells_what_was_seen() {
    let error = until(Duration::from_millis(20), "the moon", || Err::<(), _>("clouds")).unwrap_err();
    assert_eq!(error.to_string(), "waited 20ms for the moon, last saw \"clouds\"");
}

/// A zombie that its new parent has not collected yet is dead.
fn is_alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid).join("status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains("zombie"))
}
