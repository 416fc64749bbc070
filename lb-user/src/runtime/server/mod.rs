//! The stats sockets: listening, and a task per connection.

mod bind;
mod connection;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, path::Path, sync::Arc, time::Duration};

use tokio::{
    net::UnixListener,
    sync::{Semaphore, mpsc, oneshot},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

pub use self::bind::{BindError, Sockets};
use super::{
    answer::{Answer, execute},
    view::Subject,
};
use crate::config::model::{Global, Level, StatsSocket};

/// The socket of a configuration that names none. Its file's mode is 0600, its level `admin`: whoever may
/// open it may already do everything.
pub const DEFAULT_SOCKET: &str = "/run/stickfast/admin.sock";

/// The stats sockets of a configuration, or the default one.
pub fn stats_sockets(global: &Global) -> Cow<'_, [StatsSocket]> {
    if !global.stats_sockets.is_empty() {
        return Cow::Borrowed(&global.stats_sockets);
    }
    Cow::Owned(vec![StatsSocket {
        path: DEFAULT_SOCKET.into(),
        mode: None,
        user: None,
        group: None,
        level: Level::Admin,
    }])
}

/// A command of some connection, on its way to the task that owns the [`Subject`].
#[derive(Debug)]
pub struct Request {
    line: String,
    level: Level,
    answer: oneshot::Sender<Answer>,
}

impl Request {
    /// Runs the command. Never waits: if the client has gone meanwhile, the answer is dropped.
    pub fn serve(self, subject: &mut dyn Subject) {
        let answer = execute(subject, self.level, &self.line);
        if self.answer.send(answer).is_err() {
            debug!(line = self.line, "the client left before its answer");
        }
    }
}

/// What clients may take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A client that sends nothing, or does not take an answer, for so long is disconnected
    /// (`stats timeout`).
    pub idle: Duration,
    /// Connections to one socket at a time; more wait in its backlog. Each socket has its own, so that
    /// clients of one cannot lock an administrator out of another.
    pub connections: usize,
}

impl Default for Limits {
    /// HAProxy's `stats timeout` of 10 s; 64 connections.
    fn default() -> Self {
        Self { idle: Duration::from_secs(10), connections: 64 }
    }
}

/// Serves the sockets until `stop` is cancelled; then disconnects everyone and removes the socket files.
pub async fn serve(
    sockets: Sockets,
    requests: mpsc::Sender<Request>,
    limits: Limits,
    stop: CancellationToken,
) {
    let tasks = TaskTracker::new();
    let (listeners, files) = sockets.into_parts();
    for (listener, level, path) in listeners {
        let accepting =
            Accepting { listener, level, requests: requests.clone(), limits, tasks: tasks.clone() };
        let stop = stop.clone();
        tasks.spawn(async move {
            stop.run_until_cancelled(accepting.run(&path, &stop)).await;
        });
    }
    stop.cancelled().await;
    drop(files);
    tasks.close();
    tasks.wait().await;
}

/// One listening socket at work.
struct Accepting {
    listener: UnixListener,
    level: Level,
    requests: mpsc::Sender<Request>,
    limits: Limits,
    tasks: TaskTracker,
}

impl Accepting {
    async fn run(&self, path: &Path, stop: &CancellationToken) {
        let free = Arc::new(Semaphore::new(self.limits.connections));
        // The semaphore is never closed: the loop ends with its task.
        while let Ok(permit) = Arc::clone(&free).acquire_owned().await {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    warn!(socket = %path.display(), %error, "cannot accept a connection");
                    // Most likely out of file descriptors: give connections time to end.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let converse = connection::converse(stream, self.level, self.requests.clone(), self.limits.idle);
            let stop = stop.clone();
            self.tasks.spawn(async move {
                if let Some(Err(error)) = stop.run_until_cancelled(converse).await {
                    debug!(%error, "a connection to a stats socket ended");
                }
                drop(permit);
            });
        }
    }
}
