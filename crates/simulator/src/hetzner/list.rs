//! Lists as Hetzner pages them: by number, with the total, sorted and filtered as asked.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Outcome},
    refusal::Refusal,
    selector::Selector,
};
use crate::estate::Thing;

/// Items on a page, unless said, and at most.
const USUAL: usize = 25;
const MOST: usize = 50;

/// Which page is asked for, and how long it may be.
fn wanted(call: &Call<'_>) -> Result<(usize, usize), Refusal> {
    let asked = |name: &str, otherwise: usize| match call.asked(name) {
        "" => otherwise,
        text => text.parse().unwrap_or(0),
    };
    let (page, limit) = (asked("page", 1), asked("per_page", USUAL));
    if page == 0 {
        return Err(Refusal::invalid("page", "must be at least 1"));
    }
    if !(1..=MOST).contains(&limit) {
        return Err(Refusal::invalid("per_page", "must be between 1 and 50"));
    }
    Ok((page, limit))
}

/// What things must be to be listed: their name and labels.
pub fn filter<'e>(call: &Call<'_>, mut things: Vec<&'e Thing>) -> Result<Vec<&'e Thing>, Refusal> {
    if call.query.iter().any(|(name, _)| name == "label_selector") {
        let selector = Selector::parse(call.asked("label_selector"))
            .ok_or_else(|| Refusal::invalid("label_selector", "is no label selector"))?;
        things.retain(|thing| selector.takes(&thing.tags));
    }
    things.retain(|thing| call.allows("name", &thing.name) && call.allows("id", &thing.id));
    Ok(things)
}

/// A page of things, each shown by `show`, in a member called `name`.
pub fn page(call: &Call<'_>, mut things: Vec<&Thing>, name: &str, show: impl Fn(&Thing) -> Value) -> Outcome {
    let orders: Vec<&str> = call.asked_all("sort").collect();
    things.sort_by(|a, b| {
        let asked = orders.iter().map(|order| compare(call, order, a, b));
        asked.chain([by_id(a, b)]).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
    sliced(call, things, name, show)
}

/// A page of items that are in their order.
pub fn sliced<T>(call: &Call<'_>, items: Vec<T>, name: &str, show: impl Fn(T) -> Value) -> Outcome {
    let (page, limit) = wanted(call)?;
    let (total, lens) = (items.len(), call.effects.lens);
    let limit = limit.min(lens.most.unwrap_or(usize::MAX));
    let last = total.div_ceil(limit).max(1);
    // A page whose items are doubled begins with the last one of the page before.
    let again = usize::from(lens.doubles && page > 1);
    let first = (page - 1).saturating_mul(limit).saturating_sub(again);
    let inside = items.into_iter().skip(first).take(limit + again);
    let mut shown: Vec<Value> = inside.map(show).collect();
    if lens.misses && page < last && shown.len() > 1 {
        shown.pop();
    }
    let (previous, next) = ((page > 1).then(|| page - 1), (page < last).then(|| page + 1));
    let meta = json!({ "pagination": { "page": page, "per_page": limit, "previous_page": previous,
        "next_page": next, "last_page": last, "total_entries": total } });
    let links = [("prev", previous), ("next", next), ("last", Some(last))];
    let links = links.into_iter().filter_map(|(word, page)| Some(link(call, page?, limit, word)));
    let links = links.collect::<Vec<_>>().join(", ");
    Ok(Answer::Page(json!({ name: shown, "meta": meta }), links))
}

fn link(call: &Call<'_>, page: usize, limit: usize, word: &str) -> String {
    let path = call.operation.split('.').next().unwrap_or_default();
    format!("<{}/v1/{path}?page={page}&per_page={limit}>; rel=\"{word}\"", call.origin)
}

fn by_id(a: &Thing, b: &Thing) -> Ordering {
    (a.id.len(), &a.id).cmp(&(b.id.len(), &b.id))
}

fn compare(call: &Call<'_>, order: &str, a: &Thing, b: &Thing) -> Ordering {
    let (field, direction) = order.split_once(':').unwrap_or((order, "asc"));
    let text = |thing: &Thing| thing.body.get("command").as_str().unwrap_or_default().to_owned();
    let found = match field {
        "name" => a.name.cmp(&b.name),
        "created" | "started" => a.born.cmp(&b.born),
        "finished" => a.life.settles_at().cmp(&b.life.settles_at()),
        "status" => a.state(call.now).cmp(b.state(call.now)),
        "command" => text(a).cmp(&text(b)),
        _ => by_id(a, b),
    };
    if direction == "desc" { found.reverse() } else { found }
}
