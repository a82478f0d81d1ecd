//! The settings of an instance: what they are unless said, what they may become, and what they cost.

use serde_json::{Map, Value, json};

use super::invalid;
use crate::{
    estate::{Meter, Thing},
    face::FaceName,
    google::{
        call::{Call, number},
        compute::disk::as_f64,
        refusal::Refusal,
    },
};

/// Settings of a new instance: what the request says over what is usual.
pub fn new(asked: &Value, zone: &str) -> Value {
    let mut settings = json!({
        "kind": "sql#settings", "edition": "ENTERPRISE", "availabilityType": "ZONAL", "pricingPlan": "PER_USE",
        "replicationType": "SYNCHRONOUS", "activationPolicy": "ALWAYS", "dataDiskType": "PD_SSD", "dataDiskSizeGb": "10",
        "storageAutoResize": true, "storageAutoResizeLimit": "0", "deletionProtectionEnabled": false,
        "connectorEnforcement": "NOT_REQUIRED", "settingsVersion": "1",
        "locationPreference": { "kind": "sql#locationPreference", "zone": zone },
        "ipConfiguration": { "ipv4Enabled": true, "requireSsl": false, "sslMode": "ALLOW_UNENCRYPTED_AND_ENCRYPTED" },
        "backupConfiguration": {
            "kind": "sql#backupConfiguration", "enabled": false, "startTime": "03:00",
            "pointInTimeRecoveryEnabled": false, "transactionLogRetentionDays": 7,
            "backupRetentionSettings": { "retentionUnit": "COUNT", "retainedBackups": 7 },
        },
    });
    merge(&mut settings, asked);
    settings["settingsVersion"] = "1".into();
    settings
}

/// Puts what is said over what is there; null takes a member away.
pub fn merge(present: &mut Value, said: &Value) {
    if said.is_object() && !present.is_object() {
        *present = json!({});
    }
    match (present, said) {
        (Value::Object(present), Value::Object(said)) => {
            for (name, value) in said {
                if value.is_null() {
                    present.shift_remove(name);
                } else {
                    merge(present.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (present, said) => *present = said.clone(),
    }
}

/// Refuses settings that cannot be.
pub fn check(call: &Call<'_>, settings: &Value, version: &str) -> Result<(), Refusal> {
    let tier = settings["tier"].as_str().unwrap_or_default();
    if tier.is_empty() {
        return Err(invalid("Missing parameter: settings.tier."));
    }
    let size = call.world.plan.size(FaceName::Google, tier).filter(|size| size.database);
    if size.is_none() {
        return Err(invalid(&format!("Invalid Tier ({tier}) for ({version}).")));
    }
    let gib = number(&settings["dataDiskSizeGb"]).unwrap_or_default();
    if !(10..=65_536).contains(&gib) {
        return Err(invalid("The disk size must be between 10 GB and 65536 GB."));
    }
    let backup = &settings["backupConfiguration"];
    if backup["pointInTimeRecoveryEnabled"] == true && backup["enabled"] != true {
        return Err(invalid("Point-in-time recovery requires backups to be enabled."));
    }
    let most = if settings["edition"] == "ENTERPRISE_PLUS" { 35 } else { 7 };
    let days = &backup["transactionLogRetentionDays"];
    if !days.is_null() && !days.as_i64().is_some_and(|days| (1..=most).contains(&days)) {
        return Err(invalid(&format!("Transaction log retention days must be between 1 and {most}.")));
    }
    Ok(())
}

/// Settings of a kind that only some requests send, with labels as text.
pub fn labels(settings: &Value) -> impl Iterator<Item = (&str, &str)> {
    let labels = settings["userLabels"].as_object();
    labels.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
}

/// Makes a thing's size, labels and charges follow from the settings in its body.
pub fn apply(call: &Call<'_>, thing: &mut Thing, body: &Map<String, Value>) {
    let settings = body.get("settings").cloned().unwrap_or_default();
    let text = |name: &str| settings[name].as_str().unwrap_or_default();
    thing.size = text("tier").into();
    thing.tags = labels(&settings).map(|(key, value)| (key.into(), value.into())).collect();
    // A standby costs as much as what it stands by for.
    let copies = if text("availabilityType") == "REGIONAL" { 2.0 } else { 1.0 };
    let gib = as_f64(number(&settings["dataDiskSizeGb"]).unwrap_or_default());
    let meters = [
        Meter::new(&format!("database/{}", text("tier")), copies).only_in(&["RUNNABLE", "MAINTENANCE"]),
        Meter::new(&format!("database-storage/{}", text("dataDiskType")), gib * copies),
    ];
    thing.meter(call.now, meters);
    thing.body = body.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_goes_over_what_is_there() {
        let mut present = json!({ "a": { "b": 1, "c": 2 }, "d": [1, 2] });
        merge(&mut present, &json!({ "a": { "b": 3, "c": null }, "d": [4], "e": { "f": null, "g": 5 } }));
        assert_eq!(present, json!({ "a": { "b": 3 }, "d": [4], "e": { "g": 5 } }));
    }
}
