//! What a virtual machine is asked to be, held against what there is.

use serde_json::{Map, Value, json};

use super::{IMAGE, interfaces};
use crate::{
    azure::{
        call::{Call, inside, text},
        error::{Outcome, Refused},
        ids::{self, Target},
        network::NIC,
    },
    estate::{Estate, Thing},
    plan::Region,
};

/// Members that are never shown again.
const SECRET: &[&str] = &["adminPassword", "customData", "secrets"];

/// Refuses a machine whose members cannot be, and gives its properties without secrets.
pub fn properties(
    call: &Call<'_>,
    estate: &Estate,
    target: &Target,
    region: &Region,
    existing: Option<&Thing>,
) -> Outcome<Map<String, Value>> {
    let mut properties = call.body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(old) = existing {
        refuse_changes(&properties, &old.body.get("properties"))?;
    } else {
        storage(call, estate, &Value::Object(properties.clone()))?;
        login(&Value::Object(properties.clone()))?;
    }
    network(call, estate, (target, existing), region, &Value::Object(properties.clone()))?;
    if let Some(profile) = properties.get_mut("osProfile").and_then(Value::as_object_mut) {
        profile.retain(|name, _| !SECRET.contains(&name.as_str()));
        profile.entry("secrets").or_insert_with(|| json!([]));
        profile.entry("allowExtensionOperations").or_insert(json!(true));
    }
    Ok(properties)
}

/// What the boot disk is made from.
fn storage(call: &Call<'_>, estate: &Estate, properties: &Value) -> Outcome<()> {
    let option = text(properties, "storageProfile.osDisk.createOption");
    if inside(properties, "storageProfile.osDisk").is_null() {
        return Err(Refused::lacks("storageProfile.osDisk"));
    }
    match option.to_lowercase().as_str() {
        "fromimage" => image(call, estate, inside(properties, "storageProfile.imageReference")),
        "attach" if text(properties, "storageProfile.osDisk.managedDisk.id").is_empty() => {
            Err(Refused::lacks("osDisk.managedDisk"))
        }
        "attach" => Ok(()),
        _ => Err(Refused::value(
            "osDisk.createOption",
            format!("Unexpected create option '{option}' for the OS disk. Expected 'FromImage' or 'Attach'."),
        )),
    }
}

/// An image: of the subscription by its id, or of the marketplace by four names.
pub fn image(call: &Call<'_>, estate: &Estate, reference: &Value) -> Outcome<()> {
    if reference.is_null() {
        return Err(Refused::lacks("imageReference"));
    }
    let id = text(reference, "id");
    if !id.is_empty() {
        let found = ids::referred(call, estate, IMAGE, id).is_some();
        return if found { Ok(()) } else { Err(not_found(id, "imageReference")) };
    }
    for name in ["publisher", "offer", "sku", "version"] {
        if text(reference, name).is_empty() {
            return Err(Refused::value(
                "imageReference",
                format!("Required parameter 'imageReference.{name}' is missing (null)."),
            ));
        }
    }
    Ok(())
}

/// That a resource a machine refers to is not there.
pub fn not_found(id: &str, member: &str) -> Refused {
    Refused::missing("NotFound", format!("Resource {id} not found.")).about(member)
}

/// A way to log in.
fn login(properties: &Value) -> Outcome<()> {
    if text(properties, "storageProfile.osDisk.createOption").eq_ignore_ascii_case("attach") {
        return Ok(());
    }
    let profile = inside(properties, "osProfile");
    if profile.is_null() {
        return Err(Refused::lacks("osProfile"));
    }
    for name in ["adminUsername", "computerName"] {
        if text(profile, name).is_empty() {
            return Err(Refused::lacks(&format!("osProfile.{name}")));
        }
    }
    let password = !text(profile, "adminPassword").is_empty();
    let keys =
        inside(profile, "linuxConfiguration.ssh.publicKeys").as_array().is_some_and(|keys| !keys.is_empty());
    if password || keys {
        return Ok(());
    }
    Err(Refused::value(
        "linuxConfiguration",
        "Authentication using either SSH or by user name and password must be enabled in Linux profile.",
    ))
}

/// Interfaces, of which there must be one, in the same region, that no other machine has.
fn network(
    call: &Call<'_>,
    estate: &Estate,
    (target, existing): (&Target, Option<&Thing>),
    region: &Region,
    properties: &Value,
) -> Outcome<()> {
    if existing.is_none() && interfaces::are_wanted(properties) {
        return interfaces::refuse(properties);
    }
    let interfaces = inside(properties, "networkProfile.networkInterfaces").as_array();
    let Some(interfaces) = interfaces.filter(|interfaces| !interfaces.is_empty()) else {
        return Err(Refused::lacks("networkProfile"));
    };
    for (index, interface) in interfaces.iter().enumerate() {
        let id = text(interface, "id");
        if ids::parse(id).is_none_or(|parsed| !parsed.kind.eq_ignore_ascii_case(NIC)) {
            return Err(Refused::bad(
                "LinkedInvalidPropertyId",
                format!(
                    "Property id '{id}' at path 'properties.networkProfile.networkInterfaces[{index}].id' is invalid. \
                     Expect fully qualified resource Id that start with '/subscriptions/{{subscriptionId}}' or \
                     '/providers/{{resourceProviderNamespace}}/'."
                ),
            ));
        }
        let found = ids::referred(call, estate, NIC, id).filter(|nic| nic.gone_at.is_none());
        let nic =
            found.filter(|nic| *nic.place == *region.id).ok_or_else(|| not_found(id, "networkProfile"))?;
        let owner = nic.body.get("properties");
        let owner = text(&owner, "virtualMachine.id");
        if !owner.is_empty() && !owner.eq_ignore_ascii_case(&target.id) {
            return Err(Refused::bad(
                "NicInUse",
                format!("Network Interface {id} is used by existing resource {owner}."),
            ));
        }
    }
    Ok(())
}

/// Refuses to change what is fixed when a machine is made.
fn refuse_changes(new: &Map<String, Value>, old: &Value) -> Outcome<()> {
    let fixed = [
        "osProfile.adminUsername",
        "osProfile.computerName",
        "storageProfile.imageReference.id",
        "storageProfile.imageReference.publisher",
        "storageProfile.imageReference.offer",
        "storageProfile.imageReference.sku",
        "storageProfile.osDisk.name",
        "storageProfile.osDisk.osType",
        "priority",
    ];
    let new = Value::Object(new.clone());
    for path in fixed {
        let (asked, kept) = (text(&new, path), text(old, path));
        if !asked.is_empty() && !asked.eq_ignore_ascii_case(kept) {
            return Err(change_not_allowed(path));
        }
    }
    Ok(())
}

/// That a member cannot be changed.
pub fn change_not_allowed(member: &str) -> Refused {
    Refused::conflict("PropertyChangeNotAllowed", format!("Changing property '{member}' is not allowed."))
        .about(member)
}
