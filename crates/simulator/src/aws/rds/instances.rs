//! Database instances: how they look, and what of them changes at a time that is set.
//!
//! A change that is deferred to the maintenance window is kept beside the values that hold until then (`Pending`, with
//! the time in `PendingAt`). What holds now follows from the clock, as everything does.

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{Description, INSTANCES, set};
use crate::{
    aws::{
        ask::{Ask, stamp, tag_list},
        filters::Source,
        protocol::Refusal,
        service::Answered,
    },
    estate::{Estate, Meter, Thing},
};

pub(super) const INSTANCE: Description = Description {
    kind: INSTANCES,
    id: "DBInstanceIdentifier",
    not_found: "DBInstanceNotFound",
    noun: "DBInstance",
    filters: &[
        ("db-instance-id", Source::Id),
        ("engine", Source::Body(&["Engine"])),
        ("db-cluster-id", Source::Body(&["DBClusterIdentifier"])),
        ("dbi-resource-id", Source::Body(&["DbiResourceId"])),
    ],
    list: "DBInstances",
};

/// States in which an instance is charged for; its storage is in all.
pub(super) const CHARGED: &[&str] =
    &["available", "modifying", "rebooting", "backing-up", "starting", "stopping", "upgrading"];

/// When the next maintenance window begins: Sundays at five.
pub(super) fn window(now: DateTime<Utc>) -> DateTime<Utc> {
    let midnight = now.date_naive().and_hms_opt(5, 0, 0).map_or(now, |time| time.and_utc());
    let days = (7 - i64::from(now.weekday().num_days_from_sunday())) % 7;
    let next = midnight + TimeDelta::days(days);
    if next <= now { next + TimeDelta::days(7) } else { next }
}

/// The members that hold at a time, and those that are still pending.
pub(super) fn holding(
    body: &Map<String, Value>,
    now: DateTime<Utc>,
) -> (Map<String, Value>, Map<String, Value>) {
    let mut holding = body.clone();
    let pending = holding.shift_remove("Pending").and_then(|pending| match pending {
        Value::Object(pending) => Some(pending),
        _ => None,
    });
    let at = holding.shift_remove("PendingAt").and_then(|at| at.as_str()?.parse::<DateTime<Utc>>().ok());
    let pending = pending.unwrap_or_default();
    if let Some(at) = at.filter(|at| *at <= now) {
        take_over(&mut holding, pending, at);
        return (holding, Map::new());
    }
    (holding, pending)
}

/// What is optimized after it was changed, and cannot be changed again until that is done.
pub(super) const STORAGE: &[&str] = &["AllocatedStorage", "Iops", "StorageThroughput", "StorageType"];
/// How long that takes.
const OPTIMIZATION: TimeDelta = TimeDelta::hours(6);

/// Lets changes hold from a time on.
pub(super) fn take_over(body: &mut Map<String, Value>, changes: Map<String, Value>, at: DateTime<Utc>) {
    if STORAGE.iter().any(|name| changes.contains_key(*name)) {
        set(body, "StorageChangedAt", stamp(at));
    }
    body.extend(changes);
}

/// Whether the storage was changed so recently that it cannot be again.
pub(super) fn is_optimizing(body: &Map<String, Value>, now: DateTime<Utc>) -> bool {
    let at = body.get("StorageChangedAt").and_then(|at| at.as_str()?.parse::<DateTime<Utc>>().ok());
    at.is_some_and(|at| now - at < OPTIMIZATION)
}

/// Takes over what was pending, if its time has come.
pub(super) fn settle(instance: &mut Thing, now: DateTime<Utc>) {
    let (mut body, pending) = holding(&instance.body.read(), now);
    if pending.is_empty() {
        body.shift_remove("Pending");
        instance.body = (&body).into();
    }
}

/// Replaces what an instance is charged for from a time on; what was planned for later is forgotten.
pub(super) fn charge(
    instance: &mut Thing,
    body: &Map<String, Value>,
    now: DateTime<Utc>,
    from: DateTime<Utc>,
) {
    instance.meters.retain(|meter| meter.from <= now);
    for meter in &mut instance.meters {
        meter.until = meter.until.filter(|until| *until <= now);
    }
    let class = body.get("DBInstanceClass").and_then(Value::as_str).unwrap_or_default();
    let storage = body.get("AllocatedStorage").and_then(Value::as_f64).unwrap_or_default();
    let copies = if body.get("MultiAZ") == Some(&Value::Bool(true)) { 2.0 } else { 1.0 };
    let storage_type = body.get("StorageType").and_then(Value::as_str).unwrap_or("gp3");
    instance.meter(
        from,
        [
            Meter::new(&format!("database/{class}"), copies).only_in(CHARGED),
            Meter::new(&format!("database-storage/{storage_type}"), storage * copies),
        ],
    );
}

/// An instance as it looks now.
pub(super) fn show(ask: &Ask<'_>, instance: &Thing) -> Value {
    let (mut shown, pending) = holding(&instance.body.read(), ask.now);
    shown.shift_remove("StorageChangedAt");
    let status = instance.state(ask.now);
    set(&mut shown, "DBInstanceIdentifier", &*instance.id);
    set(&mut shown, "DBInstanceStatus", status);
    set(&mut shown, "DBInstanceArn", ask.arn("rds", &format!("db:{}", instance.id)));
    set(&mut shown, "TagList", tag_list(&instance.tags));
    set(&mut shown, "AvailabilityZone", instance.zone.as_deref().unwrap_or_default());
    set(&mut shown, "PendingModifiedValues", pending);
    if status != "creating" {
        set(&mut shown, "InstanceCreateTime", stamp(instance.born));
        let host = format!("{}.{}.{}.rds.amazonaws.com", instance.id, "simulated", ask.place());
        let port = shown.get("DbInstancePort").cloned().unwrap_or(json!(5432));
        set(
            &mut shown,
            "Endpoint",
            json!({ "Address": host, "Port": port, "HostedZoneId": "Z29XKXDKYMONMX" }),
        );
        if shown.get("BackupRetentionPeriod").and_then(Value::as_i64).unwrap_or(0) > 0 {
            set(&mut shown, "LatestRestorableTime", stamp(latest(ask, instance)));
        }
    }
    Value::Object(shown)
}

/// Until when an instance can be restored: five minutes ago, while it runs.
pub(super) fn latest(ask: &Ask<'_>, instance: &Thing) -> DateTime<Utc> {
    let until = match instance.state(ask.now) {
        "stopped" | "deleting" => instance.life.since(ask.now),
        _ => ask.now,
    };
    let latest = until - TimeDelta::minutes(5);
    latest.max(instance.born)
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    INSTANCE.page(ask, estate, show, |_| true)
}

/// Refuses unless the instance is in one of these states.
pub(super) fn in_state(ask: &Ask<'_>, instance: &Thing, states: &[&str]) -> Result<(), Refusal> {
    let state = instance.state(ask.now);
    if states.contains(&state) {
        return Ok(());
    }
    let message = format!("Instance {} is not in {} state: it is {state}.", instance.id, states.join(" or "));
    Err(Refusal::new("InvalidDBInstanceState", message))
}

#[cfg(test)]
mod tests {
    use super::window;

    #[test]
    fn the_window_opens_on_sundays() {
        for (now, next) in [
            ("2026-06-20T12:00:00Z", "2026-06-21T05:00:00Z"),
            ("2026-06-21T04:59:00Z", "2026-06-21T05:00:00Z"),
            ("2026-06-21T05:00:00Z", "2026-06-28T05:00:00Z"),
            ("2026-06-22T00:00:00Z", "2026-06-28T05:00:00Z"),
        ] {
            assert_eq!(
                window(now.parse().unwrap()),
                next.parse::<chrono::DateTime<chrono::Utc>>().unwrap(),
                "{now}"
            );
        }
    }
}
