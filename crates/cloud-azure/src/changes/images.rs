//! Managed images, made of the disks of a machine that stands still.
//!
//! Azure says of such an image that its system was generalized. Whether it was is up to whoever made the machine ready for it
//! (`waagent -deprovision`): what was not carries its host's names and keys into every machine that is made from it.

use marquee_clouds::{Change, CloudError, Token, changes::spec::Named, layers::Tally};
use marquee_types::ResourceKind;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Noun,
    compute::{refuse_running, write},
    conflict, tagged,
};
use crate::{
    cloud::Azure,
    inventory::compute::{DISKS, IMAGES, MACHINES},
};

/// Images.
pub static IMAGE: Noun = Noun {
    kind: "Microsoft.Compute/images",
    get: &IMAGES.get,
    put: &write(Method::PUT, "Images_CreateOrUpdate", "{id}"),
    delete: &write(Method::DELETE, "Images_Delete", "{id}"),
    conditional: false,
    tagged: true,
};

impl Azure {
    /// What a new image is to be.
    pub(super) async fn image_body(
        &self,
        change: &Change,
        named: &Named,
        token: &Token,
    ) -> Result<Value, CloudError> {
        let machine = self.target(&MACHINES.get, change).await?;
        let seen = self.see(ResourceKind::ComputeInstance, change.native_id()).await?;
        refuse_running(seen.as_ref().and_then(|seen| seen.native_state.as_deref()))?;
        let storage = &machine["properties"]["storageProfile"];
        let boot = storage["osDisk"]["managedDisk"]["id"].as_str();
        let boot = boot.ok_or_else(|| conflict("the instance has no managed boot disk"))?;
        let disk = self.arm.get(&DISKS.get, boot, &Tally::default()).await?;
        let data = storage["dataDisks"].as_array().into_iter().flatten();
        let data: Vec<Value> = data
            .map(|one| json!({ "lun": one["lun"], "managedDisk": { "id": one["managedDisk"]["id"] } }))
            .collect();
        let system = storage["osDisk"]["osType"].as_str().unwrap_or("Linux");
        let os = json!({ "osState": "Generalized", "osType": system, "managedDisk": { "id": boot } });
        let mut properties = json!({ "storageProfile": { "osDisk": os, "dataDisks": data } });
        if let Some(generation) = disk["properties"]["hyperVGeneration"].as_str() {
            properties["hyperVGeneration"] = json!(generation);
        }
        Ok(json!({ "location": change.region, "tags": tagged(&named.tags, token), "properties": properties }))
    }
}
