//! Networks, addresses, load balancers and zones.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Garden, Grown, missing};
use crate::{
    azure::network::{ADDRESS, BALANCER, NIC, NSG, SUBNET},
    estate::Estate,
};

/// A network for a region, with a subnet for each zone, and what protects it.
pub fn network(garden: &Garden<'_>, estate: &mut Estate, index: usize) -> Grown {
    for (_, name, born) in garden.each() {
        let protection = format!("{name}-nsg");
        let rule = |name: &str, priority: u32, port: &str| {
            json!({
                "name": name,
                "properties": {
                    "priority": priority, "direction": "Inbound", "access": "Allow", "protocol": "Tcp",
                    "sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "*",
                    "destinationPortRange": port,
                },
            })
        };
        let body = json!({
            "location": garden.region.id, "tags": garden.tags(),
            "properties": { "securityRules": [rule("https", 100, "443"), rule("http", 110, "80")] },
        });
        let parts = [("networkSecurityGroupName", protection.as_str())];
        garden.put(estate, "Microsoft.Network/networkSecurityGroups_createOrUpdate", born, &parts, body)?;
        let group = json!({ "id": garden.id(NSG, &[&protection]) });
        let subnets: Vec<Value> = garden
            .region
            .zones
            .iter()
            .enumerate()
            .map(|(zone, _)| {
                let prefix = format!("10.{index}.{}.0/18", zone * 64);
                json!({
                    "name": format!("zone-{}", zone + 1),
                    "properties": { "addressPrefix": prefix, "networkSecurityGroup": group },
                })
            })
            .collect();
        let body = json!({
            "location": garden.region.id, "tags": garden.tags(),
            "properties": { "addressSpace": { "addressPrefixes": [format!("10.{index}.0.0/16")] }, "subnets": subnets },
        });
        let parts = [("virtualNetworkName", name.as_str())];
        garden.put(estate, "Microsoft.Network/virtualNetworks_createOrUpdate", born, &parts, body)?;
    }
    Ok(())
}

/// The subnet for the `n`th machine: of the region's first network, in the machine's zone.
pub fn subnet(garden: &Garden<'_>, n: u32) -> Result<String, crate::world::GrowError> {
    let networks = garden.account.groups.iter().find(|group| group.what == crate::plan::What::Network);
    let network = networks.ok_or_else(|| missing("a network"))?.name_of(1, garden.region);
    let zones = u32::try_from(garden.region.zones.len().max(1)).unwrap_or(1);
    let name = format!("zone-{}", (n - 1) % zones + 1);
    Ok(garden.id(SUBNET, &[&network, &name]))
}

/// Public addresses.
pub fn addresses(garden: &Garden<'_>, estate: &mut Estate) -> Grown {
    for (_, name, born) in garden.each() {
        address(garden, estate, &name, born)?;
    }
    Ok(())
}

fn address(
    garden: &Garden<'_>,
    estate: &mut Estate,
    name: &str,
    born: chrono::DateTime<chrono::Utc>,
) -> Grown {
    let body = json!({
        "location": garden.region.id, "tags": garden.tags(), "sku": { "name": "Standard" },
        "zones": garden.region.zones, "properties": { "publicIPAllocationMethod": "Static" },
    });
    let parts = [("publicIpAddressName", name)];
    garden.put(estate, "Microsoft.Network/publicIPAddresses_createOrUpdate", born, &parts, body)
}

/// Load balancers in front of machines.
pub fn balancers(garden: &Garden<'_>, estate: &mut Estate) -> Grown {
    for (_, name, born) in garden.each() {
        let public = format!("{name}-ip");
        address(garden, estate, &public, born)?;
        let id = garden.id(BALANCER, &[&name]);
        let part = |part: &str, name: &str| json!({ "id": format!("{id}/{part}/{name}") });
        let body = json!({
            "location": garden.region.id, "tags": garden.tags(), "sku": { "name": "Standard" },
            "properties": {
                "frontendIPConfigurations": [{
                    "name": "public",
                    "properties": { "publicIPAddress": { "id": garden.id(ADDRESS, &[&public]) } },
                }],
                "backendAddressPools": [{ "name": "machines" }],
                "probes": [{
                    "name": "health",
                    "properties": {
                        "protocol": "Http", "port": 80, "requestPath": "/health", "intervalInSeconds": 15,
                        "numberOfProbes": 2,
                    },
                }],
                "loadBalancingRules": [{
                    "name": "https",
                    "properties": {
                        "protocol": "Tcp", "frontendPort": 443, "backendPort": 443,
                        "frontendIPConfiguration": part("frontendIPConfigurations", "public"),
                        "backendAddressPool": part("backendAddressPools", "machines"),
                        "probe": part("probes", "health"),
                    },
                }],
            },
        });
        let parts = [("loadBalancerName", name.as_str())];
        garden.put(estate, "Microsoft.Network/loadBalancers_createOrUpdate", born, &parts, body)?;
        if garden.group.of.is_some() {
            members(garden, estate, born, &format!("{id}/backendAddressPools/machines"))?;
        }
    }
    Ok(())
}

/// Puts the interfaces of machines into a pool, each once both are there.
fn members(
    garden: &Garden<'_>,
    estate: &mut Estate,
    born: chrono::DateTime<chrono::Utc>,
    pool: &str,
) -> Grown {
    let (_, count) = garden.parent_name(1)?;
    for n in 1..=count {
        let (machine, _) = garden.parent_name(n)?;
        let name = format!("{machine}-nic");
        let target = garden.target(NIC, &[&name]);
        let Some(nic) = garden.find(estate, &target, garden.world.entered()) else { continue };
        let at = born.max(nic.born) + TimeDelta::hours(1);
        let mut body = Value::Object(nic.body.read());
        for configuration in body["properties"]["ipConfigurations"].as_array_mut().into_iter().flatten() {
            configuration["properties"]["loadBalancerBackendAddressPools"] = json!([{ "id": pool }]);
        }
        let parts = [("networkInterfaceName", name.as_str())];
        garden.put(estate, "Microsoft.Network/networkInterfaces_createOrUpdate", at, &parts, body)?;
    }
    Ok(())
}

/// Zones, with an address.
pub fn zones(garden: &Garden<'_>, estate: &mut Estate) -> Grown {
    for (_, name, born) in garden.each() {
        let body = json!({ "location": "global", "tags": garden.tags() });
        let parts = [("zoneName", name.as_str())];
        garden.put(estate, "Microsoft.Network.dnsZones/zones_createOrUpdate", born, &parts, body)?;
        let sets = [
            ("A", "www", json!({ "TTL": 300, "ARecords": [{ "ipv4Address": "198.18.0.10" }] })),
            ("TXT", "@", json!({ "TTL": 3_600, "TXTRecords": [{ "value": ["v=spf1 -all"] }] })),
        ];
        for (kind, record, properties) in sets {
            let parts =
                [("zoneName", name.as_str()), ("recordType", kind), ("relativeRecordSetName", record)];
            let body = json!({ "properties": properties });
            garden.put(estate, "Microsoft.Network.dnsZones/recordSets_createOrUpdate", born, &parts, body)?;
        }
    }
    Ok(())
}
