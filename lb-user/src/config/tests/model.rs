//! What the model holds after reading.

use std::time::Duration;

use super::{accepted, data, options, printed};
use crate::config::{
    Options, Report, Source, load,
    model::{
        AttachMode, CheckMethod, Forward, HttpVersion, Level, NoServer, Protocol, ServerPort, StickKind,
    },
    parse,
};

#[test]
fn a_full_configuration_reads_as_written() {
    let text = std::fs::read_to_string(data("config/full.cfg")).unwrap();
    let loaded = accepted(&text);
    assert_eq!(loaded.warnings, []);
    let config = loaded.config;

    let socket = &config.global.stats_sockets[0];
    assert_eq!((socket.mode, socket.level), (Some(0o660), Level::Admin));
    assert_eq!(config.global.stats_timeout, Some(Duration::from_secs(30)));
    assert_eq!(config.global.description.as_deref(), Some("the \"first\" one"));

    let peers: Vec<_> = config.peers[0]
        .peers
        .iter()
        .map(|peer| (peer.name.as_str(), peer.address.unwrap().to_string()))
        .collect();
    assert_eq!(peers, [("LB1", "10.0.0.98:1234".into()), ("LB2", "10.0.0.99:1234".into())]);

    let [web, dns] = config.frontends.as_slice() else { panic!("{:?}", config.frontends) };
    let binds: Vec<_> = web.binds.iter().map(|bind| (bind.address.to_string(), bind.ports.clone())).collect();
    let expected = [("10.0.0.100", 80), ("10.0.0.101", 80), ("10.0.0.101", 443)];
    assert_eq!(binds, expected.map(|(address, port)| (address.to_owned(), port..=port)));
    assert_eq!(web.binds[0].name.as_deref(), Some("web"));
    assert_eq!(web.binds[2].interface.as_deref(), Some("eth0"));
    assert_eq!((dns.binds[0].protocol, dns.binds[0].ports.clone()), (Protocol::Udp, 53..=53));
    assert_eq!(
        (config.backends[web.backend].name.as_str(), config.backends[dns.backend].name.as_str()),
        ("web", "ranges")
    );

    let backend = &config.backends[web.backend];
    assert!(backend.stick_on_dst, "match and store-request together");
    let table = backend.table.as_ref().unwrap();
    assert_eq!((table.kind, table.size, table.nopurge), (StickKind::Ip, 1024, true));
    assert_eq!(table.expire, Some(Duration::from_secs(86_400)));
    let CheckMethod::Http(http) = &backend.check else { panic!("{:?}", backend.check) };
    assert_eq!(
        (http.method.as_str(), http.uri.as_str(), http.version),
        ("GET", "/alive", HttpVersion::Http11)
    );
    assert_eq!(http.headers, [("Host".to_owned(), "www".to_owned())]);
    assert_eq!(backend.timeouts.client, Some(Duration::from_secs(20)));
    assert_eq!((backend.forward, backend.no_server), (Forward::Snat, NoServer::Reject));

    let [s1, s2, s3] = backend.servers.as_slice() else { panic!("{:?}", backend.servers) };
    let check = s1.check.as_ref().unwrap();
    assert_eq!((check.rise, check.fall, check.inter), (3, 2, Duration::from_secs(1)));
    assert_eq!(check.fast_inter, Some(Duration::from_millis(200)));
    assert_eq!(check.target.to_string(), "10.0.0.1:80");
    assert_eq!(s2.check.as_ref().unwrap().target.to_string(), "10.1.0.2:8080");
    assert!(s2.backup && s2.shutdown_sessions_on_down && s2.weight == 10 && !s1.backup);
    assert_eq!((s1.id, s2.id, s3.id), (1, 2, 10));
    assert!(s3.disabled);
    assert_eq!(s3.address.to_string(), "10.0.0.1", "www resolves before the literal is needed");

    let ranges = &config.backends[dns.backend];
    assert_eq!(ranges.servers[0].port, ServerPort::Shifted(0));
    assert_eq!((ranges.forward, ranges.no_server), (Forward::Dnat, NoServer::Drop));
    let modes: Vec<_> = config.xdp.interfaces.iter().map(|interface| interface.mode).collect();
    assert_eq!(modes, [AttachMode::Auto, AttachMode::Generic]);
    assert_eq!(config.xdp.source_ports, 20_000..=29_999);
}

#[test]
fn proxy_ids_count_peers_and_proxies_in_file_order() {
    let config = accepted(
        "peers LB\n peer a 10.0.0.98:1\nbackend b\n server s 10.0.0.1:80\nfrontend f\n bind 10.0.0.100:80\n \
         default_backend b\nlisten l\n bind 10.0.0.101:80\n server s 10.0.0.1:80\nbackend c\n id 2\n",
    )
    .config;
    let ids: Vec<_> = config.backends.iter().map(|backend| (backend.name.as_str(), backend.id)).collect();
    assert_eq!(ids, [("b", 3), ("l", 5), ("c", 2)]);
    assert_eq!(config.frontends.iter().map(|frontend| frontend.id).collect::<Vec<_>>(), [4, 5]);
}

#[test]
fn a_section_takes_the_last_defaults_before_it_or_those_it_names() {
    let config = accepted(
        "defaults one\n timeout server 1s\ndefaults two\n timeout server 2s\nbackend a\nbackend b from one\n",
    )
    .config;
    let seconds = |i: usize| config.backends[i].timeouts.server.unwrap().as_secs();
    assert_eq!((seconds(0), seconds(1)), (2, 1));
}

#[test]
fn default_server_holds_for_the_servers_that_follow() {
    let config = accepted(
        "defaults\n default-server check rise 5\nbackend b\n server s1 10.0.0.1:80\n default-server rise 6 backup\n \
         server s2 10.0.0.2:80\n server s3 10.0.0.3:80 no-check no-backup\n",
    )
    .config;
    let servers: Vec<_> = config.backends[0]
        .servers
        .iter()
        .map(|server| (server.backup, server.check.as_ref().map(|check| check.rise)))
        .collect();
    assert_eq!(servers, [(false, Some(5)), (true, Some(6)), (false, None)]);
}

#[test]
fn httpchk_reads_all_its_forms() {
    for (line, method, uri, version) in [
        ("option httpchk", "OPTIONS", "/", HttpVersion::Http10),
        ("option httpchk /up", "OPTIONS", "/up", HttpVersion::Http10),
        ("option httpchk GET /up", "GET", "/up", HttpVersion::Http10),
        ("option httpchk GET /up HTTP/1.1", "GET", "/up", HttpVersion::Http11),
        ("option httpchk\n http-check send meth HEAD uri /x ver HTTP/1.1", "HEAD", "/x", HttpVersion::Http11),
    ] {
        let config = accepted(&format!("backend b\n {line}\n")).config;
        let CheckMethod::Http(http) = &config.backends[0].check else { panic!("{line}") };
        assert_eq!((http.method.as_str(), http.uri.as_str(), http.version), (method, uri, version), "{line}");
    }
}

#[test]
fn a_statistics_page_is_left_out_with_its_wildcard_address() {
    let loaded = accepted(
        "listen stats\n bind *:8404\n stats enable\n stats uri /\nlisten l\n bind 10.0.0.100:80\n server s 10.0.0.1:80\n",
    );
    assert_eq!(loaded.config.frontends.len(), 1);
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
}

#[test]
fn the_command_line_names_the_local_peer_before_the_file_does() {
    let text = "global\n localpeer LB1\n";
    let source = [Source { name: "case.cfg".into(), text: text.into() }];
    let told = Options { local_peer: Some("LB2".into()), ..options() };
    assert_eq!(accepted(text).config.global.local_peer.as_deref(), Some("LB1"));
    let loaded = parse(&source, &told, &super::Lab).unwrap();
    assert_eq!(loaded.config.global.local_peer.as_deref(), Some("LB2"));
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn several_files_are_one_configuration_but_no_section_crosses_over() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let one = file("1.cfg", "frontend f\n bind 10.0.0.100:80\n default_backend b\n");
    let two = file("2.cfg", "backend b\n server s 10.0.0.1:80\n");
    file("3.txt", "nonsense");
    for files in [vec![one.clone(), two.clone()], vec![directory.path().to_path_buf()]] {
        let (status, stdout, stderr) = printed(&load(&files, &options()), Report::default());
        assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, "Configuration file is valid\n", ""));
    }
    let stray = file("4.cfg", " server s2 10.0.0.2:80\n");
    let rejected = load(&[two, stray], &options()).unwrap_err();
    assert!(
        rejected.to_string().ends_with("4.cfg:1]: unknown keyword 'server' out of section."),
        "{rejected}"
    );
}

#[test]
fn variables_set_by_the_file_hide_those_of_the_process() {
    let server = |head: &str| {
        let text = format!("{head}listen l\n bind \"${{VIP-10.9.9.9}}:80\"\n");
        accepted(&text).config.frontends[0].binds[0].address.to_string()
    };
    assert_eq!(server(""), "10.0.0.100");
    assert_eq!(server("global\n setenv VIP 10.1.1.1\n"), "10.1.1.1");
    assert_eq!(server("global\n presetenv VIP 10.1.1.1\n"), "10.0.0.100");
    assert_eq!(server("global\n unsetenv VIP\n"), "10.9.9.9");
    assert_eq!(server("global\n resetenv PATH\n"), "10.9.9.9");
    assert_eq!(server("global\n resetenv VIP\n"), "10.0.0.100");
}
