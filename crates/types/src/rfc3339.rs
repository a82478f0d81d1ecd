//! Times as the API writes them, for fields of which a page shows many: the same text that chrono's own
//! serialization gives, at a tenth of its cost.
//!
//! `#[serde(serialize_with = "marquee_types::rfc3339::serialize")]`, or `…::option` where it may be absent.

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use serde::{Serialize as _, Serializer};

/// As chrono does it: in UTC, with as many digits of the second as it takes in steps of three.
pub fn serialize<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = [0; 30];
    match write(*at, &mut text) {
        Some(written) => serializer.serialize_str(written),
        None => at.serialize(serializer),
    }
}

/// As [`serialize`], or null.
pub fn option<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// The text, unless it is a year that four digits cannot tell or a leap second.
fn write(at: DateTime<Utc>, text: &mut [u8; 30]) -> Option<&str> {
    let year = u32::try_from(at.year()).ok().filter(|year| *year <= 9_999)?;
    let nanos = at.nanosecond();
    if nanos >= 1_000_000_000 {
        return None;
    }
    digits(&mut text[..4], year);
    let parts =
        [(b'-', at.month()), (b'-', at.day()), (b'T', at.hour()), (b':', at.minute()), (b':', at.second())];
    for ((sign, value), place) in parts.into_iter().zip(text[4..19].chunks_exact_mut(3)) {
        place[0] = sign;
        digits(&mut place[1..], value);
    }
    let (fraction, count) = match nanos {
        0 => (0, 0),
        _ if nanos.is_multiple_of(1_000_000) => (nanos / 1_000_000, 3),
        _ if nanos.is_multiple_of(1_000) => (nanos / 1_000, 6),
        _ => (nanos, 9),
    };
    let mut end = 19;
    if count > 0 {
        text[end] = b'.';
        digits(&mut text[end + 1..=end + count], fraction);
        end += count + 1;
    }
    text[end] = b'Z';
    std::str::from_utf8(&text[..=end]).ok()
}

/// The last digits of a number, as many as there is room for.
fn digits(place: &mut [u8], mut value: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(serde::Serialize)]
    struct Row {
        #[serde(serialize_with = "serialize")]
        at: DateTime<Utc>,
        #[serde(serialize_with = "option")]
        perhaps: Option<DateTime<Utc>>,
    }

    fn agrees(at: DateTime<Utc>) {
        let row = serde_json::to_value(Row { at, perhaps: Some(at) }).expect("JSON");
        let chrono = serde_json::to_value(at).expect("JSON");
        assert_eq!(row, serde_json::json!({ "at": chrono, "perhaps": chrono }));
    }

    #[test]
    fn the_odd_ones_are_chronos_too() {
        for (seconds, nanos) in [
            (0, 0),
            (0, 1),
            (1_767_225_599, 999_999_999),
            (1_767_225_599, 1_500_000_000), // a leap second
            (253_402_300_799, 120_000_000), // the last of the year 9999
            (253_402_300_800, 0),
            (-62_167_219_201, 7_000), // the year -1
        ] {
            agrees(DateTime::from_timestamp(seconds, nanos).expect("a time"));
        }
        let none = serde_json::to_value(Row { at: DateTime::UNIX_EPOCH, perhaps: None }).expect("JSON");
        assert!(none["perhaps"].is_null());
    }

    proptest! {
        #[test]
        fn the_text_is_chronos(
            seconds in -62_167_219_200_i64..253_402_300_800,
            nanos in 0_u32..1_000_000_000,
            step in prop::sample::select(vec![1_u32, 1_000, 1_000_000, 1_000_000_000]),
        ) {
            agrees(DateTime::from_timestamp(seconds, nanos / step * step).expect("a time"));
        }
    }
}
