//! `bind`: the addresses that clients use.

use crate::config::{
    address::{self, Address, Port},
    diagnostic::{Form, Outcome},
    draft::{Bind, Proxy},
    keywords::{did_you_mean, find},
    line::{Arguments, Line},
    reader::Context,
    tables::BIND,
};

/// Handles a parameter of `bind`.
pub(in crate::config) type Handler = fn(&mut Parameters, &mut Arguments<'_>) -> Outcome;

/// Longest interface name of Linux.
pub(in crate::config) const INTERFACE_NAME: usize = 15;

/// What follows the addresses and holds for all of them.
#[derive(Debug, Default)]
pub(in crate::config) struct Parameters {
    name: Option<String>,
    interface: Option<String>,
}

/// `bind ADDRESS:PORT[,…] [parameter …]`
pub(in crate::config) fn bind(proxy: &mut Proxy, context: &mut Context<'_>, line: &Line) -> Outcome {
    let written = line.word(1);
    if written.is_empty() {
        let text = "'bind' expects {<path>|[addr1]:port1[-end1]}{,[addr]:port[-end]}... as arguments.";
        return Err(line.alert(1, text).into());
    }
    let mut binds = Vec::new();
    // As HAProxy, overlook a comma at the end.
    for text in written.split(',').filter(|text| !text.is_empty()) {
        binds.push(one(context, line, text)?);
    }
    let parameters = parameters(context, line, proxy.kind.section())?;
    proxy.binds.extend(binds.into_iter().map(|bind| Bind {
        name: parameters.name.clone(),
        interface: parameters.interface.clone(),
        ..bind
    }));
    Ok(())
}

fn one(context: &Context<'_>, line: &Line, text: &str) -> Outcome<Bind> {
    let refuse = |what: String| line.alert(1, format!("'bind' : {what}"));
    let Address { host, family, protocol, port } = address::parse(text).map_err(refuse)?;
    let ports = match port {
        Port::Range(ports) if *ports.start() == 0 => {
            return Err(refuse(format!("invalid port '{}'", ports.start())).into());
        }
        Port::Range(ports) => ports,
        Port::Missing => {
            return Err(refuse(format!("missing port specification in '{text}'"))
                .hint("all ports are 1-65535; an IPv6 address is best written in brackets")
                .into());
        }
        Port::Shift(_) => return Err(refuse(format!("port offset not permitted here in '{text}'")).into()),
    };
    let Some(address) = address::resolve(&host, family, |name| context.world.resolve(name)) else {
        let host = match host {
            address::Host::Name(name) => name,
            address::Host::Any | address::Host::Literal(_) => text.to_owned(),
        };
        return Err(refuse(format!("invalid address: '{host}' in '{text}'")).into());
    };
    let site = line.site(1);
    Ok(Bind { address, text: text.to_owned(), ports, protocol, name: None, interface: None, site })
}

fn parameters(context: &mut Context<'_>, line: &Line, section: &str) -> Outcome<Parameters> {
    let mut parameters = Parameters::default();
    let head = format!("'bind {}' in section '{section}'", line.word(1));
    let mut arguments = Arguments::new(line, 2, format!("{head} : "), Form::Spaced);
    while let Some(word) = arguments.next() {
        let at = arguments.at;
        let Some(group) = find(BIND, word) else {
            let hint = did_you_mean(BIND, word);
            return Err(line.alert(at, format!("{head}: unknown keyword '{word}'{hint}")).into());
        };
        match context.judge(group, line, at, &format!("'bind … {word}'"))? {
            Some(handler) => handler(&mut parameters, &mut arguments)?,
            None => arguments.skip(group.arguments),
        }
    }
    Ok(parameters)
}

pub(in crate::config) fn name(parameters: &mut Parameters, arguments: &mut Arguments<'_>) -> Outcome {
    parameters.name = Some(arguments.value("'name' : missing name")?.to_owned());
    Ok(())
}

pub(in crate::config) fn interface(parameters: &mut Parameters, arguments: &mut Arguments<'_>) -> Outcome {
    let name = arguments.value("'interface' : missing interface name")?;
    if name.len() > INTERFACE_NAME {
        let text = format!(
            "'interface' : '{name}' is longer than the {INTERFACE_NAME} characters of an interface name"
        );
        return Err(arguments.fault(&text));
    }
    parameters.interface = Some(name.to_owned());
    Ok(())
}
