//! Target groups, and what is registered with them.

use std::collections::HashMap;

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{BALANCERS, GROUPS, LISTENERS, balancers::groups_of, done, not_found, one, page, set};
use crate::{
    aws::{
        ask::{Ask, copied, stamp, tags_of},
        ec2,
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Thing},
};

const SETTINGS: &[&str] = &[
    "HealthCheckEnabled",
    "HealthCheckIntervalSeconds",
    "HealthCheckPath",
    "HealthCheckPort",
    "HealthCheckProtocol",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "IpAddressType",
    "Matcher",
    "Port",
    "Protocol",
    "ProtocolVersion",
    "TargetType",
    "UnhealthyThresholdCount",
    "VpcId",
];

pub(crate) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let name = ask.need("Name");
    if ask.all(estate, GROUPS).any(|group| &*group.name == name) {
        let message =
            format!("A target group with the same name '{name}' exists, but with different settings");
        return Err(Refusal::new("DuplicateTargetGroupName", message));
    }
    let lambda = ask.text("TargetType") == Some("lambda");
    if !lambda {
        for needed in ["Protocol", "Port", "VpcId"] {
            if ask.get(needed).is_none() {
                let message = format!("A {} must be specified", needed.to_lowercase());
                return Err(Refusal::new("ValidationError", message).status(400));
            }
        }
        let vpc = ask.need("VpcId");
        if ask.find(estate, ec2::VPCS, vpc).is_none() {
            let message = format!("The VPC ID '{vpc}' is not found");
            return Err(Refusal::new("ValidationError", message).status(400));
        }
    }
    let http = ask.text("Protocol").is_some_and(|protocol| protocol.starts_with("HTTP"));
    let defaults = json!({
        "TargetType": "instance", "HealthCheckEnabled": true, "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5, "HealthyThresholdCount": 5, "UnhealthyThresholdCount": 2,
        "HealthCheckPort": "traffic-port", "HealthCheckProtocol": if http { "HTTP" } else { "TCP" },
        "IpAddressType": "ipv4",
    });
    let mut body: Map<String, Value> = defaults.as_object().cloned().unwrap_or_default();
    if http {
        set(&mut body, "HealthCheckPath", "/");
        set(&mut body, "Matcher", json!({ "HttpCode": "200" }));
        set(&mut body, "ProtocolVersion", "HTTP1");
    }
    body.extend(copied(ask.input, SETTINGS));
    let number = ask.new_id(estate, "", 16);
    let arn = ask.arn("elasticloadbalancing", &format!("targetgroup/{name}/{number}"));
    let mut group = Thing::new(&arn, ask.place(), ask.now, "active");
    group.name = name.into();
    group.tags = tags_of(ask.list("Tags"));
    group.body = (&body).into();
    let shown = show(&group, &[]);
    ask.add(estate, GROUPS, group);
    Ok(json!({ "TargetGroups": [shown] }).into())
}

fn show(group: &Thing, balancers: &[String]) -> Value {
    let mut shown = group.body.read();
    shown.shift_remove("Targets");
    set(&mut shown, "TargetGroupArn", &*group.id);
    set(&mut shown, "TargetGroupName", &*group.name);
    set(&mut shown, "LoadBalancerArns", balancers);
    Value::Object(shown)
}

/// By the ARN of a target group, the load balancers that forward to it.
pub(super) fn routes(ask: &Ask<'_>, estate: &Estate) -> HashMap<String, Vec<String>> {
    let mut routes: HashMap<String, Vec<String>> = HashMap::new();
    for listener in ask.all(estate, LISTENERS) {
        let body = listener.body.read();
        let balancer = body.get("LoadBalancerArn").and_then(Value::as_str).unwrap_or_default();
        let actions = body.get("DefaultActions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for group in groups_of(actions) {
            let known = routes.entry(group.to_owned()).or_default();
            if !known.iter().any(|other| other == balancer) {
                known.push(balancer.to_owned());
            }
        }
    }
    routes
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let routes = routes(ask, estate);
    let of = ask.text("LoadBalancerArn");
    if let Some(arn) = of {
        one(ask, estate, BALANCERS, arn)?;
    }
    let balancers = |group: &Thing| routes.get(&*group.id).map_or(&[][..], Vec::as_slice);
    let also = |group: &Thing| of.is_none_or(|arn| balancers(group).iter().any(|known| known == arn));
    page(ask, estate, GROUPS, ("TargetGroups", "TargetGroupArns"), also, |group| {
        show(group, balancers(group))
    })
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let arn = ask.need("TargetGroupArn");
    if routes(ask, estate).contains_key(arn) {
        let message = format!("Target group '{arn}' is currently in use by a listener or a rule");
        return Err(Refusal::new("ResourceInUse", message));
    }
    let arn = one(ask, estate, GROUPS, arn)?.id.clone();
    ask.end(estate, GROUPS, &arn, TimeDelta::zero());
    Ok(done().into())
}

pub(super) fn register(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let arn = ask.need("TargetGroupArn");
    let group = one(ask, estate, GROUPS, arn)?.body.read();
    let instances = group.get("TargetType").is_some_and(|kind| kind == "instance");
    let port = group.get("Port").cloned().unwrap_or_default();
    for target in ask.list("Targets") {
        let id = target["Id"].as_str().unwrap_or_default();
        let instance = ask.find(estate, ec2::INSTANCES, id);
        if instances && instance.is_none_or(|instance| instance.state(ask.now) != "running") {
            let message =
                format!("The following targets are not in a running state and cannot be registered: '{id}'");
            return Err(Refusal::new("InvalidTarget", message));
        }
    }
    add(ask, estate, arn, ask.list("Targets"), &port);
    Ok(done().into())
}

fn add(ask: &Ask<'_>, estate: &mut Estate, arn: &str, targets: &[Value], port: &Value) {
    let Some(group) = ask.find_mut(estate, GROUPS, arn) else { return };
    group.body.edit(|body| {
        let entry = body.entry("Targets").or_insert_with(|| json!([]));
        let Some(list) = entry.as_array_mut() else { return };
        for target in targets {
            let port = target.get("Port").unwrap_or(port);
            let known = list.iter().any(|known| known["Id"] == target["Id"] && known["Port"] == *port);
            if !known {
                list.push(json!({ "Id": target["Id"], "Port": port, "Since": stamp(ask.now) }));
            }
        }
    });
}

pub(super) fn deregister(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let arn = ask.need("TargetGroupArn");
    let group = ask.find_mut(estate, GROUPS, arn).ok_or_else(|| not_found(GROUPS, arn))?;
    group.body.edit(|body| {
        if let Some(list) = body.get_mut("Targets").and_then(Value::as_array_mut) {
            list.retain(|known| {
                !ask.list("Targets").iter().any(|target| {
                    known["Id"] == target["Id"]
                        && target.get("Port").is_none_or(|port| known["Port"] == *port)
                })
            });
        }
    });
    Ok(done().into())
}

/// Registers instances that Auto Scaling launched, whatever their state.
pub(crate) fn register_instances(ask: &Ask<'_>, estate: &mut Estate, arn: &str, ids: &[String]) {
    let port = ask.find(estate, GROUPS, arn).map(|group| group.body.get("Port")).unwrap_or_default();
    let targets: Vec<Value> = ids.iter().map(|id| json!({ "Id": id })).collect();
    add(ask, estate, arn, &targets, &port);
}

/// Takes out instances that Auto Scaling terminates.
pub(crate) fn deregister_instances(ask: &Ask<'_>, estate: &mut Estate, arn: &str, ids: &[String]) {
    if let Some(group) = ask.find_mut(estate, GROUPS, arn) {
        group.body.edit(|body| {
            if let Some(list) = body.get_mut("Targets").and_then(Value::as_array_mut) {
                list.retain(|known| !ids.iter().any(|id| known["Id"] == **id));
            }
        });
    }
}
