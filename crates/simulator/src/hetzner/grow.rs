//! Making what a world file says a project owns, by the handlers that answer requests, at times in the past.
//!
//! Databases, buckets, DNS zones and scaling groups are none of Hetzner Cloud's; a world that wants some is wrong.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Handler, number},
    catalog, handler,
};
use crate::{
    estate::{Driven, Estate, Thing},
    face::FaceName,
    plan::{Account, Group, Region, What},
    world::{GrowError, World},
};

const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// Makes one group.
pub fn grow(world: &World, estate: &mut Estate, account: &Account, group: &Group) -> Result<(), GrowError> {
    let mut gardener = Gardener { world, estate, account, group };
    for region in group.regions(account).filter(|region| region.enabled) {
        for n in 1..=group.count {
            gardener.one(region, n)?;
        }
    }
    Ok(())
}

/// Who makes the things of one group.
struct Gardener<'a> {
    world: &'a World,
    estate: &'a mut Estate,
    account: &'a Account,
    group: &'a Group,
}

impl<'a> Gardener<'a> {
    fn one(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        match self.group.what {
            What::Network => self.network(region, n),
            What::Instance => self.server(region, n),
            What::Disk => self.volume(region, n),
            What::Snapshot => self.snapshot(region, n),
            What::LoadBalancer => self.balancer(region, n),
            What::PublicIp => self.address(region, n),
            other => Err(GrowError(format!("Hetzner has no {other:?}"))),
        }
    }

    /// Calls an operation as a client would, at a time.
    fn call(
        &mut self,
        operation: &str,
        at: DateTime<Utc>,
        id: &str,
        body: Value,
    ) -> Result<Value, GrowError> {
        let mut call = Call::inside(self.world, self.account, operation, at);
        id.clone_into(&mut call.id);
        if let Value::Object(members) = body {
            call.body = members;
        }
        let done = match handler(operation) {
            Some(Handler::Write(handler)) => handler(&call, self.estate),
            _ => return Err(GrowError(format!("{operation} makes nothing"))),
        };
        match done
            .map_err(|refusal| GrowError(format!("{operation}: {} {}", refusal.message, refusal.details)))?
        {
            Answer::Json(_, value) | Answer::Page(value, _) => Ok(value),
            Answer::Nothing => Ok(Value::Null),
        }
    }

    /// Names are the project's: where a group is in several locations its name gets the location's behind it.
    fn name_of(&self, group: &Group, region: &Region, n: u32) -> String {
        let name = group.name_of(n, region);
        let alone = group.regions(self.account).count() < 2 || group.name.contains("{region}");
        if alone { name } else { format!("{name}-{}", region.id) }
    }

    fn name(&self, region: &Region, n: u32) -> String {
        self.name_of(self.group, region, n)
    }

    fn born(&self, region: &Region, n: u32) -> DateTime<Utc> {
        self.world.born(self.account, &self.name(region, n), n - 1, self.group.count, self.group.age_days)
    }

    fn labels(&self) -> Value {
        self.group.tags.iter().map(|(key, value)| (key.to_string(), Value::from(&**value))).collect()
    }

    /// A thing by its name.
    fn found(&self, shelf: &str, name: &str) -> Option<&Thing> {
        self.estate
            .all(&self.account.id, shelf, None, self.world.entered())
            .find(|thing| *thing.name == *name)
    }

    /// The group that this one is of.
    fn source(&self) -> Option<&'a Group> {
        let name = self.group.of.as_deref()?;
        self.account.groups.iter().find(|group| group.name == name)
    }

    /// The server of the group `of` that the `n`th thing here belongs to: its id and when it was made.
    fn server_for(&self, region: &Region, n: u32) -> Option<(String, DateTime<Utc>)> {
        let group = self.source()?;
        let name = self.name_of(group, region, (n - 1) % group.count.max(1) + 1);
        let found = self.found("servers", &name)?;
        Some((found.id.to_string(), found.born))
    }

    /// One network for all locations of a zone, with a subnet, and a firewall for what carries its labels.
    fn network(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (name, at) = (self.group.name_of(n, region), self.born(region, n));
        if self.found("networks", &name).is_some() {
            return Ok(());
        }
        let zone = catalog::zone_of(&region.id);
        let body = json!({ "name": name, "ip_range": format!("10.{n}.0.0/16"), "labels": self.labels(),
            "subnets": [{ "type": "cloud", "ip_range": format!("10.{n}.1.0/24"), "network_zone": zone }],
            "routes": [{ "destination": "10.100.1.0/24", "gateway": format!("10.{n}.1.250") }] });
        self.call("networks.create", at, "", body)?;
        let selector: Vec<String> =
            self.group.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let everyone = json!(["0.0.0.0/0", "::/0"]);
        let rule = |port: &str| {
            json!({ "direction": "in", "protocol": "tcp", "port": port, "source_ips": everyone,
                "destination_ips": [] })
        };
        let apply: Vec<Value> = Some(selector.join(","))
            .filter(|selector| !selector.is_empty())
            .map(|selector| json!({ "type": "label_selector", "label_selector": { "selector": selector } }))
            .into_iter()
            .collect();
        let body = json!({ "name": format!("{name}-web"), "labels": self.labels(), "apply_to": apply,
            "rules": [rule("80"), rule("443"), { "direction": "in", "protocol": "icmp",
                "source_ips": everyone, "destination_ips": [] }] });
        self.call("firewalls.create", at, "", body)?;
        let outward = json!([{ "direction": "out", "protocol": "udp", "port": "53",
            "source_ips": [], "destination_ips": everyone }]);
        let body = json!({ "name": format!("{name}-names"), "labels": self.labels(), "rules": outward });
        self.call("firewalls.create", at, "", body).map(drop)
    }

    /// The first network with a subnet for a location: its id and when it was made.
    fn network_of(&self, region: &Region) -> Option<(Value, DateTime<Utc>)> {
        let zone = catalog::zone_of(&region.id);
        let mut all = self.estate.all(&self.account.id, "networks", None, self.world.entered());
        let found = all.find(|network| {
            let subnets = network.body.get("subnets");
            subnets.as_array().into_iter().flatten().any(|subnet| subnet["network_zone"] == zone)
        })?;
        Some((number(&found.id), found.born))
    }

    fn server(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (name, at) = (self.name(region, n), self.born(region, n));
        let size = self.world.plan.size(FaceName::Hetzner, &self.group.size);
        let size = size.ok_or_else(|| GrowError(format!("there is no server type {}", self.group.size)))?;
        let network = self.network_of(region);
        let since = network.as_ref().map_or(at, |(_, since)| *since);
        let networks: Vec<Value> = network.into_iter().map(|(id, _)| id).collect();
        let at = at.max(since + MINUTE);
        let body = json!({ "name": name, "server_type": size.name, "image": "ubuntu-24.04",
            "location": &*region.id, "labels": self.labels(), "networks": networks });
        let made = self.call("servers.create", at, "", body)?;
        let id = made["server"]["id"].to_string();
        let driven = self.group.load.as_deref();
        let driven = driven.map(|load| Driven { load: load.into(), at_peak: self.group.at_peak });
        let all = self.estate.all_mut(&self.account.id, "servers", self.world.entered());
        for thing in all.into_iter().filter(|thing| *thing.id == *id) {
            thing.driven.clone_from(&driven);
        }
        if self.group.stopped {
            self.call("servers.poweroff", at + TimeDelta::hours(20), &id, Value::Null)?;
        }
        Ok(())
    }

    fn volume(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (name, at) = (self.name(region, n), self.born(region, n));
        let mut body =
            json!({ "name": name, "size": self.group.gib, "format": "ext4", "labels": self.labels() });
        let at = if let Some((server, since)) = self.server_for(region, n) {
            body["server"] = number(&server);
            at.max(since + MINUTE * 2)
        } else {
            body["location"] = (*region.id).into();
            at
        };
        self.call("volumes.create", at, "", body).map(drop)
    }

    /// Of servers: a backup, if that is the size.
    fn snapshot(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (server, since) =
            self.server_for(region, n).ok_or_else(|| GrowError("`of` names no servers".to_owned()))?;
        let mut at = self.born(region, n).max(since + MINUTE * 5);
        let backup = self.group.size == "backup";
        if backup {
            self.call("servers.enable_backup", at, &server, Value::Null)?;
            at += MINUTE;
        }
        let body = json!({ "type": if backup { "backup" } else { "snapshot" }, "labels": self.labels(),
            "description": self.name(region, n) });
        self.call("servers.create_image", at, &server, body).map(drop)
    }

    fn address(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (at, owner) = (self.born(region, n), self.server_for(region, n));
        let mut body = json!({ "name": self.name(region, n), "type": "ipv4", "description": "reserved",
            "home_location": &*region.id, "labels": self.labels() });
        let mut since = at;
        if let Some((server, born)) = owner {
            body["server"] = number(&server);
            since = born + MINUTE * 10;
        }
        self.call("floating_ips.create", at.max(since), "", body).map(drop)
    }

    fn balancer(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let count = self.source().map_or(0, |group| group.count);
        let servers: Vec<(String, DateTime<Utc>)> =
            (1..=count).filter_map(|n| self.server_for(region, n)).collect();
        let at = servers.iter().map(|(_, since)| *since + MINUTE).fold(self.born(region, n), DateTime::max);
        let targets: Vec<Value> = servers
            .iter()
            .map(
                |(id, _)| json!({ "type": "server", "server": { "id": number(id) }, "use_private_ip": true }),
            )
            .collect();
        let network = self.network_of(region).map(|(id, _)| id);
        let size = Some(&*self.group.size).filter(|size| !size.is_empty()).unwrap_or("lb11");
        let check = json!({ "protocol": "http", "port": 80, "interval": 15, "timeout": 10, "retries": 3,
            "http": { "domain": "", "path": "/health", "response": "", "status_codes": ["2??", "3??"], "tls": false } });
        let body = json!({ "name": self.name(region, n), "load_balancer_type": size, "location": &*region.id,
            "network": network, "targets": targets, "labels": self.labels(),
            "services": [{ "protocol": "http", "listen_port": 80, "destination_port": 80, "proxyprotocol": false,
                "health_check": check, "http": { "sticky_sessions": false } }] });
        self.call("load_balancers.create", at, "", body).map(drop)
    }
}
