//! What all resources have in common: being listed, shown, named, labeled, protected and ended.

use serde_json::{Map, Value, json};

use super::{
    action, address, balancer,
    call::{Answer, Call, Outcome, number, seconds, singular, time},
    firewall, keys, list, network,
    refusal::Refusal,
    selector, server, volume,
};
use crate::estate::{Estate, Tags, Thing};

/// What each collection shows of a thing besides what all show.
fn also(call: &Call<'_>, estate: &Estate, shelf: &str, thing: &Thing, shown: &mut Map<String, Value>) {
    match shelf {
        "servers" => server::show(call, estate, thing, shown),
        "volumes" => volume::show(call, thing, shown),
        "networks" => network::show(call, estate, thing, shown),
        "firewalls" => firewall::show(call, estate, thing, shown),
        "primary_ips" | "floating_ips" => address::show(call, shelf, thing, shown),
        "load_balancers" => balancer::show(call, estate, thing, shown),
        _ => keys::show(call, estate, shelf, thing, shown),
    }
}

/// A thing as it is shown.
pub fn show(call: &Call<'_>, estate: &Estate, shelf: &str, thing: &Thing) -> Value {
    let mut shown = Map::new();
    shown.insert("id".into(), number(&thing.id));
    shown.insert("name".into(), (*thing.name).into());
    shown.insert("labels".into(), labels_of(thing));
    shown.insert("created".into(), time(thing.born).into());
    shown.extend(thing.body.read());
    also(call, estate, shelf, thing, &mut shown);
    Value::Object(shown)
}

/// Labels as they are shown.
pub fn labels_of(thing: &Thing) -> Value {
    thing.tags.iter().map(|(key, value)| (key.to_string(), Value::from(&**value))).collect()
}

/// The thing that the call names.
pub fn named<'e>(call: &Call<'_>, estate: &'e Estate) -> Result<&'e Thing, Refusal> {
    let found = call.find(estate, call.noun(), &call.id);
    found.ok_or_else(|| Refusal::not_found(&singular(call.noun()), &call.id))
}

/// `list`.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome {
    let shelf = call.noun();
    let mut things: Vec<&Thing> = estate.all(call.project(), shelf, None, call.now).collect();
    things.retain(|thing| {
        let body = thing.body.read();
        let member = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        call.allows("status", thing.state(call.now))
            && call.allows("type", &member("type"))
            && call.allows("ip", &member("ip"))
            && call.allows("fingerprint", &member("fingerprint"))
    });
    list::page(call, list::filter(call, things)?, shelf, |thing| show(call, estate, shelf, thing))
}

/// `get`.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome {
    let shown = show(call, estate, call.noun(), named(call, estate)?);
    Ok(json!({ singular(call.noun()): shown }).into())
}

/// `update`: name and labels, and what else some kinds let be changed.
pub fn update(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let shelf = call.noun();
    named(call, estate)?;
    let name = Some(call.text("name")).filter(|name| !name.is_empty());
    if let Some(name) = name {
        free_name(call, estate, shelf, name, &call.id)?;
    }
    let labels = call.body.get("labels").map(labels).transpose()?;
    if let Some(thing) = call.change(estate, shelf, &call.id) {
        if let Some(name) = name {
            thing.name = name.into();
        }
        if let Some(labels) = labels {
            thing.tags = labels;
        }
        thing.body.edit(|body| {
            for member in ["description", "auto_delete", "expose_routes_to_vswitch"] {
                if let Some(value) = call.body.get(member).filter(|value| !value.is_null()) {
                    body.insert(member.to_owned(), value.clone());
                }
            }
        });
    }
    get(call, estate)
}

/// `change_protection`: of each member that is said.
pub fn change_protection(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let shelf = call.noun();
    named(call, estate)?;
    action::unlocked(call, estate, shelf, &call.id)?;
    if shelf == "servers" && call.flag("delete", false) != call.flag("rebuild", false) {
        return Err(Refusal::invalid("rebuild", "must be the same as delete"));
    }
    if let Some(thing) = call.change(estate, shelf, &call.id) {
        thing.body.edit(|body| {
            if let Some(protection) = body.get_mut("protection").and_then(Value::as_object_mut) {
                protection.extend(call.body.clone());
            }
        });
    }
    action::answer(action::begin(call, estate, "change_protection", &[(shelf, &call.id)], seconds(1)))
}

/// A new thing with the name and labels that the call says, which must be free and well-formed.
pub fn new(call: &Call<'_>, estate: &Estate, place: &str, state: &'static str) -> Result<Thing, Refusal> {
    new_called(call, estate, call.text("name"), place, state)
}

/// The same with a name of the vendor's making.
pub fn new_called(
    call: &Call<'_>,
    estate: &Estate,
    name: &str,
    place: &str,
    state: &'static str,
) -> Result<Thing, Refusal> {
    let shelf = call.noun();
    if name.is_empty() {
        return Err(Refusal::invalid("name", "is required"));
    }
    free_name(call, estate, shelf, name, "")?;
    if call
        .effects
        .quota
        .is_some_and(|limit| estate.all(call.project(), shelf, None, call.now).count() as u64 >= limit)
    {
        return Err(Refusal::limit(&format!("{}_limit", singular(shelf))));
    }
    let mut thing = call.thing(estate, shelf, place, state);
    thing.name = name.into();
    thing.tags = labels(call.said("labels"))?;
    Ok(thing)
}

/// A name that nothing else of the kind has.
fn free_name(call: &Call<'_>, estate: &Estate, shelf: &str, name: &str, own: &str) -> Result<(), Refusal> {
    let host = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let fits = name.len() <= 253 && name.bytes().all(host) && !name.starts_with(['-', '.']);
    if shelf == "servers" && !fits {
        return Err(Refusal::invalid("name", "is no host name"));
    }
    let mut all = estate.all(call.project(), shelf, None, call.now);
    let known = all.any(|thing| *thing.name == *name && *thing.id != *own && thing.gone_at.is_none());
    if known { Err(Refusal::taken("name", &format!("{} name", singular(shelf)))) } else { Ok(()) }
}

/// Labels as a request says them.
pub fn labels(said: &Value) -> Result<Tags, Refusal> {
    let mut tags = Tags::new();
    for (key, value) in said.as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !selector::is_key(key) || !selector::is_value(value) {
            return Err(Refusal::invalid("labels", &format!("{key}={value} is no label")));
        }
        tags.insert(key.as_str().into(), value.into());
    }
    Ok(tags)
}

/// A thing that may be ended: there, free, and not protected.
pub fn deletable<'e>(call: &Call<'_>, estate: &'e Estate) -> Result<&'e Thing, Refusal> {
    let (shelf, thing) = (call.noun(), named(call, estate)?);
    action::unlocked(call, estate, shelf, &call.id)?;
    if thing.body.get("protection")["delete"] == true {
        return Err(Refusal::protected(&singular(shelf), "deletion"));
    }
    Ok(thing)
}

/// Ends the thing that the call names, at once.
pub fn remove(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let place = deletable(call, estate)?.place.clone();
    estate.end(call.cause(), call.noun(), &place, &call.id, call.now);
    Ok(Answer::Nothing)
}

/// Changes members of the body of a thing.
pub fn edit(
    call: &Call<'_>,
    estate: &mut Estate,
    shelf: &str,
    id: &str,
    change: impl FnOnce(&mut Map<String, Value>),
) {
    if let Some(thing) = call.change(estate, shelf, id) {
        thing.body.edit(change);
    }
}
