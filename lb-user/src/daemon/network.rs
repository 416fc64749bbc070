//! From the configuration and the host's network to what the data path is loaded with.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use super::RunError;
use crate::{
    config::model::{AttachMode, Config, Forward},
    datapath::{Attachment, TickRate, Tuning},
    net::{self, Link, NetError, Unresolved, XdpFeatures, XdpMode, XdpSupport},
};

/// How long an idle connection keeps its source port where no `timeout` says otherwise.
const ESTABLISHED_DEFAULT: Duration = Duration::from_secs(3600);
/// As above, for UDP.
const UDP_DEFAULT: Duration = Duration::from_secs(60);

/// Every server's address.
pub(super) fn server_addresses(config: &Config) -> BTreeSet<IpAddr> {
    config.backends.iter().flat_map(|backend| &backend.servers).map(|server| server.address).collect()
}

/// The interfaces to attach to: those named on the command line, else those of the configuration, else those over
/// which VIPs and servers are reached. Every address must be reachable in any case.
pub(super) async fn attachments(config: &Config, named: &[String]) -> Result<Vec<Attachment>, RunError> {
    let reached = reached_interfaces(config).await?;
    let mut wanted: BTreeMap<String, AttachMode> = BTreeMap::new();
    let configured = &config.xdp.interfaces;
    if named.is_empty() {
        wanted.extend(configured.iter().map(|interface| (interface.name.clone(), interface.mode)));
    } else {
        let mode = |name: &String| configured.iter().find(|interface| &interface.name == name);
        wanted.extend(
            named
                .iter()
                .map(|name| (name.clone(), mode(name).map_or(AttachMode::Auto, |interface| interface.mode))),
        );
    }
    let mut attachments = Vec::new();
    if wanted.is_empty() {
        let links = net::links().await?;
        let reached = links.into_iter().filter(|link| reached.contains(&link.index) && link.ethernet);
        attachments.extend(reached.map(|link| Attachment { link, mode: AttachMode::Auto }));
    } else {
        for (name, mode) in wanted {
            let link = net::link_by_name(&name).await?;
            if !link.ethernet {
                return Err(RunError::NotEthernet { name });
            }
            attachments.push(Attachment { link, mode });
        }
    }
    if attachments.is_empty() {
        return Err(RunError::NoInterface);
    }
    Ok(attachments)
}

/// What the program is told when it is loaded.
pub(super) fn tuning(config: &Config, trace: bool) -> Result<Tuning, RunError> {
    let ports = config.xdp.source_ports.clone();
    let uses = |mode| config.backends.iter().any(|backend| backend.forward == mode);
    if uses(Forward::Snat) {
        let host = net::ip_local_port_range()?;
        if ports.start() <= host.end() && host.start() <= ports.end() {
            return Err(RunError::PortsOverlap {
                first: *ports.start(),
                last: *ports.end(),
                host_first: *host.start(),
                host_last: *host.end(),
            });
        }
    }
    let timeouts = || config.backends.iter().map(|backend| backend.timeouts);
    let idle = timeouts().filter_map(|timeouts| timeouts.tunnel.or(timeouts.client.max(timeouts.server)));
    let udp = timeouts().filter_map(|timeouts| timeouts.client);
    let mut binds = config.frontends.iter().flat_map(|frontend| &frontend.binds);
    Ok(Tuning {
        source_ports: ports,
        dnat: uses(Forward::Dnat),
        any_port: binds.any(|bind| bind.ports == (1..=u16::MAX)),
        trace,
        established_timeout: idle.max().unwrap_or(ESTABLISHED_DEFAULT),
        udp_timeout: udp.max().unwrap_or(UDP_DEFAULT),
        tick: TickRate::of_this_kernel().map_err(RunError::Tick)?,
    })
}

/// Says so where redirected frames would disappear without an error (`docs/management.md`).
pub(super) async fn warn_of_lost_redirects(attachments: &[Attachment]) {
    for Attachment { link, .. } in attachments {
        // Looked at again: attaching has changed it.
        let Ok(link) = net::link_by_name(&link.name).await else { continue };
        let native = link.xdp_program.is_some_and(|program| program.mode == XdpMode::Native);
        let redirects = attachments.len() > 1 || link.kind.as_deref() == Some("veth");
        if native && redirects && loses_redirects(&link) {
            tracing::warn!(
                "{}: frames sent out of it by XDP will be lost, because its far end does not poll (a veth \
                 with GRO off and no XDP program). hint: ethtool -K <far end> gro on; and tx off there, so \
                 that its checksums are complete",
                link.name
            );
        }
    }
}

fn loses_redirects(link: &Link) -> bool {
    match net::xdp_features(link.index) {
        Ok(XdpSupport::Known(features)) => !features.contains(XdpFeatures::RECEIVES_REDIRECTED),
        Ok(XdpSupport::Unknown) => false,
        Err(error) => {
            tracing::debug!(%error, "{}: its XDP features cannot be asked for", link.name);
            false
        }
    }
}

/// Indexes of the interfaces over which servers and VIPs are reached.
async fn reached_interfaces(config: &Config) -> Result<BTreeSet<u32>, RunError> {
    let local: BTreeMap<IpAddr, u32> =
        net::addresses().await?.into_iter().map(|local| (local.address, local.interface)).collect();
    let mut reached = BTreeSet::new();
    for backend in &config.backends {
        for server in &backend.servers {
            let what = || format!("server {}/{}", backend.name, server.name);
            ipv4(what, server.address)?;
            let route = net::route_to(server.address).await;
            let route =
                route.map_err(|source| RunError::Address { what: what(), source: Box::new(source) })?;
            reached.insert(route.interface);
        }
    }
    for frontend in &config.frontends {
        for bind in &frontend.binds {
            let what = || format!("bind of {}", frontend.name);
            ipv4(what, bind.address)?;
            match net::route_to(bind.address).await {
                Ok(route) => reached.insert(route.interface),
                Err(NetError::Unresolved(Unresolved::Local { .. })) => {
                    local.get(&bind.address).is_some_and(|&interface| reached.insert(interface))
                }
                Err(source) => {
                    return Err(RunError::Address { what: what(), source: Box::new(source) });
                }
            };
        }
    }
    Ok(reached)
}

fn ipv4(what: impl Fn() -> String, address: IpAddr) -> Result<(), RunError> {
    match address {
        IpAddr::V4(_) => Ok(()),
        IpAddr::V6(_) => Err(RunError::Ipv6 { what: what(), address }),
    }
}
