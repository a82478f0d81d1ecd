//! Labels of what has some. They are replaced as a whole by whoever shows to know the present ones.

use marquee_clouds::{
    ActionName, Change, CloudError, ErrorKind, Ticket, Token,
    changes::{TOKEN_TAG, spec::Tags},
};
use marquee_types::ResourceKind;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    calls, not_found, text,
    token::{check_count, check_label},
    unsupported,
    work::Handle,
};
use crate::{
    api::{Call, Sent},
    cloud::Google,
};

/// How often labels are read anew that someone else changed in between.
const TRIES: usize = 3;

impl Google {
    pub(super) async fn set_tags(
        &self,
        change: &Change,
        tags: &Tags,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let name = change.action.name();
        for (key, value) in &tags.set {
            check_label(name, key, value)?;
        }
        if tags.remove.iter().any(|key| key == TOKEN_TAG) {
            check_label(name, TOKEN_TAG, "")?;
        }
        match change.target.as_ref().map(|target| target.kind) {
            Some(ResourceKind::Bucket) => self.change_bucket(change).await,
            Some(ResourceKind::Database) => self.change_database(change).await,
            Some(ResourceKind::DnsZone) => self.label_zone(change, tags).await,
            Some(kind) => self.label_compute(change, kind, tags, token).await,
            None => self.target(change, &[]).map(Ticket::of),
        }
    }

    async fn label_compute(
        &self,
        change: &Change,
        kind: ResourceKind,
        tags: &Tags,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        let call = label_call(kind);
        let call =
            call.ok_or_else(|| unsupported(name, &format!("a {kind} has no labels at Google Cloud")))?;
        let path = self.target(change, &[kind])?;
        let elsewhere = match kind {
            ResourceKind::Snapshot | ResourceKind::Image => false,
            ResourceKind::PublicIp | ResourceKind::LoadBalancer => path.starts_with("global/"),
            _ => path.starts_with("regions/"),
        };
        if elsewhere {
            return Err(unsupported(name, "Marquee does not label these where they lie in another place"));
        }
        for tried in 1.. {
            let item = self.raw(kind, path).await?.ok_or_else(|| not_found(name, id))?;
            let labels = wanted(name, &item["labels"], tags)?;
            if item["labels"].as_object().cloned().unwrap_or_default() == labels {
                return Ok(Ticket::of(id));
            }
            let body = json!({ "labels": labels, "labelFingerprint": text(&item, "labelFingerprint") });
            match self.post_compute(call, path, Some(&body), token).await {
                Ok(work) => return Ok(Handle::of(Some(work)).ticket(id)),
                Err(error) if error.kind == ErrorKind::PreconditionFailed && tried < TRIES => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("the tries end by returning")
    }

    async fn label_zone(&self, change: &Change, tags: &Tags) -> Result<Ticket, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        let path = self.target(change, &[ResourceKind::DnsZone])?;
        let zone = self.raw(ResourceKind::DnsZone, path).await?.ok_or_else(|| not_found(name, id))?;
        wanted(name, &zone["labels"], tags)?;
        let body = json!({ "labels": patch(&zone["labels"], tags) });
        let sent = Sent { method: Method::PATCH, id: path, query: &[], body: Some(&body) };
        self.client.change(&calls::PATCH_ZONE, sent).await?;
        Ok(Ticket::of(id))
    }
}

/// The call that labels things of a kind of Compute Engine's.
fn label_call(kind: ResourceKind) -> Option<&'static Call> {
    Some(match kind {
        ResourceKind::ComputeInstance => &calls::LABEL_INSTANCE,
        ResourceKind::Disk => &calls::LABEL_DISK,
        ResourceKind::Snapshot => &calls::LABEL_SNAPSHOT,
        ResourceKind::Image => &calls::LABEL_IMAGE,
        ResourceKind::PublicIp => &calls::LABEL_ADDRESS,
        ResourceKind::LoadBalancer => &calls::LABEL_FORWARDING_RULE,
        _ => return None,
    })
}

/// All labels that a thing is to have.
fn wanted(name: ActionName, present: &Value, tags: &Tags) -> Result<Map<String, Value>, CloudError> {
    let mut labels = present.as_object().cloned().unwrap_or_default();
    labels.retain(|key, _| !tags.remove.contains(key));
    labels.extend(tags.set.iter().map(|(key, value)| (key.clone(), value.as_str().into())));
    check_count(name, labels.len())?;
    Ok(labels)
}

/// The same as what is changed of them: a label that is null is removed.
pub(super) fn patch(present: &Value, tags: &Tags) -> Value {
    let removed = tags.remove.iter().filter(|key| !tags.set.contains_key(*key) && !present[*key].is_null());
    let removed = removed.map(|key| (key.clone(), Value::Null));
    let set = tags.set.iter().map(|(key, value)| (key.clone(), value.as_str().into()));
    Value::Object(removed.chain(set).collect())
}
