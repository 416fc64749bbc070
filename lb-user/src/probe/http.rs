//! The HTTP half of a check: one request, one response, on a connection of its own.

use super::{Verdict, connect::errno};
use crate::{
    config::model::{HttpCheck, HttpVersion},
    director::types::CheckStatus,
};
use http_body_util::Empty;
use hyper::{
    Request, Response, StatusCode, Version,
    body::{Bytes, Incoming},
    client::conn::http1,
    ext::ReasonPhrase,
    header::{CONNECTION, HeaderValue},
};
use hyper_util::rt::TokioIo;
use std::{error::Error as _, future::poll_fn, io};
use tokio::net::TcpStream;

/// A response's status line and headers must fit; HAProxy's default `tune.bufsize`.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Longest `info`, in characters; HAProxy keeps as many bytes.
const MAX_INFO_CHARS: usize = 127;

/// Sends `check`'s request and judges the response once its headers are complete; the body is not read.
///
/// 2xx and 3xx pass. Interim responses (100, 103; RFC 9110, 15.2) are skipped, where HAProxy 2.6 takes the
/// first one for the answer and fails.
pub(super) async fn exchange(stream: TcpStream, check: &HttpCheck) -> Verdict {
    let request = match request(check) {
        Ok(request) => request,
        Err(error) => return unsendable(&error),
    };
    match send(stream, request).await {
        Ok(response) => judge(&response),
        Err(error) => failure(&error),
    }
}

/// HAProxy's request, byte for byte: lower-case header names in the configured order, no header of its own
/// but `connection: close` in HTTP/1.1. The default is 22 bytes: `OPTIONS / HTTP/1.0` and two line ends.
fn request(check: &HttpCheck) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    let version = match check.version {
        HttpVersion::Http10 => Version::HTTP_10,
        HttpVersion::Http11 => Version::HTTP_11,
    };
    let builder = Request::builder().method(check.method.as_str()).uri(&check.uri).version(version);
    let builder = check.headers.iter().fold(builder, |builder, (name, value)| builder.header(name, value));
    let mut request = builder.body(Empty::new())?;
    if check.version == HttpVersion::Http11 {
        request.headers_mut().entry(CONNECTION).or_insert(HeaderValue::from_static("close"));
    }
    Ok(request)
}

async fn send(stream: TcpStream, request: Request<Empty<Bytes>>) -> hyper::Result<Response<Incoming>> {
    let (mut sender, mut connection) =
        http1::Builder::new().max_buf_size(MAX_HEAD_BYTES).handshake(TokioIo::new(stream)).await?;
    let mut response = std::pin::pin!(sender.send_request(request));
    // Closing in order is hyper's habit; here the dropped socket ends the connection with an RST.
    let mut connection = std::pin::pin!(poll_fn(|context| connection.poll_without_shutdown(context)));
    // The connection makes progress only while it is polled; whichever of the two ends first knows more.
    tokio::select! {
        biased;
        response = &mut response => response,
        ended = &mut connection => match ended {
            Err(error) => Err(error),
            Ok(()) => response.await,
        },
    }
}

fn judge(response: &Response<Incoming>) -> Verdict {
    let status = response.status();
    let passed = status.is_success() || status.is_redirection();
    Verdict {
        status: if passed { CheckStatus::L7Ok } else { CheckStatus::L7Status },
        code: Some(status.as_u16()),
        info: if passed { None } else { reason(status, response.extensions().get()) },
    }
}

/// The reason phrase that the server sent.
fn reason(status: StatusCode, sent: Option<&ReasonPhrase>) -> Option<String> {
    // hyper keeps it only where it differs from the registered one.
    let text = match sent {
        Some(phrase) => String::from_utf8_lossy(phrase.as_bytes()),
        None => status.canonical_reason().unwrap_or_default().into(),
    };
    (!text.is_empty()).then(|| text.chars().take(MAX_INFO_CHARS).collect())
}

fn failure(error: &hyper::Error) -> Verdict {
    if error.is_user() {
        return unsendable(error);
    }
    match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(broken) => Verdict::with_info(CheckStatus::SocketError, errno(broken).desc().to_owned()),
        // Not HTTP, too large, or over before the headers were.
        None => Verdict::of(CheckStatus::L7Response),
    }
}

/// The configuration asks for something that cannot stand in a request.
fn unsendable(error: &dyn std::fmt::Display) -> Verdict {
    Verdict::with_info(CheckStatus::SocketError, format!("cannot send this request ({error})"))
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{End, Server, Step, options},
        *,
    };
    use crate::probe::connect::connect;

    async fn against(steps: impl IntoIterator<Item = Step>) -> Verdict {
        let server = Server::start(steps).await;
        let stream = connect(server.address()).await.unwrap();
        exchange(stream, &options()).await
    }

    async fn answered(response: impl AsRef<[u8]>) -> Verdict {
        against([Step::Receive, Step::Send(response.as_ref().to_vec()), Step::Hold]).await
    }

    async fn bytes_sent(check: &HttpCheck) -> String {
        let server =
            Server::start([Step::Receive, Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), Step::Hold]).await;
        let stream = connect(server.address()).await.unwrap();
        exchange(stream, check).await;
        let seen = server.finish().await;
        assert_eq!(seen.end, End::Reset);
        String::from_utf8(seen.received).unwrap()
    }

    fn status(code: u16, info: Option<&str>) -> Verdict {
        Verdict { status: CheckStatus::L7Status, code: Some(code), info: info.map(str::to_owned) }
    }

    fn passed(code: u16) -> Verdict {
        Verdict { status: CheckStatus::L7Ok, code: Some(code), info: None }
    }

    #[tokio::test]
    async fn the_default_request_is_22_bytes() {
        assert_eq!(bytes_sent(&options()).await, "OPTIONS / HTTP/1.0\r\n\r\n");
    }

    #[tokio::test]
    async fn requests_are_haproxys_byte_for_byte() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let with = |method: &str, uri: &str, version, headers| HttpCheck {
            method: method.to_owned(),
            uri: uri.to_owned(),
            version,
            headers,
        };
        // What HAProxy 2.6 sent for the same configuration.
        let cases = [
            (with("GET", "/health", HttpVersion::Http10, vec![]), "GET /health HTTP/1.0\r\n\r\n"),
            (
                with("HEAD", "/health", HttpVersion::Http11, vec![]),
                "HEAD /health HTTP/1.1\r\nconnection: close\r\n\r\n",
            ),
            (
                with(
                    "GET",
                    "/h?a=b",
                    HttpVersion::Http10,
                    vec![
                        header("Host", "www.example.org"),
                        header("X-Foo", "a  b"),
                        header("x-foo", "two"),
                        header("Accept", "*/*"),
                    ],
                ),
                "GET /h?a=b HTTP/1.0\r\nhost: www.example.org\r\nx-foo: a  b\r\nx-foo: two\r\naccept: */*\r\n\r\n",
            ),
            (
                with(
                    "GET",
                    "/",
                    HttpVersion::Http11,
                    vec![header("Host", "old.example.org"), header("User-Agent", "Foo")],
                ),
                "GET / HTTP/1.1\r\nhost: old.example.org\r\nuser-agent: Foo\r\nconnection: close\r\n\r\n",
            ),
        ];
        for (check, expected) in cases {
            assert_eq!(bytes_sent(&check).await, expected, "{check:?}");
        }
    }

    #[tokio::test]
    async fn a_request_that_http_cannot_express_is_reported_not_sent() {
        let check = HttpCheck { uri: "/a b".to_owned(), ..options() };
        let server = Server::start([Step::Hold]).await;
        let verdict = exchange(connect(server.address()).await.unwrap(), &check).await;
        assert_eq!(verdict.status, CheckStatus::SocketError);
        assert!(verdict.info.unwrap().starts_with("cannot send this request"));
    }

    #[tokio::test]
    async fn success_and_redirection_pass() {
        assert_eq!(answered("HTTP/1.0 200 OK\r\n\r\n").await, passed(200));
        assert_eq!(answered("HTTP/1.1 204 Any Words\r\n\r\n").await, passed(204));
        assert_eq!(answered("HTTP/1.0 301 Moved Permanently\r\n\r\n").await, passed(301));
        assert_eq!(answered("HTTP/1.0 200\r\n\r\n").await, passed(200));
        assert_eq!(answered("HTTP/1.0 200 OK\nServer: bare line feeds\n\n").await, passed(200));
    }

    #[tokio::test]
    async fn other_statuses_fail_with_the_reason_that_the_server_gave() {
        assert_eq!(answered("HTTP/1.0 404 Not Found\r\n\r\n").await, status(404, Some("Not Found")));
        assert_eq!(answered("HTTP/1.0 503 My Own Reason\r\n\r\n").await, status(503, Some("My Own Reason")));
        assert_eq!(answered("HTTP/1.0 500 \r\n\r\n").await, status(500, None));
        assert_eq!(answered("HTTP/1.0 101 Sw\r\n\r\n").await, status(101, Some("Sw")));
        assert_eq!(answered("HTTP/1.0 600 Big\r\n\r\n").await, status(600, Some("Big")));
    }

    #[tokio::test]
    async fn a_long_reason_is_cut() {
        let verdict = answered(format!("HTTP/1.0 500 {}\r\n\r\n", "x".repeat(1000))).await;
        assert_eq!(verdict.info.unwrap().len(), MAX_INFO_CHARS);
    }

    #[tokio::test]
    async fn an_interim_response_is_not_the_answer() {
        let both = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
        assert_eq!(answered(both).await, passed(200));
    }

    #[tokio::test]
    async fn the_body_is_not_waited_for() {
        assert_eq!(answered("HTTP/1.0 200 OK\r\nContent-Length: 500\r\n\r\nhal").await, passed(200));
    }

    #[tokio::test]
    async fn a_response_in_pieces_is_put_together() {
        let pieces = ["HTTP/1.", "0 404 Not", " Found\r\nServ", "er: x\r\n\r", "\n"];
        let steps = pieces.map(|piece| Step::Send(piece.as_bytes().to_vec()));
        let verdict = against([Step::Receive].into_iter().chain(steps).chain([Step::Hold])).await;
        assert_eq!(verdict, status(404, Some("Not Found")));
    }

    #[tokio::test]
    async fn what_is_not_http_is_an_invalid_response() {
        let many: String = (0..150).map(|n| format!("X{n}: y\r\n")).collect();
        let responses: [Vec<u8>; 7] = [
            b"\x00\xff\x12garbage\r\n\r\n".to_vec(),
            b"<html>nothing</html>".to_vec(),
            b"ICY 200 OK\r\n\r\n".to_vec(),
            b"HTTP/1.0 200 OK\r\nbad header name: y\r\n\r\n".to_vec(),
            b"HTTP/1.0 200 OK\r\nContent-Length: abc\r\n\r\n".to_vec(),
            format!("HTTP/1.0 200 OK\r\n{many}\r\n").into_bytes(),
            format!("HTTP/1.0 200 OK\r\nX: {}\r\n\r\n", "a".repeat(40_000)).into_bytes(),
        ];
        for response in responses {
            let verdict = answered(&response).await;
            assert_eq!(
                verdict,
                Verdict::of(CheckStatus::L7Response),
                "{}",
                String::from_utf8_lossy(&response[..response.len().min(60)])
            );
        }
    }

    #[tokio::test]
    async fn a_response_that_ends_too_early_is_invalid() {
        let half = Step::Send(b"HTTP/1.0 200 OK\r\nServer: x".to_vec());
        for steps in [vec![Step::Receive], vec![Step::Receive, half]] {
            assert_eq!(against(steps).await, Verdict::of(CheckStatus::L7Response));
        }
    }

    #[tokio::test]
    async fn a_reset_instead_of_a_response_is_a_socket_error() {
        let half = Step::Send(b"HTTP/1.0 200 OK\r\nSer".to_vec());
        let reset = || Verdict::with_info(CheckStatus::SocketError, "Connection reset by peer".to_owned());
        for steps in [vec![Step::Receive, Step::Reset], vec![Step::Receive, half, Step::Reset]] {
            assert_eq!(against(steps).await, reset());
        }
    }
}
