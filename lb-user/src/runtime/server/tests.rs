//! Real UNIX sockets, and real clients.

use std::{
    io::{self, Read as _, Write as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use super::*;
use crate::runtime::{ClientError, lab::Lab, send};

/// Nothing here takes so long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(10);

const TABLE: &str = "# table: bk_app, type: ip, size:2, used:1\n0xa000064: key=10.0.0.100 use=0 exp=0 server_id=1 server_key=s1\n\n";

/// A daemon with one admin socket in a directory of its own.
struct Daemon {
    directory: TempDir,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Daemon {
    fn start(limits: Limits) -> Self {
        Self::start_with(limits, Level::Admin)
    }

    fn start_with(limits: Limits, level: Level) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/admin.sock");
        let sockets = Sockets::bind(&[StatsSocket { level, ..socket(path) }]).unwrap();
        let (requests, mut received) = mpsc::channel::<Request>(8);
        tokio::spawn(async move {
            let mut lab = Lab::new();
            while let Some(request) = received.recv().await {
                request.serve(&mut lab);
            }
        });
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(sockets, requests, limits, stop.clone()));
        Self { directory, stop, serving }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("run/admin.sock")
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.path()).await.unwrap()
    }

    async fn stop(self) -> TempDir {
        self.stop.cancel();
        timeout(DEADLINE, self.serving).await.expect("the daemon stops").unwrap();
        self.directory
    }
}

fn socket(path: PathBuf) -> StatsSocket {
    StatsSocket { path, mode: None, user: None, group: None, level: Level::Admin }
}

async fn rest(stream: &mut UnixStream) -> String {
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.expect("the daemon closes").unwrap();
    answer
}

async fn exactly(stream: &mut UnixStream, expected: &str) {
    let mut answer = vec![0; expected.len()];
    timeout(DEADLINE, stream.read_exact(&mut answer)).await.expect("the daemon answers").unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), expected);
}

#[tokio::test]
async fn socat_gets_an_answer() {
    let daemon = Daemon::start(Limits::default());
    let address = format!("UNIX-CONNECT:{}", daemon.path().display());
    let output = spawn_blocking(move || {
        let mut socat = Command::new("socat")
            .args(["-t", "5", "STDIO", &address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("socat is needed: `cargo xtask setup` installs it");
        socat.stdin.take().unwrap().write_all(b"show table bk_app\n").unwrap();
        let mut output = String::new();
        socat.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        assert!(socat.wait().unwrap().success());
        output
    });
    assert_eq!(timeout(DEADLINE, output).await.expect("socat ends").unwrap(), TABLE);
}

#[tokio::test]
async fn a_client_that_half_closes_gets_its_answer() {
    let daemon = Daemon::start(Limits::default());
    let mut client = daemon.connect().await;
    client.write_all(b"show table bk_app\n").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, TABLE);
}

#[tokio::test]
async fn a_client_that_half_closes_in_mid_command_gets_nothing() {
    let daemon = Daemon::start(Limits::default());
    let mut client = daemon.connect().await;
    client.write_all(b"disable server bk_app/s1").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, "");
    let state = send(&daemon.path(), "show servers state").await.unwrap();
    assert!(state.contains("bk_app 1 s1 10.0.0.1 2 0 "), "{state}");
}

#[tokio::test]
async fn a_prompt_keeps_the_connection_open() {
    let daemon = Daemon::start(Limits::default());
    let mut client = daemon.connect().await;
    client.write_all(b"prompt\n").await.unwrap();
    exactly(&mut client, "\n> ").await;
    for _ in 0..3 {
        client.write_all(b"show cli level\n").await.unwrap();
        exactly(&mut client, "admin\n\n> ").await;
    }
    client.write_all(b"quit\n").await.unwrap();
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn many_commands_in_one_write_are_all_answered() {
    let daemon = Daemon::start(Limits::default());
    let mut client = daemon.connect().await;
    client.write_all("show cli level\n".repeat(1000).as_bytes()).await.unwrap();
    assert_eq!(rest(&mut client).await, "admin\n\n".repeat(1000));
}

#[tokio::test]
async fn a_line_that_is_too_long_ends_the_connection_without_an_answer() {
    let daemon = Daemon::start(Limits::default());
    let mut client = daemon.connect().await;
    // The daemon may close before it has read everything.
    drop(client.write_all(&[b'x'; 40_000]).await);
    let mut answer = Vec::new();
    let end = timeout(DEADLINE, client.read_to_end(&mut answer)).await.expect("the daemon closes");
    assert!(end.is_ok() || end.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset));
    assert_eq!(answer, b"");
}

#[tokio::test]
async fn a_hundred_clients_at_once_are_answered_though_fewer_may_connect() {
    let daemon = Daemon::start(Limits { connections: 7, ..Limits::default() });
    let clients: Vec<_> = (0..100)
        .map(|_| {
            let path = daemon.path();
            tokio::spawn(async move { send(&path, "show table bk_app").await.unwrap() })
        })
        .collect();
    for client in clients {
        assert_eq!(timeout(DEADLINE, client).await.expect("an answer").unwrap(), TABLE);
    }
}

#[tokio::test]
async fn clients_that_do_nothing_do_not_hold_up_others() {
    let daemon = Daemon::start(Limits { connections: 3, ..Limits::default() });
    let silent = daemon.connect().await;
    let mut deaf = daemon.connect().await;
    deaf.write_all("prompt\n".as_bytes()).await.unwrap();
    // It never reads: the answers fill its socket, and its task waits.
    while timeout(Duration::from_millis(50), deaf.write_all(b"help\n")).await.is_ok() {}
    assert_eq!(send(&daemon.path(), "show table bk_app").await.unwrap(), TABLE);
    drop((silent, deaf));
}

#[tokio::test]
async fn an_idle_client_is_disconnected() {
    let daemon = Daemon::start(Limits { idle: Duration::from_millis(20), ..Limits::default() });
    let mut client = daemon.connect().await;
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn set_timeout_gives_a_client_more_time() {
    let daemon = Daemon::start(Limits { idle: Duration::from_millis(20), ..Limits::default() });
    let mut client = daemon.connect().await;
    client.write_all(b"prompt;set timeout cli 1m\n").await.unwrap();
    exactly(&mut client, "\n> \n> ").await;
    let mut silent = daemon.connect().await;
    assert_eq!(rest(&mut silent).await, "", "the daemon's own limit has passed for another client");
    client.write_all(b"show cli level\n").await.unwrap();
    exactly(&mut client, "admin\n\n> ").await;
}

#[tokio::test]
async fn stopping_disconnects_clients_and_removes_the_socket() {
    let daemon = Daemon::start(Limits::default());
    let path = daemon.path();
    let mut client = daemon.connect().await;
    client.write_all(b"prompt\n").await.unwrap();
    exactly(&mut client, "\n> ").await;
    let directory = daemon.stop().await;
    assert_eq!(rest(&mut client).await, "");
    assert!(!path.exists());
    assert!(matches!(send(&path, "show info").await, Err(ClientError::NobodyListens { .. })));
    drop(directory);
}

#[tokio::test]
async fn a_socket_that_another_process_has_replaced_is_left_alone() {
    let daemon = Daemon::start(Limits::default());
    let path = daemon.path();
    std::fs::remove_file(&path).unwrap();
    let _other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let _directory = daemon.stop().await;
    assert!(path.exists());
}

#[tokio::test]
async fn the_socket_of_a_dead_process_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "closing does not remove the file");
    let sockets = Sockets::bind(&[socket(path.clone())]).unwrap();
    std::os::unix::net::UnixStream::connect(&path).unwrap();
    drop(sockets);
    assert!(!path.exists());
}

#[tokio::test]
async fn the_socket_of_a_live_process_is_refused_by_its_pid() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let live = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let error = Sockets::bind(&[socket(path.clone())]).unwrap_err();
    let own = std::process::id();
    assert_eq!(
        error.to_string(),
        format!("stats socket {} is already served by process {own}", path.display())
    );
    live.accept().expect("the socket is still the live one's");
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("precious");
    std::fs::write(&path, "data").unwrap();
    assert!(matches!(Sockets::bind(&[socket(path.clone())]), Err(BindError::NotASocket { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
}

#[tokio::test]
async fn if_one_socket_fails_none_is_left_behind() {
    let directory = tempfile::tempdir().unwrap();
    let good = directory.path().join("good.sock");
    let bad =
        StatsSocket { user: Some("no-such-user".to_owned()), ..socket(directory.path().join("bad.sock")) };
    assert!(matches!(Sockets::bind(&[socket(good), bad]), Err(BindError::NoSuchUser { .. })));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_socket_has_the_mode_it_was_given_or_else_0600() {
    let directory = tempfile::tempdir().unwrap();
    for (mode, expected) in [(None, 0o600), (Some(0o666), 0o666), (Some(0o660), 0o660)] {
        let path = directory.path().join("s.sock");
        let sockets = Sockets::bind(&[StatsSocket { mode, ..socket(path.clone()) }]).unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o7777, expected);
        drop(sockets);
    }
}

#[tokio::test]
async fn a_socket_belongs_to_the_user_and_group_it_was_given() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.sock");
    // Whoever runs this may give a file to themselves.
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    let (user, group) = (Some(uid.to_string()), Some(gid.to_string()));
    let _sockets = Sockets::bind(&[StatsSocket { user, group, ..socket(path.clone()) }]).unwrap();
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (uid.as_raw(), gid.as_raw()));
}

#[tokio::test]
async fn the_level_of_a_socket_holds_for_its_connections() {
    let daemon = Daemon::start_with(Limits::default(), Level::User);
    let answer = send(&daemon.path(), "operator;disable server bk_app/s1;show cli level").await.unwrap();
    assert_eq!(answer, "Permission denied\n\nPermission denied\n\nuser\n\n");
}

#[tokio::test]
async fn a_path_that_does_not_fit_is_an_error_with_its_length() {
    let path = PathBuf::from(format!("/tmp/{}", "x".repeat(120)));
    let error = Sockets::bind(&[socket(path)]).unwrap_err();
    assert!(matches!(error, BindError::PathTooLong { length: 125, .. }), "{error}");
}

#[tokio::test]
async fn the_clients_errors_name_the_socket_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let error = send(&path, "show info").await.unwrap_err();
    assert_eq!(error.to_string(), format!("nobody listens on {}", path.display()));
    assert!(error.hint().contains("is stickfast running"));
}

#[tokio::test]
async fn the_client_returns_all_answers_and_does_not_hang_in_a_prompt() {
    let daemon = Daemon::start(Limits::default());
    assert_eq!(
        send(&daemon.path(), "show cli level;show backend\n").await.unwrap(),
        "admin\n\n# name\nbk_app\n\n"
    );
    assert_eq!(send(&daemon.path(), "prompt").await.unwrap(), "\n> ");
    assert!(matches!(send(&daemon.path(), "quit").await, Err(ClientError::NoAnswer { .. })));
}

#[test]
fn a_configuration_without_stats_sockets_gets_the_default_one() {
    let sockets = stats_sockets(&Global::default()).into_owned();
    assert_eq!(sockets, [socket(PathBuf::from(DEFAULT_SOCKET))]);
}
