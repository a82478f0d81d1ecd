//! Flexible servers: changed, stopped, started, restarted, and replicas made servers of their own.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{SERVER, accepted, meters, refuse_busy, server, size, sources, tier, wrong};
use crate::{
    azure::{
        call::{Answer, Call, inside, merge, text},
        error::{Outcome, Refused},
        ids::{self, Target},
        resource,
    },
    estate::{Estate, Thing},
};

/// Seconds that another size takes, and anything else.
const RESIZE: i64 = 150;
const CHANGE: i64 = 20;
/// A stopped server starts by itself after a week.
const WEEK: TimeDelta = TimeDelta::days(7);

fn ready(call: &Call<'_>, estate: &Estate) -> Outcome<(Target, Thing)> {
    let target = server::target(call, estate)?;
    let thing = target.need(call, estate)?.clone();
    resource::refuse_deleting(call, &thing, &target)?;
    refuse_busy(call, &thing)?;
    Ok((target, thing))
}

/// PATCH, and PUT of a server that is there.
pub fn patch(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, thing) = ready(call, estate)?;
    if thing.state(call.now) == "Stopped" {
        return Err(Refused::conflict(
            "ServerIsStopped",
            format!(
                "Operation 'UpdateServer' is not allowed on the stopped server '{}'. Start it first.",
                thing.name
            ),
        ));
    }
    let role = text(&call.body, "properties.replica.role");
    let promoted = text(&call.body, "properties.replica.promoteMode");
    if !promoted.is_empty() || role.eq_ignore_ascii_case("None") {
        return promote(call, estate, &target, &thing);
    }
    let asked = text(&call.body, "sku.name");
    let size = size(call, if asked.is_empty() { &thing.size } else { asked })?.name.to_string();
    let mut document = thing.body.read();
    let old = Value::Object(document.clone());
    let sent = call.body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    refuse_changes(&old["properties"], &sent)?;
    if let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) {
        let open = ["storage", "backup", "highAvailability", "maintenanceWindow", "network", "authConfig"];
        let change: Map<String, Value> =
            sent.into_iter().filter(|(name, _)| open.contains(&name.as_str())).collect();
        merge(properties, &change);
    }
    document.insert("sku".to_owned(), json!({ "name": size, "tier": tier(&size) }));
    if let Some(tags) = call.body.get("tags").filter(|tags| tags.is_object()) {
        document.insert("tags".to_owned(), tags.clone());
    }
    let whole = Value::Object(document.clone());
    let gib = inside(&whole, "properties.storage.storageSizeGB").as_u64().unwrap_or_default();
    let standby = text(&whole, "properties.highAvailability.mode") != "Disabled";
    if standby && tier(&size) == "Burstable" {
        return Err(Refused::bad(
            "HANotSupportedForBurstable",
            "High availability is not supported for the Burstable tier.",
        ));
    }
    let resized =
        *size != *thing.size || standby != (text(&old, "properties.highAvailability.mode") != "Disabled");
    let takes = TimeDelta::seconds(if resized { RESIZE } else { CHANGE });
    resource::change(call, estate, &target, ("Updating", "Ready", takes), |kept| *kept = document);
    if let Some(thing) = ids::find_mut(call, estate, SERVER, &target.key) {
        thing.size = size.as_str().into();
        resource::charge(call, thing, meters(&size, gib, standby));
    }
    Ok(accepted(call, &target, &thing.place, takes, "UpdateServerManagementOperation"))
}

/// Storage only grows; login and version stay.
fn refuse_changes(old: &Value, sent: &Map<String, Value>) -> Outcome<()> {
    let sent = Value::Object(sent.clone());
    if let Some(gib) = inside(&sent, "storage.storageSizeGB").as_u64() {
        server::refuse_storage(gib)?;
        if gib < inside(old, "storage.storageSizeGB").as_u64().unwrap_or_default() {
            return Err(Refused::bad(
                "StorageSizeReductionNotSupported",
                "The storage size of a server cannot be reduced.",
            ));
        }
    }
    if let Some(days) =
        inside(&sent, "backup.backupRetentionDays").as_u64().filter(|days| !(7..=35).contains(days))
    {
        return Err(wrong("backupRetentionDays", &days.to_string()));
    }
    for name in ["administratorLogin", "version"] {
        let (asked, kept) = (text(&sent, name), text(old, name));
        if !asked.is_empty() && asked != kept {
            return Err(wrong(name, asked));
        }
    }
    Ok(())
}

/// A replica becomes a server of its own, or changes places with its primary.
fn promote(call: &Call<'_>, estate: &mut Estate, target: &Target, thing: &Thing) -> Outcome<Answer> {
    let properties = thing.body.get("properties");
    if !text(&properties, "replicationRole").ends_with("AsyncReplica") {
        return Err(Refused::bad(
            "ServerIsNotReplica",
            format!("The server '{}' is not a read replica and cannot be promoted.", thing.name),
        ));
    }
    let takes = TimeDelta::seconds(RESIZE);
    let source = text(&properties, "sourceServerResourceId").to_owned();
    let switches = text(&call.body, "properties.replica.promoteMode").eq_ignore_ascii_case("switchover");
    resource::change(call, estate, target, ("Updating", "Ready", takes), |document| {
        let properties = &mut document["properties"];
        properties["replicationRole"] = json!("Primary");
        properties["replica"] = json!({ "role": "Primary", "capacity": 5 });
        if let Some(members) = properties.as_object_mut() {
            members.remove("sourceServerResourceId");
        }
    });
    if switches {
        let replicas: Vec<String> = match ids::referred(call, estate, SERVER, &source) {
            Some(primary) => {
                sources::replicas(call, estate, primary).map(|thing| thing.id.to_string()).collect()
            }
            None => Vec::new(),
        };
        for key in replicas.into_iter().chain([source.to_lowercase()]) {
            follow(call, estate, &key, target, &thing.place);
        }
    }
    Ok(accepted(call, target, &thing.place, takes, "PromoteReplicaManagementOperation"))
}

/// A server becomes the replica of another.
fn follow(call: &Call<'_>, estate: &mut Estate, key: &str, primary: &Target, place: &str) {
    if let Some(thing) = ids::find_mut(call, estate, SERVER, key) {
        let role = if *thing.place == *place { "AsyncReplica" } else { "GeoAsyncReplica" };
        thing.body.edit(|document| {
            let properties = &mut document["properties"];
            properties["replicationRole"] = json!(role);
            properties["sourceServerResourceId"] = json!(primary.id);
            properties["replica"] = json!({ "role": role, "replicationState": "Active", "capacity": 0 });
        });
    }
}

fn switch(call: &Call<'_>, estate: &mut Estate, target: &Target, states: &[(TimeDelta, &'static str)]) {
    if let Some(thing) = ids::find_mut(call, estate, SERVER, &target.key) {
        for (index, (wait, state)) in states.iter().enumerate() {
            if index == 0 {
                thing.life.turn(call.now, *state);
            } else {
                thing.life.plan(*wait, *state);
            }
        }
    }
}

/// POST `stop`.
pub fn stop(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, thing) = ready(call, estate)?;
    let takes = TimeDelta::seconds(60);
    let standby = thing.body.get("properties");
    if !["", "Disabled"].contains(&text(&standby, "highAvailability.mode")) {
        return Err(Refused::bad(
            "OperationNotSupportedForHA",
            "A server with high availability cannot be stopped.",
        ));
    }
    if thing.state(call.now) != "Stopped" {
        let zero = TimeDelta::zero();
        let after = TimeDelta::seconds(90);
        switch(
            call,
            estate,
            &target,
            &[(zero, "Stopping"), (takes, "Stopped"), (WEEK, "Starting"), (after, "Ready")],
        );
    }
    Ok(accepted(call, &target, &thing.place, takes, "StopServerManagementOperation"))
}

/// POST `start`.
pub fn start(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, thing) = ready(call, estate)?;
    let takes = TimeDelta::seconds(90);
    if thing.state(call.now) != "Stopped" {
        return Err(Refused::conflict(
            "ServerIsNotStopped",
            format!(
                "The server '{}' is in state '{}'; only a stopped server can be started.",
                thing.name,
                thing.state(call.now)
            ),
        ));
    }
    switch(call, estate, &target, &[(TimeDelta::zero(), "Starting"), (takes, "Ready")]);
    Ok(accepted(call, &target, &thing.place, takes, "StartServerManagementOperation"))
}

/// POST `restart`, with a failover to the standby if that is asked for.
pub fn restart(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, thing) = ready(call, estate)?;
    let takes = TimeDelta::seconds(45);
    if thing.state(call.now) != "Ready" {
        return Err(Refused::conflict(
            "ServerIsStopped",
            format!(
                "Operation 'RestartServer' is not allowed on the stopped server '{}'. Start it first.",
                thing.name
            ),
        ));
    }
    let failover = call.body.get("restartWithFailover").and_then(Value::as_bool).unwrap_or(false);
    let properties = thing.body.get("properties");
    let zones = [
        text(&properties, "availabilityZone"),
        text(&properties, "highAvailability.standbyAvailabilityZone"),
    ];
    if failover && text(&properties, "highAvailability.mode") == "Disabled" {
        return Err(Refused::bad("FailoverNotSupported", "Failover needs a server with high availability."));
    }
    switch(call, estate, &target, &[(TimeDelta::zero(), "Restarting"), (takes, "Ready")]);
    if let Some(thing) = ids::find_mut(call, estate, SERVER, &target.key).filter(|_| failover) {
        thing.body.edit(|document| {
            document["properties"]["availabilityZone"] = json!(zones[1]);
            document["properties"]["highAvailability"]["standbyAvailabilityZone"] = json!(zones[0]);
        });
    }
    Ok(accepted(call, &target, &thing.place, takes, "RestartServerManagementOperation"))
}
