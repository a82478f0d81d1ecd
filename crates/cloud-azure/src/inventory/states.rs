//! What Azure's words for states mean.

use marquee_clouds::draft::States;
use marquee_types::{
    ResourceKind::{self, ComputeInstance, Database, DatabaseSnapshot, Disk, Image, Snapshot},
    ResourceState::{
        self, Available, Deleting, Failed, InUse, Pending, Running, Stopped, Stopping, Updating,
    },
};

/// By kind, sorted by the vendor's word. Sources: "States and billing status of Azure Virtual Machines"; the enumerations
/// `DiskState`, `ServerState` and `ProvisioningState` of the specifications.
pub const STATES: States = &[
    (
        ComputeInstance,
        &[
            ("creating", Pending),
            ("deallocated", Stopped),
            ("deallocating", Stopping),
            ("running", Running),
            ("starting", Pending),
            ("stopped", Stopped),
            ("stopping", Stopping),
        ],
    ),
    (
        Disk,
        &[
            ("ActiveSAS", InUse),
            ("ActiveSASFrozen", InUse),
            ("ActiveUpload", Pending),
            ("Attached", InUse),
            ("Frozen", InUse),
            ("ReadyToUpload", Pending),
            ("Reserved", InUse),
            ("Unattached", Available),
        ],
    ),
    (Snapshot, PROVISIONED),
    (Image, PROVISIONED),
    (ResourceKind::Network, PROVISIONED),
    (ResourceKind::Subnet, PROVISIONED),
    (ResourceKind::SecurityGroup, PROVISIONED),
    (ResourceKind::PublicIp, PROVISIONED),
    (ResourceKind::LoadBalancer, PROVISIONED),
    (ResourceKind::TargetGroup, PROVISIONED),
    (ResourceKind::ScalingGroup, PROVISIONED),
    (
        Database,
        &[
            ("Disabled", Failed),
            ("Dropping", Deleting),
            ("Inaccessible", Failed),
            ("Provisioning", Pending),
            ("Ready", Running),
            ("Restarting", Updating),
            ("Starting", Pending),
            ("Stopped", Stopped),
            ("Stopping", Stopping),
            ("Updating", Updating),
        ],
    ),
    (DatabaseSnapshot, &[("Completed", Available)]),
    (ResourceKind::Bucket, PROVISIONED),
    (ResourceKind::DnsZone, PROVISIONED),
];

/// What does not run has the state of its last change.
const PROVISIONED: &[(&str, ResourceState)] = &[
    ("Canceled", Failed),
    ("Creating", Pending),
    ("Deleting", Deleting),
    ("Failed", Failed),
    ("ResolvingDNS", Pending),
    ("Succeeded", Available),
    ("Updating", Updating),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_and_unique() {
        for (kind, words) in STATES {
            assert!(words.is_sorted_by(|a, b| a.0 < b.0), "{kind}");
        }
        assert!(STATES.iter().map(|(kind, _)| *kind).eq(crate::permissions::KINDS.iter().copied()));
    }
}
