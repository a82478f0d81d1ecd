//! The inventory: which scopes there are, how each is listed, and how one resource is looked up.
//!
//! Google lists a project's resources of a type over all zones and regions at once: so every scope is global, each
//! resource with its own region, and a connection that is limited to some regions leaves out the others. A zone that
//! Google cannot reach makes the scope incomplete, and an error.

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
use marquee_clouds::{
    CloudError, ErrorKind, Inventory, Observed, PageSink, Scope, draft::Draft, layers::Tally,
};
use marquee_types::ResourceKind;
use serde_json::Value;

use crate::{api::Call, cloud::Google, error::CLOUD};

/// The region of every scope, and of what lies in none.
pub const GLOBAL: &str = "global";

/// How the resources of one scope are listed and read.
#[derive(Debug)]
pub struct Listing {
    /// As in [`Scope::service`].
    pub scope: &'static str,
    /// The one kind it is the source of.
    pub kind: ResourceKind,
    /// The list.
    pub list: Call,
    /// One of its items, `{id}` being what stands after the project in its name.
    pub get: Call,
    /// The service of its full resource name: `compute.googleapis.com`.
    pub service: &'static str,
    /// Reads an item; none if it is of no kind of ours.
    pub read: fn(Value, &str) -> Option<Observed>,
    /// Another list with things of the same kind.
    pub also: Option<&'static Listing>,
}

/// All scopes.
pub static LISTINGS: &[&Listing] = &[
    &compute::INSTANCES,
    &compute::DISKS,
    &compute::SNAPSHOTS,
    &compute::IMAGES,
    &compute::GROUPS,
    &network::NETWORKS,
    &network::SUBNETWORKS,
    &network::FIREWALLS,
    &network::ADDRESSES,
    &network::FORWARDING_RULES,
    &network::BACKEND_SERVICES,
    &databases::INSTANCES,
    &databases::BACKUPS,
    &storage::BUCKETS,
    &storage::ZONES,
];

/// A thing that lies in no region, or in one where others lie in none, has a method of its own at Google, with a
/// permission of its own: the usual method, the place, and that method.
static ELSEWHERE: &[(&str, &str, &str)] = &[
    ("compute.addresses.get", "global/", "compute.globalAddresses.get"),
    ("compute.backendServices.get", "regions/", "compute.regionBackendServices.get"),
    ("compute.forwardingRules.get", "global/", "compute.globalForwardingRules.get"),
];

impl Listing {
    /// The call that looks up one item, by what stands after the project in its name.
    pub(crate) fn get_of(&self, relative: &str) -> Call {
        let elsewhere = ELSEWHERE
            .iter()
            .find(|(method, place, _)| *method == self.get.method && relative.starts_with(place));
        Call { method: elsewhere.map_or(self.get.method, |(.., method)| method), ..self.get }
    }

    fn of(scope: &Scope) -> Result<&'static Self, CloudError> {
        LISTINGS.iter().copied().find(|listing| listing.scope == scope.service).ok_or_else(|| {
            let message = format!("there is no scope {}", scope.service);
            CloudError::new(CLOUD, "inventory:List", ErrorKind::Invalid, message)
        })
    }

    /// This list, and the other one of the same kind.
    pub(crate) fn all(&'static self) -> impl Iterator<Item = &'static Self> {
        std::iter::once(self).chain(self.also)
    }

    /// Whether a name is of one of its items, where two lists share a kind.
    pub(crate) fn holds(&self, relative: &str) -> bool {
        let collection = self.list.path.rsplit('/').next().unwrap_or_default();
        relative.split('/').any(|part| part == collection)
    }

    /// What stands after the project in a full resource name of this service.
    pub(crate) fn relative<'a>(&self, project: &str, native_id: &'a str) -> Option<&'a str> {
        let rest = native_id.strip_prefix("//")?.strip_prefix(self.service)?;
        // Names of buckets are unique everywhere and have no project before them.
        let relative = if self.kind == ResourceKind::Bucket {
            rest.strip_prefix('/')?
        } else {
            rest.strip_prefix("/projects/")?.strip_prefix(project)?.strip_prefix('/')?
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte);
        (!relative.is_empty() && relative.bytes().all(plain) && !relative.contains("..")).then_some(relative)
    }
}

#[async_trait]
impl Inventory for Google {
    async fn scopes(&self, _regions: &[String]) -> Result<Vec<Scope>, CloudError> {
        let scope = |listing: &&Listing| Scope {
            service: listing.scope.to_owned(),
            region: GLOBAL.to_owned(),
            kinds: vec![listing.kind],
        };
        Ok(LISTINGS.iter().map(scope).collect())
    }

    async fn list(&self, scope: &Scope, sink: &mut dyn PageSink) -> Result<(), CloudError> {
        let listing = Listing::of(scope)?;
        let tally = &Tally::default();
        if listing.kind == ResourceKind::DatabaseSnapshot {
            return self.list_backups(tally, sink).await;
        }
        for listing in listing.all() {
            let read = |items| self.read(listing, items, tally);
            self.client.list(&listing.list, tally, sink, read).await?;
        }
        Ok(())
    }

    async fn get(
        &self,
        scope: &Scope,
        kind: ResourceKind,
        native_id: &str,
    ) -> Result<Option<Observed>, CloudError> {
        let listing = Listing::of(scope)?;
        let Some(relative) =
            listing.relative(&self.client.project, native_id).filter(|_| kind == listing.kind)
        else {
            let message = format!("{native_id} is not the name of a {kind}");
            return Err(CloudError::new(CLOUD, "inventory:Get", ErrorKind::Invalid, message));
        };
        let tally = Tally::default();
        let listing = listing.all().find(|listing| listing.holds(relative)).unwrap_or(listing);
        let item = match self.client.get(&listing.get_of(relative), relative, &tally).await {
            Ok(item) => item,
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut found = self.read(listing, vec![item], &tally).await?;
        if listing.kind == ResourceKind::DatabaseSnapshot {
            self.with_instance_region(&mut found, &tally).await?;
        }
        Ok(found.into_iter().find(|observed| observed.native_id == native_id))
    }
}

impl Google {
    /// Reads the items of a page, without what lies in regions that the connection is not for.
    async fn read(
        &self,
        listing: &Listing,
        items: Vec<Value>,
        tally: &Tally,
    ) -> Result<Vec<Observed>, CloudError> {
        let mut found = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            // Addresses of inner networks are none of ours.
            if listing.kind == ResourceKind::PublicIp && item["addressType"] == "INTERNAL" {
                continue;
            }
            let read = (listing.read)(item, &self.client.project);
            let read =
                read.ok_or_else(|| self.client.wrong(&listing.list, "an item without a name or a link"))?;
            found.extend(Some(read).filter(|one| self.is_included(&one.region)));
            if index % 64 == 63 {
                // Other tasks get a turn: about a millisecond's worth.
                tokio::task::yield_now().await;
            }
        }
        if listing.kind == ResourceKind::ComputeInstance {
            self.sizes.fill(&self.client, &mut found, tally).await?;
        }
        Ok(found)
    }
}

/// The full resource name that a link says: `https://www.googleapis.com/compute/v1/projects/p/zones/z/disks/d` is
/// `//compute.googleapis.com/projects/p/zones/z/disks/d`, wherever the API itself is.
pub(crate) fn full_name(service: &str, link: &str) -> Option<String> {
    let at = link.find("/projects/").or_else(|| link.starts_with("projects/").then_some(0))?;
    Some(format!("//{service}/{}", link[at..].trim_start_matches('/')))
}

/// The last part of a link.
pub(crate) fn last(link: &Value) -> Option<&str> {
    link.as_str()?.rsplit('/').next().filter(|part| !part.is_empty())
}

/// A relation's other end, by its link.
pub(crate) fn compute_name(link: &Value) -> Option<String> {
    full_name("compute.googleapis.com", link.as_str()?)
}

/// What all of Compute Engine's resources have in common.
pub(crate) fn compute_draft(kind: ResourceKind, item: &Value) -> Option<Draft> {
    let (link, name) = (item["selfLink"].as_str()?, item["name"].as_str()?);
    let zone = last(&item["zone"]).map(str::to_owned);
    let region = match (&zone, last(&item["region"])) {
        (_, Some(region)) => region.to_owned(),
        (Some(zone), None) => region_of(zone),
        (None, None) => GLOBAL.to_owned(),
    };
    let mut draft = Draft::new(kind, &full_name("compute.googleapis.com", link)?, name, &region);
    draft.0.zone = zone;
    draft.tags(&item["labels"]);
    draft.created(&item["creationTimestamp"]);
    draft.take("description", &item["description"]);
    Some(draft)
}

/// `europe-west1` of `europe-west1-b`.
pub(crate) fn region_of(zone: &str) -> String {
    zone.rsplit_once('-').map_or(zone, |(region, _)| region).to_owned()
}

/// Members that say nothing that is not said elsewhere.
pub(crate) const SAID: &[&str] = &[
    "kind",
    "selfLink",
    "name",
    "zone",
    "region",
    "labels",
    "creationTimestamp",
    "description",
    "labelFingerprint",
    "fingerprint",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_has_one_name_wherever_the_api_is() {
        let name = "//compute.googleapis.com/projects/p/zones/z/disks/d";
        for link in [
            "https://www.googleapis.com/compute/v1/projects/p/zones/z/disks/d",
            "http://127.0.0.1:7473/compute/v1/projects/p/zones/z/disks/d",
            "projects/p/zones/z/disks/d",
        ] {
            assert_eq!(full_name("compute.googleapis.com", link).as_deref(), Some(name));
        }
        assert_eq!(compute::DISKS.relative("p", name), Some("zones/z/disks/d"));
        assert_eq!(compute::DISKS.relative("q", name), None);
        assert_eq!(compute::DISKS.relative("p", "//compute.googleapis.com/projects/p/../x"), None);
        assert_eq!(region_of("europe-west1-b"), "europe-west1");
    }

    #[test]
    fn a_look_up_names_the_method_of_the_place() {
        let method = |listing: &Listing, relative: &str| listing.get_of(relative).method;
        assert_eq!(method(&network::ADDRESSES, "global/addresses/a"), "compute.globalAddresses.get");
        assert_eq!(method(&network::ADDRESSES, "regions/r/addresses/a"), "compute.addresses.get");
        assert_eq!(
            method(&network::BACKEND_SERVICES, "regions/r/backendServices/b"),
            "compute.regionBackendServices.get"
        );
        assert_eq!(method(&network::TARGET_POOLS, "regions/r/targetPools/t"), "compute.targetPools.get");
    }

    #[test]
    fn each_kind_has_one_scope() {
        let kinds: Vec<_> = LISTINGS.iter().map(|listing| listing.kind).collect();
        let mut offered = crate::permissions::KINDS.to_vec();
        let mut sorted = kinds.clone();
        sorted.sort();
        offered.sort();
        assert_eq!(sorted, offered);
    }
}
