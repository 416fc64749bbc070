//! Interfaces, routes, addresses and neighbours, asked for once.

use super::{Namespace, allowed, mac};
use crate::net::{LocalAddress, NetError, Route, Unresolved, addresses, link_by_name, links, route_to};
use nix::errno::Errno;
use std::net::IpAddr;

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

#[test]
fn links_are_listed_with_what_they_are() {
    if !allowed() {
        return;
    }
    let (near, far) = (Namespace::new(), Namespace::new());
    near.connect("l0", &far, "s0");
    near.ip("link set l0 address 02:00:00:00:00:01 mtu 1400");
    near.enter(async || {
        let names: Vec<_> = links().await.unwrap().into_iter().map(|link| link.name).collect();
        assert!(names.contains(&"lo".to_owned()) && names.contains(&"l0".to_owned()), "{names:?}");
        let link = link_by_name("l0").await.unwrap();
        assert_eq!((link.mac, link.mtu, link.up, link.ethernet), (mac(1), 1400, true, true), "{link:?}");
        assert_eq!((link.kind.as_deref(), link.xdp_program), (Some("veth"), None));
        assert!(!link_by_name("lo").await.unwrap().ethernet);
        far.ip("link set s0 down");
        assert!(!link_by_name("l0").await.unwrap().up);
    });
}

#[test]
fn a_missing_interface_is_named_with_those_that_exist() {
    if !allowed() {
        return;
    }
    let (near, far) = (Namespace::new(), Namespace::new());
    near.connect("l0", &far, "s0");
    let error = near.enter(async || link_by_name("eth7").await.unwrap_err());
    let NetError::NoSuchInterface { name, existing } = &error else { panic!("{error:?}") };
    assert_eq!(name, "eth7");
    assert!(existing.contains(&"lo".to_owned()) && existing.contains(&"l0".to_owned()), "{existing:?}");
    assert!(error.to_string().starts_with("interface eth7 does not exist; this host has "), "{error}");
}

#[test]
fn a_route_says_interface_gateway_and_source() {
    if !allowed() {
        return;
    }
    let (near, far) = (Namespace::new(), Namespace::new());
    near.connect("l0", &far, "s0");
    near.ip("addr add 10.9.0.1/24 dev l0");
    near.ip("addr add 10.9.0.3/24 dev l0");
    near.ip("addr add fd09::1/64 dev l0");
    near.ip("route add 10.9.7.0/24 via 10.9.0.2 src 10.9.0.3");
    near.ip("route add 10.9.8.0/24 via inet6 fd09::2");
    near.ip("route add fd10::/64 via fd09::2");
    near.enter(async || {
        let interface = link_by_name("l0").await.unwrap().index;
        let cases = [
            ("10.9.0.2", None, "10.9.0.1"),
            ("10.9.7.7", Some("10.9.0.2"), "10.9.0.3"),
            ("10.9.8.8", Some("fd09::2"), "10.9.0.1"),
            ("fd09::2", None, "fd09::1"),
            ("fd10::7", Some("fd09::2"), "fd09::1"),
        ];
        for (to, gateway, source) in cases {
            let expected = Route { interface, gateway: gateway.map(ip), source: ip(source) };
            assert_eq!(route_to(ip(to)).await.unwrap(), expected, "{to}");
        }
    });
}

#[test]
fn what_has_no_usable_route_says_why() {
    if !allowed() {
        return;
    }
    let (near, far) = (Namespace::new(), Namespace::new());
    near.connect("l0", &far, "s0");
    near.ip("addr add 10.9.0.1/24 dev l0");
    near.ip("addr add fd09::1/64 dev l0");
    for (kind, net) in [("unreachable", 1), ("prohibit", 2), ("blackhole", 3), ("throw", 4)] {
        near.ip(&format!("route add {kind} 10.8.{net}.0/24"));
        near.ip(&format!("route add {kind} fd08:{net}::/64"));
    }
    near.enter(async || {
        let refused = |address, reason| Unresolved::RouteRefuses { address, reason };
        let no_route = |address| Unresolved::NoRoute { address };
        let local = |address| Unresolved::Local { address };
        let not_unicast = |address| Unresolved::NotUnicast { address };
        let unresolved = async |address: &str, why: &dyn Fn(IpAddr) -> Unresolved| {
            let error = route_to(ip(address)).await.unwrap_err();
            let NetError::Unresolved(seen) = error else { panic!("{address}: {error:?}") };
            assert_eq!(seen, why(ip(address)), "{address}");
        };
        unresolved("10.7.7.7", &no_route).await;
        unresolved("fd07::7", &no_route).await;
        unresolved("10.9.0.1", &local).await;
        unresolved("127.0.0.5", &local).await;
        unresolved("fd09::1", &local).await;
        unresolved("10.9.0.255", &not_unicast).await;
        unresolved("10.8.1.1", &|address| refused(address, Errno::EHOSTUNREACH)).await;
        unresolved("fd08:1::1", &|address| refused(address, Errno::EHOSTUNREACH)).await;
        unresolved("10.8.2.1", &|address| refused(address, Errno::EACCES)).await;
        unresolved("fd08:2::1", &|address| refused(address, Errno::EACCES)).await;
        unresolved("10.8.3.1", &|address| refused(address, Errno::EINVAL)).await;
        unresolved("fd08:3::1", &|address| refused(address, Errno::EINVAL)).await;
        unresolved("10.8.4.1", &no_route).await;
    });
}

#[test]
fn errors_name_the_address_and_the_remedy() {
    let error = NetError::from(Unresolved::NoRoute { address: ip("10.0.0.9") });
    assert_eq!(error.to_string(), "10.0.0.9 has no route");
    assert_eq!(error.hint().unwrap(), "add a route, or an address of the network of 10.0.0.9");
}

#[test]
fn addresses_are_listed_per_interface() {
    if !allowed() {
        return;
    }
    let (near, far) = (Namespace::new(), Namespace::new());
    near.connect("l0", &far, "s0");
    near.ip("addr add 10.9.0.1/24 dev l0");
    near.ip("addr add 10.9.5.1 peer 10.9.5.2 dev l0");
    near.ip("addr add fd09::1/64 dev l0");
    near.enter(async || {
        let interface = link_by_name("l0").await.unwrap().index;
        let listed = addresses().await.unwrap();
        for (address, prefix_length) in [("10.9.0.1", 24), ("10.9.5.1", 32), ("fd09::1", 64)] {
            let expected = LocalAddress { interface, address: ip(address), prefix_length };
            assert!(listed.contains(&expected), "{expected:?} in {listed:?}");
        }
        assert!(!listed.iter().any(|local| local.address == ip("10.9.5.2")), "{listed:?}");
    });
}
