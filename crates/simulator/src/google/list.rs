//! What lists of all services have in common, but Compute's, which has words of its own.

use serde_json::{Value, json};

use super::{call::Call, refusal::Refusal};
use crate::{
    estate::{Estate, Listing, Page, Thing},
    face::FaceName,
    faults::Kind,
};

/// A page of a shelf: `limit` is the parameter that says how many are wanted, and how many there are at most.
pub fn page<'e>(
    call: &Call<'_>,
    estate: &'e Estate,
    shelf: &str,
    place: Option<&str>,
    (parameter, most): (&str, u64),
    wanted: impl Fn(&Thing) -> bool,
) -> Result<Page<'e>, Refusal> {
    let query: Vec<String> = call
        .query
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "pageToken" | "maxResults" | "pageSize"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let query = format!("{}\u{1f}{}", call.operation, query.join("\u{1f}"));
    let listing = Listing {
        place,
        limit: usize::try_from(call.asked_number(parameter).unwrap_or(most).min(most)).unwrap_or(1),
        token: Some(call.asked("pageToken")).filter(|token| !token.is_empty()),
        query: &query,
        now: call.now,
        lens: call.effects.lens,
    };
    estate.list(call.project(), shelf, listing, wanted).map_err(|_| bad_token())
}

/// A token that no page came with.
pub fn bad_token() -> Refusal {
    Refusal::new(400, "invalid", "Invalid value for pageToken: the token is not valid for this request.")
}

/// A list as older services answer it.
pub fn answer(kind: &str, items: Vec<Value>, next: Option<String>) -> Value {
    let mut answer = json!({ "kind": kind });
    if !items.is_empty() {
        answer["items"] = items.into();
    }
    if let Some(next) = next {
        answer["nextPageToken"] = next.into();
    }
    answer
}

/// Regions that are lost now: a call that names no region is answered without them.
pub fn lost_regions(call: &Call<'_>, service: &str) -> Vec<String> {
    let active = call.world.faults.list();
    let concerns = active.into_iter().map(|active| active.fault).filter(|fault| {
        fault.kind == Kind::RegionLost
            && fault.face.is_none_or(|face| face == FaceName::Google)
            && fault.account.as_deref().is_none_or(|account| account == call.project())
            && fault.service.as_deref().is_none_or(|wanted| wanted == service)
            && fault.until.is_none_or(|until| call.now < until)
    });
    concerns.filter_map(|fault| fault.region).collect()
}
