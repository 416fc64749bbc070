//! The I/O of one health check. When checks run and what their results mean is the director's.
//!
//! A check leaves no more behind on the server than HAProxy's does: the connection always ends with an
//! RST, so neither side keeps a socket in TIME-WAIT. A TCP check sends nothing at all: the wire shows
//! SYN, SYN/ACK, RST, so most servers' applications never see it.
//!
//! Dropping the future of [`check`] closes the socket. Nothing here blocks the thread or spawns a task.

mod connect;
mod http;
mod limits;
#[cfg(test)]
mod testing;

use crate::{
    clock::Clock,
    config::model::{Check, CheckMethod, Timeouts},
    director::types::{CheckReport, CheckStatus},
};
use limits::Limits;
use std::{net::SocketAddr, time::Duration};

/// Checks one server once and says how that ended, within the time that `check` and `timeouts` allow.
///
/// Whatever goes wrong, here or there, is a [`CheckReport`] too: there is no error to handle. Its `info`
/// is HAProxy's text for the same situation.
pub async fn check(check: &Check, method: &CheckMethod, timeouts: &Timeouts, clock: &Clock) -> CheckReport {
    let start = clock.now();
    let elapsed = || clock.now().since(start);
    let limits = Limits::new(check.inter, timeouts);
    let Verdict { status, code, info } = attempt(check.target, method, limits, elapsed).await;
    CheckReport { status, code, info, duration: elapsed() }
}

async fn attempt(
    target: SocketAddr,
    method: &CheckMethod,
    limits: Limits,
    elapsed: impl Fn() -> Duration,
) -> Verdict {
    let stream = match tokio::time::timeout(limits.connect(), connect::connect(target)).await {
        Err(_elapsed) => return Verdict::of(CheckStatus::L4Timeout),
        Ok(Err(error)) => return error.into(),
        Ok(Ok(stream)) => stream,
    };
    match method {
        CheckMethod::Tcp => Verdict::of(CheckStatus::L4Ok),
        CheckMethod::Http(request) => {
            let connected = elapsed();
            let rest = limits.response(connected).saturating_sub(connected);
            tokio::time::timeout(rest, http::exchange(stream, request))
                .await
                .unwrap_or(Verdict::of(CheckStatus::L7Timeout))
        }
    }
}

/// A [`CheckReport`] without its duration.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    status: CheckStatus,
    code: Option<u16>,
    info: Option<String>,
}

impl Verdict {
    fn of(status: CheckStatus) -> Self {
        Self { status, code: None, info: None }
    }

    fn with_info(status: CheckStatus, info: String) -> Self {
        Self { status, code: None, info: Some(info) }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        testing::{End, Server, Step, black_hole, closed_port, options},
        *,
    };

    /// Long enough that nothing times out by accident on a busy machine.
    const PATIENT: Duration = Duration::from_secs(20);
    const BRIEF: Duration = Duration::from_millis(60);

    async fn run(target: SocketAddr, inter: Duration, method: &CheckMethod) -> CheckReport {
        let checked = Check { target, inter, fast_inter: None, down_inter: None, rise: 2, fall: 3 };
        check(&checked, method, &Timeouts::default(), &Clock::start()).await
    }

    fn verdict(report: CheckReport) -> (CheckStatus, Option<u16>, Option<String>) {
        (report.status, report.code, report.info)
    }

    #[tokio::test]
    async fn an_open_port_passes_the_tcp_check() {
        let server = Server::start([Step::Hold]).await;
        let report = run(server.address(), PATIENT, &CheckMethod::Tcp).await;
        assert_eq!(verdict(report), (CheckStatus::L4Ok, None, None));
    }

    #[tokio::test]
    async fn a_tcp_check_neither_sends_data_nor_closes_in_order() {
        // The application usually never sees the connection. If this process is held up between SYN/ACK
        // and RST, the kernel's delayed ACK completes the handshake; then the application sees the RST.
        let mut unseen = 0;
        for _ in 0..20 {
            let server = Server::start([Step::Hold]).await;
            run(server.address(), PATIENT, &CheckMethod::Tcp).await;
            match server.finish_if_accepted().await {
                None => unseen += 1,
                Some(seen) => assert_eq!((seen.received, seen.end), (Vec::new(), End::Reset)),
            }
        }
        assert!(unseen > 0, "every TCP check completed its handshake");
    }

    #[tokio::test]
    async fn a_closed_port_is_a_connection_problem_with_the_reason() {
        let report = run(closed_port(), PATIENT, &CheckMethod::Tcp).await;
        assert_eq!(verdict(report), (CheckStatus::L4Connection, None, Some("Connection refused".to_owned())));
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_connected_to_is_a_connection_problem() {
        // The kernel itself says no: TCP does not connect to a broadcast address.
        let broadcast = SocketAddr::from(([127, 255, 255, 255], 9));
        let report = run(broadcast, PATIENT, &CheckMethod::Tcp).await;
        assert_eq!(report.status, CheckStatus::L4Connection, "{report:?}");
        assert_eq!(report.info.as_deref(), Some("General socket error (Network is unreachable)"));
    }

    #[tokio::test]
    async fn silence_while_connecting_is_a_layer_4_timeout() {
        let hole = black_hole();
        for method in [CheckMethod::Tcp, CheckMethod::Http(options())] {
            let report = run(hole.address(), BRIEF, &method).await;
            assert_eq!(verdict(report.clone()), (CheckStatus::L4Timeout, None, None));
            assert!(report.duration >= BRIEF, "{report:?}");
        }
    }

    #[tokio::test]
    async fn silence_after_the_request_is_a_layer_7_timeout_and_ends_with_a_reset() {
        let server = Server::start([Step::Receive, Step::Hold]).await;
        let report = run(server.address(), BRIEF, &CheckMethod::Http(options())).await;
        assert_eq!(verdict(report.clone()), (CheckStatus::L7Timeout, None, None));
        assert!(report.duration >= BRIEF, "{report:?}");
        assert_eq!(server.finish().await.end, End::Reset);
    }

    #[tokio::test]
    async fn the_response_may_take_longer_than_connecting_by_timeout_check() {
        let answer = Step::Send(b"HTTP/1.0 200 OK\r\n\r\n".to_vec());
        let server = Server::start([Step::Receive, Step::Wait(3 * BRIEF), answer]).await;
        let target = server.address();
        let checked = Check { target, inter: BRIEF, fast_inter: None, down_inter: None, rise: 2, fall: 3 };
        let timeouts = Timeouts { check: Some(PATIENT), ..Timeouts::default() };
        let method = CheckMethod::Http(options());
        let report = check(&checked, &method, &timeouts, &Clock::start()).await;
        assert_eq!(verdict(report), (CheckStatus::L7Ok, Some(200), None));
    }

    #[tokio::test]
    async fn dropping_a_check_in_flight_resets_its_connection() {
        let server = Server::start([Step::Receive, Step::Hold]).await;
        let (target, method) = (server.address(), CheckMethod::Http(options()));
        let flight = tokio::spawn(async move { run(target, PATIENT, &method).await });
        server.received_request().await;
        flight.abort();
        assert_eq!(server.finish().await.end, End::Reset);
    }

    /// Set in the child process that [`want_of_file_descriptors_is_a_socket_error`] starts.
    const EXHAUST: &str = "STICKFAST_TEST_EXHAUST_DESCRIPTORS";

    #[test]
    fn want_of_file_descriptors_is_a_socket_error() {
        if std::env::var_os(EXHAUST).is_some() {
            return check_without_file_descriptors();
        }
        // The limit counts for a whole process, so the test runs in one of its own.
        let child = std::process::Command::new("sh")
            .args(["-c", "ulimit -n 32; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "probe::tests::want_of_file_descriptors_is_a_socket_error"])
            .env(EXHAUST, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
    }

    fn check_without_file_descriptors() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let target = closed_port();
        let hoard: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        let report = runtime.block_on(run(target, PATIENT, &CheckMethod::Tcp));
        drop(hoard);
        let expected = (CheckStatus::SocketError, None, Some("Too many open files".to_owned()));
        assert_eq!(verdict(report), expected);
    }
}
