//! One client of a stats socket.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::Request;
use crate::{
    config::model::Level,
    runtime::session::{Next, Session},
};

/// Room for one read.
const READ_SIZE: usize = 4096;

/// Talks to a client until either side has had enough. What a client can make us hold is one command, one
/// read and one answer.
///
/// # Errors
/// If the client breaks off, or stays idle for longer than it may.
pub(super) async fn converse(
    mut stream: UnixStream,
    level: Level,
    requests: mpsc::Sender<Request>,
    idle: Duration,
) -> io::Result<()> {
    let mut session = Session::new(level);
    let mut buffer = [0; READ_SIZE];
    loop {
        let next = session.poll();
        let patience = session.timeout().unwrap_or(idle);
        timeout(patience, stream.write_all(&session.take_output())).await??;
        match next {
            Next::Execute(line) => {
                let (answer, answered) = oneshot::channel();
                let request = Request { line, level: session.level(), answer };
                if requests.send(request).await.is_err() {
                    return Ok(());
                }
                let Ok(answer) = answered.await else { return Ok(()) };
                session.answer(answer);
            }
            Next::Read => match timeout(patience, stream.read(&mut buffer)).await?? {
                0 => session.end_of_input(),
                read => session.receive(buffer.get(..read).unwrap_or_default()),
            },
            Next::Drained => match stream.try_read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => session.receive(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            },
            Next::Close => return Ok(()),
        }
    }
}
