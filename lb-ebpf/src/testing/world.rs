use core::net::{Ipv4Addr, SocketAddrV4};

use crate::{
    abi::{
        Address, Backend, Direction, Interface, Mode, NONE, Server, Service, ServiceKey, Settings,
        StickEntry, capacity,
        word::{Chosen, ServerState},
    },
    host::HostTables,
    net::protocol,
};

/// The interface that everything comes in on: `BPF_PROG_TEST_RUN` takes the loopback unless it is told.
pub const IFINDEX: u32 = 1;
pub const OURS: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
/// The router towards the clients.
pub const CLIENT_HOP: [u8; 6] = [0x02, 0, 0, 0, 0, 0xc1];
pub const SERVER_HOPS: [[u8; 6]; 2] = [[0x02, 0, 0, 0, 0x5e, 0xa0], [0x02, 0, 0, 0, 0x5e, 0xb0]];

pub const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 7), 40000);
pub const VIP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 10), 80);
/// The servers with ids 0 and 1.
pub const SERVERS: [SocketAddrV4; 2] = [
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 21), SERVER_PORT),
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 22), SERVER_PORT),
];
pub const SERVER_PORT: u16 = 8080;
pub const SNAT_SOURCE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Somebody who has nothing to do with any of it.
pub const STRANGER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 9), 5000);
pub const FIRST_PORT: u16 = 20000;
pub const PORTS: u16 = 16;

/// Slots of the VIP's service for TCP and for UDP. No two of these numbers are equal, so that nothing can
/// stand in for another.
pub const SERVICES: [u32; 2] = [15, 16];
const REPLIES: u32 = 25;
pub const STICK: u32 = 7;
pub const BACKEND: u32 = 3;
const SERVER_SLOTS: [u32; 2] = [30, 31];

/// Destination and source as they stand in a frame.
#[must_use]
pub fn macs(to: [u8; 6], from: [u8; 6]) -> [u8; 12] {
    let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (to, from);
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

/// Two servers behind one VIP, TCP and UDP, both usable; the entry is stuck to the first.
#[must_use]
pub fn world(mode: Mode) -> HostTables {
    let mut tables = HostTables::new(settings(mode));
    for (protocol, slot) in [protocol::TCP, protocol::UDP].into_iter().zip(SERVICES) {
        insert(&mut tables, slot, request(mode, protocol));
        if mode == Mode::Dnat {
            for (server, reply) in SERVERS.into_iter().zip(REPLIES + 2 * slot..) {
                let key = key(server, protocol, Direction::Reply);
                insert(&mut tables, reply, Service { key, request: slot, ..request(mode, protocol) });
            }
        }
    }
    let chosen = Chosen { server: 0, epoch: 0 };
    let key = Address::from(core::net::IpAddr::V4(*VIP.ip()));
    *tables.stick_table[STICK as usize].get_mut() = StickEntry { chosen, backend: BACKEND, used: 1, key };
    tables.backends[BACKEND as usize] = Backend { current: 0, no_server: 0, identity: 1 };
    for (id, ((address, hop), slot)) in SERVERS.into_iter().zip(SERVER_HOPS).zip(SERVER_SLOTS).enumerate() {
        *tables.server_state[id].get_mut() = ServerState { slot, epoch: 0, usable: 1 };
        tables.servers[slot as usize] = Server {
            address: Address::v4(address.ip().octets()),
            source: Address::v4(SNAT_SOURCE.octets()),
            identity: 1,
            macs: macs(hop, OURS),
            interface: IFINDEX,
            port: SERVER_PORT,
            port_shift: 0,
            reserved: 0,
        };
    }
    tables
}

fn settings(mode: Mode) -> Settings {
    let mut interfaces = [Interface::default(); capacity::INTERFACES as usize];
    interfaces[0] = Interface { index: IFINDEX, mac: OURS, redirect: 0 };
    Settings {
        first_port: FIRST_PORT.into(),
        ports: PORTS.into(),
        dnat: u32::from(mode == Mode::Dnat),
        any_port: 0,
        trace: 0,
        opening_jiffies: 1 << 20,
        established_jiffies: 1 << 30,
        udp_jiffies: 1 << 21,
        // Every event is reported.
        second_jiffies: 0,
        interfaces,
    }
}

fn key(address: SocketAddrV4, protocol: u8, direction: Direction) -> ServiceKey {
    let direction = direction as u8;
    ServiceKey { address: Address::v4(address.ip().octets()), port: address.port(), protocol, direction }
}

fn request(mode: Mode, protocol: u8) -> Service {
    Service {
        key: key(VIP, protocol, Direction::Request),
        backend: BACKEND,
        stick: STICK,
        request: NONE,
        mode: mode as u8,
        reserved: 0,
        port_shift: 0,
    }
}

fn insert(tables: &mut HostTables, slot: u32, service: Service) {
    tables.insert_service(slot, service).expect("the index is nearly empty");
}
