//! Flexible servers: made, shown and deleted.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Value, json};

use super::{SERVER, accepted, meters, refuse_busy, show, size, sources, tier, wrong};
use crate::{
    FaceName,
    azure::{
        call::{Answer, Call, inside, text},
        error::{Outcome, Refused},
        groups,
        ids::{self, Target},
        network::SUBNET,
        resource::{self, Draft},
    },
    estate::{Driven, Estate, Thing},
    plan::Region,
};

/// Seconds that it takes to make a server, to restore one, and to delete one.
const CREATION: i64 = 240;
const RESTORATION: i64 = 480;
const DELETION: i64 = 60;

/// Sizes of storage, in GiB.
pub const STORAGE: &[u64] = &[32, 64, 128, 256, 512, 1_024, 2_048, 4_095, 4_096, 8_192, 16_384, 32_767];
/// Versions of PostgreSQL, with their last minor one.
pub const VERSIONS: &[(&str, &str)] =
    &[("13", "23"), ("14", "20"), ("15", "15"), ("16", "11"), ("17", "7"), ("18", "1")];

/// The call's server.
pub fn target(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    Target::of(call, estate, SERVER, &[call.part("serverName")])
}

/// PUT.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, existing) = groups::target(call, estate, SERVER, &[call.part("serverName")])?;
    let region = call.location(SERVER)?;
    resource::refuse_move(&target, existing.as_ref(), &region.id)?;
    if existing.is_some() {
        return super::change::patch(call, estate);
    }
    refuse_name(call, estate, &target.name)?;
    let mode = text(&call.body, "properties.createMode").to_lowercase();
    let (properties, name, takes) = match mode.as_str() {
        "" | "default" | "create" => {
            let name = text(&call.body, "sku.name").to_owned();
            (fresh(call, estate, region)?, name, CREATION)
        }
        "pointintimerestore" => {
            let source = sources::source(call, estate)?;
            (sources::restored(call, source)?, source.size.to_string(), RESTORATION)
        }
        "replica" => {
            let source = sources::source(call, estate)?;
            (sources::replica(call, estate, source, &region.id)?, source.size.to_string(), RESTORATION)
        }
        _ => {
            let message = format!("The create mode '{mode}' is not supported.");
            return Err(Refused::bad("CreateModeNotSupported", message));
        }
    };
    let name = match text(&call.body, "sku.name") {
        "" => name,
        asked => asked.to_owned(),
    };
    let size = size(call, &name)?;
    let asked_tier = text(&call.body, "sku.tier");
    if !asked_tier.is_empty() && asked_tier != tier(&size.name) {
        return Err(wrong("sku.tier", asked_tier));
    }
    keep(call, estate, &target, region, (properties, size.name.to_string(), takes))
}

fn keep(
    call: &Call<'_>,
    estate: &mut Estate,
    target: &Target,
    region: &Region,
    (mut properties, size, takes): (Value, String, i64),
) -> Outcome<Answer> {
    let standby = !["", "Disabled"].contains(&text(&properties, "highAvailability.mode"));
    if standby && tier(&size) == "Burstable" {
        return Err(Refused::bad(
            "HANotSupportedForBurstable",
            "High availability is not supported for the Burstable tier.",
        ));
    }
    let gib = inside(&properties, "storage.storageSizeGB").as_u64().unwrap_or_default();
    properties["fullyQualifiedDomainName"] = json!(format!("{}.postgres.database.azure.com", target.name));
    if let Some(zone) = zone(call, region)? {
        properties["availabilityZone"] = json!(zone);
    }
    let zone = text(&properties, "availabilityZone").to_owned();
    let source = text(&properties, "sourceServerResourceId").to_lowercase();
    let document = json!({
        "location": region.id.as_ref(),
        "tags": call.body.get("tags").filter(|tags| tags.is_object()).cloned().unwrap_or_else(|| json!({})),
        "sku": { "name": size, "tier": tier(&size) },
        "properties": properties,
    });
    let mut draft = Draft::new(&region.id, document).takes(takes).charged(meters(&size, gib, standby));
    draft.begins = "Provisioning";
    draft.settles = "Ready";
    draft.zone = (!zone.is_empty()).then(|| zone.as_str().into());
    draft.driven = driven(call, estate, &source);
    size.clone_into(&mut draft.size);
    resource::keep(call, estate, target, draft);
    mark_primary(call, estate, &source);
    Ok(accepted(call, target, &region.id, TimeDelta::seconds(takes), "UpsertServerManagementOperation"))
}

/// A replica is busy with what its source is busy with.
fn driven(call: &Call<'_>, estate: &Estate, source: &str) -> Option<Driven> {
    let source = ids::find(call, estate, SERVER, source)?.driven.clone()?;
    Some(Driven { at_peak: source.at_peak * 0.6, ..source })
}

/// A server that has replicas is their primary.
fn mark_primary(call: &Call<'_>, estate: &mut Estate, source: &str) {
    if let Some(thing) = ids::find_mut(call, estate, SERVER, source) {
        thing.body.edit(|document| {
            document["properties"]["replicationRole"] = json!("Primary");
            document["properties"]["replica"] = json!({ "role": "Primary", "capacity": 5 });
        });
    }
}

/// The properties of a new server.
fn fresh(call: &Call<'_>, estate: &Estate, region: &Region) -> Outcome<Value> {
    let sent = call.body.get("properties").cloned().unwrap_or_else(|| json!({}));
    if text(&call.body, "sku.name").is_empty() {
        return Err(wrong("sku.name", ""));
    }
    for name in ["administratorLogin", "administratorLoginPassword"] {
        if text(&sent, name).is_empty() {
            return Err(wrong(name, ""));
        }
    }
    let login = text(&sent, "administratorLogin");
    if ["admin", "administrator", "azure_superuser", "guest", "public", "root"]
        .contains(&login.to_lowercase().as_str())
    {
        return Err(wrong("administratorLogin", login));
    }
    let version = match text(&sent, "version") {
        "" => "17",
        version => version,
    };
    let minor =
        VERSIONS.iter().find(|(major, _)| *major == version).ok_or_else(|| wrong("version", version))?.1;
    let gib = inside(&sent, "storage.storageSizeGB").as_u64().unwrap_or(32);
    refuse_storage(gib)?;
    let days = inside(&sent, "backup.backupRetentionDays").as_u64().unwrap_or(7);
    if !(7..=35).contains(&days) {
        return Err(wrong("backupRetentionDays", &days.to_string()));
    }
    let mode = match text(&sent, "highAvailability.mode") {
        "" => "Disabled",
        mode => mode,
    };
    let mut standby =
        json!({ "mode": mode, "state": if mode == "Disabled" { "NotEnabled" } else { "Healthy" } });
    if mode != "Disabled" {
        let zone = match text(&sent, "highAvailability.standbyAvailabilityZone") {
            "" => {
                region.zones.get(usize::from(mode == "ZoneRedundant")).map(AsRef::as_ref).unwrap_or_default()
            }
            zone => zone,
        };
        standby["standbyAvailabilityZone"] = json!(zone);
    }
    let mut properties = json!({
        "administratorLogin": login,
        "version": version,
        "minorVersion": minor,
        "storage": { "storageSizeGB": gib, "iops": 3 * gib.max(40), "tier": "P4", "autoGrow": auto_grow(&sent) },
        "backup": { "backupRetentionDays": days, "geoRedundantBackup": geo(&sent) },
        "highAvailability": standby,
        "network": network(call, estate, region, &sent)?,
        "authConfig": { "activeDirectoryAuth": "Disabled", "passwordAuth": "Enabled" },
        "dataEncryption": { "type": "SystemManaged" },
        "maintenanceWindow": { "customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0, "startMinute": 0 },
        "replicationRole": "Primary",
        "replica": { "role": "Primary", "capacity": 5 },
    });
    if let (Some(window), Some(sent)) =
        (properties["maintenanceWindow"].as_object_mut(), inside(&sent, "maintenanceWindow").as_object())
    {
        crate::azure::call::merge(window, sent);
    }
    Ok(properties)
}

fn auto_grow(sent: &Value) -> Value {
    json!(if text(sent, "storage.autoGrow") == "Enabled" { "Enabled" } else { "Disabled" })
}

fn geo(sent: &Value) -> Value {
    json!(if text(sent, "backup.geoRedundantBackup") == "Enabled" { "Enabled" } else { "Disabled" })
}

/// Open to the public, or within a subnet that was given up for it.
fn network(call: &Call<'_>, estate: &Estate, region: &Region, sent: &Value) -> Outcome<Value> {
    let asked = text(sent, "network.delegatedSubnetResourceId");
    if asked.is_empty() {
        return Ok(json!({ "publicNetworkAccess": "Enabled" }));
    }
    let subnet = ids::referred(call, estate, SUBNET, asked).filter(|subnet| *subnet.place == *region.id);
    let subnet = subnet.ok_or_else(|| wrong("network.delegatedSubnetResourceId", asked))?;
    let properties = subnet.body.get("properties");
    let mut delegations = inside(&properties, "delegations").as_array().into_iter().flatten();
    if !delegations.any(|one| text(one, "properties.serviceName").eq_ignore_ascii_case(SERVER)) {
        return Err(wrong("network.delegatedSubnetResourceId", asked));
    }
    let mut network =
        json!({ "publicNetworkAccess": "Disabled", "delegatedSubnetResourceId": subnet.body.get("id") });
    let zone = inside(sent, "network.privateDnsZoneArmResourceId");
    if zone.is_string() {
        network["privateDnsZoneArmResourceId"] = zone.clone();
    }
    Ok(network)
}

/// Storage comes in steps.
pub fn refuse_storage(gib: u64) -> Outcome<()> {
    if STORAGE.contains(&gib) { Ok(()) } else { Err(wrong("storageSizeGB", &gib.to_string())) }
}

/// The zone that was asked for, or the first.
fn zone<'a>(call: &Call<'a>, region: &'a Region) -> Outcome<Option<String>> {
    let asked = text(&call.body, "properties.availabilityZone");
    if asked.is_empty() {
        return Ok(region.zones.first().map(ToString::to_string));
    }
    let known = region.zones.iter().any(|zone| zone.as_ref() == asked);
    if known { Ok(Some(asked.to_owned())) } else { Err(wrong("availabilityZone", asked)) }
}

/// Names are unique in the world, and are host names.
fn refuse_name(call: &Call<'_>, estate: &Estate, name: &str) -> Outcome<()> {
    if !is_name(name) {
        return Err(Refused::bad(
            "InvalidServerName",
            format!(
                "Server name '{name}' is invalid. It may have lower case letters, digits and hyphens, and 3 to 63 of them."
            ),
        ));
    }
    if is_taken(call, estate, name) {
        return Err(Refused::conflict("ServerNameAlreadyExists", "Specified server name is already used."));
    }
    Ok(())
}

/// Whether a name could be a server's.
pub fn is_name(name: &str) -> bool {
    let fits = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    (3..=63).contains(&name.len()) && fits && !name.starts_with('-') && !name.ends_with('-')
}

/// Whether a server of whatever subscription has a name.
pub fn is_taken(call: &Call<'_>, estate: &Estate, name: &str) -> bool {
    let accounts = call.world.plan.accounts_of(FaceName::Azure);
    accounts.into_iter().any(|account| {
        estate.all(&account.id, SERVER, None, call.now).any(|thing| thing.name.eq_ignore_ascii_case(name))
    })
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    Ok(Answer::text(StatusCode::OK, show(call, target.need(call, estate)?)))
}

/// The servers of a group or the subscription.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    resource::list_where(call, estate, SERVER, resource::PAGE, |_| true, show)
}

/// The replicas of a server.
pub fn replicas(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    let thing: &Thing = target.need(call, estate)?;
    let texts: Vec<String> =
        sources::replicas(call, estate, thing).map(|replica| show(call, replica)).collect();
    Ok(resource::paged(call, texts.into_iter(), None))
}

/// DELETE: refused while it has replicas.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let target = target(call, estate)?;
    resource::delete(call, estate, &target, DELETION, |estate, thing| {
        refuse_busy(call, thing)?;
        match sources::replicas(call, estate, thing).next() {
            None => Ok(()),
            Some(replica) => Err(Refused::conflict(
                "ServerHasReplicas",
                format!(
                    "The server '{}' cannot be dropped while it has the replica '{}'.",
                    thing.name, replica.name
                ),
            )),
        }
    })
}
