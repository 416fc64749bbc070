//! Real HTTP servers.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow};
use nix::sys::signal::Signal;

use crate::cleanup::{Hold, Trace, scratch};
use crate::clock::{PATIENCE, until};
use crate::process::Process;
use crate::topology::Host;

/// The size of the file at `/10m`.
pub const LARGE_FILE: usize = 10_000_000;

/// An nginx that answers `/` with its host's name and `/10m` with [`large_file`]. It is running from its start
/// until [`Nginx::kill`], and again after [`Nginx::start`].
#[derive(Debug)]
pub struct Nginx {
    host: Host,
    port: u16,
    configuration: PathBuf,
    _directory: Hold,
    process: Option<Process>,
}

impl Nginx {
    /// A server on every address of `host`; it accepts connections when this returns.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn new(host: &Host, port: u16) -> Result<Self> {
        let directory = scratch()?;
        let Trace::Directory(path) = directory.trace().clone() else {
            return Err(anyhow!("a scratch directory is a directory"));
        };
        fs::File::create(path.join("10m"))?.write_all(&large_file())?;
        let configuration = path.join("nginx.conf");
        fs::write(&configuration, configure(&host.name, port, &path.display().to_string()))?;
        let mut nginx =
            Self { host: host.clone(), port, configuration, _directory: directory, process: None };
        nginx.start()?;
        Ok(nginx)
    }

    /// Starts it unless it runs, and waits until it accepts connections.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(&mut self) -> Result<()> {
        if self.process.is_some() {
            return Ok(());
        }
        let configuration = self.configuration.display().to_string();
        let name = format!("nginx on {}", self.host.name);
        let process = Process::start(&self.host.netns, &name, &["nginx", "-c", &configuration])?;
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        until(PATIENCE, &name, || {
            let connected =
                self.host.netns.enter(|| TcpStream::connect_timeout(&address, Duration::from_secs(1)));
            connected.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it; its kernel goes on and answers with RST.
    ///
    /// # Errors
    /// When it does not end.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Stops it where it stands: connections are still accepted by its kernel, and never answered.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Undoes [`Nginx::pause`].
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }
}

/// The content of `/10m`: no two of its pages are equal, so a lost or swapped segment shows.
pub fn large_file() -> Vec<u8> {
    let words = (0_u64..).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    words.take(LARGE_FILE).collect()
}

fn configure(name: &str, port: u16, directory: &str) -> String {
    format!(
        "daemon off;
master_process off;
pid {directory}/pid;
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    scgi_temp_path {directory}/scgi;
    uwsgi_temp_path {directory}/uwsgi;
    default_type text/plain;
    server {{
        listen 0.0.0.0:{port} backlog=1024;
        root {directory};
        location = / {{ return 200 {name}; }}
    }}
}}
"
    )
}
