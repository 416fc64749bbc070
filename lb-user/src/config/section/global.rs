//! Section `global`.

use std::path::PathBuf;

use crate::config::{
    diagnostic::{Form, Outcome},
    keywords::{did_you_mean, find},
    line::{Arguments, Line},
    model::{Level, StatsSocket},
    number::{TimeFault, time},
    reader::{Context, Section},
    tables::SOCKET,
};

/// Handles a parameter of a `stats socket`.
pub(in crate::config) type SocketHandler = fn(&mut StatsSocket, &mut Arguments<'_>, &Context<'_>) -> Outcome;

pub(in crate::config) fn start(_: &mut Context<'_>, line: &Line) -> Outcome<Section> {
    line.ends_at(1, "global")?;
    Ok(Section::Global)
}

pub(in crate::config) fn stats(context: &mut Context<'_>, line: &Line) -> Outcome {
    match line.word(1) {
        "socket" => stats_socket(context, line),
        "timeout" => stats_timeout(context, line),
        "maxconn" | "bind-process" => Ok(()),
        other => Err(line
            .alert(
                1,
                format!(
                    "'stats' only supports 'socket', 'maxconn', 'bind-process' and 'timeout' (got '{other}')"
                ),
            )
            .into()),
    }
}

fn stats_socket(context: &mut Context<'_>, line: &Line) -> Outcome {
    let written = line.word(2);
    if written.is_empty() {
        let text = "'stats socket' in global section expects an address or a path to a UNIX socket";
        return Err(line.alert(2, text).into());
    }
    let path = written.strip_prefix("unix@").unwrap_or(written);
    if !path.starts_with('/') {
        let text = format!(
            "'stats socket' : '{written}' is not supported, because Stickfast answers on UNIX sockets with an absolute path only."
        );
        return Err(line.alert(2, text).into());
    }
    let mut socket = StatsSocket {
        path: PathBuf::from(path),
        mode: None,
        user: None,
        group: None,
        level: Level::default(),
    };
    let mut arguments = Arguments::new(line, 3, "'stats socket' : ''".into(), Form::Spaced);
    while let Some(word) = arguments.next() {
        let at = arguments.at;
        let Some(group) = find(SOCKET, word) else {
            let hint = did_you_mean(SOCKET, word).to_string().replace("; did", ". Did");
            return Err(line.alert(at, format!("'stats socket' : unknown keyword '{word}'{hint}")).into());
        };
        match context.judge(group, line, at, &format!("'stats socket … {word}'"))? {
            Some(handler) => handler(&mut socket, &mut arguments, context)?,
            None => arguments.skip(group.arguments),
        }
    }
    context.draft.global.stats_sockets.push(socket);
    Ok(())
}

pub(in crate::config) fn socket_mode(
    socket: &mut StatsSocket,
    arguments: &mut Arguments<'_>,
    _: &Context<'_>,
) -> Outcome {
    let text = arguments.next().unwrap_or_default();
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 => {
            socket.mode = Some(mode);
            Ok(())
        }
        _ => {
            Err(arguments
                .fault(&format!("mode' : missing or invalid mode '{text}' (octal integer expected)'")))
        }
    }
}

pub(in crate::config) fn socket_user(
    socket: &mut StatsSocket,
    arguments: &mut Arguments<'_>,
    context: &Context<'_>,
) -> Outcome {
    let name = arguments.value("user' : missing user name'")?;
    if !context.world.has_user(name) {
        return Err(arguments.fault(&format!("user' : unknown user name '{name}''")));
    }
    socket.user = Some(name.to_owned());
    Ok(())
}

pub(in crate::config) fn socket_group(
    socket: &mut StatsSocket,
    arguments: &mut Arguments<'_>,
    context: &Context<'_>,
) -> Outcome {
    let name = arguments.value("group' : missing group name'")?;
    if !context.world.has_group(name) {
        return Err(arguments.fault(&format!("group' : unknown group name '{name}''")));
    }
    socket.group = Some(name.to_owned());
    Ok(())
}

pub(in crate::config) fn socket_level(
    socket: &mut StatsSocket,
    arguments: &mut Arguments<'_>,
    _: &Context<'_>,
) -> Outcome {
    socket.level = match arguments.value("level' : missing level'")? {
        "user" => Level::User,
        "operator" => Level::Operator,
        "admin" => Level::Admin,
        other => {
            return Err(arguments
                .fault(&format!("level' only supports 'user', 'operator', and 'admin' (got '{other}')'")));
        }
    };
    Ok(())
}

fn stats_timeout(context: &mut Context<'_>, line: &Line) -> Outcome {
    let written = line.word(2);
    match time(written) {
        Ok(limit) if limit.is_zero() => Err(line.alert(2, "'stats timeout' expects a positive value").into()),
        Ok(limit) => {
            context.draft.global.stats_timeout = Some(limit);
            Ok(())
        }
        Err(TimeFault::Unexpected(c)) => {
            Err(line.alert(2, format!("'stats timeout' : unexpected character '{c}'")).into())
        }
        Err(TimeFault::Overflow) => Err(line
            .alert(2, format!("timer overflow in argument '{written}' to 'stats timeout' (maximum value is 2147483647 ms or ~24.8 days)"))
            .into()),
    }
}

pub(in crate::config) fn local_peer(context: &mut Context<'_>, line: &Line) -> Outcome {
    line.ends_at(2, "localpeer")?;
    if line.word(1).is_empty() {
        return Err(line.alert(1, "'localpeer' expects a name as an argument.").into());
    }
    if context.options.local_peer.is_some() {
        let text = "'localpeer' ignored since it is already set by using the '-L' command line argument.";
        context.findings.push(line.warning(0, text));
    } else {
        context.draft.global.local_peer = Some(line.word(1).to_owned());
    }
    Ok(())
}

pub(in crate::config) fn node(context: &mut Context<'_>, line: &Line) -> Outcome {
    line.ends_at(2, "node")?;
    let name = line.word(1);
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || !name.chars().all(valid) {
        let text = "'node' requires valid node name - non-empty string with digits(0-9), letters(A-Z, a-z), dot(.), hyphen(-) or underscode(_).";
        return Err(line.alert(1, text).form(Form::Tight).into());
    }
    context.draft.global.node = Some(name.to_owned());
    Ok(())
}

pub(in crate::config) fn description(context: &mut Context<'_>, line: &Line) -> Outcome {
    if !line.has(1) {
        return Err(line.alert(1, "'description' expects a string argument.").form(Form::Tight).into());
    }
    context.draft.global.description = Some(line.rest(1));
    Ok(())
}

/// `setenv NAME value`, `presetenv NAME value`, `unsetenv NAME …`, `resetenv [NAME …]`: for the rest of the
/// configuration; the process's own environment is left alone.
pub(in crate::config) fn environment(context: &mut Context<'_>, line: &Line) -> Outcome {
    let names = || line.words.iter().skip(1).map(|word| word.text.clone());
    match line.word(0) {
        keyword @ ("setenv" | "presetenv") => {
            if !line.has(2) {
                return Err(line
                    .alert(1, format!("'{keyword}' expects an env variable name and a value."))
                    .into());
            }
            let name = line.word(1).to_owned();
            if keyword == "setenv" || context.variable(&name).is_none() {
                context.environment.insert(name, Some(line.word(2).to_owned()));
            }
        }
        "unsetenv" => context.environment.extend(names().map(|name| (name, None))),
        _ => {
            context.environment.retain(|name, _| names().any(|kept| kept == *name));
            context.environment_kept = Some(names().collect());
        }
    }
    Ok(())
}
