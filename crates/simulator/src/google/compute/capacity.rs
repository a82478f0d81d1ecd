//! What there may be: quotas of a region, and the machines that a zone has left.

use serde_json::{Value, json};

use super::{link, operation::Failure};
use crate::{
    estate::Estate,
    face::FaceName,
    google::call::{Call, WORLD},
    plan::Size,
};

/// Processors that a project may have in a region, if no fault says less.
const CPUS: u64 = 100_000;
/// Limits of what else is counted, per region.
const LIMITS: &[(&str, &str, f64)] = &[
    ("INSTANCES", "compute.instances", 100_000.0),
    ("DISKS_TOTAL_GB", "compute.disks", 50_000_000.0),
    ("STATIC_ADDRESSES", "compute.addresses", 500.0),
    ("INSTANCE_GROUPS", "compute.instanceGroups", 1_000.0),
];

/// Why an instance of a size cannot be had in a zone now; `instead_of` is the size it has already.
pub fn lack(
    call: &Call<'_>,
    estate: &Estate,
    zone: &str,
    size: &Size,
    instead_of: Option<&Size>,
) -> Option<Failure> {
    if !call.effects.has_capacity(zone, &size.name) {
        let path = format!("projects/{}/zones/{zone}", call.project());
        return Some(Failure {
            status: 503,
            code: "ZONE_RESOURCE_POOL_EXHAUSTED",
            message: format!(
                "The zone '{path}' does not have enough resources available to fulfill the request.  Try a different \
                 zone, or try again later."
            ),
        });
    }
    // A world grows as its file says; counting at each step would take the square of its size.
    if call.caller == WORLD {
        return None;
    }
    let region = link::region_of(zone);
    let (used, limit) = (cpus(call, estate, region), limit(call));
    let more = u64::from(size.vcpus).saturating_sub(instead_of.map_or(0, |size| size.vcpus.into()));
    (used + more > limit).then(|| Failure {
        status: 403,
        code: "QUOTA_EXCEEDED",
        message: format!("Quota 'CPUS' exceeded.  Limit: {limit}.0 in region {region}."),
    })
}

fn limit(call: &Call<'_>) -> u64 {
    call.effects.quota.unwrap_or(CPUS)
}

/// Processors of the instances of a region; one that is stopped has its own still.
fn cpus(call: &Call<'_>, estate: &Estate, region: &str) -> u64 {
    let all = estate.all(call.project(), "compute.instances", None, call.now);
    let inside = all.filter(|thing| link::region_of(&thing.place) == region);
    let sizes = inside.filter_map(|thing| call.world.plan.size(FaceName::Google, &thing.size));
    sizes.map(|size| u64::from(size.vcpus)).sum()
}

/// The quotas of a region, as `regions.get` tells them.
pub fn quotas(call: &Call<'_>, estate: &Estate, region: &str) -> Value {
    let cpus = super::disk::as_f64(cpus(call, estate, region));
    let mut quotas =
        vec![json!({ "metric": "CPUS", "limit": super::disk::as_f64(limit(call)), "usage": cpus })];
    for (metric, shelf, limit) in LIMITS {
        let all = estate.all(call.project(), shelf, None, call.now);
        let inside = all.filter(|thing| link::region_of(&thing.place) == region);
        let usage: f64 = if *metric == "DISKS_TOTAL_GB" {
            inside.filter_map(|disk| disk.size.parse::<f64>().ok()).sum()
        } else {
            inside.map(|_| 1.0).sum()
        };
        quotas.push(json!({ "metric": metric, "limit": limit, "usage": usage }));
    }
    quotas.into()
}
