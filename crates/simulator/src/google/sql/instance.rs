//! Making and ending instances of Cloud SQL: primaries, replicas and clones.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{BASE, INSTANCES, find, find_mut, invalid, must_be_free, operation, settings, wrong_state};
use crate::{
    estate::{Estate, Thing},
    google::{
        call::{Call, Outcome, WORLD, zulu},
        compute::{change, interface},
        project,
        refusal::Refusal,
    },
};

const CREATES: TimeDelta = TimeDelta::seconds(240);
const DELETES: TimeDelta = TimeDelta::seconds(60);
/// How long the name of an instance that was deleted is not given again.
const NAME_RESTS: TimeDelta = TimeDelta::days(7);

/// What a new instance is to be.
struct Wanted {
    name: String,
    region: String,
    version: String,
    settings: Value,
    /// The instance it copies from then on, if it is a replica.
    primary: Option<String>,
}

/// `insert`, of a primary or, with `masterInstanceName`, of a replica.
pub fn insert(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let name = call.said("name").to_owned();
    if name.is_empty() {
        return Err(invalid("Missing parameter: name."));
    }
    let asked = call.body.get("settings").cloned().unwrap_or_default();
    let primary = call.said("masterInstanceName").rsplit(':').next().unwrap_or_default().to_owned();
    let wanted = if primary.is_empty() {
        let region = Some(call.said("region")).filter(|region| !region.is_empty()).unwrap_or("us-central1");
        let version = Some(call.said("databaseVersion")).filter(|v| !v.is_empty()).unwrap_or("MYSQL_8_0");
        Wanted { name, region: region.into(), version: version.into(), settings: asked, primary: None }
    } else {
        replica(call, estate, name, &primary, &asked)?
    };
    let kind = if wanted.primary.is_some() { "CREATE_REPLICA" } else { "CREATE" };
    let name = wanted.name.clone();
    make(call, estate, &wanted)?;
    operation::begin(call, estate, (kind, &name), CREATES, &Value::Null)
}

/// A replica takes over from its primary what the request does not say.
fn replica(
    call: &Call<'_>,
    estate: &mut Estate,
    name: String,
    primary: &str,
    asked: &Value,
) -> Result<Wanted, Refusal> {
    let found = find(call, estate, primary)?;
    if found.state(call.now) != "RUNNABLE" {
        return Err(wrong_state());
    }
    must_be_free(call, found)?;
    let kept = found.body.read();
    let text = |member: &str| kept.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut own =
        json!({ "tier": kept["settings"]["tier"], "dataDiskSizeGb": kept["settings"]["dataDiskSizeGb"] });
    settings::merge(&mut own, asked);
    own["databaseReplicationEnabled"] = true.into();
    let region = Some(call.said("region")).filter(|region| !region.is_empty());
    let region = region.map_or_else(|| text("region"), str::to_owned);
    let version = text("databaseVersion");
    if !matches!(call.said("databaseVersion"), "" | "SQL_DATABASE_VERSION_UNSPECIFIED")
        && call.said("databaseVersion") != version
    {
        return Err(invalid("The database version of a replica must be that of its primary."));
    }
    Ok(Wanted { name, region, version, settings: own, primary: Some(primary.to_owned()) })
}

fn make(call: &Call<'_>, estate: &mut Estate, wanted: &Wanted) -> Result<(), Refusal> {
    check_name(call, estate, &wanted.name)?;
    check_quota(call, estate)?;
    let region = call.account.region(&wanted.region).filter(|region| region.enabled);
    let region = region.ok_or_else(|| invalid(&format!("Invalid region: {}.", wanted.region)))?;
    let zone = wanted.settings["locationPreference"]["zone"].as_str().map(str::to_owned);
    let zone = zone.unwrap_or_else(|| region.zones.first().map(ToString::to_string).unwrap_or_default());
    if !region.zones.iter().any(|known| **known == *zone) {
        return Err(invalid(&format!("Invalid zone: {zone}.")));
    }
    let own = settings::new(&wanted.settings, &zone);
    settings::check(call, &own, &wanted.version)?;
    let mut thing = Thing::new(&wanted.name, &wanted.region, call.now, "PENDING_CREATE");
    thing.seen_from = call.now + call.effects.unseen;
    thing.name = wanted.name.as_str().into();
    thing.zone = Some(zone.as_str().into());
    thing.life.plan(CREATES, if own["activationPolicy"] == "NEVER" { "STOPPED" } else { "RUNNABLE" });
    let body = body(
        call,
        wanted,
        own,
        &zone,
        region.zones.iter().find(|other| ***other != *zone).map(AsRef::as_ref),
    );
    settings::apply(call, &mut thing, &body);
    estate.add(call.cause(), INSTANCES, thing);
    if let Some(primary) = &wanted.primary {
        find_mut(call, estate, primary)?.body.edit(|body| {
            let mut names = body.get("replicaNames").and_then(Value::as_array).cloned().unwrap_or_default();
            names.push(wanted.name.as_str().into());
            body.insert("replicaNames".into(), names.into());
        });
    }
    Ok(())
}

fn check_name(call: &Call<'_>, estate: &Estate, name: &str) -> Result<(), Refusal> {
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && name.len() <= 98;
    if !fits {
        return Err(invalid(&format!("Invalid instance name ({name}).")));
    }
    // Also of what is not seen yet.
    let mut places = call.account.regions.iter();
    if places.any(|region| estate.is_taken(call.project(), INSTANCES, &region.id, name, call.now)) {
        return Err(Refusal::new(409, "instanceAlreadyExists", "The Cloud SQL instance already exists."));
    }
    let rests =
        |thing: &Thing| *thing.id == *name && thing.gone_at.is_some_and(|gone| call.now < gone + NAME_RESTS);
    if call.caller != WORLD
        && estate.ever(call.project()).any(|(kind, thing)| kind == INSTANCES && rests(thing))
    {
        let message = "The Cloud SQL instance already exists. When you delete an instance, you can't reuse the name of \
                       the deleted instance until one week from the deletion date.";
        return Err(Refusal::new(409, "instanceAlreadyExists", message));
    }
    Ok(())
}

/// A fault may say how many instances a project can have.
fn check_quota(call: &Call<'_>, estate: &Estate) -> Result<(), Refusal> {
    let Some(limit) = call.effects.quota else { return Ok(()) };
    let count = estate.all(call.project(), INSTANCES, None, call.now).count() as u64;
    if count < limit {
        return Ok(());
    }
    let message = format!("Quota 'INSTANCES' exceeded: a project can have {limit} Cloud SQL instances.");
    Err(Refusal::new(403, "quotaExceeded", message))
}

fn body(
    call: &Call<'_>,
    wanted: &Wanted,
    settings: Value,
    zone: &str,
    other: Option<&str>,
) -> Map<String, Value> {
    let (project, name, region) = (call.project(), &wanted.name, &wanted.region);
    let replica = wanted.primary.is_some();
    let mut body = json!({
        "kind": "sql#instance", "name": name, "project": project, "region": region, "databaseVersion": wanted.version,
        "backendType": "SECOND_GEN", "instanceType": if replica { "READ_REPLICA_INSTANCE" } else { "CLOUD_SQL_INSTANCE" },
        "connectionName": format!("{project}:{region}:{name}"), "createTime": zulu(call.now), "gceZone": zone,
        "ipAddresses": [{ "type": "PRIMARY", "ipAddress": interface::public(call, &format!("sql/{name}")) }],
        "serviceAccountEmailAddress": format!("p{}@gcp-sa-cloud-sql.iam.gserviceaccount.com", project::number(call)),
        "selfLink": format!("{BASE}/{project}/instances/{name}"),
        "satisfiesPzs": false, "sqlNetworkArchitecture": "NEW_NETWORK_ARCHITECTURE",
    });
    if settings["availabilityType"] == "REGIONAL"
        && let Some(other) = other
    {
        body["secondaryGceZone"] = other.into();
    }
    if let Some(primary) = &wanted.primary {
        body["masterInstanceName"] = format!("{project}:{primary}").into();
    }
    body["settings"] = settings;
    let mut body: Map<String, Value> = body.as_object().cloned().unwrap_or_default();
    change::copy(call, &mut body, &["replicaConfiguration", "diskEncryptionConfiguration"]);
    body
}

/// `clone`: as an instance is now, or as it was.
pub fn clone(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let context = call.body.get("cloneContext").cloned().unwrap_or_default();
    let name = context["destinationInstanceName"].as_str().unwrap_or_default();
    if name.is_empty() {
        return Err(invalid("Missing parameter: cloneContext.destinationInstanceName."));
    }
    let source = find(call, estate, call.part("instance"))?;
    must_be_free(call, source)?;
    if !matches!(source.state(call.now), "RUNNABLE" | "STOPPED") {
        return Err(wrong_state());
    }
    let kept = source.body.read();
    let text = |member: &str| kept.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    if !text("masterInstanceName").is_empty() {
        return Err(invalid("A read replica cannot be cloned."));
    }
    if let Some(at) = context["pointInTime"].as_str() {
        check_point(call, source, &kept["settings"], at)?;
    }
    let mut own = kept["settings"].clone();
    own["activationPolicy"] = "ALWAYS".into();
    if let Some(zone) = context["preferredZone"].as_str() {
        own["locationPreference"]["zone"] = zone.into();
    }
    let wanted = Wanted {
        name: name.into(),
        region: text("region"),
        version: text("databaseVersion"),
        settings: own,
        primary: None,
    };
    make(call, estate, &wanted)?;
    operation::begin(call, estate, ("CLONE", name), CREATES, &Value::Null)
}

/// A time that an instance can be taken back to: not in the future, not before its logs begin.
fn check_point(call: &Call<'_>, source: &Thing, settings: &Value, text: &str) -> Result<(), Refusal> {
    let backup = &settings["backupConfiguration"];
    if backup["pointInTimeRecoveryEnabled"] != true && backup["binaryLogEnabled"] != true {
        return Err(invalid("Point-in-time recovery is not enabled for the source instance."));
    }
    let at: DateTime<Utc> = text.parse().map_err(|_| invalid("pointInTime is not a timestamp."))?;
    if at > call.now {
        return Err(invalid("The point in time must not be in the future."));
    }
    let days = backup["transactionLogRetentionDays"].as_i64().unwrap_or(7);
    let first = source.life.since(source.born).max(source.born) + CREATES;
    if at < first || at < call.now - TimeDelta::days(days) {
        return Err(invalid("The point in time is before the earliest time that can be recovered."));
    }
    Ok(())
}

/// `delete`, unless it is protected or has replicas.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let name = call.part("instance");
    let thing = find(call, estate, name)?;
    must_be_free(call, thing)?;
    let kept = thing.body.read();
    if kept["settings"]["deletionProtectionEnabled"] == true {
        let why = "The instance is protected. Please disable the deletion protection and try again. To disable deletion \
                   protection, update the instance settings with deletionProtectionEnabled set to false.";
        return Err(invalid(why));
    }
    if kept.get("replicaNames").and_then(|names| names.get(0)).is_some() {
        return Err(invalid("The instance has read replicas; they must be deleted or promoted first."));
    }
    let place = thing.place.clone();
    forget_replica(call, estate, &kept, name);
    let thing = find_mut(call, estate, name)?;
    thing.life.turn(call.now, "PENDING_DELETE");
    estate.end(call.cause(), INSTANCES, &place, name, call.now + DELETES);
    super::backup::end_all(call, estate, name);
    operation::begin(call, estate, ("DELETE", name), DELETES, &Value::Null)
}

/// The primary of a replica lists it no more.
pub fn forget_replica(call: &Call<'_>, estate: &mut Estate, replica: &Map<String, Value>, name: &str) {
    let primary = replica.get("masterInstanceName").and_then(Value::as_str).unwrap_or_default();
    let primary = primary.rsplit(':').next().unwrap_or_default();
    if let Ok(primary) = find_mut(call, estate, primary) {
        primary.body.edit(|body| {
            let mut names =
                body.remove("replicaNames").and_then(|names| names.as_array().cloned()).unwrap_or_default();
            names.retain(|other| other != name);
            if !names.is_empty() {
                body.insert("replicaNames".into(), names.into());
            }
        });
    }
}
