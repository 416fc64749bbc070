//! Words that mean the same in several commands.

use std::time::Duration;

use super::Rejection;
use crate::{config::model::Config, director::types::ServerRef};

/// The longest delay HAProxy takes: it counts milliseconds in 31 bits.
const DELAY_MAX: Duration = Duration::from_millis(i32::MAX as u64);

pub(super) fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// A backend by name, or by `#id`.
pub(super) fn backend(config: &Config, name: &str) -> Option<usize> {
    let id = name.strip_prefix('#').and_then(|id| id.parse().ok());
    config.backends.iter().position(|backend| backend.name == name || Some(backend.id) == id)
}

/// A server by `backend/server`, where each may be a name or `#id`.
pub(super) fn server(config: &Config, arguments: &[&str]) -> Result<ServerRef, Rejection> {
    let names = arguments.first().and_then(|name| name.split_once('/'));
    let (of_backend, of_server) = names
        .filter(|(backend, server)| !backend.is_empty() && !server.is_empty())
        .ok_or(Rejection::ServerNameMissing)?;
    let backend = backend(config, of_backend).ok_or(Rejection::NoSuchBackend)?;
    let id = of_server.strip_prefix('#').and_then(|id| id.parse().ok());
    let mut servers = config.backends.get(backend).into_iter().flat_map(|backend| &backend.servers);
    let server = servers
        .position(|server| server.name == of_server || Some(server.id) == id)
        .ok_or(Rejection::NoSuchServer)?;
    Ok(ServerRef { backend, server })
}

/// A delay of more than nothing, in seconds unless it carries a unit.
pub(super) fn delay(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let delay = match unit {
        "us" => Duration::from_micros(number),
        "ms" => Duration::from_millis(number),
        "" | "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.checked_mul(60)?),
        "h" => Duration::from_secs(number.checked_mul(60 * 60)?),
        "d" => Duration::from_secs(number.checked_mul(24 * 60 * 60)?),
        _ => return None,
    };
    (!delay.is_zero() && delay <= DELAY_MAX).then_some(delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_in_seconds_unless_it_carries_a_unit() {
        assert_eq!(delay("60"), Some(Duration::from_secs(60)));
        assert_eq!(delay("500us"), Some(Duration::from_micros(500)));
        assert_eq!(delay("20ms"), Some(Duration::from_millis(20)));
        assert_eq!(delay("2m"), Some(Duration::from_secs(120)));
        assert_eq!(delay("24d"), Some(Duration::from_secs(24 * 86_400)));
    }

    #[test]
    fn a_delay_is_neither_nothing_nor_endless() {
        for text in ["", "0", "0s", "s", "1x", "-1", "+1", "25d", "99999999999", "99999999999999999999d"] {
            assert_eq!(delay(text), None, "{text}");
        }
    }
}
