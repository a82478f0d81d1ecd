//! Machines, disks, snapshots, images and scale sets.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Garden, Grown, missing, network};
use crate::{
    azure::{
        compute::{DISK, VM, attach, vm},
        ids,
        network::NIC,
    },
    estate::Estate,
};

/// The image that machines are made from.
fn image() -> Value {
    json!({ "publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest" })
}

/// Machines, each with an interface and a boot disk.
pub fn instances(garden: &Garden<'_>, estate: &mut Estate) -> Grown {
    let group = garden.group;
    for (n, name, born) in garden.each() {
        let interface = format!("{name}-nic");
        let body = json!({
            "location": garden.region.id, "tags": garden.tags(),
            "properties": {
                "ipConfigurations": [{ "name": "primary", "properties": { "subnet": { "id": network::subnet(garden, n)? } } }],
            },
        });
        let parts = [("networkInterfaceName", interface.as_str())];
        garden.put(estate, "Microsoft.Network/networkInterfaces_createOrUpdate", born, &parts, body)?;
        let body = json!({
            "location": garden.region.id, "tags": garden.tags(), "zones": garden.zone(n),
            "properties": {
                "hardwareProfile": { "vmSize": group.size },
                "storageProfile": {
                    "imageReference": image(),
                    "osDisk": {
                        "createOption": "FromImage", "name": format!("{name}-os"), "diskSizeGB": group.gib.max(30),
                        "deleteOption": "Delete", "managedDisk": { "storageAccountType": "StandardSSD_LRS" },
                    },
                },
                "osProfile": {
                    "computerName": name, "adminUsername": "marquee",
                    "linuxConfiguration": {
                        "disablePasswordAuthentication": true,
                        "ssh": { "publicKeys": [{ "keyData": "ssh-ed25519 AAAA" }] },
                    },
                },
                "networkProfile": {
                    "networkInterfaces": [{ "id": garden.id(NIC, &[&interface]), "properties": { "deleteOption": "Delete" } }],
                },
            },
        });
        garden.put(
            estate,
            "Microsoft.Compute/virtualMachines_createOrUpdate",
            born,
            &[("vmName", &name)],
            body,
        )?;
        let target = garden.target(VM, &[&name]);
        garden.drive(estate, &target, born, Vec::new());
        if group.stopped {
            stop(garden, estate, &name, born);
        }
    }
    Ok(())
}

/// Deallocated some weeks before the world is entered, or soon after it was made.
fn stop(garden: &Garden<'_>, estate: &mut Estate, name: &str, born: DateTime<Utc>) {
    let at = (garden.world.entered() - TimeDelta::days(20)).max(born + TimeDelta::hours(2));
    let call = garden.call("", at, &[], Value::Null);
    let target = garden.target(VM, &[name]);
    vm::deallocated(&call, estate, &target.key);
    let disks = target.find(&call, estate).map(|thing| attach::disks(&thing.body.get("properties")));
    for disk in disks.unwrap_or_default() {
        attach::own(&call, estate, &disk, &target.id, false);
    }
}

/// Data disks; those of a group of machines are attached, one to each.
pub fn disks(garden: &Garden<'_>, estate: &mut Estate) -> Grown {
    for (n, name, born) in garden.each() {
        let owner = match garden.group.of {
            Some(_) => Some(garden.parent_name(n)?).filter(|(_, count)| n <= *count).map(|(owner, _)| owner),
            None => None,
        };
        let sku = if garden.group.size.is_empty() { "Premium_LRS" } else { &garden.group.size };
        let body = json!({
            "location": garden.region.id, "tags": garden.tags(), "zones": garden.zone(n), "sku": { "name": sku },
            "properties": { "creationData": { "createOption": "Empty" }, "diskSizeGB": garden.group.gib.max(1) },
        });
        garden.put(estate, "Microsoft.Compute/disks_createOrUpdate", born, &[("diskName", &name)], body)?;
        if let Some(owner) = owner {
            attach_to(garden, estate, &name, &owner, born)?;
        }
    }
    Ok(())
}

fn attach_to(
    garden: &Garden<'_>,
    estate: &mut Estate,
    disk: &str,
    owner: &str,
    born: DateTime<Utc>,
) -> Grown {
    let machine = garden.target(VM, &[owner]);
    let found = garden
        .find(estate, &machine, garden.world.entered())
        .ok_or_else(|| missing("the machine of a disk"))?;
    let at = born.max(found.born) + TimeDelta::minutes(30);
    let mut data =
        found.body.get("properties")["storageProfile"]["dataDisks"].as_array().cloned().unwrap_or_default();
    data.push(json!({
        "lun": data.len(), "createOption": "Attach", "managedDisk": { "id": garden.id(DISK, &[disk]) },
    }));
    let body = json!({ "properties": { "storageProfile": { "dataDisks": data } } });
    garden.put(estate, "Microsoft.Compute/virtualMachines_update", at, &[("vmName", owner)], body)
}

/// Snapshots, of one disk after the other.
pub fn snapshots(garden: &Garden<'_>, estate: &mut Estate) -> Grown {
    for (n, name, born) in garden.each() {
        let (parent, _) = garden.parent_name(n)?;
        let disk = garden.target(DISK, &[&parent]);
        // The boot disk, if it is machines that are copied.
        let disk = if garden.find(estate, &disk, garden.world.entered()).is_some() {
            disk
        } else {
            garden.target(DISK, &[&format!("{parent}-os")])
        };
        let source = garden
            .find(estate, &disk, garden.world.entered())
            .ok_or_else(|| missing("the disk of a snapshot"))?;
        let at = born.max(source.born) + TimeDelta::minutes(5);
        let body = json!({
            "location": garden.region.id, "tags": garden.tags(), "sku": { "name": "Standard_LRS" },
            "properties": {
                "incremental": true, "creationData": { "createOption": "Copy", "sourceResourceId": disk.id },
            },
        });
        garden.put(
            estate,
            "Microsoft.Compute/snapshots_createOrUpdate",
            at,
            &[("snapshotName", &name)],
            body,
        )?;
    }
    Ok(())
}

/// Images, of a file that was uploaded.
pub fn images(garden: &Garden<'_>, estate: &mut Estate) -> Grown {
    for (_, name, born) in garden.each() {
        let body = json!({
            "location": garden.region.id, "tags": garden.tags(),
            "properties": {
                "hyperVGeneration": "V2",
                "storageProfile": {
                    "osDisk": {
                        "osType": "Linux", "osState": "Generalized", "diskSizeGB": garden.group.gib.max(10),
                        "blobUri": format!("https://images.blob.core.windows.net/vhds/{name}.vhd"),
                    },
                },
            },
        });
        garden.put(estate, "Microsoft.Compute/images_createOrUpdate", born, &[("imageName", &name)], body)?;
    }
    Ok(())
}

/// Scale sets.
pub fn scale_sets(garden: &Garden<'_>, estate: &mut Estate) -> Grown {
    for (n, name, born) in garden.each() {
        let subnet = json!({ "id": network::subnet(garden, n)? });
        let configuration = json!({
            "name": "primary",
            "properties": {
                "primary": true,
                "ipConfigurations": [{ "name": "primary", "properties": { "subnet": subnet } }],
            },
        });
        let body = json!({
            "location": garden.region.id, "tags": garden.tags(), "zones": garden.region.zones,
            "sku": { "name": garden.group.size, "tier": "Standard", "capacity": garden.group.gib.max(1) },
            "properties": {
                "upgradePolicy": { "mode": "Manual" },
                "virtualMachineProfile": {
                    "osProfile": { "computerNamePrefix": name, "adminUsername": "marquee" },
                    "storageProfile": { "imageReference": image(), "osDisk": { "createOption": "FromImage" } },
                    "networkProfile": { "networkInterfaceConfigurations": [configuration] },
                },
            },
        });
        let parts = [("vmScaleSetName", name.as_str())];
        garden.put(estate, "Microsoft.Compute/virtualMachineScaleSets_createOrUpdate", born, &parts, body)?;
        drive_machines(garden, estate, &name, born);
    }
    Ok(())
}

/// The set and its machines are driven alike.
fn drive_machines(garden: &Garden<'_>, estate: &mut Estate, name: &str, born: DateTime<Utc>) {
    use crate::azure::compute::{SET, SET_VM};

    let set = garden.target(SET, &[name]);
    garden.drive(estate, &set, born, Vec::new());
    let call = garden.call("", born, &[], Value::Null);
    let driven = set.find(&call, estate).and_then(|thing| thing.driven.clone());
    let prefix = format!("{}/", set.key);
    let all = estate.all(&garden.account.id, SET_VM, Some(&garden.region.id), born);
    let keys: Vec<String> =
        all.filter(|thing| thing.id.starts_with(&prefix)).map(|thing| thing.id.to_string()).collect();
    for key in keys {
        if let Some(thing) = ids::find_mut(&call, estate, SET_VM, &key) {
            thing.driven.clone_from(&driven);
        }
    }
}
