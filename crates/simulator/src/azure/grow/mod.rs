//! Grows what a world's subscriptions own, by the code that answers requests, at times in the past.

mod compute;
mod data;
mod network;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    arm,
    call::Call,
    entra::Role,
    error::Refused,
    ids::{self, Target},
};
use crate::{
    estate::{Driven, Estate, Meter, Thing},
    faults::Effects,
    plan::{Account, Group, Region, What},
    world::{GrowError, World},
};

type Grown = Result<(), GrowError>;

/// What a group is grown with.
struct Garden<'a> {
    world: &'a World,
    account: &'a Account,
    group: &'a Group,
    region: &'a Region,
    calm: Effects,
}

/// Makes the things of a group.
pub fn grow(world: &World, estate: &mut Estate, account: &Account, group: &Group) -> Grown {
    for (index, region) in group.regions(account).enumerate() {
        let garden = Garden { world, account, group, region, calm: Effects::default() };
        garden.resource_group(estate)?;
        match group.what {
            What::Network => network::network(&garden, estate, index)?,
            What::Instance => compute::instances(&garden, estate)?,
            What::Disk => compute::disks(&garden, estate)?,
            What::Snapshot => compute::snapshots(&garden, estate)?,
            What::Image => compute::images(&garden, estate)?,
            What::ScalingGroup => compute::scale_sets(&garden, estate)?,
            What::Database => data::servers(&garden, estate, index)?,
            What::Replica => data::replicas(&garden, estate, index)?,
            What::DatabaseSnapshot => data::backups(&garden, estate, index)?,
            What::Bucket => data::accounts(&garden, estate)?,
            What::LoadBalancer => network::balancers(&garden, estate)?,
            What::PublicIp => network::addresses(&garden, estate)?,
            // A zone is of the world, not of a region.
            What::DnsZone if index == 0 => network::zones(&garden, estate)?,
            What::DnsZone => {}
        }
    }
    Ok(())
}

impl Garden<'_> {
    /// The resource group of the region.
    fn resource_group_name(&self) -> String {
        format!("{}-{}", self.account.name, self.region.id)
    }

    fn resource_group(&self, estate: &mut Estate) -> Grown {
        let name = self.resource_group_name();
        let at = self.world.began() - TimeDelta::days(1);
        let call = self.call("", at, &[("resourceGroupName", &name)], Value::Null);
        if ids::group(&call, estate, &name).is_ok() {
            return Ok(());
        }
        let body = json!({ "location": self.region.id.as_ref(), "tags": {} });
        self.put(estate, "Microsoft.Resources/resourceGroups_createOrUpdate", at, &[], body)
    }

    /// The names and births of a group's things.
    fn each(&self) -> impl Iterator<Item = (u32, String, DateTime<Utc>)> {
        (1..=self.group.count).map(|n| {
            let name = self.group.name_of(n, self.region);
            let born = self.world.born(self.account, &name, n - 1, self.group.count, self.group.age_days);
            (n, name, born)
        })
    }

    /// The name of the `n`th thing of the group that this one belongs to.
    fn parent_name(&self, n: u32) -> Result<(String, u32), GrowError> {
        let of = self.group.of.as_deref().unwrap_or_default();
        let found = self.account.groups.iter().find(|group| group.name == of);
        let parent = found.ok_or_else(|| GrowError(format!("`of` names no group: `{of}`")))?;
        let n = (n - 1) % parent.count.max(1) + 1;
        Ok((parent.name_of(n, self.region), parent.count))
    }

    fn call<'c>(
        &'c self,
        operation: &'c str,
        now: DateTime<Utc>,
        parts: &[(&'c str, &str)],
        body: Value,
    ) -> Call<'c> {
        let mut named: BTreeMap<&str, String> =
            parts.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        named.entry("resourceGroupName").or_insert_with(|| self.resource_group_name());
        Call {
            world: self.world,
            account: self.account,
            now,
            origin: "",
            path: "",
            operation,
            version: "",
            parts: named,
            query: BTreeMap::new(),
            body,
            if_match: "",
            if_none_match: "",
            role: Role::Contributor,
            effects: &self.calm,
            growing: true,
        }
    }

    fn put(
        &self,
        estate: &mut Estate,
        operation: &str,
        at: DateTime<Utc>,
        parts: &[(&str, &str)],
        body: Value,
    ) -> Grown {
        arm::grow(estate, &self.call(operation, at, parts, body)).map_err(|refused| failed(&refused))
    }

    /// The group's tags.
    fn tags(&self) -> Value {
        json!(self.group.tags)
    }

    /// A resource of this region, by its type and names.
    fn target(&self, kind: &'static str, names: &[&str]) -> Target {
        Target::in_group(&self.account.id, &self.resource_group_name(), kind, names)
    }

    /// The id of a resource of this region.
    fn id(&self, kind: &'static str, names: &[&str]) -> String {
        self.target(kind, names).id
    }

    fn find<'e>(&self, estate: &'e Estate, target: &Target, at: DateTime<Utc>) -> Option<&'e Thing> {
        let call = self.call("", at, &[], Value::Null);
        target.find(&call, estate)
    }

    /// Lets the group's load drive a thing, and charges for what no handler knows.
    fn drive(&self, estate: &mut Estate, target: &Target, at: DateTime<Utc>, meters: Vec<Meter>) {
        let call = self.call("", at, &[], Value::Null);
        let Some(thing) = ids::find_mut(&call, estate, target.kind, &target.key) else { return };
        if let Some(load) = &self.group.load {
            thing.driven = Some(Driven { load: load.as_str().into(), at_peak: self.group.at_peak });
        }
        if !meters.is_empty() {
            thing.meter(at, meters);
        }
    }

    /// The zone of the `n`th thing.
    fn zone(&self, n: u32) -> Vec<&str> {
        let zones = &self.region.zones;
        let index = usize::try_from(n - 1).unwrap_or(0) % zones.len().max(1);
        zones.get(index).map(AsRef::as_ref).into_iter().collect()
    }
}

fn failed(refused: &Refused) -> GrowError {
    GrowError(format!("{}: {}", refused.code, refused.message))
}

fn missing(what: &str) -> GrowError {
    GrowError(format!("{what} must come before it in the world file"))
}
