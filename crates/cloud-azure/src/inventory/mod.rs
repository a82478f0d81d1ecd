//! The inventory: which scopes there are, how each is listed, and how one resource is looked up.
//!
//! Azure lists a subscription's resources of a type at once, whatever their location: so every scope is global, each
//! resource with its own region, and a connection that is limited to some locations leaves out the others.

pub mod compute;
pub mod databases;
pub mod mapping;
pub mod network;
#[cfg(test)]
mod samples;
pub mod sizes;
pub mod states;
pub mod storage;

use async_trait::async_trait;
use futures::future::BoxFuture;
use marquee_clouds::{
    CloudError, ErrorKind, Inventory, Observed, PageSink, Scope, draft::Draft, layers::Tally,
};
use marquee_types::ResourceKind;
use serde_json::Value;

use crate::{arm::Read, cloud::Azure, error::CLOUD};

/// The region of every scope.
pub const GLOBAL: &str = "global";

/// How the resources of one scope are listed and read.
#[derive(Debug)]
pub struct Listing {
    /// As in [`Scope::service`].
    pub scope: &'static str,
    /// The kinds it is the only source of.
    pub kinds: &'static [ResourceKind],
    /// The list.
    pub list: Read,
    /// One of its items: `{id}` is the path of the resource that Azure knows.
    pub get: Read,
    /// What is asked besides.
    pub with: With,
    /// Reads an item: none if it has no id, several where one holds others.
    pub read: fn(Value, &Known) -> Vec<Observed>,
}

/// What is asked besides the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum With {
    /// Nothing.
    Nothing,
    /// States, network interfaces and sizes of virtual machines.
    Machines,
    /// Sizes alone.
    Sizes,
    /// For each server its backups.
    Backups,
    /// For each storage account its blob service.
    BlobServices,
}

/// What was asked besides, for reading items.
#[derive(Debug, Default)]
pub struct Known {
    /// States and interfaces of machines.
    pub machines: compute::Machines,
    /// vCPUs and memory by location and size.
    pub sizes: sizes::Sizes,
}

/// All scopes.
pub static LISTINGS: &[&Listing] = &[
    &compute::MACHINES,
    &compute::DISKS,
    &compute::SNAPSHOTS,
    &compute::IMAGES,
    &compute::SCALE_SETS,
    &network::NETWORKS,
    &network::SECURITY_GROUPS,
    &network::ADDRESSES,
    &network::BALANCERS,
    &network::ZONES,
    &databases::SERVERS,
    &databases::BACKUPS,
    &storage::ACCOUNTS,
];

impl Listing {
    fn of(scope: &Scope) -> Result<&'static Self, CloudError> {
        LISTINGS.iter().copied().find(|listing| listing.scope == scope.service).ok_or_else(|| {
            let message = format!("there is no scope {}", scope.service);
            CloudError::new(CLOUD, "inventory:List", ErrorKind::Invalid, message)
        })
    }
}

#[async_trait]
impl Inventory for Azure {
    async fn scopes(&self, _regions: &[String]) -> Result<Vec<Scope>, CloudError> {
        let scope = |listing: &&Listing| Scope {
            service: listing.scope.to_owned(),
            region: GLOBAL.to_owned(),
            kinds: listing.kinds.to_vec(),
        };
        Ok(LISTINGS.iter().map(scope).collect())
    }

    async fn list(&self, scope: &Scope, sink: &mut dyn PageSink) -> Result<(), CloudError> {
        let listing = Listing::of(scope)?;
        let tally = Tally::default();
        match listing.with {
            With::Backups => self.list_backups(&tally, sink).await,
            With::BlobServices => self.list_accounts(&tally, sink).await,
            With::Nothing | With::Sizes | With::Machines => {
                let known = self.known(listing.with, &tally).await?;
                let read = |item| whole((listing.read)(item, &known)).map(|found| self.included(found));
                self.arm.list(&listing.list, &tally, sink, read).await
            }
        }
    }

    async fn get(
        &self,
        scope: &Scope,
        kind: ResourceKind,
        native_id: &str,
    ) -> Result<Option<Observed>, CloudError> {
        let listing = Listing::of(scope)?;
        let tally = Tally::default();
        // A subnet is told by its network, a pool by its load balancer.
        let asked = match kind {
            ResourceKind::Subnet => parent(native_id, "/subnets/"),
            ResourceKind::TargetGroup => parent(native_id, "/backendAddressPools/"),
            _ => Some(native_id),
        };
        let Some(asked) =
            asked.filter(|id| id.starts_with("/subscriptions/") && !id.contains(['?', '#', ' ']))
        else {
            let message = format!("{native_id} is not the id of a {kind}");
            return Err(CloudError::new(CLOUD, "inventory:Get", ErrorKind::Invalid, message));
        };
        let item = match self.arm.get(&listing.get, asked, &tally).await {
            Ok(item) => item,
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let known = self.known_of(listing.with, asked, &item, &tally).await?;
        let mut found = (listing.read)(item, &known);
        match listing.with {
            With::BlobServices => self.with_blob_services(&mut found, &tally).await?,
            With::Backups => self.with_server_region(&mut found, &tally).await?,
            With::Nothing | With::Sizes | With::Machines => {}
        }
        Ok(self
            .included(found)
            .into_iter()
            .find(|observed| observed.kind == kind && same(&observed.native_id, native_id)))
    }
}

impl Azure {
    /// What reading a whole list needs.
    async fn known(&self, with: With, tally: &Tally) -> Result<Known, CloudError> {
        match with {
            With::Machines => {
                let (machines, sizes) = futures::future::try_join(
                    compute::Machines::all(&self.arm, tally),
                    self.sizes.get(&self.arm, tally),
                )
                .await?;
                Ok(Known { machines, sizes })
            }
            With::Sizes => Ok(Known { sizes: self.sizes.get(&self.arm, tally).await?, ..Known::default() }),
            With::Nothing | With::Backups | With::BlobServices => Ok(Known::default()),
        }
    }

    /// What reading one item needs.
    fn known_of<'a>(
        &'a self,
        with: With,
        id: &'a str,
        item: &'a Value,
        tally: &'a Tally,
    ) -> BoxFuture<'a, Result<Known, CloudError>> {
        Box::pin(async move {
            match with {
                With::Machines => {
                    let machines = compute::Machines::one(&self.arm, id, item, tally).await?;
                    Ok(Known { machines, sizes: self.sizes.get(&self.arm, tally).await? })
                }
                other => self.known(other, tally).await,
            }
        })
    }

    /// Without what lies in locations that the connection is not for.
    fn included(&self, mut found: Vec<Observed>) -> Vec<Observed> {
        found.retain(|observed| self.is_included(&observed.region));
        found
    }
}

/// What an item was read as. One that nothing can be read of makes a listing incomplete.
pub(crate) fn whole(found: Vec<Observed>) -> Result<Vec<Observed>, &'static str> {
    if found.is_empty() { Err("an item without an id, a name or a location") } else { Ok(found) }
}

/// What stands before a part of an id.
fn parent<'a>(id: &'a str, part: &str) -> Option<&'a str> {
    let at = id.to_lowercase().rfind(&part.to_lowercase())?;
    id.get(..at)
}

/// Azure's ids are the same whatever their capitals.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// An id as we keep it, in small letters: Azure's services spell the same thing differently.
pub(crate) fn canonical(id: &str) -> String {
    id.to_lowercase()
}

/// The kind of what an id names, by the type in it; none for what is not listed (a gallery's image, say).
pub(crate) fn kind_of(id: &str) -> Option<ResourceKind> {
    let (_, kind) =
        canonical(id).rsplit_once("/providers/").map(|(before, kind)| (before.len(), kind.to_owned()))?;
    let parts: Vec<&str> = kind.split('/').collect();
    match parts.as_slice() {
        ["microsoft.compute", "disks", _] => Some(ResourceKind::Disk),
        ["microsoft.compute", "snapshots", _] => Some(ResourceKind::Snapshot),
        ["microsoft.compute", "images", _] => Some(ResourceKind::Image),
        _ => None,
    }
}

/// An id that a member names, if there is one.
pub(crate) fn id_of(member: &Value) -> Option<String> {
    let id = member.as_str().or_else(|| member["id"].as_str())?;
    (!id.is_empty()).then(|| canonical(id))
}

/// What all of Azure's resources have in common.
pub(crate) fn draft(kind: ResourceKind, item: &Value) -> Option<Draft> {
    let (id, name) = (item["id"].as_str()?, item["name"].as_str()?);
    let location = item["location"].as_str().unwrap_or(GLOBAL);
    let mut draft = Draft::new(kind, &canonical(id), name, &region(location));
    draft.tags(&item["tags"]);
    draft.0.zone = item["zones"][0].as_str().map(str::to_owned);
    Some(draft)
}

/// `West Europe` and `westeurope` are one location.
fn region(location: &str) -> String {
    location.chars().filter(|letter| !letter.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// Members that say nothing that is not said elsewhere.
pub(crate) const SAID: &[&str] =
    &["id", "name", "type", "location", "tags", "zones", "etag", "properties.provisioningState"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_has_one_id_however_it_is_spelled() {
        let id = "/subscriptions/ABC/resourcegroups/RG-One/providers/Microsoft.Compute/disks/Data";
        assert_eq!(
            canonical(id),
            "/subscriptions/abc/resourcegroups/rg-one/providers/microsoft.compute/disks/data"
        );
        assert_eq!(kind_of(id), Some(ResourceKind::Disk));
        let version =
            "/subscriptions/a/resourceGroups/r/providers/Microsoft.Compute/galleries/g/images/i/versions/1";
        assert_eq!(kind_of(version), None);
        assert_eq!(parent("/a/virtualNetworks/n/Subnets/s", "/subnets/"), Some("/a/virtualNetworks/n"));
        assert_eq!(region("West Europe"), "westeurope");
    }

    #[test]
    fn each_kind_has_one_scope() {
        let mut kinds: Vec<_> = LISTINGS.iter().flat_map(|listing| listing.kinds).collect();
        kinds.sort();
        let count = kinds.len();
        kinds.dedup();
        assert_eq!(kinds.len(), count);
    }
}
