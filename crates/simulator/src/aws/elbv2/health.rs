//! How targets are: as their instances are, unless a fault makes them ill.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{GROUPS, groups::routes, one};
use crate::{
    aws::{ask::Ask, ec2, protocol::Refusal, service::Answered},
    estate::Estate,
    faults::Kind,
};

/// A state, its reason and what is said of it.
type Health = (&'static str, Option<(&'static str, &'static str)>);

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let arn = ask.need("TargetGroupArn");
    let group = one(ask, estate, GROUPS, arn)?;
    let body = Value::Object(group.body.read());
    let used = routes(ask, estate).contains_key(arn);
    let registered = body["Targets"].as_array().map_or(&[][..], Vec::as_slice);
    let mut wanted: Vec<&Value> = registered.iter().collect();
    if ask.get("Targets").is_some() {
        wanted = ask
            .list("Targets")
            .iter()
            .map(|target| {
                let found = registered.iter().find(|known| known["Id"] == target["Id"]);
                found.ok_or_else(|| {
                    let message =
                        format!("The target {} is not registered with the target group", target["Id"]);
                    Refusal::new("InvalidTarget", message)
                })
            })
            .collect::<Result<_, _>>()?;
    }
    let mut ill = HashMap::new();
    let shown: Vec<Value> = wanted
        .into_iter()
        .map(|target| {
            let (state, reason) = health(ask, estate, &body, target, used, &mut ill);
            let mut health = json!({ "State": state });
            if let Some((reason, description)) = reason {
                health["Reason"] = reason.into();
                health["Description"] = description.into();
            }
            json!({
                "Target": { "Id": target["Id"], "Port": target["Port"] },
                "HealthCheckPort": target["Port"].to_string(),
                "TargetHealth": health,
            })
        })
        .collect();
    Ok(json!({ "TargetHealthDescriptions": shown }).into())
}

fn health(
    ask: &Ask<'_>,
    estate: &Estate,
    group: &Value,
    target: &Value,
    used: bool,
    ill: &mut HashMap<String, bool>,
) -> Health {
    if !used {
        return (
            "unused",
            Some((
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer",
            )),
        );
    }
    let instance = ask.find(estate, ec2::INSTANCES, target["Id"].as_str().unwrap_or_default());
    let mut since =
        target["Since"].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok()).unwrap_or(ask.now);
    let mut zone = "";
    if group["TargetType"] == "instance" {
        match instance.map(|instance| (instance, instance.state(ask.now))) {
            Some((instance, "running")) => {
                since = since.max(instance.life.since(ask.now));
                zone = instance.zone.as_deref().unwrap_or_default();
            }
            Some((_, "pending")) => {
                return ("initial", Some(("Elb.InitialHealthChecking", "Initial health checks in progress")));
            }
            _ => {
                return (
                    "unused",
                    Some(("Target.InvalidState", "Target is in the stopped or terminated state")),
                );
            }
        }
    }
    let failing = *ill.entry(zone.to_owned()).or_insert_with(|| unhealthy(ask, zone));
    if failing {
        return ("unhealthy", Some(("Target.FailedHealthChecks", "Health checks failed")));
    }
    let number = |name: &str| group[name].as_i64().unwrap_or(1);
    let checks = TimeDelta::seconds(number("HealthCheckIntervalSeconds") * number("HealthyThresholdCount"));
    if ask.now - since < checks {
        return ("initial", Some(("Elb.RegistrationInProgress", "Target registration is in progress")));
    }
    ("healthy", None)
}

/// Whether a fault makes ill what runs in a zone.
pub(crate) fn unhealthy(ask: &Ask<'_>, zone: &str) -> bool {
    ask.fault(zone, ask.operation, |kind| *kind == Kind::Unhealthy).is_some()
}
