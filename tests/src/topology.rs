//! The hosts of the laboratory and the cables between them.
//!
//! ```text
//! Segment (the article's)                        Routed
//!
//! client ──┐                                     client ── lb ──┐
//!          ├── bridge ── lb (one interface)                     ├── bridge
//! s1, s2 ──┘                                               s1, s2 ──┘
//! 10.0.0.0/24                                    10.1.0.0/24    10.2.0.0/24
//! ```

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Result, anyhow};

use crate::netns::{Netns, run};

/// How the hosts are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Everybody on one Ethernet segment; the balancer has one interface (one-arm).
    Segment,
    /// The balancer stands between the clients' network and the servers' network, and routes.
    Routed,
}

/// One machine: a namespace with an interface and an address.
#[derive(Clone, Debug)]
pub struct Host {
    /// `client`, `lb`, `s1`, …
    pub name: String,
    /// Its network.
    pub netns: Netns,
    /// Its own address, on its (first) interface `eth0`.
    pub address: Ipv4Addr,
}

impl Host {
    /// The id of the XDP program on one of its interfaces, if there is one.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn xdp_program(&self, interface: &str) -> Result<Option<u32>> {
        let shown = run(Command::new("ip").args(["-n", self.netns.name(), "-d", "link", "show", interface]))?;
        let id = shown.split("prog/xdp id ").nth(1).and_then(|rest| rest.split_whitespace().next());
        Ok(id.map(str::parse).transpose()?)
    }
}

/// The whole laboratory.
#[derive(Clone, Debug)]
pub struct Lab {
    /// How the hosts are joined.
    pub shape: Shape,
    /// Where requests come from.
    pub client: Host,
    /// Where the switch under test runs. It owns the VIP.
    pub lb: Host,
    /// `s1`, `s2`, …
    pub servers: Vec<Host>,
    /// A host on the balancer's first network that has no part in it.
    pub bystander: Host,
    bridge: Netns,
}

impl Lab {
    /// Builds the hosts `client`, `lb`, `bystander` and as many servers as asked for.
    ///
    /// # Errors
    /// When the system refuses, for want of privileges for example.
    pub fn new(shape: Shape, servers: u8) -> Result<Self> {
        match shape {
            Shape::Segment => Self::segment(servers),
            Shape::Routed => Self::routed(servers),
        }
    }

    /// The virtual address.
    pub fn vip(&self) -> Ipv4Addr {
        match self.shape {
            Shape::Segment => Ipv4Addr::new(10, 0, 0, 100),
            Shape::Routed => Ipv4Addr::new(10, 1, 0, 100),
        }
    }

    /// The balancer's interfaces.
    pub fn interfaces(&self) -> &'static [&'static str] {
        match self.shape {
            Shape::Segment => &["eth0"],
            Shape::Routed => &["eth0", "eth1"],
        }
    }

    /// A server by its number, which counts from 1 as its name does.
    ///
    /// # Errors
    /// When there is no such server.
    pub fn server(&self, number: usize) -> Result<&Host> {
        let index = number.checked_sub(1).ok_or_else(|| anyhow!("servers count from 1"))?;
        self.servers.get(index).ok_or_else(|| anyhow!("the laboratory has no server {number}"))
    }

    /// Pulls the cable of a host at the bridge: its machine is dead, and nobody is told.
    ///
    /// # Errors
    /// When the host has no cable to the bridge.
    pub fn cut(&self, host: &Host) -> Result<()> {
        self.bridge.ip(&format!("link set {} down", host.name))
    }

    /// Puts the cable back.
    ///
    /// # Errors
    /// When the host has no cable to the bridge.
    pub fn mend(&self, host: &Host) -> Result<()> {
        self.bridge.ip(&format!("link set {} up", host.name))
    }

    /// Makes the servers ready for direct return: each has the VIP on its loopback, and does not say so.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn give_servers_the_vip(&self) -> Result<()> {
        for server in &self.servers {
            server.netns.sysctl("net/ipv4/conf/all/arp_ignore", "1")?;
            server.netns.sysctl("net/ipv4/conf/all/arp_announce", "2")?;
            server.netns.ip(&format!("address add {}/32 dev lo", self.vip()))?;
        }
        Ok(())
    }

    fn segment(servers: u8) -> Result<Self> {
        let bridge = bridge()?;
        let on_bridge = |name: &str, address: Ipv4Addr| {
            let host = host(name, address)?;
            cable((&host.netns, "eth0"), (&bridge, name))?;
            join_bridge(&bridge, name)?;
            host.netns.ip(&format!("address add {address}/24 dev eth0"))?;
            Ok::<_, anyhow::Error>(host)
        };
        let at = |last| Ipv4Addr::new(10, 0, 0, last);
        let lab = Self {
            shape: Shape::Segment,
            client: on_bridge("client", at(200))?,
            lb: on_bridge("lb", at(98))?,
            servers: (1..=servers).map(|n| on_bridge(&format!("s{n}"), at(n))).collect::<Result<_>>()?,
            bystander: on_bridge("bystander", at(50))?,
            bridge: bridge.clone(),
        };
        lab.lb.netns.ip(&format!("address add {}/32 dev eth0", lab.vip()))?;
        Ok(lab)
    }

    fn routed(servers: u8) -> Result<Self> {
        let bridge = bridge()?;
        let near = |last| Ipv4Addr::new(10, 1, 0, last);
        let far = |last| Ipv4Addr::new(10, 2, 0, last);

        let lb = host("lb", near(98))?;
        let client = host("client", near(200))?;
        let bystander = host("bystander", far(50))?;
        cable((&lb.netns, "eth0"), (&client.netns, "eth0"))?;
        lb.netns.ip("address add 10.1.0.98/24 dev eth0\naddress add 10.1.0.100/32 dev eth0")?;
        client.netns.ip("address add 10.1.0.200/24 dev eth0\nroute add default via 10.1.0.98")?;

        let on_bridge = |host: &Host| {
            cable((&host.netns, "eth0"), (&bridge, &host.name))?;
            join_bridge(&bridge, &host.name)?;
            host.netns
                .ip(&format!("address add {}/24 dev eth0\nroute add default via 10.2.0.98", host.address))
        };
        cable((&lb.netns, "eth1"), (&bridge, "lb"))?;
        join_bridge(&bridge, "lb")?;
        lb.netns.ip("address add 10.2.0.98/24 dev eth1")?;
        lb.netns.sysctl("net/ipv4/ip_forward", "1")?;
        let servers = (1..=servers).map(|n| host(&format!("s{n}"), far(n))).collect::<Result<Vec<_>>>()?;
        servers.iter().chain([&bystander]).try_for_each(on_bridge)?;
        Ok(Self { shape: Shape::Routed, client, lb, servers, bystander, bridge })
    }
}

fn host(name: &str, address: Ipv4Addr) -> Result<Host> {
    let netns = Netns::new(name)?;
    // Replies may come in where no route leads out; the larger of `all` and the interface's own value counts.
    netns.sysctl("net/ipv4/conf/all/rp_filter", "0")?;
    netns.sysctl("net/ipv4/conf/default/rp_filter", "0")?;
    // Thousands of short connections must not run out of ports.
    netns.sysctl("net/ipv4/tcp_max_tw_buckets", "256")?;
    Ok(Host { name: name.to_owned(), netns, address })
}

fn bridge() -> Result<Netns> {
    let bridge = Netns::new("bridge")?;
    bridge.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0\nlink set br0 up")?;
    Ok(bridge)
}

fn join_bridge(bridge: &Netns, port: &str) -> Result<()> {
    bridge.ip(&format!("link set {port} master br0"))
}

/// A veth pair, both ends up and fit for native XDP at either end:
/// - a frame that XDP redirects into a veth is lost, without a trace at the sender, unless the far end polls:
///   so GRO on;
/// - a checksum that was left to the card (`CHECKSUM_PARTIAL`) is not finished by anybody once the frame went
///   through XDP: so transmit offload off. On the bridge's ports too, since GRO marks what it merged the
///   same way;
/// - a VLAN tag is to stand in the frame as it does on a wire, not beside it.
fn cable(one: (&Netns, &str), other: (&Netns, &str)) -> Result<()> {
    let ((netns, name), (far_netns, far_name)) = (one, other);
    netns.ip(&format!("link add {name} type veth peer name {far_name} netns {}", far_netns.name()))?;
    for (netns, name) in [one, other] {
        netns.ip(&format!("link set {name} up"))?;
    }
    // Once both are up: set earlier, the kernel does not note it among the XDP features of the far end, and
    // refuses to redirect into that.
    for (netns, name) in [one, other] {
        run(netns.command("ethtool").args(["-K", name, "tx", "off", "gro", "on", "txvlan", "off"]))?;
    }
    Ok(())
}
