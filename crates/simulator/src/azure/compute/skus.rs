//! The list of what can be had where: sizes of machines, and kinds of disks.

use serde_json::{Value, json};

use super::sizes;
use crate::{
    azure::{
        call::{Answer, Call},
        error::Outcome,
        filter::Filter,
    },
    estate::Estate,
    plan::{Region, Size},
};

/// Kinds of disks.
const DISKS: &[(&str, &str)] = &[
    ("Premium_LRS", "Premium"),
    ("StandardSSD_LRS", "Standard"),
    ("Standard_LRS", "Standard"),
    ("UltraSSD_LRS", "Ultra"),
];

/// GET of the skus, one for each region, filtered by `location eq '…'`.
pub fn list(call: &Call<'_>, _: &Estate) -> Outcome<Answer> {
    let filter = Filter::parse(call.asked("$filter"), &["location"])?;
    let wanted = filter.value("location").map(crate::azure::call::normal);
    let regions = call.account.regions.iter().filter(|region| region.enabled);
    let regions = regions.filter(|region| wanted.as_ref().is_none_or(|wanted| **wanted == *region.id));
    let mut list: Vec<Value> = Vec::new();
    for region in regions {
        list.extend(DISKS.iter().map(|(name, tier)| disk(region, name, tier)));
        list.extend(sizes(call).map(|size| machine(call, region, size)));
    }
    Ok(Answer::ok(&json!({ "value": list })))
}

fn disk(region: &Region, name: &str, tier: &str) -> Value {
    json!({
        "resourceType": "disks", "name": name, "tier": tier, "locations": [region.id.as_ref()],
        "locationInfo": [{ "location": region.id.as_ref(), "zones": zones(region) }],
        "capabilities": [{ "name": "MaxSizeGiB", "value": "32767" }], "restrictions": [],
    })
}

fn machine(call: &Call<'_>, region: &Region, size: &Size) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "MiB of memory")]
    let memory = size.memory_mib as f64 / 1_024.0;
    let architecture = if &*size.architecture == "arm64" { "Arm64" } else { "x64" };
    let capability = |name: &str, value: String| json!({ "name": name, "value": value });
    json!({
        "resourceType": "virtualMachines",
        "name": size.name.as_ref(),
        "tier": "Standard",
        "size": size.name.trim_start_matches("Standard_"),
        "family": size.family.as_ref(),
        "locations": [region.id.as_ref()],
        "locationInfo": [{ "location": region.id.as_ref(), "zones": zones(region), "zoneDetails": [] }],
        "capabilities": [
            capability("vCPUs", size.vcpus.to_string()),
            capability("vCPUsAvailable", size.vcpus.to_string()),
            capability("MemoryGB", memory.to_string()),
            capability("MaxDataDiskCount", (size.vcpus * 2).to_string()),
            capability("CpuArchitectureType", architecture.to_owned()),
            capability("PremiumIO", "True".to_owned()),
            capability("HyperVGenerations", "V1,V2".to_owned()),
        ],
        "restrictions": restrictions(call, region, size),
    })
}

/// What capacity faults take away: everywhere, or in some zones.
fn restrictions(call: &Call<'_>, region: &Region, size: &Size) -> Vec<Value> {
    let full: Vec<&str> = region
        .zones
        .iter()
        .map(AsRef::as_ref)
        .filter(|zone| !call.effects.has_capacity(zone, &size.name))
        .collect();
    if full.is_empty() {
        return Vec::new();
    }
    let everywhere = full.len() == region.zones.len();
    let mut info = json!({ "locations": [region.id.as_ref()] });
    if !everywhere {
        info["zones"] = json!(full);
    }
    vec![json!({
        "type": if everywhere { "Location" } else { "Zone" },
        "values": [region.id.as_ref()],
        "restrictionInfo": info,
        "reasonCode": "NotAvailableForSubscription",
    })]
}

fn zones(region: &Region) -> Vec<&str> {
    region.zones.iter().map(AsRef::as_ref).collect()
}
