//! What can be changed at Google Cloud, what each change disturbs, and where Google says so.

use marquee_clouds::{
    Ability, ActionName as Do,
    Disturbance::{self, DataLoss, None, Outage, Restart},
};

const fn can(action: Do, disturbs: Disturbance, source: &'static str) -> Ability {
    Ability { action, disturbs, needs_stopped: false, source }
}

const fn when_stopped(action: Do, disturbs: Disturbance, source: &'static str) -> Ability {
    Ability { action, disturbs, needs_stopped: true, source }
}

/// In the order of the actions. Cloud SQL restarts an instance whose tier changes.
pub const ABILITIES: &[Ability] = &[
    can(Do::CreateInstance, None, "https://cloud.google.com/compute/docs/instances/create-start-instance"),
    can(Do::StartInstance, None, "https://cloud.google.com/compute/docs/instances/stop-start-instance"),
    can(Do::StopInstance, Outage, "https://cloud.google.com/compute/docs/instances/stop-start-instance"),
    can(Do::RebootInstance, Restart, "https://cloud.google.com/compute/docs/instances/resetting-instance"),
    when_stopped(
        Do::ResizeInstance,
        None,
        "https://cloud.google.com/compute/docs/instances/changing-machine-type-of-stopped-instance",
    ),
    can(Do::TerminateInstance, DataLoss, "https://cloud.google.com/compute/docs/instances/deleting-instance"),
    when_stopped(Do::CreateImage, None, "https://cloud.google.com/compute/docs/images/create-custom"),
    can(
        Do::DeleteImage,
        DataLoss,
        "https://cloud.google.com/compute/docs/images/image-management-best-practices",
    ),
    can(Do::CreateDisk, None, "https://cloud.google.com/compute/docs/disks/add-persistent-disk"),
    can(Do::AttachDisk, None, "https://cloud.google.com/compute/docs/disks/attach-disks"),
    can(Do::DetachDisk, None, "https://cloud.google.com/compute/docs/disks/detach-reattach-boot-disk"),
    can(Do::GrowDisk, None, "https://cloud.google.com/compute/docs/disks/resize-persistent-disk"),
    can(Do::SnapshotDisk, None, "https://cloud.google.com/compute/docs/disks/create-snapshots"),
    can(Do::DeleteDisk, DataLoss, "https://cloud.google.com/compute/docs/reference/rest/v1/disks/delete"),
    can(Do::DeleteSnapshot, DataLoss, "https://cloud.google.com/compute/docs/disks/delete-snapshots"),
    can(Do::CreateDatabase, None, "https://cloud.google.com/sql/docs/postgres/create-instance"),
    can(Do::ResizeDatabase, Restart, "https://cloud.google.com/sql/docs/postgres/edit-instance"),
    can(Do::StartDatabase, None, "https://cloud.google.com/sql/docs/postgres/start-stop-restart-instance"),
    can(Do::StopDatabase, Outage, "https://cloud.google.com/sql/docs/postgres/start-stop-restart-instance"),
    can(Do::SnapshotDatabase, None, "https://cloud.google.com/sql/docs/postgres/backup-recovery/backing-up"),
    can(Do::RestoreSnapshot, None, "https://cloud.google.com/sql/docs/postgres/backup-recovery/restoring"),
    can(Do::RestoreToTime, None, "https://cloud.google.com/sql/docs/postgres/backup-recovery/pitr"),
    can(Do::CreateReplica, None, "https://cloud.google.com/sql/docs/postgres/replication/create-replica"),
    can(
        Do::PromoteReplica,
        Restart,
        "https://cloud.google.com/sql/docs/postgres/replication/manage-replicas",
    ),
    can(Do::DeleteDatabase, DataLoss, "https://cloud.google.com/sql/docs/postgres/delete-instance"),
    can(
        Do::DeleteDatabaseSnapshot,
        DataLoss,
        "https://cloud.google.com/sql/docs/postgres/backup-recovery/backing-up",
    ),
    can(Do::CreateBucket, None, "https://cloud.google.com/storage/docs/creating-buckets"),
    can(Do::SetVersioning, None, "https://cloud.google.com/storage/docs/using-object-versioning"),
    can(Do::SetLifecycle, None, "https://cloud.google.com/storage/docs/managing-lifecycles"),
    can(
        Do::SetEncryption,
        None,
        "https://cloud.google.com/storage/docs/encryption/using-customer-managed-keys",
    ),
    can(Do::SetPublicAccess, None, "https://cloud.google.com/storage/docs/using-public-access-prevention"),
    can(Do::DeleteBucket, DataLoss, "https://cloud.google.com/storage/docs/deleting-buckets"),
    can(
        Do::CreateScalingGroup,
        None,
        "https://cloud.google.com/compute/docs/instance-groups/create-zonal-mig",
    ),
    can(
        Do::SetScale,
        None,
        "https://cloud.google.com/compute/docs/instance-groups/working-with-managed-instances",
    ),
    can(Do::DeleteScalingGroup, DataLoss, "https://cloud.google.com/compute/docs/instance-groups/delete-mig"),
    can(
        Do::RegisterTarget,
        None,
        "https://cloud.google.com/compute/docs/reference/rest/v1/targetPools/addInstance",
    ),
    can(
        Do::DeregisterTarget,
        None,
        "https://cloud.google.com/compute/docs/reference/rest/v1/targetPools/removeInstance",
    ),
    can(Do::SetRecords, None, "https://cloud.google.com/dns/docs/records"),
    can(Do::RemoveRecords, None, "https://cloud.google.com/dns/docs/records"),
    can(Do::SetTags, None, "https://cloud.google.com/compute/docs/labeling-resources"),
];
