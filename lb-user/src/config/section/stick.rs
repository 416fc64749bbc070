//! `stick-table` and `stick`.

use crate::config::{
    diagnostic::{Form, Outcome},
    draft::{Kind, Proxy, Stick, StickAct, Table},
    line::{Arguments, Line},
    model::{StickKind, StickTable},
    number::{TimeFault, size, time},
    reader::Context,
};

/// Samples that HAProxy 2.6 can fetch without looking into the stream; only `dst` is ours so far.
const CONNECTION_SAMPLES: &[&str] = &[
    "always_false",
    "always_true",
    "be_id",
    "be_name",
    "bin",
    "bool",
    "date",
    "dst_is_local",
    "dst_port",
    "fc_src",
    "fe_id",
    "fe_name",
    "hostname",
    "int",
    "ipv4",
    "ipv6",
    "meth",
    "nbsrv",
    "pid",
    "proc",
    "rand",
    "so_id",
    "so_name",
    "src",
    "src_is_local",
    "src_port",
    "str",
    "thread",
    "uuid",
    "var",
];

/// Beginnings of samples that are read from the stream.
const STREAM_SAMPLES: &[&str] = &[
    "base",
    "capture.",
    "cook",
    "hdr",
    "http_",
    "method",
    "path",
    "payload",
    "query",
    "rdp_cookie",
    "rep",
    "req",
    "res",
    "scook",
    "set-cookie",
    "shdr",
    "ssl_",
    "status",
    "unique-id",
    "uri",
    "url",
    "wait_end",
];

/// Converters that HAProxy may put behind a sample, as far as they make sense on an address.
const CONVERTERS: &[&str] =
    &["ipmask", "mod", "and", "or", "xor", "table_", "djb2", "crc32", "sdbm", "wt6", "map", "concat", "hex"];

/// `stick-table type ip|ipv6 size N [nopurge] [expire T] [peers P] …`
pub(in crate::config) fn table(proxy: &mut Proxy, context: &mut Context<'_>, line: &Line) -> Outcome {
    if let Some(other) = &proxy.table {
        let (name, at) = (&proxy.name, &other.site.place);
        let section = proxy.kind.section();
        let text = format!(
            "stick-table name '{name}' conflicts with table declared in {section} '{name}' at {}:{}.",
            at.file, at.line
        );
        return Err(line.alert(0, text).into());
    }
    let mut arguments = Arguments::new(line, 1, "stick-table: ".into(), Form::Spaced);
    let mut kind = None;
    let mut table = StickTable { kind: StickKind::Ip, size: 0, nopurge: false, expire: None, peers: None };
    while let Some(word) = arguments.next() {
        match word {
            "type" => kind = Some(key_type(&mut arguments)?),
            "size" => {
                let written = arguments.value("missing argument after 'size'.")?;
                table.size = size(written).map_err(|c| {
                    arguments.fault(&format!("unexpected character '{c}' in argument of 'size'."))
                })?;
            }
            "nopurge" => table.nopurge = true,
            "expire" => table.expire = Some(expire(&mut arguments)?),
            "peers" => table.peers = Some(arguments.value("missing argument after 'peers'.")?.to_owned()),
            "srvkey" => server_key(&mut arguments)?,
            "store" => {
                let label = "'stick-table … store'";
                let text = format!("{label} is ignored: connections are not counted by key.");
                let finding = line.warning(arguments.at, text);
                context.findings.ignored(label, true, finding);
                arguments.next();
            }
            other => return Err(arguments.fault(&format!("unknown argument '{other}'."))),
        }
    }
    if table.size == 0 {
        return Err(arguments.fault("missing size."));
    }
    match kind {
        None => return Err(arguments.fault("missing type.")),
        Some(kind) => table.kind = kind,
    }
    if proxy.kind == Kind::Frontend {
        let label = "'stick-table' in a frontend";
        let text = format!("{label} is ignored: no rule of Stickfast uses it.");
        context.findings.ignored(label, true, line.warning(0, text));
    } else {
        proxy.table = Some(Table { model: table, site: line.site(0) });
    }
    Ok(())
}

fn key_type(arguments: &mut Arguments<'_>) -> Outcome<StickKind> {
    match arguments.next().unwrap_or_default() {
        "ip" => Ok(StickKind::Ip),
        "ipv6" => Ok(StickKind::Ipv6),
        other @ ("integer" | "string" | "binary") => Err(arguments.fault(&format!(
            "type '{other}' is not supported yet, because the only key is the destination address."
        ))),
        other => Err(arguments.fault(&format!("unknown type '{other}'."))),
    }
}

fn expire(arguments: &mut Arguments<'_>) -> Outcome<std::time::Duration> {
    let written = arguments.value("missing argument after 'expire'.")?;
    time(written).map_err(|fault| match fault {
        TimeFault::Unexpected(c) => {
            arguments.fault(&format!("unexpected character '{c}' in argument of 'expire'."))
        }
        TimeFault::Overflow => {
            let text = format!(
                "timer overflow in argument <{written}> to <expire>, maximum value is 2147483647 ms (~24.8 days)."
            );
            let finding = arguments.fault(&text);
            Box::new(finding.form(Form::Tight))
        }
    })
}

fn server_key(arguments: &mut Arguments<'_>) -> Outcome {
    match arguments.next().unwrap_or_default() {
        "name" => Ok(()),
        "addr" => Err(arguments.fault("'srvkey addr' is not supported yet, because entries name servers.")),
        other => Err(Box::new(
            arguments.line.alert(arguments.at, format!("stick-table : unknown server key type '{other}'.")),
        )),
    }
}

/// `stick on|match|store-request dst [table T]`
pub(in crate::config) fn rule(proxy: &mut Proxy, _: &mut Context<'_>, line: &Line) -> Outcome {
    let act = match line.word(1) {
        "on" => StickAct::On,
        "match" => StickAct::Match,
        "store-request" => StickAct::StoreRequest,
        "store-response" => {
            let text = "'stick store-response' is not supported, because responses are not read.";
            return Err(line.alert(1, text).into());
        }
        _ => return Err(line.alert(1, "'stick' expects 'on', 'match', or 'store'.").into()),
    };
    if !line.has(2) {
        return Err(line.alert(2, "'stick' expects a fetch method.").into());
    }
    sample(line)?;
    let mut table = None;
    let mut at = 3;
    if line.word(at) == "table" {
        table = Some(line.word(at + 1).to_owned());
        at += 2;
    }
    match line.word(at) {
        _ if !line.has(at) => {}
        "if" | "unless" => {
            let text =
                "'stick' : conditions are not supported, because they select by the content of connections.";
            return Err(line.alert(at, text).into());
        }
        other => return Err(line.alert(at, format!("'stick': unknown keyword '{other}'.")).into()),
    }
    proxy.stick.push(Stick { act, table, site: line.site(0) });
    Ok(())
}

/// Accepts `dst`, and says of anything else whether HAProxy would know it.
fn sample(line: &Line) -> Outcome {
    let expression = line.word(2);
    let fetch = expression.split(['(', ',']).next().unwrap_or_default();
    let known = |list: &[&str]| list.iter().any(|name| fetch.starts_with(name));
    let refuse = |why: &str| {
        let text = format!("'stick': '{expression}' is not supported{why}");
        Err(line.alert(2, text).hint("'stick on dst' keeps all clients of an address on one server").into())
    };
    match fetch {
        "dst" if expression == "dst" => Ok(()),
        "dst" => {
            let converter = expression.split(',').nth(1).unwrap_or_default();
            if CONVERTERS.iter().any(|name| converter.starts_with(name)) {
                refuse(" yet, because the only key is the destination address as it is.")
            } else {
                let name = converter.split('(').next().unwrap_or_default();
                Err(line.alert(2, format!("'stick': unknown converter '{name}'")).into())
            }
        }
        _ if CONNECTION_SAMPLES.contains(&fetch) => {
            refuse(" yet, because the only key is the destination address.")
        }
        _ if known(STREAM_SAMPLES) => {
            refuse(", because it is read from the stream, and Stickfast forwards packets.")
        }
        _ => Err(line.alert(2, format!("'stick': unknown fetch method '{fetch}'")).into()),
    }
}
