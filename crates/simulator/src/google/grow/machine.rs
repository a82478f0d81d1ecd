//! Instances, disks, snapshots, images, groups and what balances loads among them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Gardener, zone_for};
use crate::{
    estate::Thing,
    face::FaceName,
    plan::{Region, What},
    world::GrowError,
};

const MINUTE: TimeDelta = TimeDelta::minutes(1);
/// What instances are made from.
const IMAGE: &str = "projects/debian-cloud/global/images/family/debian-12";

impl Gardener<'_> {
    /// The network that a region's things are in: the first with a subnetwork there.
    fn subnetwork(&mut self, region: &Region) -> Result<String, GrowError> {
        let (account, entered) = (self.account.id.clone(), self.world.entered());
        let known = self.estate.all(&account, "compute.subnetworks", Some(&region.id), entered).next();
        if let Some(known) = known {
            return Ok(format!("regions/{}/subnetworks/{}", region.id, known.id));
        }
        // A project begins with a network in which there is a subnetwork everywhere.
        self.call(
            "compute.networks.insert",
            self.world.began(),
            &[],
            json!({ "name": "default", "autoCreateSubnetworks": true }),
        )?;
        Ok(format!("regions/{}/subnetworks/default", region.id))
    }

    fn properties(&mut self, region: &Region) -> Result<Value, GrowError> {
        let size = self.world.plan.size(FaceName::Google, &self.group.size);
        let image = match size.map(|size| &*size.architecture) {
            Some("arm64") => format!("{IMAGE}-arm64"),
            _ => IMAGE.to_owned(),
        };
        let gib = if self.group.what == What::Instance { self.group.gib.max(10) } else { 20 };
        Ok(json!({
            "machineType": self.group.size,
            "labels": self.labels(),
            "disks": [{
                "boot": true, "autoDelete": true,
                "initializeParams": { "sourceImage": image, "diskSizeGb": gib.to_string(), "diskType": "pd-balanced", "labels": self.labels() },
            }],
            "networkInterfaces": [{ "subnetwork": self.subnetwork(region)? }],
        }))
    }

    pub(super) fn instance(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (name, zone, at) = (self.name(region, n), zone_for(region, n)?, self.born(region, n));
        let mut body = self.properties(region)?;
        body["name"] = name.clone().into();
        body["machineType"] = format!("zones/{zone}/machineTypes/{}", self.group.size).into();
        body["disks"][0]["initializeParams"]["diskType"] =
            format!("zones/{zone}/diskTypes/pd-balanced").into();
        self.call("compute.instances.insert", at, &[("zone", &zone)], body)?;
        let driven = self.driven();
        if let Some(thing) =
            self.estate.get_mut(&self.account.id, "compute.instances", &zone, &name, self.world.entered())
        {
            thing.driven = driven;
        }
        if self.group.stopped {
            let path = [("zone", zone.as_str()), ("instance", name.as_str())];
            self.call("compute.instances.stop", at + TimeDelta::hours(20), &path, Value::Null)?;
        }
        Ok(())
    }

    /// The things of a shelf in a region that have a name.
    fn found(&self, shelf: &str, region: &Region, name: &str) -> Option<&Thing> {
        let zones = region.zones.iter().map(AsRef::as_ref).chain([&*region.id, "global"]);
        zones
            .into_iter()
            .find_map(|place| self.estate.get(&self.account.id, shelf, place, name, self.world.entered()))
    }

    pub(super) fn disk(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (name, at) = (self.name(region, n), self.born(region, n));
        let owner = match self.group.of {
            Some(_) => Some(self.need_source(n)?),
            None => None,
        };
        let owner = owner.and_then(|(group, n)| {
            let found = self.found("compute.instances", region, &group.name_of(n, region))?;
            Some((found.id.to_string(), found.place.to_string(), found.born))
        });
        let zone = match &owner {
            Some((_, zone, _)) => zone.clone(),
            None => zone_for(region, n)?,
        };
        let body = json!({
            "name": name, "sizeGb": self.group.gib.to_string(), "labels": self.labels(),
            "type": format!("zones/{zone}/diskTypes/{}", self.group.size),
        });
        self.call("compute.disks.insert", at, &[("zone", &zone)], body)?;
        if let Some((instance, zone, since)) = owner {
            let body = json!({ "source": format!("zones/{zone}/disks/{name}"), "deviceName": name });
            let path = [("zone", zone.as_str()), ("instance", instance.as_str())];
            self.call("compute.instances.attachDisk", at.max(since) + MINUTE * 2, &path, body)?;
        }
        Ok(())
    }

    pub(super) fn snapshot(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (group, index) = self.need_source(n)?;
        let disk = group.name_of(index, region);
        let found = self.found("compute.disks", region, &disk);
        let (zone, since) = found
            .map(|disk| (disk.place.to_string(), disk.born))
            .ok_or_else(|| GrowError(format!("there is no disk {disk}")))?;
        let body = json!({ "name": self.wide_name(self.group, region, n), "labels": self.labels() });
        let at = self.born(region, n).max(since + MINUTE);
        self.call("compute.disks.createSnapshot", at, &[("zone", &zone), ("disk", &disk)], body)
    }

    pub(super) fn image(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let family = self.group.name.replace("-{n}", "").replace("{n}", "").replace("-{region}", "");
        let body = json!({
            "name": self.wide_name(self.group, region, n), "family": family, "labels": self.labels(),
            "sourceImage": IMAGE, "diskSizeGb": self.group.gib.max(10).to_string(),
        });
        self.call("compute.images.insert", self.born(region, n), &[], body)
    }

    /// A template, a manager that keeps as many instances as the file says, and an autoscaler.
    pub(super) fn scaling_group(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (name, zone, at) = (self.name(region, n), zone_for(region, n)?, self.born(region, n));
        let template = format!("{name}-{}", region.id);
        let body = json!({ "name": template, "properties": self.properties(region)? });
        self.call("compute.instanceTemplates.insert", at, &[], body)?;
        let at = at + MINUTE;
        let body = json!({
            "name": name, "baseInstanceName": name, "targetSize": self.group.gib,
            "instanceTemplate": format!("global/instanceTemplates/{template}"),
        });
        self.call("compute.instanceGroupManagers.insert", at, &[("zone", &zone)], body)?;
        let policy = json!({ "minNumReplicas": self.group.gib, "maxNumReplicas": self.group.gib * 4, "cpuUtilization": { "utilizationTarget": 0.6 } });
        let body = json!({ "name": name, "target": format!("zones/{zone}/instanceGroupManagers/{name}"), "autoscalingPolicy": policy });
        self.call("compute.autoscalers.insert", at + MINUTE, &[("zone", &zone)], body)?;
        let driven = self.driven();
        let prefix = format!("{name}-");
        for thing in self.estate.all_mut(&self.account.id, "compute.instances", self.world.entered()) {
            if *thing.place == *zone && thing.id.starts_with(&prefix) && thing.driven.is_none() {
                thing.driven.clone_from(&driven);
            }
        }
        Ok(())
    }

    /// A rule with a backend service before a group, or with a target pool before instances.
    pub(super) fn balancer(&mut self, region: &Region, n: u32) -> Result<(), GrowError> {
        let (name, born) = (self.name(region, n), self.born(region, n));
        let rule = |target: &str, kind: &str| json!({ "name": name, "labels": self.labels(), "portRange": "80-80", kind: format!("regions/{}/{target}/{name}", region.id) });
        let path = [("region", &*region.id)];
        let source = self.source(n).map(|(group, _)| group);
        if let Some(group) = source.filter(|group| group.what == What::ScalingGroup) {
            let member = group.name_of(1, region);
            let found = self.found("compute.instanceGroups", region, &member);
            let (zone, since) = found
                .map(|found| (found.place.to_string(), found.born))
                .ok_or_else(|| GrowError(format!("there is no group {member}")))?;
            let (at, check) = (born.max(since) + MINUTE, format!("{name}-{}", region.id));
            let rule = rule("backendServices", "backendService");
            self.call(
                "compute.healthChecks.insert",
                at,
                &[],
                json!({ "name": check, "type": "HTTP", "httpHealthCheck": { "port": 80 } }),
            )?;
            let body = json!({
                "name": name, "protocol": "TCP", "healthChecks": [format!("global/healthChecks/{check}")],
                "backends": [{ "group": format!("zones/{zone}/instanceGroups/{member}"), "balancingMode": "CONNECTION" }],
            });
            self.call("compute.regionBackendServices.insert", at, &path, body)?;
            return self.call("compute.forwardingRules.insert", at + MINUTE, &path, rule);
        }
        let rule = rule("targetPools", "target");
        let count = source.map_or(0, |group| group.count);
        let members: Vec<(String, DateTime<Utc>)> = (1..=count)
            .filter_map(|n| {
                let found = self.found("compute.instances", region, &source?.name_of(n, region))?;
                Some((format!("zones/{}/instances/{}", found.place, found.id), found.born))
            })
            .collect();
        let at = members.iter().map(|(_, since)| *since + MINUTE).fold(born, DateTime::max);
        let links: Vec<String> = members.into_iter().map(|(link, _)| link).collect();
        self.call("compute.targetPools.insert", at, &path, json!({ "name": name, "instances": links }))?;
        self.call("compute.forwardingRules.insert", at + MINUTE, &path, rule)
    }
}
