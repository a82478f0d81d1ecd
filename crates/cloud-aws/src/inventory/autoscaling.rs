//! What Auto Scaling lists: groups.

use marquee_clouds::Observed;
use marquee_types::{ResourceKind, resource::Relation};

use crate::{
    inventory::{
        draft::{Draft, tags, time},
        listing::{ById, Enrich, Listing},
    },
    partition::Place,
    query::AUTOSCALING,
    raw,
    xml::{Node, Shape},
};

pub static GROUPS: Listing = Listing {
    api: &AUTOSCALING,
    kind: ResourceKind::ScalingGroup,
    params: &[],
    page_size: Some(("MaxRecords", 100)),
    token: "NextToken",
    shape: Shape {
        action: "DescribeAutoScalingGroups",
        items: &["DescribeAutoScalingGroupsResult", "AutoScalingGroups", "member"],
        group: None,
        token: Some((1, "NextToken")),
    },
    // The ARN holds an id of its own before the name.
    by_id: ById {
        param: "AutoScalingGroupNames.member.1",
        resource: "autoScalingGroup:*:autoScalingGroupName",
    },
    enrich: Enrich::Nothing,
    normalise: group,
};

const OMIT: &[&str] = &["Tags"];

fn group(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let (arn, name) = (node.get("AutoScalingGroupARN")?, node.get("AutoScalingGroupName")?);
    let mut draft = Draft::new(ResourceKind::ScalingGroup, arn.to_owned(), name, place);
    draft.tags(tags(node, "Tags", "Key", "Value"));
    name.clone_into(&mut draft.0.name);
    // AWS gives a status only to a group that is being deleted.
    draft.state(node.get("Status"));
    draft.0.created_at = time(node.get("CreatedTime"));
    draft.number("min_size", node.get("MinSize"));
    draft.number("max_size", node.get("MaxSize"));
    draft.number("desired_size", node.get("DesiredCapacity"));
    draft.set("instances", node.list("Instances").count());
    draft.text("health_check", node.get("HealthCheckType"));
    let subnets = node.get("VPCZoneIdentifier").unwrap_or_default().split(',').map(str::trim);
    for subnet in subnets.filter(|subnet| !subnet.is_empty()) {
        draft.relation(Relation::MemberOf, place.arn("ec2", "subnet", subnet));
    }
    for instance in node.list("Instances").filter_map(|instance| instance.get("InstanceId")) {
        draft.relation(Relation::Manages, place.arn("ec2", "instance", instance));
    }
    Some(draft.finish(raw::json(node, OMIT)))
}
