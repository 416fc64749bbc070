//! Clients without HTTP: a connection that is kept, single datagrams, ping. They speak to [`crate::TcpEcho`] and
//! [`crate::UdpEcho`].

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use crate::topology::Host;

const TIMEOUT: Duration = Duration::from_secs(2);

/// A TCP connection on which line after line is sent and answered.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Connection {
    /// Connects from `host`.
    ///
    /// # Errors
    /// When the connection is refused or times out.
    pub fn open(host: &Host, address: SocketAddr) -> Result<Self> {
        let stream = host.netns.enter(|| TcpStream::connect_timeout(&address, TIMEOUT))??;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { reader: BufReader::new(stream.try_clone()?), stream })
    }

    /// Sends a line and returns the line that answers it.
    ///
    /// # Errors
    /// What became of the connection: reset, closed (`UnexpectedEof`), or no answer in two seconds.
    pub fn ask(&mut self, line: &str) -> io::Result<String> {
        self.stream.write_all(format!("{line}\n").as_bytes())?;
        let mut answer = String::new();
        match self.reader.read_line(&mut answer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(answer.trim_end().to_owned()),
        }
    }
}

/// Sends one datagram from a port of its own and returns the answer.
///
/// # Errors
/// When none comes in two seconds, or an ICMP error does.
pub fn ask_by_datagram(host: &Host, address: SocketAddr, payload: &[u8]) -> Result<Vec<u8>> {
    let socket = host.netns.enter(|| UdpSocket::bind("0.0.0.0:0"))??;
    // Connected: an answer from another address than the one asked is not for us.
    socket.connect(address)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.send(payload)?;
    let mut buffer = vec![0; 65_536];
    let length = socket.recv(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

/// Sends one ICMP echo request with `length` bytes of data, and waits for the reply.
///
/// # Errors
/// When none comes in two seconds, or another than was asked for.
pub fn ping(host: &Host, address: Ipv4Addr, length: usize) -> Result<()> {
    host.netns.sysctl("net/ipv4/ping_group_range", "0 0")?;
    let socket = host.netns.enter(|| {
        socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, SockProtocol::Icmp)
    })??;
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(TIMEOUT))?;
    // RFC 792: type 8, code 0; the kernel writes the checksum and the identifier.
    let request = [&[8, 0, 0, 0, 0, 0, 0, 1], vec![b'p'; length].as_slice()].concat();
    socket.send_to(&request, (address, 0))?;
    let mut reply = vec![0; 65_536];
    let (size, from) = socket.recv_from(&mut reply)?;
    reply.truncate(size);
    ensure!(from.ip() == address, "the reply comes from {from}");
    ensure!(reply.first() == Some(&0) && reply.get(8..) == request.get(8..), "not an echo reply: {reply:?}");
    Ok(())
}
