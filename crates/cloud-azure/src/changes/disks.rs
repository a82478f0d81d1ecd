//! Managed disks and their snapshots. Which disks a machine has is said by the machine: they are attached and detached by
//! changing it, as long as it is still what was read.

use marquee_clouds::{
    Change, CloudError, ErrorKind, Ticket, Token,
    changes::spec::{Attachment, DiskSpec, Growth, Named},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Noun,
    compute::{MACHINE, UPDATE},
    conflict, invalid,
    place::{self, RESOURCE_GROUP},
    tagged, ticket,
};
use crate::{
    arm::{Condition, Read, Write},
    cloud::Azure,
    inventory::compute::{DISKS, MACHINES, SNAPSHOTS, STORAGE},
};

/// Disks.
pub static DISK: Noun = Noun {
    kind: "Microsoft.Compute/disks",
    get: &DISKS.get,
    put: &write(Method::PUT, "Disks_CreateOrUpdate"),
    delete: &write(Method::DELETE, "Disks_Delete"),
    conditional: false,
    tagged: true,
};

/// Snapshots.
pub static SNAPSHOT: Noun = Noun {
    kind: "Microsoft.Compute/snapshots",
    get: &SNAPSHOTS.get,
    put: &write(Method::PUT, "Snapshots_CreateOrUpdate"),
    delete: &write(Method::DELETE, "Snapshots_Delete"),
    conditional: false,
    tagged: true,
};

static GROW: Write = write(Method::PATCH, "Disks_Update");

const fn write(method: Method, operation: &'static str) -> Write {
    let at = Read { service: "Microsoft.Compute", operation, path: "{id}", query: "", version: STORAGE };
    Write { method, at }
}

/// The most data disks that any size of machine has.
const LUNS: u64 = 64;

/// How often the disks of a machine are written if someone else changes it in between.
const ATTEMPTS: usize = 4;

/// What a new disk is to be.
pub fn body(region: &str, spec: &DiskSpec, token: &Token) -> Result<Value, CloudError> {
    place::refuse_unknown(&spec.extensions, &[RESOURCE_GROUP])?;
    let creation = match &spec.snapshot {
        None => json!({ "createOption": "Empty" }),
        Some(snapshot) => json!({ "createOption": "Copy", "sourceResourceId": snapshot }),
    };
    let mut body = json!({
        "location": region, "tags": tagged(&spec.tags, token),
        "properties": { "creationData": creation, "diskSizeGB": spec.size_gib },
    });
    if let Some(zone) = &spec.zone {
        body["zones"] = json!([zone]);
    }
    if let Some(kind) = &spec.storage_type {
        body["sku"] = json!({ "name": kind });
    }
    Ok(body)
}

/// What a new snapshot is to be: what changed since the one before is kept and paid for, and each is whole.
pub fn snapshot_body(change: &Change, named: &Named, token: &Token) -> Value {
    let creation = json!({ "createOption": "Copy", "sourceResourceId": change.native_id() });
    json!({
        "location": change.region, "tags": tagged(&named.tags, token),
        "properties": { "creationData": creation, "incremental": true },
    })
}

impl Azure {
    pub(super) async fn grow(&self, change: &Change, growth: Growth) -> Result<Ticket, CloudError> {
        let disk = self.target(&DISKS.get, change).await?;
        let before = disk["properties"]["diskSizeGB"].as_u64().unwrap_or_default();
        let wanted = u64::from(growth.size_gib);
        if before == wanted {
            return Ok(Ticket::of(change.native_id()));
        }
        if before > wanted {
            return Err(invalid(format!(
                "size_gib: the disk has {before} GiB, and disks cannot be made smaller"
            )));
        }
        let body = json!({ "properties": { "diskSizeGB": wanted } });
        self.ask(&GROW, change.native_id(), Some(&body)).await
    }

    pub(super) async fn attach(&self, change: &Change, to: &Attachment) -> Result<Ticket, CloudError> {
        let disk = change.native_id();
        let asked = to.device.as_deref().map(lun).transpose()?;
        self.with_disks(change, to, |disks| {
            if disks.iter().any(|one| is(one, disk)) {
                return Ok(None);
            }
            let taken: Vec<u64> = disks.iter().filter_map(|one| one["lun"].as_u64()).collect();
            let lun = match asked {
                Some(lun) if taken.contains(&lun) => {
                    return Err(conflict(format!("device: the instance has another disk as LUN {lun}")));
                }
                Some(lun) => lun,
                None => (0..LUNS).find(|free| !taken.contains(free)).ok_or_else(full)?,
            };
            let one = json!({
                "lun": lun, "createOption": "Attach", "managedDisk": { "id": disk }, "deleteOption": "Detach",
            });
            Ok(Some(disks.iter().cloned().chain([one]).collect()))
        })
        .await
    }

    pub(super) async fn detach(&self, change: &Change, from: &Attachment) -> Result<Ticket, CloudError> {
        let disk = change.native_id();
        self.with_disks(change, from, |disks| {
            let left: Vec<Value> = disks.iter().filter(|one| !is(one, disk)).cloned().collect();
            Ok((left.len() < disks.len()).then_some(left))
        })
        .await
    }

    /// Writes the data disks of a machine as `edit` wants them, if it wants others than there are.
    async fn with_disks(
        &self,
        change: &Change,
        at: &Attachment,
        edit: impl Fn(&[Value]) -> Result<Option<Vec<Value>>, CloudError> + Send + Sync,
    ) -> Result<Ticket, CloudError> {
        let instance = at.instance.as_str();
        place::refuse_id(instance)?;
        place::refuse_other(instance, MACHINE.kind)?;
        for _ in 0..ATTEMPTS {
            let machine =
                self.arm.get(&MACHINES.get, instance, &marquee_clouds::layers::Tally::default()).await?;
            let storage = &machine["properties"]["storageProfile"];
            if is(&storage["osDisk"], change.native_id()) {
                return Err(conflict("the disk is the instance's boot disk, and stays attached as that"));
            }
            let disks = storage["dataDisks"].as_array().map_or(&[][..], Vec::as_slice);
            let Some(wanted) = edit(disks)? else { return Ok(Ticket::of(change.native_id())) };
            let body = json!({ "properties": { "storageProfile": { "dataDisks": wanted } } });
            let condition = machine["etag"].as_str().map_or(Condition::Any, Condition::Unchanged);
            match self.arm.send(&UPDATE, instance, Some(&body), condition).await {
                Ok(sent) => return ticket(change.native_id(), sent),
                // Someone else changed it, or we did and the answer was lost.
                Err(error) if error.kind == ErrorKind::PreconditionFailed => {}
                Err(error) => return Err(error),
            }
        }
        Err(conflict("the instance is being changed by someone else all the time"))
    }
}

/// Whether a disk of a machine's is the one with an id.
fn is(disk: &Value, id: &str) -> bool {
    disk["managedDisk"]["id"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(id))
}

fn full() -> CloudError {
    conflict("the instance has as many data disks as there can be")
}

fn lun(device: &str) -> Result<u64, CloudError> {
    let number = device.parse().ok().filter(|lun| *lun < LUNS);
    number.ok_or_else(|| invalid(format!("device: expected a LUN, a number from 0 to 63, not {device:?}")))
}
