//! What Compute has without anyone making it: zones, regions, machine types, disk types, the project itself.

use serde_json::{Value, json};

use super::{
    capacity, disk,
    link::{self, BASE, Link},
    read,
};
use crate::{
    estate::Estate,
    face::FaceName,
    google::{
        call::{Answer, Call, Outcome, pacific},
        refusal::Refusal,
    },
    plan::{Region, Size},
};

fn id(call: &Call<'_>, kind: &str, name: &str) -> String {
    (call.seed().number(&["place", kind, name]) % 100_000 + 1_000).to_string()
}

fn regions<'a>(call: &Call<'a>) -> impl Iterator<Item = &'a Region> {
    call.account.regions.iter().filter(|region| region.enabled)
}

fn zone(call: &Call<'_>, region: &Region, name: &str) -> Value {
    let base = format!("{BASE}projects/{}", call.project());
    json!({
        "kind": "compute#zone", "id": id(call, "zone", name), "name": name, "description": name, "status": "UP",
        "creationTimestamp": pacific(call.world.began()),
        "region": format!("{base}/regions/{}", region.id),
        "selfLink": format!("{base}/zones/{name}"),
        "availableCpuPlatforms": ["Intel Broadwell", "Intel Ice Lake", "Intel Sapphire Rapids", "Ampere Altra"],
        "supportsPzs": false,
    })
}

fn region(call: &Call<'_>, estate: &Estate, region: &Region) -> Value {
    let base = format!("{BASE}projects/{}", call.project());
    let zones: Vec<String> = region.zones.iter().map(|zone| format!("{base}/zones/{zone}")).collect();
    json!({
        "kind": "compute#region", "id": id(call, "region", &region.id), "name": &*region.id, "description": region.name,
        "status": "UP", "creationTimestamp": pacific(call.world.began()), "zones": zones, "supportsPzs": false,
        "selfLink": format!("{base}/regions/{}", region.id),
        "quotas": capacity::quotas(call, estate, &region.id),
    })
}

fn machine_type(call: &Call<'_>, size: &Size, zone: &str) -> Value {
    let link = Link::new(call.project(), zone, "machineTypes", &size.name);
    let (gib, arch) =
        (size.memory_mib / 1024, if &*size.architecture == "arm64" { "ARM64" } else { "X86_64" });
    json!({
        "kind": "compute#machineType", "id": id(call, "machineType", &size.name), "name": &*size.name,
        "description": format!("{} vCPUs {gib} GB RAM", size.vcpus), "guestCpus": size.vcpus,
        "memoryMb": size.memory_mib, "imageSpaceGb": 0, "maximumPersistentDisks": 128,
        "maximumPersistentDisksSizeGb": "263168", "isSharedCpu": size.name.starts_with("e2-m"),
        "architecture": arch, "zone": zone, "selfLink": link.to_string(),
        "creationTimestamp": pacific(call.world.began()),
    })
}

fn machine_types(call: &Call<'_>, zone: &str) -> Vec<Value> {
    let mut sizes: Vec<&Size> =
        call.world.plan.sizes.iter().filter(|size| size.face == FaceName::Google && !size.database).collect();
    sizes.sort_by(|a, b| a.name.cmp(&b.name));
    sizes.into_iter().map(|size| machine_type(call, size, zone)).collect()
}

fn disk_types(call: &Call<'_>, zone: &str) -> Vec<Value> {
    let shown = disk::TYPES.iter().map(|(name, least, most)| {
        json!({
            "kind": "compute#diskType", "id": id(call, "diskType", name), "name": name, "description": name,
            "validDiskSize": format!("{least}GB-{most}GB"), "defaultDiskSizeGb": "500",
            "zone": format!("{BASE}projects/{}/zones/{zone}", call.project()),
            "selfLink": Link::new(call.project(), zone, "diskTypes", name).to_string(),
            "creationTimestamp": pacific(call.world.began()),
        })
    });
    shown.collect()
}

/// All things of a catalog in the place of a call.
fn all(call: &Call<'_>, estate: &Estate) -> Result<(&'static str, Vec<Value>), Refusal> {
    let noun = call.operation.split('.').nth(1).unwrap_or_default();
    Ok(match noun {
        "zones" => {
            let zones = regions(call).flat_map(|region| region.zones.iter().map(move |zone| (region, zone)));
            ("zone", zones.map(|(region, name)| zone(call, region, name)).collect())
        }
        "regions" => ("region", regions(call).map(|place| region(call, estate, place)).collect()),
        "machineTypes" => ("machineType", machine_types(call, read::place(call)?)),
        "diskTypes" => ("diskType", disk_types(call, read::place(call)?)),
        _ => return Err(Refusal::unimplemented(call.operation)),
    })
}

/// `get` of a zone, region, machine type or disk type.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    let noun = call.operation.split('.').nth(1).unwrap_or_default();
    // Of a place itself the path names it where others name the place they are in.
    if matches!(noun, "zones" | "regions") {
        let name = call.part(if noun == "zones" { "zone" } else { "region" });
        let found = all(call, estate)?.1.into_iter().find(|thing| thing["name"] == name);
        let missing = || Refusal::not_found(&format!("projects/{}/{noun}/{name}", call.project()));
        return found.map(Answer::Json).ok_or_else(missing);
    }
    let (word, things) = all(call, estate)?;
    let name = call.part(word);
    let found = things.into_iter().find(|thing| thing["name"] == name);
    let place = read::place(call)?;
    found
        .map(Answer::Json)
        .ok_or_else(|| Refusal::not_found(&Link::new(call.project(), place, noun, name).path()))
}

/// `list`. The token of a page is the name of its last thing.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome {
    let (word, things) = all(call, estate)?;
    let filter = read::filter(call)?;
    let things = things.into_iter().filter(|thing| filter.as_ref().is_none_or(|filter| filter.passes(thing)));
    let noun = call.operation.split('.').nth(1).unwrap_or_default();
    let path = match read::place(call)? {
        "global" => format!("projects/{}/{noun}", call.project()),
        place => format!("projects/{}/{}/{noun}", call.project(), link::scope(place)),
    };
    let (items, next) = cut(call, things.collect())?;
    let items: Vec<String> = items.iter().map(Value::to_string).collect();
    Ok(read::listing(word, &path, &items, next.as_deref()))
}

/// The page of a list of a catalog that a call asks for, and the token of the next.
fn cut(call: &Call<'_>, things: Vec<Value>) -> Result<(Vec<Value>, Option<String>), Refusal> {
    let (token, limit) = (call.asked("pageToken"), read::limit(call)?);
    let bad = || Refusal::invalid("pageToken", token, "The page token is not valid.");
    let sum = |from: usize| call.seed().number(&[call.operation, call.asked("filter"), &from.to_string()]);
    let from = if token.is_empty() {
        0
    } else {
        let (from, check) = token.split_once('-').ok_or_else(bad)?;
        let from: usize = from.parse().map_err(|_| bad())?;
        if format!("{:x}", sum(from)) != check || from > things.len() {
            return Err(bad());
        }
        from
    };
    let count = things.len();
    let page: Vec<Value> = things.into_iter().skip(from).take(limit).collect();
    let end = from + page.len();
    Ok((page, (end < count).then(|| format!("{end}-{:x}", sum(end)))))
}

/// `aggregatedList` of what every zone has.
pub fn aggregated(call: &Call<'_>, _estate: &Estate) -> Outcome {
    let noun = call.operation.split('.').nth(1).unwrap_or_default();
    let filter = read::filter(call)?;
    let mut flat = Vec::new();
    for zone in regions(call).flat_map(|region| &region.zones) {
        let things = if noun == "diskTypes" { disk_types(call, zone) } else { machine_types(call, zone) };
        let wanted =
            things.into_iter().filter(|thing| filter.as_ref().is_none_or(|filter| filter.passes(thing)));
        flat.extend(wanted.map(|thing| json!({ "zone": &**zone, "thing": thing })));
    }
    let (page, next) = cut(call, flat)?;
    let mut items = serde_json::Map::new();
    for zone in regions(call).flat_map(|region| &region.zones) {
        let own: Vec<&Value> =
            page.iter().filter(|item| item["zone"] == **zone).map(|item| &item["thing"]).collect();
        let scope = format!("zones/{zone}");
        let member = if own.is_empty() {
            json!({ "warning": read::warning(&scope, false) })
        } else {
            json!({ noun: own })
        };
        items.insert(scope, member);
    }
    let path = format!("projects/{}/aggregated/{noun}", call.project());
    let word = noun.trim_end_matches('s');
    let mut answer = json!({
        "kind": format!("compute#{word}AggregatedList"), "id": path, "selfLink": format!("{BASE}{path}"), "items": items,
    });
    if let Some(next) = next {
        answer["nextPageToken"] = next.into();
    }
    Ok(Answer::Json(answer))
}

/// `projects.get`.
pub fn project(call: &Call<'_>, estate: &Estate) -> Outcome {
    let count = |shelf: &str| disk::as_f64(estate.all(call.project(), shelf, None, call.now).count() as u64);
    let quota = |metric: &str, limit: f64, shelf: &str| json!({ "metric": metric, "limit": limit, "usage": count(shelf) });
    Ok(Answer::Json(json!({
        "kind": "compute#project",
        "id": crate::google::project::number(call),
        "name": call.project(),
        "creationTimestamp": pacific(call.world.began()),
        "selfLink": format!("{BASE}projects/{}", call.project()),
        "defaultServiceAccount": format!("{}-compute@developer.gserviceaccount.com", crate::google::project::number(call)),
        "defaultNetworkTier": "PREMIUM",
        "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
        "commonInstanceMetadata": { "kind": "compute#metadata", "fingerprint": "AAAAAAAAAAA=" },
        "quotas": [
            quota("SNAPSHOTS", 5_000.0, "compute.snapshots"),
            quota("NETWORKS", 50.0, "compute.networks"),
            quota("FIREWALLS", 500.0, "compute.firewalls"),
            quota("IMAGES", 2_000.0, "compute.images"),
            quota("INSTANCE_TEMPLATES", 500.0, "compute.instanceTemplates"),
            quota("HEALTH_CHECKS", 500.0, "compute.healthChecks"),
        ],
    })))
}
