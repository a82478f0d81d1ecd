//! Holds the table of permissions against the operations that this adapter can call, in both directions.
//!
//! The operations are read off the source: every literal that AWS's own models know as an operation's name is one, and
//! so is every call of an official client. So a call that is added without its permission fails here, whether a test
//! makes it or not.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use marquee_clouds::Connector as _;
use marquee_types::Clock;

use crate::{AwsConnector, models, permissions::OBJECT_PERMISSIONS};

/// Service, and the name of its newest model in botocore.
const MODELS: &[(&str, &str, &str)] = &[
    ("autoscaling", "autoscaling", "2011-01-01"),
    ("ec2", "ec2", "2016-11-15"),
    ("elasticloadbalancing", "elbv2", "2015-12-01"),
    ("iam", "iam", "2010-05-08"),
    ("pricing", "pricing", "2017-10-15"),
    ("rds", "rds", "2014-10-31"),
    ("route53", "route53", "2013-04-01"),
    ("s3", "s3", "2006-03-01"),
    ("servicequotas", "service-quotas", "2019-06-24"),
    ("sts", "sts", "2011-06-15"),
];

/// What stands before an operation's name and says whose it is.
const MARKS: &[(&str, &str)] = &[
    ("&AUTOSCALING", "autoscaling"),
    ("&EC2", "ec2"),
    ("\"ec2:", "ec2"),
    ("&ELB", "elasticloadbalancing"),
    ("\"elasticloadbalancing:", "elasticloadbalancing"),
    ("&IAM", "iam"),
    ("&RDS", "rds"),
    ("\"route53\"", "route53"),
    ("route53()", "route53"),
    ("\"pricing\"", "pricing"),
    ("\"servicequotas\"", "servicequotas"),
    ("\"s3\"", "s3"),
    ("s3(", "s3"),
    ("\"sts\"", "sts"),
];

/// Operations whose permission has another name, or that need none. Sources: the "Actions, resources, and condition keys"
/// of S3 in AWS's service authorization reference, and the API reference of STS.
const OTHERWISE: &[(&str, &str, Option<&str>)] = &[
    ("s3", "ListBuckets", Some("s3:ListAllMyBuckets")),
    ("s3", "HeadBucket", Some("s3:ListBucket")),
    ("s3", "HeadObject", Some("s3:GetObject")),
    ("s3", "ListObjectsV2", Some("s3:ListBucket")),
    ("s3", "DeleteBucketLifecycle", Some("s3:PutLifecycleConfiguration")),
    ("s3", "DeleteBucketTagging", Some("s3:PutBucketTagging")),
    ("s3", "GetBucketEncryption", Some("s3:GetEncryptionConfiguration")),
    ("s3", "GetBucketLifecycleConfiguration", Some("s3:GetLifecycleConfiguration")),
    ("s3", "GetPublicAccessBlock", Some("s3:GetBucketPublicAccessBlock")),
    ("s3", "PutBucketEncryption", Some("s3:PutEncryptionConfiguration")),
    ("s3", "PutBucketLifecycleConfiguration", Some("s3:PutLifecycleConfiguration")),
    ("s3", "PutPublicAccessBlock", Some("s3:PutBucketPublicAccessBlock")),
    // "No permissions are required to perform this operation."
    ("sts", "GetCallerIdentity", None),
    // Needed by whoever becomes the role, and not by the role that the policy is for.
    ("sts", "AssumeRole", None),
];

/// Permissions that an operation needs besides its own, for what it does along with it. Sources: "Permissions required for
/// Secrets Manager integration" in the RDS user guide, and `CreateBucketConfiguration` in the API reference of S3.
const ALONG: &[(&str, &str, &[&str])] = &[
    (
        "rds",
        "CreateDBInstance",
        &["kms:DescribeKey", "secretsmanager:CreateSecret", "secretsmanager:TagResource"],
    ),
    ("s3", "CreateBucket", &["s3:TagResource"]),
];

/// The permission that an operation needs.
fn permission(service: &str, operation: &str) -> Option<String> {
    match OTHERWISE.iter().find(|(of, name, _)| (*of, *name) == (service, operation)) {
        Some((_, _, other)) => other.map(str::to_owned),
        None => Some(format!("{service}:{operation}")),
    }
}

/// The operations of every service.
fn known() -> BTreeMap<&'static str, BTreeSet<String>> {
    let names = |model: &str, version: &str| {
        let model = models::read(model, version);
        model["operations"].as_object().unwrap().keys().cloned().collect()
    };
    MODELS.iter().map(|(service, model, version)| (*service, names(model, version))).collect()
}

/// The product's source, file by file, without its tests.
fn sources() -> Vec<(String, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !["models.rs", "operations.rs", "tests.rs"].contains(&name.as_str()) {
                let text = fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
                found.push((path.display().to_string(), product));
            }
        }
    }
    found
}

/// `list_buckets` as `ListBuckets`.
fn camel(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').filter(|word| !word.is_empty()).map(capital).collect()
}

/// Every operation of AWS's that a text names, with its service.
fn operations(
    text: &str,
    known: &BTreeMap<&'static str, BTreeSet<String>>,
) -> BTreeSet<(&'static str, String)> {
    let mut found = BTreeSet::new();
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut at = 0;
    while at < text.len() {
        let length = text.as_bytes()[at..].iter().take_while(|byte| word(byte)).count();
        if length == 0 {
            at += 1;
            continue;
        }
        let (before, name) = (&text[..at], &text[at..at + length]);
        at += length;
        let after = &text[at..];
        let literal = before.ends_with('"') && after.starts_with('"');
        let method = before.ends_with('.') && after.starts_with("()");
        let services =
            |name: &str| known.iter().filter(|(_, names)| names.contains(name)).map(|(of, _)| *of).collect();
        let (name, of): (String, Vec<&'static str>) = match (literal, method) {
            (true, _) => (name.to_owned(), services(name)),
            (_, true) => (camel(name), services(&camel(name))),
            _ => continue,
        };
        match of.as_slice() {
            [] => {}
            [only] => drop(found.insert((*only, name))),
            several => {
                let marks = MARKS.iter().filter(|(_, service)| several.contains(service));
                let before = use_of_shape(before, after).unwrap_or(before);
                let nearest = marks.filter_map(|(mark, service)| Some((before.rfind(mark)?, *service))).max();
                let (_, service) =
                    nearest.unwrap_or_else(|| panic!("{name} is of one of {several:?}, and none is named"));
                found.insert((service, name));
            }
        }
    }
    found
}

/// A shape that is declared at the head of a file is called further down, as `TAGS.action`: what stands before that.
fn use_of_shape<'a>(before: &str, after: &'a str) -> Option<&'a str> {
    let declared = before.trim_end_matches('"').trim_end().strip_suffix("Shape = Shape {\n    action:")?;
    let name = declared.rsplit("static ").next()?.split(':').next()?;
    Some(&after[..after.find(&format!("{name}.action"))?])
}

#[test]
fn the_permissions_are_those_of_the_operations_that_can_be_called() {
    let known = known();
    let called: BTreeSet<_> = sources().iter().flat_map(|(_, text)| operations(text, &known)).collect();
    let along = ALONG.iter().filter(|(of, name, _)| called.contains(&(*of, (*name).to_owned())));
    let needed: BTreeSet<String> = called
        .iter()
        .filter_map(|(service, operation)| permission(service, operation))
        .chain(along.flat_map(|(_, _, more)| more.iter().map(|name| (*name).to_owned())))
        .collect();
    drop(rustls::crypto::ring::default_provider().install_default());
    let groups = AwsConnector::new(Clock::system()).unwrap().permission_groups();
    let table: BTreeSet<String> = groups
        .iter()
        .flat_map(|group| group.permissions)
        .chain(OBJECT_PERMISSIONS)
        .map(|need| need.permission.to_owned())
        .collect();
    let lacking: Vec<_> = needed.difference(&table).collect();
    assert!(lacking.is_empty(), "called without a permission in permissions.rs: {lacking:?}");
    let unused: Vec<_> = table.difference(&needed).collect();
    assert!(unused.is_empty(), "asked for and never called: {unused:?}");
}

#[test]
fn what_is_permitted_otherwise_is_called() {
    let known = known();
    let called: BTreeSet<_> = sources().iter().flat_map(|(_, text)| operations(text, &known)).collect();
    for (service, operation, _) in OTHERWISE {
        assert!(called.contains(&(*service, (*operation).to_owned())), "{service}:{operation}");
    }
}

#[test]
fn a_call_is_found_however_it_is_written() {
    let known = known();
    let found = |text: &str| {
        operations(text, &known).into_iter().map(|(of, name)| format!("{of}:{name}")).collect::<Vec<_>>()
    };
    assert_eq!(found(r#"self.client.call(&EC2, home, "DescribeTags", &p)"#), ["ec2:DescribeTags"]);
    assert_eq!(found(r#"api: &ELB, action: "DescribeTags","#), ["elasticloadbalancing:DescribeTags"]);
    assert_eq!(found(r#"caller.call("s3", "X", || client.delete_object().send())"#), ["s3:DeleteObject"]);
    assert_eq!(found("let x = describe_tags();"), [""; 0]);
}
