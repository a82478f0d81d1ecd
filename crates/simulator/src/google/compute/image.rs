//! Images: a project's own, and those that everyone may use.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{
    change,
    collection::Collection,
    link::{BASE, Link},
    operation, read,
};
use crate::{
    estate::{Estate, Meter, Thing},
    google::{
        call::{Answer, Call, Outcome, number, pacific},
        refusal::Refusal,
    },
};

/// Images that everyone may use: project, family, version, architecture, GiB.
const PUBLIC: &[(&str, &str, &str, &str, u64)] = &[
    ("debian-cloud", "debian-12", "v20250311", "X86_64", 10),
    ("debian-cloud", "debian-12-arm64", "v20250311", "ARM64", 10),
    ("debian-cloud", "debian-13", "v20251014", "X86_64", 10),
    ("ubuntu-os-cloud", "ubuntu-2404-lts-amd64", "v20250313", "X86_64", 10),
    ("cos-cloud", "cos-stable", "v20250401", "X86_64", 10),
];

/// Whether a project is one whose images everyone may use.
pub fn is_public(project: &str) -> bool {
    PUBLIC.iter().any(|(owner, ..)| *owner == project)
}

fn public(call: &Call<'_>, project: &str) -> impl Iterator<Item = Map<String, Value>> {
    let images: Vec<_> = PUBLIC
        .iter()
        .filter(|(owner, ..)| *owner == project)
        .map(|(owner, family, version, architecture, gib)| {
            let name = format!("{family}-{version}");
            let id = call.seed().number(&["image", owner, &name]) >> 1;
            let image = json!({
                "kind": "compute#image", "id": id.to_string(), "name": name, "family": family,
                "creationTimestamp": pacific(call.world.began()),
                "selfLink": Link::new(owner, "global", "images", &name).to_string(),
                "status": "READY", "sourceType": "RAW", "architecture": architecture,
                "diskSizeGb": gib.to_string(), "archiveSizeBytes": (gib << 28).to_string(),
                "licenses": [format!("{BASE}projects/{owner}/global/licenses/{family}")],
                "guestOsFeatures": [{ "type": "UEFI_COMPATIBLE" }, { "type": "GVNIC" }],
            });
            image.as_object().cloned().unwrap_or_default()
        })
        .collect();
    images.into_iter()
}

/// The image that a link means: one by name, or the newest of a family.
pub fn resolve(
    call: &Call<'_>,
    estate: &Estate,
    field: &str,
    text: &str,
) -> Result<Map<String, Value>, Refusal> {
    let link = Link::read(text, call.project(), "global", "images")
        .ok_or_else(|| Refusal::invalid(field, text, "The URL is malformed."))?;
    find(call, estate, &link).ok_or_else(|| Refusal::dangling(field, text))
}

fn find(call: &Call<'_>, estate: &Estate, link: &Link) -> Option<Map<String, Value>> {
    let (member, wanted) = match link.name.strip_prefix("family/") {
        Some(family) => ("family", family),
        None => ("name", link.name.as_str()),
    };
    let fits = |image: &Map<String, Value>| image.get(member).is_some_and(|value| value == wanted);
    if link.project != call.project() {
        return public(call, &link.project).find(fits);
    }
    let collection = Collection::named("images")?;
    let own = estate.all(call.project(), "compute.images", None, call.now);
    let mut own: Vec<&Thing> = own.filter(|thing| fits(&thing.body.read())).collect();
    own.sort_by_key(|thing| std::cmp::Reverse(thing.born));
    own.first().and_then(|thing| collection.value(thing, call.now).as_object().cloned())
}

/// `get`, also of an image of another project that everyone may use.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    let link = Link::new(call.part("project"), "global", "images", call.part("image"));
    let found = find(call, estate, &link).ok_or_else(|| Refusal::not_found(&link.path()))?;
    Ok(Answer::Json(Value::Object(found)))
}

/// `getFromFamily`.
pub fn from_family(call: &Call<'_>, estate: &Estate) -> Outcome {
    let name = format!("family/{}", call.part("family"));
    let link = Link::new(call.part("project"), "global", "images", &name);
    let found = find(call, estate, &link).ok_or_else(|| Refusal::not_found(&link.path()))?;
    Ok(Answer::Json(Value::Object(found)))
}

/// `list`: what everyone may use is one page.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome {
    let project = call.part("project");
    if project == call.project() {
        return read::list(call, estate);
    }
    let filter = read::filter(call)?;
    let images = public(call, project).map(Value::Object);
    let wanted = images.filter(|image| filter.as_ref().is_none_or(|filter| filter.passes(image)));
    let items: Vec<String> = wanted.map(|image| image.to_string()).collect();
    Ok(read::listing("image", &format!("projects/{project}/global/images"), &items, None))
}

/// `insert`: from a disk, a snapshot or another image.
pub fn insert(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let link = change::new_name(call, estate, collection)?;
    let (mut thing, mut body) = change::new_thing(call, estate, collection, &link, "PENDING")?;
    let takes = TimeDelta::seconds(60);
    thing.life.plan(takes, "READY");
    change::copy(call, &mut body, &["family", "licenses", "guestOsFeatures", "architecture"]);
    let gib = source(call, estate, &mut body)?;
    body.insert("sourceType".into(), "RAW".into());
    body.entry("architecture").or_insert_with(|| "X86_64".into());
    body.insert("diskSizeGb".into(), change::gib(gib));
    body.insert("archiveSizeBytes".into(), (gib << 29).to_string().into());
    body.insert("storageLocations".into(), json!(["eu"]));
    thing.meter(call.now, [Meter::new("image/standard", super::disk::as_f64(gib.div_ceil(2)))]);
    change::add(call, estate, collection, thing, &body, takes)
}

/// What the image is made from, and how large that is.
fn source(call: &Call<'_>, estate: &Estate, body: &mut Map<String, Value>) -> Result<u64, Refusal> {
    let disk = call.said("sourceDisk");
    if !disk.is_empty() {
        let link = Link::read(disk, call.project(), "", "disks").filter(|link| !link.place.is_empty());
        let link =
            link.ok_or_else(|| Refusal::invalid("resource.sourceDisk", disk, "The URL is malformed."))?;
        let found = estate.get(call.project(), "compute.disks", &link.place, &link.name, call.now);
        let found = found.ok_or_else(|| Refusal::dangling("resource.sourceDisk", disk))?;
        let running = found.body.get("users").get(0).is_some() && !call.asked_whether("forceCreate");
        if running && is_running(call, estate, found) {
            return Err(Refusal::in_use(
                &link.path(),
                found.body.get("users")[0].as_str().unwrap_or_default(),
            ));
        }
        body.insert("sourceDisk".into(), link.to_string().into());
        body.insert("sourceDiskId".into(), found.body.get("id"));
        return Ok(found.size.parse().unwrap_or(10));
    }
    let (image, snapshot) = (call.said("sourceImage"), call.said("sourceSnapshot"));
    let source = super::disk::source(call, estate, "resource", image, snapshot)?;
    let asked = call.body.get("diskSizeGb").and_then(number);
    match (source, call.body.get("rawDisk")) {
        (Some(source), _) => {
            body.extend(source.members);
            super::disk::size(asked, Some(source.gib), 10)
        }
        (None, Some(_)) => Ok(asked.unwrap_or(10)),
        (None, None) => {
            Err(Refusal::invalid("resource.sourceDisk", "", "A source of the image must be specified."))
        }
    }
}

/// Whether an instance that is not stopped uses a disk.
fn is_running(call: &Call<'_>, estate: &Estate, disk: &Thing) -> bool {
    let users = disk.body.get("users");
    let users = users.as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut instances = users.filter_map(|user| Link::read(user, call.project(), &disk.place, "instances"));
    instances.any(|link| {
        let found = estate.get(call.project(), "compute.instances", &link.place, &link.name, call.now);
        found.is_some_and(|instance| instance.state(call.now) != "TERMINATED")
    })
}
