//! Virtual machines: made, changed and deleted.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{ALLOCATED, SET, VM, attach, interfaces, power, profile, quota, size, sizes, view, zone};
use crate::{
    azure::{
        call::{Answer, Call, inside, merge, stamp, text},
        error::{Outcome, Refused, quoted},
        filter::Filter,
        groups,
        ids::{self, Target},
        lro::Links,
        resource::{self, Draft},
    },
    estate::{Estate, Meter, Thing},
    plan::Size,
};

/// Seconds that it takes to make a machine.
const CREATION: i64 = 40;
/// Seconds that it takes to change one.
const CHANGE: i64 = 10;
/// Seconds that another size takes: a restart.
const RESIZE: i64 = 60;
/// Seconds that it takes to delete one.
const DELETION: i64 = 45;

/// The call's machine.
pub fn target(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    Target::of(call, estate, VM, &[call.part("vmName")])
}

/// What a machine of a size is charged for.
pub fn meter(size: &str) -> Meter {
    Meter::new(&format!("compute/{size}"), 1.0).only_in(ALLOCATED)
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, VM, &[call.part("vmName")])?;
    refuse_taken(call, estate, &target)?;
    match existing {
        None => create(call, estate, &target),
        // What could not be made is made anew.
        Some(thing) if thing.state(call.now) == "Failed" => {
            resource::end(call, estate, VM, &target.key, TimeDelta::zero());
            create(call, estate, &target)
        }
        Some(thing) => {
            refuse_etag(call, &thing)?;
            let mut document = call.body.as_object().cloned().unwrap_or_default();
            document.entry("tags").or_insert_with(|| json!({}));
            update(call, estate, &target, &thing, document)
        }
    }
}

fn create(call: &Call<'_>, estate: &mut Estate, target: &Target) -> Outcome<Answer> {
    let region = call.location(VM)?;
    let zone = zone(call, region, VM, &target.name)?;
    refuse_name(&target.name)?;
    let wanted = text(&call.body, "properties.hardwareProfile.vmSize");
    if wanted.is_empty() {
        return Err(Refused::lacks("hardwareProfile.vmSize"));
    }
    let size = size(call, wanted)?;
    let mut properties = profile::properties(call, estate, target, region, None)?;
    attach::refuse_disks(call, estate, target, &Value::Object(properties.clone()))?;
    quota::refuse_beyond(call, estate, region, size, 1)?;
    let failure = quota::allocation_failure(call, region, zone, &size.name)?;

    interfaces::make(call, estate, target, region, &mut properties)?;
    attach::take(call, estate, target, &region.id, zone, &mut properties, failure.is_none());
    let whole = Value::Object(properties.clone());
    attach::take_interfaces(call, estate, target, &whole);
    complete(call, estate, &mut properties, size);
    let mut document = json!({
        "location": region.id.as_ref(),
        "tags": call.body.get("tags").cloned().unwrap_or_else(|| json!({})),
        "etag": "\"1\"",
        "properties": properties,
    });
    carry(call, &mut document);
    let mut draft = Draft::new(&region.id, document).takes(CREATION);
    draft.zone = zone.map(Into::into);
    draft.size = size.name.to_string();
    draft.settles = if failure.is_none() { "Running" } else { "Failed" };
    draft.meters = if failure.is_none() { vec![meter(&size.name)] } else { Vec::new() };
    let takes = draft.takes;
    let kept = resource::keep(call, estate, target, draft);
    let running = resource::running(call, target, &region.id, takes, Links::Status).failing(failure);
    Ok(kept.answer().running(running))
}

/// Top-level members that are kept as they were sent.
fn carry(call: &Call<'_>, document: &mut Value) {
    for name in ["zones", "identity", "plan", "extendedLocation"] {
        if let Some(value) = call.body.get(name).filter(|value| !value.is_null()) {
            document[name] = value.clone();
        }
    }
}

/// What the provider adds to a machine's properties.
fn complete(call: &Call<'_>, estate: &mut Estate, properties: &mut Map<String, Value>, size: &Size) {
    properties.insert("vmId".to_owned(), json!(call.new_guid(estate, "vm")));
    properties.insert("timeCreated".to_owned(), stamp(call.now));
    properties.insert("hardwareProfile".to_owned(), json!({ "vmSize": size.name.as_ref() }));
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    properties.remove("instanceView");
}

/// PATCH: members that are sent replace those there are.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let thing = target.need(call, estate)?.clone();
    resource::refuse_deleting(call, &thing, &target)?;
    refuse_etag(call, &thing)?;
    let mut document = thing.body.read();
    let tags = call.body.get("tags").filter(|tags| tags.is_object()).cloned();
    let mut change = call.body.as_object().cloned().unwrap_or_default();
    change.remove("tags");
    merge(&mut document, &change);
    if let Some(tags) = tags {
        document.insert("tags".to_owned(), tags);
    }
    update(call, estate, &target, &thing, document)
}

fn update(
    call: &Call<'_>,
    estate: &mut Estate,
    target: &Target,
    thing: &Thing,
    document: Map<String, Value>,
) -> Outcome<Answer> {
    power::refuse_busy(call, thing)?;
    let region = call.region(&thing.place, VM)?;
    let sent = Call { body: Value::Object(document), ..copy(call) };
    if let Some(location) = sent.body.get("location").and_then(Value::as_str) {
        resource::refuse_move(target, Some(thing), &crate::azure::call::normal(location))?;
    }
    let old = thing.body.get("properties");
    let old_zones = thing.body.get("zones");
    if sent.body.get("zones").is_some_and(|zones| *zones != old_zones) {
        return Err(profile::change_not_allowed("zones"));
    }
    let mut properties = profile::properties(&sent, estate, target, region, Some(thing))?;
    let wanted = text(&sent.body, "properties.hardwareProfile.vmSize");
    let wanted = if wanted.is_empty() { thing.size.as_ref() } else { wanted };
    let size = size(call, wanted)?;
    let resized = *size.name != *thing.size;
    if resized {
        refuse_resize(call, estate, thing, size)?;
    }
    attach::refuse_disks(call, estate, target, &Value::Object(properties.clone()))?;
    let allocated = thing.state(call.now) != "Deallocated";
    attach::let_go(call, estate, &old, &Value::Object(properties.clone()));
    attach::take(call, estate, target, &region.id, thing.zone.as_deref(), &mut properties, allocated);
    attach::take_interfaces(call, estate, target, &Value::Object(properties.clone()));
    complete(call, estate, &mut properties, size);
    for name in ["vmId", "timeCreated"] {
        properties.insert(name.to_owned(), inside(&old, name).clone());
    }
    let takes = TimeDelta::seconds(if resized && allocated { RESIZE } else { CHANGE });
    let mut whole = sent.body.as_object().cloned().unwrap_or_default();
    whole.insert("properties".to_owned(), Value::Object(properties));
    write(call, estate, target, whole, size, takes);
    let running = resource::running(call, target, &region.id, takes, Links::Status);
    let shown = resource::show(call, target.need(call, estate)?);
    Ok(Answer::text(StatusCode::OK, shown).running(running))
}

/// Writes a changed machine; its power stays what it is.
fn write(
    call: &Call<'_>,
    estate: &mut Estate,
    target: &Target,
    sent: Map<String, Value>,
    size: &Size,
    takes: TimeDelta,
) {
    let Some(thing) = ids::find_mut(call, estate, VM, &target.key) else { return };
    thing.body.edit(|document| {
        for (name, value) in sent {
            if !["id", "name", "type", "location", "etag"].contains(&name.as_str()) {
                document.insert(name, value);
            }
        }
        let version = document
            .get("etag")
            .and_then(Value::as_str)
            .and_then(|tag| tag.trim_matches('"').parse::<u64>().ok());
        document.insert("etag".to_owned(), json!(format!("\"{}\"", version.unwrap_or(1) + 1)));
    });
    thing.tags = crate::azure::call::tags_of(Some(&thing.body.get("tags")));
    thing.size = size.name.clone();
    resource::charge(call, thing, vec![meter(&size.name)]);
    let (begins, settles) = match thing.state(call.now) {
        "Deallocated" => ("Deallocated updating", "Deallocated"),
        "Stopped" => ("Stopped updating", "Stopped"),
        _ => ("Running updating", "Running"),
    };
    thing.life.turn(call.now, begins);
    thing.life.plan(takes, settles);
}

/// Another size must fit where the machine is while it has a place, and the quota.
fn refuse_resize(call: &Call<'_>, estate: &Estate, thing: &Thing, new: &Size) -> Outcome<()> {
    let old = size(call, &thing.size)?;
    let region = call.region(&thing.place, VM)?;
    let allocated = ALLOCATED.contains(&thing.state(call.now));
    if allocated && old.family != new.family {
        let here =
            quoted(sizes(call).filter(|size| size.family == old.family).map(|size| size.name.as_ref()));
        return Err(Refused::conflict(
            "OperationNotAllowed",
            format!(
                "Unable to resize the VM '{}' because the requested size {} is not available in the current hardware \
                 cluster. The available sizes in this cluster are: {here}. Please try stopping (deallocating) the VM and \
                 resizing it. Find out more on the available VM sizes in each Azure region at \
                 https://aka.ms/azure-regions.",
                thing.name, new.name
            ),
        ));
    }
    if allocated && new.vcpus > old.vcpus {
        let more = Size { vcpus: new.vcpus - old.vcpus, ..new.clone() };
        quota::refuse_beyond(call, estate, region, &more, 1)?;
        if let Some((code, message)) =
            quota::allocation_failure(call, region, thing.zone.as_deref(), &new.name)?
        {
            return Err(Refused::conflict(&code, message));
        }
    }
    Ok(())
}

/// `If-Match` must name the machine as it is, `If-None-Match: *` that there is none.
fn refuse_etag(call: &Call<'_>, thing: &Thing) -> Outcome<()> {
    let etag = thing.body.get("etag");
    let same = call.if_match.is_empty() || call.if_match == "*" || etag == call.if_match;
    if same && call.if_none_match.is_empty() {
        return Ok(());
    }
    Err(Refused::new(
        StatusCode::PRECONDITION_FAILED,
        "ConditionNotMet",
        format!(
            "The condition specified by the ETag is not satisfied. Resource '{}' was modified.",
            thing.name
        ),
    ))
}

/// `If-None-Match: *` is about what is there, whether it is seen yet or not.
pub fn refuse_taken(call: &Call<'_>, estate: &Estate, target: &Target) -> Outcome<()> {
    let mut places = ids::places(call);
    let taken =
        places.any(|place| estate.is_taken(&call.account.id, target.kind, place, &target.key, call.now));
    if call.if_none_match != "*" || !taken {
        return Ok(());
    }
    Err(Refused::new(
        StatusCode::PRECONDITION_FAILED,
        "ConditionNotMet",
        format!(
            "The condition specified by 'If-None-Match' is not satisfied. Resource '{}' exists.",
            target.name
        ),
    ))
}

/// Names of machines.
fn refuse_name(name: &str) -> Outcome<()> {
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let ends = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && !name.ends_with(['-', '.']);
    if fits && ends && name.len() <= 64 {
        return Ok(());
    }
    Err(Refused::bad(
        "InvalidResourceName",
        format!(
            "Resource name {name} is invalid. The name can be up to 64 characters long. It must begin with a word character."
        ),
    ))
}

/// GET, with the instance view if `$expand` asks for it.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let thing = target.need(call, estate)?;
    if !call.asked("$expand").eq_ignore_ascii_case("instanceView") {
        return resource::get(call, estate, &target);
    }
    Ok(Answer::ok(&view::expanded(call, thing)))
}

/// The machines of a group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    // The only filter there is names a scale set that machines belong to; those simulated are of no such set.
    let filter = call.asked("$filter");
    let of_set = !filter.is_empty();
    if of_set && !filter.to_lowercase().contains(&SET.rsplit('/').next().unwrap_or_default().to_lowercase()) {
        Filter::parse(filter, &[])?;
    }
    let status = call.asked("statusOnly").eq_ignore_ascii_case("true");
    let expand = call.asked("$expand").eq_ignore_ascii_case("instanceView");
    if expand && !of_set {
        return Err(Refused::bad(
            "InvalidParameter",
            "The $expand query option can only be used with a valid $filter.",
        ));
    }
    let text = move |call: &Call<'_>, thing: &Thing| {
        if status { view::status(call, thing).to_string() } else { resource::show(call, thing) }
    };
    resource::list_where(call, estate, VM, resource::PAGE, |_| !of_set, text)
}

/// DELETE.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    if let Some(thing) = target.find(call, estate).filter(|thing| thing.gone_at.is_none()).cloned() {
        attach::leave(call, estate, &thing, TimeDelta::seconds(DELETION));
    }
    resource::delete(call, estate, &target, DELETION, |_, _| Ok(()))
}

/// The sizes that a machine can have where it is.
pub fn available_sizes(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let thing = target.need(call, estate)?;
    let old = size(call, &thing.size)?;
    let allocated = ALLOCATED.contains(&thing.state(call.now));
    let fits = sizes(call).filter(|size| !allocated || size.family == old.family);
    let list: Vec<Value> = fits
        .map(|size| {
            json!({
                "name": size.name.as_ref(), "numberOfCores": size.vcpus, "memoryInMB": size.memory_mib,
                "maxDataDiskCount": size.vcpus * 2, "osDiskSizeInMB": 1_047_552, "resourceDiskSizeInMB": 0,
            })
        })
        .collect();
    Ok(Answer::ok(&json!({ "value": list })))
}

/// The same call, to be given another body.
pub fn copy<'a>(call: &Call<'a>) -> Call<'a> {
    Call { parts: call.parts.clone(), query: call.query.clone(), body: Value::Null, ..*call }
}

/// A machine of a world that began was deallocated at a time.
pub fn deallocated(call: &Call<'_>, estate: &mut Estate, key: &str) {
    if let Some(thing) = ids::find_mut(call, estate, VM, key) {
        thing.life.turn(call.now, "Deallocated");
    }
}
