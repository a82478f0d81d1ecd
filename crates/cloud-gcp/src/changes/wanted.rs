//! Whether a thing is as an action wants it, by what the inventory sees.

use marquee_clouds::{Action, ErrorKind, Observed, changes::spec::Growth};
use marquee_types::{ResourceState, resource::Relation};
use serde_json::Value;

/// How a thing stands to what is wanted of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as wanted.
    Met,
    /// It may still become so.
    NotYet,
    /// It will not.
    Never(ErrorKind, &'static str),
}

/// How a thing, if it is there, stands to an action.
pub fn verdict(action: &Action, seen: Option<&Observed>) -> Verdict {
    let Some(seen) = seen else { return of_nothing(action) };
    let met = match action {
        // Who stops it since does not undo that it was made.
        Action::CreateInstance(_) => {
            matches!(seen.state, ResourceState::Running | ResourceState::Stopped)
        }
        Action::StartInstance | Action::RebootInstance | Action::StartDatabase => runs(seen),
        Action::CreateDatabase(_) | Action::CreateReplica(_) => {
            runs(seen) || seen.state == ResourceState::Stopped
        }
        Action::StopInstance | Action::StopDatabase => seen.state == ResourceState::Stopped,
        Action::ResizeInstance(size) => seen.size.as_deref() == Some(size.size.as_str()),
        Action::ResizeDatabase(size) => seen.size.as_deref() == Some(size.size.as_str()) && is_settled(seen),
        Action::CreateImage(_)
        | Action::SnapshotDisk(_)
        | Action::CreateDisk(_)
        | Action::SnapshotDatabase(_) => {
            matches!(seen.state, ResourceState::Available | ResourceState::InUse)
        }
        Action::CreateBucket(_) => true,
        Action::AttachDisk(to) => is_related(seen, Relation::AttachedTo, &to.instance),
        Action::DetachDisk(from) => !is_related(seen, Relation::AttachedTo, &from.instance),
        Action::GrowDisk(Growth { size_gib }) => {
            let size = seen.attributes.get("size_gib").and_then(Value::as_u64);
            size.is_some_and(|size| size >= u64::from(*size_gib))
        }
        Action::PromoteReplica => {
            runs(seen) && !seen.relations.iter().any(|relation| relation.relation == Relation::ReplicaOf)
        }
        Action::SetVersioning(wanted) => {
            let word = if wanted.enabled { "enabled" } else { "disabled" };
            seen.attributes.get("versioning").is_some_and(|found| found == word)
        }
        Action::SetTags(tags) => {
            let has = |key: &String| seen.tags.iter().find(|(known, _)| known == key);
            tags.set.iter().all(|(key, value)| has(key).is_some_and(|(_, found)| found == value))
                && tags.remove.iter().all(|key| tags.set.contains_key(key) || has(key).is_none())
        }
        Action::RegisterTarget(target) => is_related(seen, Relation::RoutesTo, &target.instance),
        Action::DeregisterTarget(target) => !is_related(seen, Relation::RoutesTo, &target.instance),
        _ => false,
    };
    if met {
        return Verdict::Met;
    }
    if seen.state == ResourceState::Failed && action.name().makes().is_some() {
        return Verdict::Never(ErrorKind::Unavailable, "Google says that it failed");
    }
    Verdict::NotYet
}

/// What is not there is as wanted where it was to go.
fn of_nothing(action: &Action) -> Verdict {
    match action {
        Action::TerminateInstance
        | Action::DeleteImage
        | Action::DeleteDisk
        | Action::DeleteSnapshot
        | Action::DeleteDatabase
        | Action::DeleteDatabaseSnapshot
        | Action::DeleteBucket
        | Action::DeleteScalingGroup => Verdict::Met,
        _ if action.name().makes().is_some() => Verdict::NotYet,
        _ => Verdict::Never(ErrorKind::NotFound, "it does not exist any more"),
    }
}

fn runs(seen: &Observed) -> bool {
    matches!(seen.state, ResourceState::Running | ResourceState::Available)
}

fn is_settled(seen: &Observed) -> bool {
    matches!(seen.state, ResourceState::Running | ResourceState::Available | ResourceState::Stopped)
}

fn is_related(seen: &Observed, relation: Relation, target: &str) -> bool {
    seen.relations.iter().any(|found| found.relation == relation && found.target == target)
}
