//! What EC2 lists: instances, disks, snapshots, images, networks, subnets, security groups, addresses.

use marquee_clouds::Observed;
use marquee_types::{ResourceKind, ResourceState, resource::Relation};

use crate::{
    inventory::{
        draft::{Draft, tags, time},
        listing::{ById, Enrich, Listing},
    },
    partition::Place,
    query::EC2,
    raw,
    xml::{Node, Shape},
};

const fn shape(action: &'static str, items: &'static [&'static str]) -> Shape {
    Shape { action, items, group: None, token: Some((0, "nextToken")) }
}

pub static INSTANCES: Listing = Listing {
    api: &EC2,
    kind: ResourceKind::ComputeInstance,
    params: &[],
    page_size: Some(("MaxResults", 1000)),
    token: "NextToken",
    shape: Shape {
        action: "DescribeInstances",
        items: &["reservationSet", "item", "instancesSet", "item"],
        group: Some(2),
        token: Some((0, "nextToken")),
    },
    by_id: ById { param: "InstanceId.1", resource: "instance" },
    enrich: Enrich::InstanceTypes,
    normalise: instance,
};

pub static VOLUMES: Listing = Listing {
    api: &EC2,
    kind: ResourceKind::Disk,
    params: &[],
    page_size: Some(("MaxResults", 1000)),
    token: "NextToken",
    shape: shape("DescribeVolumes", &["volumeSet", "item"]),
    by_id: ById { param: "VolumeId.1", resource: "volume" },
    enrich: Enrich::Nothing,
    normalise: volume,
};

pub static SNAPSHOTS: Listing = Listing {
    api: &EC2,
    kind: ResourceKind::Snapshot,
    params: &[("Owner.1", "self")],
    page_size: Some(("MaxResults", 1000)),
    token: "NextToken",
    shape: shape("DescribeSnapshots", &["snapshotSet", "item"]),
    by_id: ById { param: "SnapshotId.1", resource: "snapshot" },
    enrich: Enrich::Nothing,
    normalise: snapshot,
};

pub static IMAGES: Listing = Listing {
    api: &EC2,
    kind: ResourceKind::Image,
    params: &[("Owner.1", "self")],
    page_size: Some(("MaxResults", 1000)),
    token: "NextToken",
    shape: shape("DescribeImages", &["imagesSet", "item"]),
    by_id: ById { param: "ImageId.1", resource: "image" },
    enrich: Enrich::Nothing,
    normalise: image,
};

pub static VPCS: Listing = Listing {
    api: &EC2,
    kind: ResourceKind::Network,
    params: &[],
    page_size: Some(("MaxResults", 1000)),
    token: "NextToken",
    shape: shape("DescribeVpcs", &["vpcSet", "item"]),
    by_id: ById { param: "VpcId.1", resource: "vpc" },
    enrich: Enrich::Nothing,
    normalise: vpc,
};

pub static SUBNETS: Listing = Listing {
    api: &EC2,
    kind: ResourceKind::Subnet,
    params: &[],
    page_size: Some(("MaxResults", 1000)),
    token: "NextToken",
    shape: shape("DescribeSubnets", &["subnetSet", "item"]),
    by_id: ById { param: "SubnetId.1", resource: "subnet" },
    enrich: Enrich::Nothing,
    normalise: subnet,
};

pub static SECURITY_GROUPS: Listing = Listing {
    api: &EC2,
    kind: ResourceKind::SecurityGroup,
    params: &[],
    page_size: Some(("MaxResults", 1000)),
    token: "NextToken",
    shape: shape("DescribeSecurityGroups", &["securityGroupInfo", "item"]),
    by_id: ById { param: "GroupId.1", resource: "security-group" },
    enrich: Enrich::Nothing,
    normalise: security_group,
};

/// Not paged by AWS.
pub static ADDRESSES: Listing = Listing {
    api: &EC2,
    kind: ResourceKind::PublicIp,
    params: &[],
    page_size: None,
    token: "",
    shape: Shape { action: "DescribeAddresses", items: &["addressesSet", "item"], group: None, token: None },
    by_id: ById { param: "AllocationId.1", resource: "elastic-ip" },
    enrich: Enrich::Nothing,
    normalise: address,
};

/// Members that change by themselves all the time, and are therefore not kept: a version would be opened for each.
pub static VOLATILE: &[&str] = &["availableIpAddressCount"];

const OMIT: &[&str] = &["tagSet", "availableIpAddressCount"];

fn ec2_tags(node: Node<'_, '_>) -> Vec<(String, String)> {
    tags(node, "tagSet", "key", "value")
}

fn instance(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let id = node.get("instanceId")?;
    let mut draft = Draft::new(ResourceKind::ComputeInstance, place.arn("ec2", "instance", id), id, place);
    draft.tags(ec2_tags(node));
    draft.state(node.get_in("instanceState", "name"));
    draft.0.size = node.get("instanceType").map(str::to_owned);
    draft.0.zone = node.get_in("placement", "availabilityZone").map(str::to_owned);
    let launched = node.get("launchTime");
    // A restart moves the launch time; the first network interface stays attached from the first day on.
    let attached =
        node.list("networkInterfaceSet").filter_map(|nic| time(nic.get_in("attachment", "attachTime")));
    draft.0.created_at = attached.chain(time(launched)).min();
    draft.text("launched_at", launched);
    draft.text("architecture", node.get("architecture"));
    draft.text("platform", node.get("platformDetails"));
    draft.text("private_ip", node.get("privateIpAddress"));
    draft.text("public_ip", node.get("ipAddress"));
    draft.text("private_dns", node.get("privateDnsName"));
    draft.text("public_dns", node.get("dnsName"));
    draft.text("lifecycle", node.get("instanceLifecycle"));
    draft.text("tenancy", node.get_in("placement", "tenancy"));
    if let Some(subnet) = node.get("subnetId") {
        draft.relation(Relation::MemberOf, place.arn("ec2", "subnet", subnet));
    }
    if let Some(network) = node.get("vpcId") {
        draft.relation(Relation::MemberOf, place.arn("ec2", "vpc", network));
    }
    for group in node.list("groupSet").filter_map(|group| group.get("groupId")) {
        draft.relation(Relation::ProtectedBy, place.arn("ec2", "security-group", group));
    }
    if let Some(image) = node.get("imageId") {
        draft.relation(Relation::CreatedFrom, place.arn_of("ec2", "", "image", image));
    }
    Some(draft.finish(raw::json(node, OMIT)))
}

fn volume(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let id = node.get("volumeId")?;
    let mut draft = Draft::new(ResourceKind::Disk, place.arn("ec2", "volume", id), id, place);
    draft.tags(ec2_tags(node));
    draft.state(node.get("status"));
    draft.0.size = node.get("volumeType").map(str::to_owned);
    draft.0.zone = node.get("availabilityZone").map(str::to_owned);
    draft.0.created_at = time(node.get("createTime"));
    draft.number("size_gib", node.get("size"));
    draft.number("iops", node.get("iops"));
    draft.number("throughput_mib_per_second", node.get("throughput"));
    draft.flag("encrypted", node.get("encrypted"));
    for attachment in node.list("attachmentSet") {
        if let Some(instance) = attachment.get("instanceId") {
            draft.relation(Relation::AttachedTo, place.arn("ec2", "instance", instance));
        }
    }
    if let Some(snapshot) = node.get("snapshotId") {
        draft.relation(Relation::CreatedFrom, place.arn_of("ec2", "", "snapshot", snapshot));
    }
    Some(draft.finish(raw::json(node, OMIT)))
}

fn snapshot(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let id = node.get("snapshotId")?;
    let mut draft = Draft::new(ResourceKind::Snapshot, place.arn_of("ec2", "", "snapshot", id), id, place);
    draft.tags(ec2_tags(node));
    draft.state(node.get("status"));
    draft.0.created_at = time(node.get("startTime"));
    draft.number("size_gib", node.get("volumeSize"));
    draft.flag("encrypted", node.get("encrypted"));
    draft.text("description", node.get("description"));
    // AWS gives copies a volume that does not exist.
    if let Some(volume) = node.get("volumeId").filter(|volume| *volume != "vol-ffffffff") {
        draft.relation(Relation::CreatedFrom, place.arn("ec2", "volume", volume));
    }
    Some(draft.finish(raw::json(node, OMIT)))
}

fn image(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let id = node.get("imageId")?;
    let mut draft = Draft::new(ResourceKind::Image, place.arn_of("ec2", "", "image", id), id, place);
    if let Some(name) = node.get("name") {
        name.clone_into(&mut draft.0.name);
    }
    draft.tags(ec2_tags(node));
    draft.state(node.get("imageState"));
    draft.0.created_at = time(node.get("creationDate"));
    draft.text("architecture", node.get("architecture"));
    draft.text("platform", node.get("platformDetails"));
    draft.text("description", node.get("description"));
    draft.flag("public", node.get("isPublic"));
    for device in node.list("blockDeviceMapping") {
        if let Some(snapshot) = device.get_in("ebs", "snapshotId") {
            draft.relation(Relation::CreatedFrom, place.arn_of("ec2", "", "snapshot", snapshot));
        }
    }
    Some(draft.finish(raw::json(node, OMIT)))
}

fn vpc(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let id = node.get("vpcId")?;
    let owner = node.get("ownerId").unwrap_or(place.account);
    let mut draft = Draft::new(ResourceKind::Network, place.arn_of("ec2", owner, "vpc", id), id, place);
    draft.tags(ec2_tags(node));
    draft.state(node.get("state"));
    draft.text("cidr", node.get("cidrBlock"));
    draft.flag("default", node.get("isDefault"));
    Some(draft.finish(raw::json(node, OMIT)))
}

fn subnet(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let id = node.get("subnetId")?;
    let owner = node.get("ownerId").unwrap_or(place.account);
    let mut draft = Draft::new(ResourceKind::Subnet, place.arn_of("ec2", owner, "subnet", id), id, place);
    draft.tags(ec2_tags(node));
    draft.state(node.get("state"));
    draft.0.zone = node.get("availabilityZone").map(str::to_owned);
    draft.text("cidr", node.get("cidrBlock"));
    draft.flag("default", node.get("defaultForAz"));
    draft.flag("public_ip_on_launch", node.get("mapPublicIpOnLaunch"));
    if let Some(network) = node.get("vpcId") {
        draft.relation(Relation::MemberOf, place.arn_of("ec2", owner, "vpc", network));
    }
    Some(draft.finish(raw::json(node, OMIT)))
}

fn security_group(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let id = node.get("groupId")?;
    let owner = node.get("ownerId").unwrap_or(place.account);
    let native_id = place.arn_of("ec2", owner, "security-group", id);
    let mut draft = Draft::new(ResourceKind::SecurityGroup, native_id, id, place);
    if let Some(name) = node.get("groupName") {
        name.clone_into(&mut draft.0.name);
    }
    draft.tags(ec2_tags(node));
    draft.text("description", node.get("groupDescription"));
    draft.set("ingress_rules", node.list("ipPermissions").count());
    draft.set("egress_rules", node.list("ipPermissionsEgress").count());
    if let Some(network) = node.get("vpcId") {
        draft.relation(Relation::MemberOf, place.arn("ec2", "vpc", network));
    }
    Some(draft.finish(raw::json(node, OMIT)))
}

fn address(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    // Without an allocation it is an address of EC2-Classic, named by itself.
    let id = node.get("allocationId").or_else(|| node.get("publicIp"))?;
    let mut draft = Draft::new(ResourceKind::PublicIp, place.arn("ec2", "elastic-ip", id), id, place);
    draft.tags(ec2_tags(node));
    let associated = node.get("associationId").is_some() || node.get("instanceId").is_some();
    draft.0.state = if associated { ResourceState::InUse } else { ResourceState::Available };
    draft.text("public_ip", node.get("publicIp"));
    draft.text("private_ip", node.get("privateIpAddress"));
    if let Some(instance) = node.get("instanceId") {
        draft.relation(Relation::AttachedTo, place.arn("ec2", "instance", instance));
    }
    Some(draft.finish(raw::json(node, OMIT)))
}
