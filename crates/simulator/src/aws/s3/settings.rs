//! Settings of buckets: tags, encryption, versioning, lifecycle, public access.

use serde_json::{Value, json};

use super::{bucket, edit, nothing};
use crate::{
    aws::{
        ask::{Ask, tag_list, tags_of},
        protocol::Refusal,
        service::Answered,
    },
    estate::Estate,
};

pub(super) fn tagging(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let bucket = bucket(ask, estate)?;
    if bucket.tags.is_empty() {
        let refusal = Refusal::new("NoSuchTagSet", "The TagSet does not exist");
        return Err(refusal.status(404).with("BucketName", &*bucket.id));
    }
    Ok(json!({ "TagSet": tag_list(&bucket.tags) }).into())
}

pub(super) fn put_tagging(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let given = ask.get("Tagging").and_then(|tagging| tagging["TagSet"].as_array());
    let given = given.map_or(&[][..], Vec::as_slice);
    let tags = tags_of(given);
    if tags.len() < given.len() {
        let message = "Cannot provide multiple Tags with the same key";
        return Err(Refusal::new("InvalidTag", message).status(400));
    }
    if tags.len() > 50 {
        return Err(Refusal::new("BadRequest", "Bucket tag count cannot be greater than 50").status(400));
    }
    edit(ask, estate, |bucket| bucket.tags = tags)?;
    Ok(nothing().into())
}

pub(super) fn delete_tagging(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    edit(ask, estate, |bucket| bucket.tags.clear())?;
    Ok(nothing().into())
}

/// Shows a part of a bucket's settings as the output's member.
fn setting(
    ask: &Ask<'_>,
    estate: &Estate,
    (name, member): (&str, &str),
    missing: Option<(&'static str, &'static str)>,
) -> Answered {
    let bucket = bucket(ask, estate)?;
    match (bucket.body.get(name), missing) {
        (Value::Null, Some((code, message))) => {
            Err(Refusal::new(code, message).status(404).with("BucketName", &*bucket.id))
        }
        (value, _) if member.is_empty() => Ok(value.into()),
        (value, _) => Ok(json!({ member: value }).into()),
    }
}

/// Keeps a member of the request as a part of a bucket's settings.
fn keep(ask: &Ask<'_>, estate: &mut Estate, (name, member): (&str, &str)) -> Answered {
    let value = ask.get(member).cloned().unwrap_or_default();
    edit(ask, estate, |bucket| {
        bucket.body.edit(|body| {
            body.insert(name.to_owned(), value);
        });
    })?;
    Ok(nothing().into())
}

pub(super) fn encryption(ask: &Ask<'_>, estate: &Estate) -> Answered {
    setting(ask, estate, ("Encryption", "ServerSideEncryptionConfiguration"), None)
}

pub(super) fn put_encryption(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    keep(ask, estate, ("Encryption", "ServerSideEncryptionConfiguration"))
}

pub(super) fn versioning(ask: &Ask<'_>, estate: &Estate) -> Answered {
    setting(ask, estate, ("Versioning", ""), None)
}

pub(super) fn put_versioning(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    if ask.get("VersioningConfiguration").is_none_or(|given| given.get("Status").is_none()) {
        let message = "The Versioning element must be specified";
        return Err(Refusal::new("IllegalVersioningConfigurationException", message).status(400));
    }
    keep(ask, estate, ("Versioning", "VersioningConfiguration"))
}

pub(super) fn lifecycle(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let missing = ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist");
    setting(ask, estate, ("Lifecycle", ""), Some(missing))
}

pub(super) fn put_lifecycle(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    keep(ask, estate, ("Lifecycle", "LifecycleConfiguration"))
}

pub(super) fn delete_lifecycle(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    edit(ask, estate, |bucket| {
        bucket.body.edit(|body| {
            body.shift_remove("Lifecycle");
        });
    })?;
    Ok(nothing().into())
}

pub(super) fn public_access(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let missing =
        ("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found");
    setting(ask, estate, ("PublicAccess", "PublicAccessBlockConfiguration"), Some(missing))
}

pub(super) fn put_public_access(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    keep(ask, estate, ("PublicAccess", "PublicAccessBlockConfiguration"))
}
