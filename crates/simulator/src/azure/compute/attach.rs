//! A virtual machine and its disks and interfaces: which it has, what it does to them, what becomes of them.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{DISK, VM, disk, profile::not_found};
use crate::{
    azure::{
        call::{Call, inside, text},
        error::{Outcome, Refused},
        ids::{self, Target},
        network::NIC,
        resource::{self, Draft},
    },
    estate::{Estate, Thing},
};

/// The ids of the disks of a machine, boot disk first.
pub fn disks(properties: &Value) -> Vec<String> {
    let boot = inside(properties, "storageProfile.osDisk");
    let data = inside(properties, "storageProfile.dataDisks").as_array().into_iter().flatten();
    let ids = std::iter::once(boot).chain(data).map(|disk| text(disk, "managedDisk.id").to_owned());
    ids.filter(|id| !id.is_empty()).collect()
}

/// Refuses disks that are not there or belong to another machine, sizes that no disk has, and numbers that are taken
/// twice.
pub fn refuse_disks(call: &Call<'_>, estate: &Estate, target: &Target, properties: &Value) -> Outcome<()> {
    let mut numbers = Vec::new();
    refuse_size("osDisk.diskSizeGB", inside(properties, "storageProfile.osDisk"))?;
    for data in inside(properties, "storageProfile.dataDisks").as_array().into_iter().flatten() {
        let number = data.get("lun").and_then(Value::as_i64).unwrap_or_default();
        if numbers.contains(&number) {
            return Err(Refused::value(
                "dataDisks",
                format!("The LUN {number} is already in use by another data disk of the virtual machine."),
            ));
        }
        numbers.push(number);
        refuse_size("dataDisk.diskSizeGB", data)?;
        if text(data, "createOption").eq_ignore_ascii_case("attach")
            && text(data, "managedDisk.id").is_empty()
        {
            return Err(Refused::lacks("dataDisk.managedDisk"));
        }
    }
    for id in disks(properties) {
        let Some(thing) = ids::referred(call, estate, DISK, &id).filter(|thing| thing.gone_at.is_none())
        else {
            if disk_is_new(&id, properties) {
                continue;
            }
            return Err(not_found(&id, "dataDisk.managedDisk.id"));
        };
        let owner = thing.body.get("managedBy");
        let owner = owner.as_str().unwrap_or_default();
        if !owner.is_empty() && !owner.eq_ignore_ascii_case(&target.id) {
            return Err(Refused::conflict(
                "ConflictingUserInput",
                format!("Disk '{id}' cannot be attached as the disk is already owned by VM '{owner}'."),
            ));
        }
    }
    refuse_names(call, estate, target, properties)
}

/// Refuses to make a disk of a name that is another disk's already.
fn refuse_names(call: &Call<'_>, estate: &Estate, target: &Target, properties: &Value) -> Outcome<()> {
    let boot = inside(properties, "storageProfile.osDisk");
    let data = inside(properties, "storageProfile.dataDisks").as_array().into_iter().flatten();
    for disk in std::iter::once(boot).chain(data) {
        if ids::referred(call, estate, DISK, text(disk, "managedDisk.id")).is_some() {
            continue;
        }
        let name = text(disk, "name");
        let taken = named(call, estate, target, name);
        let owner = taken.map(|taken| taken.body.get("managedBy"));
        let own = |owner: &Value| owner.as_str().is_some_and(|owner| owner.eq_ignore_ascii_case(&target.id));
        if owner.is_some_and(|owner| !own(&owner)) {
            return Err(Refused::conflict(
                "ConflictingUserInput",
                format!(
                    "Disk {name} already exists in resource group {}. Only CreateOption.Attach is supported.",
                    target.group.to_uppercase()
                ),
            ));
        }
    }
    Ok(())
}

fn refuse_size(member: &str, said: &Value) -> Outcome<()> {
    said.get("diskSizeGB").and_then(Value::as_u64).map_or(Ok(()), |gib| disk::refuse_range(member, gib))
}

/// The disk of a name beside a machine.
fn named<'e>(call: &Call<'_>, estate: &'e Estate, machine: &Target, name: &str) -> Option<&'e Thing> {
    let disk = Target::in_group(call.subscription(), &machine.group, DISK, &[name]);
    if name.is_empty() { None } else { disk.find(call, estate) }
}

/// Whether a disk is one that the machine makes, so that it need not be there yet.
fn disk_is_new(id: &str, properties: &Value) -> bool {
    let boot = inside(properties, "storageProfile.osDisk");
    let data = inside(properties, "storageProfile.dataDisks").as_array().into_iter().flatten();
    std::iter::once(boot).chain(data).any(|disk| {
        text(disk, "managedDisk.id").eq_ignore_ascii_case(id)
            && !text(disk, "createOption").eq_ignore_ascii_case("attach")
    })
}

/// Makes the disks that a machine is made with, completes what is said of them, and takes those that exist.
pub fn take(
    call: &Call<'_>,
    estate: &mut Estate,
    target: &Target,
    place: &str,
    zone: Option<&str>,
    properties: &mut Map<String, Value>,
    allocated: bool,
) {
    let Some(storage) = properties.get_mut("storageProfile").and_then(Value::as_object_mut) else { return };
    let image = storage.get("imageReference").cloned().unwrap_or_default();
    if let Some(boot) = storage.get_mut("osDisk").and_then(Value::as_object_mut) {
        let made = Made { target, place, zone, image: &image, boot: true };
        complete(call, estate, &made, boot);
    }
    let data = storage.entry("dataDisks").or_insert_with(|| json!([]));
    for disk in data.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let made = Made { target, place, zone, image: &Value::Null, boot: false };
        complete(call, estate, &made, disk);
    }
    let all = disks(&Value::Object(properties.clone()));
    for id in all {
        own(call, estate, &id, &target.id, allocated);
    }
}

/// A disk to be made with a machine.
struct Made<'a> {
    target: &'a Target,
    place: &'a str,
    zone: Option<&'a str>,
    image: &'a Value,
    boot: bool,
}

/// Completes what a machine says of a disk, and makes the disk if there is none.
fn complete(call: &Call<'_>, estate: &mut Estate, made: &Made<'_>, said: &mut Map<String, Value>) {
    let as_value = Value::Object(said.clone());
    let known = text(&as_value, "managedDisk.id").to_owned();
    let there = ids::referred(call, estate, DISK, &known)
        .or_else(|| named(call, estate, made.target, text(&as_value, "name")));
    if let Some(thing) = there {
        let properties = thing.body.get("properties");
        said.insert("name".to_owned(), json!(thing.name.as_ref()));
        said.entry("diskSizeGB").or_insert_with(|| inside(&properties, "diskSizeGB").clone());
        let sku = thing.size.to_string();
        said.insert(
            "managedDisk".to_owned(),
            json!({ "id": thing.body.get("id"), "storageAccountType": sku }),
        );
    } else {
        let number = said.get("lun").and_then(Value::as_i64);
        let plain = number.map_or_else(|| "OsDisk_1".to_owned(), |lun| format!("DataDisk_{lun}"));
        let guid = call.new_guid(estate, "disk").replace('-', "");
        let name = match text(&as_value, "name") {
            "" => format!("{}_{plain}_{guid}", made.target.name),
            name => name.to_owned(),
        };
        let sku = match text(&as_value, "managedDisk.storageAccountType") {
            "" => "Standard_LRS",
            sku => sku,
        };
        let gib = said.get("diskSizeGB").and_then(Value::as_u64).unwrap_or(30);
        let disk = Target::in_group(call.subscription(), &made.target.group, DISK, &[&name]);
        keep_disk(call, estate, made, &disk, sku, gib);
        said.insert("name".to_owned(), json!(name));
        said.insert("diskSizeGB".to_owned(), json!(gib));
        said.insert("managedDisk".to_owned(), json!({ "id": disk.id, "storageAccountType": sku }));
    }
    said.entry("caching").or_insert(json!(if made.boot { "ReadWrite" } else { "None" }));
    said.entry("deleteOption").or_insert(json!("Detach"));
    if made.boot {
        said.entry("osType").or_insert(json!("Linux"));
    } else {
        said.entry("toBeDetached").or_insert(json!(false));
    }
}

fn keep_disk(call: &Call<'_>, estate: &mut Estate, made: &Made<'_>, disk: &Target, sku: &str, gib: u64) {
    let creation = if made.boot {
        let version = text(made.image, "version");
        let id = match text(made.image, "id") {
            "" => format!(
                "/Subscriptions/{}/Providers/Microsoft.Compute/Locations/{}/Publishers/{}/ArtifactTypes/VMImage/Offers/\
                 {}/Skus/{}/Versions/{version}",
                call.subscription(),
                made.place,
                text(made.image, "publisher"),
                text(made.image, "offer"),
                text(made.image, "sku"),
            ),
            id => id.to_owned(),
        };
        json!({ "createOption": "FromImage", "imageReference": { "id": id } })
    } else {
        json!({ "createOption": "Empty" })
    };
    let mut properties = disk::shown(call, estate, gib, sku, &creation);
    if made.boot {
        properties.insert("osType".to_owned(), json!("Linux"));
    }
    let mut document = json!({
        "location": made.place, "sku": disk::sku(sku), "tags": {}, "properties": properties,
    });
    if let Some(zone) = made.zone {
        document["zones"] = json!([zone]);
    }
    let mut draft = Draft::new(made.place, document).charged([disk::meter(sku, gib)]);
    draft.zone = made.zone.map(Into::into);
    sku.clone_into(&mut draft.size);
    resource::keep(call, estate, disk, draft);
}

/// Writes on a disk whose it is: `Attached` to a machine that has processors, `Reserved` for one that has none.
pub fn own(call: &Call<'_>, estate: &mut Estate, disk: &str, owner: &str, allocated: bool) {
    if let Some(thing) = ids::find_mut(call, estate, DISK, &disk.to_lowercase()) {
        thing.body.edit(|document| {
            document.insert("managedBy".to_owned(), json!(owner));
            if let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) {
                properties
                    .insert("diskState".to_owned(), json!(if allocated { "Attached" } else { "Reserved" }));
            }
        });
    }
}

/// Writes on a disk that it is no one's.
pub fn free(call: &Call<'_>, estate: &mut Estate, disk: &str) {
    if let Some(thing) = ids::find_mut(call, estate, DISK, &disk.to_lowercase()) {
        thing.body.edit(|document| {
            document.remove("managedBy");
            if let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) {
                properties.insert("diskState".to_owned(), json!("Unattached"));
            }
        });
    }
}

/// Writes on interfaces whose they are; the first one is primary.
pub fn take_interfaces(call: &Call<'_>, estate: &mut Estate, target: &Target, properties: &Value) {
    for (index, interface) in
        inside(properties, "networkProfile.networkInterfaces").as_array().into_iter().flatten().enumerate()
    {
        let primary = inside(interface, "properties.primary").as_bool().unwrap_or(index == 0);
        if let Some(nic) = ids::find_mut(call, estate, NIC, &text(interface, "id").to_lowercase()) {
            nic.body.edit(|document| {
                if let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) {
                    properties.insert("virtualMachine".to_owned(), json!({ "id": target.id }));
                    properties.insert("primary".to_owned(), json!(primary));
                }
            });
        }
    }
}

/// Lets go of what a machine no longer has: what it had and `now` does not name.
pub fn let_go(call: &Call<'_>, estate: &mut Estate, before: &Value, now: &Value) {
    let kept = disks(now);
    for id in disks(before).iter().filter(|id| !kept.iter().any(|kept| kept.eq_ignore_ascii_case(id))) {
        free(call, estate, id);
    }
    let named = |properties: &Value| -> Vec<String> {
        let all = inside(properties, "networkProfile.networkInterfaces").as_array().into_iter().flatten();
        all.map(|nic| text(nic, "id").to_lowercase()).collect()
    };
    let kept = named(now);
    for id in named(before).iter().filter(|id| !kept.contains(id)) {
        free_interface(call, estate, id);
    }
}

fn free_interface(call: &Call<'_>, estate: &mut Estate, id: &str) {
    if let Some(nic) = ids::find_mut(call, estate, NIC, id) {
        nic.body.edit(|document| {
            if let Some(properties) = document.get_mut("properties").and_then(Value::as_object_mut) {
                properties.remove("virtualMachine");
                properties.remove("primary");
            }
        });
    }
}

/// What becomes of disks and interfaces when their machine is deleted: gone if that was asked for, free otherwise.
pub fn leave(call: &Call<'_>, estate: &mut Estate, machine: &Thing, takes: TimeDelta) {
    let properties = machine.body.get("properties");
    let boot = inside(&properties, "storageProfile.osDisk");
    let data = inside(&properties, "storageProfile.dataDisks").as_array().into_iter().flatten();
    for disk in std::iter::once(boot).chain(data) {
        let id = text(disk, "managedDisk.id");
        free(call, estate, id);
        if text(disk, "deleteOption").eq_ignore_ascii_case("delete") {
            resource::end(call, estate, DISK, &id.to_lowercase(), takes);
        }
    }
    for nic in inside(&properties, "networkProfile.networkInterfaces").as_array().into_iter().flatten() {
        let id = text(nic, "id").to_lowercase();
        free_interface(call, estate, &id);
        if text(nic, "properties.deleteOption").eq_ignore_ascii_case("delete") {
            super::interfaces::leave(call, estate, &id, takes);
            resource::end(call, estate, NIC, &id, takes);
        }
    }
}

/// The machine that a disk belongs to.
pub fn owner<'e>(call: &Call<'_>, estate: &'e Estate, disk: &Thing) -> Option<&'e Thing> {
    let owner = disk.body.get("managedBy");
    ids::referred(call, estate, VM, owner.as_str()?)
}
