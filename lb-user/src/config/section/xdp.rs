//! Section `xdp`, our own: what HAProxy has no words for.

use std::ops::RangeInclusive;

use super::bind::INTERFACE_NAME;
use crate::config::{
    diagnostic::Outcome,
    draft::Named,
    line::Line,
    model::{AttachMode, Forward, Interface, NoServer},
    reader::{Context, Section},
};

/// Lowest port that SNAT may take: those below are for services (RFC 6335, section 6).
const LOWEST_SOURCE_PORT: u16 = 1024;

pub(in crate::config) fn start(_: &mut Context<'_>, line: &Line) -> Outcome<Section> {
    line.ends_at(1, "xdp")?;
    Ok(Section::Xdp)
}

/// `interface NAME [mode auto|native|generic]`
pub(in crate::config) fn interface(context: &mut Context<'_>, line: &Line) -> Outcome {
    let name = line.word(1);
    if name.is_empty() || name.len() > INTERFACE_NAME || name.contains(['/', ' ', '\t']) {
        let text = format!(
            "'interface' expects the name of an interface, at most {INTERFACE_NAME} characters (got '{name}')"
        );
        return Err(line.alert(1, text).into());
    }
    let mode = match (line.word(2), line.word(3)) {
        ("", _) => AttachMode::Auto,
        ("mode", "auto") => AttachMode::Auto,
        ("mode", "native") => AttachMode::Native,
        ("mode", "generic") => AttachMode::Generic,
        ("mode", other) => {
            let text =
                format!("'interface {name} mode' supports 'auto', 'native' and 'generic' (got '{other}')");
            return Err(line.alert(3, text).into());
        }
        (other, _) => {
            return Err(line.alert(2, format!("'interface {name}' supports 'mode' (got '{other}')")).into());
        }
    };
    line.ends_at(4, "interface")?;
    let interfaces = &mut context.draft.xdp.interfaces;
    if interfaces.iter().any(|other| other.name == name) {
        return Err(line.alert(1, format!("interface '{name}' is already listed.")).into());
    }
    interfaces.push(Interface { name: name.to_owned(), mode });
    Ok(())
}

/// `forward snat|dnat|dsr [backend NAME …]`
pub(in crate::config) fn forward(context: &mut Context<'_>, line: &Line) -> Outcome {
    let forward = match line.word(1) {
        "snat" => Forward::Snat,
        "dnat" => Forward::Dnat,
        "dsr" => Forward::Dsr,
        other => {
            return Err(line
                .alert(1, format!("'forward' supports 'snat', 'dnat' and 'dsr' (got '{other}')"))
                .into());
        }
    };
    let backends = backends(line, "forward")?;
    let xdp = &mut context.draft.xdp;
    match backends {
        None => xdp.forward = forward,
        Some(names) => xdp.forwards.extend(names.into_iter().map(|name| (name, forward))),
    }
    Ok(())
}

/// `no-server reject|drop [backend NAME …]`
pub(in crate::config) fn no_server(context: &mut Context<'_>, line: &Line) -> Outcome {
    let policy = match line.word(1) {
        "reject" => NoServer::Reject,
        "drop" => NoServer::Drop,
        other => {
            return Err(line
                .alert(1, format!("'no-server' supports 'reject' and 'drop' (got '{other}')"))
                .into());
        }
    };
    let backends = backends(line, "no-server")?;
    let xdp = &mut context.draft.xdp;
    match backends {
        None => xdp.no_server = policy,
        Some(names) => xdp.no_servers.extend(names.into_iter().map(|name| (name, policy))),
    }
    Ok(())
}

/// The names after `backend`; `None` when the line is about all of them.
fn backends(line: &Line, keyword: &str) -> Outcome<Option<Vec<Named>>> {
    match line.word(2) {
        _ if !line.has(2) => Ok(None),
        "backend" if line.has(3) => {
            let named = |(index, word): (usize, &crate::config::words::Word)| Named {
                name: word.text.clone(),
                site: line.site(index),
            };
            Ok(Some(line.words.iter().enumerate().skip(3).map(named).collect()))
        }
        "backend" => Err(line.alert(3, format!("'{keyword} … backend' expects names of backends.")).into()),
        _ => line.ends_at(2, keyword).map(|()| None),
    }
}

/// `source-ports LOW-HIGH`
pub(in crate::config) fn source_ports(context: &mut Context<'_>, line: &Line) -> Outcome {
    line.ends_at(2, "source-ports")?;
    let written = line.word(1);
    let Some(range) = port_range(written) else {
        let text = format!("'source-ports' expects a range of ports such as 10000-32767 (got '{written}')");
        return Err(line.alert(1, text).into());
    };
    if *range.start() < LOWEST_SOURCE_PORT {
        let text =
            format!("'source-ports' : ports below {LOWEST_SOURCE_PORT} belong to services (got '{written}')");
        return Err(line.alert(1, text).into());
    }
    context.draft.xdp.source_ports = Some(range);
    Ok(())
}

fn port_range(text: &str) -> Option<RangeInclusive<u16>> {
    let (low, high) = text.split_once('-')?;
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high).then_some(low..=high)
}
