//! What takes a change back: found out before it is made, and said to whoever asks for it.

use std::collections::BTreeMap;

use marquee_types::{ResourceKind, ResourceState, resource::Relation};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Action, Change,
    spec::{Growth, RecordSet, Scale, Size, TagMap, Tags, Versioning},
};
use crate::Observed;

/// What takes a change back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Undo {
    /// Another change.
    Change {
        /// That one.
        change: Change,
    },
    /// Removing what it made.
    Remove {
        /// By this action, on what the change turns out to have made.
        action: Action,
    },
    /// There is nothing to take back.
    Nothing,
    /// It cannot be taken back.
    Impossible {
        /// Why, and what can be done beforehand; for people.
        because: String,
    },
}

/// What will take `change` back, given how the thing is `before` it and how the settings stand that it replaces (see
/// [`Changes::standing`](super::Changes::standing)).
pub fn undo(change: &Change, before: Option<&Observed>, standing: Option<&Action>) -> Undo {
    if let Some(action) = removal(&change.action) {
        return Undo::Remove { action };
    }
    let Some(target) = &change.target else { return impossible("what it would change is not named") };
    let back = |action: Action| Undo::Change {
        change: Change { region: change.region.clone(), target: Some(target.clone()), action },
    };
    let state = before.map(|before| before.state);
    match &change.action {
        Action::StartInstance if state == Some(ResourceState::Running) => Undo::Nothing,
        Action::StartInstance => back(Action::StopInstance),
        Action::StopInstance | Action::StopDatabase if state == Some(ResourceState::Stopped) => Undo::Nothing,
        Action::StopInstance => back(Action::StartInstance),
        Action::StartDatabase if runs(state) => Undo::Nothing,
        Action::StartDatabase => back(Action::StopDatabase),
        Action::StopDatabase => back(Action::StartDatabase),
        Action::RebootInstance => Undo::Nothing,
        Action::ResizeInstance(_) => size(before, |size| back(Action::ResizeInstance(size))),
        Action::ResizeDatabase(_) => size(before, |size| back(Action::ResizeDatabase(size))),
        Action::AttachDisk(to) if before.is_some_and(|disk| is_attached(disk, &to.instance)) => Undo::Nothing,
        Action::AttachDisk(to) => back(Action::DetachDisk(to.clone())),
        Action::DetachDisk(_) if state == Some(ResourceState::Available) => Undo::Nothing,
        Action::DetachDisk(from) => back(Action::AttachDisk(from.clone())),
        Action::GrowDisk(Growth { size_gib }) if number(before, "size_gib") == Some(u64::from(*size_gib)) => {
            Undo::Nothing
        }
        Action::GrowDisk(_) => {
            impossible("disks cannot be made smaller; a smaller one can be made and copied to")
        }
        // Bounds are not everywhere a part of the group, and so of what the inventory shows.
        Action::SetScale(_) => standing
            .cloned()
            .or_else(|| scale(before))
            .map_or_else(|| impossible("the sizes it has now are not known"), back),
        Action::RegisterTarget(instance) => back(Action::DeregisterTarget(instance.clone())),
        Action::DeregisterTarget(instance) => back(Action::RegisterTarget(instance.clone())),
        Action::SetTags(tags) => match before {
            Some(before) => back(Action::SetTags(former(tags, &before.tags))),
            None => impossible("the tags it has now are not known"),
        },
        Action::SetVersioning(_) => match before.and_then(|before| before.attributes.get("versioning")) {
            Some(word) => back(Action::SetVersioning(Versioning { enabled: word == "enabled" })),
            None => impossible("whether it keeps versions now is not known"),
        },
        Action::SetLifecycle(_) | Action::SetEncryption(_) | Action::SetPublicAccess(_) => match standing {
            Some(standing) => back(standing.clone()),
            None => impossible("how it stands now is not known"),
        },
        Action::SetRecords(RecordSet { key, .. }) => match standing {
            Some(standing) => back(standing.clone()),
            None => back(Action::RemoveRecords(key.clone())),
        },
        Action::RemoveRecords(_) => standing.map_or(Undo::Nothing, |standing| back(standing.clone())),
        Action::PromoteReplica => {
            impossible("a database of its own cannot follow again; a new replica can be made")
        }
        Action::TerminateInstance => {
            impossible("an instance that was terminated is gone; make an image first")
        }
        Action::DeleteDisk => impossible("a deleted disk is gone; take a snapshot first"),
        Action::DeleteDatabase => impossible("a deleted database is gone; take a snapshot first"),
        Action::DeleteScalingGroup => {
            impossible("a deleted scaling group is gone, and its instances with it")
        }
        Action::DeleteBucket => impossible("a deleted bucket is gone, and anyone may take its name"),
        Action::DeleteImage | Action::DeleteSnapshot | Action::DeleteDatabaseSnapshot => {
            impossible("a deleted copy is gone")
        }
        // Those that make something are answered above.
        _ => impossible("it is not known what would take it back"),
    }
}

/// What removes what an action makes.
fn removal(action: &Action) -> Option<Action> {
    Some(match action.name().makes()? {
        ResourceKind::ComputeInstance => Action::TerminateInstance,
        ResourceKind::Image => Action::DeleteImage,
        ResourceKind::Disk => Action::DeleteDisk,
        ResourceKind::Snapshot => Action::DeleteSnapshot,
        ResourceKind::Database => Action::DeleteDatabase,
        ResourceKind::DatabaseSnapshot => Action::DeleteDatabaseSnapshot,
        ResourceKind::Bucket => Action::DeleteBucket,
        ResourceKind::ScalingGroup => Action::DeleteScalingGroup,
        _ => return None,
    })
}

fn impossible(because: &str) -> Undo {
    Undo::Impossible { because: because.to_owned() }
}

/// Whether a disk is attached to an instance.
fn is_attached(disk: &Observed, instance: &str) -> bool {
    disk.relations.iter().any(|known| known.relation == Relation::AttachedTo && known.target == instance)
}

fn runs(state: Option<ResourceState>) -> bool {
    matches!(state, Some(ResourceState::Running | ResourceState::Available))
}

fn size(before: Option<&Observed>, back: impl FnOnce(Size) -> Undo) -> Undo {
    match before.and_then(|before| before.size.clone()) {
        Some(size) => back(Size { size }),
        None => impossible("the size it has now is not known"),
    }
}

fn number(before: Option<&Observed>, name: &str) -> Option<u64> {
    before?.attributes.get(name).and_then(Value::as_u64)
}

fn scale(before: Option<&Observed>) -> Option<Action> {
    let of = |name| number(before, name).and_then(|number| u32::try_from(number).ok());
    let scale = Scale { min: of("min_size"), desired: of("desired_size"), max: of("max_size") };
    scale.desired.is_some().then_some(Action::SetScale(scale))
}

/// The tags that bring back what these would change.
fn former(tags: &Tags, now: &[(String, String)]) -> Tags {
    let had = |key: &String| now.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
    let mut back = Tags { set: BTreeMap::new(), remove: Vec::new() };
    for key in tags.set.keys().chain(&tags.remove) {
        match had(key) {
            Some(value) => drop(TagMap::insert(&mut back.set, key.clone(), value)),
            None if tags.set.contains_key(key) => back.remove.push(key.clone()),
            None => {}
        }
    }
    back
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::{RawJson, changes::ActionName};

    fn instance() -> Observed {
        Observed {
            kind: ResourceKind::ComputeInstance,
            native_id: "i-1".to_owned(),
            name: "one".to_owned(),
            region: "here".to_owned(),
            zone: None,
            state: ResourceState::Running,
            native_state: None,
            size: Some("small".to_owned()),
            tags: vec![("kept".to_owned(), "k".to_owned()), ("old".to_owned(), "o".to_owned())],
            created_at: None,
            attributes: Map::new(),
            raw: RawJson::default(),
            relations: Vec::new(),
        }
    }

    fn taken_back(action: Action, standing: Option<&Action>) -> Undo {
        let change = Change::of("here", ResourceKind::ComputeInstance, "i-1", action);
        undo(&change, Some(&instance()), standing)
    }

    #[test]
    fn a_size_goes_back_to_what_it_was() {
        let Undo::Change { change } =
            taken_back(Action::ResizeInstance(Size { size: "large".to_owned() }), None)
        else {
            panic!("a size can be taken back")
        };
        assert_eq!(change.action, Action::ResizeInstance(Size { size: "small".to_owned() }));
    }

    #[test]
    fn tags_go_back_to_what_they_were_and_others_stay() {
        let tags = Tags {
            set: [("old".to_owned(), "n".to_owned()), ("new".to_owned(), "n".to_owned())].into(),
            remove: vec!["kept".to_owned(), "never".to_owned()],
        };
        let Undo::Change { change } = taken_back(Action::SetTags(tags), None) else {
            panic!("tags can be taken back")
        };
        let had = [("old".to_owned(), "o".to_owned()), ("kept".to_owned(), "k".to_owned())];
        assert_eq!(change.action, Action::SetTags(Tags { set: had.into(), remove: vec!["new".to_owned()] }));
    }

    #[test]
    fn what_was_so_before_stays_so() {
        assert_eq!(taken_back(Action::StartInstance, None), Undo::Nothing);
        assert!(matches!(taken_back(Action::StopInstance, None), Undo::Change { .. }));
    }

    #[test]
    fn records_that_were_new_go_and_others_come_back() {
        let key = super::super::spec::RecordKey { name: "a.b".to_owned(), kind: "A".to_owned(), set: None };
        let set = |value: &str| {
            Action::SetRecords(RecordSet {
                key: key.clone(),
                values: vec![value.to_owned()],
                ..RecordSet::default()
            })
        };
        let back = |undo: Undo| match undo {
            Undo::Change { change } => change.action,
            other => panic!("{other:?}"),
        };
        assert_eq!(back(taken_back(set("1.2.3.4"), None)), Action::RemoveRecords(key.clone()));
        assert_eq!(back(taken_back(set("1.2.3.4"), Some(&set("9.9.9.9")))), set("9.9.9.9"));
    }

    #[test]
    fn whatever_makes_something_is_taken_back_by_removing_it() {
        for (spec, by) in [
            (json!({ "do": "create_instance" }), "terminate_instance"),
            (json!({ "do": "create_image" }), "delete_image"),
            (json!({ "do": "snapshot_disk" }), "delete_snapshot"),
            (json!({ "do": "create_replica" }), "delete_database"),
            (json!({ "do": "create_bucket" }), "delete_bucket"),
        ] {
            let action: Action = serde_json::from_value(spec).unwrap();
            let Undo::Remove { action } = undo(&Change::make("here", action), None, None) else {
                panic!("{by}")
            };
            assert_eq!(action.name().as_str(), by);
        }
    }

    #[test]
    fn what_removes_a_thing_works_on_its_kind() {
        for kind in ActionName::ALL.iter().filter_map(|name| name.makes()) {
            let remover = ActionName::ALL.iter().any(|name| {
                let removes = name.as_str().starts_with("delete_") || name.as_str().starts_with("terminate_");
                removes && name.on() == Some(kind)
            });
            assert!(remover, "{kind}");
        }
    }

    #[test]
    fn a_change_is_written_and_read_back() {
        let change =
            Change::of("here", ResourceKind::Disk, "vol-1", Action::GrowDisk(Growth { size_gib: 20 }));
        let written = serde_json::to_value(&change).unwrap();
        assert_eq!(
            written,
            json!({ "region": "here", "target": { "kind": "disk", "native_id": "vol-1" },
                "action": { "do": "grow_disk", "size_gib": 20 } })
        );
        assert_eq!(serde_json::from_value::<Change>(written).unwrap(), change);
    }
}
