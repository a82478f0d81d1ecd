//! What can be done, noun by noun.

use marquee_types::ResourceKind;
use serde::{Deserialize, Serialize};

use super::spec::{
    Attachment, BucketSpec, DatabaseSpec, DiskSpec, Encryption, Growth, InstanceRef, InstanceSpec, Lifecycle,
    Named, PublicAccess, RecordKey, RecordSet, RestoreSpec, RestoreToTimeSpec, Scale, ScalingGroupSpec, Size,
    Tags, Versioning,
};

/// Declares the actions once: the enum with what each carries, and the words that name them.
macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident $(($spec:ty))? = $word:literal on $kind:ident $makes:ident,)*) => {
        /// What is done to a thing, or what is made.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "do", rename_all = "snake_case")]
        pub enum Action {
            $($(#[$doc])* #[serde(rename = $word)] $variant $(($spec))?,)*
        }

        marquee_types::words! {
            /// The name of an action.
            pub enum ActionName {
                $($(#[$doc])* $variant = $word,)*
            }
        }

        impl Action {
            /// Its name.
            pub fn name(&self) -> ActionName {
                match self { $(Self::$variant { .. } => ActionName::$variant,)* }
            }
        }

        impl ActionName {
            /// The kind of what is changed; of what a thing is made from, where it is made from another.
            pub fn on(self) -> Option<ResourceKind> {
                match self { $(Self::$variant => actions!(@kind $kind),)* }
            }

            /// The kind of what it makes, if it makes something.
            pub fn makes(self) -> Option<ResourceKind> {
                match self { $(Self::$variant => actions!(@kind $makes),)* }
            }
        }
    };
    (@kind Nothing) => { None };
    (@kind Anything) => { None };
    (@kind $kind:ident) => { Some(ResourceKind::$kind) };
}

actions! {
    /// Makes an instance, which then runs.
    CreateInstance(InstanceSpec) = "create_instance" on Nothing ComputeInstance,
    /// Starts a stopped instance.
    StartInstance = "start_instance" on ComputeInstance Nothing,
    /// Stops a running instance so that its machine is given back and not paid for.
    StopInstance = "stop_instance" on ComputeInstance Nothing,
    /// Restarts a running instance's system.
    RebootInstance = "reboot_instance" on ComputeInstance Nothing,
    /// Gives an instance another size.
    ResizeInstance(Size) = "resize_instance" on ComputeInstance Nothing,
    /// Ends an instance for good, with the disks that were made along with it.
    TerminateInstance = "terminate_instance" on ComputeInstance Nothing,
    /// Makes an image from an instance's disks.
    CreateImage(Named) = "create_image" on ComputeInstance Image,
    /// Deletes an image of the account's own, with the snapshots that only it is made of.
    DeleteImage = "delete_image" on Image Nothing,

    /// Makes a disk, empty or from a snapshot.
    CreateDisk(DiskSpec) = "create_disk" on Nothing Disk,
    /// Attaches a disk to an instance in its zone.
    AttachDisk(Attachment) = "attach_disk" on Disk Nothing,
    /// Detaches a disk from the instance it is attached to.
    DetachDisk(Attachment) = "detach_disk" on Disk Nothing,
    /// Makes a disk larger.
    GrowDisk(Growth) = "grow_disk" on Disk Nothing,
    /// Copies a disk as it is now.
    SnapshotDisk(Named) = "snapshot_disk" on Disk Snapshot,
    /// Deletes a disk that is not attached.
    DeleteDisk = "delete_disk" on Disk Nothing,
    /// Deletes a disk's snapshot.
    DeleteSnapshot = "delete_snapshot" on Snapshot Nothing,

    /// Makes a database server.
    CreateDatabase(DatabaseSpec) = "create_database" on Nothing Database,
    /// Gives a database another size, at once.
    ResizeDatabase(Size) = "resize_database" on Database Nothing,
    /// Starts a stopped database.
    StartDatabase = "start_database" on Database Nothing,
    /// Stops a database, as far as the vendor lets it.
    StopDatabase = "stop_database" on Database Nothing,
    /// Copies a database as it is now.
    SnapshotDatabase(Named) = "snapshot_database" on Database DatabaseSnapshot,
    /// Makes a new database from a copy.
    RestoreSnapshot(RestoreSpec) = "restore_snapshot" on DatabaseSnapshot Database,
    /// Makes a new database as another was at a time.
    RestoreToTime(RestoreToTimeSpec) = "restore_to_time" on Database Database,
    /// Makes a copy that follows and can be read.
    CreateReplica(RestoreSpec) = "create_replica" on Database Database,
    /// Makes a replica a database of its own.
    PromoteReplica = "promote_replica" on Database Nothing,
    /// Deletes a database. Backups that the vendor keeps by itself are the vendor's affair.
    DeleteDatabase = "delete_database" on Database Nothing,
    /// Deletes a copy of a database.
    DeleteDatabaseSnapshot = "delete_database_snapshot" on DatabaseSnapshot Nothing,

    /// Makes a bucket, private and encrypted.
    CreateBucket(BucketSpec) = "create_bucket" on Nothing Bucket,
    /// Keeps, or no longer keeps, former versions of objects.
    SetVersioning(Versioning) = "set_versioning" on Bucket Nothing,
    /// Replaces the rules by which objects expire.
    SetLifecycle(Lifecycle) = "set_lifecycle" on Bucket Nothing,
    /// Says by which key objects are encrypted from now on.
    SetEncryption(Encryption) = "set_encryption" on Bucket Nothing,
    /// Refuses, or no longer refuses, whatever would make objects public.
    SetPublicAccess(PublicAccess) = "set_public_access" on Bucket Nothing,
    /// Deletes a bucket that is empty.
    DeleteBucket = "delete_bucket" on Bucket Nothing,

    /// Makes a scaling group.
    CreateScalingGroup(ScalingGroupSpec) = "create_scaling_group" on Nothing ScalingGroup,
    /// Sets how many instances a scaling group has at least, at most, and now.
    SetScale(Scale) = "set_scale" on ScalingGroup Nothing,
    /// Deletes a scaling group and its instances.
    DeleteScalingGroup = "delete_scaling_group" on ScalingGroup Nothing,

    /// Sends a target group's traffic to an instance as well.
    RegisterTarget(InstanceRef) = "register_target" on TargetGroup Nothing,
    /// No longer sends a target group's traffic to an instance.
    DeregisterTarget(InstanceRef) = "deregister_target" on TargetGroup Nothing,

    /// Sets the records of one name and type, those of one weight or role where there are several such sets.
    SetRecords(RecordSet) = "set_records" on DnsZone Nothing,
    /// Removes such a set.
    RemoveRecords(RecordKey) = "remove_records" on DnsZone Nothing,

    /// Sets and removes tags.
    SetTags(Tags) = "set_tags" on Anything Nothing,
}
