//! What one section says about another: checked on the draft, before any name is resolved.

use super::{
    address::Port,
    diagnostic::{Diagnostic, Findings, Form, Site},
    draft::{Bind, Draft, Kind, Named, Peers, Proxy, Server, StickAct},
};
use crate::director::types::Severity;

/// Disables the sections that serve nothing and checks what is left.
pub(super) fn check(draft: &mut Draft, findings: &mut Findings) {
    // They keep their place in the order of proxy ids.
    for proxy in draft.proxies.iter_mut().filter(|proxy| is_statistics_page(proxy)) {
        proxy.settings.disabled = true;
    }
    let draft = &*draft;
    for peers in &draft.peers {
        local_address(peers, findings);
    }
    for proxy in draft.proxies.iter().filter(|proxy| !proxy.settings.disabled) {
        if proxy.kind.has_frontend() {
            listener(draft, proxy, findings);
        }
        if proxy.kind.has_backend() {
            stick(draft, proxy, findings);
            servers(proxy, findings);
        }
    }
    let named = draft.xdp.forwards.iter().map(|(named, _)| named);
    for named in named.chain(draft.xdp.no_servers.iter().map(|(named, _)| named)) {
        if backend(draft, named).is_none() {
            let text = format!("section 'xdp': unable to find backend '{}'.", named.name);
            findings.push(bare(Severity::Alert, &named.site, text));
        }
    }
}

/// The backend, or the `listen`, of that name.
pub(super) fn backend<'a>(draft: &'a Draft, named: &Named) -> Option<&'a Proxy> {
    draft.proxies.iter().find(|proxy| proxy.kind.has_backend() && proxy.name == named.name)
}

/// A section with `stats` and no servers exists for HAProxy's statistics page only.
fn is_statistics_page(proxy: &Proxy) -> bool {
    proxy.stats.is_some()
        && proxy.kind.has_frontend()
        && proxy.servers.is_empty()
        && proxy.settings.default_backend.is_none()
}

/// In the new form the local peer has its address on the `bind` line, the others on theirs.
fn local_address(peers: &Peers, findings: &mut Findings) {
    let without: Vec<_> = peers.peers.iter().filter(|peer| peer.address.is_none()).collect();
    if peers.bind.is_some() && without.len() > 1 {
        for peer in without {
            let text =
                format!("peers '{}': '{}' has no address, and neither has another.", peers.name, peer.name);
            findings.push(
                bare(Severity::Alert, &peer.site, text)
                    .hint("the 'bind' line gives one address: that of the local peer"),
            );
        }
    }
}

fn listener(draft: &Draft, proxy: &Proxy, findings: &mut Findings) {
    let name = &proxy.name;
    if proxy.binds.is_empty() && proxy.kind == Kind::Frontend {
        let text = format!(
            "frontend '{name}' has no 'bind' directive. Please declare it as a backend if this was intended."
        );
        findings.push(bare(Severity::Warning, &proxy.site, text));
    }
    for bind in &proxy.binds {
        wildcard(bind, findings);
    }
    match &proxy.settings.default_backend {
        Some(named) => match backend(draft, named) {
            None => {
                let text =
                    format!("Proxy '{name}': unable to find required default_backend: '{}'.", named.name);
                findings.push(bare(Severity::Alert, &named.site, text));
            }
            Some(backend) if backend.settings.disabled => {
                let text = format!("Proxy '{name}': default_backend '{}' is disabled.", named.name);
                findings.push(
                    bare(Severity::Alert, &named.site, text)
                        .hint("disable the frontend too, or the backend's servers one by one"),
                );
            }
            Some(_) => {}
        },
        None if proxy.kind == Kind::Frontend => {
            let text = format!("Proxy '{name}': no default_backend, so its traffic has nowhere to go.");
            findings.push(bare(Severity::Alert, &proxy.site, text).hint("add 'default_backend NAME'"));
        }
        None => {}
    }
}

fn wildcard(bind: &Bind, findings: &mut Findings) {
    let what = if bind.address.is_unspecified() {
        "names no address"
    } else if bind.address.is_multicast() {
        "is a multicast address"
    } else {
        return;
    };
    let text = format!("'bind' : '{}' {what}, and packets are recognised by theirs.", bind.text);
    findings.push(
        Diagnostic::new(Severity::Alert, Some(bind.site.clone()), text)
            .hint("give the virtual address; several are separated by commas"),
    );
}

fn stick(draft: &Draft, proxy: &Proxy, findings: &mut Findings) {
    let name = &proxy.name;
    for rule in &proxy.stick {
        let table = rule.table.as_ref().unwrap_or(name);
        let is_own = table == name;
        let exists = draft.proxies.iter().any(|other| other.name == *table && other.table.is_some());
        if !exists {
            let text = format!("Proxy '{name}': unable to find stick-table '{table}'.");
            findings.push(bare(Severity::Alert, &rule.site, text));
        } else if !is_own {
            let text = format!(
                "'stick': table '{table}' is not supported yet, because a backend remembers in its own table only."
            );
            findings.push(Diagnostic::new(Severity::Alert, Some(rule.site.clone()), text));
        }
    }
    lone_half(proxy, findings);
    let Some(table) = &proxy.table else { return };
    if let Some(peers) = &table.model.peers
        && !draft.peers.iter().any(|section| section.name == *peers)
    {
        let text = format!("Proxy '{name}': unable to find sync peers '{peers}'.");
        findings.push(bare(Severity::Alert, &table.site, text));
    }
}

/// `match` without `store-request`, or the other way round, remembers nothing of use: HAProxy fails back.
fn lone_half(proxy: &Proxy, findings: &mut Findings) {
    let first = |act| proxy.stick.iter().find(|rule| rule.act == act);
    if first(StickAct::On).is_some() {
        return;
    }
    let (site, there, missing) = match (first(StickAct::Match), first(StickAct::StoreRequest)) {
        (Some(rule), None) => (&rule.site, "match", "store-request"),
        (None, Some(rule)) => (&rule.site, "store-request", "match"),
        _ => return,
    };
    let text =
        format!("'stick {there}' is not supported yet, because without 'stick {missing}' nothing sticks.");
    findings
        .push(Diagnostic::new(Severity::Alert, Some(site.clone()), text).hint("'stick on dst' does both"));
}

fn servers(proxy: &Proxy, findings: &mut Findings) {
    let (section, name) = (proxy.kind.section(), &proxy.name);
    for server in &proxy.servers {
        if server.settings.check && check_port(server).is_none() {
            let text = format!(
                "config: {section} '{name}': server '{}' has neither service port nor check port.",
                server.name
            );
            findings.push(bare(Severity::Alert, &server.site, text).hint("add 'port N' behind 'check'"));
        }
    }
    if let Some(site) = proxy.settings.http.rules.as_ref().filter(|_| !proxy.settings.http.enabled) {
        let text = format!(
            "{section} '{name}' uses http-check rules without 'option httpchk', so the rules are ignored."
        );
        findings.push(bare(Severity::Warning, site, text));
    }
    let (backups, active): (Vec<_>, Vec<_>) = proxy.servers.iter().partition(|server| server.settings.backup);
    let active: Vec<_> = active.into_iter().filter(|server| server.settings.weight > 0).collect();
    if let [_, second, ..] = active.as_slice() {
        let text = format!(
            "{section} '{name}': {} servers are active, but one at a time gets all the traffic: the first that is usable.",
            active.len()
        );
        findings.push(
            bare(Severity::Warning, &second.site, text)
                .hint("say 'backup' on all but the first, for HAProxy to do the same"),
        );
    }
    if let Some(site) = proxy.settings.all_backups.as_ref().filter(|_| backups.len() > 1) {
        let text = format!(
            "{section} '{name}': 'option allbackups' is ignored: one backup at a time gets all the traffic, the first that is usable."
        );
        findings.push(bare(Severity::Warning, site, text));
    }
}

/// Port that a server's check goes to: `port`, else that of `addr`, else the server's own.
pub(super) fn check_port(server: &Server) -> Option<u16> {
    let settings = &server.settings;
    let own = match &server.address.port {
        Port::Range(ports) => Some(*ports.start()),
        Port::Missing | Port::Shift(_) => None,
    };
    [Some(settings.check_port), settings.check_address.and_then(|(_, port)| port), own]
        .into_iter()
        .flatten()
        .find(|port| *port > 0)
}

/// A finding whose text does not begin with a place, as HAProxy words those between sections.
fn bare(severity: Severity, site: &Site, text: String) -> Diagnostic {
    Diagnostic::new(severity, Some(site.clone()), text).form(Form::Bare)
}
