//! Images: Hetzner's own, and what was made of the disks of servers, snapshots and backups. A backup is bound to its
//! server and goes with it.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    action,
    call::{Answer, Call, Outcome, number, seconds, time},
    catalog, kind, list,
    refusal::Refusal,
};
use crate::{
    estate::{Estate, Meter, Thing},
    plan::Size,
};

/// The shelf of snapshots and backups.
pub const SHELF: &str = "images";

/// Hetzner's own: id, name, flavor, version, architecture.
static SYSTEM: &[(u64, &str, &str, &str, &str)] = &[
    (45_557_056, "debian-12", "debian", "12", "arm"),
    (114_690_387, "debian-12", "debian", "12", "x86"),
    (161_547_269, "ubuntu-24.04", "ubuntu", "24.04", "x86"),
    (161_547_270, "ubuntu-24.04", "ubuntu", "24.04", "arm"),
    (103_907_373, "rocky-9", "rocky", "9", "x86"),
];

fn system(index: usize) -> Value {
    let (id, name, flavor, version, architecture) = SYSTEM[index];
    json!({ "id": id, "type": "system", "status": "available", "name": name, "description": name,
        "image_size": null, "disk_size": 5, "created": "2024-04-25T13:26:27Z", "created_from": null, "bound_to": null,
        "os_flavor": flavor, "os_version": version, "rapid_deploy": true, "protection": { "delete": false },
        "deprecated": null, "deleted": null, "labels": {}, "architecture": architecture })
}

fn shown(call: &Call<'_>, thing: &Thing) -> Value {
    let mut shown = thing.body.read();
    shown.insert("id".into(), number(&thing.id));
    shown.insert("name".into(), Value::Null);
    shown.insert("labels".into(), kind::labels_of(thing));
    shown.insert("created".into(), time(thing.born).into());
    shown.insert("status".into(), thing.state(call.now).into());
    if thing.state(call.now) == "creating" {
        shown.insert("image_size".into(), Value::Null);
    }
    Value::Object(shown)
}

/// An image by its id, whoever's.
pub fn by_id(call: &Call<'_>, estate: &Estate, id: &str) -> Option<Value> {
    let known = SYSTEM.iter().position(|(known, ..)| known.to_string() == id);
    known.map(system).or_else(|| call.find(estate, SHELF, id).map(|thing| shown(call, thing)))
}

/// The image that a request names, which must fit a type of servers.
pub fn need(call: &Call<'_>, estate: &Estate, size: &Size) -> Result<Value, Refusal> {
    let wanted = call.id_or_name("image").unwrap_or_default();
    let architecture = catalog::architecture(size);
    let named = SYSTEM.iter().position(|(_, name, .., of)| *name == wanted && *of == architecture);
    let found = named.map(system).or_else(|| by_id(call, estate, &wanted));
    let found = found.filter(|image| image["status"] == "available");
    let found = found.ok_or_else(|| Refusal::invalid("image", "is no image that is available"))?;
    if found["architecture"] != architecture {
        return Err(Refusal::invalid("image", "is of another architecture than the server type"));
    }
    if found["disk_size"].as_u64().is_some_and(|gb| gb > catalog::disk_of(size)) {
        return Err(Refusal::invalid("image", "does not fit on the disk of the server type"));
    }
    Ok(found)
}

/// `list`.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome {
    let all: Vec<&Thing> = estate.all(call.project(), SHELF, None, call.now).collect();
    // Names are those of Hetzner's own; labels those of others.
    let labels_wanted = call.query.iter().any(|(name, _)| name == "label_selector");
    let mut images: Vec<Value> =
        if labels_wanted { Vec::new() } else { (0..SYSTEM.len()).map(system).collect() };
    images.extend(list::filter(call, all)?.into_iter().map(|thing| shown(call, thing)));
    images.retain(|image| {
        let text = |name: &str| image[name].as_str().unwrap_or_default();
        ["name", "type", "status", "architecture"].iter().all(|name| call.allows(name, text(name)))
            && call.allows("bound_to", &image["bound_to"].as_u64().unwrap_or_default().to_string())
    });
    let order = call.asked("sort");
    let (field, direction) = order.split_once(':').unwrap_or((order, "asc"));
    images.sort_by_key(|image| {
        let text = if field.is_empty() { "" } else { image[field].as_str().unwrap_or_default() };
        (text.to_owned(), image["id"].as_u64())
    });
    if direction == "desc" {
        images.reverse();
    }
    list::sliced(call, images, SHELF, |image| image)
}

/// `get`.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    let found = by_id(call, estate, &call.id).ok_or_else(|| Refusal::not_found("image", &call.id))?;
    Ok(json!({ "image": found }).into())
}

/// `update`: description and labels; a backup can become a snapshot, which stays when its server goes.
pub fn update(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    own(call, estate)?;
    let labels = call.body.get("labels").map(kind::labels).transpose()?;
    if let Some(thing) = call.change(estate, SHELF, &call.id) {
        if let Some(labels) = labels {
            thing.tags = labels;
        }
        thing.body.edit(|body| {
            if let Some(text) = call.said("description").as_str() {
                body.insert("description".into(), text.into());
            }
            if call.text("type") == "snapshot" {
                body.insert("type".into(), "snapshot".into());
                body.insert("bound_to".into(), Value::Null);
            }
        });
    }
    get(call, estate)
}

/// Only one's own can be changed.
fn own(call: &Call<'_>, estate: &Estate) -> Result<(), Refusal> {
    if SYSTEM.iter().any(|(id, ..)| id.to_string() == call.id) {
        return Err(Refusal::new(403, "forbidden", "system images cannot be changed"));
    }
    kind::named(call, estate).map(|_| ())
}

/// `delete`.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    own(call, estate)?;
    kind::remove(call, estate)
}

/// `servers.create_image`.
pub fn create(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let server = kind::named(call, estate)?;
    action::unlocked(call, estate, "servers", &call.id)?;
    let wanted = Some(call.text("type")).filter(|text| !text.is_empty()).unwrap_or("snapshot");
    if wanted == "backup" && server.body.get("backup_window").is_null() {
        return Err(Refusal::new(422, "unsupported_error", "backups are not enabled for the server"));
    }
    let (from, kept) = (server.name.to_string(), server.body.read());
    let source =
        by_id(call, estate, &kept["image"].as_u64().unwrap_or_default().to_string()).unwrap_or_default();
    let disk = kept["primary_disk_size"].clone();
    #[expect(clippy::cast_precision_loss, reason = "some hundred GB")]
    let stored = (disk.as_u64().unwrap_or_default() as f64 * 0.3 * 100.0).round() / 100.0;
    let mut thing = call.thing(estate, SHELF, "global", "creating");
    let ready: DateTime<Utc> = call.now + seconds(40);
    thing.tags = kind::labels(call.said("labels"))?;
    thing.life.plan(ready - call.now, "available");
    thing.body = json!({ "type": wanted, "description": call.text("description"), "image_size": stored,
        "disk_size": disk, "created_from": { "id": number(&call.id), "name": from },
        "bound_to": if wanted == "backup" { number(&call.id) } else { Value::Null },
        "os_flavor": source.get("os_flavor").unwrap_or(&"unknown".into()), "os_version": source.get("os_version"),
        "rapid_deploy": false, "protection": { "delete": false }, "deprecated": null, "deleted": null,
        "architecture": source.get("architecture").unwrap_or(&"x86".into()) })
    .into();
    // Backups are paid with the server.
    if wanted == "snapshot" {
        thing.meter(call.now, [Meter::new("snapshot/standard", stored)]);
    }
    let shown = shown(call, &thing);
    let id = thing.id.to_string();
    estate.add(call.cause(), SHELF, thing);
    let on = [("servers", call.id.as_str()), (SHELF, id.as_str())];
    let action = action::begin(call, estate, "create_image", &on, seconds(40));
    Ok(Answer::Json(StatusCode::CREATED, json!({ "image": shown, "action": action })))
}

/// What a server shows of its image; nothing, when that is gone.
pub fn of_server(call: &Call<'_>, estate: &Estate, body: &Map<String, Value>) -> Value {
    let id = body.get("image").and_then(Value::as_u64);
    id.and_then(|id| by_id(call, estate, &id.to_string())).unwrap_or_default()
}
