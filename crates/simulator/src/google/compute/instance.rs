//! Making instances: on request, from a template, or for a group.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{
    capacity, change,
    collection::Collection,
    disk, interface,
    link::{BASE, Link},
    operation::{self, Failure, Plan},
    read,
};
use crate::{
    estate::{Estate, Meter, Thing},
    face::FaceName,
    google::{
        call::{Answer, Call, Outcome, fingerprint, number, pacific},
        refusal::Refusal,
    },
    plan::Size,
};

/// Until a new instance runs.
pub const BOOT: TimeDelta = TimeDelta::seconds(12);

/// What a failed attempt leaves: nothing but the failure.
pub type Attempt = Result<String, Failure>;

/// `insert`.
pub fn insert(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    if !call.asked("sourceMachineImage").is_empty() {
        return Err(Refusal::unimplemented("sourceMachineImage"));
    }
    let collection = read::collection(call)?;
    let link = change::new_name(call, estate, collection)?;
    let mut wanted = call.body.clone();
    let template = call.asked("sourceInstanceTemplate");
    if !template.is_empty() {
        let properties = properties(call, estate, "sourceInstanceTemplate", template)?;
        for (name, value) in properties {
            wanted.entry(name).or_insert(value);
        }
    }
    let (id, failure) = match create(call, estate, &link, &wanted)? {
        Ok(id) => (id, None),
        Err(failure) => (call.seed().number(&["id", &link.path()]).to_string(), Some(failure)),
    };
    let takes = if failure.is_some() { TimeDelta::seconds(5) } else { BOOT };
    operation::begin(call, estate, Plan { kind: "insert", target: link, target_id: &id, takes, failure })
}

/// What a template says instances are to be.
pub fn properties(
    call: &Call<'_>,
    estate: &Estate,
    field: &str,
    text: &str,
) -> Result<Map<String, Value>, Refusal> {
    let link = change::resolve(call, estate, field, text, "global", "instanceTemplates")?;
    let found = estate.get(call.project(), "compute.instanceTemplates", "global", &link.name, call.now);
    let found = found.ok_or_else(|| Refusal::dangling(field, text))?;
    Ok(found.body.get("properties").as_object().cloned().unwrap_or_default())
}

/// Makes an instance and its disks; gives its numeric id, or why there is none in spite of a right request.
pub fn create(
    call: &Call<'_>,
    estate: &mut Estate,
    link: &Link,
    wanted: &Map<String, Value>,
) -> Result<Attempt, Refusal> {
    let text = wanted.get("machineType").and_then(Value::as_str).unwrap_or_default();
    let size = machine_type(call, "resource.machineType", text, &link.place)?;
    let (attached, new_disks) = disks(call, estate, link, wanted)?;
    let interfaces = interface::make(call, estate, link, wanted)?;
    if let Some(failure) = capacity::lack(call, estate, &link.place, size, None) {
        return Ok(Err(failure));
    }
    let collection = Collection::named("instances").ok_or_else(|| Refusal::unimplemented("instances"))?;
    let (mut thing, mut body) = change::new_thing(call, estate, collection, link, "PROVISIONING")?;
    thing.life.plan(TimeDelta::seconds(4), "STAGING");
    thing.life.plan(BOOT - TimeDelta::seconds(4), "RUNNING");
    thing.size = size.name.clone();
    thing.tags = change::labels(wanted.get("labels"))?;
    thing.meter(call.now, [Meter::new(&format!("compute/{}", size.name), 1.0).only_in(&["RUNNING"])]);
    say(&mut body, wanted, link, size);
    body.insert("networkInterfaces".into(), interfaces.into());
    body.insert("lastStartTimestamp".into(), pacific(call.now + BOOT).into());
    let id = body.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    for mut disk in new_disks {
        // Before it is added: it may not be seen for a while.
        disk::set_user(&mut disk, link, true, call.now);
        estate.add(call.cause(), "compute.disks", disk);
    }
    for disk in attached.iter().filter_map(|disk| disk["source"].as_str()) {
        let at = Link::read(disk, call.project(), &link.place, "disks");
        let found =
            at.and_then(|at| estate.get_mut(call.project(), "compute.disks", &at.place, &at.name, call.now));
        if let Some(found) = found {
            disk::set_user(found, link, true, call.now);
        }
    }
    interface::take(call, estate, link, &body);
    body.insert("disks".into(), attached.into());
    change::keep(&mut body, wanted);
    thing.body = (&body).into();
    estate.add(call.cause(), "compute.instances", thing);
    Ok(Ok(id))
}

/// What an instance says of itself that is neither disk nor network.
fn say(body: &mut Map<String, Value>, wanted: &Map<String, Value>, link: &Link, size: &Size) {
    let zone = format!("{BASE}projects/{}/zones/{}", link.project, link.place);
    body.insert("machineType".into(), format!("{zone}/machineTypes/{}", size.name).into());
    let platform = match (&*size.architecture, &*size.family) {
        ("arm64", _) => "Ampere Altra",
        (_, "C3") => "Intel Sapphire Rapids",
        (_, "N2") => "Intel Ice Lake",
        _ => "Intel Broadwell",
    };
    body.insert("cpuPlatform".into(), platform.into());
    let items = wanted.get("tags").and_then(|tags| tags.get("items")).cloned();
    body.insert("tags".into(), tags(items));
    body.insert(
        "metadata".into(),
        metadata(wanted.get("metadata").and_then(|metadata| metadata.get("items")).cloned()),
    );
    let said = |name: &str, otherwise: Value| {
        wanted.get(name).filter(|value| !value.is_null()).cloned().unwrap_or(otherwise)
    };
    body.insert("canIpForward".into(), said("canIpForward", false.into()));
    body.insert("deletionProtection".into(), said("deletionProtection", false.into()));
    body.insert("startRestricted".into(), false.into());
    let usual = json!({ "onHostMaintenance": "MIGRATE", "automaticRestart": true, "preemptible": false, "provisioningModel": "STANDARD" });
    body.insert("scheduling".into(), said("scheduling", usual));
    let shielded =
        json!({ "enableSecureBoot": false, "enableVtpm": true, "enableIntegrityMonitoring": true });
    body.insert("shieldedInstanceConfig".into(), said("shieldedInstanceConfig", shielded));
    body.insert("fingerprint".into(), fingerprint(&["instance", &link.path()]).into());
}

/// Network tags with the fingerprint that a change of them must know.
pub fn tags(items: Option<Value>) -> Value {
    let print = fingerprint(&["tags", &items.clone().unwrap_or_default().to_string()]);
    match items {
        Some(items) => json!({ "items": items, "fingerprint": print }),
        None => json!({ "fingerprint": print }),
    }
}

/// Metadata with the fingerprint that a change of it must know.
pub fn metadata(items: Option<Value>) -> Value {
    let print = fingerprint(&["metadata", &items.clone().unwrap_or_default().to_string()]);
    let mut metadata = json!({ "kind": "compute#metadata", "fingerprint": print });
    if let Some(items) = items {
        metadata["items"] = items;
    }
    metadata
}

/// A machine type that there is in a zone, by link or name.
pub fn machine_type<'w>(call: &Call<'w>, field: &str, text: &str, zone: &str) -> Result<&'w Size, Refusal> {
    if text.is_empty() {
        return Err(Refusal::required(field));
    }
    let link = Link::read(text, call.project(), zone, "machineTypes")
        .ok_or_else(|| Refusal::invalid(field, text, "The URL is malformed."))?;
    if link.place != zone {
        return Err(Refusal::invalid(field, text, "The machine type must be in the zone of the instance."));
    }
    let found = call.world.plan.size(FaceName::Google, &link.name).filter(|size| !size.database);
    found.ok_or_else(|| {
        let why = format!("Machine type with name '{}' does not exist in zone '{zone}'.", link.name);
        Refusal::invalid(field, text, &why)
    })
}

/// The disks of a new instance as it shows them, and those that are made with it.
fn disks(
    call: &Call<'_>,
    estate: &mut Estate,
    link: &Link,
    wanted: &Map<String, Value>,
) -> Result<(Vec<Value>, Vec<Thing>), Refusal> {
    let asked = wanted.get("disks").and_then(Value::as_array).filter(|disks| !disks.is_empty());
    let asked = asked.ok_or_else(|| Refusal::invalid("resource.disks", "", "No disks are specified."))?;
    if !asked.iter().any(|disk| disk["boot"] == true) {
        return Err(Refusal::invalid("resource.disks", "", "Boot disk must be specified."));
    }
    let (mut shown, mut new) = (Vec::new(), Vec::new());
    for (index, disk) in asked.iter().enumerate() {
        let field = format!("resource.disks[{index}]");
        let mut own = disk.as_object().cloned().unwrap_or_default();
        let parameters = own.remove("initializeParams").unwrap_or_default();
        let source = if let Some(text) = own.get("source").and_then(Value::as_str) {
            attachable(call, estate, &format!("{field}.source"), text, link)?
        } else {
            let made = new_disk(call, estate, link, index, &parameters)?;
            let at = Link::new(call.project(), &link.place, "disks", &made.id);
            new.push(made);
            at
        };
        own.insert("source".into(), source.to_string().into());
        let disk = new.iter().find(|disk| *disk.id == *source.name);
        let disk = disk
            .or_else(|| estate.get(call.project(), "compute.disks", &source.place, &source.name, call.now));
        shown.push(attached(own, index, disk));
    }
    Ok((shown, new))
}

/// A disk as the instance that has it shows it.
pub fn attached(mut own: Map<String, Value>, index: usize, disk: Option<&Thing>) -> Value {
    let mut usual = |name: &str, value: Value| {
        own.entry(name).or_insert(value);
    };
    usual("kind", "compute#attachedDisk".into());
    usual("type", "PERSISTENT".into());
    usual("mode", "READ_WRITE".into());
    usual("boot", false.into());
    usual("autoDelete", false.into());
    usual("interface", "SCSI".into());
    usual("deviceName", format!("persistent-disk-{index}").into());
    own.insert("index".into(), index.into());
    if let Some(disk) = disk {
        own.insert("diskSizeGb".into(), (*disk.size).into());
        for name in ["licenses", "guestOsFeatures", "architecture"] {
            let value = disk.body.get(name);
            if !value.is_null() {
                own.insert(name.into(), value);
            }
        }
    }
    Value::Object(own)
}

/// A disk that is there, in the instance's zone, and that no other instance has.
pub fn attachable(
    call: &Call<'_>,
    estate: &Estate,
    field: &str,
    text: &str,
    instance: &Link,
) -> Result<Link, Refusal> {
    let source = change::resolve(call, estate, field, text, &instance.place, "disks")?;
    if source.place != instance.place {
        return Err(Refusal::invalid(field, text, "Disk must be in the same zone as the instance."));
    }
    let found = estate.get(call.project(), "compute.disks", &source.place, &source.name, call.now);
    let found = found.ok_or_else(|| Refusal::dangling(field, text))?;
    if let Some(user) = found.body.get("users").get(0).and_then(Value::as_str) {
        return Err(Refusal::in_use(&source.path(), user.trim_start_matches(BASE)));
    }
    if found.state(call.now) != "READY" {
        return Err(Refusal::not_ready(&source.path()));
    }
    Ok(source)
}

fn new_disk(
    call: &Call<'_>,
    estate: &mut Estate,
    link: &Link,
    index: usize,
    parameters: &Value,
) -> Result<Thing, Refusal> {
    let said = |name: &str| parameters[name].as_str().unwrap_or_default();
    let field = format!("resource.disks[{index}].initializeParams");
    let usual = if index == 0 { link.name.clone() } else { format!("{}-{index}", link.name) };
    let name = Some(said("diskName")).filter(|name| !name.is_empty()).unwrap_or(&usual);
    let at = Link::new(call.project(), &link.place, "disks", name);
    if estate.is_taken(call.project(), "compute.disks", &at.place, name, call.now) {
        return Err(Refusal::exists(&at.path()));
    }
    let source = disk::source(call, estate, &field, said("sourceImage"), said("sourceSnapshot"))?;
    let gib = disk::size(number(&parameters["diskSizeGb"]), source.as_ref().map(|source| source.gib), 500)?;
    let kind = disk::disk_type(call, &format!("{field}.diskType"), said("diskType"), &link.place)?;
    let members = source.map(|source| source.members).unwrap_or_default();
    let labels = parameters["labels"].clone();
    disk::make(call, estate, disk::Wanted { link: at, kind, gib, members, labels }, TimeDelta::seconds(2))
}
