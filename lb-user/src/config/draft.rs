//! The configuration as it is being read: nothing here has been compared with another section yet.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use super::{
    address::Address,
    diagnostic::Site,
    model::{Forward, Global, HttpVersion, Interface, NoServer, Protocol, StickTable, Timeouts},
};

/// Everything read so far, in the order of the files.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub global: Global,
    pub peers: Vec<Peers>,
    pub defaults: Vec<Proxy>,
    pub proxies: Vec<Proxy>,
    pub xdp: Xdp,
    /// Sections that take a proxy id (proxies and `peers`), so far.
    pub ordinals: u32,
}

impl Draft {
    /// Takes a section that is complete.
    pub(super) fn add_proxy(&mut self, proxy: Proxy) {
        let list = if proxy.kind == Kind::Defaults { &mut self.defaults } else { &mut self.proxies };
        list.push(proxy);
    }

    /// The place of the next section in the order of proxy ids.
    pub(super) fn next_ordinal(&mut self) -> u32 {
        self.ordinals = self.ordinals.saturating_add(1);
        self.ordinals
    }
}

/// A `peers` section.
#[derive(Debug)]
pub(super) struct Peers {
    pub name: String,
    pub ordinal: u32,
    pub disabled: bool,
    pub site: Site,
    /// `bind` of the new form: the local peer's address.
    pub bind: Option<(SocketAddr, Site)>,
    pub peers: Vec<Peer>,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub name: String,
    pub address: Option<SocketAddr>,
    pub site: Site,
}

/// What a proxy section is. `Listen` is a frontend and a backend in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Defaults,
    Frontend,
    Backend,
    Listen,
}

impl Kind {
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::Defaults => "defaults",
            Self::Frontend => "frontend",
            Self::Backend => "backend",
            Self::Listen => "listen",
        }
    }

    /// How HAProxy calls it in messages about two proxies.
    pub(super) fn noun(self) -> &'static str {
        if self == Self::Listen { "proxy" } else { self.section() }
    }

    pub(super) fn has_frontend(self) -> bool {
        matches!(self, Self::Frontend | Self::Listen)
    }

    pub(super) fn has_backend(self) -> bool {
        matches!(self, Self::Backend | Self::Listen)
    }
}

/// A `defaults`, `frontend`, `backend` or `listen` section.
#[derive(Debug)]
pub(super) struct Proxy {
    pub kind: Kind,
    /// Empty for an anonymous `defaults`.
    pub name: String,
    pub ordinal: u32,
    /// `id`
    pub id: Option<u32>,
    pub site: Site,
    pub settings: Settings,
    /// `stats enable` or the like: the section may be HAProxy's statistics page.
    pub stats: Option<Site>,
    pub binds: Vec<Bind>,
    pub servers: Vec<Server>,
    pub table: Option<Table>,
    pub stick: Vec<Stick>,
}

/// What a section inherits from `defaults`.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub disabled: bool,
    pub all_backups: Option<Site>,
    pub default_backend: Option<Named>,
    pub timeouts: Timeouts,
    pub http: Http,
    /// `default-server`
    pub server: ServerSettings,
}

/// A name of another section.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub name: String,
    pub site: Site,
}

/// `option httpchk` and `http-check send`.
#[derive(Clone, Debug, Default)]
pub(super) struct Http {
    /// `option httpchk` given.
    pub enabled: bool,
    /// The first `http-check` rule.
    pub rules: Option<Site>,
    pub method: Option<String>,
    pub uri: Option<String>,
    pub version: Option<HttpVersion>,
    pub headers: Vec<(String, String)>,
}

/// One address of a `bind` line.
#[derive(Clone, Debug)]
pub(super) struct Bind {
    pub address: IpAddr,
    /// As written, for messages.
    pub text: String,
    pub ports: RangeInclusive<u16>,
    pub protocol: Protocol,
    pub name: Option<String>,
    pub interface: Option<String>,
    pub site: Site,
}

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub name: String,
    pub address: Address,
    /// `id`
    pub id: Option<u32>,
    pub settings: ServerSettings,
    /// Of the name.
    pub site: Site,
    /// Of the address.
    pub address_site: Site,
}

/// What a `server` line takes from `default-server`.
#[derive(Clone, Debug)]
pub(super) struct ServerSettings {
    pub check: bool,
    pub backup: bool,
    pub disabled: bool,
    pub inter: Duration,
    pub fast_inter: Option<Duration>,
    pub down_inter: Option<Duration>,
    pub rise: u32,
    pub fall: u32,
    /// `port`; 0 as none.
    pub check_port: u16,
    /// `addr`
    pub check_address: Option<(IpAddr, Option<u16>)>,
    pub weight: u32,
    pub shutdown_sessions: bool,
    pub init: Vec<InitAddress>,
    /// `id` on this line; never inherited.
    pub id: Option<u32>,
}

impl Default for ServerSettings {
    /// HAProxy's defaults (configuration manual 5.2).
    fn default() -> Self {
        Self {
            check: false,
            backup: false,
            disabled: false,
            inter: Duration::from_secs(2),
            fast_inter: None,
            down_inter: None,
            rise: 2,
            fall: 3,
            check_port: 0,
            check_address: None,
            weight: 1,
            shutdown_sessions: false,
            init: vec![InitAddress::Last, InitAddress::Libc],
            id: None,
        }
    }
}

/// One method of `init-addr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InitAddress {
    /// From HAProxy's state file, which we do not have.
    Last,
    Libc,
    None,
    Literal(IpAddr),
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub model: StickTable,
    pub site: Site,
}

/// A `stick` rule that remembers by the destination address.
#[derive(Clone, Debug)]
pub(super) struct Stick {
    pub act: StickAct,
    /// `table`
    pub table: Option<String>,
    pub site: Site,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StickAct {
    On,
    Match,
    StoreRequest,
}

/// Section `xdp`.
#[derive(Debug, Default)]
pub(super) struct Xdp {
    pub interfaces: Vec<Interface>,
    pub forward: Forward,
    pub no_server: NoServer,
    pub source_ports: Option<RangeInclusive<u16>>,
    /// For single backends, by name; the last one wins.
    pub forwards: Vec<(Named, Forward)>,
    pub no_servers: Vec<(Named, NoServer)>,
}
