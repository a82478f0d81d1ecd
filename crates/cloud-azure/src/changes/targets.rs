//! Pools of load balancers: an instance is in one by its first interface. The pool's port is in the balancer's rules, and all
//! members have the same.

use marquee_clouds::{Change, CloudError, Ticket, changes::spec::InstanceRef, layers::Tally};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{compute::MACHINE, conflict, invalid, place};
use crate::{
    arm::{Read, Write},
    cloud::Azure,
    inventory::{
        compute::{INTERFACE, MACHINES},
        network::{BALANCERS, VERSION},
    },
};

/// The type of pools.
const POOL: &str = "Microsoft.Network/loadBalancers/backendAddressPools";

static PUT: Write = Write {
    method: Method::PUT,
    at: Read {
        service: "Microsoft.Network",
        operation: "NetworkInterfaces_CreateOrUpdate",
        path: "{id}",
        query: "",
        version: VERSION,
    },
};

/// What an interface says of itself and is not asked.
const SHOWN: &[&str] = &[
    "provisioningState",
    "resourceGuid",
    "virtualMachine",
    "macAddress",
    "primary",
    "vnetEncryptionSupported",
    "hostedWorkloads",
    "tapConfigurations",
    "privateEndpoint",
    "privateLinkService",
    "dscpConfiguration",
    "defaultOutboundConnectivityEnabled",
];

impl Azure {
    /// Puts an instance into a pool, or takes it out.
    pub(super) async fn pool(
        &self,
        change: &Change,
        target: &InstanceRef,
        joins: bool,
    ) -> Result<Ticket, CloudError> {
        if target.port.is_some() {
            return Err(invalid("port: that of a pool of Azure's is in the rules of its load balancer"));
        }
        let pool = change.native_id();
        place::refuse_other(pool, POOL)?;
        let Some(id) = self.interface_of(target).await? else {
            // Who is gone is in no pool.
            return if joins { Err(conflict("the instance is not there")) } else { Ok(Ticket::of(pool)) };
        };
        let mut interface = self.arm.get(&INTERFACE, &id, &Tally::default()).await?;
        let configurations = &mut interface["properties"]["ipConfigurations"];
        let Some(first) = configurations.as_array_mut().and_then(|all| all.first_mut()) else {
            return Err(conflict("the instance's interface has no address"));
        };
        let pools = &mut first["properties"]["loadBalancerBackendAddressPools"];
        let mut members = pools.as_array().cloned().unwrap_or_default();
        let is_pool = |one: &Value| one["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(pool));
        if members.iter().any(is_pool) == joins {
            return Ok(Ticket::of(pool));
        }
        members.retain(|one| !is_pool(one));
        if joins {
            members.push(json!({ "id": pool }));
        }
        *pools = json!(members);
        let sent = self.ask(&PUT, &id, Some(&asked(&interface))).await?;
        Ok(Ticket::with(Some(pool.to_owned()), sent.handle))
    }

    /// Whether an instance is in a pool, by the pool's own word.
    pub(super) async fn is_in_pool(&self, pool: &str, target: &InstanceRef) -> Result<bool, CloudError> {
        let Some(interface) = self.interface_of(target).await? else { return Ok(false) };
        let (balancer, _) = pool
            .rsplit_once("/backendaddresspools/")
            .or_else(|| pool.rsplit_once("/backendAddressPools/"))
            .ok_or_else(|| invalid(format!("{pool} is no pool's id")))?;
        let balancer = self.arm.get(&BALANCERS.get, balancer, &Tally::default()).await?;
        let pools = balancer["properties"]["backendAddressPools"].as_array().into_iter().flatten();
        let mut own = pools.filter(|one| one["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(pool)));
        let members = own.next().and_then(|one| one["properties"]["backendIPConfigurations"].as_array());
        let prefix = format!("{interface}/").to_lowercase();
        let is_its =
            |one: &Value| one["id"].as_str().is_some_and(|id| id.to_lowercase().starts_with(&prefix));
        Ok(members.into_iter().flatten().any(is_its))
    }

    /// The id of an instance's first interface; none if the instance is gone.
    async fn interface_of(&self, target: &InstanceRef) -> Result<Option<String>, CloudError> {
        place::refuse_id(&target.instance)?;
        place::refuse_other(&target.instance, MACHINE.kind)?;
        let Some(machine) = self.there(&MACHINES.get, &target.instance).await? else { return Ok(None) };
        let all = machine["properties"]["networkProfile"]["networkInterfaces"].as_array();
        let all = all.map_or(&[][..], Vec::as_slice);
        let primary = all.iter().find(|one| one["properties"]["primary"] == true).or(all.first());
        let id = primary.and_then(|one| one["id"].as_str());
        id.map(|id| Some(id.to_owned())).ok_or_else(|| conflict("the instance has no interface"))
    }
}

/// An interface as it is asked for, out of what it said of itself.
fn asked(said: &Value) -> Value {
    let mut properties = said["properties"].as_object().cloned().unwrap_or_default();
    properties.retain(|name, _| !SHOWN.contains(&name.as_str()));
    if let Some(names) = properties.get_mut("dnsSettings").and_then(Value::as_object_mut) {
        names.retain(|name, _| ["dnsServers", "internalDnsNameLabel"].contains(&name.as_str()));
    }
    let configurations = properties.get_mut("ipConfigurations").and_then(Value::as_array_mut);
    for configuration in configurations.into_iter().flatten().filter_map(Value::as_object_mut) {
        configuration.retain(|name, _| ["name", "properties"].contains(&name.as_str()));
        if let Some(own) = configuration.get_mut("properties").and_then(Value::as_object_mut) {
            own.retain(|name, _| {
                !["provisioningState", "privateLinkConnectionProperties"].contains(&name.as_str())
            });
        }
    }
    let mut body = Map::new();
    for name in ["location", "tags", "extendedLocation"] {
        if let Some(value) = said.get(name) {
            body.insert(name.to_owned(), value.clone());
        }
    }
    body.insert("properties".to_owned(), Value::Object(properties));
    Value::Object(body)
}
