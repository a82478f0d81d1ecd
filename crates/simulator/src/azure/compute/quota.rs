//! Quota of processors, by region and by family of sizes; and what capacity faults refuse.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ALLOCATED, SET_VM, VM, sizes};
use crate::{
    azure::{
        call::{Answer, Call},
        error::{Outcome, Refused},
    },
    estate::{Estate, Thing},
    plan::{Region, Size},
};

/// What an ordinary subscription may have in a region, in processors.
const ORDINARY: u64 = 350;

/// Processors in use in a region: in all, and by family.
fn in_use(
    call: &Call<'_>,
    estate: &Estate,
    region: &Region,
    counted: impl Fn(&Thing) -> bool,
) -> BTreeMap<String, u64> {
    let mut used = BTreeMap::new();
    for kind in [VM, SET_VM] {
        for thing in
            estate.all(&call.account.id, kind, Some(&region.id), call.now).filter(|thing| counted(thing))
        {
            let Some(size) = sizes(call).find(|size| size.name == thing.size) else { continue };
            *used.entry(size.family.to_string()).or_default() += u64::from(size.vcpus);
            *used.entry("cores".to_owned()).or_default() += u64::from(size.vcpus);
        }
    }
    used
}

/// The limit: what was there when the world was entered, twice, so that every world can grow.
fn limit(call: &Call<'_>, at_entry: u64) -> u64 {
    let ordinary = ORDINARY.max((2 * at_entry).next_multiple_of(50));
    call.effects.quota.map_or(ordinary, |quota| quota.min(ordinary))
}

/// Refuses processors beyond the quota.
pub fn refuse_beyond(
    call: &Call<'_>,
    estate: &Estate,
    region: &Region,
    size: &Size,
    count: u64,
) -> Outcome<()> {
    if call.growing {
        return Ok(());
    }
    let allocated = |thing: &Thing| thing.gone_at.is_none() && ALLOCATED.contains(&thing.state(call.now));
    let used = in_use(call, estate, region, allocated);
    let before = in_use(call, estate, region, |thing| thing.born <= call.world.entered());
    let required = u64::from(size.vcpus) * count;
    for (name, what) in
        [("cores", "Total Regional".to_owned()), (size.family.as_ref(), format!("{} Family", size.family))]
    {
        let used = used.get(name).copied().unwrap_or_default();
        let limit = limit(call, before.get(name).copied().unwrap_or_default());
        if used + required > limit {
            return Err(Refused::conflict(
                "OperationNotAllowed",
                format!(
                    "Operation could not be completed as it results in exceeding approved {what} Cores quota. Additional \
                     details - Deployment Model: Resource Manager, Location: {}, Current Limit: {limit}, Current Usage: \
                     {used}, Additional Required: {required}, (Minimum) New Limit Required: {}. Setup Alerts when Quota \
                     reaches threshold. Learn more at https://aka.ms/quotamonitoringalerting . Please read more about \
                     quota limits at \
                     https://docs.microsoft.com/en-us/azure/azure-supportability/regional-quota-requests",
                    region.id,
                    used + required
                ),
            ));
        }
    }
    Ok(())
}

/// How an allocation fails for want of capacity. A size that is nowhere to be had is refused at once; what is full is
/// found out on the way.
pub fn allocation_failure(
    call: &Call<'_>,
    region: &Region,
    zone: Option<&str>,
    size: &str,
) -> Outcome<Option<(String, String)>> {
    if call.growing || call.effects.has_capacity(zone.unwrap_or_default(), size) {
        return Ok(None);
    }
    let everywhere = call.effects.no_capacity.iter().any(|lack| lack.zone.is_none() && lack.size.is_some());
    if everywhere {
        return Err(Refused::conflict(
            "SkuNotAvailable",
            format!(
                "The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: {size}' is \
                 currently not available in location '{}'. Please try another size or deploy to a different location or \
                 different zone. See https://aka.ms/azureskunotavailable for details.",
                region.id
            ),
        ));
    }
    let (code, message) = match zone {
        Some(_) => (
            "ZonalAllocationFailed",
            "Allocation failed. We do not have sufficient capacity for the requested VM size in this zone. Read more \
             about improving likelihood of allocation success at http://aka.ms/allocation-guidance",
        ),
        None => (
            "AllocationFailed",
            "Allocation failed. We do not have sufficient capacity for the requested VM size in this region. Read more \
             about improving likelihood of allocation success at http://aka.ms/allocation-guidance",
        ),
    };
    Ok(Some((code.to_owned(), message.to_owned())))
}

/// The usages of a region.
pub fn usages(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let region = call.region(call.part("location"), VM)?;
    let allocated = |thing: &Thing| thing.gone_at.is_none() && ALLOCATED.contains(&thing.state(call.now));
    let used = in_use(call, estate, region, allocated);
    let before = in_use(call, estate, region, |thing| thing.born <= call.world.entered());
    let machines = estate.all(&call.account.id, VM, Some(&region.id), call.now).count();
    let usage = |value: &str, shown: &str, current: u64, limit: u64| {
        json!({
            "unit": "Count", "currentValue": current, "limit": limit,
            "name": { "value": value, "localizedValue": shown },
        })
    };
    let of = |name: &str, shown: &str| {
        let before = before.get(name).copied().unwrap_or_default();
        usage(name, shown, used.get(name).copied().unwrap_or_default(), limit(call, before))
    };
    let mut families: Vec<&str> = sizes(call).map(|size| size.family.as_ref()).collect();
    families.sort_unstable();
    families.dedup();
    let mut list: Vec<Value> = vec![
        of("cores", "Total Regional vCPUs"),
        usage("virtualMachines", "Virtual Machines", machines as u64, 25_000),
    ];
    list.extend(families.into_iter().map(|family| of(family, &format!("{family} vCPUs"))));
    Ok(Answer::ok(&json!({ "value": list })))
}
