//! The switch under test: a Stickfast, or the HAProxy whose behaviour it is measured against.

use std::fmt;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nix::sys::signal::Signal;

use crate::cleanup::{self, Hold, Trace};
use crate::client::Http;
use crate::clock::{PATIENCE, until};
use crate::process::{LogLine, Process};
use crate::topology::{Host, Lab};

/// Names the subject for tests and demos that can have either.
pub const SUBJECT: &str = "STICKFAST_LAB_SUBJECT";
/// Names the binary under test, where it is not to be built by cargo.
pub const BINARY: &str = "STICKFAST_BIN";

const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Who is the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// This project's daemon.
    Stickfast,
    /// Debian's HAProxy.
    Haproxy,
}

impl Subject {
    /// The one that `STICKFAST_LAB_SUBJECT` names; Stickfast when it names none.
    ///
    /// # Errors
    /// When it names something else.
    pub fn from_env() -> Result<Self> {
        match std::env::var(SUBJECT).as_deref() {
            Err(_) | Ok("stickfast") => Ok(Self::Stickfast),
            Ok("haproxy") => Ok(Self::Haproxy),
            Ok(other) => bail!("{SUBJECT} is {other:?}, expected stickfast or haproxy"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stickfast => "stickfast",
            Self::Haproxy => "haproxy",
        })
    }
}

/// A switch on the laboratory's host `lb`, in its own directory and with its own pins. On drop the process is
/// killed and what it pinned is unlinked, which detaches it.
#[derive(Debug)]
pub struct Balancer {
    subject: Subject,
    host: Host,
    interfaces: &'static [&'static str],
    directory: PathBuf,
    pins: PathBuf,
    process: Option<Process>,
    // In the order of removal.
    _pins: Hold,
    _directory: Hold,
}

impl Balancer {
    /// Writes the configuration for `subject` on the host `lb`, and does not start it.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn prepare(lab: &Lab, subject: Subject, configuration: &str) -> Result<Self> {
        let scratch = cleanup::scratch()?;
        let Trace::Directory(directory) = scratch.trace().clone() else {
            bail!("a scratch directory is a directory");
        };
        let (pins, hold) = cleanup::pins();
        let balancer = Self {
            subject,
            host: lab.lb.clone(),
            interfaces: lab.interfaces(),
            directory,
            pins,
            process: None,
            _pins: hold,
            _directory: scratch,
        };
        let socket = balancer.socket();
        let global = format!("global\n    stats socket {} level admin\n", socket.display());
        fs::write(balancer.file("global.cfg"), global)?;
        balancer.configure(configuration)?;
        Ok(balancer)
    }

    /// Starts `subject` and waits until a client of `lab` gets an answer from a server.
    ///
    /// # Errors
    /// When it ends, or does not serve in time; with its log.
    pub fn start(lab: &Lab, subject: Subject, configuration: &str) -> Result<Self> {
        let mut balancer = Self::prepare(lab, subject, configuration)?;
        balancer.launch()?;
        balancer.serves(lab)?;
        Ok(balancer)
    }

    /// Replaces the configuration for the next start or reload.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn configure(&self, configuration: &str) -> Result<()> {
        Ok(fs::write(self.file("lab.cfg"), configuration)?)
    }

    /// Starts the process and waits until its stats socket answers. With a Stickfast whose pins are still there,
    /// this is the restart that adopts them.
    ///
    /// # Errors
    /// When it ends at once, or its socket does not answer; with its log.
    pub fn launch(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "{} is running already", self.subject);
        let command = self.command()?;
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        drop(fs::remove_file(self.socket()));
        let mut process = Process::start(&self.host.netns, &self.subject.to_string(), &command)?;
        let ready = until(PATIENCE, "the stats socket", || {
            if let Ok(Some(status)) = process.ended() {
                return Ok(Err(anyhow!("{} ended: {status}", self.subject)));
            }
            self.ctl("show info").map(Ok).map_err(|error| format!("{error:#}"))
        });
        ready.and_then(|running| running).with_context(|| process.log())?;
        self.process = Some(process);
        Ok(())
    }

    /// Runs the command line to its end, for one that is expected to fail; `through` goes in front of it, `setpriv`
    /// for example. How it ended, and what it said.
    ///
    /// # Errors
    /// When it goes on running; with its log.
    pub fn run_to_end(&self, through: &[&str]) -> Result<(ExitStatus, String)> {
        let command = self.command()?;
        let command: Vec<&str> = through.iter().copied().chain(command.iter().map(String::as_str)).collect();
        let mut process = Process::start(&self.host.netns, &self.subject.to_string(), &command)?;
        let status = process.wait(PATIENCE).with_context(|| process.log())?;
        let said: Vec<String> = process.lines().into_iter().map(|line| line.text).collect();
        Ok((status, said.join("\n")))
    }

    /// Waits until a client of `lab` gets an answer from a server at port 80 of the VIP.
    ///
    /// # Errors
    /// When that does not happen in time; with the log.
    pub fn serves(&self, lab: &Lab) -> Result<()> {
        let http = Http::on(&lab.client);
        let url = format!("http://{}/", lab.vip());
        until(PATIENCE, "the first answer", || match http.get(&url) {
            answer if answer.server().is_some() => Ok(()),
            answer => Err(answer),
        })
        .with_context(|| self.log())
    }

    /// One command on the stats socket; the answer with all its line ends.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn ctl(&self, command: &str) -> Result<String> {
        let mut socket = UnixStream::connect(self.socket()).context("stats socket")?;
        socket.set_read_timeout(Some(ANSWER_WITHIN))?;
        socket.write_all(format!("{command}\n").as_bytes())?;
        // HAProxy answers what it has read by then and closes.
        socket.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).with_context(|| format!("no answer to {command:?}"))?;
        Ok(answer)
    }

    /// Whether the checks find `server` of `bk_app` usable, by `show servers state`: running, or stopped.
    ///
    /// # Errors
    /// When there is no such server or no answer.
    pub fn is_up(&self, server: &str) -> Result<bool> {
        let states = self.ctl("show servers state bk_app")?;
        let mut rows = states.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let row = rows.find(|row| row.get(3) == Some(&server));
        let operational = row.as_ref().and_then(|row| row.get(5).copied());
        match operational {
            Some("0") => Ok(false),
            Some(_) => Ok(true),
            None => bail!("no server {server} in: {states}"),
        }
    }

    /// Waits until [`Balancer::is_up`] says so.
    ///
    /// # Errors
    /// When it does not in time; with the log.
    pub fn wait_until_up(&self, server: &str, up: bool) -> Result<()> {
        let what = format!("{server} {}", if up { "up" } else { "down" });
        until(PATIENCE, &what, || match self.is_up(server) {
            Ok(seen) if seen == up => Ok(()),
            seen => Err(seen.map_err(|error| format!("{error:#}"))),
        })
        .with_context(|| self.log())
    }

    /// Kills the process as a crash would.
    ///
    /// # Errors
    /// When it does not end.
    pub fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill())
    }

    /// Asks the process to end and waits for it.
    ///
    /// # Errors
    /// When it is not running, or does not end.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        let mut process = self.process.take().context("it is not running")?;
        process.signal(Signal::SIGTERM);
        process.wait(PATIENCE).with_context(|| process.log())
    }

    /// Runs `stickfast detach`.
    ///
    /// # Errors
    /// When it cannot be started; how it ended is in the output.
    pub fn detach(&self) -> Result<Output> {
        let pins = self.pins.display().to_string();
        let mut command = self.host.netns.command(&stickfast()?.display().to_string());
        Ok(command.args(["detach", "--pin-path", &pins]).output()?)
    }

    /// The command line of this switch.
    ///
    /// # Errors
    /// When there is no Stickfast and it cannot be built.
    pub fn command(&self) -> Result<Vec<String>> {
        let files = ["-f", "global.cfg", "-f", "lab.cfg"].map(|word| match word {
            "-f" => word.to_owned(),
            name => self.file(name).display().to_string(),
        });
        let mut command: Vec<String> = match self.subject {
            Subject::Haproxy => ["haproxy", "-db"].map(str::to_owned).to_vec(),
            Subject::Stickfast => vec![stickfast()?.display().to_string(), "run".to_owned()],
        };
        command.extend(files);
        command.extend(["-L", "LB1"].map(str::to_owned));
        if self.subject == Subject::Stickfast {
            command.extend(["--pin-path".to_owned(), self.pins.display().to_string()]);
        }
        Ok(command)
    }

    /// Who this is.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// The running process.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// The directory under `/sys/fs/bpf` that Stickfast pins into.
    pub fn pins(&self) -> &Path {
        &self.pins
    }

    /// The stats socket.
    pub fn socket(&self) -> PathBuf {
        self.file("admin.sock")
    }

    /// The log so far, for a person.
    pub fn log(&self) -> String {
        self.process.as_ref().map_or_else(|| format!("{} is not running", self.subject), Process::log)
    }

    /// The log so far, with the time of each line.
    pub fn lines(&self) -> Vec<LogLine> {
        self.process.as_ref().map(Process::lines).unwrap_or_default()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Drop for Balancer {
    /// The next one on this host must not find the interface taken: the kernel lets go of an unlinked program on a
    /// work queue.
    fn drop(&mut self) {
        self.process = None;
        if fs::remove_dir_all(&self.pins).is_err() {
            return; // Nothing was pinned: what is attached belongs to another.
        }
        let interfaces = self.interfaces;
        drop(until(PATIENCE, "clean interfaces", || {
            let taken =
                interfaces.iter().find(|name| self.host.xdp_program(name).is_ok_and(|id| id.is_some()));
            taken.map_or(Ok(()), Err)
        }));
    }
}

/// The binary under test: the one that `STICKFAST_BIN` names, else the one beside this program, made fresh by
/// cargo once in a process.
///
/// # Errors
/// When it cannot be built.
pub fn stickfast() -> Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build_stickfast().map_err(|error| format!("{error:#}")));
    built.as_deref().map_err(|error| anyhow!("no stickfast binary: {error}"))
}

fn build_stickfast() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(BINARY) {
        return Ok(PathBuf::from(path));
    }
    let program = std::env::current_exe()?;
    // target/<profile>/xtask or target/<profile>/deps/scenarios-<hash>
    let profile = program.ancestors().skip(1).find(|path| !path.ends_with("deps"));
    let profile = profile.context("this program is in no directory")?;
    let target = profile.parent().context("this program is not in a target directory")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "lb-user", "--bin", "stickfast"]);
    command.arg("--target-dir").arg(target).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    crate::netns::run(&mut command)?;
    Ok(profile.join("stickfast"))
}
