//! Buckets. Every change names the metageneration it was made of, so that none is lost to another at the same time.
//!
//! Where objects expire, a rule is for those that are live, and another for former versions: Google's conditions `isLive` and
//! `daysSinceNoncurrentTime`. Rules that say more than ours can are not shown as standing, so that what would replace them is known not to be taken
//! back.

use marquee_clouds::{
    Action, ActionName, Change, CloudError, ErrorKind, Progress, Ticket, Token,
    changes::spec::{BucketSpec, Encryption, Lifecycle, LifecycleRule, PublicAccess},
};
use marquee_types::ResourceKind;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    calls,
    compute::{extensions, taken},
    conflict, invalid, not_found, tags, text,
    token::{is_labeled, labels},
};
use crate::{api::Sent, cloud::Google, inventory::storage::BUCKETS};

/// How often a bucket is read anew that someone else changed in between.
const TRIES: usize = 3;

/// What only Cloud Storage's buckets have, in Google's words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Extensions {
    /// `STANDARD`, `NEARLINE`, `COLDLINE` or `ARCHIVE`.
    storage_class: Option<String>,
    /// Whether the bucket's policy alone says who may do what, and no object's; it does unless this says no.
    uniform_bucket_level_access: Option<bool>,
}

impl Google {
    pub(super) async fn made_bucket(&self, name: &str, token: &Token) -> Result<Option<String>, CloudError> {
        let found = match self.client.find(&BUCKETS.get, name).await {
            // A bucket of this name that is someone else's.
            Err(error) if error.kind == ErrorKind::PermissionDenied => None,
            found => found?,
        };
        let ours = found.is_some_and(|item| is_labeled(&item["labels"], token));
        Ok(ours.then(|| format!("//storage.googleapis.com/{name}")))
    }

    pub(super) async fn create_bucket(
        &self,
        change: &Change,
        spec: &BucketSpec,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let name = change.action.name();
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        if !(3..=222).contains(&spec.name.len()) || !spec.name.bytes().all(fits) || spec.name.contains("..") {
            return Err(invalid(name, &format!("name: {:?} is no name of a bucket", spec.name)));
        }
        let more: Extensions = extensions(name, &spec.extensions)?;
        let mut body = json!({
            "name": spec.name, "location": change.region, "labels": labels(name, &spec.tags, token)?,
            "versioning": { "enabled": spec.versioning },
            "iamConfiguration": { "publicAccessPrevention": "enforced",
                "uniformBucketLevelAccess": { "enabled": more.uniform_bucket_level_access.unwrap_or(true) } },
        });
        if let Some(class) = more.storage_class {
            body["storageClass"] = class.into();
        }
        if let Some(id) = self.made_bucket(&spec.name, token).await? {
            return Ok(Ticket::of(id));
        }
        let query = [("project", self.client.project.as_str())];
        let sent = Sent { method: Method::POST, id: "", query: &query, body: Some(&body) };
        match self.client.change(&calls::INSERT_BUCKET, sent).await {
            Ok(_) => Ok(Ticket::of(format!("//storage.googleapis.com/{}", spec.name))),
            Err(refused) if refused.kind == ErrorKind::Conflict => {
                let made = self.made_bucket(&spec.name, token).await?;
                made.map(Ticket::of).ok_or_else(|| taken(name, &format!("bucket {}", spec.name)))
            }
            Err(refused) => Err(refused),
        }
    }

    /// Changes a setting of a bucket, or deletes it.
    pub(super) async fn change_bucket(&self, change: &Change) -> Result<Ticket, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        let bucket = self.target(change, &[ResourceKind::Bucket])?;
        let path = format!("/{bucket}");
        let deletes = change.action == Action::DeleteBucket;
        for tried in 1.. {
            let item = match self.client.find(&BUCKETS.get, bucket).await? {
                None if deletes => return Ok(Ticket::of(id)),
                None => return Err(not_found(name, id)),
                Some(item) => item,
            };
            let location = text(&item, "location").to_lowercase();
            if !self.is_included(&location) {
                return Err(invalid(name, &format!("the connection is not for the region {location}")));
            }
            let wanted = is_as_wanted(&change.action, &item)?;
            if wanted {
                return Ok(Ticket::of(id));
            }
            let query = [("ifMetagenerationMatch", text(&item, "metageneration"))];
            let sent = if deletes {
                let sent = Sent { method: Method::DELETE, id: &path, query: &query, body: None };
                self.client.change(&calls::DELETE_BUCKET, sent).await
            } else {
                let body = patch(&change.action, &item)?;
                let sent = Sent { method: Method::PATCH, id: &path, query: &query, body: Some(&body) };
                self.client.change(&calls::PATCH_BUCKET, sent).await
            };
            match sent {
                Ok(_) => return Ok(Ticket::of(id)),
                Err(error) if error.kind == ErrorKind::NotFound && deletes => return Ok(Ticket::of(id)),
                Err(error) if error.kind == ErrorKind::PreconditionFailed && tried < TRIES => {}
                Err(error) if error.kind == ErrorKind::PreconditionFailed => {
                    return Err(conflict(name, "the bucket is changed by someone else all the time"));
                }
                Err(error) => return Err(error),
            }
        }
        unreachable!("the tries end by returning")
    }

    pub(super) async fn look_at_bucket(&self, change: &Change) -> Result<Progress, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        let bucket = self.target(change, &[ResourceKind::Bucket])?;
        Ok(match self.client.find(&BUCKETS.get, bucket).await? {
            None => Progress::Failed(not_found(name, id)),
            Some(item) if is_as_wanted(&change.action, &item)? => Progress::Done { native_id: id.to_owned() },
            Some(_) => Progress::Working("not to be seen yet".to_owned()),
        })
    }

    pub(super) async fn bucket_stands(&self, change: &Change) -> Result<Option<Action>, CloudError> {
        let bucket = self.target(change, &[ResourceKind::Bucket])?;
        let item = self.client.find(&BUCKETS.get, bucket).await?;
        let item = item.ok_or_else(|| not_found(change.action.name(), change.native_id()))?;
        Ok(stands(change.action.name(), &item))
    }
}

/// How a setting stands, as the action that would bring it about; none where ours have no words for it.
fn stands(name: ActionName, item: &Value) -> Option<Action> {
    Some(match name {
        ActionName::SetLifecycle => {
            Action::SetLifecycle(Lifecycle { rules: read_rules(&item["lifecycle"])? })
        }
        ActionName::SetEncryption => {
            let key = item["encryption"]["defaultKmsKeyName"].as_str().map(str::to_owned);
            Action::SetEncryption(Encryption { key })
        }
        ActionName::SetPublicAccess => {
            let blocked = item["iamConfiguration"]["publicAccessPrevention"] == "enforced";
            Action::SetPublicAccess(PublicAccess { blocked })
        }
        _ => return None,
    })
}

fn is_as_wanted(action: &Action, item: &Value) -> Result<bool, CloudError> {
    Ok(match action {
        Action::SetVersioning(wanted) => (item["versioning"]["enabled"] == true) == wanted.enabled,
        Action::SetLifecycle(wanted) => {
            let rules = write_rules(action.name(), wanted)?;
            read_rules(&json!({ "rule": rules })) == read_rules(&item["lifecycle"])
        }
        Action::SetEncryption(_) | Action::SetPublicAccess(_) => {
            stands(action.name(), item).as_ref() == Some(action)
        }
        Action::SetTags(tags) => tags::patch(&item["labels"], tags).as_object().is_some_and(|patch| {
            patch.iter().all(|(key, value)| item["labels"].get(key).unwrap_or(&Value::Null) == value)
        }),
        _ => false,
    })
}

fn patch(action: &Action, item: &Value) -> Result<Value, CloudError> {
    Ok(match action {
        Action::SetVersioning(wanted) => json!({ "versioning": { "enabled": wanted.enabled } }),
        Action::SetLifecycle(wanted) if wanted.rules.is_empty() => json!({ "lifecycle": null }),
        Action::SetLifecycle(wanted) => {
            json!({ "lifecycle": { "rule": write_rules(action.name(), wanted)? } })
        }
        Action::SetEncryption(Encryption { key: None }) => json!({ "encryption": null }),
        Action::SetEncryption(Encryption { key }) => json!({ "encryption": { "defaultKmsKeyName": key } }),
        Action::SetPublicAccess(wanted) => {
            let word = if wanted.blocked { "enforced" } else { "inherited" };
            json!({ "iamConfiguration": { "publicAccessPrevention": word } })
        }
        Action::SetTags(wanted) => {
            let count = item["labels"].as_object().map_or(0, serde_json::Map::len);
            super::token::check_count(action.name(), count.max(wanted.set.len()))?;
            json!({ "labels": tags::patch(&item["labels"], wanted) })
        }
        _ => return Err(invalid(action.name(), "it is not done to a bucket")),
    })
}

/// Our rules in Google's words: one for live objects, one for former versions.
fn write_rules(name: ActionName, wanted: &Lifecycle) -> Result<Vec<Value>, CloudError> {
    let mut rules = Vec::new();
    for (index, rule) in wanted.rules.iter().enumerate() {
        let live = rule.delete_after_days.map(|days| json!({ "age": days, "isLive": true }));
        let former = rule.delete_former_after_days.map(|days| json!({ "daysSinceNoncurrentTime": days }));
        if live.is_none() && former.is_none() {
            return Err(invalid(name, &format!("rules[{index}]: says of nothing when it is deleted")));
        }
        for mut condition in live.into_iter().chain(former) {
            if !rule.prefix.is_empty() {
                condition["matchesPrefix"] = json!([rule.prefix]);
            }
            rules.push(json!({ "action": { "type": "Delete" }, "condition": condition }));
        }
    }
    Ok(rules)
}

/// Google's rules in our words; none if there is one that we have no words for.
fn read_rules(lifecycle: &Value) -> Option<Vec<LifecycleRule>> {
    let mut rules: Vec<LifecycleRule> = Vec::new();
    for rule in lifecycle["rule"].as_array().into_iter().flatten() {
        let condition = rule["condition"].as_object()?;
        let known = ["age", "isLive", "daysSinceNoncurrentTime", "matchesPrefix"];
        if rule["action"]["type"] != "Delete" || !condition.keys().all(|key| known.contains(&key.as_str())) {
            return None;
        }
        let days = |member: &str| condition.get(member).and_then(Value::as_u64).map(u32::try_from);
        let prefix = match condition.get("matchesPrefix").and_then(Value::as_array).map(Vec::as_slice) {
            None => String::new(),
            Some([prefix]) => prefix.as_str()?.to_owned(),
            Some(_) => return None,
        };
        let is_live = condition.get("isLive").is_some_and(|live| live == true);
        let (live, former) =
            (days("age").transpose().ok()?, days("daysSinceNoncurrentTime").transpose().ok()?);
        match (live, former, is_live) {
            (Some(_), None, true) => {
                rules.push(LifecycleRule { prefix, delete_after_days: live, delete_former_after_days: None });
            }
            (None, Some(_), false) => match rules.last_mut() {
                Some(last) if last.prefix == prefix && last.delete_former_after_days.is_none() => {
                    last.delete_former_after_days = former;
                }
                _ => rules.push(LifecycleRule {
                    prefix,
                    delete_after_days: None,
                    delete_former_after_days: former,
                }),
            },
            _ => return None,
        }
    }
    Some(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(prefix: &str, live: Option<u32>, former: Option<u32>) -> LifecycleRule {
        LifecycleRule { prefix: prefix.to_owned(), delete_after_days: live, delete_former_after_days: former }
    }

    #[test]
    fn rules_come_back_as_they_were_written() {
        let rules =
            vec![rule("drafts/", Some(30), Some(7)), rule("", Some(400), None), rule("logs/", None, Some(3))];
        let wanted = Lifecycle { rules: rules.clone() };
        let written = write_rules(ActionName::SetLifecycle, &wanted).unwrap();
        assert_eq!(written.len(), 4);
        assert_eq!(read_rules(&json!({ "rule": written })), Some(rules));
        assert_eq!(read_rules(&Value::Null), Some(Vec::new()));
    }

    #[test]
    fn a_rule_that_says_more_than_ours_is_not_read_as_less() {
        let read = |condition: Value, action: &str| {
            read_rules(&json!({ "rule": [{ "action": { "type": action }, "condition": condition }] }))
        };
        assert_eq!(read(json!({ "age": 3 }), "Delete"), None, "deletes former versions as well");
        assert_eq!(read(json!({ "age": 3, "isLive": true }), "SetStorageClass"), None);
        assert_eq!(read(json!({ "age": 3, "isLive": true, "matchesSuffix": [".log"] }), "Delete"), None);
        let nothing = Lifecycle { rules: vec![rule("x", None, None)] };
        assert!(write_rules(ActionName::SetLifecycle, &nothing).unwrap_err().message.contains("rules[0]"));
    }
}
