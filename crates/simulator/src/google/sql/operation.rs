//! Cloud SQL's operations.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::BASE;
use crate::{
    estate::{Estate, Life, Thing},
    google::{
        call::{Answer, Call, Outcome, zulu},
        list,
        refusal::Refusal,
    },
};

const SHELF: &str = "sql.operations";
/// How long Google keeps an operation that is done.
const KEPT: TimeDelta = TimeDelta::days(30);

/// Begins an operation on an instance and answers with it; `more` is what it says besides.
pub fn begin(
    call: &Call<'_>,
    estate: &mut Estate,
    (kind, target): (&str, &str),
    takes: TimeDelta,
    more: &Value,
) -> Outcome {
    let number = estate.next_number().to_string();
    let name = call.seed().uuid(&["sql-operation", &number]);
    let project = call.project();
    let mut body = json!({
        "kind": "sql#operation", "name": name, "operationType": kind, "targetProject": project, "targetId": target,
        "targetLink": format!("{BASE}/{project}/instances/{target}"),
        "selfLink": format!("{BASE}/{project}/operations/{name}"),
        "user": call.caller, "insertTime": zulu(call.now),
    });
    for (member, value) in more.as_object().into_iter().flatten() {
        body[member] = value.clone();
    }
    let mut thing = Thing::new(&name, "global", call.now, "PENDING");
    let first = TimeDelta::seconds(1).min(takes);
    thing.life = Life::new(call.now, "PENDING").then(first, "RUNNING").then(takes - first, "DONE");
    thing.gone_at = Some(call.now + takes + KEPT);
    thing.name = target.into();
    thing.body = body.into();
    let answer = shown(&thing, call.now);
    if call.now + takes + KEPT > call.world.clock.now() {
        estate.add(call.cause(), SHELF, thing);
    }
    Ok(Answer::Json(answer))
}

fn shown(thing: &Thing, now: DateTime<Utc>) -> Value {
    let mut body = thing.body.read();
    let state = thing.state(now);
    if state != "PENDING" {
        body.insert("startTime".into(), zulu(thing.born).into());
    }
    if state == "DONE" {
        body.insert("endTime".into(), zulu(thing.life.settles_at()).into());
    }
    body.insert("status".into(), state.into());
    Value::Object(body)
}

/// `operations.get`.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    let found = estate.get(call.project(), SHELF, "global", call.part("operation"), call.now);
    let missing =
        || Refusal::new(404, "operationDoesNotExist", "The Cloud SQL instance operation does not exist.");
    found.map(|thing| Answer::Json(shown(thing, call.now))).ok_or_else(missing)
}

/// `operations.list`, of one instance if one is named.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome {
    if !call.asked("filter").is_empty() {
        return Err(Refusal::unimplemented("filter of operations"));
    }
    let instance = call.asked("instance");
    let wanted = |thing: &Thing| instance.is_empty() || *thing.name == *instance;
    let page = list::page(call, estate, SHELF, Some("global"), ("maxResults", 1000), wanted)?;
    let items = page.things.iter().map(|thing| shown(thing, call.now)).collect();
    Ok(Answer::Json(list::answer("sql#operationsList", items, page.next)))
}
