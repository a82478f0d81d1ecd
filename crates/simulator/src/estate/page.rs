//! Listing a shelf page by page, as vendors do: in a fixed order, with an opaque token that belongs to its query.

use std::{ops::Bound, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};

use super::{Shelf, Thing};
use crate::{faults::Lens, seed};

/// What to list.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// Only this place; every one if there is none.
    pub place: Option<&'a str>,
    /// Things on a page, at most.
    pub limit: usize,
    /// The token that came with the page before.
    pub token: Option<&'a str>,
    /// What else the query says (operation, filters, parent); a token of another query is refused.
    pub query: &'a str,
    /// The time.
    pub now: DateTime<Utc>,
    /// What the listing gets wrong.
    pub lens: Lens,
}

/// A page.
#[derive(Debug)]
pub struct Page<'a> {
    /// What is on it.
    pub things: Vec<&'a Thing>,
    /// The token of the next one, if there is one.
    pub next: Option<String>,
}

/// A token that was not given out for this query.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the page token is not valid for this request")]
pub struct BadToken;

/// Lists those things of a shelf that are seen and that `wanted` takes.
pub(super) fn page<'a>(
    shelf: Option<&'a Shelf>,
    listing: Listing<'_>,
    wanted: impl Fn(&Thing) -> bool,
) -> Result<Page<'a>, BadToken> {
    let from = listing.token.map(|token| open(token, listing)).transpose()?;
    let Some(shelf) = shelf else { return Ok(Page { things: vec![], next: None }) };
    let limit = listing.limit.min(listing.lens.most.unwrap_or(usize::MAX)).max(1);
    let first: Bound<(Arc<str>, Arc<str>)> = match (from, listing.place) {
        // A page whose items are doubled begins again with the last one of the page before; one of a single item would
        // not get on.
        (Some(key), _) if listing.lens.doubles && limit > 1 => Bound::Included(key),
        (Some(key), _) => Bound::Excluded(key),
        (None, Some(place)) => Bound::Included((place.into(), "".into())),
        (None, None) => Bound::Unbounded,
    };
    let inside = shelf
        .range((first, Bound::Unbounded))
        .take_while(|((place, _), _)| listing.place.is_none_or(|wanted| wanted == place.as_ref()));
    let mut seen = inside.filter(|(_, thing)| thing.is_seen(listing.now) && wanted(thing));
    let mut things = Vec::with_capacity(limit.min(1_000));
    let mut last = None;
    while things.len() < limit {
        let Some((key, thing)) = seen.next() else {
            return Ok(Page { things, next: None });
        };
        last = Some(key);
        things.push(thing);
    }
    let more = seen.next().is_some();
    if listing.lens.misses && more && things.len() > 1 {
        // The last item but one slips out between two pages: the token goes past it.
        things.remove(things.len() - 2);
    }
    let next = last.filter(|_| more).map(|(place, id)| seal(place, id, listing));
    Ok(Page { things, next })
}

fn seal(place: &str, id: &str, listing: Listing<'_>) -> String {
    URL_SAFE_NO_PAD.encode(format!("{:016x}\u{1f}{place}\u{1f}{id}", check(place, id, listing)))
}

fn open(token: &str, listing: Listing<'_>) -> Result<(Arc<str>, Arc<str>), BadToken> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or(BadToken)?;
    let mut parts = text.splitn(3, '\u{1f}');
    let (Some(sum), Some(place), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(BadToken);
    };
    if u64::from_str_radix(sum, 16).ok() != Some(check(place, id, listing)) {
        return Err(BadToken);
    }
    Ok((place.into(), id.into()))
}

/// Ties a token to its query. No secret: a client that makes its own tokens only fools itself.
fn check(place: &str, id: &str, listing: Listing<'_>) -> u64 {
    seed::Seed(0).number(&[place, id, listing.place.unwrap_or("*"), listing.query])
}
