//! Does the laboratory keep its own promises?

use std::path::Path;
use std::time::Duration;

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
    assert!(!Path::new("/proc").join(pid.to_string()).exists());
}

#[test]
fn a_condition_that_never_comes_true_tells_what_was_seen() {
    let error = until(Duration::from_millis(20), "the moon", || Err::<(), _>("clouds")).unwrap_err();
    assert_eq!(error.to_string(), "waited 20ms for the moon, last saw \"clouds\"");
}
