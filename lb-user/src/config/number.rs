//! Numbers as HAProxy writes them: times, sizes, plain integers.

use std::time::Duration;

/// HAProxy's longest time: 2^31 - 1 ms.
const LONGEST: Duration = Duration::from_millis(2_147_483_647);

/// Why a time is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeFault {
    /// This character does not belong there (NUL: the end came too early).
    Unexpected(char),
    /// Longer than 2147483647 ms.
    Overflow,
}

/// A number with `us`, `ms` (the default), `s`, `m`, `h` or `d` (configuration manual 2.5). As in HAProxy,
/// part of a millisecond counts as a whole one.
pub(super) fn time(text: &str) -> Result<Duration, TimeFault> {
    let (number, unit) = split_digits(text);
    if number.is_empty() {
        return Err(TimeFault::Unexpected(first(text)));
    }
    let millis_of = |factor: u64| {
        // Digits only, so the parse fails for nothing but size.
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor))
    };
    let millis = match unit {
        "us" => millis_of(1).map(|micros| micros.div_ceil(1_000)),
        "" | "ms" => millis_of(1),
        "s" => millis_of(1_000),
        "m" => millis_of(60_000),
        "h" => millis_of(3_600_000),
        "d" => millis_of(86_400_000),
        _ => return Err(TimeFault::Unexpected(first(unit))),
    };
    match millis.map(Duration::from_millis) {
        Some(time) if time <= LONGEST => Ok(time),
        _ => Err(TimeFault::Overflow),
    }
}

/// A number with `k`, `m` or `g` (2^10, 2^20, 2^30), below 2^32; otherwise the character that is wrong.
pub(super) fn size(text: &str) -> Result<u32, char> {
    let (number, unit) = split_digits(text);
    let factor = match unit {
        _ if number.is_empty() => return Err(first(text)),
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => {
            let known = unit.starts_with(['k', 'K', 'm', 'M', 'g', 'G']);
            return Err(unit.chars().nth(usize::from(known)).unwrap_or_default());
        }
    };
    let too_large = if unit.is_empty() { first(number) } else { first(unit) };
    let number: u32 = number.parse().ok().ok_or(too_large)?;
    number.checked_mul(factor).ok_or(too_large)
}

/// A whole number with an optional sign; `None` for anything else.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn first(text: &str) -> char {
    text.chars().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_haproxys_units_and_milliseconds_by_default() {
        for (text, millis) in [
            ("0", 0),
            ("5", 5),
            ("5ms", 5),
            ("20s", 20_000),
            ("3m", 180_000),
            ("2h", 7_200_000),
            ("24d", 2_073_600_000),
            ("500us", 1),
            ("1001us", 2),
            ("2147483647", 2_147_483_647),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_bad_time_names_the_character_that_is_wrong() {
        for (text, fault) in [
            ("", TimeFault::Unexpected('\0')),
            ("x", TimeFault::Unexpected('x')),
            ("20x", TimeFault::Unexpected('x')),
            ("1.5s", TimeFault::Unexpected('.')),
            ("-1", TimeFault::Unexpected('-')),
            ("5sec", TimeFault::Unexpected('s')),
            ("30d", TimeFault::Overflow),
            ("2147483648", TimeFault::Overflow),
            ("99999999999999999999999s", TimeFault::Overflow),
            ("18446744073709551615d", TimeFault::Overflow),
        ] {
            assert_eq!(time(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn sizes_take_binary_suffixes() {
        for (text, size_or_fault) in [
            ("2", Ok(2)),
            ("2k", Ok(2048)),
            ("1m", Ok(1 << 20)),
            ("3g", Ok(3 << 30)),
            ("5g", Err('g')),
            ("x", Err('x')),
            ("2x", Err('x')),
            ("2k5", Err('5')),
            ("", Err('\0')),
            ("99999999999", Err('9')),
        ] {
            assert_eq!(size(text), size_or_fault, "{text}");
        }
    }
}
