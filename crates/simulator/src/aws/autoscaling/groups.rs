//! Groups.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{CONFIGURATIONS, GROUPS, group, scaling, set, validation};
use crate::{
    aws::{
        ask::{Ask, copied, stamp},
        ec2, filters,
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Thing},
};

/// What a request may set of a group, and is shown as it was given.
const SETTINGS: &[&str] = &[
    "AvailabilityZones",
    "CapacityRebalance",
    "DefaultCooldown",
    "DefaultInstanceWarmup",
    "DesiredCapacity",
    "HealthCheckGracePeriod",
    "HealthCheckType",
    "LaunchConfigurationName",
    "LaunchTemplate",
    "MaxInstanceLifetime",
    "MaxSize",
    "MinSize",
    "NewInstancesProtectedFromScaleIn",
    "TargetGroupARNs",
    "TerminationPolicies",
    "VPCZoneIdentifier",
];

/// Instances of a group, at most.
const LARGEST: i64 = 1_000;

fn number(map: &Map<String, Value>, name: &str) -> i64 {
    map.get(name).and_then(Value::as_i64).unwrap_or_default()
}

/// Refuses sizes that contradict each other, and what is not there.
fn check(ask: &Ask<'_>, estate: &Estate, body: &Map<String, Value>) -> Result<(), Refusal> {
    for unsupported in ["MixedInstancesPolicy", "InstanceId"] {
        if ask.get(unsupported).is_some() {
            return Err(validation(format!(
                "{unsupported} is not supported by the simulator; use a launch template."
            )));
        }
    }
    let (least, most, desired) =
        (number(body, "MinSize"), number(body, "MaxSize"), number(body, "DesiredCapacity"));
    if least < 0 || most > LARGEST {
        return Err(validation(format!("The size of a group is from 0 to {LARGEST}")));
    }
    if least > most {
        return Err(validation(format!(
            "Max bound, {most}, must be greater than or equal to min bound, {least}"
        )));
    }
    if desired < least || desired > most {
        return Err(validation(format!(
            "Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}"
        )));
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    launched_by(ask, estate, body)?;
    let subnets = text("VPCZoneIdentifier")
        .ok_or_else(|| validation("At least one subnet must be specified in VPCZoneIdentifier."))?;
    for subnet in subnets.split(',').map(str::trim) {
        if ask.find(estate, ec2::SUBNETS, subnet).is_none() {
            return Err(validation(format!("The subnet ID '{subnet}' does not exist")));
        }
    }
    Ok(())
}

/// Refuses a group that says of nothing, or of two things, what it launches, or of what is not there.
fn launched_by(ask: &Ask<'_>, estate: &Estate, body: &Map<String, Value>) -> Result<(), Refusal> {
    let configuration = body.get("LaunchConfigurationName").and_then(Value::as_str);
    let (template, configuration) = match (body.get("LaunchTemplate"), configuration) {
        (Some(template), None) => (template, ""),
        (None, Some(configuration)) => (&Value::Null, configuration),
        _ => {
            let message = "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.";
            return Err(validation(message));
        }
    };
    if template.is_null() {
        return match ask.find(estate, CONFIGURATIONS, configuration) {
            Some(_) => Ok(()),
            None => Err(validation(format!(
                "Launch configuration name not found - Launch configuration {configuration} not found"
            ))),
        };
    }
    if !matches!(template["Version"].as_str(), None | Some("$Default" | "$Latest" | "1")) {
        return Err(validation("The specified launch template version does not exist."));
    }
    if scaling::template(ask, estate, template).is_none() {
        let message = "The specified launch template, with template name or id, does not exist.";
        return Err(validation(format!("You must use a valid fully-formed launch template. {message}")));
    }
    Ok(())
}

pub(crate) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let name = ask.need("AutoScalingGroupName");
    // Also one that is not seen yet: names are known at once.
    if estate.is_taken(ask.owner(), GROUPS, ask.place(), name, ask.now) {
        let message = "AutoScalingGroup by this name already exists - A group with the name";
        return Err(Refusal::new("AlreadyExists", format!("{message} {name} already exists")));
    }
    let defaults = json!({
        "DefaultCooldown": 300, "HealthCheckType": "EC2", "HealthCheckGracePeriod": 0, "TargetGroupARNs": [],
        "TerminationPolicies": ["Default"], "NewInstancesProtectedFromScaleIn": false,
        "DesiredCapacity": ask.number("MinSize"), "Members": [], "Activities": [],
    });
    let mut body = defaults.as_object().cloned().unwrap_or_default();
    body.extend(copied(ask.input, SETTINGS));
    check(ask, estate, &body)?;
    whole(ask, estate, &mut body);
    let zones = zones(ask, estate, &body);
    set(&mut body, "AvailabilityZones", zones);
    set(&mut body, "Propagated", propagated(ask.list("Tags")));
    let mut group = Thing::new(name, ask.place(), ask.now, "active");
    group.name = name.into();
    group.tags = crate::aws::ask::tags_of(ask.list("Tags"));
    group.body = (&body).into();
    // Launched before the group can be seen by others, so it is there for itself at once.
    estate.add(ask.cause(), GROUPS, group);
    scaling::adjust(ask, estate, name, "a user request created an AutoScalingGroup");
    if let Some(group) = ask.find_mut(estate, GROUPS, name) {
        group.seen_from = ask.now + ask.effects.unseen;
    }
    Ok(Value::Null.into())
}

/// Names a group's template by id and name, whichever was given.
fn whole(ask: &Ask<'_>, estate: &Estate, body: &mut Map<String, Value>) {
    let Some(given) = body.get("LaunchTemplate") else { return };
    let Some(template) = scaling::template(ask, estate, given) else { return };
    let version = given.get("Version").cloned().unwrap_or_else(|| "$Default".into());
    let named = json!({
        "LaunchTemplateId": template.id, "LaunchTemplateName": template.body.get("LaunchTemplateName"),
        "Version": version,
    });
    set(body, "LaunchTemplate", named);
}

/// The keys of the tags that instances get as well.
fn propagated(tags: &[Value]) -> Vec<Value> {
    tags.iter().filter(|tag| tag["PropagateAtLaunch"] == true).map(|tag| tag["Key"].clone()).collect()
}

fn zones(ask: &Ask<'_>, estate: &Estate, body: &Map<String, Value>) -> Vec<String> {
    let subnets = body.get("VPCZoneIdentifier").and_then(Value::as_str).unwrap_or_default();
    let zones = subnets.split(',').filter_map(|subnet| ask.find(estate, ec2::SUBNETS, subnet.trim()));
    let mut zones: Vec<String> =
        zones.filter_map(|subnet| subnet.zone.as_deref().map(str::to_owned)).collect();
    zones.sort_unstable();
    zones.dedup();
    zones
}

fn show(ask: &Ask<'_>, estate: &Estate, group: &Thing) -> Value {
    let mut shown = group.body.read();
    let members = shown.shift_remove("Members").unwrap_or_default();
    let propagated = shown.shift_remove("Propagated").unwrap_or_default();
    shown.shift_remove("Activities");
    let by = ["LaunchConfigurationName", "LaunchTemplate"];
    let by = by.iter().find_map(|name| Some((*name, shown.get(*name)?.clone())));
    let by = by.unwrap_or_default();
    let instances: Vec<Value> = members
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|id| member(ask, estate, id.as_str()?, &by))
        .collect();
    let tags: Vec<Value> = group
        .tags
        .iter()
        .map(|(key, value)| {
            let launch = propagated.as_array().into_iter().flatten().any(|known| *known == **key);
            json!({
                "ResourceId": group.id, "ResourceType": "auto-scaling-group", "Key": key, "Value": value,
                "PropagateAtLaunch": launch,
            })
        })
        .collect();
    set(&mut shown, "AutoScalingGroupName", &*group.id);
    let number = ask.world.seed().uuid(&["scaling-group", ask.owner(), ask.place(), &group.id]);
    let resource = format!("autoScalingGroup:{number}:autoScalingGroupName/{}", group.id);
    set(&mut shown, "AutoScalingGroupARN", ask.arn("autoscaling", &resource));
    set(&mut shown, "CreatedTime", stamp(group.born));
    set(&mut shown, "Instances", instances);
    set(&mut shown, "Tags", tags);
    if group.state(ask.now) == "deleting" {
        set(&mut shown, "Status", "Delete in progress");
    }
    Value::Object(shown)
}

fn member(ask: &Ask<'_>, estate: &Estate, id: &str, (by, named): &(&str, Value)) -> Option<Value> {
    let instance = ask.find(estate, ec2::INSTANCES, id)?;
    let (lifecycle, health) = match instance.state(ask.now) {
        "pending" => ("Pending", "Healthy"),
        "running" => ("InService", "Healthy"),
        "shutting-down" => ("Terminating", "Unhealthy"),
        "terminated" => return None,
        _ => ("InService", "Unhealthy"),
    };
    let mut shown = json!({
        "InstanceId": id, "InstanceType": instance.size, "AvailabilityZone": instance.zone,
        "LifecycleState": lifecycle, "HealthStatus": health, "ProtectedFromScaleIn": false,
    });
    shown[*by] = named.clone();
    Some(shown)
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let names = ask.texts("AutoScalingGroupNames");
    let filters = filters::read(ask.list("Filters"));
    if let Some(name) = filters::unknown(&filters, &[]) {
        return Err(validation(format!("Filter type {name} is not correct.")));
    }
    let wanted = |group: &Thing| {
        (names.is_empty() || names.contains(&&*group.id))
            && filters::pass(group, "", ask.owner(), &filters, &[])
    };
    let paging = (ask.limit("MaxRecords", 100), ask.text("NextToken"));
    let page = ask.page(estate, GROUPS, paging, "InvalidNextToken", wanted)?;
    let mut output = Map::new();
    let shown: Vec<Value> = page.things.iter().map(|group| show(ask, estate, group)).collect();
    set(&mut output, "AutoScalingGroups", shown);
    if let Some(next) = page.next {
        set(&mut output, "NextToken", next);
    }
    Ok(Value::Object(output).into())
}

pub(super) fn update(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let name = ask.need("AutoScalingGroupName");
    let mut body = group(ask, estate, name)?.body.read();
    for (given, other) in
        [("LaunchTemplate", "LaunchConfigurationName"), ("LaunchConfigurationName", "LaunchTemplate")]
    {
        if ask.get(given).is_some() {
            body.shift_remove(other);
        }
    }
    body.extend(copied(ask.input, SETTINGS));
    if ask.get("DesiredCapacity").is_none() {
        let desired = number(&body, "DesiredCapacity");
        let (least, most) = (number(&body, "MinSize"), number(&body, "MaxSize"));
        set(&mut body, "DesiredCapacity", desired.min(most).max(least));
    }
    check(ask, estate, &body)?;
    whole(ask, estate, &mut body);
    let zones = zones(ask, estate, &body);
    set(&mut body, "AvailabilityZones", zones);
    if let Some(group) = ask.find_mut(estate, GROUPS, name) {
        group.body = (&body).into();
    }
    scaling::adjust(ask, estate, name, "a user request updated the AutoScalingGroup");
    Ok(Value::Null.into())
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let name = ask.need("AutoScalingGroupName");
    let found = group(ask, estate, name)?;
    let alive = show(ask, estate, found)["Instances"].as_array().map_or(0, Vec::len);
    if alive > 0 && !ask.flag("ForceDelete") {
        let message = "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.";
        return Err(Refusal::new("ResourceInUse", message));
    }
    scaling::empty(ask, estate, name);
    if let Some(group) = ask.find_mut(estate, GROUPS, name) {
        group.life.turn(ask.now, "deleting");
    }
    ask.end(estate, GROUPS, name, TimeDelta::seconds(if alive > 0 { 60 } else { 0 }));
    Ok(Value::Null.into())
}

pub(super) fn tag(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    for given in ask.list("Tags") {
        let name = given["ResourceId"].as_str().unwrap_or_default();
        group(ask, estate, name)?;
        if let Some(group) = ask.find_mut(estate, GROUPS, name) {
            group.tags.extend(crate::aws::ask::tags_of(std::slice::from_ref(given)));
            group.body.edit(|body| {
                let entry = body.entry("Propagated").or_insert_with(|| json!([]));
                if let Some(keys) = entry.as_array_mut() {
                    keys.retain(|key| *key != given["Key"]);
                    if given["PropagateAtLaunch"] == true {
                        keys.push(given["Key"].clone());
                    }
                }
            });
        }
    }
    Ok(Value::Null.into())
}

pub(super) fn untag(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    for given in ask.list("Tags") {
        let name = given["ResourceId"].as_str().unwrap_or_default();
        group(ask, estate, name)?;
        let key = given["Key"].as_str().unwrap_or_default();
        if let Some(group) = ask.find_mut(estate, GROUPS, name) {
            group.tags.remove(key);
            group.body.edit(|body| {
                if let Some(keys) = body.get_mut("Propagated").and_then(Value::as_array_mut) {
                    keys.retain(|known| known != key);
                }
            });
        }
    }
    Ok(Value::Null.into())
}
