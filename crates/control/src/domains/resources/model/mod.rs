//! Resources as they are compared and stored: ids from what they name, digests of what was seen.

pub mod cost;
pub mod plan;

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use marquee_clouds::{Observed, Scope};
use marquee_types::{ProviderId, ResourceId, ResourceKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// How far back `as_of` and histories reach: what the partitions keep for certain.
pub const HORIZON: TimeDelta = TimeDelta::days(392);

/// The time of the first 48 bits of a provider's UUIDv7, given to its resources' ids too: ids of one provider lie
/// together in the index.
fn provider_millis(provider: ProviderId) -> u64 {
    let bytes = provider.uuid().into_bytes();
    bytes[..6].iter().fold(0, |millis, byte| (millis << 8) | u64::from(*byte))
}

/// The id of what `provider` calls `native_id`: a UUIDv7 whose random part is a digest (74 bits) of provider,
/// kind and native id, so that it is known without asking and stays the same for good.
pub fn resource_id(provider: ProviderId, kind: ResourceKind, native_id: &str) -> ResourceId {
    let mut hash = Sha256::new();
    hash.update(provider.uuid().as_bytes());
    hash.update(kind.as_str());
    hash.update([0]);
    hash.update(native_id);
    let digest = hash.finalize();
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    ResourceId::from_parts(provider_millis(provider), random)
}

/// One observed resource, made ready to compare and to write.
#[derive(Debug)]
pub struct Prepared {
    pub id: Uuid,
    pub digest: Vec<u8>,
    pub observed: Observed,
    pub tags: String,
    pub attributes: String,
    pub raw: String,
    pub relations: Vec<Relationship>,
}

/// One relation with the id that its target has or will have.
#[derive(Debug)]
pub struct Relationship {
    pub relation: &'static str,
    pub target_id: Uuid,
    pub target_native: String,
}

impl Prepared {
    /// Derives id and digest. Fails only if a value cannot be written as JSON.
    pub fn new(provider: ProviderId, mut observed: Observed) -> Result<Self, serde_json::Error> {
        tame(&mut observed);
        // A key that comes twice counts once, in the tags that are shown and in those that are looked up.
        observed.tags.dedup_by(|next, kept| {
            next.0 == kept.0 && {
                std::mem::swap(next, kept);
                true
            }
        });
        let id = resource_id(provider, observed.kind, &observed.native_id).uuid();
        let mut tags = serde_json::Map::new();
        for (key, value) in &observed.tags {
            tags.insert(key.clone(), Value::from(value.as_str()));
        }
        let tags = without_nul(serde_json::to_string(&tags)?);
        let attributes = without_nul(serde_json::to_string(&observed.attributes)?);
        // Taken, not copied: it is most of what a resource weighs.
        let raw = without_nul(std::mem::take(&mut observed.raw).into_text());
        let mut relations: Vec<Relationship> = observed
            .relations
            .iter()
            .map(|found| Relationship {
                relation: found.relation.as_str(),
                target_id: resource_id(provider, found.kind, &found.target).uuid(),
                target_native: found.target.clone(),
            })
            .collect();
        relations.sort_by(|a, b| (a.relation, a.target_id).cmp(&(b.relation, b.target_id)));
        relations.dedup_by(|a, b| (a.relation, a.target_id) == (b.relation, b.target_id));
        let digest = digest(&observed, &tags, &attributes, &raw, &relations);
        Ok(Self { id, digest, observed, tags, attributes, raw, relations })
    }

    /// An attribute that is filtered by as a number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.observed.attributes.get(name).and_then(Value::as_i64)
    }
}

/// 16 bytes that are equal for equal observations. The parts are framed, so that none can pass for another's.
fn digest(
    observed: &Observed,
    tags: &str,
    attributes: &str,
    raw: &str,
    relations: &[Relationship],
) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut part = |text: Option<&str>| {
        let text = text.unwrap_or("\u{0}");
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    part(Some(&observed.name));
    part(Some(&observed.region));
    part(observed.zone.as_deref());
    part(Some(observed.state.as_str()));
    part(observed.native_state.as_deref());
    part(observed.size.as_deref());
    part(observed.created_at.map(|at| at.to_rfc3339()).as_deref());
    part(Some(tags));
    part(Some(attributes));
    part(Some(raw));
    for relation in relations {
        part(Some(relation.relation));
        part(Some(&relation.target_native));
    }
    hash.finalize()[..16].to_vec()
}

/// The longest text that is filtered by. A btree entry holds 2,700 bytes; no vendor comes near.
const LONGEST: usize = 500;
/// The longest native id; one that is longer is cut and so still tells things apart by its beginning.
const LONGEST_NATIVE_ID: usize = 2_000;

/// Whatever a cloud says, a row can hold it: no NUL, and no text too long for its index.
fn tame(observed: &mut Observed) {
    tame_text(&mut observed.native_id, LONGEST_NATIVE_ID);
    for text in [&mut observed.name, &mut observed.region] {
        tame_text(text, LONGEST);
    }
    for text in [&mut observed.zone, &mut observed.size, &mut observed.native_state].into_iter().flatten() {
        tame_text(text, LONGEST);
    }
    for relation in &mut observed.relations {
        tame_text(&mut relation.target, LONGEST_NATIVE_ID);
    }
}

fn tame_text(text: &mut String, longest: usize) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
    }
}

/// PostgreSQL's text has no NUL; a vendor's answer may. It is shown as U+FFFD.
fn without_nul(json: String) -> String {
    if !json.contains("\\u0000") {
        return json;
    }
    // Escape by escape: of `\\u0000` the first two are a backslash, and the rest is text.
    let mut cleaned = String::with_capacity(json.len());
    let mut rest = json.as_str();
    while let Some(start) = rest.find('\\') {
        let (before, escape) = rest.split_at(start);
        cleaned.push_str(before);
        rest = if let Some(after) = escape.strip_prefix("\\u0000") {
            cleaned.push_str("\\ufffd");
            after
        } else {
            let (whole, after) = escape.split_at(escape.len().min(2));
            cleaned.push_str(whole);
            after
        };
    }
    cleaned.push_str(rest);
    cleaned
}

/// The name of a scope in the tables: `ec2/instances@eu-west-1`.
pub fn scope_name(scope: &Scope) -> String {
    let mut name = String::with_capacity(scope.service.len() + scope.region.len() + 1);
    // Writing to a String cannot fail.
    let _ = write!(name, "{}@{}", scope.service, scope.region);
    name
}

/// A scope as the input of an operation's step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScopeInput {
    pub service: String,
    pub region: String,
    pub kinds: Vec<ResourceKind>,
}

impl From<Scope> for ScopeInput {
    fn from(scope: Scope) -> Self {
        Self { service: scope.service, region: scope.region, kinds: scope.kinds }
    }
}

impl From<ScopeInput> for Scope {
    fn from(input: ScopeInput) -> Self {
        Self { service: input.service, region: input.region, kinds: input.kinds }
    }
}

/// What one page, or one scope, came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Resources listed.
    pub seen: i64,
    /// Of them, new in the inventory.
    pub created: i64,
    /// Of them, changed.
    pub changed: i64,
    /// Gone for certain.
    pub deleted: i64,
    /// Not listed, to be looked for again.
    pub missing: i64,
    /// Calls that the cloud throttled.
    pub throttled: i64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.seen += other.seen;
        self.created += other.created;
        self.changed += other.changed;
        self.deleted += other.deleted;
        self.missing += other.missing;
        self.throttled += other.throttled;
    }
}

/// A resource that a complete listing lacked.
#[derive(Debug, Clone)]
pub struct Missing {
    pub id: Uuid,
    pub kind: ResourceKind,
    pub native_id: String,
    /// Since when, if an earlier complete listing lacked it too.
    pub since: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_uuid_v7_beside_their_provider() {
        let provider = ProviderId::new();
        let id = resource_id(provider, ResourceKind::Disk, "arn:aws:ec2:eu-west-1:1:volume/vol-1").uuid();
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.as_bytes()[..6], provider.uuid().as_bytes()[..6]);
    }

    proptest! {
        #[test]
        fn an_id_follows_from_what_it_names(native in ".{0,40}", other in ".{0,40}") {
            let provider = ProviderId::new();
            let id = resource_id(provider, ResourceKind::Disk, &native);
            prop_assert_eq!(id, resource_id(provider, ResourceKind::Disk, &native));
            prop_assert_ne!(id, resource_id(provider, ResourceKind::Image, &native));
            prop_assert_eq!(id == resource_id(provider, ResourceKind::Disk, &other), native == other);
        }
    }
}
