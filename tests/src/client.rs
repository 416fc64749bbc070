//! HTTP clients: one request on one connection, and many of them for as long as a test wants.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;
use ureq::Agent;

use crate::clock::now;
use crate::netns::Netns;
use crate::topology::Host;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// A server answered, with its name.
    From(String),
    /// HAProxy answered for the servers: 503, or 502 and 504.
    Unavailable,
    /// The connection was refused: RST in place of SYN+ACK.
    Refused,
    /// The connection was made and then broken by RST.
    Reset,
    /// The connection was made and closed without an answer.
    Closed,
    /// Nothing within the time that the client gives.
    Timeout,
    /// Anything else, in words.
    Other(String),
}

impl Answer {
    /// The server's name, where one answered.
    pub fn server(&self) -> Option<&str> {
        if let Self::From(name) = self { Some(name) } else { None }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(name) => write!(f, "answered by {name}"),
            Self::Unavailable => f.write_str("no server available"),
            Self::Refused => f.write_str("refused"),
            Self::Reset => f.write_str("reset"),
            Self::Closed => f.write_str("closed"),
            Self::Timeout => f.write_str("timeout"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// A client on a host.
#[derive(Clone, Debug)]
pub struct Http {
    netns: Netns,
    timeout: Duration,
}

impl Http {
    /// A client that gives each phase of a request (connect, wait) five seconds.
    pub fn on(host: &Host) -> Self {
        Self { netns: host.netns.clone(), timeout: Duration::from_secs(5) }
    }

    /// The same with another patience.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks for `url` on a connection of its own.
    pub fn get(&self, url: &str) -> Answer {
        match self.netns.enter(|| request(url, self.timeout)) {
            Ok(answer) => answer.map_or_else(|error| classify(&error), answer_of),
            Err(error) => Answer::Other(format!("{error:#}")),
        }
    }

    /// Asks for `url` and returns the whole body, up to 64 MB.
    ///
    /// # Errors
    /// When the request fails.
    pub fn download(&self, url: &str) -> Result<Vec<u8>> {
        let body = self.netns.enter(|| request(url, self.timeout))??.1;
        Ok(body)
    }
}

/// One request of a [`Poller`].
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it was begun.
    pub asked: Instant,
    /// When its answer was complete.
    pub answered: Instant,
    /// What became of it.
    pub answer: Answer,
}

/// Clients that ask without end, each its next request as soon as the last was answered and `pause` is over.
#[derive(Debug)]
pub struct Poller {
    stop: Arc<AtomicBool>,
    samples: Arc<Mutex<Vec<Sample>>>,
    threads: Vec<JoinHandle<Result<()>>>,
}

impl Poller {
    /// Starts as many clients as asked for.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(http: &Http, url: &str, clients: usize, pause: Duration) -> Result<Self> {
        let mut poller = Self { stop: Arc::default(), samples: Arc::default(), threads: Vec::new() };
        for _ in 0..clients {
            let (stop, samples) = (Arc::clone(&poller.stop), Arc::clone(&poller.samples));
            let (url, timeout) = (url.to_owned(), http.timeout);
            let work = move || {
                while !stop.load(Ordering::Relaxed) {
                    let asked = now();
                    let answer = request(&url, timeout).map_or_else(|error| classify(&error), answer_of);
                    let sample = Sample { asked, answered: now(), answer };
                    samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
                    thread::sleep(pause);
                }
            };
            poller.threads.push(http.netns.spawn("poller", work)?);
        }
        Ok(poller)
    }

    /// What came so far, in the order of completion.
    pub fn samples(&self) -> Vec<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets each client finish its request, and returns everything.
    pub fn stop(mut self) -> Vec<Sample> {
        self.join();
        self.samples()
    }

    fn join(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.join();
    }
}

/// The status and the body. To be called inside the client's namespace.
///
/// The timeouts are those of the phases: a global one would make ureq start a thread for each request.
fn request(url: &str, timeout: Duration) -> Result<(u16, Vec<u8>), ureq::Error> {
    let agent: Agent = Agent::config_builder()
        .timeout_connect(Some(timeout))
        .timeout_recv_response(Some(timeout))
        .timeout_recv_body(Some(timeout.saturating_mul(10)))
        .max_idle_connections(0)
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .into();
    let mut response = agent.get(url).header("connection", "close").call()?;
    let status = response.status().as_u16();
    Ok((status, response.body_mut().with_config().limit(64_000_000).read_to_vec()?))
}

fn answer_of((status, body): (u16, Vec<u8>)) -> Answer {
    match status {
        200 => Answer::From(String::from_utf8_lossy(&body).trim().to_owned()),
        502..=504 => Answer::Unavailable,
        other => Answer::Other(format!("status {other}")),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what no test tells apart goes into words")]
fn classify(error: &ureq::Error) -> Answer {
    match error {
        ureq::Error::Timeout(_) => Answer::Timeout,
        ureq::Error::Io(io) => match io.kind() {
            io::ErrorKind::ConnectionRefused => Answer::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Answer::Reset,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionAborted => Answer::Closed,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Answer::Timeout,
            _ => Answer::Other(io.to_string()),
        },
        ureq::Error::ConnectionFailed => Answer::Refused,
        other => Answer::Other(other.to_string()),
    }
}
