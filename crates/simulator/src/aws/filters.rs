//! Filters as EC2 and RDS have them: a name, and values of which one must fit, with `*` and `?`.

use serde_json::Value;

use crate::estate::Thing;

/// A filter of a request.
#[derive(Debug)]
pub struct Filter<'a> {
    pub name: &'a str,
    pub values: Vec<&'a str>,
}

/// Where a filter's value is found in a thing.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    Id,
    State,
    Size,
    Zone,
    Owner,
    /// Members of the body, one below the other; lists are looked through.
    Body(&'static [&'static str]),
    /// Whatever is asked for is there: what is not told apart.
    Always(&'static str),
}

/// The filters of a request.
pub fn read(list: &[Value]) -> Vec<Filter<'_>> {
    list.iter()
        .map(|filter| Filter {
            name: filter.get("Name").and_then(Value::as_str).unwrap_or_default(),
            values: filter
                .get("Values")
                .and_then(Value::as_array)
                .map_or_else(Vec::new, |values| values.iter().filter_map(Value::as_str).collect()),
        })
        .collect()
}

/// The first filter that the table does not have.
pub fn unknown<'a>(filters: &[Filter<'a>], table: &[(&str, Source)]) -> Option<&'a str> {
    let known = |name: &str| {
        name == "tag-key" || name.starts_with("tag:") || table.iter().any(|(known, _)| *known == name)
    };
    filters.iter().map(|filter| filter.name).find(|name| !known(name))
}

/// Whether a thing passes all filters. `state` is its state as the service calls it.
pub fn pass(
    thing: &Thing,
    state: &str,
    owner: &str,
    filters: &[Filter<'_>],
    table: &[(&str, Source)],
) -> bool {
    filters.is_empty() || {
        let body = Value::Object(thing.body.read());
        filters.iter().all(|filter| passes(thing, &body, state, owner, filter, table))
    }
}

fn passes(
    thing: &Thing,
    body: &Value,
    state: &str,
    owner: &str,
    filter: &Filter<'_>,
    table: &[(&str, Source)],
) -> bool {
    let fits = |text: &str| filter.values.iter().any(|pattern| like(pattern, text));
    if let Some(key) = filter.name.strip_prefix("tag:") {
        return thing.tags.get(key).is_some_and(|value| fits(value));
    }
    if filter.name == "tag-key" {
        return thing.tags.keys().any(|key| fits(key));
    }
    let source = table.iter().find(|(name, _)| *name == filter.name).map(|(_, source)| *source);
    match source {
        Some(Source::Id) => fits(&thing.id),
        Some(Source::State) => fits(state),
        Some(Source::Size) => fits(&thing.size),
        Some(Source::Zone) => thing.zone.as_deref().is_some_and(fits),
        Some(Source::Owner) => fits(owner),
        Some(Source::Always(text)) => fits(text),
        Some(Source::Body(path)) => found(body, path, &fits),
        None => false,
    }
}

fn found(value: &Value, path: &[&str], fits: &impl Fn(&str) -> bool) -> bool {
    match (value, path) {
        (Value::Array(items), _) => items.iter().any(|item| found(item, path, fits)),
        (value, [first, rest @ ..]) => value.get(first).is_some_and(|below| found(below, rest, fits)),
        (Value::String(text), []) => fits(text),
        (Value::Null | Value::Object(_), []) => false,
        (other, []) => fits(&other.to_string()),
    }
}

/// Whether a text fits a pattern: `*` stands for any letters, `?` for one.
pub fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*' {
            (p, t) = (p + 1, t + 1);
        } else if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            (p, t) = (at + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn patterns_are_as_in_a_shell() {
        assert!(like("web-*", "web-01") && like("*", "") && like("w?b*1", "web-01") && like("a", "a"));
        assert!(!like("web-*", "db-01") && !like("?", "") && !like("a", "ab") && !like("*b", "abc"));
    }
}
