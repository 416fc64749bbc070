//! How servers are checked: `option httpchk`, `option tcp-check`, `http-check send`.

use crate::config::{
    diagnostic::{Form, Outcome},
    draft::{Http, Proxy},
    keywords::find,
    line::{Arguments, Line},
    model::HttpVersion,
    reader::Context,
    tables::HTTP_CHECKS,
};

/// `option httpchk [uri]`, `option httpchk method uri [version]`
pub(in crate::config) fn option_httpchk(
    proxy: &mut Proxy,
    context: &mut Context<'_>,
    line: &Line,
) -> Outcome {
    if line.negated {
        return Err(negation(line));
    }
    line.ends_at(5, "option httpchk")?;
    let http = &mut proxy.settings.http;
    http.enabled = true;
    match (line.has(2), line.has(3)) {
        (false, _) => {}
        (true, false) => http.uri = Some(token(line, 2)?),
        (true, true) => {
            http.method = Some(token(line, 2)?);
            http.uri = Some(token(line, 3)?);
        }
    }
    if line.has(4) {
        let written = line.word(4);
        let (first, hidden) = written.split_once("\r\n").unwrap_or((written, ""));
        http.version = Some(version(first).ok_or_else(|| unknown_version(line, 4, first))?);
        if !hidden.is_empty() {
            let text = "'option httpchk' : hiding headers or body at the end of the version string is deprecated. \
                        Please, consider to use 'http-check send' directive instead.";
            context.findings.push(line.warning(4, text).form(Form::Tight));
            hidden_headers(http, line, hidden)?;
        }
    }
    Ok(())
}

/// Headers behind the version: `HTTP/1.1\r\nHost:\ www`.
fn hidden_headers(http: &mut Http, line: &Line, hidden: &str) -> Outcome {
    for header in hidden.split("\r\n").filter(|header| !header.is_empty()) {
        match header.split_once(':') {
            Some((name, value)) => add_header(http, line, 4, name, value.trim_start())?,
            None => {
                let text = format!("'option httpchk' : '{}' is no header.", header.escape_default());
                return Err(line.alert(4, text).into());
            }
        }
    }
    Ok(())
}

/// `option tcp-check`: without `tcp-check` rules it is the plain connection.
pub(in crate::config) fn option_tcp_check(proxy: &mut Proxy, _: &mut Context<'_>, line: &Line) -> Outcome {
    if line.negated {
        return Err(negation(line));
    }
    line.ends_at(2, "option tcp-check")?;
    proxy.settings.http.enabled = false;
    Ok(())
}

fn negation(line: &Line) -> Box<crate::config::Diagnostic> {
    let text = format!("negation/default is not supported for option '{}'.", line.word(1));
    line.alert(1, text).form(Form::Tight).into()
}

pub(in crate::config) fn http_check(proxy: &mut Proxy, context: &mut Context<'_>, line: &Line) -> Outcome {
    let name = line.word(1);
    let Some(group) = find(HTTP_CHECKS, name).filter(|_| !name.is_empty()) else {
        let text = format!(
            "'http-check' only supports 'disable-on-404', 'send-state', 'comment', 'connect', 'send', 'expect', \
             'set-var-fmt(*)', 'set-var(*)', 'unset-var(*)'. but got '{name}'"
        );
        return Err(line.alert(1, text).into());
    };
    proxy.settings.http.rules.get_or_insert_with(|| line.site(0));
    match context.judge(group, line, 1, &format!("'http-check {name}'"))? {
        Some(handler) => handler(proxy, context, line),
        None => Ok(()),
    }
}

/// `http-check send [meth M] [uri U] [ver V] [hdr N V]… [comment C]`
pub(in crate::config) fn send(proxy: &mut Proxy, _: &mut Context<'_>, line: &Line) -> Outcome {
    let http = &mut proxy.settings.http;
    let mut arguments = Arguments::new(line, 2, "'http-check send' : ".into(), Form::Spaced);
    while let Some(word) = arguments.next() {
        let missing = format!("'{word}' expects a string as argument..");
        match word {
            "meth" => {
                arguments.value(&missing)?;
                http.method = Some(token(line, arguments.at)?);
            }
            "uri" => {
                arguments.value(&missing)?;
                http.uri = Some(token(line, arguments.at)?);
            }
            "ver" => {
                let written = arguments.value(&missing)?;
                http.version =
                    Some(version(written).ok_or_else(|| unknown_version(line, arguments.at, written))?);
            }
            "hdr" => {
                let missing = "'hdr' expects <name> and <value> as arguments.";
                let name = arguments.value(missing)?;
                let value = arguments.value(missing)?;
                add_header(http, line, arguments.at, name, value)?;
            }
            "comment" => {
                arguments.value(&missing)?;
            }
            "body" | "body-lf" | "uri-lf" => {
                let text = format!(
                    "'{word}' is not supported yet, because checks send a fixed request without a body."
                );
                return Err(arguments.fault(&text));
            }
            other => {
                return Err(arguments.fault(&format!(
                    "expects 'comment', 'meth', 'uri', 'uri-lf', 'ver', 'hdr', 'body' or 'body-lf' but got '{other}' as argument.."
                )));
            }
        }
    }
    Ok(())
}

/// A method or a path: it stands in a request line, so it must not break it.
fn token(line: &Line, index: usize) -> Outcome<String> {
    let text = line.word(index);
    if text.is_empty() || text.chars().any(|c| c.is_ascii_whitespace() || c.is_control()) {
        let text = format!("'{}' cannot stand in a request line.", text.escape_default());
        return Err(line.alert(index, text).into());
    }
    Ok(text.to_owned())
}

fn add_header(http: &mut Http, line: &Line, index: usize, name: &str, value: &str) -> Outcome {
    // RFC 9110, section 5.1: a field name is a token.
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) || value.chars().any(|c| c.is_control() && c != '\t') {
        let text = format!("'{}: {}' is no header.", name.escape_default(), value.escape_default());
        return Err(line.alert(index, text).into());
    }
    http.headers.push((name.to_owned(), value.to_owned()));
    Ok(())
}

fn version(text: &str) -> Option<HttpVersion> {
    match text {
        "HTTP/1.0" => Some(HttpVersion::Http10),
        "HTTP/1.1" => Some(HttpVersion::Http11),
        _ => None,
    }
}

fn unknown_version(line: &Line, index: usize, written: &str) -> Box<crate::config::Diagnostic> {
    let text = format!(
        "'{}' is not supported, because checks speak HTTP/1.0 and HTTP/1.1.",
        written.escape_default()
    );
    line.alert(index, text).into()
}
