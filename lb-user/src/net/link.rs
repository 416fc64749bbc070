//! Network interfaces.

use super::{Mac, NetError, netlink::Netlink};
use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::link::{
    LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkXdp, XdpAttached as Attachment,
};

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    /// All zero for a device without an Ethernet address, e.g. `lo` or a tunnel.
    pub mac: Mac,
    /// `veth`, `bridge`, `vlan` …; `None` for hardware and `lo`.
    pub kind: Option<String>,
    /// Frames are Ethernet.
    pub ethernet: bool,
    /// Set up by the administrator and the carrier is there.
    pub up: bool,
    /// Bytes.
    pub mtu: u32,
    pub xdp_program: Option<XdpAttached>,
}

/// The XDP program on an interface, ours or another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpAttached {
    /// As `bpftool prog show id` takes it. 0 with [`XdpMode::Multiple`].
    pub id: u32,
    pub mode: XdpMode,
}

/// Where in the receive path an XDP program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpMode {
    /// In the driver.
    Native,
    /// After the kernel has allocated a socket buffer.
    Generic,
    /// On the network card.
    Offloaded,
    /// In several places at once.
    Multiple,
}

/// Every interface, by index.
pub async fn links() -> Result<Vec<Link>, NetError> {
    list(&Netlink::open()?).await
}

/// The interface called `name`; the error lists those that exist.
pub async fn link_by_name(name: &str) -> Result<Link, NetError> {
    let all = links().await?;
    let existing = || all.iter().map(|link| link.name.clone()).collect();
    let found = all.iter().find(|link| link.name == name).cloned();
    found.ok_or_else(|| NetError::NoSuchInterface { name: name.to_owned(), existing: existing() })
}

pub(super) async fn list(netlink: &Netlink) -> Result<Vec<Link>, NetError> {
    let mut messages = netlink.handle.link().get().execute();
    let mut links = Vec::new();
    let failed = |source| NetError::Request { asked: "list interfaces", source };
    while let Some(message) = messages.try_next().await.map_err(failed)? {
        links.push(read(message));
    }
    links.sort_by_key(|link| link.index);
    Ok(links)
}

fn read(message: LinkMessage) -> Link {
    let header = message.header;
    let mut link = Link {
        index: header.index,
        name: String::new(),
        mac: Mac::default(),
        kind: None,
        ethernet: header.link_layer_type == LinkLayerType::Ether,
        up: header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
        mtu: 0,
        xdp_program: None,
    };
    for attribute in message.attributes {
        #[expect(clippy::wildcard_enum_match_arm, reason = "dozens of attributes that say nothing to us")]
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(address) => link.mac = address.try_into().unwrap_or_default(),
            LinkAttribute::LinkInfo(infos) => link.kind = infos.iter().find_map(kind),
            LinkAttribute::Xdp(xdp) => link.xdp_program = attached(&xdp),
            _ => {}
        }
    }
    link
}

fn kind(info: &LinkInfo) -> Option<String> {
    if let LinkInfo::Kind(kind) = info { Some(kind.to_string()) } else { None }
}

fn attached(attributes: &[LinkXdp]) -> Option<XdpAttached> {
    let (mut id, mut mode) = (0, None);
    for attribute in attributes {
        #[expect(clippy::wildcard_enum_match_arm, reason = "not attached, or what `id` says again")]
        match attribute {
            LinkXdp::ProgId(program) => id = *program,
            LinkXdp::Attached(Attachment::Driver) => mode = Some(XdpMode::Native),
            LinkXdp::Attached(Attachment::SocketBuffer) => mode = Some(XdpMode::Generic),
            LinkXdp::Attached(Attachment::Hardware) => mode = Some(XdpMode::Offloaded),
            LinkXdp::Attached(Attachment::Multiple) => mode = Some(XdpMode::Multiple),
            _ => {}
        }
    }
    mode.map(|mode| XdpAttached { id, mode })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attached_program_has_an_id_and_a_mode() {
        let native = [LinkXdp::Attached(Attachment::Driver), LinkXdp::ProgId(42), LinkXdp::DrvProgId(42)];
        assert_eq!(attached(&native), Some(XdpAttached { id: 42, mode: XdpMode::Native }));
        let generic =
            [LinkXdp::Attached(Attachment::SocketBuffer), LinkXdp::ProgId(7), LinkXdp::SkbProgId(7)];
        assert_eq!(attached(&generic), Some(XdpAttached { id: 7, mode: XdpMode::Generic }));
        let several = [LinkXdp::Attached(Attachment::Multiple), LinkXdp::DrvProgId(1), LinkXdp::SkbProgId(2)];
        assert_eq!(attached(&several), Some(XdpAttached { id: 0, mode: XdpMode::Multiple }));
        assert_eq!(attached(&[LinkXdp::Attached(Attachment::None)]), None);
    }
}
