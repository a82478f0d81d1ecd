//! Databases, their replicas and backups, and buckets.

use chrono::TimeDelta;
use serde_json::json;

use super::{Gardener, zone_for};
use crate::{
    estate::Meter,
    google::{compute::disk::as_f64, sql},
    plan::Region,
    world::GrowError,
};

impl Gardener<'_> {
    fn drive(&mut self, name: &str) {
        let driven = self.driven();
        for thing in self.estate.all_mut(&self.account.id, sql::INSTANCES, self.world.entered()) {
            if *thing.id == *name {
                thing.driven.clone_from(&driven);
            }
        }
    }

    pub(super) fn database(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (name, at) = (self.wide_name(self.group, region, n), self.born(region, n));
        let version = if self.group.version.is_empty() { "POSTGRES_16" } else { &self.group.version };
        let log =
            if version.starts_with("MYSQL") { "binaryLogEnabled" } else { "pointInTimeRecoveryEnabled" };
        let body = json!({
            "name": name, "region": &*region.id, "databaseVersion": version,
            "settings": {
                "tier": self.group.size, "dataDiskSizeGb": self.group.gib.max(10).to_string(), "userLabels": self.labels(),
                "availabilityType": if self.group.multi_zone { "REGIONAL" } else { "ZONAL" },
                "backupConfiguration": { "enabled": true, log: true },
                "locationPreference": { "zone": zone_for(region, n)? },
            },
        });
        self.call("sql.instances.insert", at, &[], body)?;
        if self.group.stopped {
            let body = json!({ "settings": { "activationPolicy": "NEVER" } });
            self.call("sql.instances.patch", at + TimeDelta::hours(20), &[("instance", &name)], body)?;
        }
        self.drive(&name);
        Ok(())
    }

    pub(super) fn replica(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (group, index) = self.need_source(n)?;
        let (name, primary) = (self.wide_name(self.group, region, n), self.wide_name(group, region, index));
        let body = json!({
            "name": name, "masterInstanceName": primary, "region": &*region.id,
            "settings": { "userLabels": self.labels(), "locationPreference": { "zone": zone_for(region, n + 1)? } },
        });
        self.call("sql.instances.insert", self.born(region, n), &[], body)?;
        self.drive(&name);
        Ok(())
    }

    pub(super) fn backup(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (group, index) = self.need_source(n)?;
        let primary = self.wide_name(group, region, index);
        let body = json!({ "description": self.name(region, n) });
        self.call("sql.backupRuns.insert", self.born(region, n), &[("instance", &primary)], body)
    }

    pub(super) fn bucket(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (name, at) = (self.wide_name(self.group, region, n), self.born(region, n));
        let body = json!({ "name": name, "location": &*region.id, "labels": self.labels() });
        self.call("storage.buckets.insert", at, &[], body)?;
        let gib = as_f64(self.group.gib);
        let found =
            self.estate.get_mut(&self.account.id, "storage.buckets", &region.id, &name, self.world.entered());
        if let Some(thing) = found {
            thing.meter(at, [Meter::new("bucket/STANDARD", gib)]);
        }
        Ok(())
    }
}
