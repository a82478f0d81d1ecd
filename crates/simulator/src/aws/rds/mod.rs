//! RDS: instances, clusters, their snapshots, and their tags.

mod changes;
mod clusters;
mod create;
mod instances;
mod snapshots;

use serde_json::{Map, Value, json};

use super::{
    ask::{Ask, tag_list, tags_of},
    filters::{self, Source},
    protocol::Refusal,
    service::{Answered, Handler, Row},
};
use crate::estate::{Estate, Thing};

pub(super) use create::{create as create_instance, replica as create_replica};
pub(super) use snapshots::create as create_snapshot;

/// The kinds of things, as shelves are named.
pub const INSTANCES: &str = "rds/db";
pub const CLUSTERS: &str = "rds/cluster";
pub const SNAPSHOTS: &str = "rds/snapshot";
pub const CLUSTER_SNAPSHOTS: &str = "rds/cluster-snapshot";

/// All of RDS's operations that are simulated.
pub const HANDLERS: &[Row] = &[
    ("AddTagsToResource", Handler::Write(add_tags)),
    ("CreateDBCluster", Handler::Write(clusters::create)),
    ("CreateDBClusterSnapshot", Handler::Write(clusters::snapshot)),
    ("CreateDBInstance", Handler::Write(create::create)),
    ("CreateDBInstanceReadReplica", Handler::Write(create::replica)),
    ("CreateDBSnapshot", Handler::Write(snapshots::create)),
    ("DeleteDBCluster", Handler::Write(clusters::delete)),
    ("DeleteDBClusterSnapshot", Handler::Write(clusters::delete_snapshot)),
    ("DeleteDBInstance", Handler::Write(changes::delete)),
    ("DeleteDBSnapshot", Handler::Write(snapshots::delete)),
    ("DescribeDBClusterSnapshots", Handler::Read(clusters::describe_snapshots)),
    ("DescribeDBClusters", Handler::Read(clusters::describe)),
    ("DescribeDBInstances", Handler::Read(instances::describe)),
    ("DescribeDBSnapshots", Handler::Read(snapshots::describe)),
    ("ListTagsForResource", Handler::Read(list_tags)),
    ("ModifyDBCluster", Handler::Write(clusters::modify)),
    ("ModifyDBInstance", Handler::Write(changes::modify)),
    ("PromoteReadReplica", Handler::Write(changes::promote)),
    ("RebootDBInstance", Handler::Write(changes::reboot)),
    ("RemoveTagsFromResource", Handler::Write(remove_tags)),
    ("RestoreDBInstanceFromDBSnapshot", Handler::Write(create::from_snapshot)),
    ("RestoreDBInstanceToPointInTime", Handler::Write(create::to_point_in_time)),
    ("StartDBCluster", Handler::Write(clusters::start)),
    ("StartDBInstance", Handler::Write(changes::start)),
    ("StopDBCluster", Handler::Write(clusters::stop)),
    ("StopDBInstance", Handler::Write(changes::stop)),
];

/// How a kind of things is described.
struct Description {
    kind: &'static str,
    /// The member of the input that names one.
    id: &'static str,
    not_found: &'static str,
    noun: &'static str,
    filters: &'static [(&'static str, Source)],
    /// The list in the output.
    list: &'static str,
}

impl Description {
    fn one<'e>(&self, ask: &Ask<'_>, estate: &'e Estate, id: &str) -> Result<&'e Thing, Refusal> {
        ask.find(estate, self.kind, &id.to_lowercase()).ok_or_else(|| self.missing(id))
    }

    fn one_mut<'e>(&self, ask: &Ask<'_>, estate: &'e mut Estate, id: &str) -> Result<&'e mut Thing, Refusal> {
        ask.find_mut(estate, self.kind, &id.to_lowercase()).ok_or_else(|| self.missing(id))
    }

    fn missing(&self, id: &str) -> Refusal {
        Refusal::new(self.not_found, format!("{} {id} not found.", self.noun))
    }

    fn page(
        &self,
        ask: &Ask<'_>,
        estate: &Estate,
        show: impl Fn(&Ask<'_>, &Thing) -> Value,
        also: impl Fn(&Thing) -> bool,
    ) -> Answered {
        let id = ask.text(self.id).map(|id| id.rsplit(':').next().unwrap_or(id).to_lowercase());
        if let Some(id) = &id {
            self.one(ask, estate, id)?;
        }
        let limit = ask.number("MaxRecords").unwrap_or(100);
        if !(20..=100).contains(&limit) {
            let message = format!("Invalid value {limit} for MaxRecords. Must be between 20 and 100");
            return Err(Refusal::new("InvalidParameterValue", message).status(400));
        }
        let filters = filters::read(ask.list("Filters"));
        if let Some(name) = filters::unknown(&filters, self.filters) {
            let message = format!("Unrecognized filter name: {name}");
            return Err(Refusal::new("InvalidParameterValue", message).status(400));
        }
        let wanted = |thing: &Thing| {
            id.as_deref().is_none_or(|id| &*thing.id == id)
                && filters::pass(thing, thing.state(ask.now), ask.owner(), &filters, self.filters)
                && also(thing)
        };
        let paging = (ask.limit("MaxRecords", 100), ask.text("Marker"));
        let page = ask.page(estate, self.kind, paging, "InvalidParameterValue", wanted)?;
        let mut output = Map::new();
        let shown = page.things.iter().map(|thing| show(ask, thing)).collect();
        output.insert(self.list.to_owned(), Value::Array(shown));
        if let Some(next) = page.next {
            output.insert("Marker".to_owned(), next.into());
        }
        Ok(Value::Object(output).into())
    }
}

/// Refuses an identifier that is none, or taken.
fn free(
    ask: &Ask<'_>,
    estate: &Estate,
    kind: &str,
    id: &str,
    taken: &'static str,
) -> Result<String, Refusal> {
    let good = id.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && id.len() <= 255
        && id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
        && !id.ends_with('-')
        && !id.contains("--");
    if !good {
        let message = "The identifier must begin with a letter; must contain only ASCII letters, digits, and hyphens; \
            and must not end with a hyphen or contain two consecutive hyphens.";
        return Err(Refusal::new("InvalidParameterValue", message).status(400));
    }
    let id = id.to_lowercase();
    // Also by what is not seen yet: names are known at once.
    if estate.is_taken(ask.owner(), kind, ask.place(), &id, ask.now) {
        return Err(Refusal::new(taken, format!("{id} already exists")));
    }
    Ok(id)
}

/// Refuses numbers that AWS does not take.
fn check_numbers(ask: &Ask<'_>) -> Result<(), Refusal> {
    for (name, most) in [("BackupRetentionPeriod", 35), ("AllocatedStorage", 65_536), ("Port", 65_535)] {
        if let Some(number) = ask.number(name).filter(|number| !(0..=most).contains(number)) {
            let message = format!("Invalid value {number} for {name}. It must be from 0 to {most}.");
            return Err(Refusal::new("InvalidParameterValue", message).status(400));
        }
    }
    Ok(())
}

fn set(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    map.insert(name.to_owned(), value.into());
}

/// The thing that an ARN names.
fn named(ask: &Ask<'_>) -> Result<(&'static str, String), Refusal> {
    let arn = ask.need("ResourceName");
    let mut parts = arn.split(':').skip(5);
    let kind = match parts.next() {
        Some("db") => INSTANCES,
        Some("cluster") => CLUSTERS,
        Some("snapshot") => SNAPSHOTS,
        Some("cluster-snapshot") => CLUSTER_SNAPSHOTS,
        _ => {
            let message = format!("Invalid resource name: {arn}");
            return Err(Refusal::new("InvalidParameterValue", message).status(400));
        }
    };
    Ok((kind, parts.collect::<Vec<_>>().join(":")))
}

fn unknown_resource(kind: &str, id: &str) -> Refusal {
    let code = match kind {
        CLUSTERS => "DBClusterNotFoundFault",
        SNAPSHOTS => "DBSnapshotNotFound",
        CLUSTER_SNAPSHOTS => "DBClusterSnapshotNotFoundFault",
        _ => "DBInstanceNotFound",
    };
    Refusal::new(code, format!("{id} not found")).status(404)
}

fn add_tags(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let (kind, id) = named(ask)?;
    let thing = ask.find_mut(estate, kind, &id).ok_or_else(|| unknown_resource(kind, &id))?;
    thing.tags.extend(tags_of(ask.list("Tags")));
    Ok(Value::Null.into())
}

fn remove_tags(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let (kind, id) = named(ask)?;
    let thing = ask.find_mut(estate, kind, &id).ok_or_else(|| unknown_resource(kind, &id))?;
    for key in ask.texts("TagKeys") {
        thing.tags.remove(key);
    }
    Ok(Value::Null.into())
}

fn list_tags(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let (kind, id) = named(ask)?;
    let thing = ask.find(estate, kind, &id).ok_or_else(|| unknown_resource(kind, &id))?;
    Ok(json!({ "TagList": tag_list(&thing.tags) }).into())
}
