//! Virtual networks with their subnets, security groups, addresses, load balancers with their pools, and DNS zones.

use marquee_clouds::Observed;
use marquee_types::{ResourceKind, resource::Relation};
use serde_json::Value;

use super::{Known, Listing, SAID, With, draft, id_of, parent, states::STATES};
use crate::arm::Read;

/// The version of the networking API.
pub const VERSION: &str = "2024-05-01";

const fn read(operation: &'static str, path: &'static str) -> Read {
    Read { service: "Microsoft.Network", operation, path, query: "", version: VERSION }
}

/// Virtual networks and their subnets.
pub static NETWORKS: Listing = Listing {
    scope: "network/virtual-networks",
    kinds: &[ResourceKind::Network, ResourceKind::Subnet],
    list: read("VirtualNetworks_ListAll", "/providers/Microsoft.Network/virtualNetworks"),
    get: read("VirtualNetworks_Get", "{id}"),
    with: With::Nothing,
    read: network,
};

/// Network security groups.
pub static SECURITY_GROUPS: Listing = Listing {
    scope: "network/security-groups",
    kinds: &[ResourceKind::SecurityGroup],
    list: read("NetworkSecurityGroups_ListAll", "/providers/Microsoft.Network/networkSecurityGroups"),
    get: read("NetworkSecurityGroups_Get", "{id}"),
    with: With::Nothing,
    read: security_group,
};

/// Public addresses.
pub static ADDRESSES: Listing = Listing {
    scope: "network/public-ip-addresses",
    kinds: &[ResourceKind::PublicIp],
    list: read("PublicIPAddresses_ListAll", "/providers/Microsoft.Network/publicIPAddresses"),
    get: read("PublicIPAddresses_Get", "{id}"),
    with: With::Nothing,
    read: address,
};

/// Load balancers and their pools.
pub static BALANCERS: Listing = Listing {
    scope: "network/load-balancers",
    kinds: &[ResourceKind::LoadBalancer, ResourceKind::TargetGroup],
    list: read("LoadBalancers_ListAll", "/providers/Microsoft.Network/loadBalancers"),
    get: read("LoadBalancers_Get", "{id}"),
    with: With::Nothing,
    read: balancer,
};

/// DNS zones.
pub static ZONES: Listing = Listing {
    scope: "dns/zones",
    kinds: &[ResourceKind::DnsZone],
    list: Read {
        service: "Microsoft.Network",
        operation: "Zones_List",
        path: "/providers/Microsoft.Network/dnszones",
        query: "",
        version: "2018-05-01",
    },
    get: Read {
        service: "Microsoft.Network",
        operation: "Zones_Get",
        path: "{id}",
        query: "",
        version: "2018-05-01",
    },
    with: With::Nothing,
    read: zone,
};

fn network(item: Value, _: &Known) -> Vec<Observed> {
    let Some(mut draft) = draft(ResourceKind::Network, &item) else { return vec![] };
    let properties = &item["properties"];
    draft.state(STATES, properties["provisioningState"].as_str());
    draft.take("cidr", &properties["addressSpace"]["addressPrefixes"][0]);
    let region = draft.0.region.clone();
    let subnets = properties["subnets"].as_array().into_iter().flatten();
    let mut found: Vec<Observed> = subnets.filter_map(|inner| subnet(inner.clone(), &region)).collect();
    // What uses its subnets comes and goes without any change of the network.
    found.push(draft.finish(item, &[SAID, &["properties.subnets"]].concat()));
    found
}

/// A subnet has no location of its own: it is its network's.
fn subnet(item: Value, region: &str) -> Option<Observed> {
    let mut draft = draft(ResourceKind::Subnet, &item)?;
    region.clone_into(&mut draft.0.region);
    let properties = &item["properties"];
    draft.state(STATES, properties["provisioningState"].as_str());
    draft.take("cidr", &properties["addressPrefix"]);
    if properties["addressPrefix"].is_null() {
        draft.take("cidr", &properties["addressPrefixes"][0]);
    }
    let network = parent(&draft.0.native_id, "/subnets/").map(str::to_owned);
    draft.relation(Relation::MemberOf, ResourceKind::Network, network);
    draft.relation(
        Relation::ProtectedBy,
        ResourceKind::SecurityGroup,
        id_of(&properties["networkSecurityGroup"]),
    );
    Some(draft.finish(item, &[SAID, &["properties.ipConfigurations"]].concat()))
}

fn security_group(item: Value, _: &Known) -> Vec<Observed> {
    let Some(mut draft) = draft(ResourceKind::SecurityGroup, &item) else { return vec![] };
    let properties = &item["properties"];
    draft.state(STATES, properties["provisioningState"].as_str());
    let rules = properties["securityRules"].as_array();
    let count = |direction: &str| {
        rules.into_iter().flatten().filter(|rule| rule["properties"]["direction"] == direction).count()
    };
    draft.set("ingress_rules", count("Inbound"));
    draft.set("egress_rules", count("Outbound"));
    let omit = ["properties.subnets", "properties.networkInterfaces", "properties.resourceGuid"];
    vec![draft.finish(item, &[SAID, &omit].concat())]
}

fn address(item: Value, _: &Known) -> Vec<Observed> {
    let Some(mut draft) = draft(ResourceKind::PublicIp, &item) else { return vec![] };
    let properties = &item["properties"];
    draft.state(STATES, properties["provisioningState"].as_str());
    draft.size(&item["sku"]["name"]);
    draft.take("public_ip", &properties["ipAddress"]);
    draft.take("public_dns", &properties["dnsSettings"]["fqdn"]);
    let used_by = id_of(&properties["ipConfiguration"]);
    if used_by.is_some() && draft.0.state == marquee_types::ResourceState::Available {
        draft.0.state = marquee_types::ResourceState::InUse;
    }
    let balancer =
        used_by.as_deref().and_then(|id| parent(id, "/frontendIPConfigurations/")).map(str::to_owned);
    draft.relation(Relation::AttachedTo, ResourceKind::LoadBalancer, balancer);
    vec![draft.finish(item, &[SAID, &["properties.resourceGuid"]].concat())]
}

fn balancer(item: Value, _: &Known) -> Vec<Observed> {
    let Some(mut draft) = draft(ResourceKind::LoadBalancer, &item) else { return vec![] };
    let properties = &item["properties"];
    draft.state(STATES, properties["provisioningState"].as_str());
    draft.size(&item["sku"]["name"]);
    let front = properties["frontendIPConfigurations"].as_array();
    let open = front.into_iter().flatten().any(|front| !front["properties"]["publicIPAddress"].is_null());
    draft.set("scheme", if open { "internet-facing" } else { "internal" });
    for front in front.into_iter().flatten() {
        draft.relation(Relation::MemberOf, ResourceKind::Subnet, id_of(&front["properties"]["subnet"]));
    }
    let pools = properties["backendAddressPools"].as_array().into_iter().flatten();
    let region = draft.0.region.clone();
    let mut found = Vec::new();
    for inner in pools {
        draft.relation(Relation::RoutesTo, ResourceKind::TargetGroup, id_of(inner));
        found.extend(pool(inner.clone(), &region));
    }
    let omit = ["properties.backendAddressPools", "properties.resourceGuid"];
    found.push(draft.finish(item, &[SAID, &omit].concat()));
    found
}

/// A pool is its load balancer's, and so is its location.
fn pool(item: Value, region: &str) -> Option<Observed> {
    let mut draft = draft(ResourceKind::TargetGroup, &item)?;
    region.clone_into(&mut draft.0.region);
    let properties = &item["properties"];
    draft.state(STATES, properties["provisioningState"].as_str());
    let members = properties["backendIPConfigurations"].as_array().map_or(0, Vec::len);
    let addresses = properties["loadBalancerBackendAddresses"].as_array().map_or(0, Vec::len);
    draft.set("targets", members.max(addresses));
    Some(draft.finish(item, SAID))
}

fn zone(item: Value, _: &Known) -> Vec<Observed> {
    let Some(mut draft) = draft(ResourceKind::DnsZone, &item) else { return vec![] };
    let properties = &item["properties"];
    draft.number("records", &properties["numberOfRecordSets"]);
    draft.set("private", properties["zoneType"] == "Private");
    vec![draft.finish(item, SAID)]
}
