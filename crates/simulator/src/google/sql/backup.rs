//! Backups of Cloud SQL's instances, and going back to one.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{BASE, change, find, find_mut, invalid, must_be_free, operation, wrong_state};
use crate::{
    estate::{Cause, Estate, Meter, Thing},
    google::{
        call::{Answer, Call, Outcome, number, zulu},
        compute::disk::as_f64,
        list as lists,
        refusal::Refusal,
    },
};

const SHELF: &str = "sql.backupRuns";
const TAKES: TimeDelta = TimeDelta::seconds(90);
const RESTORES: TimeDelta = TimeDelta::seconds(300);

/// Where a backup stands on its shelf: the newest first, as they are listed.
fn key(id: u64) -> String {
    format!("{:020}", u64::MAX - id)
}

fn backup<'e>(call: &Call<'_>, estate: &'e Estate, instance: &str, id: &str) -> Result<&'e Thing, Refusal> {
    let found =
        id.parse().ok().and_then(|id| estate.get(call.project(), SHELF, instance, &key(id), call.now));
    found
        .ok_or_else(|| Refusal::new(404, "backupRunDoesNotExist", "The Cloud SQL backup run does not exist."))
}

fn shown(thing: &Thing, call: &Call<'_>) -> Value {
    let mut body = thing.body.read();
    let state = thing.state(call.now);
    body.insert("status".into(), state.into());
    if state != "ENQUEUED" {
        body.insert("startTime".into(), zulu(thing.born).into());
    }
    if state == "SUCCESSFUL" {
        body.insert("endTime".into(), zulu(thing.life.settles_at()).into());
    }
    Value::Object(body)
}

/// `backupRuns.get`.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    find(call, estate, call.part("instance"))?;
    Ok(Answer::Json(shown(backup(call, estate, call.part("instance"), call.part("id"))?, call)))
}

/// `backupRuns.list`: of one instance, or of all (`-`).
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome {
    let instance = call.part("instance");
    if instance != "-" {
        find(call, estate, instance)?;
    }
    let place = Some(instance).filter(|instance| *instance != "-");
    let page = lists::page(call, estate, SHELF, place, ("maxResults", 500), |_| true)?;
    let items = page.things.iter().map(|thing| shown(thing, call)).collect();
    Ok(Answer::Json(lists::answer("sql#backupRunsList", items, page.next)))
}

/// `backupRuns.insert`: now, because someone asks.
pub fn insert(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    change::running(call, estate)?;
    let name = call.part("instance");
    let source = find(call, estate, name)?;
    if !source.body.get("masterInstanceName").is_null() {
        return Err(invalid("Backups cannot be created for read replicas."));
    }
    let kept = source.body.read();
    let (region, version) = (kept["region"].clone(), kept["databaseVersion"].clone());
    let gib = number(&kept["settings"]["dataDiskSizeGb"]).unwrap_or_default();
    // Google's ids of backups are the time in milliseconds.
    let mut id = u64::try_from(call.now.timestamp_millis()).unwrap_or_default();
    while estate.get(call.project(), SHELF, name, &key(id), call.now).is_some() {
        id += 1;
    }
    let mut thing = Thing::new(&key(id), name, call.now, "ENQUEUED");
    thing.life.plan(TimeDelta::seconds(5), "RUNNING");
    thing.life.plan(TAKES - TimeDelta::seconds(5), "SUCCESSFUL");
    thing.name = id.to_string().into();
    let mut body = json!({
        "kind": "sql#backupRun", "id": id.to_string(), "instance": name, "type": "ON_DEMAND", "backupKind": "SNAPSHOT",
        "databaseVersion": version, "location": region, "enqueuedTime": zulu(call.now), "windowStartTime": zulu(call.now),
        "selfLink": format!("{BASE}/{}/instances/{name}/backupRuns/{id}", call.project()),
    });
    if !call.said("description").is_empty() {
        body["description"] = call.said("description").into();
    }
    thing.body = body.into();
    thing.meter(call.now, [Meter::new("database-backup/standard", as_f64(gib) * 0.3)]);
    estate.add(call.cause(), SHELF, thing);
    let source = find_mut(call, estate, name)?;
    source.life.turn(call.now, "RUNNABLE");
    source.life.plan(TAKES, "RUNNABLE");
    let context = json!({ "backupContext": { "kind": "sql#backupContext", "backupId": id.to_string() } });
    operation::begin(call, estate, ("BACKUP_VOLUME", name), TAKES, &context)
}

/// `backupRuns.delete`.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let name = call.part("instance");
    must_be_free(call, find(call, estate, name)?)?;
    let id = backup(call, estate, name, call.part("id"))?.id.clone();
    let takes = TimeDelta::seconds(10);
    estate.end(call.cause(), SHELF, name, &id, call.now + takes);
    operation::begin(call, estate, ("DELETE_BACKUP", name), takes, &Value::Null)
}

/// The backups of an instance end with it.
pub fn end_all(call: &Call<'_>, estate: &mut Estate, instance: &str) {
    let ids: Vec<_> =
        estate.all(call.project(), SHELF, Some(instance), call.now).map(|thing| thing.id.clone()).collect();
    for id in ids {
        let cause = Cause { operation: call.operation, ..call.cause() };
        estate.end(cause, SHELF, instance, &id, call.now);
    }
}

/// `restoreBackup`: an instance becomes what a backup of it, or of another, holds.
pub fn restore(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let name = call.part("instance");
    let context = call.body.get("restoreBackupContext").cloned().unwrap_or_default();
    let id = number(&context["backupRunId"])
        .ok_or_else(|| invalid("Missing parameter: restoreBackupContext.backupRunId."))?;
    let owner = context["instanceId"].as_str().filter(|owner| !owner.is_empty()).unwrap_or(name);
    if context["project"].as_str().is_some_and(|project| project != call.project()) {
        return Err(Refusal::unimplemented("restoreBackup from another project"));
    }
    change::running(call, estate)?;
    let target = find(call, estate, name)?.body.read();
    if target.get("replicaNames").and_then(|names| names.get(0)).is_some() {
        return Err(invalid("The instance has read replicas; they must be deleted before it is restored."));
    }
    let found = backup(call, estate, owner, &id.to_string())?;
    if found.state(call.now) != "SUCCESSFUL" || found.gone_at.is_some() {
        return Err(wrong_state());
    }
    if found.body.get("databaseVersion") != target["databaseVersion"] {
        return Err(invalid("The backup is of another database version."));
    }
    let thing = find_mut(call, estate, name)?;
    thing.life.turn(call.now, "MAINTENANCE");
    thing.life.plan(RESTORES, "RUNNABLE");
    operation::begin(call, estate, ("RESTORE_VOLUME", name), RESTORES, &Value::Null)
}
