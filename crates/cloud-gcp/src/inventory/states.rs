//! What Google's words for states mean.

use marquee_clouds::draft::States;
use marquee_types::{
    ResourceKind::{ComputeInstance, Database, DatabaseSnapshot, Disk, Image, PublicIp, Snapshot},
    ResourceState::{Available, Deleting, Failed, InUse, Pending, Running, Stopped, Stopping, Updating},
};

/// By kind, sorted by the vendor's word. Sources: the enumerations `status` and `state` of the discovery documents;
/// "Compute Engine instance lifecycle".
pub const STATES: States = &[
    (
        ComputeInstance,
        &[
            ("DEPROVISIONING", Deleting),
            ("PENDING", Pending),
            ("PENDING_STOP", Stopping),
            ("PROVISIONING", Pending),
            ("REPAIRING", Updating),
            ("RUNNING", Running),
            ("STAGING", Pending),
            ("STOPPED", Stopped),
            ("STOPPING", Stopping),
            ("SUSPENDED", Stopped),
            ("SUSPENDING", Stopping),
            ("TERMINATED", Stopped),
        ],
    ),
    (
        Disk,
        &[
            ("CREATING", Pending),
            ("DELETING", Deleting),
            ("FAILED", Failed),
            ("READY", Available),
            ("RESTORING", Pending),
            ("UNAVAILABLE", Failed),
        ],
    ),
    (
        Snapshot,
        &[
            ("CREATING", Pending),
            ("DELETING", Deleting),
            ("FAILED", Failed),
            ("READY", Available),
            ("UPLOADING", Pending),
        ],
    ),
    (Image, &[("DELETING", Deleting), ("FAILED", Failed), ("PENDING", Pending), ("READY", Available)]),
    (PublicIp, &[("IN_USE", InUse), ("RESERVED", Available), ("RESERVING", Pending)]),
    (
        Database,
        &[
            ("FAILED", Failed),
            ("MAINTENANCE", Updating),
            ("ONLINE_MAINTENANCE", Updating),
            ("PENDING_CREATE", Pending),
            ("PENDING_DELETE", Deleting),
            ("REPAIRING", Updating),
            ("RUNNABLE", Running),
            ("STOPPED", Stopped),
            ("SUSPENDED", Failed),
        ],
    ),
    (
        DatabaseSnapshot,
        &[
            ("DELETED", marquee_types::ResourceState::Deleted),
            ("DELETING", Deleting),
            ("DELETION_FAILED", Failed),
            ("DELETION_PENDING", Deleting),
            ("ENQUEUED", Pending),
            ("FAILED", Failed),
            ("OVERDUE", Pending),
            ("RUNNING", Pending),
            ("SKIPPED", Failed),
            ("SUCCESSFUL", Available),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_and_unique() {
        for (kind, words) in STATES {
            assert!(words.is_sorted_by(|a, b| a.0 < b.0), "{kind}");
        }
    }
}
