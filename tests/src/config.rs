//! Configurations in HAProxy's language, which both subjects read.

use crate::topology::Lab;

/// The article's configuration for a laboratory, made fast, with what a test wants changed.
#[derive(Clone, Debug)]
pub struct Config {
    peers: String,
    sticky: bool,
    table_size: u32,
    check: String,
    forward: Option<&'static str>,
    interfaces: Vec<String>,
    frontend: String,
    backend: String,
    servers: Vec<String>,
    mode: &'static str,
}

impl Config {
    /// «Automatic failover and failback»: `s1`, and the others as backups.
    pub fn failback(lab: &Lab) -> Self {
        let servers = lab.servers.iter().enumerate().map(|(n, server)| {
            let role = if n == 0 { "" } else { " backup" };
            format!("server {} {}:80{role}", server.name, server.address)
        });
        let [a, b, c, _] = lab.lb.address.octets();
        Self {
            peers: format!(
                "peers LB\n    peer LB1 {a}.{b}.{c}.98:1234\n    peer LB2 {a}.{b}.{c}.99:1234\n\n"
            ),
            sticky: false,
            table_size: 2,
            check: "check inter 100ms fall 2 rise 2".to_owned(),
            forward: None,
            interfaces: lab.interfaces().iter().map(|name| format!("interface {name} mode native")).collect(),
            frontend: format!("bind {}:80 name app", lab.vip()),
            backend: String::new(),
            servers: servers.collect(),
            mode: "http",
        }
    }

    /// «Automatic failover without failback»: the same with `stick on dst`.
    pub fn no_failback(lab: &Lab) -> Self {
        Self { sticky: true, ..Self::failback(lab) }
    }

    /// The number of entries in the stick table; the article has 2.
    #[must_use]
    pub fn table_size(mut self, size: u32) -> Self {
        self.table_size = size;
        self
    }

    /// The words on each server's line that tell how it is checked.
    #[must_use]
    pub fn check(mut self, words: &str) -> Self {
        words.clone_into(&mut self.check);
        self
    }

    /// Adds Stickfast's own section with the mode `snat`, `dnat` or `dsr`. HAProxy skips it.
    #[must_use]
    pub fn forward(mut self, mode: &'static str) -> Self {
        self.forward = Some(mode);
        self
    }

    /// `http` (the article's) or `tcp`.
    #[must_use]
    pub fn mode(mut self, mode: &'static str) -> Self {
        self.mode = mode;
        self
    }

    /// One more line in the frontend.
    #[must_use]
    pub fn frontend_line(mut self, line: &str) -> Self {
        self.frontend = format!("{}\n    {line}", self.frontend);
        self
    }

    /// One more line in the backend, before the servers.
    #[must_use]
    pub fn backend_line(mut self, line: &str) -> Self {
        self.backend = format!("{}\n    {line}", self.backend);
        self
    }

    /// Only the first few of the laboratory's servers.
    #[must_use]
    pub fn first_servers(mut self, count: usize) -> Self {
        self.servers.truncate(count);
        self
    }

    /// No server is a backup.
    #[must_use]
    pub fn equals(mut self) -> Self {
        self.servers = self.servers.iter().map(|line| line.replace(" backup", "")).collect();
        self
    }

    /// Other servers than the laboratory's. The check is added to each line.
    #[must_use]
    pub fn servers(mut self, lines: &[String]) -> Self {
        self.servers = lines.to_vec();
        self
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let Self { table_size, check, frontend, backend, mode, .. } = self;
        let (peers, stick) = if self.sticky {
            (
                self.peers.as_str(),
                format!("    stick-table type ip size {table_size} nopurge peers LB\n    stick on dst\n"),
            )
        } else {
            ("", String::new())
        };
        let http = if *mode == "http" { "    option http-server-close\n" } else { "" };
        let mut text = format!(
            "{peers}defaults
    mode {mode}
{http}    timeout client 20s
    timeout server 20s
    timeout connect 4s

frontend ft_app
    {frontend}
    default_backend bk_app

backend bk_app{backend}
{stick}"
        );
        for server in &self.servers {
            text += &format!("    {server} {check}\n");
        }
        if let Some(forward) = self.forward {
            text += &format!(
                "
.if defined(STICKFAST)
xdp
    {}
    forward {forward}
    source-ports 10000-32767
.endif
",
                self.interfaces.join("\n    ")
            );
        }
        text
    }
}
