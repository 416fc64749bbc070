//! What an interface's driver can do with XDP, asked of the generic netlink family `netdev`
//! (kernel: `Documentation/netlink/specs/netdev.yaml`). No crate speaks it yet; it takes one message.

use super::NetError;
use rtnetlink::{
    packet_core::{
        DecodeError, DefaultNla, Emitable as _, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader,
        NetlinkMessage, NetlinkPayload, NetlinkSerializable, Nla as _, NlasIterator, Parseable as _,
    },
    sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC},
};
use std::io;

/// What the kernel says about an interface and XDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpSupport {
    /// The kernel is older than 6.3 and cannot say.
    Unknown,
    Known(XdpFeatures),
}

/// `enum netdev_xdp_act` of the kernel's `include/uapi/linux/netdev.h`, as bits.
///
/// A veth whose far end polls without NAPI, that is with GRO off and no XDP program attached, has
/// [`Self::BASIC`] and [`Self::REDIRECT`] but lacks [`Self::RECEIVES_REDIRECTED`]: frames redirected to it
/// disappear without an error. `ethtool -K <far end> gro on` adds the flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XdpFeatures(pub u64);

impl XdpFeatures {
    /// Runs native programs that answer `XDP_PASS`, `XDP_DROP`, `XDP_TX`, `XDP_ABORTED`.
    pub const BASIC: Self = Self(1);
    /// Native programs may answer `XDP_REDIRECT`.
    pub const REDIRECT: Self = Self(1 << 1);
    /// `NETDEV_XDP_ACT_NDO_XMIT`: sends frames that another interface's program redirects to it.
    pub const RECEIVES_REDIRECTED: Self = Self(1 << 2);
    /// `NETDEV_XDP_ACT_RX_SG`: programs see frames of several buffers (`xdp.frags`).
    pub const FRAGMENTS: Self = Self(1 << 5);
    /// `NETDEV_XDP_ACT_NDO_XMIT_SG`: [`Self::RECEIVES_REDIRECTED`] also for frames of several buffers.
    pub const RECEIVES_REDIRECTED_FRAGMENTS: Self = Self(1 << 6);

    /// Whether every feature of `wanted` is there.
    pub fn contains(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

/// The XDP features of the interface with this index, at this moment: attaching programs and `ethtool`
/// change them.
pub fn xdp_features(interface: u32) -> Result<XdpSupport, NetError> {
    ask(interface).map_err(|source| NetError::XdpFeatures { interface, source })
}

/// `GENL_ID_CTRL`: the family that knows the others.
const CONTROLLER: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;

/// Both answers are far shorter.
const ANSWER_BYTES: usize = 8 * 1024;

fn ask(interface: u32) -> io::Result<XdpSupport> {
    let socket = Socket::new(NETLINK_GENERIC)?;
    // The kernel answers before the sending call returns, so nothing is ever waited for.
    socket.set_non_blocking(true)?;
    let name = DefaultNla::new(CTRL_ATTR_FAMILY_NAME, b"netdev\0".to_vec());
    let controller = Generic { family: CONTROLLER, command: CTRL_CMD_GETFAMILY, attributes: vec![name] };
    let family = match exchange(&socket, controller) {
        Ok(answer) => u16::from_ne_bytes(answer.attribute(CTRL_ATTR_FAMILY_ID)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(XdpSupport::Unknown),
        Err(error) => return Err(error),
    };
    let index = DefaultNla::new(NETDEV_A_DEV_IFINDEX, interface.to_ne_bytes().to_vec());
    let question = Generic { family, command: NETDEV_CMD_DEV_GET, attributes: vec![index] };
    let bits = u64::from_ne_bytes(exchange(&socket, question)?.attribute(NETDEV_A_DEV_XDP_FEATURES)?);
    Ok(XdpSupport::Known(XdpFeatures(bits)))
}

fn exchange(socket: &Socket, question: Generic) -> io::Result<Generic> {
    let mut message = NetlinkMessage::from(question);
    message.header.flags = NLM_F_REQUEST;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;

    let mut answer = Vec::with_capacity(ANSWER_BYTES);
    socket.recv_from(&mut answer, 0)?;
    let unexpected = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of message that are no answer")]
    match NetlinkMessage::deserialize(&answer).map_err(|error| unexpected(error.to_string()))?.payload {
        NetlinkPayload::InnerMessage(answer) => Ok(answer),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        other => Err(unexpected(format!("expected an answer, seen {other:?}"))),
    }
}

/// A generic netlink message (kernel: `struct genlmsghdr`, then attributes).
#[derive(Debug)]
struct Generic {
    family: u16,
    command: u8,
    attributes: Vec<DefaultNla>,
}

/// Command, version and two reserved bytes.
const HEADER_BYTES: usize = 4;
const VERSION: u8 = 1;

impl Generic {
    fn attribute<const BYTES: usize>(&self, kind: u16) -> io::Result<[u8; BYTES]> {
        let found = self.attributes.iter().find(|attribute| attribute.kind() == kind);
        let mut value = [0; BYTES];
        match found {
            Some(attribute) if attribute.value_len() == BYTES => attribute.emit_value(&mut value),
            _ => {
                let lacks = format!("the answer has no attribute {kind} of {BYTES} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, lacks));
            }
        }
        Ok(value)
    }
}

impl NetlinkSerializable for Generic {
    fn message_type(&self) -> u16 {
        self.family
    }

    fn buffer_len(&self) -> usize {
        HEADER_BYTES + self.attributes.as_slice().buffer_len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        if let Some((header, attributes)) = buffer.split_first_chunk_mut::<HEADER_BYTES>() {
            *header = [self.command, VERSION, 0, 0];
            self.attributes.as_slice().emit(attributes);
        }
    }
}

impl NetlinkDeserializable for Generic {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        let ([command, ..], attributes) = payload
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or_else(|| DecodeError::buffer_too_small(payload.len(), HEADER_BYTES))?;
        let attributes = NlasIterator::new(attributes)
            .map(|attribute| DefaultNla::parse(&attribute?))
            .collect::<Result<_, _>>()?;
        Ok(Self { family: header.message_type, command: *command, attributes })
    }
}

impl From<Generic> for NetlinkPayload<Generic> {
    fn from(message: Generic) -> Self {
        Self::InnerMessage(message)
    }
}
