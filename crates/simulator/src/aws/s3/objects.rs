//! Objects. Their bytes are kept with them; versions are not kept, whatever the bucket says.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{OBJECTS, bucket, nothing};
use crate::{
    aws::{
        ask::{Ask, copied, int, stamp},
        protocol::{Output, Refusal},
        service::Answered,
    },
    estate::{Body, Estate, Meter, Thing},
};

/// What is kept of a request as it was given, and shown again.
const KEPT: &[&str] =
    &["CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Metadata"];

/// What follows from the bytes of an object.
#[derive(Debug, Clone)]
pub struct Upload {
    tag: String,
    text: String,
}

impl Upload {
    pub fn of(bytes: &Bytes) -> Self {
        // AWS's is an MD5 of the body, or not: it promises only that it differs for other bytes.
        let tag = format!("\"{}\"", &hex::encode(Sha256::digest(bytes))[..32]);
        Self { tag, text: BASE64_STANDARD.encode(bytes) }
    }
}

pub(super) fn put(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let bucket = bucket(ask, estate)?.id.clone();
    plain(ask)?;
    let key = ask.need("Key");
    let before = estate.get(ask.owner(), OBJECTS, &bucket, key, ask.now).is_some();
    if before && ask.text("IfNoneMatch") == Some("*") {
        return Err(unmet("If-None-Match"));
    }
    if ask.get("IfMatch").is_some() {
        find(ask, estate)?;
    }
    let Upload { tag, text } = ask.upload.cloned().unwrap_or_else(|| Upload::of(ask.body));
    let mut object = Thing::new(key, &bucket, ask.now, "available");
    object.name = key.into();
    let mut body = copied(ask.input, KEPT);
    body.entry("ContentType").or_insert_with(|| "binary/octet-stream".into());
    body.insert("Bytes".to_owned(), text.into());
    body.insert("Size".to_owned(), int(ask.body.len()));
    body.insert("ETag".to_owned(), tag.as_str().into());
    object.body = (&body).into();
    #[expect(clippy::cast_precision_loss, reason = "bytes as a share of a GiB")]
    object.meter(ask.now, [Meter::new("bucket/standard", ask.body.len() as f64 / f64::from(1 << 30))]);
    if before {
        end(ask, estate, &bucket, key);
    }
    ask.add(estate, OBJECTS, object);
    Ok(json!({ "ETag": tag, "ServerSideEncryption": "AES256" }).into())
}

/// Refuses an object that is to be kept in a way that is not simulated.
fn plain(ask: &Ask<'_>) -> Result<(), Refusal> {
    let other = |name: &str, known: &str| ask.text(name).is_some_and(|value| value != known);
    if ask.get("Tagging").is_some()
        || other("StorageClass", "STANDARD")
        || other("ServerSideEncryption", "AES256")
    {
        let message = "Tags, storage classes and keys of objects are not supported by the simulator.";
        return Err(Refusal::new("NotImplemented", message).status(501));
    }
    Ok(())
}

/// The object of a request, if it has the tag that the request names.
fn find<'e>(ask: &Ask<'_>, estate: &'e Estate) -> Result<&'e Thing, Refusal> {
    let bucket = bucket(ask, estate)?.id.clone();
    let key = ask.need("Key");
    let found = estate.get(ask.owner(), OBJECTS, &bucket, key, ask.now).ok_or_else(|| {
        Refusal::new("NoSuchKey", "The specified key does not exist.").status(404).with("Key", key)
    })?;
    let tag = found.body.get("ETag");
    let bare = |tag: &str| tag.trim_matches('"').to_owned();
    let other = |wanted: &str| wanted != "*" && bare(wanted) != bare(tag.as_str().unwrap_or_default());
    if ask.text("IfMatch").is_some_and(other) { Err(unmet("If-Match")) } else { Ok(found) }
}

fn unmet(condition: &str) -> Refusal {
    let message = "At least one of the pre-conditions you specified did not hold";
    Refusal::new("PreconditionFailed", message).status(412).with("Condition", condition)
}

/// What headers say of an object.
fn shown(object: &Thing) -> (Map<String, Value>, Bytes) {
    let body = Value::Object(object.body.read());
    let bytes = body["Bytes"].as_str().and_then(|text| BASE64_STANDARD.decode(text).ok()).unwrap_or_default();
    let mut shown = copied(&body, KEPT);
    shown.insert("ETag".to_owned(), body["ETag"].clone());
    shown.insert("LastModified".to_owned(), stamp(object.born));
    shown.insert("AcceptRanges".to_owned(), "bytes".into());
    shown.insert("ServerSideEncryption".to_owned(), "AES256".into());
    shown.insert("ContentLength".to_owned(), int(bytes.len()));
    (shown, bytes.into())
}

pub(super) fn head(ask: &Ask<'_>, estate: &Estate) -> Answered {
    Ok(Value::Object(shown(find(ask, estate)?).0).into())
}

pub(super) fn get(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let (mut shown, bytes) = shown(find(ask, estate)?);
    let Some(range) = ask.text("Range") else {
        return Ok(Output { value: Value::Object(shown), body: Some(bytes), status: None });
    };
    let (from, until) = span(range, bytes.len())
        .ok_or_else(|| Refusal::new("InvalidRange", "The requested range is not satisfiable").status(416))?;
    let part = bytes.slice(from..until);
    shown.insert("ContentLength".to_owned(), int(part.len()));
    shown.insert("ContentRange".to_owned(), format!("bytes {from}-{}/{}", until - 1, bytes.len()).into());
    Ok(Output { value: Value::Object(shown), body: Some(part), status: Some(206) })
}

/// The bytes that a range asks for: from the first to before the last.
fn span(range: &str, length: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (from, until) = match (first, last) {
        ("", last) => (length.saturating_sub(last.parse().ok()?), length),
        (first, "") => (first.parse().ok()?, length),
        (first, last) => (first.parse().ok()?, last.parse::<usize>().ok()?.saturating_add(1).min(length)),
    };
    (from < until).then_some((from, until))
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let bucket = bucket(ask, estate)?.id.clone();
    if ask.get("IfMatch").is_some() {
        find(ask, estate)?;
    }
    // What is not there is deleted as well.
    end(ask, estate, &bucket, ask.need("Key"));
    Ok(nothing().into())
}

/// Ends an object. In the past it is charged for, and nobody reads its bytes.
fn end(ask: &Ask<'_>, estate: &mut Estate, bucket: &str, key: &str) {
    if let Some(object) = estate.get_mut(ask.owner(), OBJECTS, bucket, key, ask.now) {
        object.body = Body::default();
    }
    estate.end(ask.cause(), OBJECTS, bucket, key, ask.now);
}

pub(super) fn list(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let bucket = bucket(ask, estate)?.id.clone();
    let (prefix, delimiter) = (ask.text("Prefix").unwrap_or_default(), ask.text("Delimiter"));
    let limit = usize::try_from(ask.number("MaxKeys").unwrap_or(1000).clamp(0, 1000)).unwrap_or(1000);
    let after = after(ask)?;
    let (mut contents, mut prefixes, mut last): (Vec<Value>, Vec<String>, Option<String>) =
        Default::default();
    let mut truncated = false;
    for object in estate.all(ask.owner(), OBJECTS, Some(&bucket), ask.now) {
        let Some(rest) = object.id.strip_prefix(prefix) else { continue };
        let folder = delimiter.and_then(|delimiter| Some((rest.find(delimiter)?, delimiter)));
        let folder = folder.map(|(at, delimiter)| format!("{prefix}{}", &rest[..at + delimiter.len()]));
        let place = folder.as_deref().unwrap_or(&object.id);
        if after.as_deref().is_some_and(|after| place <= after)
            || prefixes.last().is_some_and(|known| known == place)
        {
            continue;
        }
        if contents.len() + prefixes.len() == limit {
            truncated = limit > 0;
            break;
        }
        last = Some(place.to_owned());
        match folder {
            Some(folder) => prefixes.push(folder),
            None => contents.push(entry(object)),
        }
    }
    let mut output = json!({
        "Name": bucket, "Prefix": prefix, "MaxKeys": limit, "KeyCount": contents.len() + prefixes.len(),
        "IsTruncated": truncated, "Contents": contents,
        "CommonPrefixes": prefixes.iter().map(|prefix| json!({ "Prefix": prefix })).collect::<Vec<_>>(),
        "Delimiter": delimiter, "StartAfter": ask.text("StartAfter"),
        "ContinuationToken": ask.text("ContinuationToken"), "EncodingType": ask.text("EncodingType"),
    });
    if let Some(last) = last.filter(|_| truncated) {
        output["NextContinuationToken"] = URL_SAFE_NO_PAD.encode(last).into();
    }
    if ask.text("EncodingType") == Some("url") {
        encode(&mut output);
    }
    Ok(output.into())
}

/// Where a page begins: behind this key.
fn after(ask: &Ask<'_>) -> Result<Option<String>, Refusal> {
    let Some(token) = ask.text("ContinuationToken") else {
        return Ok(ask.text("StartAfter").map(str::to_owned));
    };
    let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    key.map(Some).ok_or_else(|| {
        Refusal::new("InvalidArgument", "The continuation token provided is incorrect").status(400)
    })
}

fn entry(object: &Thing) -> Value {
    let body = object.body.read();
    json!({
        "Key": object.id, "LastModified": stamp(object.born), "ETag": body["ETag"], "Size": body["Size"],
        "StorageClass": "STANDARD",
    })
}

/// Keys as a URL has them, for clients that ask so because XML cannot say every letter.
fn encode(output: &mut Value) {
    const SAFE: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*').remove(b'/');
    let encode = |value: &mut Value| {
        if let Value::String(text) = value {
            *text = percent_encoding::utf8_percent_encode(text, SAFE).to_string();
        }
    };
    for name in ["Prefix", "Delimiter", "StartAfter"] {
        encode(&mut output[name]);
    }
    for object in output["Contents"].as_array_mut().into_iter().flatten() {
        encode(&mut object["Key"]);
    }
    for prefix in output["CommonPrefixes"].as_array_mut().into_iter().flatten() {
        encode(&mut prefix["Prefix"]);
    }
}
