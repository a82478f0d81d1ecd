//! Scale sets. How many machines one has now is its capacity. How many at least and at most stands in autoscale settings beside
//! it, which the inventory does not read, so that a change could not be taken back: they are refused.

use marquee_clouds::{
    Change, CloudError, Ticket, Token,
    changes::spec::{Scale, ScalingGroupSpec},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Noun,
    compute::{self, write},
    invalid, tagged,
};
use crate::{arm::Write, cloud::Azure, inventory::compute::SCALE_SETS};

/// Sets.
pub static SET: Noun = Noun {
    kind: "Microsoft.Compute/virtualMachineScaleSets",
    get: &SCALE_SETS.get,
    put: &write(Method::PUT, "VirtualMachineScaleSets_CreateOrUpdate", "{id}"),
    delete: &write(Method::DELETE, "VirtualMachineScaleSets_Delete", "{id}"),
    conditional: true,
    tagged: true,
};

static UPDATE: Write = write(Method::PATCH, "VirtualMachineScaleSets_Update", "{id}");

/// What a new set is to be.
pub fn body(region: &str, spec: &ScalingGroupSpec, token: &Token) -> Result<Value, CloudError> {
    refuse_bounds(spec.scale)?;
    let capacity = spec.scale.desired.ok_or_else(|| invalid("scale/desired: required"))?;
    let mut interface = compute::interface(&spec.instance)?;
    interface["name"] = json!(format!("{}-nic", spec.name));
    if spec.instance.public_ip {
        interface["properties"]["ipConfigurations"][0]["properties"]["publicIPAddressConfiguration"] =
            json!({ "name": format!("{}-ip", spec.name), "sku": { "name": "Standard" } });
    }
    let mut login = compute::login(&spec.instance)?;
    login["computerNamePrefix"] = json!(prefix(&spec.name));
    let mut body = json!({
        "location": region, "tags": tagged(&spec.tags, token),
        "sku": { "name": spec.instance.size, "tier": "Standard", "capacity": capacity },
        "properties": {
            "orchestrationMode": "Uniform", "overprovision": false, "upgradePolicy": { "mode": "Manual" },
            "virtualMachineProfile": {
                "osProfile": login, "storageProfile": compute::storage(&spec.instance)?,
                "networkProfile": { "networkInterfaceConfigurations": [interface] },
            },
        },
    });
    if !spec.zones.is_empty() {
        body["zones"] = json!(spec.zones);
    }
    Ok(body)
}

/// What the names of machines begin with.
fn prefix(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(50).collect()
}

fn refuse_bounds(scale: Scale) -> Result<(), CloudError> {
    if scale.min.is_none() && scale.max.is_none() {
        return Ok(());
    }
    Err(invalid(
        "scale: `min` and `max` are autoscale settings of Azure's, which Marquee does not change; give `desired`",
    ))
}

impl Azure {
    pub(super) async fn set_scale(&self, change: &Change, scale: Scale) -> Result<Ticket, CloudError> {
        refuse_bounds(scale)?;
        let set = self.target(&SCALE_SETS.get, change).await?;
        let Some(wanted) = scale.desired else { return Ok(Ticket::of(change.native_id())) };
        if set["sku"]["capacity"] == wanted {
            return Ok(Ticket::of(change.native_id()));
        }
        let mut sku = set["sku"].clone();
        sku["capacity"] = json!(wanted);
        self.ask(&UPDATE, change.native_id(), Some(&json!({ "sku": sku }))).await
    }
}
