//! How a group comes to the size that is wanted: what it launches and terminates, and what it says of it.

use serde_json::{Value, json};

use super::{CONFIGURATIONS, GROUPS, group, set, validation};
use crate::{
    aws::{
        ask::{Ask, stamp},
        ec2, elbv2,
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Thing},
};

/// Activities that are remembered.
const REMEMBERED: usize = 100;

/// What a group is, for scaling.
struct Wanted {
    desired: usize,
    alive: Vec<String>,
    subnets: Vec<String>,
    /// What an instance is launched with, but for its subnet and tags.
    input: Value,
    targets: Vec<String>,
    tags: Vec<Value>,
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn wanted(ask: &Ask<'_>, estate: &Estate, name: &str) -> Option<Wanted> {
    let group = ask.find(estate, GROUPS, name)?;
    let body = Value::Object(group.body.read());
    let alive = |id: &String| {
        let state = ask.find(estate, ec2::INSTANCES, id).map(|instance| instance.state(ask.now));
        matches!(state, Some("pending" | "running" | "stopping" | "stopped"))
    };
    let propagated = texts(&body["Propagated"]);
    let mut tags: Vec<Value> = group
        .tags
        .iter()
        .filter(|(key, _)| propagated.iter().any(|known| **known == ***key))
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    tags.push(json!({ "Key": "aws:autoscaling:groupName", "Value": name }));
    Some(Wanted {
        desired: body["DesiredCapacity"].as_u64().and_then(|desired| usize::try_from(desired).ok())?,
        alive: texts(&body["Members"]).into_iter().filter(alive).collect(),
        subnets: body["VPCZoneIdentifier"]
            .as_str()?
            .split(',')
            .map(|subnet| subnet.trim().to_owned())
            .collect(),
        input: input(ask, estate, &body)?,
        targets: texts(&body["TargetGroupARNs"]),
        tags,
    })
}

/// The template that a group names, by id or by name.
pub(super) fn template<'e>(ask: &'e Ask<'_>, estate: &'e Estate, given: &Value) -> Option<&'e Thing> {
    match (given["LaunchTemplateId"].as_str(), given["LaunchTemplateName"].as_str()) {
        (Some(id), _) => ask.find(estate, ec2::TEMPLATES, id),
        (None, Some(name)) => ec2::templates::named(ask, estate, name),
        (None, None) => None,
    }
}

/// What a group's instances are launched with.
fn input(ask: &Ask<'_>, estate: &Estate, group: &Value) -> Option<Value> {
    if let Some(given) = group.get("LaunchTemplate") {
        return Some(Value::Object(ec2::templates::data(template(ask, estate, given)?)));
    }
    let name = group["LaunchConfigurationName"].as_str()?;
    let configuration = ask.find(estate, CONFIGURATIONS, name)?.body.read();
    let mut input = json!({});
    for (ours, theirs) in [
        ("ImageId", "ImageId"),
        ("InstanceType", "InstanceType"),
        ("SecurityGroups", "SecurityGroupIds"),
        ("KeyName", "KeyName"),
        ("BlockDeviceMappings", "BlockDeviceMappings"),
    ] {
        if let Some(value) = configuration.get(ours) {
            input[theirs] = value.clone();
        }
    }
    Some(input)
}

/// Brings a group to its desired size.
pub(super) fn adjust(ask: &Ask<'_>, estate: &mut Estate, name: &str, why: &str) {
    let Some(wanted) = wanted(ask, estate, name) else { return };
    let mut members = wanted.alive.clone();
    let mut subnets = fill(ask, estate, &wanted);
    while members.len() < wanted.desired {
        match launch(ask, estate, &wanted, &mut subnets) {
            Ok(id) => {
                let done = format!("Launching a new EC2 instance: {id}");
                note(ask, estate, name, why, (done, "Successful", String::new()));
                for target in &wanted.targets {
                    elbv2::register_instances(ask, estate, target, std::slice::from_ref(&id));
                }
                members.push(id);
            }
            Err(refusal) => {
                let message = format!("{} Launching EC2 instance failed.", refusal.message);
                note(ask, estate, name, why, ("Launching a new EC2 instance".to_owned(), "Failed", message));
                break;
            }
        }
    }
    // The oldest go first.
    let surplus: Vec<String> = members.drain(..members.len().saturating_sub(wanted.desired)).collect();
    end(ask, estate, name, (&surplus, &wanted.targets), why);
    if let Some(group) = ask.find_mut(estate, GROUPS, name) {
        group.body.edit(|body| set(body, "Members", members));
    }
}

/// How many members each subnet of a group has.
fn fill(ask: &Ask<'_>, estate: &Estate, wanted: &Wanted) -> Vec<(usize, String)> {
    let places: Vec<Value> = wanted
        .alive
        .iter()
        .filter_map(|id| ask.find(estate, ec2::INSTANCES, id))
        .map(|instance| instance.body.get("SubnetId"))
        .collect();
    let count = |subnet: &String| places.iter().filter(|place| *place == subnet.as_str()).count();
    wanted.subnets.iter().map(|subnet| (count(subnet), subnet.clone())).collect()
}

/// Launches one instance, in the subnet with the fewest, or in the next one with capacity.
fn launch(
    ask: &Ask<'_>,
    estate: &mut Estate,
    wanted: &Wanted,
    subnets: &mut [(usize, String)],
) -> Result<String, Refusal> {
    let mut order: Vec<usize> = (0..subnets.len()).collect();
    order.sort_by_key(|index| subnets[*index].0);
    let mut refused = Refusal::new("ValidationError", "The group has no subnets.");
    for index in order {
        let (count, subnet) = &mut subnets[index];
        let mut input = wanted.input.clone();
        input["MinCount"] = 1.into();
        input["MaxCount"] = 1.into();
        let mut tags = input["TagSpecifications"].as_array().cloned().unwrap_or_default();
        tags.push(json!({ "ResourceType": "instance", "Tags": wanted.tags }));
        input["TagSpecifications"] = Value::Array(tags);
        if input.get("NetworkInterfaces").is_some() {
            input["NetworkInterfaces"][0]["SubnetId"] = subnet.as_str().into();
        } else {
            input["SubnetId"] = subnet.as_str().into();
        }
        match ec2::launch::run(&Ask { input: &input, ..*ask }, estate) {
            Ok(output) => {
                *count += 1;
                return Ok(output.value["Instances"][0]["InstanceId"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned());
            }
            Err(refusal) => refused = refusal,
        }
    }
    Err(refused)
}

/// Terminates instances of a group.
fn end(ask: &Ask<'_>, estate: &mut Estate, name: &str, (ids, targets): (&[String], &[String]), why: &str) {
    if ids.is_empty() {
        return;
    }
    for target in targets {
        elbv2::deregister_instances(ask, estate, target, ids);
    }
    for id in ids {
        let input = json!({ "InstanceIds": [id] });
        let (status, message) = match ec2::end_instances(&Ask { input: &input, ..*ask }, estate) {
            Ok(_) => ("Successful", String::new()),
            Err(refusal) => ("Failed", refusal.message),
        };
        note(ask, estate, name, why, (format!("Terminating EC2 instance: {id}"), status, message));
    }
}

/// Terminates all that a group has.
pub(super) fn empty(ask: &Ask<'_>, estate: &mut Estate, name: &str) {
    if let Some(wanted) = wanted(ask, estate, name) {
        end(
            ask,
            estate,
            name,
            (&wanted.alive, &wanted.targets),
            "a user request force-deleted the AutoScalingGroup",
        );
    }
}

/// Remembers an activity.
fn note(
    ask: &Ask<'_>,
    estate: &mut Estate,
    name: &str,
    why: &str,
    (description, status, message): (String, &str, String),
) {
    let id = ask.world.seed().uuid(&["activity", &estate.next_number().to_string()]);
    let activity = json!({
        "ActivityId": id, "AutoScalingGroupName": name, "Description": description,
        "Cause": format!("At {} {why}.", ask.now.format("%Y-%m-%dT%H:%M:%SZ")),
        "StartTime": stamp(ask.now), "EndTime": stamp(ask.now), "StatusCode": status, "Progress": 100,
        "StatusMessage": if message.is_empty() { Value::Null } else { cut(&message).into() },
    });
    if let Some(group) = ask.find_mut(estate, GROUPS, name) {
        group.body.edit(|body| {
            if let Some(list) = body.entry("Activities").or_insert_with(|| json!([])).as_array_mut() {
                list.insert(0, activity);
                list.truncate(REMEMBERED);
            }
        });
    }
}

/// As much of a message as the model lets be said.
fn cut(message: &str) -> String {
    message.chars().take(255).collect()
}

pub(super) fn activities(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let wanted = ask.text("AutoScalingGroupName");
    if let Some(name) = wanted {
        group(ask, estate, name)?;
    }
    let groups =
        ask.all(estate, GROUPS).filter(|group: &&Thing| wanted.is_none_or(|name| &*group.id == name));
    let mut all: Vec<Value> = Vec::new();
    for group in groups {
        if let Value::Array(list) = group.body.get("Activities") {
            all.extend(list);
        }
    }
    all.sort_by(|a, b| b["StartTime"].as_str().cmp(&a["StartTime"].as_str()));
    let first = match ask.text("NextToken") {
        None => 0,
        Some(token) => all
            .iter()
            .position(|activity| activity["ActivityId"] == token)
            .ok_or_else(|| Refusal::new("InvalidNextToken", "The token is not valid"))?,
    };
    let until = all.len().min(first + ask.limit("MaxRecords", 100));
    let next = all.get(until).map(|activity| activity["ActivityId"].clone());
    let mut output = json!({ "Activities": all[first..until] });
    if let Some(next) = next {
        output["NextToken"] = next;
    }
    Ok(output.into())
}

pub(super) fn set_desired(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let (name, desired) =
        (ask.need("AutoScalingGroupName"), ask.number("DesiredCapacity").unwrap_or_default());
    let body = group(ask, estate, name)?.body.read();
    let bound = |name: &str| body.get(name).and_then(Value::as_i64).unwrap_or_default();
    let (least, most) = (bound("MinSize"), bound("MaxSize"));
    if desired > most {
        return Err(validation(format!(
            "New SetDesiredCapacity value {desired} is above max value {most} for the AutoScalingGroup."
        )));
    }
    if desired < least {
        return Err(validation(format!(
            "New SetDesiredCapacity value {desired} is below min value {least} for the AutoScalingGroup."
        )));
    }
    if let Some(group) = ask.find_mut(estate, GROUPS, name) {
        group.body.edit(|body| set(body, "DesiredCapacity", desired));
    }
    adjust(ask, estate, name, "a user request explicitly set group desired capacity");
    Ok(Value::Null.into())
}

pub(super) fn terminate(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let id = ask.need("InstanceId");
    let of = |group: &&Thing| texts(&group.body.get("Members")).iter().any(|member| member == id);
    let name = ask.all(estate, GROUPS).find(of).map(|group| group.id.to_string());
    let name = name.ok_or_else(|| {
        validation(format!("Instance Id not found - No managed instance found for instance ID: {id}"))
    })?;
    let body = group(ask, estate, &name)?.body.read();
    let bound = |name: &str| body.get(name).and_then(Value::as_i64).unwrap_or_default();
    if ask.flag("ShouldDecrementDesiredCapacity") {
        let desired = bound("DesiredCapacity") - 1;
        if desired < bound("MinSize") {
            return Err(validation(
                "Currently, desired capacity equals the min size; it cannot be decremented.",
            ));
        }
        if let Some(group) = ask.find_mut(estate, GROUPS, &name) {
            group.body.edit(|body| set(body, "DesiredCapacity", desired));
        }
    }
    let targets = texts(&body.get("TargetGroupARNs").cloned().unwrap_or_default());
    let why = "an instance was taken out of service in response to a user request";
    end(ask, estate, &name, (&[id.to_owned()], &targets), why);
    adjust(ask, estate, &name, why);
    let shown = group(ask, estate, &name)?.body.get("Activities")[0].clone();
    Ok(json!({ "Activity": shown }).into())
}
