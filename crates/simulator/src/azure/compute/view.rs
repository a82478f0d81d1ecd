//! The instance view: what a machine is doing, beside what it is.

use serde_json::{Value, json};

use crate::{
    azure::{
        call::{Answer, Call, inside, stamp, text},
        error::Outcome,
        resource,
    },
    estate::{Estate, Thing},
};

/// The code and words of a machine's power; none while it is made or failed to be.
fn power(state: &str) -> Option<(&'static str, &'static str)> {
    Some(match state {
        "Running" | "Running updating" => ("PowerState/running", "VM running"),
        "Starting" => ("PowerState/starting", "VM starting"),
        "Stopping" => ("PowerState/stopping", "VM stopping"),
        "Stopped" | "Stopped updating" => ("PowerState/stopped", "VM stopped"),
        "Deallocating" => ("PowerState/deallocating", "VM deallocating"),
        "Deallocated" | "Deallocated updating" => ("PowerState/deallocated", "VM deallocated"),
        _ => return None,
    })
}

/// The statuses of a machine: how its last change went, and its power.
pub fn statuses(call: &Call<'_>, thing: &Thing) -> Vec<Value> {
    let (code, words, level) = match resource::state_shown(call, thing) {
        Some("Creating") => ("ProvisioningState/creating", "Creating", "Info"),
        Some("Updating") => ("ProvisioningState/updating", "Updating", "Info"),
        Some("Deleting") => ("ProvisioningState/deleting", "Deleting", "Info"),
        Some(_) => ("ProvisioningState/failed/AllocationFailed", "Provisioning failed", "Error"),
        None => ("ProvisioningState/succeeded", "Provisioning succeeded", "Info"),
    };
    let since = stamp(thing.life.since(call.now));
    let mut found = vec![json!({ "code": code, "level": level, "displayStatus": words, "time": since })];
    if let Some((code, words)) = power(thing.state(call.now)) {
        found.push(json!({ "code": code, "level": "Info", "displayStatus": words }));
    }
    found
}

/// The instance view.
pub fn of(call: &Call<'_>, thing: &Thing) -> Value {
    let properties = thing.body.get("properties");
    let boot = inside(&properties, "storageProfile.osDisk");
    let data = inside(&properties, "storageProfile.dataDisks").as_array().into_iter().flatten();
    let disk = |disk: &Value| {
        json!({
            "name": text(disk, "name"),
            "statuses": [{
                "code": "ProvisioningState/succeeded", "level": "Info", "displayStatus": "Provisioning succeeded",
                "time": stamp(thing.born),
            }],
        })
    };
    let mut view = json!({
        "disks": std::iter::once(boot).chain(data).map(disk).collect::<Vec<_>>(),
        "hyperVGeneration": "V2",
        "statuses": statuses(call, thing),
    });
    let running = matches!(thing.state(call.now), "Running" | "Running updating");
    let computer = text(&properties, "osProfile.computerName");
    if running {
        view["computerName"] = json!(if computer.is_empty() { thing.name.as_ref() } else { computer });
        view["osName"] = json!("ubuntu");
        view["osVersion"] = json!("24.04");
        let (code, words, message) = if call.effects.unhealthy {
            ("ProvisioningState/Unavailable", "Not Ready", "VM status blob is found but not yet populated.")
        } else {
            ("ProvisioningState/succeeded", "Ready", "Guest Agent is running")
        };
        view["vmAgent"] = json!({
            "vmAgentVersion": "2.11.1.12",
            "statuses": [{ "code": code, "level": "Info", "displayStatus": words, "message": message, "time": stamp(call.now) }],
        });
    }
    view
}

/// GET `instanceView`.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let target = super::vm::target(call, estate)?;
    Ok(Answer::ok(&of(call, target.need(call, estate)?)))
}

/// A machine with its instance view in it.
pub fn expanded(call: &Call<'_>, thing: &Thing) -> Value {
    let mut value = resource::value(call, thing);
    value["properties"]["instanceView"] = of(call, thing);
    value
}

/// A machine as `statusOnly` lists it.
pub fn status(call: &Call<'_>, thing: &Thing) -> Value {
    let whole = resource::value(call, thing);
    json!({
        "id": whole["id"], "name": whole["name"], "type": whole["type"], "location": whole["location"],
        "properties": {
            "provisioningState": whole["properties"]["provisioningState"],
            "vmId": whole["properties"]["vmId"],
            "instanceView": { "statuses": statuses(call, thing) },
        },
    })
}
