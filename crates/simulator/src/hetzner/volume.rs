//! Volumes: attached to one server at most, of their own location.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    action,
    call::{
        Answer, Call,
        Handler::{self, Write},
        Outcome, number, seconds,
    },
    catalog, kind,
    refusal::Refusal,
};
use crate::estate::{Estate, Meter, Thing};

/// The shelf.
pub const SHELF: &str = "volumes";
/// The least and most GB, and how many a server takes.
const LEAST: u64 = 10;
const MOST: u64 = 10_240;
const PER_SERVER: usize = 16;

/// Who answers.
pub fn handler(verb: &str) -> Option<Handler> {
    Some(match verb {
        "create" => Write(create),
        "delete" => Write(delete),
        "attach" => Write(attach),
        "detach" => Write(detach),
        "resize" => Write(resize),
        _ => return None,
    })
}

/// What follows from elsewhere.
pub fn show(call: &Call<'_>, thing: &Thing, shown: &mut Map<String, Value>) {
    shown.insert("location".into(), catalog::location(call, &thing.place));
    shown.insert("status".into(), thing.state(call.now).into());
    shown.insert("size".into(), number(&thing.size));
    let device = format!("/dev/disk/by-id/scsi-0HC_Volume_{}", thing.id);
    shown.insert("linux_device".into(), device.into());
}

fn fits(size: Option<u64>) -> Result<u64, Refusal> {
    let size = size.ok_or_else(|| Refusal::invalid("size", "must be a whole number"))?;
    if (LEAST..=MOST).contains(&size) {
        Ok(size)
    } else {
        Err(Refusal::invalid("size", "must be between 10 and 10240"))
    }
}

fn meter(gb: u64) -> Meter {
    #[expect(clippy::cast_precision_loss, reason = "some thousand GB")]
    Meter::new("volume/standard", gb as f64)
}

/// `create`, in a location or for a server, whose location it then has.
pub fn create(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let size = fits(call.said("size").as_u64())?;
    let server = call.id_of("server");
    let place = match (&server, call.said("location").is_null()) {
        (Some(id), true) => call.need(estate, "servers", id)?.place.to_string(),
        (None, false) => catalog::need_location(call, "location")?,
        _ => return Err(Refusal::invalid("location", "either a location or a server is required")),
    };
    let mut thing = kind::new(call, estate, &place, "creating")?;
    if let Some(server) = &server {
        attachable(call, estate, server, &place)?;
    }
    let format = call.said("format").as_str();
    if format.is_some_and(|format| !matches!(format, "ext4" | "xfs")) {
        return Err(Refusal::invalid("format", "must be one of ext4, xfs"));
    }
    thing.life.plan(seconds(5), "available");
    thing.size = size.to_string().into();
    thing.body = json!({ "server": server.as_deref().map(number), "format": format,
        "protection": { "delete": false } })
    .into();
    thing.meter(call.now, [meter(size)]);
    let (id, shown) = (thing.id.to_string(), kind::show(call, estate, SHELF, &thing));
    estate.add(call.cause(), SHELF, thing);
    let action = action::begin(call, estate, "create_volume", &[(SHELF, &id)], seconds(5));
    let next: Vec<Value> = server
        .iter()
        .map(|server| {
            action::begin(call, estate, "attach_volume", &[(SHELF, &id), ("servers", server)], seconds(8))
        })
        .collect();
    Ok(Answer::Json(StatusCode::CREATED, json!({ "volume": shown, "action": action, "next_actions": next })))
}

/// Whether a server can take one more volume that lies in a place.
fn attachable(call: &Call<'_>, estate: &Estate, server: &str, place: &str) -> Result<(), Refusal> {
    let found = call.need(estate, "servers", server)?;
    if *found.place != *place {
        return Err(Refusal::invalid("server", "must be in the same location as the volume"));
    }
    action::unlocked(call, estate, "servers", server)?;
    let has = of_server(call, estate, server).count();
    if has < PER_SERVER { Ok(()) } else { Err(Refusal::limit("server_volume_limit")) }
}

/// The volumes of a server.
pub fn of_server<'e>(call: &Call<'_>, estate: &'e Estate, server: &str) -> impl Iterator<Item = &'e Thing> {
    let id = number(server);
    estate.all(call.project(), SHELF, None, call.now).filter(move |volume| volume.body.get("server") == id)
}

/// `attach`.
pub fn attach(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let thing = kind::named(call, estate)?;
    action::unlocked(call, estate, SHELF, &call.id)?;
    if !thing.body.get("server").is_null() {
        return Err(Refusal::new(422, "volume_already_attached", "volume is already attached to a server"));
    }
    let (place, server) = (thing.place.to_string(), call.id_of("server").unwrap_or_default());
    attachable(call, estate, &server, &place)?;
    kind::edit(call, estate, SHELF, &call.id, |body| drop(body.insert("server".into(), number(&server))));
    let on = [(SHELF, call.id.as_str()), ("servers", server.as_str())];
    action::answer(action::begin(call, estate, "attach_volume", &on, seconds(3)))
}

/// `detach`.
pub fn detach(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let thing = kind::named(call, estate)?;
    action::unlocked(call, estate, SHELF, &call.id)?;
    let Some(server) = thing.body.get("server").as_u64().map(|id| id.to_string()) else {
        return Err(Refusal::new(422, "service_error", "volume is not attached to a server"));
    };
    action::unlocked(call, estate, "servers", &server)?;
    kind::edit(call, estate, SHELF, &call.id, |body| drop(body.insert("server".into(), Value::Null)));
    let on = [(SHELF, call.id.as_str()), ("servers", server.as_str())];
    action::answer(action::begin(call, estate, "detach_volume", &on, seconds(3)))
}

/// `resize`: only to more.
pub fn resize(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let thing = kind::named(call, estate)?;
    action::unlocked(call, estate, SHELF, &call.id)?;
    let size = fits(call.said("size").as_u64())?;
    if thing.size.parse().is_ok_and(|present: u64| size <= present) {
        return Err(Refusal::invalid("size", "must be larger than the present size"));
    }
    if let Some(thing) = call.change(estate, SHELF, &call.id) {
        thing.size = size.to_string().into();
        thing.meter(call.now, [meter(size)]);
    }
    action::answer(action::begin(call, estate, "resize_volume", &[(SHELF, &call.id)], seconds(3)))
}

/// `delete`, of a volume that no server has.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if !kind::deletable(call, estate)?.body.get("server").is_null() {
        return Err(Refusal::new(422, "service_error", "volume is attached to a server"));
    }
    kind::remove(call, estate)
}
