//! A network namespace for the routes that the program asks the kernel for.

use std::{fs, net::Ipv4Addr, process::Command};

use lb_ebpf::{
    abi::Address,
    host::HostTables,
    tables::Route,
    testing::{CLIENT, CLIENT_HOP, OURS, macs},
};
use nix::{
    net::if_::if_nametoindex,
    sched::{CloneFlags, unshare},
};

/// The way to the clients.
const INTERFACE: &str = "towards-clients";
/// The namespace's own address there; all other hosts of its /24 but the clients are not resolved.
pub(crate) const OWN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Moves the calling thread into a namespace of its own, where the clients have a known neighbour. It goes away
/// with the thread.
pub(crate) fn enter() {
    unshare(CloneFlags::CLONE_NEWNET).expect("root may make a network namespace");
    let [ours, hop] = [OURS, CLIENT_HOP].map(|mac| mac.map(|byte| format!("{byte:02x}")).join(":"));
    let client = CLIENT.ip();
    ip("link set lo up");
    ip(&format!("link add {INTERFACE} address {ours} mtu 9000 type veth peer name far"));
    ip("link set far mtu 9000 up");
    ip(&format!("link set {INTERFACE} up"));
    ip(&format!("address add {OWN}/24 dev {INTERFACE}"));
    ip(&format!("neighbour add {client} lladdr {hop} dev {INTERFACE} nud permanent"));
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("the namespace's own forwarding can be set");
}

/// Tells `tables` what the kernel answers in the namespace.
pub(crate) fn learn_routes(tables: &mut HostTables) {
    let interface = if_nametoindex(INTERFACE).expect("the calling thread is in the namespace");
    let [a, b, c, _] = OWN.octets();
    for host in 2..=254 {
        tables.routes.insert(Address::v4([a, b, c, host]).bytes, Route::NoNeighbour);
    }
    let route = Route::Via { interface, macs: macs(CLIENT_HOP, OURS) };
    tables.routes.insert(Address::v4(CLIENT.ip().octets()).bytes, route);
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().expect("ip can be run");
    assert!(status.success(), "ip {arguments}: {status}");
}
