//! Networks, subnets, firewalls, addresses and load balancers.

use marquee_clouds::{Observed, draft::Draft};
use marquee_types::{ResourceKind, ResourceState, resource::Relation};
use serde_json::Value;

use super::{GLOBAL, Listing, SAID, collection, drafted, native_id};
use crate::api::Collection;

const NETWORK: Collection = collection("networks", "network", ("networks.list", "networks.get"));

/// Networks.
pub static NETWORKS: Listing = Listing {
    scope: "networks",
    kind: ResourceKind::Network,
    of: &[NETWORK],
    read: |item, word| Some(vec![network(item, word)?]),
};

/// Subnets, which Hetzner tells with their network.
pub static SUBNETS: Listing =
    Listing { scope: "subnets", kind: ResourceKind::Subnet, of: &[NETWORK], read: subnets };

/// Firewalls.
pub static FIREWALLS: Listing = Listing {
    scope: "firewalls",
    kind: ResourceKind::SecurityGroup,
    of: &[collection("firewalls", "firewall", ("firewalls.list", "firewalls.get"))],
    read: |item, word| Some(vec![firewall(item, word)?]),
};

/// Primary and floating addresses.
pub static ADDRESSES: Listing = Listing {
    scope: "public-ips",
    kind: ResourceKind::PublicIp,
    of: &[
        collection("primary_ips", "primary_ip", ("primary_ips.list", "primary_ips.get")),
        collection("floating_ips", "floating_ip", ("floating_ips.list", "floating_ips.get")),
    ],
    read: |item, word| Some(vec![address(item, word)?]),
};

/// Load balancers, with their targets.
pub static BALANCERS: Listing = Listing {
    scope: "load-balancers",
    kind: ResourceKind::LoadBalancer,
    of: &[collection("load_balancers", "load_balancer", ("load_balancers.list", "load_balancers.get"))],
    read: |item, word| Some(vec![balancer(item, word)?]),
};

fn network(item: Value, word: &str) -> Option<Observed> {
    let mut draft = drafted(ResourceKind::Network, &item, word, "location")?;
    draft.take("cidr", &item["ip_range"]);
    // What is in it tells so itself.
    Some(draft.finish(item, &[SAID, &["ip_range", "subnets", "servers", "load_balancers"]].concat()))
}

fn subnets(mut item: Value, word: &str) -> Option<Vec<Observed>> {
    let network = native_id(word, &item["id"])?;
    let listed = item["subnets"].take();
    let read = listed.as_array().into_iter().flatten().map(|subnet| {
        let range = subnet["ip_range"].as_str()?;
        let mut draft = Draft::new(ResourceKind::Subnet, &format!("{network}/subnet/{range}"), range, GLOBAL);
        draft.size(&subnet["type"]);
        draft.set("cidr", range);
        draft.relation(Relation::MemberOf, ResourceKind::Network, Some(network.clone()));
        Some(draft.finish(subnet.clone(), &["ip_range", "type"]))
    });
    read.collect()
}

fn firewall(item: Value, word: &str) -> Option<Observed> {
    let mut draft = drafted(ResourceKind::SecurityGroup, &item, word, "location")?;
    let count = |direction: &str| {
        let rules = item["rules"].as_array().into_iter().flatten();
        rules.filter(|rule| rule["direction"] == direction).count()
    };
    draft.set("ingress_rules", count("in"));
    draft.set("egress_rules", count("out"));
    // Servers tell what protects them.
    Some(draft.finish(item, &[SAID, &["applied_to"]].concat()))
}

fn address(item: Value, word: &str) -> Option<Observed> {
    let primary = word == "primary_ip";
    let (place, owner) = if primary { ("location", "assignee_id") } else { ("home_location", "server") };
    let mut draft = drafted(ResourceKind::PublicIp, &item, word, place)?;
    draft.0.size = Some(if primary { "primary" } else { "floating" }.to_owned());
    draft.take("public_ip", &item["ip"]);
    draft.take("ip_address_type", &item["type"]);
    draft.take("public_dns", &item["dns_ptr"][0]["dns_ptr"]);
    let server = native_id("server", &item[owner]);
    if server.is_some() {
        draft.0.state = ResourceState::InUse;
    }
    draft.relation(Relation::AttachedTo, ResourceKind::ComputeInstance, server);
    Some(draft.finish(item, &[SAID, &["ip", "type", "server", "assignee_id", "datacenter"]].concat()))
}

fn balancer(item: Value, word: &str) -> Option<Observed> {
    let mut draft = drafted(ResourceKind::LoadBalancer, &item, word, "location")?;
    let public = &item["public_net"];
    draft.size(&item["load_balancer_type"]["name"]);
    draft.set("scheme", if public["enabled"] == true { "internet-facing" } else { "internal" });
    if public["enabled"] == true {
        draft.take("public_ip", &public["ipv4"]["ip"]);
        draft.take("public_dns", &public["ipv4"]["dns_ptr"]);
    }
    draft.take("private_ip", &item["private_net"][0]["ip"]);
    for net in item["private_net"].as_array().into_iter().flatten() {
        draft.relation(Relation::MemberOf, ResourceKind::Network, native_id("network", &net["network"]));
    }
    // What labels select stands beside the selector, each server as a target of its own.
    let listed = item["targets"].as_array().into_iter().flatten();
    let targets: Vec<&Value> =
        listed.flat_map(|one| one["targets"].as_array().into_iter().flatten().chain([one])).collect();
    draft.set("targets", targets.iter().filter(|one| one["type"] != "label_selector").count());
    for target in &targets {
        let server = native_id("server", &target["server"]["id"]);
        draft.relation(Relation::RoutesTo, ResourceKind::ComputeInstance, server);
    }
    let omit = ["load_balancer_type", "targets", "included_traffic", "ingoing_traffic", "outgoing_traffic"];
    Some(draft.finish(item, &[SAID, &omit].concat()))
}
