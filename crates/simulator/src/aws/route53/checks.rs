//! Health checks, which follow from how the things are that they look at.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{CHECKS, GLOBAL, bare, page, records};
use crate::{
    aws::{
        ask::{Ask, stamp},
        ec2, elbv2,
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Meter, Thing},
};

/// From where AWS looks.
const WATCHERS: &[(&str, &str)] =
    &[("eu-west-1", "176.34.159.192"), ("us-east-1", "54.243.31.192"), ("ap-southeast-1", "54.251.31.128")];

fn one<'e>(ask: &Ask<'_>, estate: &'e Estate, id: &str) -> Result<&'e Thing, Refusal> {
    let missing =
        || Refusal::new("NoSuchHealthCheck", format!("A health check with id {id} does not exist."));
    estate.get(ask.owner(), CHECKS, GLOBAL, bare(id), ask.now).ok_or_else(missing)
}

fn show(check: &Thing) -> Value {
    let body = check.body.read();
    json!({
        "Id": check.id, "CallerReference": body["CallerReference"], "HealthCheckConfig": body["Config"],
        "HealthCheckVersion": 1,
    })
}

pub(super) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let (reference, given) =
        (ask.need("CallerReference"), ask.get("HealthCheckConfig").cloned().unwrap_or_default());
    let same = estate
        .all(ask.owner(), CHECKS, Some(GLOBAL), ask.now)
        .find(|check| check.body.get("CallerReference") == reference);
    if let Some(check) = same {
        if check.body.get("Given") == given {
            return Ok(answer(check).into());
        }
        let message =
            format!("A health check with caller reference {reference} already exists with other settings.");
        return Err(Refusal::new("HealthCheckAlreadyExists", message));
    }
    let kind = given["Type"].as_str().unwrap_or_default();
    if !matches!(kind, "HTTP" | "HTTPS" | "TCP" | "HTTP_STR_MATCH" | "HTTPS_STR_MATCH") {
        return Err(Refusal::new("InvalidInput", format!("Health checks of type {kind} are not simulated")));
    }
    if given.get("IPAddress").is_none() && given.get("FullyQualifiedDomainName").is_none() {
        let message = "Invalid parameter : Either IPAddress or FullyQualifiedDomainName must be specified";
        return Err(Refusal::new("InvalidInput", message));
    }
    let mut config = given.clone();
    let port = if kind.starts_with("HTTPS") { 443 } else { 80 };
    for (name, default) in [
        ("Port", json!(port)),
        ("RequestInterval", json!(30)),
        ("FailureThreshold", json!(3)),
        ("MeasureLatency", json!(false)),
        ("Inverted", json!(false)),
        ("Disabled", json!(false)),
        ("EnableSNI", json!(kind.starts_with("HTTPS"))),
    ] {
        if config.get(name).is_none() {
            config[name] = default;
        }
    }
    let id = ask.world.seed().uuid(&["health-check", &estate.next_number().to_string()]);
    let mut check = Thing::new(&id, GLOBAL, ask.now, "active");
    check.body = json!({ "CallerReference": reference, "Given": given, "Config": config }).into();
    check.meter(ask.now, [Meter::new("zone/health-check", 1.0)]);
    let answer = answer(&check);
    ask.add(estate, CHECKS, check);
    Ok(answer.into())
}

fn answer(check: &Thing) -> Value {
    let location = format!("https://route53.amazonaws.com/2013-04-01/healthcheck/{}", check.id);
    json!({ "HealthCheck": show(check), "Location": location })
}

pub(super) fn get(ask: &Ask<'_>, estate: &Estate) -> Answered {
    Ok(json!({ "HealthCheck": show(one(ask, estate, ask.need("HealthCheckId"))?) }).into())
}

pub(super) fn list(ask: &Ask<'_>, estate: &Estate) -> Answered {
    page(ask, estate, (CHECKS, "HealthChecks"), |_| true, show)
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let id = one(ask, estate, ask.need("HealthCheckId"))?.id.clone();
    if records::uses(ask, estate, &id) {
        let message = format!("The health check {id} is in use by a resource record set.");
        return Err(Refusal::new("HealthCheckInUse", message).status(400));
    }
    estate.end(ask.cause(), CHECKS, GLOBAL, &id, ask.now + TimeDelta::zero());
    Ok(Value::Null.into())
}

pub(super) fn status(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let check = one(ask, estate, ask.need("HealthCheckId"))?;
    let config = check.body.get("Config");
    let target = config["IPAddress"].as_str().or_else(|| config["FullyQualifiedDomainName"].as_str());
    let well = is_well(ask, estate, target.unwrap_or_default(), 0) != (config["Inverted"] == true);
    let interval = config["RequestInterval"].as_i64().unwrap_or(30);
    let checked = ask.now - TimeDelta::seconds(ask.now.timestamp() % interval);
    let status = if well { "Success: HTTP Status Code 200, OK" } else { "Failure: Connection timed out." };
    let observations: Vec<Value> = WATCHERS
        .iter()
        .map(|(region, ip)| {
            json!({
                "Region": region, "IPAddress": ip,
                "StatusReport": { "Status": status, "CheckedTime": stamp(checked) },
            })
        })
        .collect();
    Ok(json!({ "HealthCheckObservations": observations }).into())
}

/// Whether what stands behind an address or a name answers.
fn is_well(ask: &Ask<'_>, estate: &Estate, target: &str, depth: u8) -> bool {
    let target = target.trim_end_matches('.').to_lowercase();
    for region in &ask.account.regions {
        let there = Ask { region, ..*ask };
        let fine = |instance: &Thing| {
            instance.state(ask.now) == "running"
                && !elbv2::unhealthy(&there, instance.zone.as_deref().unwrap_or_default())
        };
        if there
            .all(estate, ec2::INSTANCES)
            .any(|one| one.body.get("PublicIpAddress") == *target && fine(one))
        {
            return true;
        }
        let balancer = there.all(estate, elbv2::BALANCERS).find(|balancer| {
            balancer.body.get("DNSName").as_str().is_some_and(|name| name.eq_ignore_ascii_case(&target))
        });
        if let Some(balancer) = balancer {
            return balancer.state(ask.now) == "active" && !elbv2::unhealthy(&there, "");
        }
    }
    // Aliases lead to names; no chain of them is longer.
    depth < 4
        && records::resolve(ask, estate, &target).iter().any(|next| is_well(ask, estate, next, depth + 1))
}
