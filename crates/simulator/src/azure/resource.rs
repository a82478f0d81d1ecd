//! What all resources have in common: how they are kept, shown, listed, made, changed and ended.
//!
//! A thing's body is the resource as it is answered once it is settled (`provisioningState` `Succeeded`), so that a
//! listing copies text. Only what is under way is taken apart and says its state.

use std::sync::Arc;

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    call::{Answer, Call, tags_of},
    error::{Outcome, Refused},
    ids::{self, Target},
    lro::{Links, Running},
};
use crate::estate::{Body, Driven, Estate, Life, Listing, Meter, Thing};

/// Things on a page, unless the operation has a limit of its own.
pub const PAGE: usize = 500;

/// A resource as a handler wants it.
#[derive(Debug)]
pub struct Draft {
    /// The region, or `global`.
    pub place: Arc<str>,
    /// The zone.
    pub zone: Option<Arc<str>>,
    /// The size.
    pub size: String,
    /// The whole resource but `id`, `name` and `type`.
    pub document: Map<String, Value>,
    /// What it is charged for.
    pub meters: Vec<Meter>,
    /// What drives it.
    pub driven: Option<Driven>,
    /// The state it begins in.
    pub begins: &'static str,
    /// The state it settles in.
    pub settles: &'static str,
    /// How long that takes.
    pub takes: TimeDelta,
}

impl Draft {
    /// A resource in a place, made at once.
    pub fn new(place: &str, document: Value) -> Self {
        let document = if let Value::Object(members) = document { members } else { Map::new() };
        Self {
            place: place.into(),
            zone: None,
            size: String::new(),
            document,
            meters: Vec::new(),
            driven: None,
            begins: "Creating",
            settles: "Succeeded",
            takes: TimeDelta::zero(),
        }
    }

    /// Takes a while.
    #[must_use]
    pub fn takes(mut self, seconds: i64) -> Self {
        self.takes = TimeDelta::seconds(seconds);
        self
    }

    /// Is charged for.
    #[must_use]
    pub fn charged(mut self, meters: impl IntoIterator<Item = Meter>) -> Self {
        self.meters.extend(meters);
        self
    }
}

/// What was kept.
#[derive(Debug)]
pub struct Kept {
    /// Whether it is new.
    pub made: bool,
    /// The resource as the answer to the change shows it: whoever makes it sees it at once.
    pub text: String,
}

impl Kept {
    /// 201 for a new resource, 200 for a changed one.
    pub fn answer(self) -> Answer {
        Answer::text(if self.made { StatusCode::CREATED } else { StatusCode::OK }, self.text)
    }
}

/// Makes a resource, or replaces what there is of it.
pub fn keep(call: &Call<'_>, estate: &mut Estate, target: &Target, draft: Draft) -> Kept {
    let mut document = Map::new();
    for (name, text) in [("id", &target.id), ("name", &target.name)] {
        document.insert(name.to_owned(), json!(text));
    }
    document.insert("type".to_owned(), json!(target.kind));
    document.extend(draft.document);
    let tags = tags_of(document.get("tags"));
    if let Some(thing) = ids::find_mut(call, estate, target.kind, &target.key) {
        thing.body = Body::from(&document);
        thing.tags = tags;
        thing.size = draft.size.into();
        thing.life.turn(call.now, "Updating");
        thing.life.plan(draft.takes, draft.settles);
        charge(call, thing, draft.meters);
        return Kept { made: false, text: show(call, thing) };
    }
    let mut thing = Thing::new(&target.key, &draft.place, call.now, draft.begins);
    thing.name = target.name.as_str().into();
    thing.zone = draft.zone;
    thing.size = draft.size.into();
    thing.body = Body::from(&document);
    thing.tags = tags;
    thing.life = Life::new(call.now, draft.begins).then(draft.takes, draft.settles);
    thing.driven = draft.driven;
    thing.seen_from = call.now + call.effects.unseen;
    thing.meter(call.now, draft.meters);
    let text = show(call, &thing);
    estate.add(call.cause(), target.kind, thing);
    Kept { made: true, text }
}

/// Charges a thing for something else from now on; if it is the same, nothing changes.
pub fn charge(call: &Call<'_>, thing: &mut Thing, meters: Vec<Meter>) {
    let same = |old: &Meter, new: &Meter| old.sku == new.sku && (old.amount - new.amount).abs() < 1e-9;
    let open: Vec<&Meter> = thing.meters.iter().filter(|meter| meter.until.is_none()).collect();
    if open.len() == meters.len() && open.iter().zip(&meters).all(|(old, new)| same(old, new)) {
        return;
    }
    thing.meter(call.now, meters);
}

/// Changes a resource in place; it is under way for a time, in its state `begins`, and then in `settles`.
pub fn change(
    call: &Call<'_>,
    estate: &mut Estate,
    target: &Target,
    (begins, settles, takes): (&'static str, &'static str, TimeDelta),
    edit: impl FnOnce(&mut Map<String, Value>),
) {
    if let Some(thing) = ids::find_mut(call, estate, target.kind, &target.key) {
        thing.body.edit(edit);
        thing.tags = tags_of(Some(&thing.body.get("tags")));
        if takes > TimeDelta::zero() {
            thing.life.turn(call.now, begins);
            thing.life.plan(takes, settles);
        }
    }
}

/// Ends a resource: it is seen, as `Deleting`, until it is gone.
pub fn end(call: &Call<'_>, estate: &mut Estate, kind: &str, key: &str, takes: TimeDelta) {
    let Some(thing) = ids::find_mut(call, estate, kind, key) else { return };
    thing.life.turn(call.now, "Deleting");
    let place = thing.place.clone();
    estate.end(call.cause(), kind, &place, key, call.now + takes);
}

/// The text of a resource.
pub fn show(call: &Call<'_>, thing: &Thing) -> String {
    match state_shown(call, thing) {
        None => thing.body.text().to_owned(),
        Some(state) => {
            let mut document = thing.body.read();
            if let Some(Value::Object(properties)) = document.get_mut("properties") {
                properties.insert("provisioningState".to_owned(), json!(state));
            }
            Value::Object(document).to_string()
        }
    }
}

/// The resource as a value.
pub fn value(call: &Call<'_>, thing: &Thing) -> Value {
    let mut document = thing.body.read();
    if let (Some(state), Some(Value::Object(properties))) =
        (state_shown(call, thing), document.get_mut("properties"))
    {
        properties.insert("provisioningState".to_owned(), json!(state));
    }
    Value::Object(document)
}

/// The provisioning state, if it is another than `Succeeded`.
pub fn state_shown(call: &Call<'_>, thing: &Thing) -> Option<&'static str> {
    match thing.state(call.now) {
        "Creating" => Some("Creating"),
        "Deleting" => Some("Deleting"),
        "Failed" => Some("Failed"),
        "Updating"
        | "Starting"
        | "Stopping"
        | "Deallocating"
        | "Running updating"
        | "Stopped updating"
        | "Deallocated updating" => Some("Updating"),
        _ => None,
    }
}

/// Refuses to change what is being deleted.
pub fn refuse_deleting(call: &Call<'_>, thing: &Thing, target: &Target) -> Outcome<()> {
    if thing.gone_at.is_none() {
        return Ok(());
    }
    let kind = target.kind.rsplit('/').next().unwrap_or_default();
    Err(Refused::conflict(
        "OperationNotAllowed",
        format!(
            "Operation '{}' is not allowed on {kind} '{}' since it is marked for deletion. You can only retry the \
             Delete operation (or wait for an ongoing one to complete).",
            call.operation.rsplit('_').next().unwrap_or_default(),
            target.name
        ),
    ))
}

/// Answers one resource.
pub fn get(call: &Call<'_>, estate: &Estate, target: &Target) -> Outcome<Answer> {
    Ok(Answer::text(StatusCode::OK, show(call, target.need(call, estate)?)))
}

/// Refuses a resource in another region under a name that is taken in one.
pub fn refuse_move(target: &Target, existing: Option<&Thing>, place: &str) -> Outcome<()> {
    match existing {
        Some(thing) if *thing.place != *place => Err(Refused::conflict(
            "InvalidResourceLocation",
            format!(
                "The resource '{}' already exists in location '{}' in resource group '{}'. A resource with the same \
                 name cannot be created in location '{place}'. Please select a new resource name.",
                target.name, thing.place, target.group
            ),
        )),
        _ => Ok(()),
    }
}

/// A page of the resources of a type: of the resource group in the path, or of the subscription.
pub fn list(call: &Call<'_>, estate: &Estate, kind: &str) -> Outcome<Answer> {
    list_where(call, estate, kind, PAGE, |_| true, show)
}

/// The same, of those that `wanted` takes, shown by `text`.
pub fn list_where(
    call: &Call<'_>,
    estate: &Estate,
    kind: &str,
    limit: usize,
    wanted: impl Fn(&Thing) -> bool,
    text: impl Fn(&Call<'_>, &Thing) -> String,
) -> Outcome<Answer> {
    let prefix = if call.group().is_empty() {
        String::new()
    } else {
        let group = ids::group(call, estate, call.group())?;
        format!("{}/", group.id)
    };
    let token = call.asked("$skiptoken");
    let asked_for = call.asked("$top").parse::<usize>().ok().filter(|top| *top > 0);
    let query = format!("{}|{prefix}|{}", call.operation, call.asked("$filter"));
    let listing = Listing {
        place: None,
        limit: asked_for.unwrap_or(limit).min(limit),
        token: (!token.is_empty()).then_some(token),
        query: &query,
        now: call.now,
        lens: call.effects.lens,
    };
    let page = estate
        .list(&call.account.id, kind, listing, |thing| thing.id.starts_with(&prefix) && wanted(thing))
        .map_err(|_| bad_token())?;
    let things = page.things.iter().map(|thing| text(call, thing));
    Ok(paged(call, things, page.next.as_deref()))
}

/// A token of a page that was not given out for this query.
pub fn bad_token() -> Refused {
    Refused::bad("InvalidSkipToken", "The provided skip token is invalid.")
}

/// The answer with a page of texts and the link to the next page.
pub fn paged(call: &Call<'_>, things: impl Iterator<Item = String>, next: Option<&str>) -> Answer {
    let mut body = String::from("{\"value\":[");
    for (index, thing) in things.enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(&thing);
    }
    body.push(']');
    if let Some(token) = next {
        let link = next_link(call, token);
        body.push_str(",\"nextLink\":");
        body.push_str(&Value::String(link).to_string());
    }
    body.push('}');
    Answer::text(StatusCode::OK, body)
}

/// The same query with another token.
pub fn next_link(call: &Call<'_>, token: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in call.query.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("$skiptoken")) {
        query.append_pair(name, value);
    }
    query.append_pair("$skiptoken", token);
    format!("{}{}?{}", call.origin, call.path, query.finish())
}

/// What goes on after a request that makes, changes or ends a resource.
pub fn running(call: &Call<'_>, target: &Target, place: &str, takes: TimeDelta, links: Links) -> Running {
    Running::new(&target.id, place, call.now, takes, links)
}

/// Replaces the tags of a resource at once: the PATCH of networks and load balancers, which knows nothing else.
pub fn update_tags(call: &Call<'_>, estate: &mut Estate, target: &Target) -> Outcome<Answer> {
    refuse_deleting(call, target.need(call, estate)?, target)?;
    let tags = call.body.get("tags").cloned().unwrap_or_else(|| json!({}));
    change(call, estate, target, ("Updating", "Succeeded", TimeDelta::zero()), |document| {
        document.insert("tags".to_owned(), tags);
    });
    get(call, estate, target)
}

/// Ends a resource, or answers that there is none.
pub fn delete(
    call: &Call<'_>,
    estate: &mut Estate,
    target: &Target,
    seconds: i64,
    refuse: impl FnOnce(&Estate, &Thing) -> Outcome<()>,
) -> Outcome<Answer> {
    let Some(thing) = target.find(call, estate) else { return Ok(Answer::empty(StatusCode::NO_CONTENT)) };
    let place = thing.place.clone();
    if thing.gone_at.is_none() {
        refuse(estate, thing)?;
        end(call, estate, target.kind, &target.key, TimeDelta::seconds(seconds));
    }
    let running = running(call, target, &place, TimeDelta::seconds(seconds), Links::Both);
    Ok(Answer::empty(StatusCode::ACCEPTED).running(running))
}
