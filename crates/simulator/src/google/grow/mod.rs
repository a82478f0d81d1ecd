//! Making what a world file says a project owns, by the handlers that answer requests, at times in the past.
//!
//! Names of zones and regions may be used again in others; snapshots, images, templates and databases are of the whole
//! project, so where a group is in several regions its name gets the region's behind it.

mod data;
mod machine;

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    call::{Call, Handler},
    schemas,
};
use crate::{
    estate::{Driven, Estate},
    plan::{Account, Group, Region, What},
    world::{GrowError, World},
};

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
            What::Instance => self.instance(region, n),
            What::Disk => self.disk(region, n),
            What::Snapshot => self.snapshot(region, n),
            What::Image => self.image(region, n),
            What::Database => self.database(region, n),
            What::Replica => self.replica(region, n),
            What::DatabaseSnapshot => self.backup(region, n),
            What::Bucket => self.bucket(region, n),
            What::LoadBalancer => self.balancer(region, n),
            What::ScalingGroup => self.scaling_group(region, n),
            What::PublicIp => self.address(region, n),
            What::DnsZone => self.zone(region, n),
        }
    }

    /// Calls an operation as a client would, at a time.
    fn call(
        &mut self,
        operation: &str,
        at: DateTime<Utc>,
        path: &[(&str, &str)],
        body: Value,
    ) -> Result<(), GrowError> {
        self.ask(operation, at, path, &[], body)
    }

    fn ask(
        &mut self,
        operation: &str,
        at: DateTime<Utc>,
        path: &[(&str, &str)],
        query: &[(&str, &str)],
        body: Value,
    ) -> Result<(), GrowError> {
        let mut call = Call::inside(self.world, self.account, operation, at)
            .at("project", &self.account.id)
            .saying(body);
        for (name, value) in path {
            call = call.at(name, value);
        }
        call.query.extend(query.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
        let done = match schemas::handler(operation) {
            Some(Handler::Write(handler)) => handler(&call, self.estate).map(|_| ()),
            _ => return Err(GrowError(format!("{operation} makes nothing"))),
        };
        done.map_err(|refusal| GrowError(format!("{operation}: {}", refusal.message)))
    }

    /// The name of a thing that is of one zone or region.
    fn name(&self, region: &Region, n: u32) -> String {
        self.group.name_of(n, region)
    }

    /// The name of a thing that is of the whole project.
    fn wide_name(&self, pattern: &Group, region: &Region, n: u32) -> String {
        let name = pattern.name_of(n, region);
        let alone = pattern.regions(self.account).count() < 2 || pattern.name.contains("{region}");
        if alone { name } else { format!("{name}-{}", region.id) }
    }

    fn born(&self, region: &Region, n: u32) -> DateTime<Utc> {
        let name = format!("{}/{}", region.id, self.name(region, n));
        self.world.born(self.account, &name, n - 1, self.group.count, self.group.age_days)
    }

    /// The group that this one is of, with the number of the thing in it that the `n`th here belongs to.
    fn source(&self, n: u32) -> Option<(&'a Group, u32)> {
        let name = self.group.of.as_deref()?;
        let found = self.account.groups.iter().find(|group| group.name == name)?;
        Some((found, (n - 1) % found.count.max(1) + 1))
    }

    fn need_source(&self, n: u32) -> Result<(&'a Group, u32), GrowError> {
        self.source(n).ok_or_else(|| GrowError("`of` names no group of the project".to_owned()))
    }

    fn labels(&self) -> Value {
        self.group.tags.iter().map(|(key, value)| (key.to_string(), Value::from(&**value))).collect()
    }

    /// What drives the measurements of the group's things.
    fn driven(&self) -> Option<Driven> {
        let load = self.group.load.as_deref()?;
        Some(Driven { load: load.into(), at_peak: self.group.at_peak })
    }

    /// The project's networks have addresses by the count of their subnetworks.
    fn network(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (name, at) = (self.name(region, n), self.born(region, n));
        let known =
            self.estate.get(&self.account.id, "compute.networks", "global", &name, self.world.entered());
        let at = known.map_or(at, |network| network.born.max(at)) + TimeDelta::minutes(1);
        if known.is_none() {
            let body = json!({ "name": name, "autoCreateSubnetworks": false });
            self.call("compute.networks.insert", at, &[], body)?;
            let rules = [
                ("internal", "10.0.0.0/8", json!([{ "IPProtocol": "all" }])),
                ("web", "0.0.0.0/0", json!([{ "IPProtocol": "tcp", "ports": ["80", "443"] }])),
            ];
            for (suffix, from, allowed) in rules {
                let body = json!({ "name": format!("{name}-{suffix}"), "network": format!("global/networks/{name}"), "sourceRanges": [from], "allowed": allowed });
                self.call("compute.firewalls.insert", at, &[], body)?;
            }
        }
        let count =
            self.estate.all(&self.account.id, "compute.subnetworks", None, self.world.entered()).count();
        let range = format!("10.{}.0.0/16", count % 120);
        let body =
            json!({ "name": name, "network": format!("global/networks/{name}"), "ipCidrRange": range });
        self.call("compute.subnetworks.insert", at, &[("region", &region.id)], body)
    }

    fn address(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let body = json!({ "name": self.name(region, n), "labels": self.labels() });
        self.call("compute.addresses.insert", self.born(region, n), &[("region", &region.id)], body)
    }

    /// Once for the project: a zone is in no region.
    fn zone(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let domain = self.name(region, n);
        let name = domain.trim_end_matches('.').replace('.', "-");
        if self
            .estate
            .get(&self.account.id, "dns.managedZones", "global", &name, self.world.entered())
            .is_some()
        {
            return Ok(());
        }
        let (at, domain) = (self.born(region, n), format!("{}.", domain.trim_end_matches('.')));
        let body = json!({ "name": name, "dnsName": domain, "description": self.account.name, "labels": self.labels() });
        self.call("dns.managedZones.create", at, &[], body)?;
        let address = format!("203.0.113.{}", n % 250 + 1);
        let records = [
            json!({ "name": format!("www.{domain}"), "type": "CNAME", "ttl": 300, "rrdatas": [domain] }),
            json!({ "name": domain, "type": "A", "ttl": 300, "rrdatas": [address] }),
        ];
        self.call(
            "dns.changes.create",
            at + TimeDelta::minutes(5),
            &[("managedZone", &name)],
            json!({ "additions": records }),
        )
    }
}

/// Zones in turn.
fn zone_for(region: &Region, n: u32) -> Result<String, GrowError> {
    let zones = region.zones.len().max(1);
    let zone = region.zones.get((n as usize - 1) % zones).map(ToString::to_string);
    zone.ok_or_else(|| GrowError(format!("{} has no zone", region.id)))
}
