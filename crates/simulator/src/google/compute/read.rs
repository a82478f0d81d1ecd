//! What all collections of Compute answer alike: `get`, `list`, `aggregatedList`.

use serde_json::{Value, json};

use super::{
    collection::{Collection, Scope},
    link::{self, BASE, Link},
};
use crate::{
    estate::{Estate, Listing, Page, Thing},
    google::{
        call::{Answer, Call, Outcome},
        filter::Filter,
        list,
        refusal::Refusal,
    },
};

/// Things on a page, if the client does not say, and at most.
const PAGE: u64 = 500;

/// Where a call is: the zone or region of its path, which must be one of the project's, or `global`.
pub fn place<'c>(call: &'c Call<'_>) -> Result<&'c str, Refusal> {
    let (zone, region) = (call.part("zone"), call.part("region"));
    let known = |region: Option<&crate::plan::Region>| region.is_some_and(|region| region.enabled);
    if !zone.is_empty() {
        let is = known(call.account.region_of_zone(zone));
        return if is { Ok(zone) } else { Err(Refusal::invalid("zone", zone, "Unknown zone.")) };
    }
    if !region.is_empty() {
        let is = known(call.account.region(region));
        return if is { Ok(region) } else { Err(Refusal::invalid("region", region, "Unknown region.")) };
    }
    Ok("global")
}

/// The collection of a call.
pub fn collection(call: &Call<'_>) -> Result<&'static Collection, Refusal> {
    Collection::of_operation(call.operation).ok_or_else(|| Refusal::unimplemented(call.operation))
}

/// The name in the path, which some methods call a resource whatever it is.
pub fn name<'c>(call: &'c Call<'_>, collection: &Collection) -> &'c str {
    let own = call.part(collection.word);
    if own.is_empty() { call.part("resource") } else { own }
}

/// The thing that the path names.
pub fn named<'e>(call: &Call<'_>, estate: &'e Estate) -> Result<(&'static Collection, &'e Thing), Refusal> {
    let (collection, place) = (collection(call)?, place(call)?);
    let name = name(call, collection);
    let found = estate.get(call.project(), &collection.shelf(), place, name, call.now);
    let gone = || Refusal::not_found(&Link::new(call.project(), place, collection.name, name).path());
    Ok((collection, found.ok_or_else(gone)?))
}

/// `get`.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    let (collection, thing) = named(call, estate)?;
    Ok(Answer::Text(collection.text(thing, call.now)))
}

/// `list`: one place's things.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome {
    let (collection, place) = (collection(call)?, place(call)?);
    let page = page(call, estate, collection, Some(place))?;
    let items: Vec<String> = page.things.iter().map(|thing| collection.text(thing, call.now)).collect();
    let path = format!("projects/{}/{}/{}", call.project(), link::scope(place), collection.name);
    Ok(listing(collection.word, &path, &items, page.next.as_deref()))
}

/// A list as it is answered.
pub fn listing(word: &str, path: &str, items: &[String], next: Option<&str>) -> Answer {
    let mut text = format!(r#"{{"kind":"compute#{word}List","id":"{path}","selfLink":"{BASE}{path}""#);
    if !items.is_empty() {
        text.push_str(",\"items\":[");
        text.push_str(&items.join(","));
        text.push(']');
    }
    if let Some(next) = next {
        text.extend([",\"nextPageToken\":\"", next, "\""]);
    }
    text.push('}');
    Answer::Text(text)
}

/// `aggregatedList`: all places' things, by place. A place that does not answer is named, and the rest stands.
pub fn aggregated(call: &Call<'_>, estate: &Estate) -> Outcome {
    let collection = collection(call)?;
    let lost = list::lost_regions(call, "compute");
    let is_lost = |place: &str| lost.iter().any(|region| region == link::region_of(place));
    let page = page(call, estate, collection, None)?;
    let mut items: Vec<(String, Vec<String>)> = Vec::new();
    for thing in page.things.into_iter().filter(|thing| !is_lost(&thing.place)) {
        let scope = link::scope(&thing.place);
        let text = collection.text(thing, call.now);
        match items.last_mut().filter(|(last, _)| *last == scope) {
            Some((_, things)) => things.push(text),
            None => items.push((scope, vec![text])),
        }
    }
    let scopes = scopes(call, collection);
    Ok(aggregate(collection, call, &scopes, &items, &lost, page.next.as_deref()))
}

fn aggregate(
    collection: &Collection,
    call: &Call<'_>,
    scopes: &[String],
    items: &[(String, Vec<String>)],
    lost: &[String],
    next: Option<&str>,
) -> Answer {
    let path = format!("projects/{}/aggregated/{}", call.project(), collection.name);
    let mut members: Vec<String> = Vec::new();
    let mut unreachable = Vec::new();
    for scope in scopes {
        let things = items.iter().find(|(place, _)| place == scope).map(|(_, things)| things);
        let is_lost = lost.iter().any(|region| region == link::region_of(link::last(scope)));
        if is_lost {
            unreachable.push(scope.clone());
        }
        let member = match things {
            Some(things) => format!(r#""{scope}":{{"{}":[{}]}}"#, collection.name, things.join(",")),
            None => format!(r#""{scope}":{}"#, json!({ "warning": warning(scope, is_lost) })),
        };
        members.push(member);
    }
    let mut text = format!(
        r#"{{"kind":"compute#{}AggregatedList","id":"{path}","selfLink":"{BASE}{path}","items":{{{}}}"#,
        collection.word,
        members.join(","),
    );
    if !unreachable.is_empty() {
        text.extend([",\"unreachables\":", &json!(unreachable).to_string()]);
    }
    if let Some(next) = next {
        text.extend([",\"nextPageToken\":\"", next, "\""]);
    }
    text.push('}');
    Answer::Text(text)
}

/// Why a place has nothing in an aggregated list.
pub fn warning(scope: &str, lost: bool) -> Value {
    let (code, message) = if lost {
        ("UNREACHABLE", format!("The scope '{scope}' is unreachable."))
    } else {
        ("NO_RESULTS_ON_PAGE", format!("There are no results for scope '{scope}' on this page."))
    };
    json!({ "code": code, "message": message, "data": [{ "key": "scope", "value": scope }] })
}

/// The places of a collection, as an aggregated list names them.
fn scopes(call: &Call<'_>, collection: &Collection) -> Vec<String> {
    let regions = || call.account.regions.iter().filter(|region| region.enabled);
    match collection.scope {
        Scope::Zone => {
            regions().flat_map(|region| &region.zones).map(|zone| format!("zones/{zone}")).collect()
        }
        Scope::Region => regions().map(|region| format!("regions/{}", region.id)).collect(),
        Scope::RegionOrGlobal => {
            let regions = regions().map(|region| format!("regions/{}", region.id));
            std::iter::once("global".to_owned()).chain(regions).collect()
        }
        Scope::Global if collection.name == "operations" => {
            let all = regions().flat_map(|region| {
                let zones = region.zones.iter().map(|zone| format!("zones/{zone}"));
                std::iter::once(format!("regions/{}", region.id)).chain(zones)
            });
            std::iter::once("global".to_owned()).chain(all).collect()
        }
        Scope::Global => vec!["global".to_owned()],
    }
}

/// A page of a collection, as the query asks for it.
pub fn page<'e>(
    call: &Call<'_>,
    estate: &'e Estate,
    collection: &Collection,
    place: Option<&str>,
) -> Result<Page<'e>, Refusal> {
    let filter = filter(call)?;
    let query = format!("{}\u{1f}{}", call.operation, call.asked("filter"));
    let listing = Listing {
        place,
        limit: limit(call)?,
        token: Some(call.asked("pageToken")).filter(|token| !token.is_empty()),
        query: &query,
        now: call.now,
        lens: call.effects.lens,
    };
    let wanted = |thing: &Thing| {
        filter.as_ref().is_none_or(|filter| filter.passes(&collection.value(thing, call.now)))
    };
    let page = estate.list(call.project(), &collection.shelf(), listing, wanted);
    page.map_err(|_| Refusal::invalid("pageToken", call.asked("pageToken"), "The page token is not valid."))
}

/// How many things are wanted on a page.
pub fn limit(call: &Call<'_>) -> Result<usize, Refusal> {
    let asked = call.asked_number("maxResults").unwrap_or(PAGE);
    if asked > PAGE {
        let why = "Must be less than or equal to 500";
        return Err(Refusal::invalid("maxResults", &asked.to_string(), why));
    }
    Ok(usize::try_from(asked).unwrap_or(500))
}

/// The filter of the query, if there is one; an order other than by name is not simulated.
pub fn filter(call: &Call<'_>) -> Result<Option<Filter>, Refusal> {
    if !matches!(call.asked("orderBy"), "" | "name") {
        return Err(Refusal::unimplemented("orderBy other than name"));
    }
    let text = call.asked("filter");
    if text.is_empty() {
        return Ok(None);
    }
    Filter::read(text).map(Some).map_err(|why| Refusal::invalid("filter", text, &why))
}
