//! Backups of flexible servers: one a day by itself, and those that were asked for.

use chrono::{DateTime, Duration, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{AWAKE, BACKUP, accepted, earliest_restore, server};
use crate::{
    azure::{
        call::{Answer, Call, stamp},
        error::{Outcome, Refused},
        ids::Target,
        resource::{self, Draft},
    },
    estate::{Estate, Thing},
};

/// Seconds that a backup takes.
const TAKES: i64 = 120;
/// Backups that may be asked for and kept at once.
const MOST: usize = 7;

/// The automatic backups of a server that are still kept: one a day, at the hour it was made.
fn automatic(call: &Call<'_>, thing: &Thing) -> Vec<Value> {
    let earliest = earliest_restore(call, thing);
    let id = thing.body.get("id");
    let mut at = earliest.date_naive().and_time(thing.born.time()).and_utc();
    let mut found = Vec::new();
    while at <= call.now {
        if at >= earliest && AWAKE.contains(&thing.state(at)) {
            let name = format!("backup_{}", at.timestamp() * 10_000_000 + 621_355_968_000_000_000);
            found.push(shown(id.as_str().unwrap_or_default(), &name, "Full", at, "Automatic"));
        }
        at += Duration::days(1);
    }
    found.reverse();
    found
}

fn shown(server: &str, name: &str, kind: &str, at: DateTime<Utc>, source: &str) -> Value {
    json!({
        "id": format!("{server}/backups/{name}"), "name": name,
        "type": BACKUP,
        "properties": { "backupType": kind, "completedTime": stamp(at), "source": source },
    })
}

/// Backups of a server that were asked for.
fn asked_for<'e>(call: &Call<'_>, estate: &'e Estate, server: &Target) -> Vec<&'e Thing> {
    let prefix = format!("{}/backups/", server.key);
    let all = estate.all(&call.account.id, BACKUP, None, call.now);
    all.filter(|thing| thing.id.starts_with(&prefix)).collect()
}

/// The call's server, which must be there.
fn owner(call: &Call<'_>, estate: &Estate) -> Outcome<(Target, Thing)> {
    let target = server::target(call, estate)?;
    let thing = target.need(call, estate)?.clone();
    Ok((target, thing))
}

fn target(call: &Call<'_>, estate: &Estate) -> Outcome<Target> {
    Target::of(call, estate, BACKUP, &[call.part("serverName"), call.part("backupName")])
}

/// PUT: a backup now.
pub fn put(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (server, thing) = owner(call, estate)?;
    super::refuse_busy(call, &thing)?;
    if thing.state(call.now) != "Ready" {
        return Err(Refused::conflict(
            "ServerIsStopped",
            format!("A backup of the stopped server '{}' cannot be taken.", thing.name),
        ));
    }
    let target = target(call, estate)?;
    if target.find(call, estate).is_some() {
        return Err(Refused::conflict(
            "BackupAlreadyExists",
            format!("A backup named '{}' exists already.", target.name),
        ));
    }
    if asked_for(call, estate, &server).len() >= MOST {
        return Err(Refused::conflict(
            "OnDemandBackupLimitReached",
            format!("The server '{}' has {MOST} on-demand backups already.", thing.name),
        ));
    }
    let done = call.now + TimeDelta::seconds(TAKES);
    let document = json!({
        "properties": { "backupType": "Customer On-Demand", "completedTime": stamp(done), "source": "Full" },
    });
    let draft = Draft::new(&thing.place, document).takes(TAKES);
    resource::keep(call, estate, &target, draft);
    Ok(accepted(call, &target, &thing.place, TimeDelta::seconds(TAKES), "CreateBackupManagementOperation"))
}

/// GET.
pub fn get(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let (_, thing) = owner(call, estate)?;
    let target = target(call, estate)?;
    // Until it is complete there is none to be seen.
    if let Some(backup) = target.find(call, estate).filter(|backup| backup.life.is_settled(call.now)) {
        return Ok(Answer::ok(&Value::Object(backup.body.read())));
    }
    let found = automatic(call, &thing).into_iter().find(|backup| backup["name"] == target.name.as_str());
    found.map(|backup| Answer::ok(&backup)).ok_or_else(|| target.missing())
}

/// All backups of a server.
pub fn list(call: &Call<'_>, estate: &Estate) -> Outcome<Answer> {
    let (server, thing) = owner(call, estate)?;
    let done = |backup: &&Thing| backup.life.is_settled(call.now);
    let own =
        asked_for(call, estate, &server).into_iter().filter(done).map(|backup| backup.body.text().to_owned());
    let all: Vec<String> = own.chain(automatic(call, &thing).iter().map(ToString::to_string)).collect();
    Ok(resource::paged(call, all.into_iter(), None))
}

/// DELETE of a backup that was asked for.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (_, thing) = owner(call, estate)?;
    let target = target(call, estate)?;
    if automatic(call, &thing).iter().any(|backup| backup["name"] == target.name.as_str()) {
        return Err(Refused::bad("AutomaticBackupCannotBeDeleted", "Automatic backups cannot be deleted."));
    }
    resource::delete(call, estate, &target, 20, |_, _| Ok(()))
}
