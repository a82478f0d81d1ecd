//! Records as a zone file has them, and as Azure does.

use std::net::{Ipv4Addr, Ipv6Addr};

use marquee_clouds::CloudError;
use serde_json::{Value, json};

use super::invalid;

/// Types of records that are set.
pub const KINDS: &[&str] = &["A", "AAAA", "CAA", "CNAME", "MX", "SRV", "TXT"];

/// The longest string of a TXT record.
const STRING: usize = 255;

/// Refuses a type that is not set.
pub fn refuse_kind(kind: &str) -> Result<(), CloudError> {
    if KINDS.contains(&kind) {
        return Ok(());
    }
    Err(invalid(format!("type: expected one of {}, not {kind:?}", KINDS.join(", "))))
}

/// Values in Azure's words: the properties of a record set.
pub fn write(kind: &str, values: &[String]) -> Result<Value, CloudError> {
    if values.is_empty() {
        return Err(invalid("values: a set of records has at least one"));
    }
    let each = |read: fn(&str) -> Option<Value>| -> Result<Vec<Value>, CloudError> {
        let one = |value: &String| {
            read(value.trim()).ok_or_else(|| invalid(format!("values: {value:?} is no {kind} record")))
        };
        values.iter().map(one).collect()
    };
    Ok(match kind {
        "A" => json!({ "ARecords": each(|value| {
            Some(json!({ "ipv4Address": value.parse::<Ipv4Addr>().ok()?.to_string() }))
        })? }),
        "AAAA" => json!({ "AAAARecords": each(|value| {
            Some(json!({ "ipv6Address": value.parse::<Ipv6Addr>().ok()?.to_string() }))
        })? }),
        "CNAME" => {
            let names = each(|value| Some(json!({ "cname": host(value)? })))?;
            match names.as_slice() {
                [one] => json!({ "CNAMERecord": one }),
                _ => return Err(invalid("values: a CNAME has one value")),
            }
        }
        "TXT" => json!({ "TXTRecords": each(|value| Some(json!({ "value": strings(value)? })))? }),
        "MX" => json!({ "MXRecords": each(|value| {
            let [preference, name] = words(value)?;
            Some(json!({ "preference": preference.parse::<u16>().ok()?, "exchange": host(name)? }))
        })? }),
        "SRV" => json!({ "SRVRecords": each(|value| {
            let [priority, weight, port, name] = words(value)?;
            let number = |word: &str| word.parse::<u16>().ok();
            Some(json!({
                "priority": number(priority)?, "weight": number(weight)?, "port": number(port)?,
                "target": host(name)?,
            }))
        })? }),
        "CAA" => json!({ "caaRecords": each(|value| {
            let (flags, rest) = value.split_once(char::is_whitespace)?;
            let (tag, value) = rest.trim().split_once(char::is_whitespace)?;
            let value = strings(value.trim())?.concat();
            Some(json!({ "flags": flags.parse::<u8>().ok()?, "tag": tag, "value": value }))
        })? }),
        _ => return Err(refuse_kind(kind).err().unwrap_or_else(|| invalid("type"))),
    })
}

/// The properties of a record set in a zone file's words.
pub fn read(kind: &str, properties: &Value) -> Result<Vec<String>, CloudError> {
    let member = match kind {
        "A" => "ARecords",
        "AAAA" => "AAAARecords",
        "CNAME" => "CNAMERecord",
        "TXT" => "TXTRecords",
        "MX" => "MXRecords",
        "SRV" => "SRVRecords",
        _ => "caaRecords",
    };
    let all = match &properties[member] {
        Value::Array(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    let values: Option<Vec<String>> = all.iter().map(|record| value(kind, record)).collect();
    values.ok_or_else(|| invalid(format!("a record set of the type {kind} that Azure says oddly")))
}

fn value(kind: &str, record: &Value) -> Option<String> {
    let text = |name: &str| record[name].as_str();
    let number = |name: &str| record[name].as_u64();
    Some(match kind {
        "A" => text("ipv4Address")?.to_owned(),
        "AAAA" => text("ipv6Address")?.parse::<Ipv6Addr>().ok()?.to_string(),
        "CNAME" => host(text("cname")?)?,
        "TXT" => {
            let strings: Option<Vec<_>> = record["value"].as_array()?.iter().map(Value::as_str).collect();
            strings?.into_iter().map(quoted).collect::<Vec<_>>().join(" ")
        }
        "MX" => format!("{} {}", number("preference")?, host(text("exchange")?)?),
        "SRV" => {
            let (priority, weight, port) = (number("priority")?, number("weight")?, number("port")?);
            format!("{priority} {weight} {port} {}", host(text("target")?)?)
        }
        _ => format!("{} {} {}", number("flags")?, text("tag")?, quoted(text("value")?)),
    })
}

/// A host's name, without a dot at its end.
fn host(name: &str) -> Option<String> {
    let name = name.trim_end_matches('.').to_lowercase();
    (!name.is_empty() && !name.contains(char::is_whitespace)).then_some(name)
}

/// A value's words, if it has so many.
fn words<const N: usize>(value: &str) -> Option<[&str; N]> {
    value.split_whitespace().collect::<Vec<_>>().try_into().ok()
}

/// The strings of a text: in quotes, or else all of it.
fn strings(value: &str) -> Option<Vec<String>> {
    if !value.starts_with('"') {
        let letters: Vec<char> = value.chars().collect();
        return Some(letters.chunks(STRING).map(|part| part.iter().collect()).collect());
    }
    let (mut found, mut current, mut letters) = (Vec::new(), None::<String>, value.chars());
    while let Some(letter) = letters.next() {
        match (letter, current.as_mut()) {
            ('"', None) => current = Some(String::new()),
            ('"', Some(_)) => found.extend(current.take()),
            ('\\', Some(text)) => text.push(letters.next()?),
            (letter, Some(text)) => text.push(letter),
            (letter, None) if letter.is_whitespace() => {}
            (_, None) => return None,
        }
    }
    current.is_none().then_some(found)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_there_and_back() {
        for (kind, value) in [
            ("A", "192.0.2.1"),
            ("AAAA", "2001:db8::1"),
            ("CNAME", "front.example.com"),
            ("TXT", r#""v=spf1 -all" "more \"quoted\"""#),
            ("MX", "10 mail.example.com"),
            ("SRV", "0 5 443 a.example.com"),
            ("CAA", r#"0 issue "ca.example.net""#),
        ] {
            let properties = write(kind, &[value.to_owned()]).unwrap();
            assert_eq!(read(kind, &properties).unwrap(), [value], "{kind}");
        }
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let wrong = [
            ("A", "example"),
            ("AAAA", "192.0.2.1"),
            ("MX", "mail"),
            ("MX", "70000 mail"),
            ("SRV", "1 2 x"),
            ("CAA", "issue"),
            ("TXT", "\"open"),
            ("CNAME", "a b"),
        ];
        for (kind, value) in wrong {
            assert!(write(kind, &[value.to_owned()]).is_err(), "{kind} {value}");
        }
        assert!(write("CNAME", &["a".to_owned(), "b".to_owned()]).is_err());
        assert!(write("A", &[]).is_err() && refuse_kind("SOA").is_err());
    }

    #[test]
    fn a_long_text_is_cut_into_strings() {
        let properties = write("TXT", &["x".repeat(300)]).unwrap();
        assert_eq!(properties["TXTRecords"][0]["value"].as_array().unwrap().len(), 2);
    }
}
