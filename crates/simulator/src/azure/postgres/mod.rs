//! `Microsoft.DBforPostgreSQL`: flexible servers.

pub mod backups;
pub mod capabilities;
pub mod change;
pub mod server;
mod sources;

use chrono::{DateTime, TimeDelta, Utc};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, inside, stamp, text},
    error::{Outcome, Refused},
    ids::Target,
    lro::Links,
    resource,
};
use crate::{
    FaceName,
    estate::{Meter, Thing},
    plan::Size,
};

/// Servers.
pub const SERVER: &str = "Microsoft.DBforPostgreSQL/flexibleServers";
/// Backups that were asked for.
pub const BACKUP: &str = "Microsoft.DBforPostgreSQL/flexibleServers/backups";

/// States in which a server has processors.
pub const AWAKE: &[&str] = &["Ready", "Provisioning", "Starting", "Updating", "Restarting", "Stopping"];

/// A server's size.
pub fn size<'a>(call: &Call<'a>, name: &str) -> Outcome<&'a Size> {
    let found = sizes(call).find(|size| size.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        Refused::bad(
            "InvalidParameterValue",
            format!("The value '{name}' of parameter 'sku.name' is invalid."),
        )
    })
}

/// All sizes of servers.
pub fn sizes<'a>(call: &Call<'a>) -> impl Iterator<Item = &'a Size> {
    let sizes = call.world.plan.sizes.iter();
    sizes.filter(|size| size.face == FaceName::Azure && size.database)
}

/// The tier of a size.
pub fn tier(name: &str) -> &'static str {
    match name.trim_start_matches("Standard_").chars().next() {
        Some('B') => "Burstable",
        Some('E') => "MemoryOptimized",
        _ => "GeneralPurpose",
    }
}

/// What a server is charged for; a standby is charged like the server.
pub fn meters(size: &str, gib: u64, standby: bool) -> Vec<Meter> {
    let times = if standby { 2.0 } else { 1.0 };
    #[expect(clippy::cast_precision_loss, reason = "GiB of a server")]
    let storage = gib as f64 * times;
    vec![
        Meter::new(&format!("database/{size}"), times).only_in(AWAKE),
        Meter::new("database-storage/ssd", storage),
    ]
}

/// From when on a server can be restored: the first backup, or as long as backups are kept.
pub fn earliest_restore(call: &Call<'_>, server: &Thing) -> DateTime<Utc> {
    let days = inside(&server.body.get("properties"), "backup.backupRetentionDays").as_i64().unwrap_or(7);
    (server.born + TimeDelta::minutes(5)).max(call.now - TimeDelta::days(days))
}

/// A server as it is shown: its state and what can be restored follow from the time.
pub fn show(call: &Call<'_>, thing: &Thing) -> String {
    let mut value = Value::Object(thing.body.read());
    let state = match thing.state(call.now) {
        "Deleting" => "Dropping",
        state => state,
    };
    value["properties"]["state"] = json!(state);
    value["systemData"] = json!({ "createdAt": stamp(thing.born), "createdByType": "Application" });
    value["properties"]["backup"]["earliestRestoreDate"] = stamp(earliest_restore(call, thing));
    let standby = text(&value, "properties.highAvailability.mode");
    if standby != "Disabled" && !standby.is_empty() {
        let state = if thing.life.is_settled(call.now) { "Healthy" } else { "CreatingStandby" };
        value["properties"]["highAvailability"]["state"] = json!(state);
    }
    value.to_string()
}

/// 202 of an operation, as this provider answers it.
pub fn accepted(call: &Call<'_>, target: &Target, place: &str, takes: TimeDelta, operation: &str) -> Answer {
    let running = resource::running(call, target, place, takes, Links::Both).giving();
    let body = json!({ "operation": operation, "startTime": stamp(call.now) });
    Answer::new(StatusCode::ACCEPTED, &body).running(running)
}

/// Refuses a change while another is under way.
pub fn refuse_busy(call: &Call<'_>, thing: &Thing) -> Outcome<()> {
    // A stopped server is settled although its start, after a week, is written already.
    if thing.state(call.now) == "Stopped" || thing.life.is_settled(call.now) {
        return Ok(());
    }
    Err(Refused::conflict(
        "ServerIsBusy",
        format!(
            "Cannot complete operation while server '{}' is busy processing another operation. Try again later.",
            thing.name
        ),
    ))
}

/// A value that cannot be.
pub fn wrong(name: &str, value: &str) -> Refused {
    Refused::bad(
        "InvalidParameterValue",
        format!(
            "Invalid value given for parameter '{name}'. Specify a valid parameter value. Value: '{value}'."
        ),
    )
    .about(name)
}
