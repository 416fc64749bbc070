//! Frames that no balancer has any business with, written out by hand: a library would refuse most of them.

use std::net::Ipv4Addr;

/// The Ethernet address that all of them come from; no host has it.
pub(crate) const SOURCE: [u8; 6] = [0x02, 0x0d, 0x0d, 0x0d, 0x0d, 0x0d];

const SENDER: [u8; 4] = [10, 0, 0, 51];
const BROADCAST: [u8; 6] = [0xff; 6];
const IPV4: u16 = 0x0800;

const ICMP: u8 = 1;
const IGMP: u8 = 2;
const TCP: u8 = 6;
const UDP: u8 = 17;
const GRE: u8 = 47;
const ESP: u8 = 50;
const SCTP: u8 = 132;

/// What each is, and its bytes.
pub(crate) fn odd_frames(mac: [u8; 6], lb: Ipv4Addr, vip: Ipv4Addr) -> Vec<(&'static str, Vec<u8>)> {
    let (lb, vip) = (lb.octets(), vip.octets());
    let ipv4 = |protocol, to, payload: &[u8]| ethernet(mac, IPV4, &packet(protocol, to, payload));
    let tcp = |to, port| ipv4(TCP, to, &segment(to, port));
    let udp = |to, port| ipv4(UDP, to, &datagram(to, port));
    // A TCP packet to the service itself, but for the bytes that are given.
    let spoilt = |spoils: &[(usize, u8)]| {
        let mut packet = packet(TCP, vip, &segment(vip, 80));
        spoils.iter().for_each(|(at, byte)| packet[*at] = *byte);
        ethernet(mac, IPV4, &packet)
    };
    vec![
        ("an unknown protocol", ethernet(mac, 0x88b5, &[0x5a; 60])),
        ("nothing but an Ethernet header", ethernet(mac, IPV4, &[])),
        ("ARP", ethernet(BROADCAST, 0x0806, &arp_request(lb))),
        ("TCP to another port of the host", tcp(lb, 22)),
        ("TCP to another port of the VIP", tcp(vip, 81)),
        (
            "TCP to the VIP in a frame for another host",
            ethernet([2, 0, 0, 0, 0xde, 0xad], IPV4, &packet(TCP, vip, &segment(vip, 80))),
        ),
        ("TCP to a port of the SNAT range without a flow", tcp(lb, 20_000)),
        ("TCP to another port of the VIP in a VLAN", in_vlan(&tcp(vip, 81))),
        ("UDP to the number of the VIP's TCP port", udp(vip, 80)),
        ("UDP to a port of the SNAT range without a flow", udp(lb, 20_000)),
        (
            "a broadcast",
            ethernet(BROADCAST, IPV4, &packet(UDP, [10, 0, 0, 255], &datagram([10, 0, 0, 255], 7001))),
        ),
        (
            "a multicast",
            ethernet(
                [1, 0, 0x5e, 1, 1, 1],
                IPV4,
                &packet(UDP, [239, 1, 1, 1], &datagram([239, 1, 1, 1], 7001)),
            ),
        ),
        ("IGMP with the router alert", ethernet([1, 0, 0x5e, 0, 0, 0x16], IPV4, &igmp_with_router_alert())),
        (
            "an echo request to the VIP",
            ipv4(ICMP, vip, &with_checksum(&[8, 0, 0, 0, 0, 1, 0, 1, b'p', b'p'], 2, 0)),
        ),
        (
            "an ICMP redirect without what it redirects",
            ipv4(ICMP, lb, &with_checksum(&[5, 1, 0, 0, 10, 0, 0, 1], 2, 0)),
        ),
        (
            "an ICMP error that quotes no flow of ours",
            ipv4(ICMP, lb, &unreachable(&packet(UDP, vip, &datagram(vip, 9)))),
        ),
        ("GRE to the VIP", ipv4(GRE, vip, &[0; 24])),
        ("ESP to the VIP", ipv4(ESP, vip, &[7; 40])),
        ("SCTP to the VIP", ipv4(SCTP, vip, &[0, 80, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("a first fragment for the host", ethernet(mac, IPV4, &fragment(lb, 0x2000))),
        ("a later fragment for the host", ethernet(mac, IPV4, &fragment(lb, 3))),
        ("a later fragment for the VIP without its first", ethernet(mac, IPV4, &fragment(vip, 3))),
        ("IPv4 of version 5", spoilt(&[(0, 0x55)])),
        ("IPv4 with a header shorter than a header", spoilt(&[(0, 0x44)])),
        ("IPv4 with a header that goes beyond its end", spoilt(&[(0, 0x4f)])),
        ("IPv4 that claims more than there is", spoilt(&[(2, 0xff)])),
        ("IPv4 cut in its header", ethernet(mac, IPV4, &packet(TCP, vip, &[])[..10])),
        ("TCP cut in its ports", ipv4(TCP, vip, &[0x9c, 0x40, 0])),
        ("IPv6", ethernet(mac, 0x86dd, &ipv6())),
        ("IPv6 cut in its header", ethernet(mac, 0x86dd, &ipv6()[..20])),
    ]
}

fn ethernet(to: [u8; 6], kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &SOURCE, &kind.to_be_bytes(), payload].concat()
}

/// IEEE 802.1Q, VLAN 7.
fn in_vlan(frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &[0x81, 0, 0, 7], &frame[12..]].concat()
}

/// RFC 791, without options; "don't fragment", TTL 64.
fn packet(protocol: u8, to: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let fixed = [0x45, 0, length[0], length[1], 0x12, 0x34, 0x40, 0, 64, protocol, 0, 0];
    [with_checksum(&[&fixed[..], &SENDER, &to].concat(), 10, 0), payload.to_vec()].concat()
}

/// UDP's ports and 40 more bytes, at an offset of `offset & 0x1fff` times 8.
fn fragment(to: [u8; 4], offset: u16) -> Vec<u8> {
    let whole = packet(UDP, to, &[&datagram(to, 53)[..], &[0x66; 40][..]].concat());
    let mut header = whole[..20].to_vec();
    header[6..8].copy_from_slice(&offset.to_be_bytes());
    header[10..12].fill(0);
    [with_checksum(&header, 10, 0), whole[20..].to_vec()].concat()
}

/// RFC 3376's report with the option of RFC 2113.
fn igmp_with_router_alert() -> Vec<u8> {
    let report = with_checksum(&[0x22, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 239, 1, 1, 1], 2, 0);
    let header =
        [&[0x46, 0xc0, 0, 40, 0, 0, 0, 0, 1, IGMP, 0, 0][..], &SENDER, &[224, 0, 0, 22], &[0x94, 4, 0, 0]];
    [with_checksum(&header.concat(), 10, 0), report].concat()
}

/// RFC 9293: a SYN.
fn segment(to: [u8; 4], port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let segment = [0x9c, 0x40, high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0];
    with_checksum(&segment, 16, pseudo_header(TCP, to, segment.len()))
}

/// RFC 768.
fn datagram(to: [u8; 4], port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let datagram = [0x9c, 0x40, high, low, 0, 12, 0, 0, b'o', b'd', b'd', b'!'];
    with_checksum(&datagram, 6, pseudo_header(UDP, to, datagram.len()))
}

/// RFC 792: port unreachable, about a packet that the VIP is supposed to have sent.
fn unreachable(about: &[u8]) -> Vec<u8> {
    with_checksum(&[&[3, 3, 0, 0, 0, 0, 0, 0], about].concat(), 2, 0)
}

/// RFC 826: who has `target`?
fn arp_request(target: [u8; 4]) -> Vec<u8> {
    [&[0, 1, 8, 0, 6, 4, 0, 1][..], &SOURCE, &SENDER, &[0; 6], &target].concat()
}

/// RFC 8200: a datagram between two link-local addresses, with a checksum that nobody looks at here.
fn ipv6() -> Vec<u8> {
    let address = |last| [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    let payload = datagram(SENDER, 80);
    [&[0x60, 0, 0, 0, 0, 12, UDP, 64][..], &address(1), &address(2), &payload].concat()
}

fn pseudo_header(protocol: u8, to: [u8; 4], length: usize) -> u32 {
    let length = u8::try_from(length).unwrap();
    sum(&[&SENDER[..], &to, &[0, protocol, 0, length]].concat())
}

/// RFC 1071, written at `at`.
fn with_checksum(bytes: &[u8], at: usize, start: u32) -> Vec<u8> {
    let mut sum = start + sum(bytes);
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    let checksum = !u16::try_from(sum).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    words.map(u32::from).sum()
}
