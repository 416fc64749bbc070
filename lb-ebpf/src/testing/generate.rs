extern crate std;

use core::net::{Ipv4Addr, SocketAddrV4};
use std::vec::Vec;

use proptest::{prelude::*, sample::select};

use super::{
    packet::{PacketSpec, Transport},
    world::{
        CLIENT, CLIENT_HOP, FIRST_PORT, OURS, PORTS, SERVER_HOPS, SERVER_PORT, SERVERS, SNAT_SOURCE,
        STRANGER, VIP,
    },
};

/// A damage that a frame can take.
#[derive(Clone, Debug)]
enum Damage {
    Byte { offset: usize, value: u8 },
    Bit { offset: usize, bit: u8 },
    Cut(usize),
    Extend(usize),
    Vlan([u8; 4]),
}

/// Frames of all kinds, most of them for the [`super::world`]: whole packets, damaged ones, and any bytes. None
/// is shorter than an Ethernet header, for the kernel takes no such frame.
pub fn frame() -> impl Strategy<Value = Vec<u8>> {
    let damaged = (packet(), prop::collection::vec(damage(), 1..4)).prop_map(|(packet, damages)| {
        let bytes = damages.iter().fold(packet.bytes(), |bytes, damage| damage.applied(bytes));
        if bytes.len() < 14 { packet.bytes() } else { bytes }
    });
    prop_oneof![
        6 => packet().prop_map(|packet| packet.bytes()),
        3 => damaged,
        1 => prop::collection::vec(any::<u8>(), 14..100),
    ]
}

/// Whole packets: requests, replies, and what merely looks like them.
pub fn packet() -> impl Strategy<Value = PacketSpec> {
    let macs = prop_oneof![
        9 => Just((OURS, CLIENT_HOP)),
        1 => Just((OURS, SERVER_HOPS[0])),
        1 => select(std::vec![SERVER_HOPS[1], [0xff; 6], [1, 0, 0x5e, 0, 0, 1]]).prop_map(|to| (to, CLIENT_HOP)),
    ];
    let ends = prop_oneof![
        6 => (client(), Just(VIP)),
        4 => (server(), snat_port()),
        3 => (server(), client()),
        1 => (anybody(), anybody()),
    ];
    let ttl = prop_oneof![9 => 2_u8.., 1 => 0_u8..=2];
    let padding = prop_oneof![4 => Just(0_usize), 1 => 0_usize..20];
    let payload = prop_oneof![
        20 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 3400..3600),
    ];
    (macs, ends, ttl, any::<u8>(), any::<u16>(), transport(), payload, padding).prop_map(
        |((to, from), (source, destination), ttl, tos, id, transport, payload, padding)| PacketSpec {
            to,
            from,
            source,
            destination,
            ttl,
            tos,
            id,
            transport,
            payload,
            padding,
        },
    )
}

/// A few clients whose flows come again, and so many others that ports run out.
pub fn client() -> impl Strategy<Value = SocketAddrV4> {
    prop_oneof![2 => 0_u16..6, 1 => 6_u16..60]
        .prop_map(|offset| SocketAddrV4::new(*CLIENT.ip(), CLIENT.port() + offset))
}

pub fn transport() -> impl Strategy<Value = Transport> {
    let flags = select(std::vec![0x02_u8, 0x02, 0x02, 0x10, 0x10, 0x12, 0x11, 0x14, 0x04, 0x01, 0x00, 0xff]);
    let tcp = (flags, any::<u32>(), any::<u32>(), any::<u16>(), 0_u8..=10).prop_map(
        |(flags, sequence, acknowledgement, window, options)| Transport::Tcp {
            flags,
            sequence,
            acknowledgement,
            window,
            options,
        },
    );
    prop_oneof![2 => tcp, 1 => any::<bool>().prop_map(|checksum| Transport::Udp { checksum })]
}

fn server() -> impl Strategy<Value = SocketAddrV4> {
    select(SERVERS.to_vec())
}

fn snat_port() -> impl Strategy<Value = SocketAddrV4> {
    (FIRST_PORT - 1..=FIRST_PORT + PORTS).prop_map(|port| SocketAddrV4::new(SNAT_SOURCE, port))
}

fn anybody() -> impl Strategy<Value = SocketAddrV4> {
    let addresses = [
        *CLIENT.ip(),
        *VIP.ip(),
        *SERVERS[0].ip(),
        SNAT_SOURCE,
        *STRANGER.ip(),
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::LOCALHOST,
        Ipv4Addr::BROADCAST,
        Ipv4Addr::new(224, 0, 0, 1),
    ];
    let ports = [CLIENT.port(), VIP.port(), SERVER_PORT, FIRST_PORT, 0, u16::MAX];
    (select(addresses.to_vec()), select(ports.to_vec()))
        .prop_map(|(address, port)| SocketAddrV4::new(address, port))
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (0_usize..60, any::<u8>()).prop_map(|(offset, value)| Damage::Byte { offset, value }),
        4 => (12_usize..55, 0_u8..8).prop_map(|(offset, bit)| Damage::Bit { offset, bit }),
        2 => (14_usize..70).prop_map(Damage::Cut),
        1 => (1_usize..40).prop_map(Damage::Extend),
        1 => any::<[u8; 2]>().prop_map(|[high, low]| Damage::Vlan([0x81, 0x00, high, low])),
    ]
}

impl Damage {
    fn applied(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        match *self {
            Self::Byte { offset, value } => {
                bytes.iter_mut().skip(offset).take(1).for_each(|byte| *byte = value)
            }
            Self::Bit { offset, bit } => {
                bytes.iter_mut().skip(offset).take(1).for_each(|byte| *byte ^= 1 << bit)
            }
            Self::Cut(length) => bytes.truncate(length),
            Self::Extend(more) => bytes.resize(bytes.len() + more, 0x5a),
            Self::Vlan(tag) => {
                let at = bytes.len().min(12);
                bytes.splice(at..at, tag).for_each(drop);
            }
        }
        bytes
    }
}
