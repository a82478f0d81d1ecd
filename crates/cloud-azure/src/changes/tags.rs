//! Tags of whatever has tags, by the resource manager's own tags: they are merged and taken out key by key, so that those of
//! others stay.

use marquee_clouds::{Change, CloudError, Observed, Ticket, changes::spec::Tags};
use marquee_types::ResourceKind;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::invalid;
use crate::{
    arm::{Read, Write},
    cloud::Azure,
};

const fn at(operation: &'static str) -> Read {
    Read {
        service: "Microsoft.Resources",
        operation,
        path: "{id}/providers/Microsoft.Resources/tags/default",
        query: "",
        version: "2022-09-01",
    }
}

static GET: Read = at("Tags_GetAtScope");
static UPDATE: Write = Write { method: Method::PATCH, at: at("Tags_UpdateAtScope") };

/// What has no tags: it is part of something that has.
const NONE: &[ResourceKind] =
    &[ResourceKind::DatabaseSnapshot, ResourceKind::Subnet, ResourceKind::TargetGroup];

impl Azure {
    pub(super) async fn set_tags(&self, change: &Change, tags: &Tags) -> Result<Ticket, CloudError> {
        let kind = change.target.as_ref().map(|target| target.kind);
        let Some(kind) = kind else {
            return Err(invalid("set_tags is done to something, and nothing is named"));
        };
        if NONE.contains(&kind) {
            return Err(invalid(format!("a {kind} of Azure's has no tags")));
        }
        let id = change.native_id();
        let now = self.target(&GET, change).await?;
        let now = &now["properties"]["tags"];
        // Taken out with the value they have: who changed one in the meantime keeps it.
        let out: Map<String, Value> = now
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| tags.remove.iter().any(|one| one.eq_ignore_ascii_case(key)))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let mut begun = Ticket::of(id);
        if !out.is_empty() {
            let body = json!({ "operation": "Delete", "properties": { "tags": out } });
            begun = self.ask(&UPDATE, id, Some(&body)).await?;
        }
        if tags.set.iter().any(|(key, value)| now[key] != value.as_str()) {
            let body = json!({ "operation": "Merge", "properties": { "tags": tags.set } });
            begun = self.ask(&UPDATE, id, Some(&body)).await?;
        }
        Ok(begun)
    }
}

/// Whether a thing has the tags that are wanted. Azure takes keys for the same whatever their capitals.
pub fn are_set(tags: &Tags, seen: &Observed) -> bool {
    let has = |key: &str| seen.tags.iter().find(|(known, _)| known.eq_ignore_ascii_case(key));
    tags.set.iter().all(|(key, value)| has(key).is_some_and(|(_, now)| now == value))
        && tags.remove.iter().all(|key| tags.set.contains_key(key) || has(key).is_none())
}
