//! Managed instance groups: templates, managers, the groups they fill, and autoscalers.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{change, collection::Collection, instance, link::Link, operation, power, read};
use crate::{
    estate::{Estate, Thing},
    google::{
        call::{Answer, Call, Outcome, fingerprint, number},
        refusal::Refusal,
        sql::settings::merge,
    },
};

/// Until what a manager was asked for has happened.
const SETTLES: TimeDelta = TimeDelta::seconds(30);
const SOON: TimeDelta = TimeDelta::seconds(4);
/// Of a manager's instances the base name, a dash and this many letters.
const LETTERS: usize = 4;

/// What follows from the time: whether a manager is still making or ending instances.
pub fn shown(thing: &Thing, now: DateTime<Utc>) -> Map<String, Value> {
    let stable = thing.life.is_settled(now);
    let target = thing.body.get("targetSize").as_u64().unwrap_or_default();
    let mut actions = json!({
        "none": 0, "creating": 0, "creatingWithoutRetries": 0, "deleting": 0, "recreating": 0, "restarting": 0,
        "refreshing": 0, "abandoning": 0, "verifying": 0, "resuming": 0, "starting": 0, "stopping": 0, "suspending": 0,
    });
    actions[if stable { "none" } else { "verifying" }] = target.into();
    let status = json!({
        "isStable": stable,
        "versionTarget": { "isReached": stable },
        "stateful": { "hasStatefulConfig": false, "perInstanceConfigs": { "allEffective": true } },
    });
    Map::from_iter([("status".to_owned(), status), ("currentActions".to_owned(), actions)])
}

/// `instanceTemplates.insert`.
pub fn insert_template(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let at = change::new_name(call, estate, collection)?;
    let properties =
        call.body.get("properties").cloned().ok_or_else(|| Refusal::required("resource.properties"))?;
    for (name, field) in
        [("machineType", "resource.properties.machineType"), ("disks", "resource.properties.disks")]
    {
        if properties[name].is_null() {
            return Err(Refusal::required(field));
        }
    }
    let (thing, mut body) = change::new_thing(call, estate, collection, &at, "READY")?;
    body.insert("properties".into(), properties);
    change::add(call, estate, collection, thing, &body, SOON)
}

/// `instanceGroupManagers.insert`: makes the group and its first instances.
pub fn insert(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let at = change::new_name(call, estate, collection)?;
    let text = match call.said("instanceTemplate") {
        "" => call
            .body
            .get("versions")
            .and_then(|versions| versions[0]["instanceTemplate"].as_str())
            .unwrap_or_default(),
        text => text,
    };
    if text.is_empty() {
        return Err(Refusal::required("resource.instanceTemplate"));
    }
    let template =
        change::resolve(call, estate, "resource.instanceTemplate", text, "global", "instanceTemplates")?;
    let size = call
        .body
        .get("targetSize")
        .and_then(number)
        .ok_or_else(|| Refusal::required("resource.targetSize"))?;
    let base =
        Some(call.said("baseInstanceName")).filter(|base| !base.is_empty()).unwrap_or(&at.name).to_owned();
    change::check_name("resource.baseInstanceName", &base)?;
    let (mut thing, mut body) = change::new_thing(call, estate, collection, &at, "WORKING")?;
    thing.life.plan(SETTLES, "STABLE");
    let group = Link::new(call.project(), &at.place, "instanceGroups", &at.name);
    body.insert("baseInstanceName".into(), base.clone().into());
    body.insert("instanceTemplate".into(), template.to_string().into());
    body.insert(
        "versions".into(),
        json!([{ "instanceTemplate": template.to_string(), "targetSize": { "calculated": size } }]),
    );
    body.insert("instanceGroup".into(), group.to_string().into());
    body.insert("targetSize".into(), size.into());
    body.insert("fingerprint".into(), fingerprint(&["manager", &at.path()]).into());
    let policy = json!({ "type": "OPPORTUNISTIC", "minimalAction": "REPLACE", "maxSurge": { "fixed": 1, "calculated": 1 }, "maxUnavailable": { "fixed": 1, "calculated": 1 } });
    body.insert("updatePolicy".into(), policy);
    change::copy(call, &mut body, &["namedPorts", "autoHealingPolicies"]);
    add_group(call, estate, &group)?;
    fill(call, estate, &group, &template, &base, size)?;
    change::add(call, estate, collection, thing, &body, SETTLES)
}

/// The group that a manager fills. Its members are kept beside its body: a group has no labels.
fn add_group(call: &Call<'_>, estate: &mut Estate, group: &Link) -> Result<(), Refusal> {
    let collection =
        Collection::named("instanceGroups").ok_or_else(|| Refusal::unimplemented("instanceGroups"))?;
    let (mut thing, mut body) = change::new_thing(call, estate, collection, group, "READY")?;
    thing.tags.clear();
    body.insert("fingerprint".into(), fingerprint(&["group", &group.path()]).into());
    body.insert("size".into(), 0.into());
    change::copy(call, &mut body, &["namedPorts"]);
    thing.body = (&body).into();
    estate.add(call.cause(), "compute.instanceGroups", thing);
    Ok(())
}

/// Makes instances until a group has `size`, or ends its last ones.
fn fill(
    call: &Call<'_>,
    estate: &mut Estate,
    group: &Link,
    template: &Link,
    base: &str,
    size: u64,
) -> Result<(), Refusal> {
    let wanted = instance::properties(call, estate, "resource.instanceTemplate", &template.to_string())?;
    let mut members = members(call, estate, group);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    while members.len() > size {
        if let Some(member) = members.pop() {
            power::end(call, estate, &member);
        }
    }
    while members.len() < size {
        let at = free_name(call, estate, &group.place, base);
        let name = at.name.clone();
        let mut own = wanted.clone();
        own.insert("name".into(), name.into());
        // A zone that has no machine left leaves a manager short: it tries on, and says so in its status.
        if instance::create(call, estate, &at, &own)?.is_err() {
            break;
        }
        members.push(at);
    }
    let now = call.now;
    if let Some(thing) =
        estate.get_mut(call.project(), "compute.instanceGroups", &group.place, &group.name, now)
    {
        thing.tags = members.iter().map(|member| (member.name.as_str().into(), "".into())).collect();
        thing.body.edit(|body| {
            body.insert("size".into(), members.len().into());
            if let Some(interface) = wanted.get("networkInterfaces").map(|all| &all[0]) {
                for name in ["network", "subnetwork"] {
                    let full = interface[name].as_str().map(|text| full(call, text, name, &group.place));
                    full.map(|full| body.insert(name.into(), full.into()));
                }
            }
        });
    }
    Ok(())
}

/// A name that no instance of the zone has, not even one that is still on its way out.
fn free_name(call: &Call<'_>, estate: &mut Estate, zone: &str, base: &str) -> Link {
    let mut count = LETTERS;
    loop {
        let name = format!("{base}-{}", letters(call, estate, count));
        if !estate.is_taken(call.project(), "compute.instances", zone, &name, call.now) {
            return Link::new(call.project(), zone, "instances", &name);
        }
        // So that there is an end to it, however many there are.
        count += 1;
    }
}

fn full(call: &Call<'_>, text: &str, what: &str, zone: &str) -> String {
    let place = if what == "network" { "global" } else { super::link::region_of(zone) };
    let link = Link::read(text, call.project(), place, &format!("{what}s"));
    link.map_or_else(|| text.to_owned(), |link| link.to_string())
}

fn letters(call: &Call<'_>, estate: &mut Estate, count: usize) -> String {
    let hex = estate.new_hex(call.seed(), "member", count);
    // Letters that read as none of the digits.
    hex.bytes().map(|b| char::from(b"bcdfghjklmnpqrst"[usize::from(b) % 16])).collect()
}

/// The instances of a group that are there.
pub fn members(call: &Call<'_>, estate: &Estate, group: &Link) -> Vec<Link> {
    let found = estate.get(call.project(), "compute.instanceGroups", &group.place, &group.name, call.now);
    let names = found.into_iter().flat_map(|thing| thing.tags.keys());
    let links = names.map(|name| Link::new(call.project(), &group.place, "instances", name));
    let is = |link: &Link| {
        let found = estate.get(call.project(), "compute.instances", &link.place, &link.name, call.now);
        found.is_some_and(|thing| thing.gone_at.is_none())
    };
    links.filter(is).collect()
}

/// `resize`.
pub fn resize(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let known = change::known(call, estate)?;
    let size = call.query.get("size").and_then(number).ok_or_else(|| Refusal::required("size"))?;
    refuse_scaled(call, estate, &known.link)?;
    let thing = change::changed(call, estate)?;
    thing.life.turn(call.now, "WORKING");
    thing.life.plan(SETTLES, "STABLE");
    thing.body.edit(|body| {
        body.insert("targetSize".into(), size.into());
    });
    let kept = thing.body.read();
    let text = |name: &str| kept.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let template = Link::read(&text("instanceTemplate"), call.project(), "global", "instanceTemplates");
    let template = template.ok_or_else(|| Refusal::not_found("instanceTemplate"))?;
    let group = Link { collection: "instanceGroups".into(), ..known.link.clone() };
    fill(call, estate, &group, &template, &text("baseInstanceName"), size)?;
    change::done(call, estate, &known, "compute.instanceGroupManagers.resize", SOON)
}

/// `delete`, with its group and instances, unless a backend service has the group.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let known = change::known(call, estate)?;
    let group = Link { collection: "instanceGroups".into(), ..known.link.clone() };
    for (name, link) in [("instanceGroups", &group), ("instanceGroupManagers", &known.link)] {
        let collection = Collection::named(name).ok_or_else(|| Refusal::unimplemented(name))?;
        if let Some(user) = change::user(call, estate, collection, link) {
            return Err(Refusal::in_use(&link.path(), &user));
        }
    }
    for member in members(call, estate, &group) {
        power::end(call, estate, &member);
    }
    let until = call.now + SETTLES;
    estate.end(call.cause(), "compute.instanceGroups", &group.place, &group.name, until);
    if !estate.end(call.cause(), "compute.instanceGroupManagers", &group.place, &group.name, until) {
        return Err(Refusal::not_ready(&known.link.path()));
    }
    change::done(call, estate, &known, "delete", SETTLES)
}

/// `listManagedInstances`.
pub fn managed(call: &Call<'_>, estate: &Estate) -> Outcome {
    let (_, manager) = read::named(call, estate)?;
    let group = Link::new(call.project(), &manager.place, "instanceGroups", &manager.id);
    let template = manager.body.get("instanceTemplate");
    let instances = members(call, estate, &group);
    let shown: Vec<Value> = instances
        .iter()
        .filter_map(|link| {
            let thing = estate.get(call.project(), "compute.instances", &link.place, &link.name, call.now)?;
            let settled = thing.life.is_settled(call.now);
            Some(json!({
                "instance": link.to_string(), "id": thing.body.get("id"), "name": link.name,
                "instanceStatus": thing.state(call.now), "currentAction": if settled { "NONE" } else { "CREATING" },
                "version": { "instanceTemplate": template },
            }))
        })
        .collect();
    Ok(Answer::Json(json!({ "managedInstances": shown })))
}

/// `instanceGroups.listInstances`.
pub fn instances(call: &Call<'_>, estate: &Estate) -> Outcome {
    let (collection, group) = read::named(call, estate)?;
    let link = collection.link(call, group);
    let running = call.said("instanceState") == "RUNNING";
    let items: Vec<String> = members(call, estate, &link)
        .iter()
        .filter_map(|link| {
            let thing = estate.get(call.project(), "compute.instances", &link.place, &link.name, call.now)?;
            let state = thing.state(call.now);
            let wanted = !running || state == "RUNNING";
            wanted.then(|| json!({ "instance": link.to_string(), "status": state }).to_string())
        })
        .collect();
    let path = format!("{}/listInstances", link.path());
    let Answer::Text(text) = read::listing("instanceGroups", &path, &items, None) else {
        return Err(Refusal::unimplemented("listInstances"));
    };
    Ok(Answer::Text(text.replacen("compute#instanceGroupsList", "compute#instanceGroupsListInstances", 1)))
}

/// `autoscalers.insert`.
pub fn insert_autoscaler(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let at = change::new_name(call, estate, collection)?;
    let text = call.must_say("target")?;
    let target = change::resolve(call, estate, "resource.target", text, &at.place, "instanceGroupManagers")?;
    let policy =
        call.body.get("autoscalingPolicy").ok_or_else(|| Refusal::required("resource.autoscalingPolicy"))?;
    let least = check_policy(policy)?;
    let name = Value::String(target.to_string());
    let mut others = estate.all(call.project(), "compute.autoscalers", Some(&at.place), call.now);
    if let Some(other) = others.find(|other| other.body.get("target") == name) {
        let user = Link::new(call.project(), &at.place, "autoscalers", &other.id);
        return Err(Refusal::in_use(&target.path(), &user.path()));
    }
    drop(others);
    let (thing, mut body) = change::new_thing(call, estate, collection, &at, "ACTIVE")?;
    body.insert("target".into(), name);
    body.insert("autoscalingPolicy".into(), policy.clone());
    body.insert("recommendedSize".into(), least.into());
    change::add(call, estate, collection, thing, &body, SOON)
}

/// The least that an autoscaler keeps, which must not be more than the most.
fn check_policy(policy: &Value) -> Result<u64, Refusal> {
    let (least, most) = (policy["minNumReplicas"].as_u64().unwrap_or(2), policy["maxNumReplicas"].as_u64());
    if most.is_none_or(|most| most < least) {
        let why = "Must be at least the minimum number of replicas.";
        let most = policy["maxNumReplicas"].to_string();
        return Err(Refusal::invalid("resource.autoscalingPolicy.maxNumReplicas", &most, why));
    }
    Ok(least)
}

/// `autoscalers.patch`: the query says which, and what is said goes over what is there.
pub fn patch_autoscaler(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let (place, name) = (read::place(call)?, call.asked("autoscaler"));
    if name.is_empty() {
        return Err(Refusal::required("autoscaler"));
    }
    let link = Link::new(call.project(), place, "autoscalers", name);
    let thing = estate.get_mut(call.project(), "compute.autoscalers", place, name, call.now);
    let thing = thing.ok_or_else(|| Refusal::not_found(&link.path()))?;
    if thing.gone_at.is_some() {
        return Err(Refusal::not_ready(&link.path()));
    }
    let mut policy = thing.body.get("autoscalingPolicy");
    if let Some(said) = call.body.get("autoscalingPolicy") {
        merge(&mut policy, said);
    }
    let least = check_policy(&policy)?;
    thing.body.edit(|body| {
        body.insert("autoscalingPolicy".into(), policy);
        body.insert("recommendedSize".into(), least.into());
        if let Some(said) = call.body.get("description") {
            body.insert("description".into(), said.clone());
        }
    });
    let id = thing.body.get("id").as_str().unwrap_or_default().to_owned();
    change::done(call, estate, &change::Known { link, id }, "patch", SOON)
}

/// Refuses to resize by hand what an autoscaler resizes.
fn refuse_scaled(call: &Call<'_>, estate: &Estate, manager: &Link) -> Result<(), Refusal> {
    let target = Value::String(manager.to_string());
    let mut scalers = estate.all(call.project(), "compute.autoscalers", Some(&manager.place), call.now);
    let scales = |thing: &Thing| {
        thing.gone_at.is_none()
            && thing.body.get("target") == target
            && thing.body.get("autoscalingPolicy")["mode"] != "OFF"
    };
    if scalers.any(scales) {
        let message = "Invalid resource usage: 'Cannot resize a managed instance group that is autoscaled.'.";
        return Err(Refusal::new(400, "invalidResourceUsage", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use marquee_types::Clock;

    use super::*;
    use crate::{
        face::FaceName,
        world::{World, built_in},
    };

    #[test]
    fn a_member_gets_a_name_that_no_instance_has() {
        let now: DateTime<Utc> = "2026-05-01T12:00:00Z".parse().unwrap();
        let world =
            World::grow(built_in("wedding-season").unwrap(), &[], Clock::manual(now), now, 1.0).unwrap();
        let account = world.plan.accounts_of(FaceName::Google).next().unwrap();
        let call = Call::inside(&world, account, "test", now);
        let mut estate = Estate::new();
        let first = free_name(&call, &mut estate.clone(), "z", "web");
        let mut taken = Thing::new(&first.name, "z", now, "RUNNING");
        // Also one that is not seen yet.
        taken.seen_from = now + SETTLES;
        estate.add(call.cause(), "compute.instances", taken);
        let second = free_name(&call, &mut estate, "z", "web");
        assert!(second.name.starts_with("web-") && second.name != first.name);
    }
}
