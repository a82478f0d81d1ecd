//! Finds the operation of a request by its method and path.

use std::collections::BTreeMap;

use http::Method;
use percent_encoding::percent_decode_str;

use super::{Api, Operation};

/// An operation that was found.
#[derive(Debug)]
pub struct Found<'a> {
    /// Its name.
    pub name: &'a str,
    /// The operation.
    pub operation: &'a Operation,
    /// The variable parts of the path, decoded, by name.
    pub path: BTreeMap<&'a str, String>,
}

/// Why none was found.
#[derive(Debug, PartialEq, Eq)]
pub enum NotFound {
    /// No operation has such a path.
    Path,
    /// There are some, with other methods.
    Method,
    /// The path is no text once it is decoded.
    Encoding,
}

/// How exactly a path must be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letters {
    /// Capitals count: Google.
    Exact,
    /// Capitals do not: Azure.
    Any,
}

impl Api {
    /// The operation of a request. Of several that fit, the one with most fixed segments is meant.
    pub fn find(&self, method: &Method, path: &str, letters: Letters) -> Result<Found<'_>, NotFound> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let mut best: Option<(usize, Found<'_>)> = None;
        let mut path_known = false;
        for (name, operation) in &self.operations {
            let Some((fixed, parts)) = fit(&operation.path, &segments, letters) else { continue };
            path_known = true;
            if operation.method != *method || best.as_ref().is_some_and(|(most, _)| *most >= fixed) {
                continue;
            }
            best = Some((fixed, Found { name, operation, path: decode(parts)? }));
        }
        match best {
            Some((_, found)) => Ok(found),
            None if path_known => Err(NotFound::Method),
            None => Err(NotFound::Path),
        }
    }
}

/// Variable parts by name, still encoded, and how many segments are fixed.
type Fit<'t> = (usize, Vec<(&'t str, String)>);

fn fit<'t>(template: &'t str, segments: &[&str], letters: Letters) -> Option<Fit<'t>> {
    let mut fixed = 0;
    let mut parts = Vec::new();
    let mut rest = segments;
    let mut wanted = template.trim_matches('/').split('/').peekable();
    while let Some(want) = wanted.next() {
        if let Some(name) = want.strip_prefix('{').and_then(|want| want.strip_suffix("+}")) {
            // Takes as much as leaves one segment for each that is still wanted.
            let after = wanted.clone().count();
            let take = rest.len().checked_sub(after).filter(|take| *take > 0)?;
            parts.push((name, rest[..take].join("/")));
            rest = &rest[take..];
            continue;
        }
        let (have, others) = rest.split_first()?;
        rest = others;
        match want.split_once('{') {
            None => {
                let same = match letters {
                    Letters::Exact => want == *have,
                    Letters::Any => want.eq_ignore_ascii_case(have),
                };
                if !same {
                    return None;
                }
                fixed += 1;
            }
            // A variable within a segment: `{name}`, `{name}:search`, `projects:search` has none.
            Some((before, variable)) => {
                let (name, after) = variable.split_once('}')?;
                let inner = have.strip_prefix(before)?.strip_suffix(after)?;
                if inner.is_empty() || (after.is_empty() && before.is_empty() && have.is_empty()) {
                    return None;
                }
                fixed += usize::from(!after.is_empty() || !before.is_empty());
                parts.push((name, inner.to_owned()));
            }
        }
    }
    rest.is_empty().then_some((fixed, parts))
}

fn decode(parts: Vec<(&str, String)>) -> Result<BTreeMap<&str, String>, NotFound> {
    let decoded = parts.into_iter().map(|(name, text)| {
        let text = percent_decode_str(&text).decode_utf8().map_err(|_| NotFound::Encoding)?.into_owned();
        Ok((name, text))
    });
    decoded.collect()
}
