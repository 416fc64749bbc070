//! The two configurations of the article that defines the product.

use super::{data, printed};
use crate::config::{Options, Report, load};

#[test]
fn both_configurations_are_valid_and_nothing_else_is_said() {
    for file in ["failback.cfg", "no-failback.cfg"] {
        let result = load(&[data("config").join(file)], &Options::default());
        let (status, stdout, stderr) = printed(&result, Report::default());
        assert_eq!(
            (status, stdout.as_str(), stderr.as_str()),
            (0, "Configuration file is valid\n", ""),
            "{file}"
        );
    }
}

#[test]
fn the_stick_table_is_all_that_tells_them_apart() {
    let [failback, no_failback] = ["failback.cfg", "no-failback.cfg"]
        .map(|file| load(&[data("config").join(file)], &Options::default()).unwrap().config);
    let [one, other] = [&failback, &no_failback].map(|config| &config.backends[0]);
    assert!(!one.stick_on_dst && one.table.is_none());
    assert!(other.stick_on_dst && other.table.as_ref().unwrap().peers.as_deref() == Some("LB"));
    assert_eq!(
        one.servers.iter().map(|server| (server.id, &server.check)).collect::<Vec<_>>(),
        other.servers.iter().map(|server| (server.id, &server.check)).collect::<Vec<_>>()
    );
}

#[test]
fn a_node_finds_itself_by_name_or_else_by_address() {
    let config = load(&[data("config/no-failback.cfg")], &Options::default()).unwrap().config;
    let section = &config.peers[0];
    let at = |own: &'static str| move |address: std::net::IpAddr| address.to_string() == own;
    let name = |explicit, host, own| section.local(explicit, host, at(own)).map(|peer| peer.name.as_str());
    assert_eq!(name(None, "vm", "10.0.0.99"), Some("LB2"));
    assert_eq!(name(None, "LB1", "10.0.0.99"), Some("LB1"));
    assert_eq!(name(Some("LB2"), "LB1", "10.0.0.98"), Some("LB2"));
    assert_eq!(name(Some("LB3"), "LB1", "10.0.0.98"), None, "an explicit name is final");
    assert_eq!(name(None, "vm", "10.0.0.1"), None);
}
