//! Disks and their snapshots.

use marquee_clouds::{
    ActionName, Change, CloudError, Observed, Ticket, Token,
    changes::spec::{Attachment, DiskSpec, Named},
};
use marquee_types::ResourceKind;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    calls,
    compute::{Making, extensions, plain},
    invalid, not_found, text,
    token::labels,
    work::{Handle, Work},
};
use crate::{cloud::Google, inventory::compute_name};

/// What only Google's disks have, in Google's words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct Extensions {
    provisioned_iops: Option<u32>,
    provisioned_throughput: Option<u32>,
}

impl Google {
    pub(super) async fn create_disk(
        &self,
        change: &Change,
        spec: &DiskSpec,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let name = change.action.name();
        plain(name, "name", &spec.name)?;
        let zone = self.zone_of_disk(change, spec, token).await?;
        let more: Extensions = extensions(name, &spec.extensions)?;
        let mut body = json!({ "name": spec.name, "sizeGb": spec.size_gib.to_string(),
            "labels": labels(name, &spec.tags, token)? });
        if let Some(kind) = &spec.storage_type {
            plain(name, "storage_type", kind)?;
            body["type"] = format!("zones/{zone}/diskTypes/{kind}").into();
        }
        if let Some(snapshot) = &spec.snapshot {
            let path = self.path_of(name, ResourceKind::Snapshot, snapshot)?;
            body["sourceSnapshot"] = format!("projects/{}/{path}", self.client.project).into();
        }
        if let Some(iops) = more.provisioned_iops {
            body["provisionedIops"] = iops.to_string().into();
        }
        if let Some(throughput) = more.provisioned_throughput {
            body["provisionedThroughput"] = throughput.to_string().into();
        }
        let place = format!("zones/{zone}");
        let making = Making {
            name,
            insert: &calls::INSERT_DISK,
            kind: ResourceKind::Disk,
            place: &place,
            collection: "disks",
            body,
        };
        self.make(making, token).await
    }

    pub(super) async fn made_disk(
        &self,
        change: &Change,
        spec: &DiskSpec,
        token: &Token,
    ) -> Result<Option<String>, CloudError> {
        let zone = self.zone_of_disk(change, spec, token).await?;
        self.made_at(ResourceKind::Disk, &format!("zones/{zone}/disks/{}", spec.name), token).await
    }

    async fn zone_of_disk(
        &self,
        change: &Change,
        spec: &DiskSpec,
        token: &Token,
    ) -> Result<String, CloudError> {
        let name = change.action.name();
        let zone = spec.zone.as_deref().ok_or_else(|| invalid(name, "zone: a disk lies in one"))?;
        self.zone_of(name, Some(zone), &change.region, token).await
    }

    pub(super) async fn snapshot_disk(
        &self,
        change: &Change,
        named: &Named,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let name = change.action.name();
        plain(name, "name", &named.name)?;
        let disk = self.target(change, &[ResourceKind::Disk])?;
        let body = json!({ "name": named.name, "sourceDisk": format!("projects/{}/{disk}", self.client.project),
            "labels": labels(name, &named.tags, token)? });
        let making = Making {
            name,
            insert: &calls::INSERT_SNAPSHOT,
            kind: ResourceKind::Snapshot,
            place: "global",
            collection: "snapshots",
            body,
        };
        self.make(making, token).await
    }

    pub(super) async fn attach_disk(
        &self,
        name: ActionName,
        disk: &str,
        to: &Attachment,
        token: &Token,
    ) -> Result<Work, CloudError> {
        let instance = self.path_of(name, ResourceKind::ComputeInstance, &to.instance)?;
        // It stays when the instance goes: it was there before.
        let mut body =
            json!({ "source": format!("projects/{}/{disk}", self.client.project), "autoDelete": false });
        if let Some(device) = &to.device {
            body["deviceName"] = device.as_str().into();
        }
        self.post_compute(&calls::ATTACH_DISK, instance, Some(&body), token).await
    }

    pub(super) async fn detach_disk(
        &self,
        change: &Change,
        from: &Attachment,
        token: &Token,
    ) -> Result<Ticket, CloudError> {
        let (name, id) = (change.action.name(), change.native_id());
        let path = self.path_of(name, ResourceKind::ComputeInstance, &from.instance)?;
        let instance = self.raw(ResourceKind::ComputeInstance, path).await?;
        let instance = instance.ok_or_else(|| not_found(name, &from.instance))?;
        let disks = instance["disks"].as_array();
        let ours = |disk: &&Value| compute_name(&disk["source"]).as_deref() == Some(id);
        let Some(disk) = disks.into_iter().flatten().find(ours) else { return Ok(Ticket::of(id)) };
        let device = text(disk, "deviceName");
        let call = (&calls::DETACH_DISK, Method::POST);
        let work = self.compute(call, path, &[("deviceName", device)], None, token).await?;
        Ok(Handle::of(Some(work)).ticket(id))
    }
}

/// Disks only grow.
pub(super) fn refuse_smaller(
    name: ActionName,
    seen: Option<&Observed>,
    wanted: u32,
) -> Result<(), CloudError> {
    let size = seen.and_then(|seen| seen.attributes.get("size_gib")).and_then(Value::as_u64);
    match size {
        Some(size) if size > u64::from(wanted) => Err(invalid(
            name,
            &format!("size_gib: the disk has {size} already, and disks cannot be made smaller"),
        )),
        _ => Ok(()),
    }
}
