//! Changes of instances: starting, stopping, rebooting, terminating, and what may be changed in which state.

use std::collections::HashSet;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    done,
    instances::{INSTANCE, state},
    launch::{self, BOOT},
    volumes,
};
use crate::{
    aws::{
        ask::{Ask, stamp},
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Meter, Thing},
    face::FaceName,
};

/// How long an instance takes to stop, and to shut down for good.
const STOP: TimeDelta = TimeDelta::seconds(30);
/// How long a terminated instance is still described.
const AFTERGLOW: TimeDelta = TimeDelta::hours(1);

/// Changes the states of several instances, all or none: `from` may be left for the state that `turn` begins.
fn change(
    ask: &Ask<'_>,
    estate: &mut Estate,
    (from, idle): (&[&str], &[&str]),
    turn: impl Fn(&Ask<'_>, &mut Thing),
) -> Result<Vec<Value>, Refusal> {
    let ids = ask.texts("InstanceIds");
    INSTANCE.check(ask, estate, &ids)?;
    for id in &ids {
        let instance = INSTANCE.one(ask, estate, id)?;
        let now = instance.state(ask.now);
        if !from.contains(&now) && !idle.contains(&now) {
            return Err(incorrect(id, now, ask));
        }
    }
    let mut changes = Vec::new();
    for id in ids {
        let instance = INSTANCE.one_mut(ask, estate, id)?;
        let before = instance.state(ask.now).to_owned();
        if from.contains(&&*before) {
            turn(ask, instance);
        }
        changes.push(json!({
            "InstanceId": id, "PreviousState": state(&before), "CurrentState": state(instance.state(ask.now)),
        }));
    }
    Ok(changes)
}

fn incorrect(id: &str, now: &str, ask: &Ask<'_>) -> Refusal {
    let verb = ask.operation.rsplit(':').next().unwrap_or_default();
    let message =
        format!("The instance '{id}' is not in a state from which it can be used for {verb}: it is {now}");
    Refusal::new("IncorrectInstanceState", message)
}

pub(super) fn start(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let mut wanted = 0;
    for id in ask.texts("InstanceIds") {
        let instance = INSTANCE.one(ask, estate, id)?;
        if !ask.effects.has_capacity(instance.zone.as_deref().unwrap_or_default(), &instance.size) {
            let message = format!("Insufficient capacity for {} in the zone of {id}.", instance.size);
            return Err(Refusal::new("InsufficientInstanceCapacity", message).status(500));
        }
        if instance.state(ask.now) == "stopped" {
            wanted += launch::vcpus(ask, instance);
        }
    }
    let (spare, quota) = launch::spare_vcpus(ask, estate);
    if wanted > spare {
        return Err(launch::too_many_vcpus(quota));
    }
    let ids = ask.texts("InstanceIds");
    let fresh: Vec<String> = ids.iter().map(|_| super::addresses::passing(estate)).collect();
    let changes = change(ask, estate, (&["stopped"], &["pending", "running"]), |ask, instance| {
        instance.life.turn(ask.now, "pending");
        instance.life.plan(BOOT, "running");
        let address = ids.iter().position(|id| **id == *instance.id).and_then(|at| fresh.get(at));
        instance.body.edit(|body| {
            body.insert("LaunchTime".to_owned(), stamp(ask.now));
            // An address that was the instance's own by its launch is another one after a rest.
            if let (Some(address), true) = (address, body.contains_key("_PublicIp")) {
                body.entry("PublicIpAddress").or_insert_with(|| address.as_str().into());
            }
        });
    })?;
    Ok(json!({ "StartingInstances": changes }).into())
}

pub(crate) fn stop(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let changes = change(ask, estate, (&["running"], &["stopping", "stopped"]), |ask, instance| {
        instance.life.turn(ask.now, "stopping");
        instance.life.plan(STOP, "stopped");
        instance.body.edit(|body| {
            if body.contains_key("_PublicIp") {
                body.shift_remove("PublicIpAddress");
            }
        });
    })?;
    Ok(json!({ "StoppingInstances": changes }).into())
}

pub(super) fn reboot(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    change(ask, estate, (&["running"], &[]), |_, _| {})?;
    Ok(done().into())
}

pub(crate) fn terminate(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let ids = ask.texts("InstanceIds");
    INSTANCE.check(ask, estate, &ids)?;
    for id in &ids {
        if INSTANCE.one(ask, estate, id)?.body.get("_Protected") == true {
            let message = format!(
                "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
            );
            return Err(Refusal::new("OperationNotPermitted", message));
        }
    }
    let from = &["pending", "running", "stopping", "stopped"];
    let changes = change(ask, estate, (from, &["shutting-down", "terminated"]), |ask, instance| {
        instance.life.turn(ask.now, "shutting-down");
        instance.life.plan(STOP, "terminated");
    })?;
    let was = |change: &Value| from.contains(&change["PreviousState"]["Name"].as_str().unwrap_or_default());
    let ended =
        changes.iter().filter(|change| was(change)).filter_map(|change| change["InstanceId"].as_str());
    let ended: Vec<&str> = ended.collect();
    for id in &ended {
        let instance = INSTANCE.one(ask, estate, id)?;
        let attached = volumes::attached_to(ask, estate, instance);
        let token = instance.body.get("ClientToken");
        ask.end(estate, super::INSTANCES, id, STOP + AFTERGLOW);
        volumes::let_go(ask, estate, &attached);
        if let Some(token) = token.as_str().filter(|token| !token.is_empty()) {
            launch::let_go(ask, estate, token);
        }
    }
    super::addresses::let_go(ask, estate, &ended.into_iter().collect::<HashSet<_>>());
    Ok(json!({ "TerminatingInstances": changes }).into())
}

pub(super) fn modify(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let id = ask.need("InstanceId");
    let now = INSTANCE.one(ask, estate, id)?.state(ask.now).to_owned();
    let attribute = ask.text("Attribute");
    let value = |name: &str| {
        let lower = name[..1].to_lowercase() + &name[1..];
        let given = ask.get(name).and_then(|value| value.get("Value"));
        given.cloned().or_else(|| (attribute == Some(&lower)).then(|| ask.get("Value").cloned())?)
    };
    if let Some(size) = value("InstanceType") {
        return resize(ask, estate, id, &now, size.as_str().unwrap_or_default());
    }
    let instance = INSTANCE.one_mut(ask, estate, id)?;
    let truth = |value: Value| value == true || value == "true";
    if let Some(protected) = value("DisableApiTermination") {
        instance.body.edit(|body| {
            body.insert("_Protected".to_owned(), truth(protected).into());
        });
    } else if let Some(check) = value("SourceDestCheck") {
        instance.body.edit(|body| {
            body.insert("SourceDestCheck".to_owned(), truth(check).into());
        });
    } else if let Some(optimized) = value("EbsOptimized") {
        if now != "stopped" {
            return Err(incorrect(id, &now, ask));
        }
        instance.body.edit(|body| {
            body.insert("EbsOptimized".to_owned(), truth(optimized).into());
        });
    } else if ask.get("Groups").is_some() {
        return regroup(ask, estate, id);
    } else {
        let message = "No attributes specified, or none that the simulator has.";
        return Err(Refusal::new("InvalidParameterCombination", message));
    }
    Ok(done().into())
}

fn resize(ask: &Ask<'_>, estate: &mut Estate, id: &str, now: &str, name: &str) -> Answered {
    if now != "stopped" {
        let message = format!("The instance '{id}' is not in the 'stopped' state.");
        return Err(Refusal::new("IncorrectInstanceState", message));
    }
    let size = ask.world.plan.size(FaceName::Aws, name).filter(|size| !size.database);
    let size = size.ok_or_else(|| {
        Refusal::new("InvalidInstanceAttributeValue", format!("Invalid value '{name}' for InstanceType."))
    })?;
    let instance = INSTANCE.one_mut(ask, estate, id)?;
    if instance.body.get("Architecture") != *size.architecture {
        let message = format!("The instance type '{name}' has another architecture than the instance.");
        return Err(Refusal::new("InvalidParameterCombination", message));
    }
    instance.size = size.name.clone();
    instance.meter(ask.now, [Meter::new(&format!("compute/{name}"), 1.0).only_in(&["running"])]);
    instance.body.edit(|body| {
        body.insert(
            "CpuOptions".to_owned(),
            json!({ "CoreCount": size.vcpus.div_ceil(2), "ThreadsPerCore": 2.min(size.vcpus) }),
        );
    });
    Ok(done().into())
}

fn regroup(ask: &Ask<'_>, estate: &mut Estate, id: &str) -> Answered {
    let mut groups = Vec::new();
    for group in ask.texts("Groups") {
        let group = super::network::GROUP.one(ask, estate, group)?;
        groups.push(json!({ "GroupId": group.id, "GroupName": group.body.get("GroupName") }));
    }
    INSTANCE.one_mut(ask, estate, id)?.body.edit(|body| {
        body.insert("SecurityGroups".to_owned(), Value::Array(groups));
    });
    Ok(done().into())
}

pub(super) fn attribute(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let instance = INSTANCE.one(ask, estate, ask.need("InstanceId"))?;
    let (name, value) = match ask.need("Attribute") {
        "instanceType" => ("InstanceType", json!({ "Value": instance.size })),
        "disableApiTermination" => {
            ("DisableApiTermination", json!({ "Value": instance.body.get("_Protected") }))
        }
        "sourceDestCheck" => ("SourceDestCheck", json!({ "Value": instance.body.get("SourceDestCheck") })),
        "ebsOptimized" => ("EbsOptimized", json!({ "Value": instance.body.get("EbsOptimized") })),
        "rootDeviceName" => ("RootDeviceName", json!({ "Value": instance.body.get("RootDeviceName") })),
        "blockDeviceMapping" => ("BlockDeviceMappings", instance.body.get("BlockDeviceMappings")),
        "groupSet" => ("Groups", instance.body.get("SecurityGroups")),
        other => {
            let message = format!("The attribute {other} is not supported by the simulator.");
            return Err(Refusal::new("UnsupportedOperation", message));
        }
    };
    Ok(json!({ "InstanceId": instance.id, name: value }).into())
}
