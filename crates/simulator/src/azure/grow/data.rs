//! Servers, their replicas and backups, and storage accounts.

use chrono::TimeDelta;
use serde_json::json;

use super::{Garden, Grown, missing};
use crate::{
    azure::{
        postgres::{SERVER, server::STORAGE, tier},
        storage::ACCOUNT,
    },
    estate::{Estate, Meter},
    world::GrowError,
};

/// Names of servers are unique in the world: those of the regions after the first have the region in them.
fn unique(name: &str, garden: &Garden<'_>, index: usize) -> String {
    let named = name.contains(garden.region.id.as_ref());
    if index == 0 || named { name.to_owned() } else { format!("{name}-{}", garden.region.id) }
}

/// The next step of storage.
fn step(gib: u64) -> u64 {
    STORAGE.iter().copied().find(|step| *step >= gib).unwrap_or(32)
}

/// Flexible servers.
pub fn servers(garden: &Garden<'_>, estate: &mut Estate, index: usize) -> Grown {
    let group = garden.group;
    if !["", "postgres", "postgresql"].contains(&group.engine.as_str()) {
        return Err(GrowError(format!("engine `{}` is not simulated", group.engine)));
    }
    for (n, name, born) in garden.each() {
        let name = unique(&name, garden, index);
        let zone = garden.zone(n);
        let mode = if group.multi_zone { "ZoneRedundant" } else { "Disabled" };
        let version = if group.version.is_empty() { "16" } else { &group.version };
        let body = json!({
            "location": garden.region.id, "tags": garden.tags(),
            "sku": { "name": group.size, "tier": tier(&group.size) },
            "properties": {
                "administratorLogin": "marquee", "administratorLoginPassword": "grown, and never shown",
                "version": version, "storage": { "storageSizeGB": step(group.gib) },
                "availabilityZone": zone.first(), "highAvailability": { "mode": mode },
                "backup": { "backupRetentionDays": 14 },
            },
        });
        garden.put(
            estate,
            "Microsoft.DBforPostgreSQL/servers_createOrUpdate",
            born,
            &[("serverName", &name)],
            body,
        )?;
        garden.drive(estate, &garden.target(SERVER, &[&name]), born, Vec::new());
    }
    Ok(())
}

/// Replicas of servers in the same region.
pub fn replicas(garden: &Garden<'_>, estate: &mut Estate, index: usize) -> Grown {
    for (n, name, born) in garden.each() {
        let (parent, _) = garden.parent_name(n)?;
        let source = garden.target(SERVER, &[&unique(&parent, garden, index)]);
        let found = garden
            .find(estate, &source, garden.world.entered())
            .ok_or_else(|| missing("the source of a replica"))?;
        let at = born.max(found.born + TimeDelta::hours(1));
        let name = unique(&name, garden, index);
        let body = json!({
            "location": garden.region.id, "tags": garden.tags(),
            "properties": { "createMode": "Replica", "sourceServerResourceId": source.id },
        });
        garden.put(
            estate,
            "Microsoft.DBforPostgreSQL/servers_createOrUpdate",
            at,
            &[("serverName", &name)],
            body,
        )?;
        garden.drive(estate, &garden.target(SERVER, &[&name]), at, Vec::new());
    }
    Ok(())
}

/// Backups that were asked for.
pub fn backups(garden: &Garden<'_>, estate: &mut Estate, index: usize) -> Grown {
    for (n, name, born) in garden.each() {
        let (parent, _) = garden.parent_name(n)?;
        let owner = unique(&parent, garden, index);
        let parts = [("serverName", owner.as_str()), ("backupName", name.as_str())];
        let operation = "Microsoft.DBforPostgreSQL/backupsAutomaticAndOnDemand_create";
        garden.put(estate, operation, born, &parts, serde_json::Value::Null)?;
    }
    Ok(())
}

/// Storage accounts, each with a container.
pub fn accounts(garden: &Garden<'_>, estate: &mut Estate) -> Grown {
    for (_, name, born) in garden.each() {
        let plain: String =
            name.chars().filter(char::is_ascii_alphanumeric).flat_map(char::to_lowercase).take(24).collect();
        let body = json!({
            "location": garden.region.id, "tags": garden.tags(), "kind": "StorageV2", "sku": { "name": "Standard_LRS" },
        });
        let parts = [("accountName", plain.as_str())];
        garden.put(estate, "Microsoft.Storage/storageAccounts_create", born, &parts, body)?;
        let parts = [("accountName", plain.as_str()), ("containerName", "data")];
        let body = json!({ "properties": {} });
        garden.put(estate, "Microsoft.Storage/blobContainers_create", born, &parts, body)?;
        #[expect(clippy::cast_precision_loss, reason = "GiB of an account")]
        let meter = Meter::new("storage/Standard_LRS", garden.group.gib as f64);
        garden.drive(estate, &garden.target(ACCOUNT, &[&plain]), born, vec![meter]);
    }
    Ok(())
}
