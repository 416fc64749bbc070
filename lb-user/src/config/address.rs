//! Addresses as `bind`, `server` and `peer` write them: `[prefix@]host[:port]`.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
};

use super::model::Protocol;

/// An address before names are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub host: Host,
    pub family: Family,
    pub protocol: Protocol,
    pub port: Port,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// `*` or nothing.
    Any,
    Literal(IpAddr),
    Name(String),
}

/// What the prefix allows the host to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Any,
    V4,
    V6,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Port {
    Missing,
    /// 0 stands for "none" in a server's address.
    Range(RangeInclusive<u16>),
    /// `+N`, `-N`
    Shift(i32),
}

impl Family {
    pub(super) fn admits(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// Takes `text` apart, or says in HAProxy's words why that cannot be done.
pub(super) fn parse(text: &str) -> Result<Address, String> {
    let (family, protocol, rest) = prefix(text)?;
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !rest.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let port = match port {
        None | Some("") => Port::Missing,
        Some(port) => parse_port(port, text)?,
    };
    let host = match host {
        "" | "*" => Host::Any,
        _ => {
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            match bare.parse() {
                Ok(literal) if family.admits(literal) => Host::Literal(literal),
                _ => Host::Name(bare.to_owned()),
            }
        }
    };
    Ok(Address { host, family, protocol, port })
}

/// The address that `host` stands for. `resolve` is asked for names only.
pub(super) fn resolve(
    host: &Host,
    family: Family,
    resolve: impl FnOnce(&str) -> Vec<IpAddr>,
) -> Option<IpAddr> {
    match host {
        Host::Any if family == Family::V6 => Some(Ipv6Addr::UNSPECIFIED.into()),
        Host::Any => Some(Ipv4Addr::UNSPECIFIED.into()),
        Host::Literal(address) => Some(*address),
        // Digits and dots that are no address are no name either; do not bother the name servers.
        Host::Name(name) if name.chars().all(|c| c.is_ascii_digit() || c == '.') => None,
        Host::Name(name) => resolve(name).into_iter().find(|address| family.admits(*address)),
    }
}

fn prefix(text: &str) -> Result<(Family, Protocol, &str), String> {
    if text.starts_with('/') {
        return Err(format!("'{text}' is a UNIX socket, which no packet can be sent to"));
    }
    let Some((prefix, rest)) = text.split_once('@') else {
        return Ok((Family::Any, Protocol::Tcp, text));
    };
    let (family, protocol) = match prefix {
        "tcp" => (Family::Any, Protocol::Tcp),
        "ipv4" | "tcp4" => (Family::V4, Protocol::Tcp),
        "ipv6" | "tcp6" => (Family::V6, Protocol::Tcp),
        "udp" => (Family::Any, Protocol::Udp),
        "udp4" => (Family::V4, Protocol::Udp),
        "udp6" => (Family::V6, Protocol::Udp),
        "unix" | "uxst" | "uxdg" | "abns" | "abnsz" => {
            return Err(format!("'{text}' is a UNIX socket, which no packet can be sent to"));
        }
        "fd" | "sockpair" => {
            return Err(format!("'{text}' is a file descriptor, and Stickfast opens no sockets for traffic"));
        }
        "quic4" | "quic6" => {
            return Err(format!("'{text}' asks for QUIC, which Stickfast does not terminate"));
        }
        // HAProxy takes anything else for a part of the name.
        _ => return Ok((Family::Any, Protocol::Tcp, text)),
    };
    Ok((family, protocol, rest))
}

fn parse_port(port: &str, whole: &str) -> Result<Port, String> {
    let stray = |part: &str| part.chars().find(|c| !c.is_ascii_digit());
    let bad = |c: char| Err(format!("invalid character '{c}' in port number '{port}' in '{whole}'"));
    if let Some(digits) = port.strip_prefix(['+', '-']) {
        if let Some(c) = stray(digits) {
            return bad(c);
        }
        let shift: i32 = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(i32::MAX) };
        if shift > i32::from(u16::MAX) {
            return Err(format!("invalid port '{port}'"));
        }
        return Ok(Port::Shift(if port.starts_with('-') { -shift } else { shift }));
    }
    let (low, high) = port.split_once('-').unwrap_or((port, port));
    if let Some(c) = stray(low).or_else(|| stray(high)) {
        return bad(c);
    }
    let number = |part: &str| part.parse::<u16>().ok().ok_or_else(|| format!("invalid port '{part}'"));
    let (low, high) = (number(low)?, number(high)?);
    if low > high {
        return Err(format!("invalid port range '{port}'"));
    }
    Ok(Port::Range(low..=high))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_taken_apart_at_the_last_colon() {
        let v4: IpAddr = "10.0.0.1".parse().unwrap();
        let v6: IpAddr = "::1".parse().unwrap();
        let one = |port| Port::Range(port..=port);
        for (text, host, port) in [
            ("10.0.0.1:80", Host::Literal(v4), one(80)),
            ("10.0.0.1", Host::Literal(v4), Port::Missing),
            ("10.0.0.1:", Host::Literal(v4), Port::Missing),
            ("10.0.0.1:80-90", Host::Literal(v4), Port::Range(80..=90)),
            ("10.0.0.1:+1000", Host::Literal(v4), Port::Shift(1000)),
            ("10.0.0.1:-10", Host::Literal(v4), Port::Shift(-10)),
            ("10.0.0.1:+", Host::Literal(v4), Port::Shift(0)),
            ("::1:80", Host::Literal(v6), one(80)),
            ("[::1]:80", Host::Literal(v6), one(80)),
            ("[::1]", Host::Literal(v6), Port::Missing),
            ("ipv6@::1:80", Host::Literal(v6), one(80)),
            ("ipv4@10.0.0.1:80", Host::Literal(v4), one(80)),
            ("ipv4@::1:80", Host::Name("::1".into()), one(80)),
            ("*:80", Host::Any, one(80)),
            (":80", Host::Any, one(80)),
            ("web:80", Host::Name("web".into()), one(80)),
            ("foo@10.0.0.1:80", Host::Name("foo@10.0.0.1".into()), one(80)),
        ] {
            let address = parse(text).unwrap();
            assert_eq!((address.host, address.port), (host, port), "{text}");
        }
    }

    #[test]
    fn udp_is_spelt_with_a_prefix() {
        for (text, family) in
            [("udp@10.0.0.1:53", Family::Any), ("udp4@10.0.0.1:53", Family::V4), ("udp6@::1:53", Family::V6)]
        {
            let address = parse(text).unwrap();
            assert_eq!((address.protocol, address.family), (Protocol::Udp, family), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_an_address_is_refused_in_haproxys_words() {
        for (text, expected) in [
            ("10.0.0.1:99999", "invalid port '99999'"),
            ("10.0.0.1:abc", "invalid character 'a' in port number 'abc' in '10.0.0.1:abc'"),
            ("10.0.0.1:90-80", "invalid port range '90-80'"),
            ("10.0.0.1:80-", "invalid port ''"),
            ("10.0.0.1:+70000", "invalid port '+70000'"),
            ("/tmp/x", "'/tmp/x' is a UNIX socket, which no packet can be sent to"),
        ] {
            assert_eq!(parse(text), Err(expected.into()), "{text}");
        }
    }

    #[test]
    fn numbers_with_dots_are_never_looked_up() {
        let address = parse("10.0.0.999:80").unwrap();
        assert_eq!(resolve(&address.host, address.family, |name| panic!("asked for {name}")), None);
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_refused(text in "[0-9a-z:@/*.+\\-\\[\\]é]{0,30}") {
            drop(parse(&text));
        }
    }
}
