//! Tags of zones and health checks.

use serde_json::{Value, json};

use super::{CHECKS, GLOBAL, ZONES, bare};
use crate::{
    aws::{
        ask::{Ask, tag_list, tags_of},
        protocol::Refusal,
        service::Answered,
    },
    estate::Estate,
};

fn kind(ask: &Ask<'_>) -> (&'static str, &'static str) {
    match ask.need("ResourceType") {
        "healthcheck" => (CHECKS, "NoSuchHealthCheck"),
        _ => (ZONES, "NoSuchHostedZone"),
    }
}

fn missing(code: &'static str, id: &str) -> Refusal {
    Refusal::new(code, format!("No resource found with ID: {id}")).status(404)
}

pub(super) fn change(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let ((kind, code), id) = (kind(ask), bare(ask.need("ResourceId")));
    let thing = estate.get_mut(ask.owner(), kind, GLOBAL, id, ask.now).ok_or_else(|| missing(code, id))?;
    for key in ask.texts("RemoveTagKeys") {
        thing.tags.remove(key);
    }
    thing.tags.extend(tags_of(ask.list("AddTags")));
    Ok(Value::Null.into())
}

fn set_of(ask: &Ask<'_>, estate: &Estate, id: &str) -> Result<Value, Refusal> {
    let ((kind, code), id) = (kind(ask), bare(id));
    let thing = estate.get(ask.owner(), kind, GLOBAL, id, ask.now).ok_or_else(|| missing(code, id))?;
    Ok(json!({ "ResourceType": ask.need("ResourceType"), "ResourceId": id, "Tags": tag_list(&thing.tags) }))
}

pub(super) fn of_one(ask: &Ask<'_>, estate: &Estate) -> Answered {
    Ok(json!({ "ResourceTagSet": set_of(ask, estate, ask.need("ResourceId"))? }).into())
}

pub(super) fn of_several(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let sets = ask.texts("ResourceIds").into_iter().map(|id| set_of(ask, estate, id));
    Ok(json!({ "ResourceTagSets": sets.collect::<Result<Vec<_>, _>>()? }).into())
}
