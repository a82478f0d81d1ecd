//! Load balancing: forwarding rules, backend services, health checks and target pools.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{
    change, interface,
    link::{self, BASE, Link},
    operation, read,
};
use crate::{
    estate::{Estate, Meter},
    google::{
        call::{Answer, Call, Outcome, fingerprint},
        refusal::Refusal,
    },
};

const SOON: TimeDelta = TimeDelta::seconds(4);

/// `forwardingRules.insert` and `globalForwardingRules.insert`: to a backend service or a target pool.
pub fn insert_rule(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let at = change::new_name(call, estate, collection)?;
    let (mut thing, mut body) = change::new_thing(call, estate, collection, &at, "READY")?;
    let (service, target) = (call.said("backendService"), call.said("target"));
    if service.is_empty() == target.is_empty() {
        let why = "Exactly one of 'target' and 'backendService' must be specified.";
        return Err(Refusal::invalid("resource.target", target, why));
    }
    if service.is_empty() {
        let pool = change::resolve(call, estate, "resource.target", target, &at.place, "targetPools")?;
        body.insert("target".into(), pool.to_string().into());
    } else {
        let service =
            change::resolve(call, estate, "resource.backendService", service, &at.place, "backendServices")?;
        body.insert("backendService".into(), service.to_string().into());
    }
    for (member, kind, place) in
        [("network", "networks", "global"), ("subnetwork", "subnetworks", at.place.as_str())]
    {
        let text = call.said(member);
        if !text.is_empty() {
            let found = change::resolve(call, estate, &format!("resource.{member}"), text, place, kind)?;
            body.insert(member.into(), found.to_string().into());
        }
    }
    let address = free_address(call, estate, &at)?;
    interface::set_address(call, estate, &address, &at, "IN_USE");
    body.insert("IPAddress".into(), address.into());
    body.insert("IPProtocol".into(), "TCP".into());
    body.insert("loadBalancingScheme".into(), "EXTERNAL".into());
    body.insert("networkTier".into(), "PREMIUM".into());
    body.insert("fingerprint".into(), fingerprint(&["rule", &at.path()]).into());
    change::copy(
        call,
        &mut body,
        &["IPProtocol", "loadBalancingScheme", "networkTier", "portRange", "ports", "allPorts"],
    );
    thing.meter(call.now, [Meter::new("balancer/rule", 1.0)]);
    change::add(call, estate, collection, thing, &body, SOON)
}

/// The address of a new rule: the one that is asked for, if nothing uses it.
fn free_address(call: &Call<'_>, estate: &Estate, at: &Link) -> Result<String, Refusal> {
    let address = match call.said("IPAddress") {
        "" => interface::public(call, &at.path()),
        address => address_of(call, estate, at, address),
    };
    let Some(user) = in_use(call, estate, &address) else { return Ok(address) };
    let why = format!("Specified IP address is in-use by '{user}' and would result in a conflict.");
    Err(Refusal::invalid("resource.IPAddress", &address, &why))
}

/// What uses a reserved address.
fn in_use(call: &Call<'_>, estate: &Estate, address: &str) -> Option<String> {
    let mut all = estate.all(call.project(), "compute.addresses", None, call.now);
    let found = all.find(|thing| thing.body.get("address") == address)?;
    found.body.get("users")[0].as_str().map(str::to_owned)
}

/// `forwardingRules.delete`: its address, if it is a reserved one, is free again.
pub fn delete_rule(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let (collection, rule) = read::named(call, estate)?;
    let (link, address) = (collection.link(call, rule), rule.body.get("IPAddress"));
    let answer = change::delete(call, estate)?;
    interface::set_address(call, estate, address.as_str().unwrap_or_default(), &link, "RESERVED");
    Ok(answer)
}

/// An address that is given as such, or as the link of a reserved one.
fn address_of(call: &Call<'_>, estate: &Estate, at: &Link, text: &str) -> String {
    let link = Link::read(text, call.project(), &at.place, "addresses").filter(|_| text.contains('/'));
    let found = link.and_then(|link| {
        let found = estate.get(call.project(), "compute.addresses", &link.place, &link.name, call.now)?;
        found.body.get("address").as_str().map(str::to_owned)
    });
    found.unwrap_or_else(|| text.to_owned())
}

/// `healthChecks.insert`.
pub fn insert_check(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let at = change::new_name(call, estate, collection)?;
    let (thing, mut body) = change::new_thing(call, estate, collection, &at, "READY")?;
    call.must_say("type")?;
    for (name, usual) in
        [("checkIntervalSec", 5), ("timeoutSec", 5), ("healthyThreshold", 2), ("unhealthyThreshold", 2)]
    {
        body.insert(name.into(), usual.into());
    }
    change::copy(
        call,
        &mut body,
        &[
            "type",
            "checkIntervalSec",
            "timeoutSec",
            "healthyThreshold",
            "unhealthyThreshold",
            "httpHealthCheck",
            "httpsHealthCheck",
            "tcpHealthCheck",
            "sslHealthCheck",
            "http2HealthCheck",
        ],
    );
    change::add(call, estate, collection, thing, &body, SOON)
}

/// `backendServices.insert`, global or of a region.
pub fn insert_service(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let at = change::new_name(call, estate, collection)?;
    let (thing, mut body) = change::new_thing(call, estate, collection, &at, "READY")?;
    let usual = json!({
        "protocol": "HTTP", "loadBalancingScheme": "EXTERNAL", "port": 80, "portName": "http", "timeoutSec": 30,
        "sessionAffinity": "NONE", "affinityCookieTtlSec": 0, "enableCDN": false,
        "connectionDraining": { "drainingTimeoutSec": 0 },
        "fingerprint": fingerprint(&["service", &at.path()]),
    });
    body.extend(usual.as_object().cloned().unwrap_or_default());
    change::copy(
        call,
        &mut body,
        &[
            "protocol",
            "loadBalancingScheme",
            "port",
            "portName",
            "timeoutSec",
            "sessionAffinity",
            "affinityCookieTtlSec",
            "enableCDN",
            "connectionDraining",
            "localityLbPolicy",
        ],
    );
    let mut checks = Vec::new();
    for text in call.body.get("healthChecks").and_then(Value::as_array).into_iter().flatten() {
        let text = text.as_str().unwrap_or_default();
        let check =
            change::resolve(call, estate, "resource.healthChecks[0]", text, "global", "healthChecks")?;
        checks.push(check.to_string());
    }
    body.insert("healthChecks".into(), checks.into());
    body.insert("backends".into(), backends(call, estate)?.into());
    change::add(call, estate, collection, thing, &body, SOON)
}

/// The groups behind a service, by their full links.
fn backends(call: &Call<'_>, estate: &Estate) -> Result<Vec<Value>, Refusal> {
    let mut backends = Vec::new();
    for (index, backend) in
        call.body.get("backends").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        let field = format!("resource.backends[{index}].group");
        let text = backend["group"].as_str().unwrap_or_default();
        let group = change::resolve(call, estate, &field, text, "", "instanceGroups")?;
        let mut backend = backend.clone();
        backend["group"] = group.to_string().into();
        if backend["balancingMode"].is_null() {
            backend["balancingMode"] = "UTILIZATION".into();
        }
        backends.push(backend);
    }
    Ok(backends)
}

/// `backendServices.getHealth`: of the instances of one of its groups.
pub fn health(call: &Call<'_>, estate: &Estate) -> Outcome {
    let (_, service) = read::named(call, estate)?;
    let text = call.must_say("group")?;
    let group = Link::read(text, call.project(), "", "instanceGroups")
        .ok_or_else(|| Refusal::invalid("resource.group", text, "The URL is malformed."))?;
    let backends = service.body.get("backends");
    let own = backends.as_array().into_iter().flatten().any(|backend| backend["group"] == group.to_string());
    if !own {
        return Err(Refusal::invalid("resource.group", text, "The group is not a backend of the service."));
    }
    let port = service.body.get("port");
    let statuses: Vec<Value> = super::group::members(call, estate, &group)
        .into_iter()
        .map(|instance| status(call, estate, &instance, &port))
        .collect();
    let mut answer = json!({ "kind": "compute#backendServiceGroupHealth" });
    if !statuses.is_empty() {
        answer["healthStatus"] = statuses.into();
    }
    Ok(Answer::Json(answer))
}

/// The health of one instance: what does not run, or is struck by a fault, is not healthy.
fn status(call: &Call<'_>, estate: &Estate, instance: &Link, port: &Value) -> Value {
    let found = estate.get(call.project(), "compute.instances", &instance.place, &instance.name, call.now);
    let runs = found.is_some_and(|thing| thing.state(call.now) == "RUNNING");
    let healthy = runs && !call.effects.unhealthy;
    let address = found.map(|thing| thing.body.get("networkInterfaces")[0]["networkIP"].clone());
    let mut status = json!({
        "healthState": if healthy { "HEALTHY" } else { "UNHEALTHY" },
        "instance": instance.to_string(),
        "ipAddress": address,
    });
    if !port.is_null() {
        status["port"] = port.clone();
    }
    status
}

/// `targetPools.insert`.
pub fn insert_pool(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let collection = read::collection(call)?;
    let at = change::new_name(call, estate, collection)?;
    let (thing, mut body) = change::new_thing(call, estate, collection, &at, "READY")?;
    body.insert("sessionAffinity".into(), "NONE".into());
    change::copy(call, &mut body, &["sessionAffinity", "failoverRatio"]);
    let listed = call.body.get("instances").and_then(Value::as_array).into_iter().flatten();
    let listed: Vec<&str> = listed.map(|text| text.as_str().unwrap_or_default()).collect();
    let instances = pooled(call, estate, &at.place, &listed)?;
    body.insert("instances".into(), instances.into());
    change::add(call, estate, collection, thing, &body, SOON)
}

/// The full links of instances that are in the region of a pool.
fn pooled(call: &Call<'_>, estate: &Estate, region: &str, listed: &[&str]) -> Result<Vec<String>, Refusal> {
    let instance = |(index, text): (usize, &&str)| {
        let field = format!("resource.instances[{index}]");
        let instance = change::resolve(call, estate, &field, text, "", "instances")?;
        if link::region_of(&instance.place) != region {
            let why = "The instance must be in the region of the pool.";
            return Err(Refusal::invalid(&field, text, why));
        }
        Ok(instance.to_string())
    };
    listed.iter().enumerate().map(instance).collect()
}

/// `targetPools.addInstance`: those that are in it already stay.
pub fn add_instance(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    change_pool(call, estate, "AddInstance", |instances, named| {
        let new: Vec<String> = named.into_iter().filter(|link| !instances.contains(link)).collect();
        instances.extend(new);
    })
}

/// `targetPools.removeInstance`.
pub fn remove_instance(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    change_pool(call, estate, "RemoveInstance", |instances, named| {
        instances.retain(|link| !named.contains(link));
    })
}

fn change_pool(
    call: &Call<'_>,
    estate: &mut Estate,
    kind: &str,
    change: impl FnOnce(&mut Vec<String>, Vec<String>),
) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let known = change::known(call, estate)?;
    let listed = call.body.get("instances").and_then(Value::as_array).into_iter().flatten();
    let listed: Vec<&str> = listed.map(|one| one["instance"].as_str().unwrap_or_default()).collect();
    if listed.is_empty() {
        return Err(Refusal::required("instances"));
    }
    let named = pooled(call, estate, &known.link.place, &listed)?;
    let thing = change::changed(call, estate)?;
    let present = thing.body.get("instances");
    let present = present.as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut instances: Vec<String> = present.map(str::to_owned).collect();
    change(&mut instances, named);
    thing.body.edit(|body| {
        body.insert("instances".into(), instances.into());
    });
    change::done(call, estate, &known, kind, SOON)
}

/// `targetPools.getHealth`, of one instance of the pool.
pub fn pool_health(call: &Call<'_>, estate: &Estate) -> Outcome {
    let (_, pool) = read::named(call, estate)?;
    let text = call.said("instance");
    let members = pool.body.get("instances");
    let members = members.as_array().into_iter().flatten().filter_map(Value::as_str);
    let wanted = text.trim_start_matches(BASE);
    let member = members.into_iter().find(|member| member.trim_start_matches(BASE) == wanted);
    let member = member.and_then(|member| Link::read(member, call.project(), "", "instances"));
    let member = member.ok_or_else(|| Refusal::dangling("resource.instance", text))?;
    let statuses = [status(call, estate, &member, &Value::Null)];
    Ok(Answer::Json(json!({ "kind": "compute#targetPoolInstanceHealth", "healthStatus": statuses })))
}
