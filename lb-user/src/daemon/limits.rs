//! What a valid configuration asks for that this version does not do. Said at the start, so that nobody relies on it.

use crate::config::model::Config;

/// Logs a line for each such thing.
pub(super) fn tell(config: &Config) {
    for line in unserved(config) {
        tracing::warn!("{line}");
    }
}

fn unserved(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    for backend in &config.backends {
        let Some(table) = &backend.table else { continue };
        if let Some(peers) = &table.peers {
            lines.push(format!(
                "Stick table {}: not shared with peers {peers} yet, this node keeps it for itself.",
                backend.name
            ));
        }
        if table.expire.is_some() {
            lines.push(format!("Stick table {}: 'expire' has no effect yet, entries stay.", backend.name));
        }
    }
    let bound = config.frontends.iter().flat_map(|frontend| &frontend.binds);
    for bind in bound.filter(|bind| bind.interface.is_some()) {
        lines.push(format!(
            "parsing [{}:{}] : 'interface' has no effect yet, the address is served on every interface.",
            bind.place.file, bind.place.line
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Host, Source};

    fn said(text: &str) -> Vec<String> {
        let source = Source { name: "test.cfg".to_owned(), text: text.to_owned() };
        unserved(&config::parse(&[source], &config::Options::default(), &Host).unwrap().config)
    }

    #[test]
    fn whatever_has_no_effect_is_named() {
        let lines = said(
            "peers LB\n peer LB1 127.0.0.1:1234\nfrontend ft\n bind 10.0.0.100:80 interface eth0\n \
             default_backend bk\nbackend bk\n stick-table type ip size 2 nopurge expire 1h peers LB\n \
             stick on dst\n server s1 10.0.0.1:80\n",
        );
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[2].contains("test.cfg:4"), "{lines:?}");
    }

    #[test]
    fn a_configuration_that_is_wholly_served_is_not_commented_on() {
        assert_eq!(said("listen a\n bind 10.0.0.100:80\n server s1 10.0.0.1:80\n"), Vec::<String>::new());
    }
}
