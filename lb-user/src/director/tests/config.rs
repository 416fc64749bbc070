//! Small configurations.

use std::{net::IpAddr, time::Duration};

use crate::config::model::{
    Backend, Bind, Check, CheckMethod, Config, Forward, Frontend, Global, NoServer, Place, Protocol, Server,
    ServerPort, StickKind, StickTable, Timeouts, Xdp,
};

/// `inter 100ms fall 2 rise 2`.
pub(in crate::director) const INTER: Duration = Duration::from_millis(100);

/// The article's second configuration with fast checks: `s1`, and `s2 backup`, `stick on dst`.
pub(in crate::director) fn with_stick() -> Config {
    site(vec![backend("bk_app", true, vec![server(1), backup(2)])])
}

/// The article's first configuration with fast checks: no stick table.
pub(super) fn without_stick() -> Config {
    site(vec![backend("bk_app", false, vec![server(1), backup(2)])])
}

/// `s1`, `s2 backup`, `s3 backup`.
pub(super) fn three_servers(stick: bool) -> Config {
    site(vec![backend("bk_app", stick, vec![server(1), backup(2), backup(3)])])
}

/// Each backend behind a frontend of its own, the first at 10.0.0.100:80.
pub(super) fn site(backends: Vec<Backend>) -> Config {
    let frontends = (100..)
        .zip(0..backends.len())
        .map(|(last, backend)| frontend(backend, &[IpAddr::from([10, 0, 0, last])]))
        .collect();
    Config {
        global: Global::default(),
        peers: Vec::new(),
        frontends,
        backends,
        xdp: Xdp {
            interfaces: Vec::new(),
            forward: Forward::Snat,
            source_ports: 10_000..=32_767,
            no_server: NoServer::Reject,
        },
    }
}

pub(super) fn frontend(backend: usize, addresses: &[IpAddr]) -> Frontend {
    let bind = |address: &IpAddr| Bind {
        address: *address,
        ports: 80..=80,
        protocol: Protocol::Tcp,
        name: None,
        interface: None,
        place: Place::default(),
    };
    Frontend { id: 2, name: "ft_app".to_owned(), binds: addresses.iter().map(bind).collect(), backend }
}

pub(super) fn backend(name: &str, stick: bool, servers: Vec<Server>) -> Backend {
    let table = StickTable { kind: StickKind::Ip, size: 2, nopurge: true, expire: None, peers: None };
    Backend {
        id: 3,
        name: name.to_owned(),
        servers,
        table: stick.then_some(table),
        stick_on_dst: stick,
        check: CheckMethod::Tcp,
        timeouts: Timeouts { connect: Some(Duration::from_secs(4)), ..Timeouts::default() },
        forward: Forward::Snat,
        no_server: NoServer::Reject,
        place: Place::default(),
    }
}

/// `server s<id> 10.0.0.<id>:80 check inter 100ms fall 2 rise 2`
pub(super) fn server(id: u8) -> Server {
    let address = IpAddr::from([10, 0, 0, id]);
    Server {
        id: u32::from(id),
        name: format!("s{id}"),
        address,
        port: ServerPort::Fixed(80),
        backup: false,
        weight: 1,
        disabled: false,
        check: Some(Check {
            target: (address, 80).into(),
            inter: INTER,
            fast_inter: None,
            down_inter: None,
            rise: 2,
            fall: 2,
        }),
        shutdown_sessions_on_down: false,
        place: Place::default(),
    }
}

pub(super) fn backup(id: u8) -> Server {
    Server { backup: true, ..server(id) }
}
