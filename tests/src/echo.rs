//! Servers without HTTP: one that answers datagrams, one that keeps its connections.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;

use crate::topology::Host;

/// How long a thread may take to see that it is to stop.
const TICK: Duration = Duration::from_millis(20);

/// Answers each datagram with `NAME:` and its payload.
#[derive(Debug)]
pub struct UdpEcho {
    _threads: Threads,
}

impl UdpEcho {
    /// Serves on each of `addresses`. They are explicit because a reply's source is the address that its
    /// socket is bound to: with direct return, the VIP is one of them.
    ///
    /// # Errors
    /// When an address cannot be bound.
    pub fn start(host: &Host, addresses: &[SocketAddr]) -> Result<Self> {
        let mut threads = Threads::default();
        for address in addresses {
            let socket = host.netns.enter(|| UdpSocket::bind(address))??;
            socket.set_read_timeout(Some(TICK))?;
            let (name, stop) = (host.name.clone(), Arc::clone(&threads.stop));
            threads.add(host, move || answer_datagrams(&socket, &name, &stop))?;
        }
        Ok(Self { _threads: threads })
    }
}

/// Keeps its connections and answers each line with `NAME:` and the line.
#[derive(Debug)]
pub struct TcpEcho {
    _threads: Threads,
}

impl TcpEcho {
    /// Serves on every address of `host`.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub fn start(host: &Host, port: u16) -> Result<Self> {
        let mut threads = Threads::default();
        let listener = host.netns.enter(|| TcpListener::bind(("0.0.0.0", port)))??;
        listener.set_nonblocking(true)?;
        let (name, stop) = (host.name.clone(), Arc::clone(&threads.stop));
        threads.add(host, move || accept_connections(&listener, &name, &stop))?;
        Ok(Self { _threads: threads })
    }
}

#[derive(Debug, Default)]
struct Threads {
    stop: Arc<AtomicBool>,
    running: Vec<JoinHandle<Result<()>>>,
}

impl Threads {
    fn add(&mut self, host: &Host, work: impl FnOnce() + Send + 'static) -> Result<()> {
        self.running.push(host.netns.spawn(&format!("echo on {}", host.name), work)?);
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.running.drain(..) {
            drop(thread.join());
        }
    }
}

fn answer_datagrams(socket: &UdpSocket, name: &str, stop: &AtomicBool) {
    let mut buffer = vec![0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut buffer) else { continue };
        let payload = buffer.get(..length).unwrap_or_default();
        drop(socket.send_to(&[name.as_bytes(), b":", payload].concat(), client));
    }
}

fn accept_connections(listener: &TcpListener, name: &str, stop: &Arc<AtomicBool>) {
    let mut connections = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                let (name, stop) = (name.to_owned(), Arc::clone(stop));
                connections.push(std::thread::spawn(move || drop(answer_lines(&stream, &name, &stop))));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    for connection in connections {
        drop(connection.join());
    }
}

fn answer_lines(stream: &TcpStream, name: &str, stop: &AtomicBool) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TICK))?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while !stop.load(Ordering::Relaxed) {
        match reader.read_line(&mut line) {
            Ok(0) => break,
            Ok(_) => {
                (&mut &*stream).write_all(format!("{name}:{line}").as_bytes())?;
                line.clear();
            }
            // What was read of a line so far stays in `line`.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
