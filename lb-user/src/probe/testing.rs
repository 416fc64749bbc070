//! Real servers that misbehave on command.

use crate::config::model::{HttpCheck, HttpVersion};
use std::{
    net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What [`Server`] does next with its one connection. After the last step it closes in order.
pub(super) enum Step {
    /// Reads up to the end of a request's headers.
    Receive,
    Send(Vec<u8>),
    Wait(Duration),
    /// Ends with an RST.
    Reset,
    /// Reads until the client ends the connection.
    Hold,
}

/// How the client ended the connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Closed,
    Reset,
    /// The server was first.
    NotSeen,
}

pub(super) struct Seen {
    pub(super) received: Vec<u8>,
    pub(super) end: End,
}

/// A server that takes one connection through a list of steps.
pub(super) struct Server {
    address: SocketAddr,
    progress: watch::Receiver<Progress>,
    task: JoinHandle<Seen>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    Listening,
    RequestReceived,
}

impl Server {
    pub(super) async fn start(steps: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let steps: Vec<Step> = steps.into_iter().collect();
        let (told, progress) = watch::channel(Progress::Listening);
        let task = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            play(stream, steps, &told).await
        });
        Self { address, progress, task }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn received_request(&self) {
        self.progress.clone().wait_for(|progress| *progress >= Progress::RequestReceived).await.unwrap();
    }

    pub(super) async fn finish(self) -> Seen {
        self.task.await.unwrap()
    }

    /// `None` if the client's connection never got as far as the application. Call it after the client
    /// has gone.
    pub(super) async fn finish_if_accepted(self) -> Option<Seen> {
        // A connection of ours queues up last: if it is the one that is accepted, there was no other.
        let mut last = TcpStream::connect(self.address).await.unwrap();
        last.write_all(LAST).await.unwrap();
        last.shutdown().await.unwrap();
        let seen = self.task.await.unwrap();
        (seen.received != LAST).then_some(seen)
    }
}

const LAST: &[u8] = b"the last one";

async fn play(mut stream: TcpStream, steps: Vec<Step>, told: &watch::Sender<Progress>) -> Seen {
    let mut received = Vec::new();
    for step in steps {
        match step {
            Step::Receive => {
                while !received.ends_with(b"\r\n\r\n") {
                    assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0, "no whole request");
                }
                told.send_replace(Progress::RequestReceived);
            }
            Step::Send(bytes) => {
                // A client that is already satisfied, or appalled, may have left.
                if stream.write_all(&bytes).await.is_err() {
                    return Seen { received, end: End::Reset };
                }
            }
            Step::Wait(duration) => tokio::time::sleep(duration).await,
            Step::Reset => {
                stream.set_zero_linger().unwrap();
                return Seen { received, end: End::NotSeen };
            }
            Step::Hold => {
                let end = match stream.read_to_end(&mut received).await {
                    Ok(_) => End::Closed,
                    Err(_) => End::Reset,
                };
                return Seen { received, end };
            }
        }
    }
    Seen { received, end: End::NotSeen }
}

/// A listener whose accept queue is full: the kernel drops every further SYN.
pub(super) struct BlackHole {
    listener: StdListener,
    _queued: StdStream,
}

impl BlackHole {
    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

pub(super) fn black_hole() -> BlackHole {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    // A backlog of 0 is a queue of one.
    socket.listen(0).unwrap();
    let listener = StdListener::from(socket);
    let _queued = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    BlackHole { listener, _queued }
}

/// An address at which nothing listens.
pub(super) fn closed_port() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// `option httpchk` without arguments.
pub(super) fn options() -> HttpCheck {
    HttpCheck {
        method: "OPTIONS".to_owned(),
        uri: "/".to_owned(),
        version: HttpVersion::Http10,
        headers: Vec::new(),
    }
}
