//! Changing instances of Cloud SQL: their settings, their power, and what replicas are.

use chrono::TimeDelta;
use serde_json::Value;

use super::{find, find_mut, instance, invalid, must_be_free, operation, settings, wrong_state};
use crate::{
    estate::Estate,
    google::{
        call::{Call, Outcome, number},
        refusal::Refusal,
    },
};

/// `patch`: what is said goes over what is there. A client that names a version of the settings must name the present.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let name = call.part("instance");
    let thing = find(call, estate, name)?;
    must_be_free(call, thing)?;
    let (mut body, state) = (thing.body.read(), thing.state(call.now).to_owned());
    let before = body.get("settings").cloned().unwrap_or_default();
    refuse_fixed(call, &body)?;
    let version = Some(call.said("databaseVersion")).filter(|version| !version.is_empty());
    let present = body.get("databaseVersion").and_then(Value::as_str).unwrap_or_default().to_owned();
    if version.is_some_and(|version| !is_upgrade(&present, version)) {
        return Err(invalid("The database version can only be upgraded, within its engine."));
    }
    let said = call.body.get("settings").cloned().unwrap_or_default();
    if !said["settingsVersion"].is_null() && said["settingsVersion"] != before["settingsVersion"] {
        return Err(Refusal::new(412, "conditionNotMet", "Condition does not match."));
    }
    let mut after = before.clone();
    if said.is_object() {
        settings::merge(&mut after, &said);
    }
    let next = number(&before["settingsVersion"]).unwrap_or(1) + 1;
    after["settingsVersion"] = next.to_string().into();
    settings::check(call, &after, &present)?;
    if number(&after["dataDiskSizeGb"]) < number(&before["dataDiskSizeGb"]) {
        return Err(invalid("Cannot decrease disk size."));
    }
    let stops = after["activationPolicy"] == "NEVER";
    if stops && before["activationPolicy"] != "NEVER" && body.contains_key("masterInstanceName") {
        return Err(invalid("Read replicas cannot be stopped."));
    }
    let restarts = before["tier"] != after["tier"]
        || before["availabilityType"] != after["availabilityType"]
        || version.is_some_and(|version| version != present);
    body.insert("settings".into(), after.clone());
    if let Some(version) = version {
        body.insert("databaseVersion".into(), version.into());
    }
    place(call, &mut body, &after);
    let takes = TimeDelta::seconds(if restarts || stops != (state == "STOPPED") { 60 } else { 10 });
    let thing = find_mut(call, estate, name)?;
    thing.life.turn(call.now, if restarts && !stops { "MAINTENANCE".to_owned() } else { state });
    thing.life.plan(takes, if stops { "STOPPED" } else { "RUNNABLE" });
    settings::apply(call, thing, &body);
    operation::begin(call, estate, ("UPDATE", name), takes, &Value::Null)
}

/// Refuses a change of what an instance is for good.
fn refuse_fixed(call: &Call<'_>, body: &serde_json::Map<String, Value>) -> Result<(), Refusal> {
    for fixed in ["name", "region", "masterInstanceName"] {
        let said = call.said(fixed);
        let is = body.get(fixed).and_then(Value::as_str).unwrap_or_default();
        if !said.is_empty() && said != is {
            return Err(invalid(&format!("The value of {fixed} cannot be changed.")));
        }
    }
    Ok(())
}

/// The standby's zone is there as long as there is a standby.
fn place(call: &Call<'_>, body: &mut serde_json::Map<String, Value>, settings: &Value) {
    let own = body.get("gceZone").and_then(Value::as_str).unwrap_or_default().to_owned();
    let other =
        call.account.region_of_zone(&own).and_then(|region| region.zones.iter().find(|zone| ***zone != *own));
    match other.filter(|_| settings["availabilityType"] == "REGIONAL") {
        Some(zone) => body.insert("secondaryGceZone".into(), (**zone).into()),
        None => body.shift_remove("secondaryGceZone"),
    };
}

/// `POSTGRES_15` to `POSTGRES_16`, or the same.
fn is_upgrade(from: &str, to: &str) -> bool {
    let parts = |version: &str| {
        let (engine, rest) = version.split_once('_')?;
        let numbers: Vec<u32> = rest.split('_').map_while(|part| part.parse().ok()).collect();
        Some((engine.to_owned(), numbers))
    };
    match (parts(from), parts(to)) {
        (Some((a, from)), Some((b, to))) => a == b && from <= to,
        _ => false,
    }
}

/// `restart`, of an instance that runs.
pub fn restart(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let takes = TimeDelta::seconds(30);
    running(call, estate)?;
    let thing = find_mut(call, estate, call.part("instance"))?;
    thing.life.turn(call.now, "MAINTENANCE");
    thing.life.plan(takes, "RUNNABLE");
    operation::begin(call, estate, ("RESTART", call.part("instance")), takes, &Value::Null)
}

/// Refuses unless the instance of the call runs and nothing else is done to it.
pub fn running(call: &Call<'_>, estate: &Estate) -> Result<(), Refusal> {
    let thing = find(call, estate, call.part("instance"))?;
    must_be_free(call, thing)?;
    if thing.state(call.now) == "RUNNABLE" { Ok(()) } else { Err(wrong_state()) }
}

/// Refuses unless the instance of the call is a replica that runs.
fn replica(call: &Call<'_>, estate: &Estate) -> Result<(), Refusal> {
    running(call, estate)?;
    let thing = find(call, estate, call.part("instance"))?;
    if thing.body.get("masterInstanceName").is_null() {
        let message =
            "The requested operation is not valid for the current instance: it is not a read replica.";
        return Err(Refusal::new(400, "invalidOperation", message));
    }
    Ok(())
}

/// `promoteReplica`: the replica is an instance of its own from then on.
pub fn promote(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if call.asked_whether("failover") {
        return Err(Refusal::unimplemented("promoteReplica with failover"));
    }
    replica(call, estate)?;
    let (name, takes) = (call.part("instance"), TimeDelta::seconds(90));
    let kept = find(call, estate, name)?.body.read();
    instance::forget_replica(call, estate, &kept, name);
    let thing = find_mut(call, estate, name)?;
    thing.life.turn(call.now, "MAINTENANCE");
    thing.life.plan(takes, "RUNNABLE");
    thing.body.edit(|body| {
        body.shift_remove("masterInstanceName");
        body.insert("instanceType".into(), "CLOUD_SQL_INSTANCE".into());
        if let Some(settings) = body.get_mut("settings").and_then(Value::as_object_mut) {
            settings.shift_remove("databaseReplicationEnabled");
        }
    });
    operation::begin(call, estate, ("PROMOTE_REPLICA", name), takes, &Value::Null)
}

/// `startReplica` and `stopReplica`.
pub fn replicate(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    replica(call, estate)?;
    let (name, takes) = (call.part("instance"), TimeDelta::seconds(15));
    let starts = call.operation.ends_with("startReplica");
    let thing = find_mut(call, estate, name)?;
    thing.life.turn(call.now, "RUNNABLE");
    thing.life.plan(takes, "RUNNABLE");
    thing.body.edit(|body| {
        if let Some(settings) = body.get_mut("settings") {
            settings["databaseReplicationEnabled"] = starts.into();
        }
    });
    let kind = if starts { "START_REPLICA" } else { "STOP_REPLICA" };
    operation::begin(call, estate, (kind, name), takes, &Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_only_goes_up_within_its_engine() {
        assert!(is_upgrade("POSTGRES_15", "POSTGRES_16") && is_upgrade("POSTGRES_16", "POSTGRES_16"));
        assert!(!is_upgrade("POSTGRES_16", "POSTGRES_15") && !is_upgrade("POSTGRES_16", "MYSQL_8_4"));
        assert!(is_upgrade("MYSQL_8_0", "MYSQL_8_4") && is_upgrade("POSTGRES_9_6", "POSTGRES_17"));
    }
}
