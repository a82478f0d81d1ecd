//! Buckets.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{BUCKETS, GLOBAL, OBJECTS, bucket, bucket_anywhere, nothing};
use crate::{
    aws::{
        ask::{Ask, stamp, tags_of},
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Thing},
    face::FaceName,
};

fn is_name(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
        && name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
        && name.ends_with(|letter: char| letter.is_ascii_alphanumeric())
        && !name.contains("..")
}

pub(crate) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let name = ask.need("Bucket");
    if !is_name(name) {
        let refusal = Refusal::new("InvalidBucketName", "The specified bucket is not valid.");
        return Err(refusal.status(400).with("BucketName", name));
    }
    let configuration = ask.get("CreateBucketConfiguration");
    let wanted = configuration.and_then(|given| given.get("LocationConstraint")).and_then(Value::as_str);
    let region = wanted.unwrap_or("us-east-1");
    if region != ask.place() {
        let message = format!(
            "The {} location constraint is incompatible for the region specific endpoint this request was sent to.",
            wanted.unwrap_or("unspecified")
        );
        return Err(Refusal::new("IllegalLocationConstraintException", message).status(400));
    }
    let tags = configuration.and_then(|given| given["Tags"].as_array()).map_or(&[][..], Vec::as_slice);
    let tags = tags_of(tags);
    for account in ask.world.plan.accounts_of(FaceName::Aws) {
        // Also by one that is not seen yet: names are known at once.
        if estate.is_taken(&account.id, BUCKETS, GLOBAL, name, ask.now) {
            let (code, message) = if account.id == ask.account.id {
                (
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                )
            } else {
                (
                    "BucketAlreadyExists",
                    "The requested bucket name is not available. Please select a different name and try again.",
                )
            };
            return Err(Refusal::new(code, message).status(409).with("BucketName", name));
        }
    }
    let mut bucket = Thing::new(name, GLOBAL, ask.now, "available");
    bucket.name = name.into();
    bucket.tags = tags;
    bucket.body = json!({
        "Region": region,
        "Encryption": { "Rules": [{
            "ApplyServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" }, "BucketKeyEnabled": false,
        }] },
        "PublicAccess": {
            "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true,
            "RestrictPublicBuckets": true,
        },
    })
    .into();
    ask.add(estate, BUCKETS, bucket);
    Ok(json!({ "Location": format!("/{name}") }).into())
}

pub(super) fn head(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let bucket = bucket(ask, estate)?;
    Ok(json!({ "BucketRegion": bucket.body.get("Region"), "AccessPointAlias": false }).into())
}

pub(super) fn location(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let region = bucket_anywhere(ask, estate)?.body.get("Region");
    // The first region is called nothing, as it was before there were others.
    let location = if region == "us-east-1" { Value::Null } else { region };
    Ok(json!({ "LocationConstraint": location }).into())
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let name = bucket(ask, estate)?.id.clone();
    if estate.all(ask.owner(), OBJECTS, Some(&name), ask.now).next().is_some() {
        let refusal = Refusal::new("BucketNotEmpty", "The bucket you tried to delete is not empty");
        return Err(refusal.status(409).with("BucketName", &*name));
    }
    estate.end(ask.cause(), BUCKETS, GLOBAL, &name, ask.now + TimeDelta::zero());
    Ok(nothing().into())
}

pub(super) fn list(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let (prefix, region) = (ask.text("Prefix").unwrap_or_default(), ask.text("BucketRegion"));
    let wanted = |bucket: &Thing| {
        bucket.id.starts_with(prefix) && region.is_none_or(|region| bucket.body.get("Region") == region)
    };
    let paging = (ask.limit("MaxBuckets", 10_000), ask.text("ContinuationToken"));
    let page = ask.page_in(estate, BUCKETS, GLOBAL, paging, "InvalidArgument", wanted)?;
    let buckets: Vec<Value> = page
        .things
        .iter()
        .map(|bucket| {
            json!({
                "Name": bucket.id, "CreationDate": stamp(bucket.born), "BucketRegion": bucket.body.get("Region"),
                "BucketArn": format!("arn:aws:s3:::{}", bucket.id),
            })
        })
        .collect();
    let mut output = Map::new();
    output.insert("Buckets".to_owned(), Value::Array(buckets));
    let owner = ask.world.seed().hex(&["s3-owner", ask.owner()], 64);
    output.insert("Owner".to_owned(), json!({ "ID": owner }));
    if !prefix.is_empty() {
        output.insert("Prefix".to_owned(), prefix.into());
    }
    if let Some(next) = page.next {
        output.insert("ContinuationToken".to_owned(), next.into());
    }
    Ok(Value::Object(output).into())
}
