//! Turns the draft into the model: ids, references, resolved names.

use std::net::{IpAddr, SocketAddr};

use super::{
    World, address,
    address::{Host, Port},
    diagnostic::{Diagnostic, Findings, Form},
    draft::{self, Draft, Http, InitAddress, Proxy},
    model::{
        Backend, Bind, Check, CheckMethod, Config, Frontend, HttpCheck, HttpVersion, Peer, PeersSection,
        Server, ServerPort, Timeouts, Xdp,
    },
    structure::{backend, check_port},
};
use crate::director::types::Severity;

/// Ports that SNAT takes unless `source-ports` says otherwise: below Linux's default ephemeral range.
const SOURCE_PORTS: std::ops::RangeInclusive<u16> = 10_000..=32_767;

/// Builds the model from a draft whose references hold. Names that do not resolve become alerts.
pub(super) fn link(draft: &Draft, world: &dyn World, findings: &mut Findings) -> Config {
    let ids = Ids::new(draft);
    let in_use = |proxy: &&Proxy| !proxy.settings.disabled;
    let backends: Vec<&Proxy> =
        draft.proxies.iter().filter(in_use).filter(|proxy| proxy.kind.has_backend()).collect();
    let frontends: Vec<(&Proxy, usize)> = draft
        .proxies
        .iter()
        .filter(in_use)
        .filter(|proxy| proxy.kind.has_frontend() && !proxy.binds.is_empty())
        .filter_map(|proxy| {
            let target = match &proxy.settings.default_backend {
                Some(named) => backend(draft, named)?,
                None => proxy,
            };
            let index = backends.iter().position(|backend| std::ptr::eq(*backend, target))?;
            Some((proxy, index))
        })
        .collect();
    let mut config = Config {
        global: draft.global.clone(),
        peers: draft.peers.iter().map(peers_section).collect(),
        frontends: frontends
            .iter()
            .map(|&(proxy, backend)| Frontend {
                id: ids.of(proxy),
                name: proxy.name.clone(),
                binds: proxy.binds.iter().map(bind).collect(),
                backend,
            })
            .collect(),
        backends: Vec::new(),
        xdp: Xdp {
            interfaces: draft.xdp.interfaces.clone(),
            forward: draft.xdp.forward,
            source_ports: draft.xdp.source_ports.clone().unwrap_or(SOURCE_PORTS),
            no_server: draft.xdp.no_server,
        },
    };
    for (index, proxy) in backends.iter().enumerate() {
        let clients = frontends.iter().filter(|(_, backend)| *backend == index).map(|(proxy, _)| *proxy);
        let timeouts = timeouts(proxy, clients);
        config.backends.push(linked_backend(draft, proxy, ids.of(proxy), timeouts, world, findings));
    }
    config
}

/// HAProxy's proxy ids: `id` where given, the rest numbered from 1 in file order around them.
struct Ids(Vec<(u32, u32)>);

impl Ids {
    fn new(draft: &Draft) -> Self {
        let mut sections: Vec<(u32, Option<u32>)> = draft
            .proxies
            .iter()
            .map(|proxy| (proxy.ordinal, proxy.id))
            .chain(draft.peers.iter().map(|peers| (peers.ordinal, None)))
            .collect();
        sections.sort_unstable();
        let taken = numbered(sections.iter().map(|(_, id)| *id));
        Self(sections.iter().map(|(ordinal, _)| *ordinal).zip(taken).collect())
    }

    fn of(&self, proxy: &Proxy) -> u32 {
        self.0.iter().find(|(ordinal, _)| *ordinal == proxy.ordinal).map_or(0, |(_, id)| *id)
    }
}

/// Gives every `None` the lowest number from 1 that is free and above the one given before it.
fn numbered(wanted: impl Iterator<Item = Option<u32>> + Clone) -> Vec<u32> {
    let explicit: std::collections::HashSet<u32> = wanted.clone().flatten().collect();
    let mut next = 1;
    wanted
        .map(|id| {
            id.unwrap_or_else(|| {
                while explicit.contains(&next) {
                    next += 1;
                }
                next += 1;
                next - 1
            })
        })
        .collect()
}

fn peers_section(peers: &draft::Peers) -> PeersSection {
    let local = peers.bind.as_ref().map(|(address, _)| *address);
    let list = peers.peers.iter().map(|peer| Peer {
        name: peer.name.clone(),
        // With a `bind` line, the one peer without an address is the local one.
        address: peer.address.or(local),
    });
    PeersSection { name: peers.name.clone(), peers: list.filter(|_| !peers.disabled).collect() }
}

fn bind(bind: &draft::Bind) -> Bind {
    Bind {
        address: bind.address,
        ports: bind.ports.clone(),
        protocol: bind.protocol,
        name: bind.name.clone(),
        interface: bind.interface.clone(),
        place: bind.site.place.clone(),
    }
}

/// `timeout client` is the frontends', the rest the backend's own.
fn timeouts<'a>(proxy: &Proxy, frontends: impl Iterator<Item = &'a Proxy>) -> Timeouts {
    let client = frontends.filter_map(|frontend| frontend.settings.timeouts.client).max();
    Timeouts { client: client.or(proxy.settings.timeouts.client), ..proxy.settings.timeouts }
}

fn linked_backend(
    draft: &Draft,
    proxy: &Proxy,
    id: u32,
    timeouts: Timeouts,
    world: &dyn World,
    findings: &mut Findings,
) -> Backend {
    let last_named = |named: &draft::Named| named.name == proxy.name;
    let xdp = &draft.xdp;
    let ids = numbered(proxy.servers.iter().map(|server| server.id));
    let servers = proxy.servers.iter().zip(ids);
    Backend {
        id,
        name: proxy.name.clone(),
        servers: servers
            .filter_map(|(server, id)| linked_server(proxy, server, id, world, findings))
            .collect(),
        table: proxy.table.as_ref().map(|table| table.model.clone()),
        stick_on_dst: !proxy.stick.is_empty(),
        check: check_method(&proxy.settings.http),
        timeouts,
        forward: xdp
            .forwards
            .iter()
            .rev()
            .find(|(named, _)| last_named(named))
            .map_or(xdp.forward, |(_, forward)| *forward),
        no_server: xdp
            .no_servers
            .iter()
            .rev()
            .find(|(named, _)| last_named(named))
            .map_or(xdp.no_server, |(_, policy)| *policy),
        place: proxy.site.place.clone(),
    }
}

fn linked_server(
    proxy: &Proxy,
    server: &draft::Server,
    id: u32,
    world: &dyn World,
    findings: &mut Findings,
) -> Option<Server> {
    let address = match initial_address(server, world) {
        Initial::Address(address) => address,
        Initial::Fallback(address) => {
            let text = "falling back to configured address.";
            findings.push(unresolved(proxy, server, Severity::Warning, text));
            address
        }
        Initial::Nothing { asked_for } => {
            let mut finding = unresolved(proxy, server, Severity::Alert, "");
            if asked_for {
                finding = finding
                    .hint("'init-addr none' is not supported yet: a server needs an address from the start");
            }
            findings.push(finding);
            return None;
        }
    };
    let settings = &server.settings;
    let check_host = settings.check_address.map_or(address, |(address, _)| address);
    let check = check_port(server).filter(|_| settings.check).map(|port| Check {
        target: SocketAddr::new(check_host, port),
        inter: settings.inter,
        fast_inter: settings.fast_inter,
        down_inter: settings.down_inter,
        rise: settings.rise,
        fall: settings.fall,
    });
    Some(Server {
        id,
        name: server.name.clone(),
        address,
        port: match &server.address.port {
            Port::Range(ports) if *ports.start() > 0 => ServerPort::Fixed(*ports.start()),
            Port::Range(_) | Port::Missing => ServerPort::Shifted(0),
            Port::Shift(shift) => ServerPort::Shifted(*shift),
        },
        backup: settings.backup,
        weight: settings.weight,
        disabled: settings.disabled,
        check,
        shutdown_sessions_on_down: settings.shutdown_sessions,
        place: server.site.place.clone(),
    })
}

/// What `init-addr` leads to.
enum Initial {
    Address(IpAddr),
    /// The name does not resolve; an address of the list does instead.
    Fallback(IpAddr),
    /// `asked_for`: by `none`.
    Nothing {
        asked_for: bool,
    },
}

fn initial_address(server: &draft::Server, world: &dyn World) -> Initial {
    let address = &server.address;
    if let Host::Literal(literal) = address.host {
        return Initial::Address(literal);
    }
    let mut asked_for = false;
    for method in &server.settings.init {
        match method {
            InitAddress::Libc => {
                let resolved = address::resolve(&address.host, address.family, |name| world.resolve(name));
                if let Some(address) = resolved {
                    return Initial::Address(address);
                }
            }
            InitAddress::Literal(literal) => return Initial::Fallback(*literal),
            InitAddress::Last => {}
            InitAddress::None => asked_for = true,
        }
    }
    Initial::Nothing { asked_for }
}

fn unresolved(proxy: &Proxy, server: &draft::Server, severity: Severity, then: &str) -> Diagnostic {
    let host = match &server.address.host {
        Host::Name(name) => name.clone(),
        Host::Literal(address) => address.to_string(),
        Host::Any => "*".to_owned(),
    };
    let (backend, name) = (&proxy.name, &server.name);
    let end = if then.is_empty() { ".".to_owned() } else { format!(", {then}") };
    let text = format!("'server {backend}/{name}' : could not resolve address '{host}'{end}");
    let finding = Diagnostic::new(severity, Some(server.address_site.clone()), text).form(Form::Bracket);
    if host.ends_with(':') || host.contains("::") {
        finding.hint("write an IPv6 address in brackets: '[2001:db8::1]:80'")
    } else {
        finding
    }
}

fn check_method(http: &Http) -> CheckMethod {
    if !http.enabled {
        return CheckMethod::Tcp;
    }
    CheckMethod::Http(HttpCheck {
        method: http.method.clone().unwrap_or_else(|| "OPTIONS".to_owned()),
        uri: http.uri.clone().unwrap_or_else(|| "/".to_owned()),
        version: http.version.unwrap_or(HttpVersion::Http10),
        headers: http.headers.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fill_the_gaps_that_explicit_ones_leave() {
        for (wanted, given) in [
            (vec![None, None], vec![1, 2]),
            (vec![None, Some(1), None], vec![2, 1, 3]),
            (vec![Some(10), None], vec![10, 1]),
            (vec![Some(2), None, None], vec![2, 1, 3]),
        ] {
            assert_eq!(numbered(wanted.into_iter()), given);
        }
    }
}
