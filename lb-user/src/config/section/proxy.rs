//! Sections `defaults`, `frontend`, `backend` and `listen`: their first line, dispatch of their keywords,
//! and the keywords that are no more than a setting.

use std::time::Duration;

use super::check_name;
use crate::config::{
    diagnostic::{Diagnostic, Form, Outcome},
    draft::{Kind, Named, Proxy, Settings},
    keywords::{Within, did_you_mean, find},
    line::Line,
    model::Timeouts,
    number::{TimeFault, integer, time},
    reader::{Context, Section, unknown},
    tables::{OPTIONS, PROXY, TIMEOUTS},
};

/// Handles a line of a proxy section.
pub(in crate::config) type Handler = fn(&mut Proxy, &mut Context<'_>, &Line) -> Outcome;

/// The timeout that a keyword sets.
pub(in crate::config) type TimeoutField = fn(&mut Timeouts) -> &mut Option<Duration>;

pub(in crate::config) fn start(context: &mut Context<'_>, line: &Line) -> Outcome<Section> {
    let kind = match line.word(0) {
        "frontend" => Kind::Frontend,
        "backend" => Kind::Backend,
        "listen" => Kind::Listen,
        _ => Kind::Defaults,
    };
    let section = kind.section();
    // `defaults from X` has no name; everything else has one.
    let name = if kind == Kind::Defaults && line.word(1) == "from" { "" } else { line.word(1) };
    if name.is_empty() && kind != Kind::Defaults {
        return Err(line.alert(1, format!("'{section}' expects an <id> argument")).into());
    }
    if let Err(c) = check_name(name) {
        return Err(line
            .alert(1, format!("character '{c}' is not permitted in '{section}' name '{name}'."))
            .into());
    }
    let settings = inherited(context, line, kind, name)?;
    refuse_same_name(context, line, kind, name)?;
    let ordinal = if kind == Kind::Defaults { 0 } else { context.draft.next_ordinal() };
    Ok(Section::Proxy(Box::new(Proxy {
        kind,
        name: name.to_owned(),
        ordinal,
        id: None,
        site: line.site(if name.is_empty() { 0 } else { 1 }),
        settings,
        stats: None,
        binds: Vec::new(),
        servers: Vec::new(),
        table: None,
        stick: Vec::new(),
    })))
}

/// What the `defaults` section gives that `from` names, or else the last one before.
fn inherited(context: &Context<'_>, line: &Line, kind: Kind, name: &str) -> Outcome<Settings> {
    let section = kind.section();
    let from = if name.is_empty() { 1 } else { 2 };
    let defaults = &context.draft.defaults;
    if line.word(from) != "from" {
        if kind.has_frontend() && line.has(from) {
            return Err(line.alert(from, "please use the 'bind' keyword for listening addresses.").into());
        }
        line.ends_at(from, section)?;
        // A `defaults` section starts from HAProxy's own settings unless it says `from`.
        let last = defaults.last().filter(|_| kind != Kind::Defaults);
        return Ok(last.map(|proxy| proxy.settings.clone()).unwrap_or_default());
    }
    line.ends_at(from + 2, section)?;
    let parent = line.word(from + 1);
    match defaults.iter().rev().find(|proxy| !parent.is_empty() && proxy.name == parent) {
        Some(proxy) => Ok(proxy.settings.clone()),
        None => {
            let text = format!("defaults section '{parent}' not found for {section} '{name}'.");
            Err(line.alert(from + 1, text).into())
        }
    }
}

fn refuse_same_name(context: &Context<'_>, line: &Line, kind: Kind, name: &str) -> Outcome {
    let clash = context.draft.proxies.iter().find(|other| {
        other.name == name
            && (other.kind.has_frontend() && kind.has_frontend()
                || other.kind.has_backend() && kind.has_backend())
    });
    match clash {
        None => Ok(()),
        Some(other) => {
            let at = &other.site.place;
            let text = format!(
                "{} '{name}' has the same name as {} '{name}' declared at {}:{}.",
                kind.noun(),
                other.kind.noun(),
                at.file,
                at.line
            );
            Err(line.alert(1, text).form(Form::Capital).into())
        }
    }
}

pub(in crate::config) fn line(proxy: &mut Proxy, context: &mut Context<'_>, line: &Line) -> Outcome {
    let word = line.word(0);
    let Some(group) = find(PROXY, word) else {
        return Err(unknown(PROXY, line, proxy.kind.section()));
    };
    if proxy.kind == Kind::Defaults && !group.within.defaults {
        let (text, form) = match word {
            "stick-table" | "stick" => {
                (format!("'{word}' is not supported in 'defaults' section."), Form::Spaced)
            }
            "server" => ("'server' not allowed in 'defaults' section.".to_owned(), Form::Bracket),
            "id" | "description" => (format!("'{word}' not allowed in 'defaults' section."), Form::Tight),
            _ => (format!("'{word}' not allowed in 'defaults' section."), Form::Spaced),
        };
        return Err(line.alert(0, text).form(form).into());
    }
    if let Some(lacking) = lacking(proxy.kind, group.within) {
        let because =
            format!("because {} '{}' has no {lacking} capability.", proxy.kind.section(), proxy.name);
        if matches!(word, "server" | "default-server") {
            let at = &line.place;
            let text = format!("parsing [{}:{}] : '{word}' not allowed {because}", at.file, at.line);
            return Err(line.alert(0, text).form(Form::Bracket).into());
        }
        context.findings.push(line.warning(0, format!("'{word}' ignored {because}")));
        return Ok(());
    }
    match context.judge(group, line, 0, &format!("'{word}'"))? {
        Some(handler) => handler(proxy, context, line),
        None => Ok(()),
    }
}

/// The capability that a keyword needs and a section of this kind does not have.
fn lacking(kind: Kind, within: Within) -> Option<&'static str> {
    let useful = within.frontend && kind.has_frontend()
        || within.backend && kind.has_backend()
        || kind == Kind::Defaults;
    if useful {
        None
    } else if within.backend {
        Some("backend")
    } else {
        Some("frontend")
    }
}

pub(in crate::config) fn option(proxy: &mut Proxy, context: &mut Context<'_>, line: &Line) -> Outcome {
    let name = line.word(1);
    if name.is_empty() {
        return Err(line.alert(1, "'option' expects an option name.").form(Form::Tight).into());
    }
    let Some(group) = find(OPTIONS, name) else {
        if line.negated {
            let text = format!("negation/default is not supported for option '{name}'.");
            return Err(line.alert(1, text).form(Form::Tight).into());
        }
        let hint = did_you_mean(OPTIONS, name).to_string();
        let stop = if hint.is_empty() { "." } else { "" };
        return Err(line.alert(1, format!("unknown option '{name}'{hint}{stop}")).into());
    };
    if let Some(lacking) = lacking(proxy.kind, group.within) {
        let (section, proxy) = (proxy.kind.section(), &proxy.name);
        let text = format!("'{name}' ignored because {section} '{proxy}' has no {lacking} capability.");
        context.findings.push(line.warning(1, text));
        return Ok(());
    }
    match context.judge(group, line, 1, &format!("'option {name}'"))? {
        Some(handler) => handler(proxy, context, line),
        None => Ok(()),
    }
}

pub(in crate::config) fn all_backups(proxy: &mut Proxy, _: &mut Context<'_>, line: &Line) -> Outcome {
    line.ends_at(2, "option allbackups")?;
    proxy.settings.all_backups = (!line.negated).then(|| line.site(1));
    Ok(())
}

pub(in crate::config) fn timeout(proxy: &mut Proxy, context: &mut Context<'_>, line: &Line) -> Outcome {
    let name = line.word(1);
    let Some(group) = find(TIMEOUTS, name) else {
        let text = format!(
            "'timeout' supports 'client', 'server', 'connect', 'check', 'queue', 'http-keep-alive', 'http-request', \
             'tunnel', 'tarpit', 'client-fin' and 'server-fin' (got '{name}')"
        );
        return Err(line.alert(1, text).into());
    };
    let written = line.word(2);
    if written.is_empty() {
        let text = format!("'timeout {name}' expects an integer value (in milliseconds)");
        return Err(line.alert(2, text).into());
    }
    let value = time(written).map_err(|fault| {
        line.alert(
            2,
            match fault {
                TimeFault::Unexpected(c) => format!("unexpected character '{c}' in 'timeout {name}'"),
                TimeFault::Overflow => format!(
                    "timer overflow in argument '{written}' to 'timeout {name}' (maximum value is 2147483647 ms or ~24.8 days)"
                ),
            },
        )
    })?;
    if line.has(3) {
        let text = format!(
            "'timeout {name}' : unexpected extra argument '{}' after value '{written}'.",
            line.word(3)
        );
        return Err(line.alert(3, text).into());
    }
    if let Some(lacking) = lacking(proxy.kind, group.within) {
        let (section, proxy) = (proxy.kind.section(), &proxy.name);
        let text = format!(
            "'timeout {name}' will be ignored because {section} '{proxy}' has no {lacking} capability"
        );
        context.findings.push(line.warning(1, text));
        return Ok(());
    }
    if let Some(field) = context.judge(group, line, 1, &format!("'timeout {name}'"))? {
        // HAProxy's 0 is "no limit", as if it were not there.
        *field(&mut proxy.settings.timeouts) = Some(value).filter(|value| !value.is_zero());
    }
    Ok(())
}

pub(in crate::config) fn default_backend(proxy: &mut Proxy, _: &mut Context<'_>, line: &Line) -> Outcome {
    if line.word(1).is_empty() {
        return Err(line.alert(1, "'default_backend' expects a backend name.").into());
    }
    line.ends_at(2, "default_backend")?;
    proxy.settings.default_backend = Some(Named { name: line.word(1).to_owned(), site: line.site(1) });
    Ok(())
}

pub(in crate::config) fn mode(_: &mut Proxy, context: &mut Context<'_>, line: &Line) -> Outcome {
    line.ends_at(2, "mode")?;
    match line.word(1) {
        "tcp" => Ok(()),
        "http" => {
            let label = "'mode http'";
            let text = format!("{label} is ignored: HTTP is forwarded as packets, like any TCP.");
            context.findings.ignored(label, false, line.notice(1, text));
            Ok(())
        }
        "health" => {
            let text =
                "'mode health' doesn't exist anymore. Please use 'http-request return status 200' instead.";
            Err(line.alert(1, text).into())
        }
        other => Err(line.alert(1, format!("unknown proxy mode '{other}'.")).into()),
    }
}

/// Any algorithm will do: one server at a time has all the traffic (see `check::servers`).
pub(in crate::config) fn balance(_: &mut Proxy, _: &mut Context<'_>, line: &Line) -> Outcome {
    let known = ["", "roundrobin", "static-rr", "leastconn", "first", "source", "uri", "url_param", "random"];
    let name = line.word(1);
    let plain = name.split('(').next().unwrap_or_default();
    if known.contains(&plain) || matches!(plain, "hdr" | "rdp-cookie" | "hash") {
        return Ok(());
    }
    let text = "balance only supports 'roundrobin', 'static-rr', 'leastconn', 'source', 'uri', 'url_param', \
                'hdr(name)' and 'rdp-cookie(name)' options.";
    Err(line.alert(1, text).into())
}

pub(in crate::config) fn enabling(proxy: &mut Proxy, _: &mut Context<'_>, line: &Line) -> Outcome {
    line.ends_at(1, line.word(0))?;
    proxy.settings.disabled = line.word(0) == "disabled";
    Ok(())
}

pub(in crate::config) fn id(proxy: &mut Proxy, context: &mut Context<'_>, line: &Line) -> Outcome {
    let refuse = |text: String| -> Box<Diagnostic> { line.alert(1, text).form(Form::Tight).into() };
    if !line.has(1) {
        return Err(refuse("'id' expects an integer argument.".into()));
    }
    line.ends_at(2, "id")?;
    let id = integer(line.word(1)).and_then(|id| u32::try_from(id).ok()).filter(|id| *id > 0);
    let Some(id) = id else {
        return Err(refuse("custom id has to be > 0.".into()));
    };
    if let Some(other) = context.draft.proxies.iter().find(|other| other.id == Some(id)) {
        let at = &other.site.place;
        return Err(refuse(format!(
            "{} {} reuses same custom id as {} {} (declared at {}:{}).",
            proxy.kind.noun(),
            proxy.name,
            other.kind.noun(),
            other.name,
            at.file,
            at.line
        )));
    }
    proxy.id = Some(id);
    Ok(())
}

/// HAProxy's statistics page. Without servers the section is nothing else, and is left out as a whole.
pub(in crate::config) fn stats(proxy: &mut Proxy, context: &mut Context<'_>, line: &Line) -> Outcome {
    const KNOWN: [&str; 12] = [
        "admin",
        "uri",
        "realm",
        "auth",
        "scope",
        "enable",
        "hide-version",
        "show-node",
        "show-desc",
        "show-legends",
        "refresh",
        "http-request",
    ];
    let name = line.word(1);
    if !KNOWN.contains(&name) {
        let text = format!(
            "unknown stats parameter '{name}', expects 'admin', 'uri', 'realm', 'auth', 'scope', 'enable', \
             'hide-version', 'show-node', 'show-desc' or 'show-legends'."
        );
        return Err(line.alert(1, text).form(Form::Tight).into());
    }
    proxy.stats.get_or_insert_with(|| line.site(0));
    let text = "'stats' is ignored: Stickfast has no statistics page, use the Runtime API or the metrics.";
    context.findings.ignored("'stats'", true, line.warning(0, text));
    Ok(())
}
