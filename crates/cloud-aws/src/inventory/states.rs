//! AWS's words for a state, and Marquee's. The table is printed in `docs/clouds.md`.

use marquee_types::{
    ResourceKind::{
        self, ComputeInstance, Database, DatabaseCluster, DatabaseSnapshot, Disk, Image, LoadBalancer,
        Network, ScalingGroup, Snapshot, Subnet,
    },
    ResourceState::{
        self, Available, Deleted, Deleting, Failed, InUse, Pending, Running, Stopped, Stopping, Unknown,
        Updating,
    },
};

/// AWS's words by kind. Kinds that are not here have no state at AWS.
pub static STATES: &[(ResourceKind, &[(&str, ResourceState)])] = &[
    (
        ComputeInstance,
        &[
            ("pending", Pending),
            ("running", Running),
            ("shutting-down", Deleting),
            ("stopped", Stopped),
            ("stopping", Stopping),
            ("terminated", Deleted),
        ],
    ),
    (
        Disk,
        &[
            ("available", Available),
            ("creating", Pending),
            ("deleted", Deleted),
            ("deleting", Deleting),
            ("error", Failed),
            ("in-use", InUse),
        ],
    ),
    (Snapshot, &[("completed", Available), ("error", Failed), ("pending", Pending), ("recovering", Pending)]),
    (
        Image,
        &[
            ("available", Available),
            ("deregistered", Deleted),
            ("disabled", Stopped),
            ("error", Failed),
            ("failed", Failed),
            ("invalid", Failed),
            ("pending", Pending),
            ("transient", Pending),
        ],
    ),
    (Network, &[("available", Available), ("deleting", Deleting), ("pending", Pending)]),
    (
        Subnet,
        &[
            ("available", Available),
            ("failed", Failed),
            ("failed-insufficient-capacity", Failed),
            ("pending", Pending),
            ("unavailable", Failed),
        ],
    ),
    (
        LoadBalancer,
        &[
            ("active", Available),
            ("active_impaired", Available),
            ("failed", Failed),
            ("provisioning", Pending),
        ],
    ),
    (ScalingGroup, &[("Delete in progress", Deleting)]),
    (Database, DATABASE),
    (DatabaseCluster, DATABASE),
    (
        DatabaseSnapshot,
        &[
            ("available", Available),
            ("copying", Pending),
            ("creating", Pending),
            ("deleting", Deleting),
            ("error", Failed),
            ("failed", Failed),
        ],
    ),
];

/// "Viewing DB instance status" and "Viewing DB cluster status" in the RDS and Aurora user guides.
const DATABASE: &[(&str, ResourceState)] = &[
    ("available", Running),
    ("backing-up", Updating),
    ("backtracking", Updating),
    ("cloning-failed", Failed),
    ("configuring-associated-roles", Updating),
    ("configuring-enhanced-monitoring", Updating),
    ("configuring-iam-database-auth", Updating),
    ("configuring-log-exports", Updating),
    ("converting-to-vpc", Updating),
    ("creating", Pending),
    ("delete-precheck", Deleting),
    ("deleting", Deleting),
    ("failed", Failed),
    ("failing-over", Updating),
    ("inaccessible-encryption-credentials", Failed),
    ("inaccessible-encryption-credentials-recoverable", Failed),
    ("incompatible-create", Failed),
    ("incompatible-network", Failed),
    ("incompatible-option-group", Failed),
    ("incompatible-parameters", Failed),
    ("incompatible-restore", Failed),
    ("insufficient-capacity", Failed),
    ("maintenance", Updating),
    ("migrating", Updating),
    ("migration-failed", Failed),
    ("modifying", Updating),
    ("moving-to-vpc", Updating),
    ("preparing-data-migration", Updating),
    ("promoting", Updating),
    ("rebooting", Updating),
    ("renaming", Updating),
    ("resetting-master-credentials", Updating),
    ("restore-error", Failed),
    ("starting", Pending),
    ("stopped", Stopped),
    ("stopping", Stopping),
    ("storage-config-upgrade", Updating),
    ("storage-full", Failed),
    ("storage-initialization", Updating),
    ("storage-optimization", Updating),
    ("update-iam-db-auth", Updating),
    ("upgrading", Updating),
];

/// What AWS's word means; `Unknown` if AWS has a new one.
pub fn normalise(kind: ResourceKind, native: &str) -> ResourceState {
    let words = STATES.iter().find(|(known, _)| *known == kind).map_or(&[][..], |(_, words)| words);
    words.iter().find(|(word, _)| *word == native).map_or(Unknown, |(_, state)| *state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_and_unique() {
        for (kind, words) in STATES {
            assert!(words.is_sorted_by(|a, b| a.0 < b.0), "{kind}");
        }
    }

    #[test]
    fn a_new_word_is_unknown_and_not_guessed() {
        assert_eq!(normalise(ComputeInstance, "hibernating"), Unknown);
        assert_eq!(normalise(ResourceKind::Bucket, "x"), Unknown);
        assert_eq!(normalise(ComputeInstance, "terminated"), Deleted);
    }
}
