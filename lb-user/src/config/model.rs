//! The checked configuration: what the rest of the daemon may rely on.
//!
//! A value of these types has passed every check that needs no kernel: names resolve, addresses are
//! literal, limits hold. Order is the order of the file.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub global: Global,
    pub peers: Vec<PeersSection>,
    pub frontends: Vec<Frontend>,
    pub backends: Vec<Backend>,
    pub xdp: Xdp,
}

impl Config {
    /// Whether there is any address to serve; HAProxy ends with status 2 when there is none.
    pub fn listens(&self) -> bool {
        self.frontends.iter().any(|frontend| !frontend.binds.is_empty())
    }
}

/// Section `global`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Global {
    /// `stats socket`s; empty means the default socket.
    pub stats_sockets: Vec<StatsSocket>,
    /// `localpeer`; the command line's `-L` wins over it.
    pub local_peer: Option<String>,
    /// `node`: the name shown by `show info`; defaults to the host name.
    pub node: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `stats timeout`: how long a Runtime API connection may be idle.
    pub stats_timeout: Option<Duration>,
}

/// `stats socket <path> [mode M] [user U] [group G] [level L]` (HAProxy management guide, section 9.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsSocket {
    pub path: PathBuf,
    /// Permission bits of the socket file, e.g. `0o660`.
    pub mode: Option<u32>,
    pub user: Option<String>,
    pub group: Option<String>,
    pub level: Level,
}

/// What a Runtime API connection may do; ordered, HAProxy's default is `operator`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    User,
    #[default]
    Operator,
    Admin,
}

/// Section `peers <name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeersSection {
    pub name: String,
    /// Empty for a section that says `disabled`.
    pub peers: Vec<Peer>,
}

impl PeersSection {
    /// The peer that this node is: the one named `explicit` (`-L`, `localpeer`) if that is given, else the
    /// one named like the host, else the one whose address `is_ours`. The last rule lets one file serve
    /// both nodes of a pair; HAProxy does not have it.
    pub fn local(
        &self,
        explicit: Option<&str>,
        host_name: &str,
        is_ours: impl Fn(IpAddr) -> bool,
    ) -> Option<&Peer> {
        let named = |name: &str| self.peers.iter().find(|peer| peer.name == name);
        match explicit {
            Some(name) => named(name),
            None => named(host_name)
                .or_else(|| self.peers.iter().find(|peer| peer.address.is_some_and(|at| is_ours(at.ip())))),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub name: String,
    /// `None` for a remote peer without an address, which HAProxy accepts.
    pub address: Option<SocketAddr>,
}

/// A `frontend`, or the listening half of a `listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frontend {
    /// HAProxy's proxy id: counts `peers` sections and proxies together, in file order, from 1.
    pub id: u32,
    pub name: String,
    pub binds: Vec<Bind>,
    /// Index into [`Config::backends`].
    pub backend: usize,
}

/// One `bind` address. Several addresses on a line become several binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    pub address: IpAddr,
    /// Host order; one port or a range. `1..=65535` = all ports.
    pub ports: RangeInclusive<u16>,
    pub protocol: Protocol,
    pub name: Option<String>,
    pub interface: Option<String>,
    /// Where it stands, for messages.
    pub place: Place,
}

/// Transport protocol of a bind: `bind A:P` is TCP, `bind udp@A:P` is UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
}

/// A `backend`, or the server half of a `listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// HAProxy's proxy id, see [`Frontend::id`]. A `listen` has one id for both halves.
    pub id: u32,
    pub name: String,
    pub servers: Vec<Server>,
    /// The stick table declared here, if any.
    pub table: Option<StickTable>,
    /// `stick on dst` present: the choice is remembered per destination address. Without it the
    /// backend fails back by itself.
    pub stick_on_dst: bool,
    pub check: CheckMethod,
    pub timeouts: Timeouts,
    /// How packets to its servers are rewritten.
    pub forward: Forward,
    pub no_server: NoServer,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// HAProxy's server id (`puid`), from 1 in declaration order unless `id` says otherwise.
    pub id: u32,
    pub name: String,
    pub address: IpAddr,
    pub port: ServerPort,
    pub backup: bool,
    pub weight: u32,
    /// `disabled`: starts in maintenance.
    pub disabled: bool,
    /// Present when the server line says `check`.
    pub check: Option<Check>,
    /// `on-marked-down shutdown-sessions`: cut connections even when the operator takes it out.
    pub shutdown_sessions_on_down: bool,
    pub place: Place,
}

/// Which port of the server receives a packet that came for port P of the VIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerPort {
    /// `server s 10.0.0.1:80`
    Fixed(u16),
    /// `server s 10.0.0.1` (0) or `10.0.0.1:+1000` / `:-1000`: P plus this.
    Shifted(i32),
}

/// How one server is checked (HAProxy configuration manual 5.2: `inter`, `rise`, `fall`, `port`, `addr`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub target: SocketAddr,
    pub inter: Duration,
    /// While the state is in transition; defaults to `inter`.
    pub fast_inter: Option<Duration>,
    /// While down; defaults to `inter`.
    pub down_inter: Option<Duration>,
    pub rise: u32,
    pub fall: u32,
}

/// What a check does once it is due; per backend, as `option httpchk` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckMethod {
    /// TCP connection only.
    Tcp,
    Http(HttpCheck),
}

/// `option httpchk [method] [uri] [version]`. 2xx and 3xx pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    pub method: String,
    pub uri: String,
    pub version: HttpVersion,
    /// Extra headers, e.g. `Host`.
    pub headers: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    Http10,
    Http11,
}

/// `timeout …` as far as a packet forwarder has a use for them; `None` = not configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Option<Duration>,
    pub client: Option<Duration>,
    pub server: Option<Duration>,
    pub check: Option<Duration>,
    pub tunnel: Option<Duration>,
}

/// `stick-table type ip size N [nopurge] [expire T] [peers P]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StickTable {
    pub kind: StickKind,
    /// Entries that fit, HAProxy's suffixes (k, m, g = 2^10 …) already applied.
    pub size: u32,
    pub nopurge: bool,
    pub expire: Option<Duration>,
    /// Name of a `peers` section that exists.
    pub peers: Option<String>,
}

/// Key type of a stick table. A `stick on dst` needs one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StickKind {
    Ip,
    Ipv6,
}

/// Section `xdp`, our own (`docs/configuration.md`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xdp {
    /// Interfaces to attach to; empty = those over which VIPs and servers are reached.
    pub interfaces: Vec<Interface>,
    /// Default of [`Backend::forward`].
    pub forward: Forward,
    /// Ports that SNAT takes; host order.
    pub source_ports: RangeInclusive<u16>,
    /// Default of [`Backend::no_server`].
    pub no_server: NoServer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub mode: AttachMode,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AttachMode {
    /// Native, or generic with a warning where the driver has no XDP.
    #[default]
    Auto,
    Native,
    Generic,
}

/// How a packet reaches its server (`docs/architecture.md`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forward {
    #[default]
    Snat,
    Dnat,
    Dsr,
}

/// What a client gets while no server is usable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoServer {
    /// TCP RST, or ICMP port unreachable for UDP.
    #[default]
    Reject,
    Drop,
}

/// A line of a configuration file, for messages that come up after parsing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// As given on the command line.
    pub file: String,
    /// From 1.
    pub line: u32,
}
