//! `RunInstances`: what must be right before an instance is made, and what is made with it.

use std::net::Ipv4Addr;

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{INSTANCES, SUBNETS, addresses, given_tags, images, instances, network, private, tag, volumes};
use crate::{
    aws::{
        ask::{Ask, object, stamp},
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Life, Meter, Replay, Thing},
    face::FaceName,
    plan::Size,
};

/// How long an instance is pending.
pub const BOOT: TimeDelta = TimeDelta::seconds(20);

/// What an account may run in a region, in vCPUs, unless a fault says less.
pub const VCPU_QUOTA: u64 = 100_000;

/// How long the token of a launch is kept after the end of its instances.
const TOKEN_KEPT: TimeDelta = TimeDelta::hours(24);

/// Instances of one launch, at most.
const AT_ONCE: u64 = 1_000;

/// Where an instance goes.
struct Site {
    subnet: String,
    vpc: String,
    zone: String,
    cidr: String,
    groups: Vec<Value>,
}

pub(crate) fn run(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    match interface(ask)? {
        Some(input) => run_in(&Ask { input: &input, ..*ask }, estate),
        None => run_in(ask, estate),
    }
}

/// An input that says of the instance what it says of its interface.
fn interface(ask: &Ask<'_>) -> Result<Option<Value>, Refusal> {
    const KNOWN: &[&str] = &[
        "AssociatePublicIpAddress",
        "DeleteOnTermination",
        "Description",
        "DeviceIndex",
        "Groups",
        "SubnetId",
    ];
    let given = match ask.list("NetworkInterfaces") {
        [] => return Ok(None),
        [given] => given,
        _ => {
            let message = "More than one network interface is not supported by the simulator.";
            return Err(Refusal::new("UnsupportedOperation", message));
        }
    };
    let members = given.as_object().into_iter().flat_map(Map::keys);
    if let Some(name) = members.into_iter().find(|name| !KNOWN.contains(&name.as_str())) {
        let message = format!("The parameter NetworkInterfaces.{name} is not supported by the simulator.");
        return Err(Refusal::new("UnsupportedOperation", message));
    }
    if given["DeviceIndex"] != 0 {
        let message = "The primary network interface, of device index 0, must be specified.";
        return Err(Refusal::new("InvalidParameterCombination", message));
    }
    for (name, words) in [("SubnetId", "subnet ID"), ("SecurityGroupIds", "security groups")] {
        if ask.get(name).is_some() {
            let message = format!(
                "Network interfaces and an instance-level {words} may not be specified on the same request"
            );
            return Err(Refusal::new("InvalidParameterCombination", message));
        }
    }
    let mut input = ask.input.clone();
    for (ours, theirs) in [("SubnetId", "SubnetId"), ("Groups", "SecurityGroupIds")] {
        if let Some(value) = given.get(ours) {
            input[theirs] = value.clone();
        }
    }
    Ok(Some(input))
}

fn run_in(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let scope = scope(ask);
    let request = ask.input.to_string();
    let token = ask.text("ClientToken");
    if let Some(token) = token {
        match estate.replay(&scope, token, &request, ask.now) {
            Replay::Same(answer) if ended(ask, estate, &answer) => {
                let message = "The request to launch an instance uses the same client token as a previous request for which the instance has been terminated.";
                return Err(Refusal::new("IdempotentInstanceTerminated", message));
            }
            Replay::Same(answer) => return replayed(ask, estate, &answer),
            Replay::Other => {
                let message = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).";
                return Err(Refusal::new("IdempotentParameterMismatch", message));
            }
            Replay::New => {}
        }
    }
    let (size, image) = what(ask, estate)?;
    let site = site(ask, estate)?;
    let count = count(ask, estate, &size, &site)?;
    let addresses = private::choose(ask, estate, (&site.subnet, &site.cidr), count)?;
    let reservation = ask.new_id(estate, "r-", 17);
    let mut ids = Vec::new();
    for place in addresses.into_iter().enumerate() {
        ids.push(one(ask, estate, (&size, &image), &site, &reservation, place));
    }
    let answer = json!({ "ids": ids, "reservation": reservation });
    if let Some(token) = token {
        estate.remember(&scope, token, &request, answer.clone(), (ask.now, None));
    }
    replayed(ask, estate, &answer)
}

/// Where tokens of launches are unique.
fn scope(ask: &Ask<'_>) -> String {
    format!("RunInstances/{}/{}", ask.owner(), ask.place())
}

/// Whether all instances of an answer were terminated.
fn ended(ask: &Ask<'_>, estate: &Estate, answer: &Value) -> bool {
    let lives =
        |id| estate.present(ask.owner(), INSTANCES, ask.place(), id).is_some_and(|one| one.gone_at.is_none());
    !answer["ids"].as_array().into_iter().flatten().filter_map(Value::as_str).any(lives)
}

/// The token of a launch is kept a day longer than the last of its instances.
pub(super) fn let_go(ask: &Ask<'_>, estate: &mut Estate, token: &str) {
    let scope = scope(ask);
    if estate.answer(&scope, token).is_some_and(|answer| ended(ask, estate, answer)) {
        estate.expire(&scope, token, ask.now + TOKEN_KEPT);
    }
}

/// The answer to a request, also to the same one again: what became of its instances.
#[expect(clippy::unnecessary_wraps, reason = "what the handler ends with")]
fn replayed(ask: &Ask<'_>, estate: &mut Estate, answer: &Value) -> Answered {
    let ids = answer["ids"].as_array().map_or(&[][..], Vec::as_slice);
    // What is not seen yet by others is seen by who made it, in the answer to that.
    let later = Ask { now: ask.now + ask.effects.unseen, ..*ask };
    let mut shown = Vec::new();
    for id in ids.iter().filter_map(Value::as_str) {
        if let Some(instance) = later.find(estate, INSTANCES, id) {
            shown.push(instances::show(ask, instance));
        }
    }
    Ok(json!({
        "ReservationId": answer["reservation"], "OwnerId": ask.owner(), "Groups": [], "Instances": shown,
    })
    .into())
}

/// The size and the image that are asked for, if they exist and fit.
fn what(ask: &Ask<'_>, estate: &Estate) -> Result<(Size, Value), Refusal> {
    let missing =
        |name| Refusal::new("MissingParameter", format!("The request must contain the parameter {name}"));
    let name = ask.text("InstanceType").ok_or_else(|| missing("InstanceType"))?;
    let size = ask.world.plan.size(FaceName::Aws, name).filter(|size| !size.database);
    let size = size.ok_or_else(|| {
        Refusal::new("InvalidParameterValue", format!("Invalid value '{name}' for InstanceType."))
    })?;
    let gib = |mapping: &Value| mapping["Ebs"]["VolumeSize"].as_i64();
    if let Some(gib) =
        ask.list("BlockDeviceMappings").iter().filter_map(gib).find(|gib| !volumes::SIZES.contains(gib))
    {
        let message = format!("Volume of {gib}GiB is not from 1 to 65536 GiB");
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    let id = ask.text("ImageId").ok_or_else(|| missing("ImageId"))?;
    let image = images::find(ask, estate, id)?;
    if image["Architecture"] != *size.architecture {
        let message = format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the \
             specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
            size.architecture,
            image["Architecture"].as_str().unwrap_or_default()
        );
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    Ok((size.clone(), image))
}

fn site(ask: &Ask<'_>, estate: &Estate) -> Result<Site, Refusal> {
    let zone =
        ask.get("Placement").and_then(|placement| placement.get("AvailabilityZone")).and_then(Value::as_str);
    let in_zone = |subnet: &&Thing| zone.is_none_or(|zone| subnet.zone.as_deref() == Some(zone));
    let subnet = match ask.text("SubnetId") {
        Some(id) => network::SUBNET.one(ask, estate, id)?,
        None => ask.all(estate, SUBNETS).find(in_zone).ok_or_else(|| {
            Refusal::new("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")
        })?,
    };
    if !in_zone(&subnet) {
        let message = "The availability zone of the subnet is not the one of the placement";
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    let body = subnet.body.read();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let vpc = text("VpcId");
    Ok(Site {
        groups: groups(ask, estate, &vpc)?,
        subnet: subnet.id.to_string(),
        zone: subnet.zone.as_deref().unwrap_or_default().to_owned(),
        cidr: text("CidrBlock"),
        vpc,
    })
}

/// The groups that are asked for, or the network's default one.
fn groups(ask: &Ask<'_>, estate: &Estate, vpc: &str) -> Result<Vec<Value>, Refusal> {
    let show =
        |group: &Thing| object([("GroupId", (*group.id).into()), ("GroupName", group.body.get("GroupName"))]);
    let ids = ask.texts("SecurityGroupIds");
    if ids.is_empty() {
        let default = ask.all(estate, super::GROUPS).find(|group| {
            let body = group.body.read();
            body.get("VpcId").is_some_and(|of| of == vpc)
                && body.get("GroupName").is_some_and(|name| name == "default")
        });
        return Ok(default.map(show).into_iter().collect());
    }
    ids.iter().map(|id| network::GROUP.one(ask, estate, id).map(show)).collect()
}

/// How many are made at least and at most: as many as there is quota and capacity for.
fn count(ask: &Ask<'_>, estate: &Estate, size: &Size, site: &Site) -> Result<(u64, u64), Refusal> {
    let number = |name| ask.number(name).and_then(|number| u64::try_from(number).ok()).unwrap_or(1);
    let (least, most) = (number("MinCount"), number("MaxCount"));
    if most > AT_ONCE {
        let message = format!(
            "You have requested more instances ({most}) than your current instance limit of {AT_ONCE} allows."
        );
        return Err(Refusal::new("InstanceLimitExceeded", message));
    }
    if least == 0 || most < least {
        let message =
            format!("Invalid value '{most}' for parameter maxCount. It must not be less than minCount.");
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    if !ask.effects.has_capacity(&site.zone, &size.name) {
        let message = format!(
            "We currently do not have sufficient {} capacity in the Availability Zone you requested ({}).",
            size.name, site.zone
        );
        return Err(Refusal::new("InsufficientInstanceCapacity", message).status(500));
    }
    let (spare, quota) = spare_vcpus(ask, estate);
    let allowed = spare / u64::from(size.vcpus.max(1));
    if allowed < least { Err(too_many_vcpus(quota)) } else { Ok((least, most.min(allowed))) }
}

/// The vCPUs of an instance's size.
pub(super) fn vcpus(ask: &Ask<'_>, instance: &Thing) -> u64 {
    ask.world.plan.size(FaceName::Aws, &instance.size).map_or(0, |size| u64::from(size.vcpus))
}

/// The vCPUs that may still be run here, and the quota of all.
pub(super) fn spare_vcpus(ask: &Ask<'_>, estate: &Estate) -> (u64, u64) {
    // The estate is only counted where a quota can be reached.
    let Some(quota) = ask.effects.quota else { return (VCPU_QUOTA, VCPU_QUOTA) };
    let runs = |instance: &&Thing| matches!(instance.state(ask.now), "pending" | "running");
    let used: u64 = ask.all(estate, INSTANCES).filter(runs).map(|instance| vcpus(ask, instance)).sum();
    (quota.saturating_sub(used), quota)
}

/// What is said beyond the quota.
pub(super) fn too_many_vcpus(quota: u64) -> Refusal {
    let message = format!(
        "You have requested more vCPU capacity than your current vCPU limit of {quota} allows for the instance bucket \
         that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to \
         request an adjustment to this limit."
    );
    Refusal::new("VcpuLimitExceeded", message)
}

fn one(
    ask: &Ask<'_>,
    estate: &mut Estate,
    (size, image): (&Size, &Value),
    site: &Site,
    reservation: &str,
    (index, address): (usize, Ipv4Addr),
) -> String {
    let id = ask.new_id(estate, "i-", 17);
    private::take(ask, estate, &site.subnet, address, &id);
    let mut instance = Thing::new(&id, ask.place(), ask.now, "pending");
    instance.zone = Some(site.zone.as_str().into());
    instance.life = Life::new(ask.now, "pending").then(BOOT, "running");
    instance.size = size.name.clone();
    tag(&mut instance, given_tags(ask, "instance"));
    instance.meter(ask.now, [Meter::new(&format!("compute/{}", size.name), 1.0).only_in(&["running"])]);
    let root = image["RootDeviceName"].as_str().unwrap_or("/dev/xvda");
    let mappings = volumes::launched(ask, estate, &id, &site.zone, image, root);
    let mut body = facts(ask, estate, site, reservation, (index, address));
    for (name, value) in [
        ("Architecture", json!(size.architecture)),
        ("ImageId", image["ImageId"].clone()),
        ("RootDeviceName", json!(root)),
        ("BlockDeviceMappings", Value::Array(mappings)),
        ("CpuOptions", json!({ "CoreCount": size.vcpus.div_ceil(2), "ThreadsPerCore": 2.min(size.vcpus) })),
    ] {
        body.insert(name.to_owned(), value);
    }
    instance.body = (&body).into();
    ask.add(estate, INSTANCES, instance);
    id
}

/// What an instance says of itself that does not follow from its size and image.
fn facts(
    ask: &Ask<'_>,
    estate: &mut Estate,
    site: &Site,
    reservation: &str,
    (index, address): (usize, Ipv4Addr),
) -> Map<String, Value> {
    let address = address.to_string();
    let interface = ask.new_id(estate, "eni-", 17);
    let attachment = ask.new_id(estate, "eni-attach-", 17);
    let name = format!("ip-{}.{}.compute.internal", address.replace('.', "-"), ask.place());
    let profile = ask.get("IamInstanceProfile").and_then(|profile| profile.get("Arn")).cloned();
    let own = ask.list("NetworkInterfaces").first();
    let public = own.is_some_and(|own| own["AssociatePublicIpAddress"] == true);
    let stays = own.is_some_and(|own| own["DeleteOnTermination"] == false);
    let facts = json!({
        "_PublicIp": public.then_some(true),
        "PublicIpAddress": public.then(|| addresses::passing(estate)),
        "_ReservationId": reservation,
        "AmiLaunchIndex": index,
        "ClientToken": ask.text("ClientToken").unwrap_or_default(),
        "EbsOptimized": ask.flag("EbsOptimized"),
        "EnaSupport": true,
        "Hypervisor": "xen",
        "KeyName": ask.text("KeyName"),
        "LaunchTime": stamp(ask.now),
        "Monitoring": { "State": "disabled" },
        "IamInstanceProfile": profile.map(|arn| json!({ "Arn": arn })),
        "NetworkInterfaces": [{
            "NetworkInterfaceId": interface, "SubnetId": site.subnet, "VpcId": site.vpc, "OwnerId": ask.owner(),
            "Status": "in-use", "PrivateIpAddress": address, "PrivateDnsName": name, "SourceDestCheck": true,
            "Groups": site.groups, "InterfaceType": "interface",
            "Attachment": {
                "AttachmentId": attachment, "AttachTime": stamp(ask.now), "DeleteOnTermination": !stays,
                "DeviceIndex": 0, "Status": "attached",
            },
        }],
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "PrivateDnsName": name,
        "PrivateIpAddress": address,
        "RootDeviceType": "ebs",
        "SecurityGroups": site.groups,
        "SourceDestCheck": true,
        "SubnetId": site.subnet,
        "VirtualizationType": "hvm",
        "VpcId": site.vpc,
        "_Protected": ask.flag("DisableApiTermination"),
    });
    let given = facts.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    given.map(|(name, value)| (name.clone(), value.clone())).collect()
}
