//! The watcher of next hops.

use super::{Namespace, allowed, mac};
use crate::net::{Change, NextHop, NextHops, Unresolved, link_by_name};
use std::{net::IpAddr, time::Duration};
use tokio::{sync::mpsc::Receiver, time::timeout};

/// Every wait ends with an event; this is for the event that never comes. It is shorter than the watcher's
/// regular look at everything, which would hide that it misses what it is told.
const DEADLINE: Duration = Duration::from_secs(20);

const SERVER: &str = "10.9.0.2";

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

/// `near` (l0, 10.9.0.1, …:01) and `far` (s0, 10.9.0.2, …:02) on a wire.
fn pair() -> (Namespace, Namespace) {
    let (near, far) = (Namespace::new(), Namespace::new());
    near.connect("l0", &far, "s0");
    near.ip("link set l0 address 02:00:00:00:00:01");
    far.ip("link set s0 address 02:00:00:00:00:02");
    near.ip("addr add 10.9.0.1/24 dev l0");
    near.ip("addr add fd09::1/64 dev l0");
    far.ip("addr add 10.9.0.2/24 dev s0");
    far.ip("addr add fd09::2/64 dev s0");
    (near, far)
}

fn start(addresses: &[&str]) -> (NextHops, Receiver<Change>) {
    NextHops::start(addresses.iter().map(|address| ip(address)).collect()).unwrap()
}

async fn next(changes: &mut Receiver<Change>) -> Change {
    timeout(DEADLINE, changes.recv()).await.expect("no change was told").expect("the watcher ended")
}

/// Reads changes up to the one that `address` resolves to this MAC, and gives it.
async fn resolved_to(changes: &mut Receiver<Change>, address: &str, last: u8) -> NextHop {
    loop {
        let change = next(changes).await;
        if let (true, Ok(hop)) = (change.address == ip(address), change.next_hop)
            && hop.destination_mac == mac(last)
        {
            return hop;
        }
    }
}

/// Reads changes up to the one that `address` does not resolve for a reason like this.
async fn unresolved(changes: &mut Receiver<Change>, address: &str, like: fn(&Unresolved) -> bool) {
    loop {
        let change = next(changes).await;
        if change.address == ip(address) && change.next_hop.as_ref().is_err_and(like) {
            return;
        }
    }
}

#[test]
fn a_direct_neighbour_is_resolved() {
    if !allowed() {
        return;
    }
    let (near, _far) = pair();
    near.enter(async || {
        let interface = link_by_name("l0").await.unwrap().index;
        let (_hops, mut changes) = start(&[SERVER, "fd09::2"]);
        for (server, source) in [(SERVER, "10.9.0.1"), ("fd09::2", "fd09::1")] {
            let (_hops, mut changes) = start(&[server]);
            let expected =
                NextHop { interface, source_mac: mac(1), destination_mac: mac(2), source: ip(source) };
            assert_eq!(resolved_to(&mut changes, server, 2).await, expected);
        }
        resolved_to(&mut changes, SERVER, 2).await;
    });
}

#[test]
fn the_first_change_comes_for_every_address_resolved_or_not() {
    if !allowed() {
        return;
    }
    let (near, _far) = pair();
    near.enter(async || {
        let (_hops, mut changes) = start(&["10.9.0.1", "10.77.0.1", "10.9.0.255"]);
        unresolved(&mut changes, "10.9.0.1", |why| matches!(why, Unresolved::Local { .. })).await;
        unresolved(&mut changes, "10.9.0.255", |why| matches!(why, Unresolved::NotUnicast { .. })).await;
        unresolved(&mut changes, "10.77.0.1", |why| matches!(why, Unresolved::NoRoute { .. })).await;
    });
}

#[test]
fn an_address_behind_a_gateway_has_the_gateways_mac() {
    if !allowed() {
        return;
    }
    let (near, _far) = pair();
    near.ip("route add 10.20.0.0/16 via 10.9.0.2");
    near.enter(async || {
        let (_hops, mut changes) = start(&["10.20.0.1"]);
        let hop = resolved_to(&mut changes, "10.20.0.1", 2).await;
        assert_eq!(hop.source, ip("10.9.0.1"));
    });
}

#[test]
fn a_replaced_gateway_is_followed_to_its_interface() {
    if !allowed() {
        return;
    }
    let (near, _far) = pair();
    let other = Namespace::new();
    near.connect("l1", &other, "s1");
    near.ip("link set l1 address 02:00:00:00:00:11");
    other.ip("link set s1 address 02:00:00:00:00:12");
    near.ip("addr add 10.19.0.1/24 dev l1");
    other.ip("addr add 10.19.0.2/24 dev s1");
    near.ip("route add 10.20.0.0/16 via 10.9.0.2");
    near.enter(async || {
        let second = link_by_name("l1").await.unwrap().index;
        let (_hops, mut changes) = start(&["10.20.0.1"]);
        resolved_to(&mut changes, "10.20.0.1", 2).await;
        near.ip("route replace 10.20.0.0/16 via 10.19.0.2");
        let expected = NextHop {
            interface: second,
            source_mac: mac(0x11),
            destination_mac: mac(0x12),
            source: ip("10.19.0.1"),
        };
        assert_eq!(resolved_to(&mut changes, "10.20.0.1", 0x12).await, expected);
        near.ip("route del 10.20.0.0/16");
        unresolved(&mut changes, "10.20.0.1", |why| matches!(why, Unresolved::NoRoute { .. })).await;
    });
}

#[test]
fn an_announced_mac_change_is_followed() {
    if !allowed() {
        return;
    }
    let (near, far) = pair();
    far.sysctl("ipv4.conf.s0.arp_notify=1");
    near.enter(async || {
        let (_hops, mut changes) = start(&[SERVER]);
        resolved_to(&mut changes, SERVER, 2).await;
        far.ip("link set s0 address 02:00:00:00:00:22");
        assert_eq!(next(&mut changes).await.next_hop.unwrap().destination_mac, mac(0x22));
    });
}

#[test]
fn a_silent_mac_change_is_found_by_probing() {
    if !allowed() {
        return;
    }
    let (near, far) = pair();
    // Entries age in fractions of a second, not in half a minute.
    near.sysctl("ipv4.neigh.l0.base_reachable_time_ms=200");
    near.sysctl("ipv4.neigh.l0.delay_first_probe_time=1");
    near.sysctl("ipv4.neigh.l0.retrans_time_ms=100");
    near.enter(async || {
        let (_hops, mut changes) = start(&[SERVER]);
        resolved_to(&mut changes, SERVER, 2).await;
        far.ip("link set s0 address 02:00:00:00:00:22");
        resolved_to(&mut changes, SERVER, 0x22).await;
    });
}

#[test]
fn our_own_mac_change_is_seen() {
    if !allowed() {
        return;
    }
    let (near, _far) = pair();
    near.enter(async || {
        let (_hops, mut changes) = start(&[SERVER]);
        resolved_to(&mut changes, SERVER, 2).await;
        near.ip("link set l0 address 02:00:00:00:00:33");
        while resolved_to(&mut changes, SERVER, 2).await.source_mac != mac(0x33) {}
    });
}

#[test]
fn a_lost_carrier_is_link_down_until_it_is_back() {
    if !allowed() {
        return;
    }
    let (near, far) = pair();
    near.enter(async || {
        let (_hops, mut changes) = start(&[SERVER]);
        resolved_to(&mut changes, SERVER, 2).await;
        far.ip("link set s0 down");
        unresolved(&mut changes, SERVER, |why| matches!(why, Unresolved::LinkDown { .. })).await;
        far.ip("link set s0 up");
        resolved_to(&mut changes, SERVER, 2).await;
    });
}

#[test]
fn an_interface_that_is_set_down_takes_its_routes_along() {
    if !allowed() {
        return;
    }
    let (near, _far) = pair();
    near.enter(async || {
        let (_hops, mut changes) = start(&[SERVER]);
        resolved_to(&mut changes, SERVER, 2).await;
        near.ip("link set l0 down");
        unresolved(&mut changes, SERVER, |why| matches!(why, Unresolved::NoRoute { .. })).await;
        near.ip("link set l0 up");
        resolved_to(&mut changes, SERVER, 2).await;
    });
}

#[test]
fn a_neighbour_that_appears_late_is_found() {
    if !allowed() {
        return;
    }
    let (near, far) = pair();
    // The kernel gives up quickly, so that asking again is what finds it.
    near.sysctl("ipv4.neigh.l0.retrans_time_ms=50");
    near.enter(async || {
        let (_hops, mut changes) = start(&["10.9.0.9"]);
        unresolved(&mut changes, "10.9.0.9", |why| matches!(why, Unresolved::NoNeighbour { .. })).await;
        // It failed for good: 3 requests, 50 ms apart.
        wait_until(|| neighbours(&near).contains("10.9.0.9 FAILED")).await;
        assert!(changes.try_recv().is_err(), "asking again is not a change");
        far.ip("addr add 10.9.0.9/24 dev s0");
        let hop = resolved_to(&mut changes, "10.9.0.9", 2).await;
        assert_eq!(hop.source, ip("10.9.0.1"));
    });
}

#[test]
fn nothing_is_told_twice() {
    if !allowed() {
        return;
    }
    let (near, _far) = pair();
    near.enter(async || {
        // The fence changes with every look; it comes after the server, as its address is higher.
        let fence = "10.77.0.1";
        let (_hops, mut changes) = start(&[SERVER, fence]);
        resolved_to(&mut changes, SERVER, 2).await;
        let looks = [
            "route add 10.66.0.0/16 via 10.9.0.2",
            "addr add 10.9.0.77/24 dev l0",
            "link set l0 mtu 1400",
            "neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev l0 nud stale",
            "neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev l0 nud permanent",
        ];
        for reason_to_look in looks {
            near.ip(reason_to_look);
            near.ip("route add 10.77.0.0/16 via 10.9.0.2");
            assert_eq!(next(&mut changes).await.address, ip(fence), "{reason_to_look}");
            near.ip("route del 10.77.0.0/16");
            assert_eq!(next(&mut changes).await.address, ip(fence), "{reason_to_look}");
        }
    });
}

#[test]
fn lost_notifications_are_made_up_for() {
    if !allowed() {
        return;
    }
    let (near, _far) = pair();
    near.enter(async || {
        let (_hops, mut changes) = start(&[SERVER]);
        resolved_to(&mut changes, SERVER, 2).await;
        // The runtime's only thread is busy here, so the watcher reads nothing and the kernel drops what
        // does not fit, the last change among it.
        let noise: String = (0..4000)
            .map(|n| {
                format!(
                    "neigh replace 10.9.{}.{} lladdr 02:00:00:00:01:00 dev l0\n",
                    1 + n / 250,
                    1 + n % 250
                )
            })
            .collect();
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(script.path(), noise).unwrap();
        near.ip(&format!("-batch {}", script.path().display()));
        near.ip("neigh replace 10.9.0.2 lladdr 02:00:00:00:00:99 dev l0 nud permanent");
        assert_eq!(next(&mut changes).await.next_hop.unwrap().destination_mac, mac(0x99));
    });
}

#[test]
fn the_watched_set_can_be_replaced() {
    if !allowed() {
        return;
    }
    let (near, far) = pair();
    far.ip("addr add 10.9.0.5/24 dev s0");
    near.enter(async || {
        let (hops, mut changes) = start(&[SERVER]);
        resolved_to(&mut changes, SERVER, 2).await;
        hops.watch([ip("10.9.0.5")].into());
        resolved_to(&mut changes, "10.9.0.5", 2).await;
        near.ip("neigh replace 10.9.0.2 lladdr 02:00:00:00:00:99 dev l0 nud permanent");
        near.ip("neigh replace 10.9.0.5 lladdr 02:00:00:00:00:98 dev l0 nud permanent");
        let change = next(&mut changes).await;
        assert_eq!((change.address, change.next_hop.unwrap().destination_mac), (ip("10.9.0.5"), mac(0x98)));
    });
}

#[test]
fn dropping_the_watcher_ends_its_changes() {
    if !allowed() {
        return;
    }
    let (near, _far) = pair();
    near.enter(async || {
        let (hops, mut changes) = start(&["10.77.0.1"]);
        next(&mut changes).await;
        drop(hops);
        assert_eq!(timeout(DEADLINE, changes.recv()).await.unwrap(), None);
    });
}

/// The kernel's table as `address STATE` lines.
fn neighbours(namespace: &Namespace) -> String {
    let output = std::process::Command::new("ip").args(["-n", &namespace.name, "neigh"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some(format!("{} {}\n", words.first()?, words.last()?))
    };
    text.lines().filter_map(line).collect()
}

async fn wait_until(condition: impl Fn() -> bool) {
    let met = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, met).await.expect("the condition was never met");
}
