//! Section `peers`, in its old form (`peer`) and its new one (`bind` and `server`).

use std::net::SocketAddr;

use super::check_name;
use crate::config::{
    address::{self, Port},
    diagnostic::{Diagnostic, Form, Outcome},
    draft::{Peer, Peers},
    keywords::find,
    line::Line,
    reader::{Context, Section, unknown},
    tables::PEERS,
};

/// Handles a line of a `peers` section.
pub(in crate::config) type Handler = fn(&mut Peers, &mut Context<'_>, &Line) -> Outcome;

pub(in crate::config) fn start(context: &mut Context<'_>, line: &Line) -> Outcome<Section> {
    let name = line.word(1);
    if name.is_empty() {
        return Err(line.alert(1, "missing name for peers section.").into());
    }
    line.ends_at(2, "peers")?;
    if let Err(c) = check_name(name) {
        return Err(line
            .alert(1, format!("character '{c}' is not permitted in 'peers' name '{name}'."))
            .into());
    }
    if let Some(other) = context.draft.peers.iter().find(|peers| peers.name == name) {
        let at = &other.site.place;
        let text = format!(
            "peers section '{name}' has the same name as another peers section declared at {}:{}.",
            at.file, at.line
        );
        return Err(line.alert(1, text).form(Form::Capital).into());
    }
    Ok(Section::Peers(Box::new(Peers {
        name: name.to_owned(),
        ordinal: context.draft.next_ordinal(),
        disabled: false,
        site: line.site(1),
        bind: None,
        peers: Vec::new(),
    })))
}

pub(in crate::config) fn line(peers: &mut Peers, context: &mut Context<'_>, line: &Line) -> Outcome {
    let word = line.word(0);
    let Some(group) = find(PEERS, word) else {
        return Err(unknown(PEERS, line, "peers"));
    };
    match context.judge(group, line, 0, &format!("'{word}' in a 'peers' section"))? {
        Some(handler) => handler(peers, context, line),
        None => Ok(()),
    }
}

/// `peer NAME [ADDRESS:PORT]` or `server NAME [ADDRESS:PORT]`
pub(in crate::config) fn peer(peers: &mut Peers, context: &mut Context<'_>, line: &Line) -> Outcome {
    let (keyword, name) = (line.word(0), line.word(1));
    if name.is_empty() {
        return Err(line
            .alert(1, format!("'{keyword}' expects <name> and <addr>[:<port>] as arguments."))
            .into());
    }
    let complain = |index: usize, text: &str| -> Box<Diagnostic> {
        line.alert(index, format!("'{keyword} {name}' : {text}")).into()
    };
    if let Err(c) = check_name(name) {
        return Err(complain(1, &format!("character '{c}' is not permitted in a peer's name.")));
    }
    let address = match line.word(2) {
        "" => None,
        text => Some(socket_address(context, text).map_err(|text| complain(2, &text))?),
    };
    if line.has(3) {
        return Err(complain(
            3,
            &format!("parameter '{}' is not supported, because peers speak plain TCP.", line.word(3)),
        ));
    }
    if address.is_some() && peers.bind.is_some() && is_local(context, name) {
        let text =
            format!("unknown keyword '{}'. Hint: no address was expected for this server.", line.word(2));
        return Err(complain(2, &text));
    }
    if let Some(other) = peers.peers.iter().find(|peer| peer.name == name) {
        let at = &other.site.place;
        let place = format!("referenced at {}:{}. {name}", at.file, at.line);
        return Err(if is_local(context, name) {
            complain(1, &format!("local peer name already {place}"))
        } else {
            complain(1, &format!("peer name already {place}"))
        });
    }
    peers.peers.push(Peer { name: name.to_owned(), address, site: line.site(1) });
    Ok(())
}

/// `bind ADDRESS:PORT`
pub(in crate::config) fn bind(peers: &mut Peers, context: &mut Context<'_>, line: &Line) -> Outcome {
    if let Some((_, site)) = &peers.bind {
        let text = format!(
            "One listener per \"peers\" section is authorized but another is already configured at [{}:{}].",
            site.place.file, site.place.line
        );
        return Err(line.alert(0, text).into());
    }
    if line.has(2) {
        let text =
            format!("'bind' : parameter '{}' is not supported, because peers speak plain TCP.", line.word(2));
        return Err(line.alert(2, text).into());
    }
    let address =
        socket_address(context, line.word(1)).map_err(|text| line.alert(1, format!("'bind' : {text}")))?;
    peers.bind = Some((address, line.site(1)));
    Ok(())
}

pub(in crate::config) fn enabling(peers: &mut Peers, _: &mut Context<'_>, line: &Line) -> Outcome {
    line.ends_at(1, line.word(0))?;
    peers.disabled = line.word(0) == "disabled";
    Ok(())
}

fn socket_address(context: &Context<'_>, text: &str) -> Result<SocketAddr, String> {
    let parsed = address::parse(text)?;
    let port = match parsed.port {
        Port::Range(ports) if ports.start() == ports.end() => *ports.start(),
        Port::Range(_) => return Err(format!("port range not permitted here in '{text}'")),
        Port::Shift(_) => return Err(format!("port offset not permitted here in '{text}'")),
        Port::Missing => return Err(format!("missing port specification in '{text}'")),
    };
    address::resolve(&parsed.host, parsed.family, |name| context.world.resolve(name))
        .map(|ip| SocketAddr::new(ip, port))
        .ok_or_else(|| match parsed.host {
            address::Host::Name(host) => format!("invalid address: '{host}' in '{text}'"),
            address::Host::Any | address::Host::Literal(_) => format!("invalid address in '{text}'"),
        })
}

/// Whether `name` is this node's, as far as names tell.
fn is_local(context: &Context<'_>, name: &str) -> bool {
    let explicit = context.options.local_peer.as_deref().or(context.draft.global.local_peer.as_deref());
    explicit.unwrap_or(&context.options.host_name) == name
}
