//! `$filter` as the resource manager takes it: comparisons joined by `and`, `or` not among them.

use super::error::{Outcome, Refused};
use crate::estate::Thing;

/// Comparisons that must all hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filter(Vec<(String, bool, String)>);

impl Filter {
    /// Reads a filter; empty text takes everything.
    pub fn parse(text: &str, known: &[&str]) -> Outcome<Self> {
        let mut found = Vec::new();
        let wrong = || {
            Refused::bad(
                "InvalidFilterInQueryString",
                format!("Invalid $filter '{text}' specified in the query string."),
            )
        };
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (name, after) = rest.split_once(char::is_whitespace).ok_or_else(wrong)?;
            let (verb, after) = after.trim_start().split_once(char::is_whitespace).ok_or_else(wrong)?;
            let (value, after) =
                after.trim_start().strip_prefix('\'').and_then(|it| it.split_once('\'')).ok_or_else(wrong)?;
            let name = name.to_lowercase();
            let equal = match verb.to_lowercase().as_str() {
                "eq" => true,
                "ne" => false,
                _ => return Err(wrong()),
            };
            if !known.contains(&name.as_str()) {
                return Err(wrong());
            }
            found.push((name, equal, value.to_owned()));
            rest = after.trim_start();
            if rest.is_empty() {
                break;
            }
            rest = rest
                .strip_prefix("and ")
                .or_else(|| rest.strip_prefix("AND "))
                .ok_or_else(wrong)?
                .trim_start();
        }
        Ok(Self(found))
    }

    /// The value that a name must have, if the filter says one.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, equal, _)| known == name && *equal).map(|(_, _, value)| value.as_str())
    }

    /// Whether it takes a thing of a type.
    pub fn takes(&self, thing: &Thing, kind: &str) -> bool {
        let tag = self.value("tagname");
        self.0.iter().all(|(name, equal, value)| {
            let holds = match name.as_str() {
                "resourcetype" => kind.eq_ignore_ascii_case(value),
                "location" => thing.place.eq_ignore_ascii_case(value),
                "name" => thing.name.eq_ignore_ascii_case(value),
                "resourcegroup" => thing.id.contains(&format!("/resourcegroups/{}/", value.to_lowercase())),
                "tagname" => thing.tags.keys().any(|key| key.eq_ignore_ascii_case(value)),
                "tagvalue" => thing.tags.iter().any(|(key, found)| {
                    tag.is_none_or(|tag| key.eq_ignore_ascii_case(tag)) && found.as_ref() == value.as_str()
                }),
                _ => false,
            };
            holds == *equal
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_read_or_refused() {
        let known = ["tagname", "tagvalue", "location"];
        let filter = Filter::parse("tagName eq 'venue' and tagValue eq 'the orangery'", &known).unwrap();
        assert_eq!(filter.value("tagvalue"), Some("the orangery"));
        assert_eq!(Filter::parse("", &known), Ok(Filter::default()));
        for wrong in [
            "location",
            "location eq",
            "location eq x",
            "size eq 'x'",
            "location lt 'x'",
            "location eq 'x' or tagname eq 'y'",
        ] {
            assert_eq!(
                Filter::parse(wrong, &known).unwrap_err().code,
                "InvalidFilterInQueryString",
                "{wrong}"
            );
        }
    }

    #[test]
    fn it_takes_what_it_says() {
        let mut thing =
            Thing::new("/subscriptions/s/resourcegroups/g/x", "westeurope", chrono::DateTime::UNIX_EPOCH, "");
        thing.tags.insert("venue".into(), "orangery".into());
        let takes = |text: &str| {
            let known = ["tagname", "tagvalue", "location", "resourcetype"];
            Filter::parse(text, &known).unwrap().takes(&thing, "A.B/c")
        };
        assert!(takes("tagName eq 'venue' and tagValue eq 'orangery'"));
        assert!(takes("location ne 'northeurope' and resourceType eq 'a.b/C'"));
        assert!(!takes("tagName eq 'season'"));
    }
}
