//! What Hetzner's words for states mean.

use marquee_clouds::draft::States;
use marquee_types::{
    ResourceKind::{ComputeInstance, Disk, Snapshot},
    ResourceState::{Available, Deleting, Failed, Pending, Running, Stopped, Stopping, Unknown, Updating},
};

/// By kind, sorted by the vendor's word. Source: the enumerations `status` of the API's reference.
pub const STATES: States = &[
    (
        ComputeInstance,
        &[
            ("deleting", Deleting),
            ("initializing", Pending),
            ("migrating", Updating),
            ("off", Stopped),
            ("rebuilding", Updating),
            ("running", Running),
            ("starting", Pending),
            ("stopping", Stopping),
            ("unknown", Unknown),
        ],
    ),
    (Disk, &[("available", Available), ("creating", Pending)]),
    (Snapshot, &[("available", Available), ("creating", Pending), ("unavailable", Failed)]),
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
