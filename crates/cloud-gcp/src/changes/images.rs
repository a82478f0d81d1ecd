//! Images: of the boot disk of an instance that is stopped.

use marquee_clouds::{Change, CloudError, Ticket, Token, changes::spec::Named};
use marquee_types::{ResourceKind, ResourceState};
use serde_json::{Value, json};

use super::{
    calls,
    compute::{Making, plain},
    conflict, not_found,
    token::labels,
};
use crate::{cloud::Google, inventory::compute_name};

impl Google {
    pub(super) async fn create_image(
        &self,
        change: &Change,
        named: &Named,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        plain(name, "name", &named.name)?;
        let path = self.target(change, &[ResourceKind::ComputeInstance])?;
        // The instance may run again, or be gone, when what was begun is taken up.
        if let Some(made) = self.made_global("images", &named.name, token).await? {
            return Ok(Ticket::of(made));
        }
        let instance = self.raw(ResourceKind::ComputeInstance, path).await?;
        let instance = instance.ok_or_else(|| not_found(name, id))?;
        let boots = |disk: &&Value| disk["boot"] == true;
        let disk = instance["disks"].as_array().into_iter().flatten().find(boots);
        let disk = disk.and_then(|disk| compute_name(&disk["source"]));
        let disk = disk.ok_or_else(|| conflict(name, "the instance has no boot disk of its own"))?;
        let source = disk.trim_start_matches("//compute.googleapis.com/");
        let body = json!({ "name": named.name, "sourceDisk": source,
            "labels": labels(name, &named.tags, token)? });
        let running = self.sight(ResourceKind::ComputeInstance, id).await?.map(|seen| seen.state);
        if running != Some(ResourceState::Stopped) {
            // Begun while it was stopped, and not to be seen yet.
            let begun = self.earlier(&calls::INSERT_IMAGE, "global", Some(&body), token).await?;
            if begun.is_none() {
                return Err(conflict(
                    name,
                    "an instance must be stopped before an image is made of its disk",
                ));
            }
        }
        let making = Making {
            name,
            insert: &calls::INSERT_IMAGE,
            kind: ResourceKind::Image,
            place: "global",
            collection: "images",
            body,
        };
        self.make(making, token).await
    }
}
