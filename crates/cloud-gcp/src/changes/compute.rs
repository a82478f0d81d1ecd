//! Instances, and what is done to things of Compute Engine that are there.

use marquee_clouds::{
    Action, ActionName, Change, CloudError, Ticket, Token, changes::spec::InstanceSpec, layers::Tally,
};
use marquee_types::{ResourceKind, ResourceState};
use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    calls, conflict, error, invalid, listing, native, not_found, text,
    token::{is_labeled, labels, number_of},
    unsupported,
    wanted::{Verdict, verdict},
    work::{Handle, Work},
};
use crate::{
    api::Call,
    cloud::{Google, REGIONS},
    inventory::{last, region_of},
};

/// What only Google's instances have, in Google's words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Extensions {
    /// The type of the boot disk: `pd-balanced`.
    disk_type: Option<String>,
    /// Network tags.
    network_tags: Vec<String>,
    /// The address of the service account that it runs as.
    service_account: Option<String>,
    /// What that may be used for; all that it may do, if left out.
    scopes: Vec<String>,
    /// `STANDARD` or `SPOT`.
    provisioning_model: Option<String>,
    /// Whether it is protected against its deletion.
    deletion_protection: bool,
    /// Whom the key lets in; whoever its comment names, if left out.
    ssh_user: Option<String>,
}

/// Something of Compute Engine that is to be made.
pub(super) struct Making<'a> {
    /// The action.
    pub name: ActionName,
    /// The call that makes it.
    pub insert: &'static Call,
    /// Its kind.
    pub kind: ResourceKind,
    /// Where: `zones/z`, `global`.
    pub place: &'a str,
    /// Its collection: `instances`.
    pub collection: &'static str,
    /// What it is to be, with its name and its labels.
    pub body: Value,
}

/// Reads what only this vendor has; what is misspelt is named.
pub(super) fn extensions<T: DeserializeOwned>(
    name: ActionName,
    given: &Map<String, Value>,
) -> Result<T, CloudError> {
    serde_json::from_value(Value::Object(given.clone()))
        .map_err(|wrong| invalid(name, &format!("extensions: {wrong}")))
}

/// Refuses what is not a plain name, before it becomes a part of a path.
pub(super) fn plain(name: ActionName, member: &str, value: &str) -> Result<(), CloudError> {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !value.is_empty() && value.bytes().all(letter) {
        return Ok(());
    }
    Err(invalid(name, &format!("{member}: {value:?} is no name of Google's")))
}

impl Google {
    pub(super) async fn create_instance(
        &self,
        change: &Change,
        spec: &InstanceSpec,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let name = change.action.name();
        plain(name, "name", &spec.name)?;
        plain(name, "size", &spec.size)?;
        let zone = self.zone_of(name, spec.zone.as_deref(), &change.region, token).await?;
        let mut body = self.properties(name, spec, Some(&zone), token).await?;
        body["name"] = spec.name.as_str().into();
        let place = format!("zones/{zone}");
        let making = Making {
            name,
            insert: &calls::INSERT_INSTANCE,
            kind: ResourceKind::ComputeInstance,
            place: &place,
            collection: "instances",
            body,
        };
        self.make(making, token).await
    }

    pub(super) async fn made_instance(
        &self,
        change: &Change,
        spec: &InstanceSpec,
        token: &Token,
    ) -> Result<Option<String>, CloudError> {
        let zone = self.zone_of(change.action.name(), spec.zone.as_deref(), &change.region, token).await?;
        let path = format!("zones/{zone}/instances/{}", spec.name);
        self.made_at(ResourceKind::ComputeInstance, &path, token).await
    }

    /// Makes something, or takes up its making; what has its name and is not ours is left alone.
    pub(super) async fn make(&self, making: Making<'_>, token: &Token) -> Result<Ticket, CloudError> {
        let Making { name, insert, kind, place, collection, body } = making;
        let path = format!("{place}/{collection}/{}", text(&body, "name"));
        let id = native(&self.client.project, &path);
        let there = self.raw(kind, &path).await?;
        if there.as_ref().is_some_and(|item| !is_labeled(&item["labels"], token)) {
            return Err(taken(name, &path));
        }
        // What was made and is deleted already has its operation still.
        let work = self.earlier(insert, place, Some(&body), token).await?;
        if there.is_some() || work.is_some() {
            return Ok(Handle { seen: there.is_some(), ..Handle::of(work) }.ticket(id));
        }
        let sent = self.compute((insert, Method::POST), place, &[], Some(&body), token).await;
        match sent {
            Ok(work) => Ok(Handle::of(Some(work)).ticket(id)),
            Err(refused) if refused.kind == marquee_clouds::ErrorKind::Conflict => {
                // Made between the two, by an attempt whose answer was lost or by someone else.
                match self.raw(kind, &path).await? {
                    Some(item) if is_labeled(&item["labels"], token) => Ok(Ticket::of(id)),
                    Some(_) => Err(taken(name, &path)),
                    None => Err(refused),
                }
            }
            Err(refused) => Err(refused),
        }
    }

    /// The id of what stands at a path, if it was made under a token.
    pub(super) async fn made_at(
        &self,
        kind: ResourceKind,
        path: &str,
        token: &Token,
    ) -> Result<Option<String>, CloudError> {
        let found = self.raw(kind, path).await?.filter(|item| is_labeled(&item["labels"], token));
        Ok(found.map(|_| native(&self.client.project, path)))
    }

    /// The same of what lies in no region.
    pub(super) async fn made_global(
        &self,
        collection: &str,
        name: &str,
        token: &Token,
    ) -> Result<Option<String>, CloudError> {
        let kind = if collection == "images" { ResourceKind::Image } else { ResourceKind::Snapshot };
        self.made_at(kind, &format!("global/{collection}/{name}"), token).await
    }

    /// A thing as Google shows it, by its path below the project.
    pub(super) async fn raw(&self, kind: ResourceKind, path: &str) -> Result<Option<Value>, CloudError> {
        let first = listing(kind)?;
        let listing = first.all().find(|listing| listing.holds(path)).unwrap_or(first);
        self.client.find(&listing.get_of(path), path).await
    }

    /// The zone that is named, which must be in the region, or one of the region's: the same for the same token.
    pub(super) async fn zone_of(
        &self,
        name: ActionName,
        named: Option<&str>,
        region: &str,
        token: &Token,
    ) -> Result<String, CloudError> {
        if let Some(zone) = named {
            plain(name, "zone", zone)?;
            let inside = region_of(zone) == region;
            let wrong = || invalid(name, &format!("zone: {zone} is not in the region {region}"));
            return if inside { Ok(zone.to_owned()) } else { Err(wrong()) };
        }
        let regions = self.client.all(&REGIONS, "", &Tally::default()).await?;
        let found = regions.iter().find(|item| item["name"] == region);
        let mut zones: Vec<&str> = found
            .into_iter()
            .filter_map(|item| item["zones"].as_array())
            .flatten()
            .filter_map(last)
            .collect();
        zones.sort_unstable();
        let index = number_of(token.as_str()).checked_rem(zones.len() as u64);
        let zone = index.and_then(|index| zones.get(usize::try_from(index).ok()?));
        let zone = zone.ok_or_else(|| invalid(name, &format!("{region} is no region with zones")))?;
        Ok((*zone).to_owned())
    }

    /// What an instance, or a template of instances if there is no zone, is to be.
    pub(super) async fn properties(
        &self,
        name: ActionName,
        spec: &InstanceSpec,
        zone: Option<&str>,
        token: &Token,
    ) -> Result<Value, CloudError> {
        let more: Extensions = extensions(name, &spec.extensions)?;
        let labels = labels(name, &spec.tags, token)?;
        let typed = |collection: &str, word: &str| match zone {
            Some(zone) => format!("zones/{zone}/{collection}/{word}"),
            None => word.to_owned(),
        };
        let mut disk = json!({ "sourceImage": spec.image, "labels": labels });
        if let Some(gib) = spec.boot_disk_gib {
            disk["diskSizeGb"] = gib.to_string().into();
        }
        if let Some(kind) = &more.disk_type {
            plain(name, "extensions.diskType", kind)?;
            disk["diskType"] = typed("diskTypes", kind).into();
        }
        let mut body = json!({
            "machineType": typed("machineTypes", &spec.size),
            "disks": [{ "boot": true, "autoDelete": true, "initializeParams": disk }],
            "networkInterfaces": [interface(name, spec)?],
            "labels": labels,
        });
        let tags = self.network_tags(name, spec, &more).await?;
        if !tags.is_empty() {
            body["tags"] = json!({ "items": tags });
        }
        if let Some(key) = &spec.ssh_key {
            let user = login(name, key, more.ssh_user.as_deref())?;
            let item = json!({ "key": "ssh-keys", "value": format!("{user}:{}", key.trim()) });
            body["metadata"] = json!({ "items": [item] });
        }
        if let Some(account) = &more.service_account {
            let all = vec!["https://www.googleapis.com/auth/cloud-platform".to_owned()];
            let scopes = if more.scopes.is_empty() { all } else { more.scopes };
            body["serviceAccounts"] = json!([{ "email": account, "scopes": scopes }]);
        }
        if let Some(model) = &more.provisioning_model {
            body["scheduling"] = scheduling(name, model)?;
        }
        if more.deletion_protection && zone.is_some() {
            body["deletionProtection"] = true.into();
        }
        Ok(body)
    }

    /// Network tags: those that are named, and those by which firewall rules are aimed.
    async fn network_tags(
        &self,
        name: ActionName,
        spec: &InstanceSpec,
        more: &Extensions,
    ) -> Result<Vec<String>, CloudError> {
        let mut tags = more.network_tags.clone();
        for rule in &spec.security_groups {
            let path = self.path_of(name, ResourceKind::SecurityGroup, rule)?;
            let item = self.raw(ResourceKind::SecurityGroup, path).await?;
            let item = item.ok_or_else(|| not_found(name, rule))?;
            if item["targetServiceAccounts"].is_array() {
                let message = format!(
                    "security_groups: {rule} is aimed at service accounts: see extensions.serviceAccount"
                );
                return Err(invalid(name, &message));
            }
            // A rule without any is for all instances of its network.
            if let Some(tag) = item["targetTags"][0].as_str() {
                tags.push(tag.to_owned());
            }
        }
        tags.sort();
        tags.dedup();
        Ok(tags)
    }

    /// Does something to a thing of Compute Engine.
    pub(super) async fn change_compute(&self, change: &Change, token: &Token) -> Result<Ticket, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        let kind = name.on().ok_or_else(|| unsupported(name, "Marquee does not do this at Google Cloud"))?;
        let path = self.target(change, &[kind])?;
        if path.starts_with("regions/") {
            return Err(unsupported(name, "it is not done to what lies in a region and in no zone"));
        }
        if change.action == Action::RebootInstance {
            return self.reboot(change, path, token).await;
        }
        let seen = self.sight(kind, id).await?;
        if let Action::GrowDisk(growth) = &change.action {
            super::disks::refuse_smaller(name, seen.as_ref(), growth.size_gib)?;
        }
        match verdict(&change.action, seen.as_ref()) {
            Verdict::Met => return Ok(Ticket::of(id)),
            Verdict::Never(kind, why) => return Err(error(name, kind, &format!("{id}: {why}"))),
            Verdict::NotYet => {}
        }
        let state = seen.map(|seen| seen.state);
        let work = match &change.action {
            Action::StartInstance => self.post_compute(&calls::START_INSTANCE, path, None, token).await,
            Action::StopInstance => self.post_compute(&calls::STOP_INSTANCE, path, None, token).await,
            Action::ResizeInstance(size) => {
                if state != Some(ResourceState::Stopped) {
                    return Err(conflict(
                        name,
                        "an instance must be stopped before its machine type is changed",
                    ));
                }
                plain(name, "size", &size.size)?;
                let zone = path.split('/').nth(1).unwrap_or_default();
                let body = json!({ "machineType": format!("zones/{zone}/machineTypes/{}", size.size) });
                self.post_compute(&calls::SET_MACHINE_TYPE, path, Some(&body), token).await
            }
            Action::TerminateInstance => self.delete_compute(&calls::DELETE_INSTANCE, path, token).await,
            Action::DeleteImage => self.delete_compute(&calls::DELETE_IMAGE, path, token).await,
            Action::DeleteSnapshot => self.delete_compute(&calls::DELETE_SNAPSHOT, path, token).await,
            Action::DeleteDisk => self.delete_compute(&calls::DELETE_DISK, path, token).await,
            Action::GrowDisk(growth) => {
                let body = json!({ "sizeGb": growth.size_gib.to_string() });
                self.post_compute(&calls::RESIZE_DISK, path, Some(&body), token).await
            }
            Action::AttachDisk(to) => self.attach_disk(name, path, to, token).await,
            Action::DetachDisk(from) => return self.detach_disk(change, from, token).await,
            _ => return Err(unsupported(name, "Marquee does not do this at Google Cloud")),
        };
        match work {
            Ok(work) => Ok(Handle::of(Some(work)).ticket(id)),
            Err(refused) if refused.kind == marquee_clouds::ErrorKind::NotFound && removes(name) => {
                Ok(Ticket::of(id))
            }
            Err(refused) => Err(refused),
        }
    }

    /// Every restart is one of its own: whether ours was begun before only its operation tells.
    async fn reboot(&self, change: &Change, path: &str, token: &Token) -> Result<Ticket, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        if let Some(work) = self.earlier(&calls::RESET_INSTANCE, path, None, token).await? {
            return Ok(Handle::of(Some(work)).ticket(id));
        }
        match self.sight(ResourceKind::ComputeInstance, id).await?.map(|seen| seen.state) {
            None => Err(not_found(name, id)),
            Some(ResourceState::Running) => {
                let work = self.post_compute(&calls::RESET_INSTANCE, path, None, token).await?;
                Ok(Handle::of(Some(work)).ticket(id))
            }
            Some(_) => Err(conflict(name, "an instance that does not run cannot be restarted")),
        }
    }

    pub(super) async fn post_compute(
        &self,
        call: &Call,
        path: &str,
        body: Option<&Value>,
        token: &Token,
    ) -> Result<Work, CloudError> {
        self.compute((call, Method::POST), path, &[], body, token).await
    }

    pub(super) async fn delete_compute(
        &self,
        call: &Call,
        path: &str,
        token: &Token,
    ) -> Result<Work, CloudError> {
        self.compute((call, Method::DELETE), path, &[], None, token).await
    }
}

/// Whether an action ends with nothing there.
fn removes(name: ActionName) -> bool {
    name.makes().is_none()
        && (name.as_str().starts_with("delete_") || name.as_str().starts_with("terminate_"))
}

pub(super) fn taken(name: ActionName, path: &str) -> CloudError {
    conflict(name, &format!("there is a {path} already, and it is not of this change's making"))
}

fn interface(name: ActionName, spec: &InstanceSpec) -> Result<Value, CloudError> {
    let mut interface = match &spec.subnet {
        None => json!({ "network": "global/networks/default" }),
        Some(subnet) => {
            // It may be of another project, which shares it with this one.
            let path = subnet.strip_prefix("//compute.googleapis.com/projects/");
            let path = path.filter(|path| path.contains("/subnetworks/") && !path.contains(".."));
            let path =
                path.ok_or_else(|| invalid(name, &format!("subnet: {subnet} is not the name of a subnet")))?;
            json!({ "subnetwork": format!("projects/{path}") })
        }
    };
    if spec.public_ip {
        interface["accessConfigs"] = json!([{ "type": "ONE_TO_ONE_NAT", "name": "External NAT" }]);
    }
    Ok(interface)
}

fn scheduling(name: ActionName, model: &str) -> Result<Value, CloudError> {
    match model {
        "STANDARD" => Ok(json!({ "provisioningModel": "STANDARD" })),
        "SPOT" => Ok(json!({ "provisioningModel": "SPOT", "onHostMaintenance": "TERMINATE",
            "automaticRestart": false })),
        _ => Err(invalid(name, "extensions.provisioningModel: expected STANDARD or SPOT")),
    }
}

/// Whom a key lets in: Google writes the name before the key.
fn login(name: ActionName, key: &str, named: Option<&str>) -> Result<String, CloudError> {
    let mut parts = key.split_whitespace();
    let (kind, data, comment) = (parts.next(), parts.next(), parts.next());
    if key.trim().contains(['\n', '\r']) || kind.is_none() || data.is_none() {
        return Err(invalid(name, "ssh_key: expected one public key in OpenSSH's form"));
    }
    let user = named.or_else(|| comment.and_then(|comment| comment.split('@').next())).unwrap_or_default();
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !user.is_empty() && user.bytes().all(fits) {
        return Ok(user.to_owned());
    }
    Err(invalid(name, "ssh_key: its comment names nobody; say in extensions.sshUser whom it lets in"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lets_in_whom_its_comment_names() {
        let name = ActionName::CreateInstance;
        assert_eq!(login(name, "ssh-ed25519 AAAA ada@laptop\n", None).unwrap(), "ada");
        assert_eq!(login(name, "ssh-ed25519 AAAA ada@laptop", Some("grace")).unwrap(), "grace");
        assert!(login(name, "ssh-ed25519 AAAA", None).unwrap_err().message.contains("sshUser"));
        assert!(login(name, "ssh-ed25519 AAAA a\nssh-ed25519 BBBB b", None).is_err());
    }

    #[test]
    fn an_extension_that_is_misspelt_is_named() {
        let given = json!({ "diskTyp": "pd-ssd" });
        let wrong = extensions::<Extensions>(ActionName::CreateInstance, given.as_object().unwrap());
        assert!(wrong.unwrap_err().message.contains("diskTyp"));
    }
}
