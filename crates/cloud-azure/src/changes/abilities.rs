//! What Azure can do, and what comes with it, by its documentation.

use marquee_clouds::{Ability, ActionName, Disturbance};

const fn ability(action: ActionName, disturbs: Disturbance, source: &'static str) -> Ability {
    Ability { action, disturbs, needs_stopped: false, source }
}

macro_rules! learn {
    ($page:literal) => {
        concat!("https://learn.microsoft.com/en-us/", $page)
    };
}

/// By action, in the order of their declaration.
pub const ABILITIES: &[Ability] = &[
    ability(
        ActionName::CreateInstance,
        Disturbance::None,
        learn!("rest/api/compute/virtual-machines/create-or-update"),
    ),
    ability(ActionName::StartInstance, Disturbance::None, learn!("azure/virtual-machines/states-billing")),
    ability(ActionName::StopInstance, Disturbance::Outage, learn!("azure/virtual-machines/states-billing")),
    ability(
        ActionName::RebootInstance,
        Disturbance::Restart,
        learn!("rest/api/compute/virtual-machines/restart"),
    ),
    // One that runs is restarted if its hardware has the size, and refused if it has not.
    ability(
        ActionName::ResizeInstance,
        Disturbance::Restart,
        learn!("azure/virtual-machines/sizes/resize-vm"),
    ),
    ability(ActionName::TerminateInstance, Disturbance::DataLoss, learn!("azure/virtual-machines/delete")),
    Ability {
        action: ActionName::CreateImage,
        disturbs: Disturbance::None,
        needs_stopped: true,
        source: learn!("azure/virtual-machines/capture-image-resource"),
    },
    ability(ActionName::DeleteImage, Disturbance::DataLoss, learn!("rest/api/compute/images/delete")),
    ability(ActionName::CreateDisk, Disturbance::None, learn!("rest/api/compute/disks/create-or-update")),
    ability(
        ActionName::AttachDisk,
        Disturbance::None,
        learn!("azure/virtual-machines/linux/attach-disk-portal"),
    ),
    ability(ActionName::DetachDisk, Disturbance::Outage, learn!("azure/virtual-machines/linux/detach-disk")),
    // A boot disk grows only while its machine is deallocated: Azure refuses it before.
    ability(ActionName::GrowDisk, Disturbance::None, learn!("azure/virtual-machines/linux/expand-disks")),
    ability(
        ActionName::SnapshotDisk,
        Disturbance::None,
        learn!("azure/virtual-machines/disks-incremental-snapshots"),
    ),
    ability(ActionName::DeleteDisk, Disturbance::DataLoss, learn!("rest/api/compute/disks/delete")),
    ability(ActionName::DeleteSnapshot, Disturbance::DataLoss, learn!("rest/api/compute/snapshots/delete")),
    ability(
        ActionName::CreateDatabase,
        Disturbance::None,
        learn!("azure/postgresql/configure-maintain/quickstart-create-server"),
    ),
    ability(
        ActionName::ResizeDatabase,
        Disturbance::Restart,
        learn!("azure/postgresql/scale/how-to-scale-compute"),
    ),
    ability(
        ActionName::StartDatabase,
        Disturbance::None,
        learn!("azure/postgresql/configure-maintain/how-to-start-server"),
    ),
    // It starts by itself after seven days.
    ability(
        ActionName::StopDatabase,
        Disturbance::Outage,
        learn!("azure/postgresql/configure-maintain/how-to-stop-server"),
    ),
    ability(
        ActionName::SnapshotDatabase,
        Disturbance::None,
        learn!("azure/postgresql/backup-restore/how-to-perform-on-demand-backup"),
    ),
    ability(
        ActionName::RestoreSnapshot,
        Disturbance::None,
        learn!("azure/postgresql/backup-restore/concepts-backup-restore"),
    ),
    ability(
        ActionName::RestoreToTime,
        Disturbance::None,
        learn!("azure/postgresql/backup-restore/concepts-backup-restore"),
    ),
    ability(
        ActionName::CreateReplica,
        Disturbance::None,
        learn!("azure/postgresql/read-replica/concepts-read-replicas"),
    ),
    ability(
        ActionName::PromoteReplica,
        Disturbance::Restart,
        learn!("azure/postgresql/read-replica/concepts-read-replicas-promote"),
    ),
    ability(
        ActionName::DeleteDatabase,
        Disturbance::DataLoss,
        learn!("azure/postgresql/configure-maintain/how-to-delete-server"),
    ),
    ability(
        ActionName::DeleteDatabaseSnapshot,
        Disturbance::DataLoss,
        learn!("azure/postgresql/backup-restore/how-to-delete-on-demand-backup"),
    ),
    ability(
        ActionName::CreateBucket,
        Disturbance::None,
        learn!("azure/storage/common/storage-account-create"),
    ),
    ability(ActionName::SetVersioning, Disturbance::None, learn!("azure/storage/blobs/versioning-overview")),
    ability(
        ActionName::SetLifecycle,
        Disturbance::None,
        learn!("azure/storage/blobs/lifecycle-management-overview"),
    ),
    ability(
        ActionName::SetEncryption,
        Disturbance::None,
        learn!("azure/storage/common/storage-service-encryption"),
    ),
    ability(
        ActionName::SetPublicAccess,
        Disturbance::None,
        learn!("azure/storage/blobs/anonymous-read-access-prevent"),
    ),
    ability(
        ActionName::DeleteBucket,
        Disturbance::DataLoss,
        learn!("rest/api/storagerp/storage-accounts/delete"),
    ),
    ability(
        ActionName::CreateScalingGroup,
        Disturbance::None,
        learn!("rest/api/compute/virtual-machine-scale-sets/create-or-update"),
    ),
    // Machines that are too many go, with what was on them.
    ability(
        ActionName::SetScale,
        Disturbance::DataLoss,
        learn!("azure/virtual-machine-scale-sets/virtual-machine-scale-sets-autoscale-overview"),
    ),
    ability(
        ActionName::DeleteScalingGroup,
        Disturbance::DataLoss,
        learn!("rest/api/compute/virtual-machine-scale-sets/delete"),
    ),
    ability(
        ActionName::RegisterTarget,
        Disturbance::None,
        learn!("azure/load-balancer/backend-pool-management"),
    ),
    ability(
        ActionName::DeregisterTarget,
        Disturbance::None,
        learn!("azure/load-balancer/backend-pool-management"),
    ),
    ability(ActionName::SetRecords, Disturbance::None, learn!("azure/dns/dns-zones-records")),
    ability(ActionName::RemoveRecords, Disturbance::None, learn!("azure/dns/dns-zones-records")),
    ability(
        ActionName::SetTags,
        Disturbance::None,
        learn!("azure/azure-resource-manager/management/tag-resources"),
    ),
];
