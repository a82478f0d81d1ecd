//! What servers can be where, which names are free, and quota.

use serde_json::{Value, json};

use super::{SERVER, server, sizes, tier};
use crate::{
    azure::{
        call::{Answer, Call, text},
        error::Outcome,
    },
    estate::Estate,
    plan::Region,
};

/// GET of the capabilities of a location.
pub fn list(call: &Call<'_>, _: &Estate) -> Outcome<Answer> {
    let region = call.region(call.part("locationName"), SERVER)?;
    let editions: Vec<Value> = ["Burstable", "GeneralPurpose", "MemoryOptimized"]
        .into_iter()
        .map(|name| edition(call, region, name))
        .collect();
    let versions: Vec<Value> = server::VERSIONS
        .iter()
        .map(|(name, _)| {
            let newer = server::VERSIONS.iter().map(|(other, _)| *other).filter(|other| other > name);
            json!({ "name": name, "status": "Available", "supportedVersionsToUpgrade": newer.collect::<Vec<_>>() })
        })
        .collect();
    let capability = json!({
        "name": "FlexibleServerCapabilities",
        "supportedServerEditions": editions,
        "supportedServerVersions": versions,
        "geoBackupSupported": "Enabled",
        "zoneRedundantHaSupported": if region.zones.len() > 1 { "Enabled" } else { "Disabled" },
        "storageAutoGrowthSupported": "Enabled",
        "onlineResizeSupported": "Enabled",
        "restricted": "Disabled",
        "status": "Available",
    });
    Ok(Answer::ok(&json!({ "value": [capability] })))
}

fn edition(call: &Call<'_>, region: &Region, name: &str) -> Value {
    let own = || sizes(call).filter(|size| tier(&size.name) == name);
    let skus: Vec<Value> = own()
        .map(|size| {
            json!({
                "name": size.name.as_ref(), "vCores": size.vcpus, "status": "Available",
                "supportedMemoryPerVcoreMb": size.memory_mib / u64::from(size.vcpus.max(1)),
                "supportedIops": 640 * size.vcpus, "supportedZones": region.zones,
                "supportedHaMode": if name == "Burstable" { vec![] } else { vec!["SameZone", "ZoneRedundant"] },
            })
        })
        .collect();
    let storage: Vec<Value> = server::STORAGE
        .iter()
        .map(|gib| json!({ "storageSizeMb": gib * 1_024, "supportedIops": 3 * gib.max(&40), "status": "Available" }))
        .collect();
    json!({
        "name": name, "status": "Available",
        "defaultSkuName": own().next().map(|size| size.name.to_string()),
        "supportedStorageEditions": [{
            "name": "ManagedDisk", "defaultStorageSizeMb": 32_768, "status": "Available", "supportedStorageMb": storage,
        }],
        "supportedServerSkus": skus,
    })
}

/// POST `checkNameAvailability`.
pub fn name(call: &Call<'_>, estate: &Estate) -> Answer {
    let name = text(&call.body, "name");
    let mut answer = json!({ "name": name, "type": SERVER, "nameAvailable": true, "message": "" });
    let reason = if !server::is_name(name) {
        Some(("Invalid", "Specified server name is invalid."))
    } else if server::is_taken(call, estate, name) {
        Some(("AlreadyExists", "Specified server name is already used."))
    } else {
        None
    };
    if let Some((reason, message)) = reason {
        answer["nameAvailable"] = json!(false);
        answer["reason"] = json!(reason);
        answer["message"] = json!(message);
    }
    Answer::ok(&answer)
}

/// GET of the usages of a location, in processors.
pub fn usages(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let region = call.region(call.part("locationName"), SERVER)?;
    let servers: Vec<_> = estate.all(&call.account.id, SERVER, Some(&region.id), call.now).collect();
    let used: u32 = servers
        .iter()
        .filter_map(|server| sizes(call).find(|size| size.name == server.size).map(|size| size.vcpus))
        .sum();
    let id = format!(
        "/subscriptions/{}/providers/Microsoft.DBforPostgreSQL/locations/{}/resourceType/flexibleServers/usages/cores",
        call.subscription(),
        region.id
    );
    Ok(Answer::ok(&json!({
        "value": [{
            "id": id, "name": { "value": "cores", "localizedValue": "Total regional vCores" }, "unit": "Count",
            "currentValue": used, "limit": 350,
        }],
    })))
}
