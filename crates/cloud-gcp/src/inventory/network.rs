//! Networks, subnets, firewall rules, addresses, forwarding rules and backend services.

use marquee_clouds::Observed;
use marquee_types::{ResourceKind, resource::Relation};
use serde_json::Value;

use super::{
    Listing, SAID,
    compute::{call, one},
    compute_draft, compute_name,
    states::STATES,
};
use crate::api::Items;

const SERVICE: &str = "compute.googleapis.com";

/// Networks.
pub static NETWORKS: Listing = Listing {
    scope: "compute/networks",
    kind: ResourceKind::Network,
    list: call(
        "compute.networks.list",
        "/compute/v1/projects/{project}/global/networks",
        Items::List("items"),
    ),
    get: one("compute.networks.get"),
    service: SERVICE,
    read: network,
    also: None,
};

/// Subnets.
pub static SUBNETWORKS: Listing = Listing {
    scope: "compute/subnetworks",
    kind: ResourceKind::Subnet,
    list: call(
        "compute.subnetworks.aggregatedList",
        "/compute/v1/projects/{project}/aggregated/subnetworks",
        Items::Aggregated("subnetworks"),
    ),
    get: one("compute.subnetworks.get"),
    service: SERVICE,
    read: subnetwork,
    also: None,
};

/// Firewall rules: each protects what it is aimed at.
pub static FIREWALLS: Listing = Listing {
    scope: "compute/firewalls",
    kind: ResourceKind::SecurityGroup,
    list: call(
        "compute.firewalls.list",
        "/compute/v1/projects/{project}/global/firewalls",
        Items::List("items"),
    ),
    get: one("compute.firewalls.get"),
    service: SERVICE,
    read: firewall,
    also: None,
};

/// Reserved addresses that are seen from outside.
pub static ADDRESSES: Listing = Listing {
    scope: "compute/addresses",
    kind: ResourceKind::PublicIp,
    list: call(
        "compute.addresses.aggregatedList",
        "/compute/v1/projects/{project}/aggregated/addresses",
        Items::Aggregated("addresses"),
    ),
    get: one("compute.addresses.get"),
    service: SERVICE,
    read: address,
    also: None,
};

/// Forwarding rules: the address and port of a load balancer.
pub static FORWARDING_RULES: Listing = Listing {
    scope: "compute/forwarding-rules",
    kind: ResourceKind::LoadBalancer,
    list: call(
        "compute.forwardingRules.aggregatedList",
        "/compute/v1/projects/{project}/aggregated/forwardingRules",
        Items::Aggregated("forwardingRules"),
    ),
    get: one("compute.forwardingRules.get"),
    service: SERVICE,
    read: forwarding_rule,
    also: None,
};

/// Backend services: what a load balancer sends traffic to.
pub static BACKEND_SERVICES: Listing = Listing {
    scope: "compute/backend-services",
    kind: ResourceKind::TargetGroup,
    list: call(
        "compute.backendServices.aggregatedList",
        "/compute/v1/projects/{project}/aggregated/backendServices",
        Items::Aggregated("backendServices"),
    ),
    get: one("compute.backendServices.get"),
    service: SERVICE,
    read: backend_service,
    also: Some(&TARGET_POOLS),
};

/// Target pools: what the oldest load balancers send traffic to.
pub static TARGET_POOLS: Listing = Listing {
    scope: "compute/backend-services",
    kind: ResourceKind::TargetGroup,
    list: call(
        "compute.targetPools.aggregatedList",
        "/compute/v1/projects/{project}/aggregated/targetPools",
        Items::Aggregated("targetPools"),
    ),
    get: one("compute.targetPools.get"),
    service: SERVICE,
    read: target_pool,
    also: None,
};

fn network(item: Value, _: &str) -> Option<Observed> {
    let mut draft = compute_draft(ResourceKind::Network, &item)?;
    draft.take("cidr", &item["IPv4Range"]);
    draft.set("default", item["name"] == "default");
    // Its subnets tell that they are its own.
    Some(draft.finish(item, &[SAID, &["subnetworks"]].concat()))
}

fn subnetwork(item: Value, _: &str) -> Option<Observed> {
    let mut draft = compute_draft(ResourceKind::Subnet, &item)?;
    draft.take("cidr", &item["ipCidrRange"]);
    draft.relation(Relation::MemberOf, ResourceKind::Network, compute_name(&item["network"]));
    Some(draft.finish(item, SAID))
}

fn firewall(item: Value, _: &str) -> Option<Observed> {
    let mut draft = compute_draft(ResourceKind::SecurityGroup, &item)?;
    let rules = ["allowed", "denied"].map(|name| item[name].as_array().map_or(0, Vec::len));
    let count: usize = rules.iter().sum();
    let outward = item["direction"] == "EGRESS";
    draft.set("ingress_rules", if outward { 0 } else { count });
    draft.set("egress_rules", if outward { count } else { 0 });
    draft.relation(Relation::MemberOf, ResourceKind::Network, compute_name(&item["network"]));
    Some(draft.finish(item, SAID))
}

fn address(item: Value, _: &str) -> Option<Observed> {
    if item["addressType"] == "INTERNAL" {
        return None;
    }
    let mut draft = compute_draft(ResourceKind::PublicIp, &item)?;
    draft.state(STATES, item["status"].as_str());
    draft.take("public_ip", &item["address"]);
    draft.0.size = item["networkTier"].as_str().map(str::to_owned);
    for user in item["users"].as_array().into_iter().flatten() {
        let kind = match user.as_str() {
            Some(link) if link.contains("/instances/") => ResourceKind::ComputeInstance,
            Some(link) if link.contains("orwardingRules/") => ResourceKind::LoadBalancer,
            _ => continue,
        };
        draft.relation(Relation::AttachedTo, kind, compute_name(user));
    }
    Some(draft.finish(item, &[SAID, &["status"]].concat()))
}

fn forwarding_rule(item: Value, _: &str) -> Option<Observed> {
    let mut draft = compute_draft(ResourceKind::LoadBalancer, &item)?;
    let scheme = item["loadBalancingScheme"].as_str().unwrap_or_default();
    draft.set("scheme", if scheme.starts_with("EXTERNAL") { "internet-facing" } else { "internal" });
    draft.take("protocol", &item["IPProtocol"]);
    let shown = if scheme.starts_with("EXTERNAL") { "public_ip" } else { "private_ip" };
    draft.take(shown, &item["IPAddress"]);
    draft.relation(Relation::RoutesTo, ResourceKind::TargetGroup, compute_name(&item["backendService"]));
    if item["target"].as_str().is_some_and(|target| target.contains("/targetPools/")) {
        draft.relation(Relation::RoutesTo, ResourceKind::TargetGroup, compute_name(&item["target"]));
    }
    draft.relation(Relation::MemberOf, ResourceKind::Network, compute_name(&item["network"]));
    draft.relation(Relation::MemberOf, ResourceKind::Subnet, compute_name(&item["subnetwork"]));
    Some(draft.finish(item, SAID))
}

fn backend_service(item: Value, _: &str) -> Option<Observed> {
    let mut draft = compute_draft(ResourceKind::TargetGroup, &item)?;
    draft.take("protocol", &item["protocol"]);
    draft.number("port", &item["port"]);
    let backends = item["backends"].as_array();
    draft.set("targets", backends.map_or(0, Vec::len));
    for backend in backends.into_iter().flatten() {
        // The group of a scaling group has its name.
        let group = backend["group"].as_str().filter(|link| link.contains("/instanceGroups/"));
        let link = group.map(|link| link.replace("/instanceGroups/", "/instanceGroupManagers/"));
        let name = link.and_then(|link| super::full_name(SERVICE, &link));
        draft.relation(Relation::RoutesTo, ResourceKind::ScalingGroup, name);
    }
    Some(draft.finish(item, SAID))
}

fn target_pool(item: Value, _: &str) -> Option<Observed> {
    let mut draft = compute_draft(ResourceKind::TargetGroup, &item)?;
    let instances = item["instances"].as_array();
    draft.set("targets", instances.map_or(0, Vec::len));
    for instance in instances.into_iter().flatten() {
        draft.relation(Relation::RoutesTo, ResourceKind::ComputeInstance, compute_name(instance));
    }
    Some(draft.finish(item, SAID))
}
