//! Interfaces, and public addresses of theirs, that are made within the PUT of a machine and go with it as they say.

use std::sync::LazyLock;

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::{
    azure::{
        call::{Call, inside, text},
        error::{Outcome, Refused},
        ids::{self, Target},
        network::{ADDRESS, NIC, address, nic},
        resource,
    },
    estate::Estate,
    faults::Effects,
    plan::Region,
};

/// Between providers there are no faults: what the compute provider has made it knows.
static CALM: LazyLock<Effects> = LazyLock::new(Effects::default);

/// Whether a machine's interfaces are to be made with it.
pub fn are_wanted(properties: &Value) -> bool {
    let wanted = inside(properties, "networkProfile.networkInterfaceConfigurations").as_array();
    wanted.is_some_and(|wanted| !wanted.is_empty())
}

/// Refuses what the compute provider refuses before it asks the networks'.
pub fn refuse(properties: &Value) -> Outcome<()> {
    let profile = inside(properties, "networkProfile");
    if !inside(profile, "networkInterfaces").is_null() {
        return Err(Refused::value(
            "networkProfile",
            "Both 'networkInterfaces' and 'networkInterfaceConfigurations' cannot be specified in the network profile.",
        ));
    }
    if text(profile, "networkApiVersion").is_empty() {
        return Err(Refused::lacks("networkProfile.networkApiVersion"));
    }
    Ok(())
}

/// Makes what a machine asks for, and puts references in its place.
pub fn make(
    call: &Call<'_>,
    estate: &mut Estate,
    machine: &Target,
    region: &Region,
    properties: &mut Map<String, Value>,
) -> Outcome<()> {
    if !are_wanted(&Value::Object(properties.clone())) {
        return Ok(());
    }
    let Some(profile) = properties.get_mut("networkProfile").and_then(Value::as_object_mut) else {
        return Ok(());
    };
    let wanted = profile.remove("networkInterfaceConfigurations").unwrap_or_default();
    profile.remove("networkApiVersion");
    let mut references = Vec::new();
    for (index, interface) in wanted.as_array().into_iter().flatten().enumerate() {
        let mut said = inside(interface, "properties").clone();
        for configuration in said["ipConfigurations"].as_array_mut().into_iter().flatten() {
            public(call, estate, machine, region, configuration)?;
        }
        let delete = said["deleteOption"].clone();
        let primary = said["primary"].as_bool().unwrap_or(index == 0);
        if let Some(members) = said.as_object_mut() {
            members.retain(|name, _| !["deleteOption", "primary"].contains(&name.as_str()));
        }
        let own = part(call, machine, text(interface, "name"), NIC);
        let body =
            json!({ "location": region.id.as_ref(), "tags": inside(interface, "tags"), "properties": said });
        nic::put(&beside(call, machine, ("networkInterfaceName", &own.name), body), estate)?;
        references.push(json!({
            "id": own.id,
            "properties": { "primary": primary, "deleteOption": delete.as_str().unwrap_or("Detach") },
        }));
    }
    profile.insert("networkInterfaces".to_owned(), json!(references));
    Ok(())
}

/// Makes the public address of a configuration, if it wants one.
fn public(
    call: &Call<'_>,
    estate: &mut Estate,
    machine: &Target,
    region: &Region,
    configuration: &mut Value,
) -> Outcome<()> {
    let wanted = inside(configuration, "properties.publicIPAddressConfiguration").clone();
    let Some(members) = configuration["properties"].as_object_mut() else { return Ok(()) };
    members.remove("publicIPAddressConfiguration");
    if wanted.is_null() {
        return Ok(());
    }
    let own = part(call, machine, text(&wanted, "name"), ADDRESS);
    let mut said = inside(&wanted, "properties").clone();
    if said.is_null() {
        said = json!({});
    }
    let body = json!({
        "location": region.id.as_ref(), "tags": inside(&wanted, "tags"), "sku": inside(&wanted, "sku"),
        "properties": said,
    });
    address::put(&beside(call, machine, ("publicIpAddressName", &own.name), body), estate)?;
    configuration["properties"]["publicIPAddress"] = json!({ "id": own.id });
    Ok(())
}

fn part(call: &Call<'_>, machine: &Target, name: &str, kind: &'static str) -> Target {
    Target::in_group(call.subscription(), &machine.group, kind, &[name])
}

/// The call by which the compute provider asks the networks' for a thing beside a machine.
fn beside<'a>(call: &Call<'a>, machine: &Target, (name, value): (&'a str, &str), body: Value) -> Call<'a> {
    let parts = [("resourceGroupName", machine.group.clone()), (name, value.to_owned())];
    let parts = call.parts.iter().map(|(name, value)| (*name, value.clone())).chain(parts).collect();
    Call { body, parts, effects: &CALM, ..super::vm::copy(call) }
}

/// Ends the public addresses of an interface that are to go with it.
pub fn leave(call: &Call<'_>, estate: &mut Estate, interface: &str, takes: TimeDelta) {
    let Some(thing) = ids::find(call, estate, NIC, interface) else { return };
    let properties = thing.body.get("properties");
    nic::leave(call, estate, &properties);
    for configuration in inside(&properties, "ipConfigurations").as_array().into_iter().flatten() {
        let id = text(configuration, "properties.publicIPAddress.id").to_lowercase();
        let goes = ids::find(call, estate, ADDRESS, &id).is_some_and(|address| {
            text(&address.body.get("properties"), "deleteOption").eq_ignore_ascii_case("delete")
        });
        if goes {
            resource::end(call, estate, ADDRESS, &id, takes);
        }
    }
}
