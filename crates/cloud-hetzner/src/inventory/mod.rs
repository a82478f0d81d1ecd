//! The inventory: which scopes there are, how each is listed, and how one resource is looked up.
//!
//! Hetzner lists a project's resources of a type in all locations at once: so every scope is global, each resource with its
//! own region, and a connection that is limited to some locations leaves out the others.
//!
//! Hetzner's ids are numbers that are unique for their type, in all projects. So a native id is `hetzner:server/123`: the
//! word that Hetzner has for the type, and the number. A subnet has no number: it is
//! `hetzner:network/12/subnet/10.0.1.0/24`.

pub mod compute;
pub mod mapping;
pub mod network;
#[cfg(test)]
mod samples;
pub mod states;

use async_trait::async_trait;
use marquee_clouds::{
    CloudError, ErrorKind, Inventory, Observed, PageSink, Scope, draft::Draft, layers::Tally,
};
use marquee_types::ResourceKind;
use serde_json::Value;

use crate::{api::Collection, cloud::Hetzner, error::CLOUD};

/// The region of every scope, and of what lies in no location.
pub const GLOBAL: &str = "global";

/// How the resources of one scope are listed and read.
#[derive(Debug)]
pub struct Listing {
    /// As in [`Scope::service`].
    pub scope: &'static str,
    /// The one kind it is the source of.
    pub kind: ResourceKind,
    /// What is listed; addresses are in two collections.
    pub of: &'static [Collection],
    /// Reads an item, with the word for one: a network has several subnets. None if it is not what it should be.
    pub read: fn(Value, &str) -> Option<Vec<Observed>>,
}

/// All scopes.
pub static LISTINGS: &[&Listing] = &[
    &compute::SERVERS,
    &compute::VOLUMES,
    &compute::IMAGES,
    &network::NETWORKS,
    &network::SUBNETS,
    &network::FIREWALLS,
    &network::ADDRESSES,
    &network::BALANCERS,
];

/// A collection in the order of ids.
pub(crate) const fn collection(
    name: &'static str,
    one: &'static str,
    operations: (&'static str, &'static str),
) -> Collection {
    Collection { name, one, query: "&sort=id", operations }
}

impl Listing {
    fn of(scope: &Scope) -> Result<&'static Self, CloudError> {
        LISTINGS.iter().copied().find(|listing| listing.scope == scope.service).ok_or_else(|| {
            let message = format!("there is no scope {}", scope.service);
            CloudError::new(CLOUD, "inventory:List", ErrorKind::Invalid, message)
        })
    }

    /// The collection and the number in a native id of this listing's.
    fn parts<'a>(&self, native_id: &'a str) -> Option<(&'static Collection, &'a str)> {
        let (word, rest) = native_id.strip_prefix("hetzner:")?.split_once('/')?;
        let number = rest.split('/').next().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
        let is_whole = self.kind == ResourceKind::Subnet || number == rest;
        let of = self.of.iter().find(|of| of.one == word).filter(|_| is_whole && !number.is_empty())?;
        Some((of, number))
    }
}

#[async_trait]
impl Inventory for Hetzner {
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
        for of in listing.of {
            self.client.list(of, tally, sink, |items| self.read(listing, of, items)).await?;
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
        let Some((of, id)) = listing.parts(native_id).filter(|_| kind == listing.kind) else {
            let message = format!("{native_id} is not the id of a {kind}");
            return Err(CloudError::new(CLOUD, "inventory:Get", ErrorKind::Invalid, message));
        };
        let item = match self.client.get(of, id, &Tally::default()).await {
            Ok(item) => item,
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = self.read(listing, of, vec![item])?;
        Ok(found.into_iter().find(|observed| observed.native_id == native_id))
    }
}

impl Hetzner {
    /// Reads the items of a page, without what lies in locations that the connection is not for.
    fn read(
        &self,
        listing: &Listing,
        of: &Collection,
        items: Vec<Value>,
    ) -> Result<Vec<Observed>, CloudError> {
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            let read = (listing.read)(item, of.one);
            let read = read.ok_or_else(|| self.client.wrong(of.operations.0, "an item without an id"))?;
            found.extend(read.into_iter().filter(|one| self.is_included(&one.region)));
        }
        Ok(found)
    }
}

/// The native id of something of Hetzner's, by its number.
pub(crate) fn native_id(word: &str, number: &Value) -> Option<String> {
    Some(format!("hetzner:{word}/{}", number.as_u64()?))
}

/// What all resources have in common; `place` is the member that says where it lies.
pub(crate) fn drafted(kind: ResourceKind, item: &Value, word: &str, place: &str) -> Option<Draft> {
    let id = native_id(word, &item["id"])?;
    let number = item["id"].to_string();
    let named = ["name", "description"]
        .iter()
        .find_map(|member| item[*member].as_str().filter(|text| !text.is_empty()));
    let region = item[place]["name"].as_str().unwrap_or(GLOBAL);
    let mut draft = Draft::new(kind, &id, named.unwrap_or(&number), region);
    draft.tags(&item["labels"]);
    draft.created(&item["created"]);
    draft.take("description", &item["description"]);
    draft.take("deletion_protection", &item["protection"]["delete"]);
    Some(draft)
}

/// Members that say nothing that is not said elsewhere.
pub(crate) const SAID: &[&str] =
    &["id", "name", "description", "labels", "created", "status", "protection", "location", "home_location"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_what_it_is_of() {
        let number =
            |listing: &Listing, id| listing.parts(id).map(|(of, number)| (of.name, number.to_owned()));
        assert_eq!(number(&compute::SERVERS, "hetzner:server/12"), Some(("servers", "12".to_owned())));
        assert_eq!(number(&compute::SERVERS, "hetzner:volume/12"), None);
        assert_eq!(
            number(&network::ADDRESSES, "hetzner:floating_ip/3"),
            Some(("floating_ips", "3".to_owned()))
        );
        let subnet = "hetzner:network/12/subnet/10.0.1.0/24";
        assert_eq!(number(&network::SUBNETS, subnet), Some(("networks", "12".to_owned())));
        for wrong in ["hetzner:server/", "hetzner:server/1/2", "hetzner:server/..", "server/12", subnet] {
            assert_eq!(number(&compute::SERVERS, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_kind_has_one_scope() {
        let kinds: Vec<_> = LISTINGS.iter().map(|listing| listing.kind).collect();
        assert_eq!(kinds, crate::permissions::KINDS);
    }
}
