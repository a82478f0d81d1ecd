//! Regions, zones and instance types: what the world file says there is.

use serde_json::{Value, json};

use super::paged;
use crate::{
    aws::{ask::Ask, filters, protocol::Refusal, service::Answered},
    estate::Estate,
    face::FaceName,
    plan::{Region, Size},
};

pub(super) fn regions(ask: &Ask<'_>, _: &Estate) -> Answered {
    let (names, all) = (ask.texts("RegionNames"), ask.flag("AllRegions"));
    let known = |name: &str| ask.account.region(name).is_some();
    if let Some(name) = names.iter().find(|name| !known(name)) {
        return Err(Refusal::new("InvalidParameterValue", format!("Invalid region name: {name}")));
    }
    let status = |region: &Region| if region.enabled { "opt-in-not-required" } else { "not-opted-in" };
    let filters = filters::read(ask.list("Filters"));
    let wanted = |region: &&Region| {
        (region.enabled || all)
            && (names.is_empty() || names.contains(&&*region.id))
            && filters.iter().all(|filter| {
                let text = match filter.name {
                    "region-name" => &*region.id,
                    "opt-in-status" => status(region),
                    _ => return false,
                };
                filter.values.iter().any(|pattern| filters::like(pattern, text))
            })
    };
    let shown = ask.account.regions.iter().filter(wanted).map(|region| {
        json!({
            "RegionName": region.id,
            "Endpoint": format!("ec2.{}.amazonaws.com", region.id),
            "OptInStatus": status(region),
        })
    });
    Ok(json!({ "Regions": shown.collect::<Vec<_>>() }).into())
}

pub(super) fn zones(ask: &Ask<'_>, _: &Estate) -> Answered {
    let names = ask.texts("ZoneNames");
    if let Some(name) = names.iter().find(|name| !ask.zones().any(|zone| zone == **name)) {
        return Err(Refusal::new("InvalidParameterValue", format!("Invalid availability zone: [{name}]")));
    }
    let filters = filters::read(ask.list("Filters"));
    let wanted = |zone: &&str| {
        (names.is_empty() || names.contains(zone))
            && filters.iter().all(|filter| {
                let text = match filter.name {
                    "zone-name" => zone,
                    "region-name" => ask.place(),
                    "state" => "available",
                    "zone-type" => "availability-zone",
                    _ => return false,
                };
                filter.values.iter().any(|pattern| filters::like(pattern, text))
            })
    };
    let shown = ask.zones().enumerate().filter(|(_, zone)| wanted(zone)).map(|(index, zone)| {
        json!({
            "ZoneName": zone,
            "ZoneId": format!("{}-az{}", short(ask.place()), index + 1),
            "State": "available",
            "RegionName": ask.place(),
            "GroupName": ask.place(),
            "NetworkBorderGroup": ask.place(),
            "OptInStatus": "opt-in-not-required",
            "ZoneType": "availability-zone",
            "Messages": [],
        })
    });
    Ok(json!({ "AvailabilityZones": shown.collect::<Vec<_>>() }).into())
}

/// `eu-west-1` as the ids of its zones have it: `euw1`.
fn short(region: &str) -> String {
    let mut parts = region.split('-');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.get(..1).unwrap_or_default())
}

pub(super) fn types(ask: &Ask<'_>, _: &Estate) -> Answered {
    let names = ask.texts("InstanceTypes");
    let sizes = || ask.world.plan.sizes.iter().filter(|size| size.face == FaceName::Aws && !size.database);
    if let Some(name) = names.iter().find(|name| !sizes().any(|size| &*size.name == **name)) {
        let message = format!("The following supplied instance types do not exist: [{name}]");
        return Err(Refusal::new("InvalidInstanceType", message));
    }
    let filters = filters::read(ask.list("Filters"));
    let wanted = |size: &&Size| {
        (names.is_empty() || names.contains(&&*size.name))
            && filters.iter().all(|filter| {
                let text = match filter.name {
                    "instance-type" => size.name.to_string(),
                    "vcpu-info.default-vcpus" => size.vcpus.to_string(),
                    "memory-info.size-in-mib" => size.memory_mib.to_string(),
                    "processor-info.supported-architecture" => size.architecture.to_string(),
                    "current-generation" => "true".to_owned(),
                    "burstable-performance-supported" => size.family.starts_with('t').to_string(),
                    _ => return false,
                };
                filter.values.iter().any(|pattern| filters::like(pattern, &text))
            })
    };
    let found: Vec<&Size> = catalog(ask).into_iter().filter(wanted).collect();
    let first = match ask.text("NextToken") {
        None => 0,
        Some(token) => {
            let place = found.iter().position(|size| token == token_of(size));
            place.ok_or_else(|| Refusal::new("InvalidNextToken", "The token is not valid"))? + 1
        }
    };
    let page: Vec<&Size> = found[first..].iter().copied().take(ask.limit("MaxResults", 100)).collect();
    let more = first + page.len() < found.len();
    let next = page.last().filter(|_| more).map(|size| token_of(size));
    Ok(paged("InstanceTypes", (page.into_iter().map(shown).collect(), next)).into())
}

/// The sizes of instances, by name. A world file may repeat a size of the catalog; the first one counts.
fn catalog<'a>(ask: &Ask<'a>) -> Vec<&'a Size> {
    let mut found: Vec<&Size> = Vec::new();
    for size in ask.world.plan.sizes.iter().filter(|size| size.face == FaceName::Aws && !size.database) {
        if !found.iter().any(|known| known.name == size.name) {
            found.push(size);
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Every size is to be had in every zone of every region.
pub(super) fn offerings(ask: &Ask<'_>, _: &Estate) -> Answered {
    let kind = ask.text("LocationType").unwrap_or("region");
    let places: Vec<&str> = match kind {
        "region" => vec![ask.place()],
        "availability-zone" => ask.zones().collect(),
        other => {
            let message = format!("The value ({other}) for parameter locationType is not simulated.");
            return Err(Refusal::new("InvalidParameterValue", message));
        }
    };
    let filters = filters::read(ask.list("Filters"));
    let mut found = Vec::new();
    for size in catalog(ask) {
        for place in &places {
            let fits = filters.iter().all(|filter| {
                let text = match filter.name {
                    "instance-type" => &*size.name,
                    "location" => place,
                    _ => return false,
                };
                filter.values.iter().any(|pattern| filters::like(pattern, text))
            });
            if fits {
                found.push(json!({ "InstanceType": size.name, "LocationType": kind, "Location": place }));
            }
        }
    }
    let first = match ask.text("NextToken") {
        None => 0,
        Some(token) => token
            .strip_prefix("o-")
            .and_then(|text| text.parse::<usize>().ok())
            .filter(|first| *first < found.len())
            .ok_or_else(|| Refusal::new("InvalidNextToken", "The token is not valid"))?,
    };
    let until = found.len().min(first + ask.limit("MaxResults", 1000));
    let next = (until < found.len()).then(|| format!("o-{until}"));
    Ok(paged("InstanceTypeOfferings", (found[first..until].to_vec(), next)).into())
}

fn token_of(size: &Size) -> String {
    hex::encode(size.name.as_bytes())
}

fn shown(size: &Size) -> Value {
    json!({
        "InstanceType": size.name,
        "CurrentGeneration": true,
        "FreeTierEligible": &*size.name == "t3.micro",
        "SupportedUsageClasses": ["on-demand", "spot"],
        "SupportedRootDeviceTypes": ["ebs"],
        "SupportedVirtualizationTypes": ["hvm"],
        "BareMetal": false,
        "Hypervisor": "nitro",
        "ProcessorInfo": { "SupportedArchitectures": [size.architecture] },
        "VCpuInfo": { "DefaultVCpus": size.vcpus, "DefaultCores": size.vcpus.div_ceil(2), "DefaultThreadsPerCore": 2 },
        "MemoryInfo": { "SizeInMiB": size.memory_mib },
        "InstanceStorageSupported": false,
        "BurstablePerformanceSupported": size.family.starts_with('t'),
        "HibernationSupported": false,
        "DedicatedHostsSupported": true,
        "AutoRecoverySupported": true,
    })
}
