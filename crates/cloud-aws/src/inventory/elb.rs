//! What Elastic Load Balancing v2 lists: load balancers and target groups.

use marquee_clouds::Observed;
use marquee_types::{ResourceKind, ResourceState, resource::Relation};

use crate::{
    inventory::{
        draft::{Draft, time},
        listing::{ById, Enrich, Listing},
    },
    partition::Place,
    query::ELB,
    raw,
    xml::{Node, Shape},
};

pub static LOAD_BALANCERS: Listing = Listing {
    api: &ELB,
    kind: ResourceKind::LoadBalancer,
    params: &[],
    page_size: Some(("PageSize", 400)),
    token: "Marker",
    shape: Shape {
        action: "DescribeLoadBalancers",
        items: &["DescribeLoadBalancersResult", "LoadBalancers", "member"],
        group: None,
        token: Some((1, "NextMarker")),
    },
    by_id: ById { param: "LoadBalancerArns.member.1", resource: "" },
    enrich: Enrich::LoadBalancers,
    normalise: load_balancer,
};

pub static TARGET_GROUPS: Listing = Listing {
    api: &ELB,
    kind: ResourceKind::TargetGroup,
    params: &[],
    page_size: Some(("PageSize", 400)),
    token: "Marker",
    shape: Shape {
        action: "DescribeTargetGroups",
        items: &["DescribeTargetGroupsResult", "TargetGroups", "member"],
        group: None,
        token: Some((1, "NextMarker")),
    },
    by_id: ById { param: "TargetGroupArns.member.1", resource: "" },
    enrich: Enrich::TargetGroups,
    normalise: target_group,
};

fn load_balancer(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let (arn, name) = (node.get("LoadBalancerArn")?, node.get("LoadBalancerName")?);
    let mut draft = Draft::new(ResourceKind::LoadBalancer, arn.to_owned(), name, place);
    draft.state(node.get_in("State", "Code"));
    draft.0.size = node.get("Type").map(str::to_owned);
    draft.0.created_at = time(node.get("CreatedTime"));
    draft.text("scheme", node.get("Scheme"));
    draft.text("public_dns", node.get("DNSName"));
    draft.text("ip_address_type", node.get("IpAddressType"));
    if let Some(network) = node.get("VpcId") {
        draft.relation(Relation::MemberOf, place.arn("ec2", "vpc", network));
    }
    for subnet in node.list("AvailabilityZones").filter_map(|zone| zone.get("SubnetId")) {
        draft.relation(Relation::MemberOf, place.arn("ec2", "subnet", subnet));
    }
    for group in node.list("SecurityGroups") {
        draft.relation(Relation::ProtectedBy, place.arn("ec2", "security-group", group.text()));
    }
    Some(draft.finish(raw::json(node, &[])))
}

fn target_group(node: Node<'_, '_>, place: &Place<'_>) -> Option<Observed> {
    let (arn, name) = (node.get("TargetGroupArn")?, node.get("TargetGroupName")?);
    let mut draft = Draft::new(ResourceKind::TargetGroup, arn.to_owned(), name, place);
    let used = node.list("LoadBalancerArns").next().is_some();
    draft.0.state = if used { ResourceState::InUse } else { ResourceState::Available };
    draft.text("protocol", node.get("Protocol"));
    draft.number("port", node.get("Port"));
    draft.text("target_type", node.get("TargetType"));
    draft.text("health_check_protocol", node.get("HealthCheckProtocol"));
    draft.text("health_check_path", node.get("HealthCheckPath"));
    if let Some(network) = node.get("VpcId") {
        draft.relation(Relation::MemberOf, place.arn("ec2", "vpc", network));
    }
    Some(draft.finish(raw::json(node, &[])))
}
