//! Objects of a bucket.

use std::collections::{BTreeSet, HashSet};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{conditions, find};
use crate::{
    estate::{Body, Cause, Estate, Thing},
    google::{
        call::{Answer, Call, File, Outcome, fingerprint, number, zulu},
        list as lists,
        refusal::Refusal,
    },
};

/// What is said of objects.
pub const SHELF: &str = "storage.objects";
/// Their bytes.
const CONTENTS: &str = "storage.contents";

fn missing(call: &Call<'_>) -> Refusal {
    Refusal::new(404, "notFound", format!("No such object: {}/{}", call.part("bucket"), call.part("object")))
}

/// `objects.get`: what is said of it, or with `alt=media` the object itself.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    let bucket = call.part("bucket");
    find(call, estate, bucket)?;
    let thing = estate
        .get(call.project(), SHELF, bucket, call.part("object"), call.now)
        .ok_or_else(|| missing(call))?;
    conditions(call, &thing.body.get("generation"), "Generation")?;
    // Former generations are not kept.
    if call
        .query
        .get("generation")
        .is_some_and(|wanted| number(wanted) != number(&thing.body.get("generation")))
    {
        return Err(missing(call));
    }
    if call.asked("alt") != "media" {
        return Ok(Answer::Json(Value::Object(thing.body.read())));
    }
    let content = estate.get(call.project(), CONTENTS, bucket, &thing.id, call.now);
    let text = content.map(|content| content.body.get("data")).unwrap_or_default();
    let bytes = STANDARD.decode(text.as_str().unwrap_or_default());
    let bytes = bytes.map_err(|error| Refusal::new(500, "backendError", error.to_string()))?;
    let content_type =
        thing.body.get("contentType").as_str().unwrap_or("application/octet-stream").to_owned();
    Ok(Answer::File(File { content_type, bytes: Bytes::from(bytes), ..File::default() }))
}

/// A file that is uploaded, with what takes its time to compute: before anyone is kept waiting.
pub fn file(content_type: String, bytes: Bytes) -> File {
    let kept = json!({ "data": STANDARD.encode(&bytes) }).into();
    File { content_type, crc32c: crc32c(&bytes), kept, bytes }
}

/// `objects.list`: names below a prefix, those with a delimiter after it as one.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome {
    let (bucket, prefix, delimiter) = (call.part("bucket"), call.asked("prefix"), call.asked("delimiter"));
    find(call, estate, bucket)?;
    let inner = |name: &str| -> Option<String> {
        let rest = name.strip_prefix(prefix)?;
        let end = rest.find(delimiter).filter(|_| !delimiter.is_empty())?;
        Some(format!("{prefix}{}", &rest[..end + delimiter.len()]))
    };
    let (from, until) = (call.asked("startOffset"), call.asked("endOffset"));
    let within = |thing: &Thing| {
        thing.id.starts_with(prefix) && *thing.id >= *from && (until.is_empty() || *thing.id < *until)
    };
    // What is told as one is counted as one, and told on one page: by the first of its names.
    let mut folders = BTreeSet::new();
    let mut told = HashSet::new();
    for thing in estate.all(call.project(), SHELF, Some(bucket), call.now).filter(|thing| within(thing)) {
        if inner(&thing.id).is_none_or(|folder| folders.insert(folder)) {
            told.insert(thing.id.clone());
        }
    }
    let wanted = |thing: &Thing| told.contains(&thing.id);
    let page = lists::page(call, estate, SHELF, Some(bucket), ("maxResults", 1000), wanted)?;
    let (mut items, mut prefixes) = (Vec::new(), BTreeSet::new());
    for thing in page.things {
        match inner(&thing.id) {
            Some(prefix) => {
                prefixes.insert(prefix);
            }
            None => items.push(Value::Object(thing.body.read())),
        }
    }
    let mut answer = lists::answer("storage#objects", items, page.next);
    if !prefixes.is_empty() {
        answer["prefixes"] = prefixes.into_iter().collect();
    }
    Ok(Answer::Json(answer))
}

/// `objects.insert` without a file: an empty object.
pub fn insert(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    write(call, estate, &File::default())
}

/// `objects.insert` with a file.
pub fn upload(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    write(call, estate, &call.file)
}

fn write(call: &Call<'_>, estate: &mut Estate, file: &File) -> Outcome {
    let bucket = call.part("bucket");
    let class = find(call, estate, bucket)?.body.get("storageClass");
    let name = Some(call.asked("name")).filter(|name| !name.is_empty()).unwrap_or(call.said("name"));
    if name.is_empty() || name.len() > 1024 {
        return Err(Refusal::new(400, "required", "Required"));
    }
    let present =
        estate.get(call.project(), SHELF, bucket, name, call.now).map(|thing| thing.body.get("generation"));
    // A generation of 0 stands for no object; the query's other parameters do without it.
    let absent = call.query.get("ifGenerationMatch").is_some_and(|value| value == "0" || *value == json!(0));
    if absent && present.is_some() {
        let message = "At least one of the pre-conditions you specified did not hold.";
        return Err(Refusal::new(412, "conditionNotMet", message));
    }
    if !absent {
        conditions(call, &present.unwrap_or_default(), "Generation")?;
    }
    // Each write has one of its own, also where the clock stands still.
    let generation =
        (call.now.timestamp_micros() + i64::try_from(estate.next_number()).unwrap_or_default()).to_string();
    let body = describe(call, (bucket, name, &generation), &class, file);
    let mut thing = Thing::new(name, bucket, call.now, "ACTIVE");
    thing.seen_from = call.now + call.effects.unseen;
    thing.body = (&body).into();
    let mut content = Thing::new(name, bucket, call.now, "ACTIVE");
    content.body = file.kept.clone();
    let cause = Cause { operation: call.operation, ..call.cause() };
    drop_bytes(call, estate, bucket, name);
    estate.add(cause, SHELF, thing);
    estate.add(cause, CONTENTS, content);
    Ok(Answer::Json(Value::Object(body)))
}

fn describe(
    call: &Call<'_>,
    (bucket, name, generation): (&str, &str, &str),
    class: &Value,
    file: &File,
) -> Map<String, Value> {
    let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
    let base = "https://www.googleapis.com";
    let said = Some(call.said("contentType")).filter(|text| !text.is_empty());
    let content_type = said
        .or(Some(&file.content_type))
        .filter(|text| !text.is_empty())
        .unwrap_or("application/octet-stream");
    let described = json!({
        "kind": "storage#object", "id": format!("{bucket}/{name}/{generation}"), "name": name, "bucket": bucket,
        "selfLink": format!("{base}/storage/v1/b/{bucket}/o/{encoded}"),
        "mediaLink": format!("{base}/download/storage/v1/b/{bucket}/o/{encoded}?generation={generation}&alt=media"),
        "generation": generation, "metageneration": "1", "contentType": content_type,
        "storageClass": class, "size": file.bytes.len().to_string(),
        "crc32c": STANDARD.encode(file.crc32c.to_be_bytes()), "etag": fingerprint(&["object", generation]),
        "timeCreated": zulu(call.now), "updated": zulu(call.now), "timeStorageClassUpdated": zulu(call.now),
    });
    let mut body: Map<String, Value> = described.as_object().cloned().unwrap_or_default();
    crate::google::compute::change::copy(
        call,
        &mut body,
        &[
            "metadata",
            "cacheControl",
            "contentEncoding",
            "contentLanguage",
            "contentDisposition",
            "customTime",
        ],
    );
    body
}

/// `objects.delete`.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let (bucket, name) = (call.part("bucket"), call.part("object"));
    find(call, estate, bucket)?;
    let thing = estate.get(call.project(), SHELF, bucket, name, call.now).ok_or_else(|| missing(call))?;
    conditions(call, &thing.body.get("generation"), "Generation")?;
    let cause = Cause { operation: call.operation, ..call.cause() };
    estate.end(cause, SHELF, bucket, name, call.now);
    drop_bytes(call, estate, bucket, name);
    estate.end(cause, CONTENTS, bucket, name, call.now);
    Ok(Answer::Nothing)
}

/// Of an object that goes to the past nobody reads the bytes.
fn drop_bytes(call: &Call<'_>, estate: &mut Estate, bucket: &str, name: &str) {
    if let Some(content) = estate.get_mut(call.project(), CONTENTS, bucket, name, call.now) {
        content.body = Body::default();
    }
}

/// The checksum of RFC 3720 (Castagnoli's polynomial, reflected), bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 },
        )
    });
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }
}
