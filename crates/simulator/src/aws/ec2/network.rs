//! VPCs, subnets and security groups.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{Description, GROUPS, INSTANCES, SUBNETS, VPCS, given_tags, paged, set, tag, with_tags};
use crate::{
    aws::{ask::Ask, filters::Source, protocol::Refusal, service::Answered},
    estate::{Estate, Thing},
};

pub(super) const VPC: Description = Description {
    kind: VPCS,
    ids: "VpcIds",
    prefix: "vpc-",
    code: "InvalidVpcID",
    filters: &[
        ("vpc-id", Source::Id),
        ("state", Source::State),
        ("cidr", Source::Body(&["CidrBlock"])),
        ("is-default", Source::Always("false")),
        ("owner-id", Source::Owner),
    ],
    exclusive: true,
};

pub(super) const SUBNET: Description = Description {
    kind: SUBNETS,
    ids: "SubnetIds",
    prefix: "subnet-",
    code: "InvalidSubnetID",
    filters: &[
        ("subnet-id", Source::Id),
        ("vpc-id", Source::Body(&["VpcId"])),
        ("state", Source::State),
        ("availability-zone", Source::Zone),
        ("cidr-block", Source::Body(&["CidrBlock"])),
    ],
    exclusive: true,
};

pub(super) const GROUP: Description = Description {
    kind: GROUPS,
    ids: "GroupIds",
    prefix: "sg-",
    code: "InvalidGroup",
    filters: &[
        ("group-id", Source::Id),
        ("vpc-id", Source::Body(&["VpcId"])),
        ("group-name", Source::Body(&["GroupName"])),
        ("description", Source::Body(&["Description"])),
    ],
    exclusive: true,
};

/// Addresses that AWS keeps for itself in every subnet.
const RESERVED: u32 = 5;

/// A block of addresses: the first one, and how many bits it fixes.
pub(super) fn block(cidr: &str) -> Option<(u32, u32)> {
    let (address, bits) = cidr.split_once('/')?;
    let (address, bits) = (address.parse::<Ipv4Addr>().ok()?.to_bits(), bits.parse::<u32>().ok()?);
    ((16..=28).contains(&bits) && address & (u32::MAX >> bits) == 0).then_some((address, bits))
}

pub(crate) fn create_vpc(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let cidr = ask.text("CidrBlock").unwrap_or_default();
    if block(cidr).is_none() {
        let message = format!("The CIDR '{cidr}' is invalid.");
        return Err(Refusal::new("InvalidVpc.Range", message));
    }
    let id = ask.new_id(estate, "vpc-", 17);
    let mut vpc = Thing::new(&id, ask.place(), ask.now, "available");
    let association = ask.new_id(estate, "vpc-cidr-assoc-", 17);
    vpc.body = json!({
        "CidrBlock": cidr,
        "DhcpOptionsId": "default",
        "InstanceTenancy": ask.text("InstanceTenancy").unwrap_or("default"),
        "IsDefault": false,
        "CidrBlockAssociationSet":
            [{ "AssociationId": association, "CidrBlock": cidr, "CidrBlockState": { "State": "associated" } }],
    })
    .into();
    tag(&mut vpc, given_tags(ask, "vpc"));
    let shown = show_vpc(ask, &vpc);
    ask.add(estate, VPCS, vpc);
    default_group(ask, estate, &id);
    Ok(json!({ "Vpc": shown }).into())
}

/// Every VPC has a group called `default`.
fn default_group(ask: &Ask<'_>, estate: &mut Estate, vpc: &str) {
    let id = ask.new_id(estate, "sg-", 17);
    let group = new_group(ask, &id, "default", "default VPC security group", vpc);
    ask.add(estate, GROUPS, group);
}

fn show_vpc(ask: &Ask<'_>, vpc: &Thing) -> Value {
    let mut shown = with_tags(vpc);
    set(&mut shown, "VpcId", &*vpc.id);
    set(&mut shown, "OwnerId", ask.owner());
    set(&mut shown, "State", vpc.state(ask.now));
    Value::Object(shown)
}

pub(super) fn describe_vpcs(ask: &Ask<'_>, estate: &Estate) -> Answered {
    Ok(paged("Vpcs", VPC.page(ask, estate, show_vpc)?).into())
}

pub(super) fn delete_vpc(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let id = VPC.one(ask, estate, ask.need("VpcId"))?.id.clone();
    let used = ask.all(estate, SUBNETS).any(|subnet| subnet.body.get("VpcId") == *id);
    let groups: Vec<Thing> =
        ask.all(estate, GROUPS).filter(|group| group.body.get("VpcId") == *id).cloned().collect();
    if used || groups.len() > 1 {
        let message = format!("The vpc '{id}' has dependencies and cannot be deleted.");
        return Err(Refusal::new("DependencyViolation", message));
    }
    for group in groups {
        ask.end(estate, GROUPS, &group.id, chrono::TimeDelta::zero());
    }
    ask.end(estate, VPCS, &id, chrono::TimeDelta::zero());
    Ok(super::done().into())
}

pub(crate) fn create_subnet(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let vpc = VPC.one(ask, estate, ask.need("VpcId"))?;
    let cidr = ask.text("CidrBlock").unwrap_or_default();
    let range = |message: String| Refusal::new("InvalidSubnet.Range", message);
    let (first, bits) = block(cidr).ok_or_else(|| range(format!("The CIDR '{cidr}' is invalid.")))?;
    let outer = vpc.body.get("CidrBlock");
    let inside = |(outer, outer_bits): (u32, u32)| {
        bits >= outer_bits && first >> (32 - outer_bits) == outer >> (32 - outer_bits)
    };
    if !outer.as_str().and_then(block).is_some_and(inside) {
        return Err(range(format!("The CIDR '{cidr}' is invalid.")));
    }
    let vpc = vpc.id.clone();
    let overlaps = ask.all(estate, SUBNETS).filter(|subnet| subnet.body.get("VpcId") == *vpc).any(|subnet| {
        let other = subnet.body.get("CidrBlock");
        other.as_str().and_then(block).is_some_and(|(other, other_bits)| {
            let bits = bits.min(other_bits);
            first >> (32 - bits) == other >> (32 - bits)
        })
    });
    if overlaps {
        let message = format!("The CIDR '{cidr}' conflicts with another subnet");
        return Err(Refusal::new("InvalidSubnet.Conflict", message));
    }
    let zone = ask.text("AvailabilityZone").or_else(|| ask.zones().next()).unwrap_or_default();
    if !ask.zones().any(|known| known == zone) {
        let message = format!(
            "Value ({zone}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: {}.",
            ask.zones().collect::<Vec<_>>().join(", ")
        );
        return Err(Refusal::new("InvalidParameterValue", message));
    }
    let id = ask.new_id(estate, "subnet-", 17);
    let mut subnet = Thing::new(&id, ask.place(), ask.now, "available");
    subnet.zone = Some(zone.into());
    subnet.body = json!({
        "VpcId": vpc, "CidrBlock": cidr, "DefaultForAz": false, "MapPublicIpOnLaunch": false,
        "AssignIpv6AddressOnCreation": false,
    })
    .into();
    tag(&mut subnet, given_tags(ask, "subnet"));
    let shown = show_subnet(ask, &subnet, 0);
    ask.add(estate, SUBNETS, subnet);
    Ok(json!({ "Subnet": shown }).into())
}

fn show_subnet(ask: &Ask<'_>, subnet: &Thing, used: u32) -> Value {
    let mut shown = with_tags(subnet);
    let bits = shown.get("CidrBlock").and_then(Value::as_str).and_then(block).map_or(24, |(_, bits)| bits);
    let free = (1_u32 << (32 - bits)).saturating_sub(RESERVED + used);
    set(&mut shown, "AvailableIpAddressCount", free);
    set(&mut shown, "SubnetId", &*subnet.id);
    set(&mut shown, "SubnetArn", ask.arn("ec2", &format!("subnet/{}", subnet.id)));
    set(&mut shown, "AvailabilityZone", subnet.zone.as_deref().unwrap_or_default());
    set(&mut shown, "OwnerId", ask.owner());
    set(&mut shown, "State", subnet.state(ask.now));
    Value::Object(shown)
}

pub(super) fn describe_subnets(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let page = SUBNET.page(ask, estate, |ask, subnet| {
        show_subnet(ask, subnet, super::private::used(ask, estate, &subnet.id))
    })?;
    Ok(paged("Subnets", page).into())
}

pub(super) fn delete_subnet(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let id = SUBNET.one(ask, estate, ask.need("SubnetId"))?.id.clone();
    let used = ask
        .all(estate, INSTANCES)
        .any(|instance| instance.body.get("SubnetId") == *id && instance.state(ask.now) != "terminated");
    if used {
        let message = format!("The subnet '{id}' has dependencies and cannot be deleted.");
        return Err(Refusal::new("DependencyViolation", message));
    }
    ask.end(estate, SUBNETS, &id, chrono::TimeDelta::zero());
    Ok(super::done().into())
}

fn new_group(ask: &Ask<'_>, id: &str, name: &str, description: &str, vpc: &str) -> Thing {
    let mut group = Thing::new(id, ask.place(), ask.now, "available");
    group.body = json!({
        "GroupName": name, "Description": description, "VpcId": vpc, "IpPermissions": [],
        "IpPermissionsEgress": [{ "IpProtocol": "-1", "IpRanges": [{ "CidrIp": "0.0.0.0/0" }] }],
    })
    .into();
    group
}

pub(crate) fn create_group(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let name = ask.need("GroupName");
    let Some(vpc) = ask.text("VpcId") else {
        return Err(Refusal::new("VPCIdNotSpecified", "No default VPC for this user"));
    };
    let vpc = VPC.one(ask, estate, vpc)?.id.clone();
    let taken = ask.all(estate, GROUPS).any(|group| {
        let body = group.body.read();
        body.get("VpcId").is_some_and(|of| *of == *vpc)
            && body.get("GroupName").is_some_and(|known| *known == *name)
    });
    if taken {
        let message = format!("The security group '{name}' already exists for VPC '{vpc}'");
        return Err(Refusal::new("InvalidGroup.Duplicate", message));
    }
    let id = ask.new_id(estate, "sg-", 17);
    let mut group = new_group(ask, &id, name, ask.need("Description"), &vpc);
    tag(&mut group, given_tags(ask, "security-group"));
    let tags = crate::aws::ask::tag_list(&group.tags);
    ask.add(estate, GROUPS, group);
    let arn = ask.arn("ec2", &format!("security-group/{id}"));
    Ok(json!({ "GroupId": id, "Tags": tags, "SecurityGroupArn": arn }).into())
}

fn show_group(ask: &Ask<'_>, group: &Thing) -> Value {
    let mut shown = with_tags(group);
    set(&mut shown, "GroupId", &*group.id);
    set(&mut shown, "OwnerId", ask.owner());
    set(&mut shown, "SecurityGroupArn", ask.arn("ec2", &format!("security-group/{}", group.id)));
    Value::Object(shown)
}

pub(super) fn describe_groups(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let names = ask.texts("GroupNames");
    let named = |group: &Thing| {
        names.is_empty() || group.body.get("GroupName").as_str().is_some_and(|name| names.contains(&name))
    };
    Ok(paged("SecurityGroups", GROUP.page_of(ask, estate, show_group, named)?).into())
}

pub(super) fn delete_group(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let group = GROUP.one(ask, estate, ask.need("GroupId"))?;
    if group.body.get("GroupName") == "default" {
        let message =
            format!("the specified group: \"{}\" name: \"default\" cannot be deleted by a user", group.id);
        return Err(Refusal::new("CannotDelete", message));
    }
    let id = group.id.clone();
    let uses = |instance: &Thing| {
        let groups = instance.body.get("SecurityGroups");
        instance.state(ask.now) != "terminated"
            && groups.as_array().into_iter().flatten().any(|group| group["GroupId"] == *id)
    };
    if ask.all(estate, INSTANCES).any(uses) {
        let message = format!("resource {id} has a dependent object");
        return Err(Refusal::new("DependencyViolation", message));
    }
    ask.end(estate, GROUPS, &id, chrono::TimeDelta::zero());
    Ok(json!({ "Return": true, "GroupId": id }).into())
}
