//! Resource groups, what is in them, and tags at any scope.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    call::{Answer, Call, stamp, tags_of, text},
    compute,
    error::{Outcome, Refused},
    filter::Filter,
    ids::{self, GROUP, Target},
    lro::{Links, Running},
    network, resource,
};
use crate::estate::{Body, Estate, Listing, Thing};

/// Seconds that a group takes to go.
const DELETION: i64 = 60;

/// PUT of a group.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let name = call.group();
    let fits = name.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c));
    if name.is_empty() || name.len() > 90 || name.ends_with('.') || !fits {
        return Err(Refused::bad(
            "InvalidResourceGroup",
            format!("The provided resource group name '{name}' has these invalid characters or length."),
        ));
    }
    let region = call.location(GROUP)?;
    let key = ids::group_key(call.subscription(), name);
    let existing = ids::find(call, estate, GROUP, &key);
    if let Some(thing) = existing.filter(|thing| *thing.place != *region.id) {
        return Err(Refused::conflict(
            "InvalidResourceGroupLocation",
            format!(
                "Invalid resource group location '{}'. The Resource group already exists in location '{}'.",
                region.id, thing.place
            ),
        ));
    }
    if existing.is_some_and(|thing| thing.gone_at.is_some()) {
        return Err(being_deleted(name));
    }
    let shown = existing.map_or(name, |thing| &thing.name).to_owned();
    let made = existing.is_none();
    let document = json!({
        "id": format!("/subscriptions/{}/resourceGroups/{shown}", call.subscription()),
        "name": shown,
        "type": GROUP,
        "location": region.id.as_ref(),
        "tags": call.body.get("tags").filter(|tags| tags.is_object()).cloned().unwrap_or_else(|| json!({})),
        "properties": { "provisioningState": "Succeeded" },
    });
    let answer = document.to_string();
    if made {
        let mut thing = Thing::new(&key, &region.id, call.now, "Succeeded");
        thing.name = shown.as_str().into();
        thing.tags = call.tags();
        thing.body = Body::from(document);
        estate.add(call.cause(), GROUP, thing);
    } else if let Some(thing) = ids::find_mut(call, estate, GROUP, &key) {
        thing.tags = call.tags();
        thing.body = Body::from(document);
    }
    Ok(Answer::text(if made { StatusCode::CREATED } else { StatusCode::OK }, answer))
}

/// PATCH of a group: its tags.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let key = ids::group(call, estate, call.group())?.id.clone();
    let tags = call.body.get("tags").filter(|tags| tags.is_object());
    if let (Some(tags), Some(thing)) = (tags, ids::find_mut(call, estate, GROUP, &key)) {
        thing.tags = tags_of(Some(tags));
        thing.body.edit(|document| {
            document.insert("tags".to_owned(), tags.clone());
        });
    }
    get(call, estate)
}

/// GET of a group.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let thing = ids::group(call, estate, call.group())?;
    Ok(Answer::text(StatusCode::OK, resource::show(call, thing)))
}

/// HEAD of a group: 204 if it is there.
pub fn head(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    ids::group(call, estate, call.group())?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// The groups of the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let filter = Filter::parse(call.asked("$filter"), &["tagname", "tagvalue"])?;
    resource::list_where(call, estate, GROUP, resource::PAGE, |thing| filter.takes(thing, ""), resource::show)
}

/// DELETE of a group, with everything that is in it.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let group = ids::group(call, estate, call.group())?;
    let (key, place, name) = (group.id.clone(), group.place.clone(), group.name.clone());
    let takes = TimeDelta::seconds(DELETION);
    if group.gone_at.is_none() {
        let prefix = format!("{key}/");
        for kind in super::table::KINDS.iter().chain(super::table::INNER) {
            let inside: Vec<Thing> = estate
                .all(&call.account.id, kind, None, call.now)
                .filter(|thing| thing.id.starts_with(&prefix) && thing.gone_at.is_none())
                .cloned()
                .collect();
            for thing in inside {
                leave(call, estate, kind, &thing);
                resource::end(call, estate, kind, &thing.id, takes);
            }
        }
        resource::end(call, estate, GROUP, &key, takes);
    }
    let id = format!("/subscriptions/{}/resourceGroups/{name}", call.subscription());
    Ok(Answer::empty(StatusCode::ACCEPTED).running(Running::new(&id, &place, call.now, takes, Links::Result)))
}

/// What a thing had of other groups is free again.
fn leave(call: &Call<'_>, estate: &mut Estate, kind: &str, thing: &Thing) {
    match kind {
        compute::VM => compute::attach::leave(call, estate, thing, TimeDelta::seconds(DELETION)),
        network::NIC => network::nic::leave(call, estate, &thing.body.get("properties")),
        network::BALANCER => network::balancer::leave(call, estate, &thing.body.get("properties")),
        _ => {}
    }
}

/// That a group is being deleted.
fn being_deleted(name: &str) -> Refused {
    Refused::conflict(
        "ResourceGroupBeingDeleted",
        format!("The resource group '{name}' is in deprovisioning state and cannot perform this operation."),
    )
}

/// Refuses to make anything in a group that is being deleted.
pub fn refuse_deleting(call: &Call<'_>, estate: &Estate) -> Outcome<()> {
    let group = ids::group(call, estate, call.group())?;
    if group.gone_at.is_some() { Err(being_deleted(&group.name)) } else { Ok(()) }
}

/// All resources, of whatever type, of the subscription or a group.
pub fn resources(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let known = ["resourcetype", "location", "name", "tagname", "tagvalue", "resourcegroup"];
    let filter = Filter::parse(call.asked("$filter"), &known)?;
    let prefix = match call.group() {
        "" => String::new(),
        group => format!("{}/", ids::group(call, estate, group)?.id),
    };
    let top = call.asked("$top").parse::<usize>().ok().filter(|top| *top > 0).unwrap_or(1_000).min(1_000);
    let (mut index, mut inner) = match call.asked("$skiptoken").split_once('.') {
        None if call.asked("$skiptoken").is_empty() => (0, None),
        None => return Err(resource::bad_token()),
        Some((index, inner)) => {
            (index.parse::<usize>().map_err(|_| resource::bad_token())?, Some(inner.to_owned()))
        }
    };
    let mut texts = Vec::new();
    let mut next = None;
    while let Some(kind) = super::table::KINDS.get(index) {
        let query = format!("resources|{prefix}|{}|{kind}", call.asked("$filter"));
        let listing = Listing {
            place: None,
            limit: top - texts.len(),
            token: inner.as_deref().filter(|inner| !inner.is_empty()),
            query: &query,
            now: call.now,
            lens: call.effects.lens,
        };
        let wanted = |thing: &Thing| thing.id.starts_with(&prefix) && filter.takes(thing, kind);
        let page = estate.list(&call.account.id, kind, listing, wanted).map_err(|_| resource::bad_token())?;
        texts.extend(page.things.iter().map(|thing| expanded(call, thing)));
        if let Some(token) = page.next {
            next = Some(format!("{index}.{token}"));
            break;
        }
        index += 1;
        inner = None;
        if texts.len() >= top {
            next = (index < super::table::KINDS.len()).then(|| format!("{index}."));
            break;
        }
    }
    Ok(resource::paged(call, texts.into_iter(), next.as_deref()))
}

/// A resource as the listing of all shows it: without its properties.
fn expanded(call: &Call<'_>, thing: &Thing) -> String {
    let mut document = thing.body.read();
    let kept = ["id", "name", "type", "location", "tags", "sku", "kind", "managedBy", "zones"];
    document.retain(|name, _| kept.contains(&name.as_str()) && name != "zones");
    if let Some(sku) = document.get_mut("sku").and_then(Value::as_object_mut) {
        sku.retain(|name, _| ["name", "tier", "size", "family", "capacity"].contains(&name.as_str()));
    }
    let expand = call.asked("$expand").to_lowercase();
    for (word, name, value) in [
        ("createdtime", "createdTime", stamp(thing.born)),
        ("changedtime", "changedTime", stamp(thing.life.since(call.now).max(thing.born))),
        (
            "provisioningstate",
            "provisioningState",
            json!(resource::state_shown(call, thing).unwrap_or("Succeeded")),
        ),
    ] {
        if expand.contains(word) {
            document.insert(name.to_owned(), value);
        }
    }
    Value::Object(document).to_string()
}

/// GET of the tags at a scope.
pub fn tags(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let (kind, key) = scope(call, estate)?;
    let thing = ids::find(call, estate, &kind, &key);
    let tags = thing.map_or_else(|| json!({}), |thing| thing.body.get("tags"));
    let tags = if tags.is_object() { tags } else { json!({}) };
    let id = format!("/{}/providers/Microsoft.Resources/tags/default", call.part("scope").trim_matches('/'));
    Ok(Answer::ok(&json!({
        "id": id, "name": "default", "type": "Microsoft.Resources/tags", "properties": { "tags": tags },
    })))
}

/// PUT and PATCH of the tags at a scope.
pub fn put_tags(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (kind, key) = scope(call, estate)?;
    let wanted = call.property("tags").as_object().cloned().unwrap_or_default();
    let operation = if call.operation.ends_with("createOrUpdateAtScope") {
        "Replace"
    } else {
        text(&call.body, "operation")
    };
    if let Some(thing) = ids::find_mut(call, estate, &kind, &key) {
        let mut tags = thing.body.get("tags").as_object().cloned().unwrap_or_else(Map::new);
        match operation.to_lowercase().as_str() {
            "merge" => tags.extend(wanted),
            "delete" => tags.retain(|name, value| wanted.get(name) != Some(value)),
            _ => tags = wanted,
        }
        let tags = Value::Object(tags);
        thing.tags = tags_of(Some(&tags));
        thing.body.edit(|document| {
            document.insert("tags".to_owned(), tags);
        });
    }
    self::tags(call, estate)
}

/// The thing that a scope is.
fn scope(call: &Call<'_>, estate: &Estate) -> Outcome<(String, String)> {
    let scope = format!("/{}", call.part("scope").trim_matches('/'));
    let parsed = ids::parse(&scope).filter(|parsed| !parsed.group.is_empty());
    let parsed = parsed.ok_or_else(|| {
        Refused::bad("InvalidTagsScope", format!("The scope '{scope}' is not supported for this request."))
    })?;
    let group = ids::group(call, estate, parsed.group)?;
    if parsed.kind.is_empty() {
        return Ok((GROUP.to_owned(), group.id.to_string()));
    }
    let missing = || Refused::no_resource(&parsed.kind, parsed.name, &group.name);
    let kind = super::table::KINDS
        .iter()
        .find(|kind| kind.eq_ignore_ascii_case(&parsed.kind))
        .ok_or_else(missing)?;
    ids::find(call, estate, kind, &scope.to_lowercase()).ok_or_else(missing)?;
    Ok(((*kind).to_owned(), scope.to_lowercase()))
}

/// A resource in a group of the call, made ready for PUT: its target, and what there is of it.
pub fn target(
    call: &Call<'_>,
    estate: &Estate,
    kind: &'static str,
    names: &[&str],
) -> Outcome<(Target, Option<Thing>)> {
    refuse_deleting(call, estate)?;
    let target = Target::of(call, estate, kind, names)?;
    let existing = target.find(call, estate).cloned();
    match existing {
        None => Ok((target, None)),
        Some(thing) => {
            let target = target.with_letters_of(&thing);
            resource::refuse_deleting(call, &thing, &target)?;
            Ok((target, Some(thing)))
        }
    }
}
