//! How an estate of a world file comes about: by the same handlers that answer requests, at times in the past.

mod compute;
mod data;
mod front;
#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    ask::Ask,
    face::{gardener, growing, run_grown},
    identity::Caller,
    route53,
    service::Answered,
};
use crate::{
    estate::{Driven, Estate, Tags, Thing},
    faults::Effects,
    plan::{Account, Group, Region, What},
    world::{GrowError, World},
};

/// A handler that changes something.
type Change = fn(&Ask<'_>, &mut Estate) -> Answered;

/// What all things of a group have in common.
struct Bed<'a> {
    world: &'a World,
    account: &'a Account,
    group: &'a Group,
    caller: Caller,
    effects: Effects,
}

/// Makes the things of a group.
pub fn group(world: &World, estate: &mut Estate, account: &Account, group: &Group) -> Result<(), GrowError> {
    let bed = Bed { world, account, group, caller: gardener(account), effects: Effects::default() };
    if group.what == What::DnsZone {
        return bed.zone(estate);
    }
    for region in group.regions(account) {
        for n in 1..=group.count {
            bed.one(estate, region, n)?;
        }
    }
    Ok(())
}

impl Bed<'_> {
    fn one(&self, estate: &mut Estate, region: &Region, n: u32) -> Result<(), GrowError> {
        let name = self.group.name_of(n, region);
        let born = self.world.born(
            self.account,
            &format!("{}/{name}", region.id),
            n - 1,
            self.group.count,
            self.group.age_days,
        );
        let plot = Plot { bed: self, region, n, name, born };
        match self.group.what {
            What::Network => plot.network(estate),
            What::Instance => plot.instance(estate),
            What::Disk => plot.disk(estate),
            What::Snapshot => plot.snapshot(estate),
            What::Image => plot.image(estate),
            What::Database => plot.database(estate),
            What::Replica => plot.replica(estate),
            What::DatabaseSnapshot => plot.database_snapshot(estate),
            What::Bucket => plot.bucket(estate),
            What::LoadBalancer => plot.balancer(estate),
            What::ScalingGroup => plot.scaling_group(estate),
            What::PublicIp => plot.address(estate),
            What::DnsZone => Ok(()),
        }
    }

    fn zone(&self, estate: &mut Estate) -> Result<(), GrowError> {
        let Some(region) = self.account.regions.first() else { return Ok(()) };
        for n in 1..=self.group.count {
            let name = self.group.name_of(n, region);
            let born = self.world.born(self.account, &name, n - 1, self.group.count, self.group.age_days);
            let plot = Plot { bed: self, region, n, name, born };
            let input = json!({ "Name": plot.name, "CallerReference": format!("world-{}", plot.name) });
            let made = plot.run(estate, route53::create_zone, "route53:CreateHostedZone", &input)?;
            let id = text(&made, "/HostedZone/Id").trim_start_matches("/hostedzone/").to_owned();
            plot.adorn(estate, route53::ZONES, route53::GLOBAL, &id);
            let record = json!({
                "Name": format!("www.{}", plot.name), "Type": "A", "TTL": 300,
                "ResourceRecords": [{ "Value": "198.51.100.10" }],
            });
            let batch = json!({
                "HostedZoneId": id,
                "ChangeBatch": { "Changes": [{ "Action": "CREATE", "ResourceRecordSet": record }] },
            });
            plot.run(estate, route53::change_records, "route53:ChangeResourceRecordSets", &batch)?;
        }
        Ok(())
    }
}

/// One thing of a group: where, which, called what, made when.
struct Plot<'a> {
    bed: &'a Bed<'a>,
    region: &'a Region,
    n: u32,
    name: String,
    born: DateTime<Utc>,
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

impl Plot<'_> {
    fn ask_at<'b>(&'b self, operation: &'b str, input: &'b Value, now: DateTime<Utc>) -> Ask<'b> {
        let bed = self.bed;
        growing((bed.world, bed.account, self.region), &bed.caller, &bed.effects, operation, input, now)
    }

    /// Runs a handler when the thing was made.
    fn run(
        &self,
        estate: &mut Estate,
        handler: Change,
        operation: &str,
        input: &Value,
    ) -> Result<Value, GrowError> {
        run_grown(handler, &self.ask_at(operation, input, self.born), estate)
    }

    /// Runs a handler later.
    fn run_later(
        &self,
        estate: &mut Estate,
        handler: Change,
        operation: &str,
        input: &Value,
        after: TimeDelta,
    ) -> Result<Value, GrowError> {
        run_grown(handler, &self.ask_at(operation, input, self.born + after), estate)
    }

    /// The things of a kind that the group is made for, in this region, made before now.
    fn others<'e>(&'e self, estate: &'e Estate, kind: &str, group: Option<&str>) -> Vec<&'e Thing> {
        let names: Option<Vec<String>> = group.and_then(|wanted| {
            let found = self.bed.account.groups.iter().find(|group| group.name == wanted)?;
            Some((1..=found.count).map(|n| found.name_of(n, self.region)).collect())
        });
        let listed = estate.all(&self.bed.account.id, kind, Some(&self.region.id), self.bed.world.entered());
        let mut things: Vec<&Thing> = listed
            .filter(|thing| names.as_ref().is_none_or(|names| names.iter().any(|name| **name == *thing.name)))
            .collect();
        things.sort_by(|a, b| a.name.cmp(&b.name));
        things
    }

    /// The other thing that this one belongs to; several take turns.
    fn other<'e>(&'e self, estate: &'e Estate, kind: &str) -> Option<&'e Thing> {
        let group = self.bed.group.of.as_deref()?;
        let things = self.others(estate, kind, Some(group));
        let index = usize::try_from(self.n - 1).ok()?.checked_rem(things.len())?;
        things.get(index).copied()
    }

    fn tags(&self) -> Tags {
        let mut tags = self.bed.group.tags.clone();
        tags.insert("Name".into(), self.name.as_str().into());
        tags
    }

    fn tag_list(&self) -> Value {
        super::ask::tag_list(&self.tags())
    }

    /// Tags as EC2 takes them.
    fn tag_specification(&self, kind: &str) -> Value {
        json!([{ "ResourceType": kind, "Tags": self.tag_list() }])
    }

    /// Gives what was made the group's tags and load.
    fn adorn(&self, estate: &mut Estate, kind: &str, place: &str, id: &str) {
        let group = self.bed.group;
        let account = &self.bed.account.id;
        if let Some(thing) = estate.get_mut(account, kind, place, id, self.bed.world.entered()) {
            thing.tags.extend(group.tags.clone());
            thing.driven =
                group.load.as_deref().map(|load| Driven { load: load.into(), at_peak: group.at_peak });
        }
    }
}
