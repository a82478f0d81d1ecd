//! Actions: what takes its time, with a progress that follows from the clock. A thing with an action that is not at its
//! end is locked.

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    call::{Answer, Call, Outcome, number, singular, time},
    list,
    refusal::Refusal,
};
use crate::estate::{Estate, Thing};

/// The shelf of all actions.
pub const SHELF: &str = "actions";

/// How long an action is told of after its end.
const KEPT: TimeDelta = TimeDelta::days(30);

/// Begins an action on things, each a collection and an id, that ends after a while.
pub fn begin(
    call: &Call<'_>,
    estate: &mut Estate,
    command: &str,
    on: &[(&str, &str)],
    takes: TimeDelta,
) -> Value {
    let mut thing = call.thing(estate, SHELF, "global", "running");
    thing.life.plan(takes, "success");
    thing.seen_from = call.now;
    thing.gone_at = Some(thing.life.settles_at() + KEPT);
    let resources: Vec<Value> =
        on.iter().map(|(shelf, id)| json!({ "id": number(id), "type": singular(shelf) })).collect();
    thing.body = json!({ "command": command, "resources": resources }).into();
    let shown = shown(call, &thing);
    estate.add(call.cause(), SHELF, thing);
    // A world does not grow in the order of time.
    if !call.grows {
        estate.forget_first(call.project(), SHELF, call.now);
    }
    shown
}

/// An action as an answer of its own.
pub fn answer(action: Value) -> Outcome {
    Ok(Answer::Json(StatusCode::CREATED, Map::from_iter([("action".to_owned(), action)]).into()))
}

/// Refuses what an action is busy with.
pub fn unlocked(call: &Call<'_>, estate: &Estate, shelf: &str, id: &str) -> Result<(), Refusal> {
    if is_busy(call, estate, shelf, id) { Err(Refusal::locked(&singular(shelf))) } else { Ok(()) }
}

/// Whether an action on a thing is not at its end.
pub fn is_busy(call: &Call<'_>, estate: &Estate, shelf: &str, id: &str) -> bool {
    let running =
        estate.all(call.project(), SHELF, None, call.now).filter(|one| !one.life.is_settled(call.now));
    running.into_iter().any(|action| concerns(action, &singular(shelf), Some(id)))
}

fn concerns(action: &Thing, kind: &str, id: Option<&str>) -> bool {
    let resources = action.body.get("resources");
    resources.as_array().into_iter().flatten().any(|one| {
        one["type"] == kind
            && id.is_none_or(|id| one["id"].as_u64().is_some_and(|known| known.to_string() == id))
    })
}

fn shown(call: &Call<'_>, thing: &Thing) -> Value {
    let body = thing.body.read();
    let (begins, ends) = (thing.born, thing.life.settles_at());
    let done = thing.life.is_settled(call.now);
    let (gone, all) = ((call.now - begins).num_milliseconds(), (ends - begins).num_milliseconds().max(1));
    json!({
        "id": number(&thing.id),
        "command": body.get("command"),
        "status": thing.state(call.now),
        "progress": if done { 100 } else { (gone * 100 / all).clamp(0, 99) },
        "started": time(begins),
        "finished": done.then(|| time(ends)),
        "resources": body.get("resources"),
        "error": null,
    })
}

/// `actions.get`, of whatever kind it is asked: numbers of actions are the project's.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    let found = call.find(estate, SHELF, &call.id).filter(|action| {
        let noun = call.noun();
        noun == SHELF || concerns(action, &singular(noun), None)
    });
    let found = found.ok_or_else(|| Refusal::not_found("action", &call.id))?;
    Ok(json!({ "action": shown(call, found) }).into())
}

/// `actions.list`: only those that are named.
pub fn several(call: &Call<'_>, estate: &Estate) -> Outcome {
    let all = estate.all(call.project(), SHELF, None, call.now).filter(|one| call.allows("id", &one.id));
    let shown: Vec<Value> = all.map(|one| shown(call, one)).collect();
    Ok(json!({ "actions": shown }).into())
}

/// All actions on a kind of things.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome {
    listed(call, estate, None)
}

/// All actions on one thing.
pub fn own(call: &Call<'_>, estate: &Estate) -> Outcome {
    super::kind::named(call, estate)?;
    listed(call, estate, Some(&call.id))
}

fn listed(call: &Call<'_>, estate: &Estate, id: Option<&str>) -> Outcome {
    let kind = singular(call.noun());
    let all = estate.all(call.project(), SHELF, None, call.now);
    let wanted = all.filter(|one| {
        concerns(one, &kind, id) && call.allows("status", one.state(call.now)) && call.allows("id", &one.id)
    });
    list::page(call, wanted.collect(), SHELF, |one| shown(call, one))
}
