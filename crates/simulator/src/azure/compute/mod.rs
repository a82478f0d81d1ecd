//! `Microsoft.Compute`: virtual machines and scale sets, disks, snapshots, images, sizes and quota.

pub mod attach;
pub mod disk;
pub mod image;
mod interfaces;
pub mod power;
pub mod profile;
pub mod quota;
pub mod scale_set;
pub mod set_instance;
pub mod skus;
pub mod snapshot;
pub mod view;
pub mod vm;

use serde_json::Value;

use super::{
    call::Call,
    error::{Outcome, Refused, quoted},
};
use crate::plan::{Region, Size};

/// Virtual machines.
pub const VM: &str = "Microsoft.Compute/virtualMachines";
/// Scale sets.
pub const SET: &str = "Microsoft.Compute/virtualMachineScaleSets";
/// The machines of scale sets.
pub const SET_VM: &str = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines";
/// Disks.
pub const DISK: &str = "Microsoft.Compute/disks";
/// Snapshots.
pub const SNAPSHOT: &str = "Microsoft.Compute/snapshots";
/// Images.
pub const IMAGE: &str = "Microsoft.Compute/images";

/// States in which a machine takes up processors and is charged for: all but deallocated ones. A stopped machine keeps
/// its place.
pub const ALLOCATED: &[&str] = &[
    "Creating",
    "Starting",
    "Running",
    "Stopping",
    "Stopped",
    "Deallocating",
    "Running updating",
    "Stopped updating",
];

/// States in which a machine works, and can be measured.
pub const WORKING: &[&str] = &["Running", "Running updating", "Succeeded"];

/// The size of a name, if machines have it.
pub fn size<'a>(call: &Call<'a>, name: &str) -> Outcome<&'a Size> {
    let sizes = || sizes(call);
    sizes().find(|size| size.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        Refused::value(
            "vmSize",
            format!(
                "The value {name} provided for the VM size is not valid. The valid sizes in the current region are: \
                 {}. Find out more on the valid VM sizes in each region at https://aka.ms/azure-regions.",
                quoted(sizes().map(|size| size.name.as_ref()))
            ),
        )
    })
}

/// All sizes of machines.
pub fn sizes<'a>(call: &Call<'a>) -> impl Iterator<Item = &'a Size> {
    let sizes = call.world.plan.sizes.iter();
    sizes.filter(|size| size.face == crate::FaceName::Azure && !size.database)
}

/// The zone that a request wants, if any; more than one are refused where there can be one only.
pub fn zone<'a>(call: &Call<'a>, region: &'a Region, kind: &str, name: &str) -> Outcome<Option<&'a str>> {
    let zones = zones(call, region, kind, name)?;
    if zones.len() > 1 {
        return Err(Refused::value("zones", "More than one zone is not allowed for this resource."));
    }
    Ok(zones.first().copied())
}

/// The zones that a request wants.
pub fn zones<'a>(call: &Call<'a>, region: &'a Region, kind: &str, name: &str) -> Outcome<Vec<&'a str>> {
    let wanted = call.body.get("zones").and_then(Value::as_array).into_iter().flatten();
    let find = |zone: &Value| {
        let text = zone.as_str().unwrap_or_default();
        region.zones.iter().find(|known| known.as_ref() == text).map(AsRef::as_ref).ok_or_else(|| {
            Refused::bad(
                "AvailabilityZoneNotSupported",
                format!(
                    "The zone(s) '{text}' for resource '{kind}/{name}' is not supported. The supported zones for \
                     location '{}' are '{}'",
                    region.id,
                    quoted(region.zones.iter().map(AsRef::as_ref))
                ),
            )
        })
    };
    wanted.map(find).collect()
}
