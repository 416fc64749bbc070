//! Whether the data path can do what the configuration asks: checked on the finished model.

use std::{collections::HashSet, net::IpAddr, ops::RangeInclusive};

use super::{
    diagnostic::{Diagnostic, Findings, Form, Site},
    model::{Backend, Bind, Config, Forward, Frontend, Place, Protocol, Server, ServerPort, StickKind},
};
use crate::director::types::Severity;

/// Checks `config`; `site` finds the line at a place.
pub(super) fn check(config: &Config, site: &dyn Fn(&Place) -> Site, findings: &mut Findings) {
    let mut checker = Checker { site, findings };
    let services = services(config);
    checker.overlapping(&services);
    for service in &services {
        for server in &service.backend.servers {
            checker.reachable(service, server);
        }
    }
    checker.ambiguous(&services);
    for (index, backend) in config.backends.iter().enumerate() {
        let addresses = config.frontends.iter().filter(|frontend| frontend.backend == index);
        let addresses: HashSet<IpAddr> =
            addresses.flat_map(|frontend| &frontend.binds).map(|bind| bind.address).collect();
        checker.table(backend, &addresses);
    }
}

/// A bind and where its traffic goes.
#[derive(Clone, Copy)]
struct Service<'a> {
    frontend: &'a Frontend,
    bind: &'a Bind,
    backend: &'a Backend,
}

fn services(config: &Config) -> Vec<Service<'_>> {
    config
        .frontends
        .iter()
        .filter_map(|frontend| Some((frontend, config.backends.get(frontend.backend)?)))
        .flat_map(|(frontend, backend)| {
            frontend.binds.iter().map(move |bind| Service { frontend, bind, backend })
        })
        .collect()
}

impl Service<'_> {
    /// Ports at which `server` gets this service's packets; `None` when they leave the range of ports.
    fn server_ports(&self, server: &Server) -> Option<RangeInclusive<u16>> {
        match server.port {
            ServerPort::Fixed(port) => Some(port..=port),
            ServerPort::Shifted(by) => {
                let shifted = |port: u16| u16::try_from(i32::from(port) + by).ok().filter(|port| *port > 0);
                Some(shifted(*self.bind.ports.start())?..=shifted(*self.bind.ports.end())?)
            }
        }
    }

    fn describe(&self) -> String {
        let prefix = match self.bind.protocol {
            Protocol::Tcp => "",
            Protocol::Udp => "udp@",
        };
        let (low, high) = (self.bind.ports.start(), self.bind.ports.end());
        let address = match self.bind.address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        if low == high {
            format!("{prefix}{address}:{low}")
        } else {
            format!("{prefix}{address}:{low}-{high}")
        }
    }
}

struct Checker<'a> {
    site: &'a dyn Fn(&Place) -> Site,
    findings: &'a mut Findings,
}

impl Checker<'_> {
    /// A packet belongs to one service.
    fn overlapping(&mut self, services: &[Service<'_>]) {
        for (i, one) in services.iter().enumerate() {
            for other in services.iter().take(i) {
                let (a, b) = (one.bind, other.bind);
                if a.address == b.address && a.protocol == b.protocol && overlap(&a.ports, &b.ports) {
                    let text = format!(
                        "'bind' : {} of '{}' is already bound at {}:{} (frontend '{}').",
                        one.describe(),
                        one.frontend.name,
                        b.place.file,
                        b.place.line,
                        other.frontend.name
                    );
                    self.alert(&a.place, text, None);
                    break;
                }
            }
        }
    }

    /// One server can get one service's packets.
    fn reachable(&mut self, service: &Service<'_>, server: &Server) {
        let name = format!("'server {}/{}'", service.backend.name, server.name);
        let vip = service.describe();
        if server.address.is_unspecified() || server.address.is_multicast() {
            self.alert(
                &server.place,
                format!("{name} : {} is no address of a server.", server.address),
                None,
            );
            return;
        }
        if server.address.is_ipv4() != service.bind.address.is_ipv4() {
            let text = format!(
                "{name} : {} cannot take the traffic of {vip}: one is IPv4, one IPv6.",
                server.address
            );
            self.alert(
                &server.place,
                text,
                Some("a packet keeps its family; give the server in the VIP's family"),
            );
            return;
        }
        if server.address.is_loopback() {
            let text = format!(
                "{name} : {} is this host itself, where no packet can be forwarded to.",
                server.address
            );
            self.warn(&server.place, text, None);
        }
        let Some(ports) = service.server_ports(server) else {
            let text = format!("{name} : its port offset takes {vip} out of the range of ports.");
            self.alert(&server.place, text, None);
            return;
        };
        let several = service.bind.ports.len() > 1;
        match service.backend.forward {
            Forward::Snat => {}
            Forward::Dnat if several && ports.len() == 1 => {
                let text = format!(
                    "{name} : {vip} is several ports and the server has one: with 'forward dnat' a reply would not show which one was asked."
                );
                self.alert(&server.place, text, Some("use 'forward snat', or leave out the server's port"));
            }
            Forward::Dnat => {}
            Forward::Dsr if ports != service.bind.ports => {
                let text = format!(
                    "{name} : with 'forward dsr' the port is not rewritten, but {vip} and the server differ in it."
                );
                self.alert(
                    &server.place,
                    text,
                    Some("leave out the server's port and say 'port N' behind 'check'"),
                );
            }
            Forward::Dsr => {}
        }
    }

    /// With `dnat` a reply is recognised by the server's address and port alone, so they must belong to one
    /// service.
    fn ambiguous(&mut self, services: &[Service<'_>]) {
        let mut seen: Vec<(IpAddr, Protocol, RangeInclusive<u16>, String)> = Vec::new();
        for service in services.iter().filter(|service| service.backend.forward == Forward::Dnat) {
            let before = seen.len();
            for server in &service.backend.servers {
                let Some(ports) = service.server_ports(server) else { continue };
                let protocol = service.bind.protocol;
                let clash = seen.iter().take(before).find(|(address, other_protocol, other, _)| {
                    *address == server.address && *other_protocol == protocol && overlap(other, &ports)
                });
                if let Some((.., other)) = clash {
                    let text = format!(
                        "'server {}/{}' : it serves {} and {other}: with 'forward dnat' a reply would not show which one was asked.",
                        service.backend.name,
                        server.name,
                        service.describe()
                    );
                    self.alert(&server.place, text, Some("use 'forward snat' for one of the backends"));
                }
                seen.push((server.address, protocol, ports, service.describe()));
            }
        }
    }

    fn table(&mut self, backend: &Backend, addresses: &HashSet<IpAddr>) {
        let Some(table) = backend.table.as_ref().filter(|_| backend.stick_on_dst) else { return };
        let name = &backend.name;
        if usize::try_from(table.size).is_ok_and(|size| size < addresses.len()) {
            let text = format!(
                "backend '{name}': its stick-table has room for {} of {} addresses. Stickfast remembers them all the same.",
                table.size,
                addresses.len()
            );
            self.warn(&backend.place, text, Some("HAProxy would forget some, or fail back"));
        }
        if table.kind == StickKind::Ip && addresses.iter().any(IpAddr::is_ipv6) {
            let text = format!(
                "backend '{name}': its stick-table is of type ip, but has IPv6 addresses to remember. Stickfast does it all the same."
            );
            self.warn(&backend.place, text, Some("HAProxy would fail back: say 'type ipv6'"));
        }
    }

    fn alert(&mut self, place: &Place, text: String, hint: Option<&str>) {
        self.push(Severity::Alert, place, text, hint);
    }

    fn warn(&mut self, place: &Place, text: String, hint: Option<&str>) {
        self.push(Severity::Warning, place, text, hint);
    }

    fn push(&mut self, severity: Severity, place: &Place, text: String, hint: Option<&str>) {
        let finding = Diagnostic::new(severity, Some((self.site)(place)), text).form(Form::Bracket);
        self.findings.push(Diagnostic { hint: hint.map(str::to_owned), ..finding });
    }
}

fn overlap(one: &RangeInclusive<u16>, other: &RangeInclusive<u16>) -> bool {
    one.start() <= other.end() && other.start() <= one.end()
}
