//! Times on the command line: RFC 3339, or a distance from now (`+90d`, `-2h`).

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::schema::Kind;

/// What stands in the help text for values that are times.
pub const PLACEHOLDER: &str = "TIME";

/// Told in the help of flags that take a time.
pub fn hint(kind: &Kind) -> &'static str {
    if *kind == Kind::Text(PLACEHOLDER) { " (RFC 3339, or from now: +90d, -2h)" } else { "" }
}

/// Refuses what is neither; a distance stays one until it is known what time it is.
pub fn check(text: &str) -> Result<String, String> {
    let well = distance(text).is_some() || DateTime::parse_from_rfc3339(text).is_ok();
    if well { Ok(text.to_owned()) } else { Err("write 2026-06-20T18:00:00Z, or +90d, or -2h".to_owned()) }
}

/// The time meant, for the API.
pub fn settle(text: &str, now: DateTime<Utc>) -> String {
    let time = distance(text).and_then(|distance| now.checked_add_signed(distance));
    time.map_or_else(|| text.to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// `+90d`, `-2h`, `+30m`, `-10s`, `+4w`.
fn distance(text: &str) -> Option<TimeDelta> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let unit = rest.chars().next_back()?;
    let count: i64 = rest.strip_suffix(unit)?.parse().ok().filter(|count| *count >= 0)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    TimeDelta::try_seconds(sign * count.checked_mul(seconds)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_settled_from_now() {
        let now = DateTime::parse_from_rfc3339("2026-06-20T18:00:00.5Z").unwrap().to_utc();
        assert_eq!(settle("+90d", now), "2026-09-18T18:00:00Z");
        assert_eq!(settle("-2h", now), "2026-06-20T16:00:00Z");
        assert_eq!(settle("2026-06-20T18:00:00+02:00", now), "2026-06-20T18:00:00+02:00");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "+", "+d", "90d", "--limit", "+-3d", "+9999999999999w", "+1é", "yesterday", "2026-06-20"]
        {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
