//! `server` and `default-server`.

use std::{net::IpAddr, time::Duration};

use super::check_name;
use crate::config::{
    address::{self, Host, Port},
    diagnostic::{Form, Outcome},
    draft::{InitAddress, Proxy, Server, ServerSettings},
    keywords::{did_you_mean, find},
    line::{Arguments, Line},
    model::Protocol,
    number::{TimeFault, integer, time},
    reader::Context,
    tables::SERVER,
};

/// Handles a parameter of `server`; the parameter itself is the word last taken.
pub(in crate::config) type Handler = fn(&mut ServerSettings, &mut Arguments<'_>) -> Outcome;

/// Largest weight (configuration manual 5.2).
const MAX_WEIGHT: u32 = 256;

/// `server NAME ADDRESS[:PORT] [parameter …]`
pub(in crate::config) fn server(proxy: &mut Proxy, context: &mut Context<'_>, line: &Line) -> Outcome {
    let (name, written) = (line.word(1), line.word(2));
    if name.is_empty() || written.is_empty() {
        let text = "'server' expects <name> and <addr>[:<port>] as arguments.";
        return Err(line.alert(0, text).form(Form::Bracket).into());
    }
    if let Err(c) = check_name(name) {
        let text = format!("character '{c}' is not permitted in server name '{name}'.");
        return Err(line.alert(1, text).form(Form::Bracket).into());
    }
    let head = format!("'server {}/{name}' : ", proxy.name);
    let refuse = |text: String| line.alert(2, format!("{head}{text}")).form(Form::Bracket);
    let address = address::parse(written).map_err(refuse)?;
    if address.protocol == Protocol::Udp {
        let text = format!("dgram-type address not acceptable in '{written}'");
        return Err(refuse(text)
            .hint(
                "the protocol is the frontend's: give the server a plain address, and say 'bind udp@…' there",
            )
            .into());
    }
    if matches!(&address.port, Port::Range(ports) if ports.start() != ports.end()) {
        return Err(refuse(format!("port range not permitted here in '{written}'")).into());
    }
    if address.host == Host::Any {
        let text =
            format!("'{written}' means the address that the client asked for, which is this host's own.");
        return Err(refuse(text).hint("give the server's address").into());
    }

    let mut settings = proxy.settings.server.clone();
    let mut arguments = Arguments::new(line, 3, head.clone(), Form::Bracket);
    parameters(&mut settings, context, &mut arguments, &head, "")?;
    let id = settings.id.take();
    refuse_same_server(proxy, line, name, id, &head)?;
    proxy.servers.push(Server {
        name: name.to_owned(),
        address,
        id,
        settings,
        site: line.site(1),
        address_site: line.site(2),
    });
    Ok(())
}

/// `default-server [parameter …]`: for the servers that follow.
pub(in crate::config) fn default_server(
    proxy: &mut Proxy,
    context: &mut Context<'_>,
    line: &Line,
) -> Outcome {
    let mut arguments = Arguments::new(line, 1, String::new(), Form::Bracket);
    let hint = " Hint: no address was expected for this server.";
    parameters(&mut proxy.settings.server, context, &mut arguments, "", hint)?;
    if proxy.settings.server.id.take().is_some() {
        let text = "'id' option is not accepted in default-server sections";
        return Err(line.alert(0, text).form(Form::Bracket).into());
    }
    Ok(())
}

fn parameters(
    settings: &mut ServerSettings,
    context: &mut Context<'_>,
    arguments: &mut Arguments<'_>,
    head: &str,
    hint: &str,
) -> Outcome {
    while let Some(word) = arguments.next() {
        let Some(group) = find(SERVER, word) else {
            let guess = did_you_mean(SERVER, word).to_string();
            let stop = if guess.is_empty() { "." } else { "" };
            return Err(arguments.fault(&format!("unknown keyword '{word}'{guess}{stop}{hint}")));
        };
        let (line, at) = (arguments.line, arguments.at);
        // A refusal names the server already.
        let label = if group.fate.refuses() { format!("'{word}'") } else { format!("'server … {word}'") };
        match context.judge(group, line, at, &label) {
            Ok(Some(handler)) => handler(settings, arguments)?,
            Ok(None) => arguments.skip(group.arguments),
            Err(mut refusal) => {
                refusal.text.insert_str(0, head);
                return Err(Box::new(refusal.form(Form::Bracket)));
            }
        }
    }
    Ok(())
}

fn refuse_same_server(proxy: &Proxy, line: &Line, name: &str, id: Option<u32>, head: &str) -> Outcome {
    if let Some(other) = proxy.servers.iter().find(|other| other.name == name) {
        let text = format!(
            "{} '{}', another server named '{name}' was already defined at line {}, please use distinct names.",
            proxy.kind.section(),
            proxy.name,
            other.site.place.line
        );
        return Err(line.alert(1, text).into());
    }
    if let Some((id, other)) =
        id.and_then(|id| Some((id, proxy.servers.iter().find(|other| other.id == Some(id))?)))
    {
        let at = &other.site.place;
        let text = format!(
            "{head}'id' : custom id {id} already used at {}:{} ('server {}').",
            at.file, at.line, other.name
        );
        return Err(line.alert(1, text).form(Form::Bracket).into());
    }
    Ok(())
}

pub(in crate::config) fn check(settings: &mut ServerSettings, arguments: &mut Arguments<'_>) -> Outcome {
    settings.check = arguments.keyword() == "check";
    Ok(())
}

pub(in crate::config) fn backup(settings: &mut ServerSettings, arguments: &mut Arguments<'_>) -> Outcome {
    settings.backup = arguments.keyword() == "backup";
    Ok(())
}

pub(in crate::config) fn enabling(settings: &mut ServerSettings, arguments: &mut Arguments<'_>) -> Outcome {
    settings.disabled = arguments.keyword() == "disabled";
    Ok(())
}

pub(in crate::config) fn interval(settings: &mut ServerSettings, arguments: &mut Arguments<'_>) -> Outcome {
    let keyword = arguments.keyword();
    let written = arguments.value(&format!("'{keyword}' expects a delay as argument.."))?;
    let server = server_name(arguments);
    let delay = match time(written) {
        Ok(delay) if delay == Duration::ZERO => {
            return Err(
                arguments.fault(&format!("invalid value 0 for argument '{keyword}' of server {server}.."))
            );
        }
        Ok(delay) => delay,
        Err(TimeFault::Unexpected(c)) => {
            let text = format!("unexpected character '{c}' in '{keyword}' argument of server {server}..");
            return Err(arguments.fault(&text));
        }
        Err(TimeFault::Overflow) => {
            return Err(arguments.fault(&format!(
                "timer overflow in argument <{written}> to <{keyword}> of server {server}, maximum value is 2147483647 ms (~24.8 days).."
            )));
        }
    };
    match keyword {
        "inter" => settings.inter = delay,
        "fastinter" => settings.fast_inter = Some(delay),
        _ => settings.down_inter = Some(delay),
    }
    Ok(())
}

pub(in crate::config) fn threshold(settings: &mut ServerSettings, arguments: &mut Arguments<'_>) -> Outcome {
    let keyword = arguments.keyword();
    let written = arguments.value(&format!("'{keyword}' expects an integer argument.."))?;
    let Some(count) = integer(written) else {
        return Err(arguments.fault(&format!("'{keyword}' expects an integer argument, not '{written}'..")));
    };
    if count <= 0 {
        return Err(arguments.fault(&format!("'{keyword}' has to be > 0..")));
    }
    let Ok(count) = u32::try_from(count) else {
        return Err(arguments.fault(&format!("'{keyword}' is too large: '{written}'..")));
    };
    if keyword == "rise" {
        settings.rise = count
    } else {
        settings.fall = count
    }
    Ok(())
}

pub(in crate::config) fn port(settings: &mut ServerSettings, arguments: &mut Arguments<'_>) -> Outcome {
    let written = arguments.value("'port' expects a port number as argument..")?;
    match written.parse() {
        Ok(port) => {
            settings.check_port = port;
            Ok(())
        }
        Err(_) => Err(arguments.fault(&format!("'port' : invalid port '{written}'"))),
    }
}

pub(in crate::config) fn addr(settings: &mut ServerSettings, arguments: &mut Arguments<'_>) -> Outcome {
    let written = arguments.value("'addr' expects <ipv4|ipv6> as argument..")?;
    // Unlike a server's address, this one may be IPv6 without brackets, for it needs no port.
    let bare = written.parse::<IpAddr>().ok();
    let parsed = match (bare, address::parse(written)) {
        (Some(ip), _) => Some((ip, None)),
        (None, Ok(address)) => match (address.host, address.port) {
            (Host::Literal(ip), Port::Missing) => Some((ip, None)),
            (Host::Literal(ip), Port::Range(ports)) if ports.start() == ports.end() => {
                Some((ip, Some(*ports.start())))
            }
            _ => None,
        },
        (None, Err(_)) => None,
    };
    if parsed.is_none() {
        return Err(arguments.fault(&format!("'addr' : invalid address: '{written}' in '{written}'.")));
    }
    settings.check_address = parsed;
    Ok(())
}

pub(in crate::config) fn weight(settings: &mut ServerSettings, arguments: &mut Arguments<'_>) -> Outcome {
    let written = arguments.value("'weight' expects an integer argument..")?;
    let server = server_name(arguments);
    let weight =
        integer(written).and_then(|weight| u32::try_from(weight).ok()).filter(|weight| *weight <= MAX_WEIGHT);
    let Some(weight) = weight else {
        let text = format!("weight of server {server} is not within 0 and {MAX_WEIGHT} ({written})..");
        return Err(arguments.fault(&text));
    };
    settings.weight = weight;
    Ok(())
}

pub(in crate::config) fn id(settings: &mut ServerSettings, arguments: &mut Arguments<'_>) -> Outcome {
    let written = arguments.value("'id' : expects an integer argument.")?;
    let id = integer(written).and_then(|id| u32::try_from(id).ok()).filter(|id| *id > 0);
    if id.is_none() {
        return Err(arguments.fault("'id' : custom id has to be > 0."));
    }
    settings.id = id;
    Ok(())
}

pub(in crate::config) fn init_addr(settings: &mut ServerSettings, arguments: &mut Arguments<'_>) -> Outcome {
    settings.init.clear();
    for method in arguments.next().unwrap_or_default().split(',').filter(|method| !method.is_empty()) {
        settings.init.push(match method {
            "last" => InitAddress::Last,
            "libc" => InitAddress::Libc,
            "none" => InitAddress::None,
            other => match other.parse() {
                Ok(ip) => InitAddress::Literal(ip),
                Err(_) => {
                    return Err(arguments.fault(&format!(
                        "'init-addr' : unknown init-addr method '{other}', supported methods are 'libc', 'last', 'none'.."
                    )));
                }
            },
        });
    }
    Ok(())
}

pub(in crate::config) fn on_marked_down(
    settings: &mut ServerSettings,
    arguments: &mut Arguments<'_>,
) -> Outcome {
    match arguments.next().unwrap_or_default() {
        "shutdown-sessions" => {
            settings.shutdown_sessions = true;
            Ok(())
        }
        other => {
            Err(arguments.fault(&format!("'on-marked-down' expects 'shutdown-sessions' but got '{other}'.")))
        }
    }
}

/// The server's name in messages; a `default-server` has none.
fn server_name<'a>(arguments: &Arguments<'a>) -> &'a str {
    let line = arguments.line;
    if line.word(0) == "server" { line.word(1) } else { "" }
}
