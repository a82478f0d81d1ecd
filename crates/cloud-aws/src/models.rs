//! Holds everything this adapter asks AWS and reads of its answers against AWS's own models, as botocore ships them.
//!
//! For each operation a complete answer is made from the model, with every member filled in, and read by the
//! product's own code: a member that is asked for and never there does not exist at AWS.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use marquee_types::{ResourceKind, resource::Relation};
use serde_json::Value;

use crate::{
    inventory::{
        SCOPES, Source, ec2, enrich,
        listing::{Listing, read_page},
        mapping, rds, states,
    },
    partition::{PARTITIONS, Partition, Place},
    permissions::{NEEDS, Probe},
    query::{AUTOSCALING, Api, EC2, ELB, IAM, RDS},
    raw::LISTS,
    xml::{Shape, Step, Walk, asked, read_whole},
};

/// The model of one service.
struct Model {
    json: Value,
}

/// botocore's data in the test bed's Python.
fn botocore() -> PathBuf {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    let python = fs::read_dir(&venv).expect("the Python of the test bed: run `scripts/setup test`");
    let found = python
        .map(|entry| entry.unwrap().path().join("site-packages/botocore/data"))
        .find(|path| path.exists());
    found.expect("botocore in the test bed's Python")
}

/// A service's model in botocore.
pub fn read(model: &str, version: &str) -> Value {
    let path = botocore().join(model).join(version).join("service-2.json.gz");
    let mut text = String::new();
    GzDecoder::new(File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .read_to_string(&mut text)
        .unwrap();
    serde_json::from_str(&text).unwrap()
}

impl Model {
    fn of(api: &Api) -> Self {
        Self { json: read(api.model, api.version) }
    }

    fn shape(&self, name: &Value) -> &Value {
        let shape = &self.json["shapes"][name.as_str().unwrap()];
        assert!(shape.is_object(), "no shape {name}");
        shape
    }

    fn operation(&self, action: &str) -> &Value {
        let operation = &self.json["operations"][action];
        assert!(operation.is_object(), "AWS has no operation {action}");
        operation
    }

    /// The name under which a member goes over the wire in a request.
    fn request_name(&self, member: &str, shape: &Value) -> String {
        // EC2 has a rule of its own: queryName, else locationName with a capital, else the member's name.
        if self.json["metadata"]["protocol"] != "ec2" {
            return member.to_owned();
        }
        if let Some(name) = shape["queryName"].as_str() {
            return name.to_owned();
        }
        let name = shape["locationName"].as_str().unwrap_or(member);
        name[..1].to_uppercase() + &name[1..]
    }

    /// Fails unless `parameter` (`Filter.1.Value.2`) can be sent with `action`.
    fn takes(&self, action: &str, parameter: &str) {
        let mut shape = self.shape(&self.operation(action)["input"]["shape"]);
        let mut parts = parameter.split('.').peekable();
        while let Some(part) = parts.next() {
            let members = shape["members"].as_object().unwrap_or_else(|| panic!("{action}: {parameter}"));
            let member = members.iter().find(|(name, member)| self.request_name(name, member) == part);
            let (_, member) = member.unwrap_or_else(|| panic!("{action} takes no {parameter}"));
            shape = self.shape(&member["shape"]);
            if shape["type"] == "list" {
                let name = shape["member"]["locationName"].as_str().unwrap_or("member");
                if self.json["metadata"]["protocol"] != "ec2" && shape["flattened"] != true {
                    assert_eq!(parts.next(), Some(name), "{action}: {parameter}");
                }
                assert!(parts.next().is_some_and(|n| n.parse::<u32>().is_ok()), "{action}: {parameter}");
                shape = self.shape(&shape["member"]["shape"]);
            }
        }
    }

    /// The largest number `parameter` may have, if the model says.
    fn largest(&self, action: &str, parameter: &str) -> Option<u64> {
        let input = self.shape(&self.operation(action)["input"]["shape"]);
        self.shape(&input["members"][parameter]["shape"])["max"].as_u64()
    }

    /// A complete answer: every member of every structure, every list with one element.
    fn answer(&self, action: &str) -> String {
        let output = &self.operation(action)["output"];
        let mut body = String::new();
        self.write(&output["shape"], &mut body, &mut Vec::new());
        let wrapped = match output["resultWrapper"].as_str() {
            Some(wrapper) => format!("<{wrapper}>{body}</{wrapper}>"),
            None => body,
        };
        format!("<{action}Response>{wrapped}<requestId>r</requestId></{action}Response>")
    }

    fn write(&self, name: &Value, out: &mut String, inside: &mut Vec<String>) {
        let shape = self.shape(name);
        let key = name.as_str().unwrap().to_owned();
        match shape["type"].as_str().unwrap() {
            "structure" if inside.contains(&key) => {}
            "structure" => {
                inside.push(key);
                for (member, of) in shape["members"].as_object().unwrap() {
                    let tag = of["locationName"].as_str().unwrap_or(member);
                    *out += &open(tag);
                    self.write(&of["shape"], out, inside);
                    *out += &close(tag);
                }
                inside.pop();
            }
            "list" => {
                assert_ne!(shape["flattened"], true, "{key}: the reader knows no flattened lists");
                let fallback = if self.json["metadata"]["protocol"] == "ec2" { "item" } else { "member" };
                let tag = shape["member"]["locationName"].as_str().unwrap_or(fallback);
                *out += &open(tag);
                self.write(&shape["member"]["shape"], out, inside);
                *out += &close(tag);
            }
            "integer" | "long" | "double" | "float" => out.push('7'),
            "boolean" => out.push_str("true"),
            "timestamp" => out.push_str("2026-06-21T14:00:00Z"),
            "string" | "blob" => out.push_str(shape["enum"][0].as_str().unwrap_or("text")),
            other => panic!("{key}: the reader knows no {other}"),
        }
    }

    /// The names of the lists in an answer, and of everything else.
    fn names(&self, action: &str, lists: &mut BTreeSet<String>, others: &mut BTreeSet<String>) {
        self.names_in(&self.operation(action)["output"]["shape"], &mut Vec::new(), lists, others);
    }

    fn names_in(
        &self,
        name: &Value,
        inside: &mut Vec<String>,
        lists: &mut BTreeSet<String>,
        others: &mut BTreeSet<String>,
    ) {
        let shape = self.shape(name);
        let key = name.as_str().unwrap().to_owned();
        if inside.contains(&key) {
            return;
        }
        inside.push(key);
        if shape["type"] == "list" {
            self.names_in(&shape["member"]["shape"], inside, lists, others);
        }
        for (member, of) in shape["members"].as_object().into_iter().flatten() {
            let tag = of["locationName"].as_str().unwrap_or(member).to_owned();
            let is_list = self.shape(&of["shape"])["type"] == "list";
            if is_list {
                lists.insert(tag)
            } else {
                others.insert(tag)
            };
            self.names_in(&of["shape"], inside, lists, others);
        }
        inside.pop();
    }
}

fn open(tag: &str) -> String {
    format!("<{tag}>")
}

fn close(tag: &str) -> String {
    format!("</{tag}>")
}

fn models() -> BTreeMap<&'static str, Model> {
    [&EC2, &RDS, &ELB, &AUTOSCALING, &IAM].into_iter().map(|api| (api.name, Model::of(api))).collect()
}

fn listings() -> impl Iterator<Item = &'static Listing> {
    let listings = SCOPES.iter().filter_map(|scope| match scope.source {
        Source::Regional(listings) => Some(listings),
        Source::Buckets | Source::Zones => None,
    });
    listings.flatten().copied()
}

/// The shapes that are read besides the listings.
fn other_shapes() -> [(&'static Api, Shape); 3] {
    [(&EC2, enrich::INSTANCE_TYPES), (&ELB, enrich::TAGS), (&ELB, enrich::TARGET_HEALTH)]
}

fn place() -> Place<'static> {
    Place { partition: Partition::of_region("eu-west-1"), region: "eu-west-1", account: "123456789012" }
}

#[tokio::test]
async fn every_member_that_is_read_exists() {
    let models = models();
    asked::take();
    for listing in listings() {
        let answer = models[listing.api.name].answer(listing.shape.action);
        let (read, token) = read_page(&answer, listing, &place()).await.unwrap();
        assert_eq!(read.len(), 1, "{}: no item at {:?}", listing.shape.action, listing.shape.items);
        assert_eq!(token.is_some(), listing.shape.token.is_some(), "{}", listing.shape.action);
        let lacking: Vec<_> =
            asked::take().into_iter().filter(|(_, found)| !found).map(|(asked, _)| asked).collect();
        assert!(lacking.is_empty(), "{} has no {lacking:?}", listing.shape.action);
        assert!(read[0].raw.to_value().is_object());
        assert!(
            read[0]
                .relations
                .iter()
                .all(|relation| relation.relation != Relation::ReplicaOf || !relation.target.is_empty())
        );
    }
}

#[tokio::test]
async fn attributes_and_relations_are_those_of_the_table() {
    let models = models();
    let mut attributes: BTreeMap<ResourceKind, BTreeSet<String>> = BTreeMap::new();
    let mut relations = BTreeSet::new();
    for listing in listings() {
        let answer = models[listing.api.name].answer(listing.shape.action);
        let (read, _) = read_page(&answer, listing, &place()).await.unwrap();
        attributes.entry(listing.kind).or_default().extend(read[0].attributes.keys().cloned());
        for relation in &read[0].relations {
            relations.insert((listing.kind, relation.relation.as_str(), relation.kind));
        }
    }
    for (kind, table) in mapping::ATTRIBUTES {
        let Some(found) = attributes.get(kind) else { continue };
        let own = table.iter().filter(|(_, member)| !member.contains("Describe"));
        assert_eq!(found, &own.map(|(name, _)| (*name).to_owned()).collect(), "{kind}");
    }
    let table: BTreeSet<_> = mapping::RELATIONS
        .iter()
        .filter(|(.., source)| !source.contains(": "))
        .map(|(from, relation, to, _)| (*from, *relation, *to))
        .collect();
    assert_eq!(relations, table);
}

#[test]
fn every_other_answer_has_what_is_read_of_it() {
    let models = models();
    for (api, shape) in other_shapes() {
        let answer = models[api.name].answer(shape.action);
        let mut walk = Walk::new(&answer, shape);
        assert_eq!(walk.step().unwrap(), Step::Item, "{}", shape.action);
        let item = walk.item().unwrap();
        let there = match shape.action {
            "DescribeInstanceTypes" => {
                item.get("instanceType").is_some()
                    && item.get_in("vCpuInfo", "defaultVCpus").is_some()
                    && item.get_in("memoryInfo", "sizeInMiB").is_some()
            }
            "DescribeTags" => {
                item.get("ResourceArn").is_some() && item.list("Tags").all(|tag| tag.get("Key").is_some())
            }
            _ => item.get_in("Target", "Id").is_some(),
        };
        assert!(there, "{}", shape.action);
    }
    let regions = models["ec2"].answer("DescribeRegions");
    let tape = read_whole(&regions).unwrap();
    let region = tape.root().unwrap().list("regionInfo").next().unwrap();
    assert!(region.get("regionName").is_some() && region.get("optInStatus").is_some());
    let aliases = models["iam"].answer("ListAccountAliases");
    let tape = read_whole(&aliases).unwrap();
    assert!(
        tape.root()
            .unwrap()
            .child("ListAccountAliasesResult")
            .unwrap()
            .list("AccountAliases")
            .next()
            .is_some()
    );
}

#[test]
fn every_parameter_that_is_sent_exists() {
    let models = models();
    for listing in listings() {
        let (model, action) = (&models[listing.api.name], listing.shape.action);
        for (name, _) in listing.params {
            model.takes(action, name);
        }
        model.takes(action, listing.by_id.param);
        if let Some((name, size)) = listing.page_size {
            model.takes(action, name);
            model.takes(action, listing.token);
            let largest = model.largest(action, name);
            assert!(
                largest.is_none_or(|largest| u64::from(size) <= largest),
                "{action}: {name}={size} > {largest:?}"
            );
        } else {
            assert!(listing.shape.token.is_none(), "{action}");
        }
    }
    for (api, action, parameters) in [
        (&EC2, "DescribeInstanceTypes", &["Filter.1.Name", "Filter.1.Value.1"][..]),
        (&EC2, "DescribeRegions", &["AllRegions"]),
        (&ELB, "DescribeTags", &["ResourceArns.member.1"]),
        (&ELB, "DescribeTargetHealth", &["TargetGroupArn"]),
        (&ELB, "DescribeTargetGroups", &["PageSize", "Marker"]),
        (&IAM, "ListAccountAliases", &[]),
    ] {
        models[api.name].operation(action);
        for parameter in parameters {
            models[api.name].takes(action, parameter);
        }
    }
    for need in NEEDS {
        match need.probe {
            Probe::DryRun { action } => models["ec2"].takes(action, "DryRun"),
            Probe::Read { api, action, params } => {
                models[api.name].operation(action);
                for (name, _) in params {
                    models[api.name].takes(action, name);
                }
            }
            _ => {}
        }
    }
}

/// What changes read besides the listings: by operation, members one below the other; those of a list stand in `item` or `member`.
const READ_BY_CHANGES: &[(&Api, &str, &[&[&str]])] = &[
    (&EC2, "CreateImage", &[&["imageId"]]),
    (&EC2, "CreateSnapshot", &[&["snapshotId"]]),
    (&EC2, "CreateVolume", &[&["volumeId"]]),
    (
        &EC2,
        "DescribeImages",
        &[
            &["imagesSet", "item", "rootDeviceName"],
            &["imagesSet", "item", "blockDeviceMapping", "item", "ebs", "deleteOnTermination"],
            &["imagesSet", "item", "blockDeviceMapping", "item", "deviceName"],
            &["imagesSet", "item", "stateReason", "message"],
        ],
    ),
    (
        &EC2,
        "DescribeInstances",
        &[
            &["reservationSet", "item", "instancesSet", "item", "stateReason", "code"],
            &["reservationSet", "item", "instancesSet", "item", "blockDeviceMapping", "item", "deviceName"],
        ],
    ),
    (&EC2, "DescribeLaunchTemplates", &[&["launchTemplates", "item", "launchTemplateName"]]),
    (&EC2, "DescribeSnapshots", &[&["snapshotSet", "item", "statusMessage"]]),
    (&EC2, "DescribeSubnets", &[&["subnetSet", "item", "subnetId"]]),
    (&EC2, "DescribeVolumes", &[&["volumeSet", "item", "attachmentSet", "item", "status"]]),
    (
        &EC2,
        "DescribeVolumesModifications",
        &[
            &["volumeModificationSet", "item", "targetSize"],
            &["volumeModificationSet", "item", "modificationState"],
            &["volumeModificationSet", "item", "statusMessage"],
        ],
    ),
    (&EC2, "RunInstances", &[&["instancesSet", "item", "instanceId"]]),
    (
        &ELB,
        "DescribeTargetHealth",
        &[
            &["DescribeTargetHealthResult", "TargetHealthDescriptions", "member", "Target", "Port"],
            &["DescribeTargetHealthResult", "TargetHealthDescriptions", "member", "TargetHealth", "State"],
        ],
    ),
    (
        &AUTOSCALING,
        "DescribeAutoScalingGroups",
        &[&[
            "DescribeAutoScalingGroupsResult",
            "AutoScalingGroups",
            "member",
            "Instances",
            "member",
            "LifecycleState",
        ]],
    ),
    (
        &AUTOSCALING,
        "DescribeScalingActivities",
        &[
            &["DescribeScalingActivitiesResult", "Activities", "member", "ActivityId"],
            &["DescribeScalingActivitiesResult", "Activities", "member", "StatusCode"],
            &["DescribeScalingActivitiesResult", "Activities", "member", "StatusMessage"],
        ],
    ),
    (
        &RDS,
        "DescribeDBInstances",
        &[&[
            "DescribeDBInstancesResult",
            "DBInstances",
            "DBInstance",
            "PendingModifiedValues",
            "DBInstanceClass",
        ]],
    ),
];

#[test]
fn what_changes_read_is_there() {
    let models = models();
    for (api, action, paths) in READ_BY_CHANGES {
        let answer = models[api.name].answer(action);
        let tape = read_whole(&answer).unwrap();
        for path in *paths {
            let mut node = tape.root().unwrap();
            for name in *path {
                node = node.child(name).unwrap_or_else(|| panic!("{action} has no {name} of {path:?}"));
            }
        }
    }
}

#[test]
fn the_table_of_lists_is_that_of_the_models() {
    let models = models();
    let (mut lists, mut others) = (BTreeSet::new(), BTreeSet::new());
    let read = listings().map(|listing| (listing.api, listing.shape.action));
    let besides = other_shapes().map(|(api, shape)| (api, shape.action));
    for (api, action) in read.chain(besides).chain([(&EC2, "DescribeRegions"), (&IAM, "ListAccountAliases")])
    {
        models[api.name].names(action, &mut lists, &mut others);
    }
    let both: Vec<_> = lists.intersection(&others).collect();
    assert!(both.is_empty(), "a list here and something else there: {both:?}");
    let table: BTreeSet<_> = LISTS.iter().map(|name| (*name).to_owned()).collect();
    let (missing, gone): (Vec<_>, Vec<_>) =
        (lists.difference(&table).collect(), table.difference(&lists).collect());
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not in the table: {missing:?}; no longer at AWS: {gone:?}"
    );
}

#[test]
fn volatile_members_exist_and_are_left_out() {
    let models = models();
    let (mut lists, mut others) = (BTreeSet::new(), BTreeSet::new());
    for listing in listings() {
        models[listing.api.name].names(listing.shape.action, &mut lists, &mut others);
    }
    for name in ec2::VOLATILE.iter().chain(rds::VOLATILE) {
        assert!(others.contains(*name), "AWS has no {name}");
    }
}

#[test]
fn states_with_an_enumeration_are_all_known() {
    let model = Model::of(&EC2);
    for (kind, shape) in [
        ("compute_instance", "InstanceStateName"),
        ("disk", "VolumeState"),
        ("network", "VpcState"),
        ("subnet", "SubnetState"),
        ("image", "ImageState"),
    ] {
        let (_, words) = states::STATES.iter().find(|(known, _)| known.as_str() == kind).unwrap();
        for word in model.json["shapes"][shape]["enum"].as_array().unwrap() {
            let word = word.as_str().unwrap();
            assert!(words.iter().any(|(known, _)| *known == word), "{kind}: {word}");
        }
    }
}

#[test]
fn partitions_are_those_of_the_vendors_clients() {
    let text = fs::read_to_string(botocore().join("partitions.json")).unwrap();
    let theirs: Value = serde_json::from_str(&text).unwrap();
    let theirs = theirs["partitions"].as_array().unwrap();
    assert_eq!(theirs.len(), PARTITIONS.len());
    for partition in theirs {
        let id = partition["id"].as_str().unwrap();
        let ours = PARTITIONS.iter().find(|ours| ours.id == id).unwrap_or_else(|| panic!("no {id}"));
        assert_eq!(ours.dns_suffix, partition["outputs"]["dnsSuffix"].as_str().unwrap(), "{id}");
        for region in partition["regions"].as_object().unwrap().keys().filter(|name| !name.contains("global"))
        {
            assert_eq!(Partition::of_region(region).id, id, "{region}");
            assert!(crate::partition::is_region_name(region), "{region}");
        }
    }
}
