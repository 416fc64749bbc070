//! The set-up that the captures of HAProxy were taken in, as a [`Subject`]: two servers, one VIP, no
//! failback. Its state changes only as commands say.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::view::{EntryView, ProcessView, Refused, ServerView, Subject};
use crate::{
    clock::Moment,
    config::model::{
        Backend, Bind, Check, CheckMethod, Config, Forward, Frontend, Global, Level, NoServer, Peer,
        PeersSection, Place, Protocol, Server, ServerPort, StatsSocket, StickKind, StickTable, Timeouts, Xdp,
    },
    director::types::{AdminState, CheckStatus, Event, ServerRef},
};

const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100));
const RISE: u32 = 2;
const FALL: u32 = 3;

pub(super) struct Lab {
    pub(super) config: Config,
    pub(super) servers: Vec<ServerView>,
    pub(super) entries: Vec<EntryView>,
}

impl Lab {
    /// Four seconds after the start: both servers are up, the VIP's traffic sticks to the first.
    pub(super) fn new() -> Self {
        let view = ServerView {
            up: true,
            admin: AdminState::Ready,
            health: RISE + FALL - 1,
            since: Moment::default(),
            last_check: Some(CheckStatus::L4Ok),
            checking: false,
        };
        let entry = EntryView { key: VIP, server: Some(0), expires_in: None };
        Self { config: config(), servers: vec![view; 2], entries: vec![entry] }
    }

    /// The level of the socket of this name.
    pub(super) fn level(socket: &str) -> Level {
        match socket {
            "lb1.sock" => Level::Admin,
            "lb1-user.sock" => Level::User,
            "lb1-oper.sock" => Level::Operator,
            other => panic!("the lab has no socket {other}"),
        }
    }

    fn set(&mut self, key: IpAddr, server: usize) -> Result<(), Refused> {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) {
            entry.server = Some(server);
            return Ok(());
        }
        let size = self.config.backends[0].table.as_ref().expect("the lab has a table").size;
        if self.entries.len() == usize::try_from(size).unwrap() {
            return Err(Refused::TableFull);
        }
        self.entries.push(EntryView { key, server: Some(server), expires_in: None });
        Ok(())
    }
}

impl Subject for Lab {
    fn config(&self) -> &Config {
        &self.config
    }

    fn now(&self) -> Moment {
        Moment(Duration::from_secs(4))
    }

    fn server(&self, server: ServerRef) -> ServerView {
        assert_eq!(server.backend, 0);
        self.servers[server.server]
    }

    fn entries(&self, backend: usize) -> Vec<EntryView> {
        if backend == 0 { self.entries.clone() } else { Vec::new() }
    }

    fn apply(&mut self, event: Event) -> Result<(), Refused> {
        match event {
            Event::Operator { server, state } => {
                let since = self.now();
                let view = &mut self.servers[server.server];
                *view = ServerView { admin: state, health: RISE, since, ..*view };
            }
            Event::SetEntry { entry, server } => return self.set(entry.key, server),
            Event::ClearEntry { entry } => self.entries.retain(|kept| kept.key != entry.key),
            Event::Adopted { .. } | Event::Checked { .. } | Event::Restuck { .. } => {
                panic!("no command makes this: {event:?}")
            }
        }
        Ok(())
    }

    fn process(&self) -> ProcessView {
        ProcessView { pid: 26077, node: "vm".to_owned(), flows: 0, flow_capacity: 9980 }
    }
}

fn config() -> Config {
    Config {
        global: Global { stats_sockets: stats_sockets(), ..Global::default() },
        peers: vec![PeersSection { name: "LB".to_owned(), peers: vec![peer("LB1", 98), peer("LB2", 99)] }],
        frontends: vec![Frontend {
            id: 2,
            name: "ft_app".to_owned(),
            binds: vec![Bind {
                address: VIP,
                ports: 80..=80,
                protocol: Protocol::Tcp,
                name: Some("app".to_owned()),
                interface: None,
                place: Place::default(),
            }],
            backend: 0,
        }],
        backends: vec![Backend {
            id: 3,
            name: "bk_app".to_owned(),
            servers: vec![server(1, false), server(2, true)],
            table: Some(StickTable {
                kind: StickKind::Ip,
                size: 2,
                nopurge: true,
                expire: None,
                peers: Some("LB".to_owned()),
            }),
            stick_on_dst: true,
            check: CheckMethod::Tcp,
            timeouts: Timeouts::default(),
            forward: Forward::Snat,
            no_server: NoServer::Reject,
            place: Place::default(),
        }],
        xdp: Xdp {
            interfaces: Vec::new(),
            forward: Forward::Snat,
            source_ports: 10000..=32767,
            no_server: NoServer::Reject,
        },
    }
}

fn stats_sockets() -> Vec<StatsSocket> {
    ["lb1.sock", "lb1-user.sock", "lb1-oper.sock"]
        .map(|name| StatsSocket {
            path: format!("LAB/run/{name}").into(),
            mode: None,
            user: None,
            group: None,
            level: Lab::level(name),
        })
        .to_vec()
}

fn peer(name: &str, host: u8) -> Peer {
    Peer { name: name.to_owned(), address: Some(SocketAddr::from(([10, 0, 0, host], 1234))) }
}

fn server(number: u8, backup: bool) -> Server {
    let address = IpAddr::from([10, 0, 0, number]);
    Server {
        id: number.into(),
        name: format!("s{number}"),
        address,
        port: ServerPort::Fixed(80),
        backup,
        weight: 1,
        disabled: false,
        check: Some(Check {
            target: SocketAddr::new(address, 80),
            inter: Duration::from_secs(2),
            fast_inter: None,
            down_inter: None,
            rise: RISE,
            fall: FALL,
        }),
        shutdown_sessions_on_down: false,
        place: Place::default(),
    }
}
