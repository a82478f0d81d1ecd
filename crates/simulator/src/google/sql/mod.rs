//! Cloud SQL's Admin API: instances, their backups, and the operations that change them.
//!
//! One operation at a time works on an instance; a second is refused. An instance that its owner stopped says
//! `RUNNABLE` still, with the activation policy `NEVER`: the state `STOPPED` is the simulator's own and is not shown.

pub mod backup;
pub mod change;
pub mod instance;
pub mod operation;
pub mod settings;

use serde_json::{Map, Value, json};

use super::{
    call::{
        Answer, Call,
        Handler::{self, Read, Write},
        Outcome, fingerprint,
    },
    filter::Filter,
    list,
    refusal::Refusal,
};
use crate::{
    estate::{Estate, Thing},
    face::FaceName,
};

/// The shelf of instances.
pub const INSTANCES: &str = "sql.instances";
/// What links begin with.
pub const BASE: &str = "https://sqladmin.googleapis.com/v1/projects";

/// Who answers an operation of Cloud SQL.
pub fn handler(noun: &str, verb: &str) -> Option<Handler> {
    Some(match (noun, verb) {
        ("instances", "get") => Read(get),
        ("instances", "list") => Read(list_instances),
        ("instances", "insert") => Write(instance::insert),
        ("instances", "delete") => Write(instance::delete),
        ("instances", "clone") => Write(instance::clone),
        ("instances", "patch") => Write(change::patch),
        ("instances", "restart") => Write(change::restart),
        ("instances", "restoreBackup") => Write(backup::restore),
        ("instances", "promoteReplica") => Write(change::promote),
        ("instances", "startReplica" | "stopReplica") => Write(change::replicate),
        ("backupRuns", "get") => Read(backup::get),
        ("backupRuns", "list") => Read(backup::list),
        ("backupRuns", "insert") => Write(backup::insert),
        ("backupRuns", "delete") => Write(backup::delete),
        ("operations", "get") => Read(operation::get),
        ("operations", "list") => Read(operation::list),
        ("tiers", "list") => Read(tiers),
        _ => return None,
    })
}

/// An instance of a project by its name, wherever it is.
pub fn find<'e>(call: &Call<'_>, estate: &'e Estate, name: &str) -> Result<&'e Thing, Refusal> {
    let mut all = estate.all(call.project(), INSTANCES, None, call.now);
    all.find(|thing| *thing.id == *name).ok_or_else(missing)
}

/// The same, to be changed.
pub fn find_mut<'e>(call: &Call<'_>, estate: &'e mut Estate, name: &str) -> Result<&'e mut Thing, Refusal> {
    let place = find(call, estate, name)?.place.clone();
    estate.get_mut(call.project(), INSTANCES, &place, name, call.now).ok_or_else(missing)
}

fn missing() -> Refusal {
    Refusal::new(404, "instanceDoesNotExist", "The Cloud SQL instance does not exist.")
}

/// Cloud SQL's words for a request that cannot be.
pub fn invalid(why: &str) -> Refusal {
    Refusal::new(400, "invalidRequest", format!("Invalid request: {why}"))
}

/// Cloud SQL's words for what the state of an instance does not allow.
pub fn wrong_state() -> Refusal {
    Refusal::new(
        409,
        "invalidState",
        "The instance or operation is not in an appropriate state to handle the request.",
    )
}

/// Refuses while another operation works on an instance.
pub fn must_be_free(call: &Call<'_>, instance: &Thing) -> Result<(), Refusal> {
    if instance.life.is_settled(call.now) && instance.gone_at.is_none() {
        return Ok(());
    }
    let message = "Operation failed because another operation was already in progress. Try your request after the \
                   current operation is complete.";
    Err(Refusal::new(409, "operationInProgress", message))
}

/// An instance as it is shown.
pub fn shown(thing: &Thing, call: &Call<'_>) -> Value {
    let mut body: Map<String, Value> = thing.body.read();
    let state = match thing.state(call.now) {
        "STOPPED" => "RUNNABLE",
        state => state,
    };
    body.insert("state".into(), state.into());
    body.insert("etag".into(), fingerprint(&["sql", thing.body.text()]).into());
    Value::Object(body)
}

/// `instances.get`.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    Ok(Answer::Json(shown(find(call, estate, call.part("instance"))?, call)))
}

/// `instances.list`: a region that does not answer is left out, and told so.
pub fn list_instances(call: &Call<'_>, estate: &Estate) -> Outcome {
    let text = call.asked("filter");
    let filter = if text.is_empty() { None } else { Some(Filter::read(text).map_err(|why| invalid(&why))?) };
    let lost = list::lost_regions(call, "sqladmin");
    let wanted = |thing: &Thing| {
        !lost.contains(&thing.place.to_string())
            && filter.as_ref().is_none_or(|filter| filter.passes(&shown(thing, call)))
    };
    let page = list::page(call, estate, INSTANCES, None, ("maxResults", 1000), wanted)?;
    let items: Vec<Value> = page.things.iter().map(|thing| shown(thing, call)).collect();
    let mut answer = list::answer("sql#instancesList", items, page.next);
    if !lost.is_empty() {
        let warning = |region: &String| json!({ "code": "REGION_UNREACHABLE", "region": region, "message": format!("The region {region} is unreachable.") });
        answer["warnings"] = lost.iter().map(warning).collect();
    }
    Ok(Answer::Json(answer))
}

/// `tiers.list`.
#[expect(clippy::unnecessary_wraps, reason = "a handler as all are")]
fn tiers(call: &Call<'_>, _estate: &Estate) -> Outcome {
    let regions: Vec<&str> =
        call.account.regions.iter().filter(|region| region.enabled).map(|region| &*region.id).collect();
    let sizes = call.world.plan.sizes.iter().filter(|size| size.face == FaceName::Google && size.database);
    let items: Vec<Value> = sizes
        .map(|size| {
            json!({
                "kind": "sql#tier", "tier": &*size.name, "RAM": (size.memory_mib << 20).to_string(),
                "DiskQuota": (65_536_u64 << 30).to_string(), "region": regions,
            })
        })
        .collect();
    Ok(Answer::Json(list::answer("sql#tiersList", items, None)))
}
