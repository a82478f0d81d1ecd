//! What changes of all collections have in common: names, what every new thing says, deletion, labels.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{
    collection::{Collection, label_fingerprint},
    link::{self, BASE, Link},
    operation::{self, Plan},
    read,
};
use crate::{
    estate::{Estate, Tags, Thing},
    google::{
        call::{Answer, Call, Outcome, new_id, pacific},
        refusal::Refusal,
    },
};

/// The name of a thing that is to be made: one that Google takes, and that no other has.
pub fn new_name(call: &Call<'_>, estate: &Estate, collection: &Collection) -> Result<Link, Refusal> {
    let (name, place) = (call.must_say("name")?, read::place(call)?);
    check_name("resource.name", name)?;
    let link = Link::new(call.project(), place, collection.name, name);
    // Also of what is not seen yet.
    if estate.is_taken(call.project(), &collection.shelf(), place, name, call.now) {
        return Err(Refusal::exists(&link.path()));
    }
    Ok(link)
}

/// Lower-case letters, digits and dashes, beginning with a letter: what a name in Google's DNS may be.
pub fn check_name(field: &str, name: &str) -> Result<(), Refusal> {
    let inner = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let first = name.starts_with(|c: char| c.is_ascii_lowercase());
    if inner && first && !name.ends_with('-') && name.len() <= 63 {
        return Ok(());
    }
    let why = "Must be a match of regex '(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)'";
    Err(Refusal::invalid(field, name, why))
}

/// A new thing, with what all say of themselves; `state` begins now, and `body` is the rest.
pub fn new_thing(
    call: &Call<'_>,
    estate: &mut Estate,
    collection: &Collection,
    link: &Link,
    state: &'static str,
) -> Result<(Thing, Map<String, Value>), Refusal> {
    let mut thing = Thing::new(&link.name, &link.place, call.now, state);
    thing.name = link.name.as_str().into();
    thing.seen_from = call.now + call.effects.unseen;
    let mut body = Map::new();
    let mut say = |name: &str, value: String| body.insert(name.to_owned(), Value::String(value));
    say("kind", format!("compute#{}", collection.word));
    say("id", new_id(call, estate, collection.name));
    say("creationTimestamp", pacific(call.now));
    say("name", link.name.clone());
    say("selfLink", link.to_string());
    if link.place != "global" {
        let (key, base) = if link::is_zone(&link.place) { ("zone", "zones") } else { ("region", "regions") };
        say(key, format!("{BASE}projects/{}/{base}/{}", link.project, link.place));
        if key == "zone" {
            thing.zone = Some(link.place.as_str().into());
        }
    }
    if !call.said("description").is_empty() {
        say("description", call.said("description").to_owned());
    }
    thing.tags = labels(call.body.get("labels"))?;
    Ok((thing, body))
}

/// Labels of a request, checked.
pub fn labels(value: Option<&Value>) -> Result<Tags, Refusal> {
    let Some(Value::Object(labels)) = value else { return Ok(Tags::new()) };
    let fits = |text: &str| {
        text.len() <= 63 && text.chars().all(|c| c.is_lowercase() || c.is_numeric() || matches!(c, '-' | '_'))
    };
    let mut tags = Tags::new();
    for (key, value) in labels {
        let text = value.as_str().unwrap_or_default();
        if !fits(key) || !key.starts_with(char::is_lowercase) || !fits(text) {
            let why = "Label keys and values must be lower-case letters, digits, '-' and '_', at most 63.";
            return Err(Refusal::invalid("resource.labels", &format!("{key}={text}"), why));
        }
        tags.insert(key.as_str().into(), text.into());
    }
    if tags.len() > 64 {
        return Err(Refusal::invalid("resource.labels", "", "A resource can have at most 64 labels."));
    }
    Ok(tags)
}

/// What only Google says of a thing, whatever a request says of it.
const OWN: &[&str] = &[
    "kind",
    "id",
    "creationTimestamp",
    "selfLink",
    "status",
    "labels",
    "labelFingerprint",
    "fingerprint",
    "zone",
    "region",
    "users",
];

/// Keeps what was said of a new thing and no rule looked at: Google shows it again as it was said.
pub fn keep(body: &mut Map<String, Value>, said: &Map<String, Value>) {
    for (name, value) in said.iter().filter(|(name, value)| !OWN.contains(&name.as_str()) && !value.is_null())
    {
        body.entry(name).or_insert_with(|| value.clone());
    }
}

/// Adds a thing that was made, and begins the operation that makes it.
pub fn add(
    call: &Call<'_>,
    estate: &mut Estate,
    collection: &Collection,
    mut thing: Thing,
    body: &Map<String, Value>,
    takes: TimeDelta,
) -> Outcome {
    let mut body = body.clone();
    keep(&mut body, &call.body);
    thing.body = (&body).into();
    let target = collection.link(call, &thing);
    let id = body.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    estate.add(call.cause(), &collection.shelf(), thing);
    operation::begin(call, estate, Plan { kind: "insert", target, target_id: &id, takes, failure: None })
}

/// An operation on a thing that is there.
pub fn done(call: &Call<'_>, estate: &mut Estate, thing: &Known, kind: &str, takes: TimeDelta) -> Outcome {
    let plan = Plan { kind, target: thing.link.clone(), target_id: &thing.id, takes, failure: None };
    operation::begin(call, estate, plan)
}

/// What an operation needs to know of its target.
#[derive(Debug, Clone)]
pub struct Known {
    /// Where it is.
    pub link: Link,
    /// Its numeric id.
    pub id: String,
}

/// The thing that the path names, to be changed by an operation.
pub fn known(call: &Call<'_>, estate: &Estate) -> Result<Known, Refusal> {
    let (collection, thing) = read::named(call, estate)?;
    let id = thing.body.get("id").as_str().unwrap_or_default().to_owned();
    Ok(Known { link: collection.link(call, thing), id })
}

/// The thing that the path names, to be changed.
pub fn changed<'e>(call: &Call<'_>, estate: &'e mut Estate) -> Result<&'e mut Thing, Refusal> {
    let (collection, place) = (read::collection(call)?, read::place(call)?);
    let name = read::name(call, collection);
    let path = Link::new(call.project(), place, collection.name, name).path();
    let found = estate.get_mut(call.project(), &collection.shelf(), place, name, call.now);
    found.ok_or_else(|| Refusal::not_found(&path))
}

/// `delete`, of what nothing else needs.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let known = known(call, estate)?;
    let (collection, thing) = read::named(call, estate)?;
    if thing.gone_at.is_some() {
        return Err(Refusal::not_ready(&known.link.path()));
    }
    if let Some(user) = user(call, estate, collection, &known.link) {
        return Err(Refusal::in_use(&known.link.path(), &user));
    }
    let takes = TimeDelta::seconds(4);
    estate.end(call.cause(), &collection.shelf(), &known.link.place, &known.link.name, call.now + takes);
    done(call, estate, &known, "delete", takes)
}

/// The path of something that names a thing by its link, and so needs it.
pub fn user(call: &Call<'_>, estate: &Estate, collection: &Collection, link: &Link) -> Option<String> {
    let name = format!("\"{link}\"");
    collection.named_by.iter().filter_map(|name| Collection::named(name)).find_map(|other| {
        let shelf = other.shelf();
        let mut all = estate.all(call.project(), &shelf, None, call.now);
        all.find(|thing| thing.gone_at.is_none() && thing.body.text().contains(&name))
            .map(|thing| other.link(call, thing).path())
    })
}

/// `setLabels`, for a client that knows the present ones.
pub fn set_labels(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let known = known(call, estate)?;
    let labels = labels(call.body.get("labels"))?;
    let thing = changed(call, estate)?;
    if call.said("labelFingerprint") != label_fingerprint(thing) {
        return Err(Refusal::new(
            412,
            "conditionNotMet",
            "Labels fingerprint either invalid or resource labels have changed",
        ));
    }
    thing.tags = labels;
    done(call, estate, &known, "setLabels", TimeDelta::seconds(2))
}

/// Copies members of the request's body as they are.
pub fn copy(call: &Call<'_>, body: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        if let Some(value) = call.body.get(*name).filter(|value| !value.is_null()) {
            body.insert((*name).to_owned(), value.clone());
        }
    }
}

/// A link in a body, read and looked up: the full link of a thing that is there.
pub fn resolve(
    call: &Call<'_>,
    estate: &Estate,
    field: &str,
    text: &str,
    place: &str,
    collection: &str,
) -> Result<Link, Refusal> {
    let link = Link::read(text, call.project(), place, collection)
        .ok_or_else(|| Refusal::invalid(field, text, "The URL is malformed."))?;
    let shelf = format!("compute.{collection}");
    let found = estate.get(&link.project, &shelf, &link.place, &link.name, call.now);
    let found = found.filter(|_| link.project == call.project());
    if found.is_some() { Ok(link) } else { Err(Refusal::dangling(field, text)) }
}

/// A size in GiB as Google writes it.
pub fn gib(size: u64) -> Value {
    json!(size.to_string())
}
