//! Servers made from others: restored to a time, or as replicas.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{SERVER, earliest_restore, tier, wrong};
use crate::{
    azure::{
        call::{Call, inside, stamp, text},
        error::{Outcome, Refused},
        ids,
    },
    estate::{Estate, Thing},
};

/// Replicas that a server may have.
const REPLICAS: usize = 5;

/// The server that another is made from.
pub fn source<'e>(call: &Call<'_>, estate: &'e Estate) -> Outcome<&'e Thing> {
    let id = text(&call.body, "properties.sourceServerResourceId");
    if id.is_empty() {
        return Err(wrong("sourceServerResourceId", id));
    }
    let found = ids::referred(call, estate, SERVER, id).filter(|thing| thing.gone_at.is_none());
    found.ok_or_else(|| {
        Refused::missing(
            "ResourceNotFound",
            format!(
                "The requested resource of type '{SERVER}' with name '{}' was not found.",
                id.rsplit('/').next().unwrap_or_default()
            ),
        )
    })
}

/// The properties of a server restored to a time.
pub fn restored(call: &Call<'_>, source: &Thing) -> Outcome<Value> {
    let asked = text(&call.body, "properties.pointInTimeUTC");
    let at: DateTime<Utc> = asked.parse().map_err(|_| wrong("pointInTimeUTC", asked))?;
    let earliest = earliest_restore(call, source);
    if at < earliest || at > call.now {
        return Err(Refused::bad(
            "InvalidParameterValue",
            format!(
                "The restore time '{asked}' is not valid. It must be from {} to {}.",
                stamp(earliest).as_str().unwrap_or_default(),
                stamp(call.now).as_str().unwrap_or_default()
            ),
        )
        .about("pointInTimeUTC"));
    }
    let mut properties = inherited(source);
    properties["pointInTimeUTC"] = stamp(at);
    properties["replicationRole"] = json!("Primary");
    properties["replica"] = json!({ "role": "Primary", "capacity": REPLICAS });
    Ok(properties)
}

/// The properties of a replica.
pub fn replica(call: &Call<'_>, estate: &Estate, source: &Thing, place: &str) -> Outcome<Value> {
    if source.state(call.now) != "Ready" {
        return Err(Refused::conflict(
            "ServerIsNotReady",
            format!(
                "The source server '{}' must be in state 'Ready'. Its state is '{}'.",
                source.name,
                source.state(call.now)
            ),
        ));
    }
    if tier(&source.size) == "Burstable" {
        return Err(Refused::bad(
            "ReadReplicaNotSupported",
            "Read replica is not supported for the Burstable tier. Scale the source server to GeneralPurpose or MemoryOptimized.",
        ));
    }
    let role = source.body.get("properties");
    if text(&role, "replicationRole").ends_with("AsyncReplica") {
        return Err(Refused::bad(
            "CascadeReplicaNotSupported",
            "A read replica cannot be the source of another read replica.",
        ));
    }
    if replicas(call, estate, source).count() >= REPLICAS {
        return Err(Refused::conflict(
            "ReplicaLimitReached",
            format!("The source server '{}' has {REPLICAS} replicas already.", source.name),
        ));
    }
    let role = if *source.place == *place { "AsyncReplica" } else { "GeoAsyncReplica" };
    let mut properties = inherited(source);
    properties["sourceServerResourceId"] = source.body.get("id");
    properties["replicationRole"] = json!(role);
    properties["replica"] = json!({ "role": role, "replicationState": "Active", "capacity": 0 });
    properties["highAvailability"] = json!({ "mode": "Disabled", "state": "NotEnabled" });
    Ok(properties)
}

/// What a server has from the one it was made from.
fn inherited(source: &Thing) -> Value {
    let old = source.body.get("properties");
    let mut properties = json!({});
    for name in [
        "administratorLogin",
        "version",
        "minorVersion",
        "storage",
        "network",
        "authConfig",
        "dataEncryption",
    ] {
        let value = inside(&old, name);
        if !value.is_null() {
            properties[name] = value.clone();
        }
    }
    properties["backup"] = json!({ "backupRetentionDays": inside(&old, "backup.backupRetentionDays"), "geoRedundantBackup": "Disabled" });
    properties["highAvailability"] = json!({ "mode": "Disabled", "state": "NotEnabled" });
    properties
}

/// The replicas of a server.
pub fn replicas<'e>(call: &Call<'_>, estate: &'e Estate, source: &Thing) -> impl Iterator<Item = &'e Thing> {
    let id = source.body.get("id");
    let all = estate.all(&call.account.id, SERVER, None, call.now).filter(|thing| thing.gone_at.is_none());
    all.filter(move |thing| {
        let properties = thing.body.get("properties");
        text(&properties, "replicationRole").ends_with("AsyncReplica")
            && inside(&properties, "sourceServerResourceId") == &id
    })
}
