//! Load balancers and their listeners.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{BALANCERS, GROUPS, LISTENERS, done, one, page, set};
use crate::{
    aws::{
        ask::{Ask, stamp, tags_of},
        ec2,
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Life, Meter, Thing},
};

const PROVISIONING: TimeDelta = TimeDelta::seconds(90);

fn validation(message: impl Into<String>) -> Refusal {
    Refusal::new("ValidationError", message).status(400)
}

pub(crate) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let name = ask.need("Name");
    if ask.all(estate, BALANCERS).any(|balancer| &*balancer.name == name) {
        let message =
            format!("A load balancer with the same name '{name}' exists, but with different settings");
        return Err(Refusal::new("DuplicateLoadBalancerName", message));
    }
    let kind = ask.text("Type").unwrap_or("application");
    let (vpc, zones) = site(ask, estate, kind)?;
    let short = match kind {
        "network" => "net",
        "gateway" => "gwy",
        _ => "app",
    };
    let number = ask.new_id(estate, "", 16);
    let arn = ask.arn("elasticloadbalancing", &format!("loadbalancer/{short}/{name}/{number}"));
    let mut balancer = Thing::new(&arn, ask.place(), ask.now, "provisioning");
    balancer.life = Life::new(ask.now, "provisioning").then(PROVISIONING, "active");
    balancer.name = name.into();
    balancer.size = kind.into();
    balancer.tags = tags_of(ask.list("Tags"));
    let internal = ask.text("Scheme") == Some("internal");
    balancer.body = json!({
        "Scheme": if internal { "internal" } else { "internet-facing" },
        "DNSName": format!("{}{name}-{number}.{}.elb.amazonaws.com", if internal { "internal-" } else { "" }, ask.place()),
        "CanonicalHostedZoneId": "Z32O12XQLNTSW2",
        "VpcId": vpc,
        "AvailabilityZones": zones,
        "SecurityGroups": ask.texts("SecurityGroups"),
        "IpAddressType": ask.text("IpAddressType").unwrap_or("ipv4"),
    })
    .into();
    balancer.meter(ask.now, [Meter::new("balancer/application", 1.0)]);
    let shown = show(ask, &balancer);
    ask.add(estate, BALANCERS, balancer);
    Ok(json!({ "LoadBalancers": [shown] }).into())
}

/// The network of a load balancer, and its zones with their subnets.
fn site(ask: &Ask<'_>, estate: &Estate, kind: &str) -> Result<(Value, Vec<Value>), Refusal> {
    let mut subnets = ask.texts("Subnets");
    subnets.extend(ask.list("SubnetMappings").iter().filter_map(|mapping| mapping["SubnetId"].as_str()));
    let (mut zones, mut vpc): (Vec<Value>, Value) = (Vec::new(), Value::Null);
    for id in &subnets {
        let subnet = ask
            .find(estate, ec2::SUBNETS, id)
            .ok_or_else(|| Refusal::new("SubnetNotFound", format!("The subnet ID '{id}' does not exist")))?;
        let of = subnet.body.get("VpcId");
        if !vpc.is_null() && vpc != of {
            return Err(Refusal::new("InvalidSubnet", "The subnets belong to more than one VPC"));
        }
        let zone = subnet.zone.as_deref().unwrap_or_default();
        if zones.iter().any(|known| known["ZoneName"] == *zone) {
            let message =
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone";
            return Err(Refusal::new("InvalidConfigurationRequest", message));
        }
        vpc = of;
        zones.push(json!({ "ZoneName": zone, "SubnetId": id, "LoadBalancerAddresses": [] }));
    }
    if zones.is_empty() || kind == "application" && zones.len() < 2 {
        return Err(validation("At least two subnets in two different Availability Zones must be specified"));
    }
    Ok((vpc, zones))
}

fn show(ask: &Ask<'_>, balancer: &Thing) -> Value {
    let mut shown = balancer.body.read();
    set(&mut shown, "LoadBalancerArn", &*balancer.id);
    set(&mut shown, "LoadBalancerName", &*balancer.name);
    set(&mut shown, "Type", &*balancer.size);
    set(&mut shown, "CreatedTime", stamp(balancer.born));
    set(&mut shown, "State", json!({ "Code": balancer.state(ask.now) }));
    Value::Object(shown)
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    page(
        ask,
        estate,
        BALANCERS,
        ("LoadBalancers", "LoadBalancerArns"),
        |_| true,
        |balancer| show(ask, balancer),
    )
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a handler")]
pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let arn = ask.need("LoadBalancerArn");
    // What is not there is deleted as well.
    let listeners: Vec<_> = ask
        .all(estate, LISTENERS)
        .filter(|listener| listener.body.get("LoadBalancerArn") == arn)
        .map(|listener| listener.id.clone())
        .collect();
    for listener in listeners {
        ask.end(estate, LISTENERS, &listener, TimeDelta::zero());
    }
    ask.end(estate, BALANCERS, arn, TimeDelta::zero());
    Ok(done().into())
}

pub(crate) fn create_listener(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let arn = ask.need("LoadBalancerArn");
    let balancer = one(ask, estate, BALANCERS, arn)?.id.clone();
    let port = ask.number("Port").ok_or_else(|| validation("A port must be specified"))?;
    let protocol = ask.text("Protocol").ok_or_else(|| validation("A protocol must be specified"))?;
    let taken = ask.all(estate, LISTENERS).any(|listener| {
        let body = listener.body.read();
        body.get("LoadBalancerArn").is_some_and(|of| *of == *balancer)
            && body.get("Port").is_some_and(|of| *of == port)
    });
    if taken {
        let message = format!("A listener already exists on this port for this load balancer '{arn}'");
        return Err(Refusal::new("DuplicateListener", message));
    }
    if protocol == "HTTPS" && ask.list("Certificates").is_empty() {
        return Err(Refusal::new(
            "CertificateNotFound",
            "A certificate must be specified for HTTPS listeners",
        ));
    }
    for group in groups_of(ask.list("DefaultActions")) {
        one(ask, estate, GROUPS, group)?;
    }
    let number = ask.new_id(estate, "", 16);
    let id = format!("{}/{number}", arn.replacen(":loadbalancer/", ":listener/", 1));
    let mut listener = Thing::new(&id, ask.place(), ask.now, "active");
    listener.tags = tags_of(ask.list("Tags"));
    listener.body = json!({
        "LoadBalancerArn": arn, "Port": port, "Protocol": protocol, "DefaultActions": ask.list("DefaultActions"),
        "Certificates": ask.list("Certificates"),
    })
    .into();
    let shown = show_listener(&listener);
    ask.add(estate, LISTENERS, listener);
    Ok(json!({ "Listeners": [shown] }).into())
}

/// The target groups that actions forward to.
pub(super) fn groups_of(actions: &[Value]) -> Vec<&str> {
    let mut groups = Vec::new();
    for action in actions {
        groups.extend(action["TargetGroupArn"].as_str());
        let several = action["ForwardConfig"]["TargetGroups"].as_array();
        groups.extend(several.into_iter().flatten().filter_map(|group| group["TargetGroupArn"].as_str()));
    }
    groups
}

fn show_listener(listener: &Thing) -> Value {
    let mut shown = listener.body.read();
    set(&mut shown, "ListenerArn", &*listener.id);
    Value::Object(shown)
}

pub(super) fn describe_listeners(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let of = ask.text("LoadBalancerArn");
    if let Some(arn) = of {
        one(ask, estate, BALANCERS, arn)?;
    } else if ask.texts("ListenerArns").is_empty() {
        return Err(validation("You must specify either listener ARNs or a load balancer ARN"));
    }
    let also = |listener: &Thing| of.is_none_or(|arn| listener.body.get("LoadBalancerArn") == arn);
    page(ask, estate, LISTENERS, ("Listeners", "ListenerArns"), also, show_listener)
}

pub(super) fn delete_listener(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let arn = one(ask, estate, LISTENERS, ask.need("ListenerArn"))?.id.clone();
    ask.end(estate, LISTENERS, &arn, TimeDelta::zero());
    Ok(done().into())
}
