//! What is done to an instance: power, machine type, tags, disks, and its end.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use super::{
    capacity,
    change::{self, Known},
    disk, instance, interface,
    link::{BASE, Link},
    operation::{self, Failure, Plan},
};
use crate::{
    estate::{Cause, Estate, Meter},
    face::FaceName,
    google::{
        call::{Answer, Call, Outcome, pacific},
        refusal::Refusal,
    },
};

const STOP: TimeDelta = TimeDelta::seconds(30);

/// A change of an instance: what an earlier request with the same id began, or what `make` begins.
fn once(
    call: &Call<'_>,
    estate: &mut Estate,
    make: impl FnOnce(&Call<'_>, &mut Estate, Known) -> Outcome,
) -> Outcome {
    if let Some(before) = operation::repeated(call, estate)? {
        return Ok(Answer::Json(before));
    }
    let known = change::known(call, estate)?;
    make(call, estate, known)
}

/// The state of the instance, which must be one of these for the call to go on.
fn must_be(call: &Call<'_>, estate: &Estate, known: &Known, states: &[&str]) -> Result<String, Refusal> {
    let shelf = "compute.instances";
    let thing = estate.get(call.project(), shelf, &known.link.place, &known.link.name, call.now);
    let thing = thing.filter(|thing| thing.gone_at.is_none());
    let thing = thing.ok_or_else(|| Refusal::not_ready(&known.link.path()))?;
    let state = thing.state(call.now).to_owned();
    if states.contains(&state.as_str()) { Ok(state) } else { Err(Refusal::not_ready(&known.link.path())) }
}

/// `stop`; of an instance that is stopped it is done at once.
pub fn stop(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    once(call, estate, |call, estate, known| {
        let state = must_be(call, estate, &known, &["RUNNING", "TERMINATED"])?;
        if state == "TERMINATED" {
            return change::done(call, estate, &known, "stop", TimeDelta::seconds(1));
        }
        let thing = change::changed(call, estate)?;
        thing.life.turn(call.now, "STOPPING");
        thing.life.plan(STOP, "TERMINATED");
        thing.body.edit(|body| {
            body.insert("lastStopTimestamp".into(), pacific(call.now + STOP).into());
        });
        change::done(call, estate, &known, "stop", STOP)
    })
}

/// `start`, if the zone has a machine left.
pub fn start(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    once(call, estate, |call, estate, known| {
        let state = must_be(call, estate, &known, &["RUNNING", "TERMINATED"])?;
        if state == "RUNNING" {
            return change::done(call, estate, &known, "start", TimeDelta::seconds(1));
        }
        let name = change::changed(call, estate)?.size.clone();
        let size = call.world.plan.size(FaceName::Google, &name);
        let lack = size.and_then(|size| capacity::lack(call, estate, &known.link.place, size, Some(size)));
        if let Some(failure) = lack {
            return fail(call, estate, &known, "start", failure);
        }
        let thing = change::changed(call, estate)?;
        thing.life.turn(call.now, "PROVISIONING");
        thing.life.plan(TimeDelta::seconds(4), "STAGING");
        thing.life.plan(instance::BOOT - TimeDelta::seconds(4), "RUNNING");
        thing.body.edit(|body| {
            body.insert("lastStartTimestamp".into(), pacific(call.now + instance::BOOT).into());
        });
        change::done(call, estate, &known, "start", instance::BOOT)
    })
}

fn fail(call: &Call<'_>, estate: &mut Estate, known: &Known, kind: &str, failure: Failure) -> Outcome {
    let plan = Plan {
        kind,
        target: known.link.clone(),
        target_id: &known.id,
        takes: TimeDelta::seconds(5),
        failure: Some(failure),
    };
    operation::begin(call, estate, plan)
}

/// `reset`: of a running instance.
pub fn reset(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    once(call, estate, |call, estate, known| {
        must_be(call, estate, &known, &["RUNNING"])?;
        change::done(call, estate, &known, "reset", TimeDelta::seconds(4))
    })
}

/// `setMachineType`: of a stopped instance.
pub fn set_machine_type(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    once(call, estate, |call, estate, known| {
        let text = call.said("machineType");
        let size = instance::machine_type(call, "machineType", text, &known.link.place)?;
        let thing = change::changed(call, estate)?;
        if thing.state(call.now) != "TERMINATED" {
            let message = "Invalid resource usage: 'The instance must be stopped before its machine type can be changed.'.";
            return Err(Refusal::new(400, "invalidResourceUsage", message));
        }
        let before = thing.size.clone();
        let before = call.world.plan.size(FaceName::Google, &before);
        // Capacity is asked for when it starts; the quota counts stopped instances too.
        let lack = capacity::lack(call, estate, &known.link.place, size, before);
        if let Some(failure) = lack.filter(|failure| failure.code == "QUOTA_EXCEEDED") {
            return fail(call, estate, &known, "setMachineType", failure);
        }
        let thing = change::changed(call, estate)?;
        thing.size = size.name.clone();
        thing.meter(call.now, [Meter::new(&format!("compute/{}", size.name), 1.0).only_in(&["RUNNING"])]);
        let zone = format!("{BASE}projects/{}/zones/{}", known.link.project, known.link.place);
        thing.body.edit(|body| {
            body.insert("machineType".into(), format!("{zone}/machineTypes/{}", size.name).into());
        });
        change::done(call, estate, &known, "setMachineType", TimeDelta::seconds(3))
    })
}

/// `setTags`, for a client that knows the present ones.
pub fn set_tags(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    once(call, estate, |call, estate, known| {
        let tags = instance::tags(call.body.get("items").cloned());
        exchange(
            call,
            estate,
            "tags",
            tags,
            "Supplied fingerprint does not match current tags fingerprint.",
        )?;
        change::done(call, estate, &known, "setTags", TimeDelta::seconds(2))
    })
}

/// `setMetadata`, for a client that knows the present one.
pub fn set_metadata(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    once(call, estate, |call, estate, known| {
        let metadata = instance::metadata(call.body.get("items").cloned());
        exchange(
            call,
            estate,
            "metadata",
            metadata,
            "Supplied fingerprint does not match current metadata fingerprint.",
        )?;
        change::done(call, estate, &known, "setMetadata", TimeDelta::seconds(2))
    })
}

/// Replaces a member if the request's fingerprint is that of the present one.
fn exchange(
    call: &Call<'_>,
    estate: &mut Estate,
    name: &str,
    value: Value,
    why: &str,
) -> Result<(), Refusal> {
    let thing = change::changed(call, estate)?;
    if thing.body.get(name)["fingerprint"] != call.said("fingerprint") {
        return Err(Refusal::new(412, "conditionNotMet", why));
    }
    thing.body.edit(|body| {
        body.insert(name.to_owned(), value);
    });
    Ok(())
}

/// `setDeletionProtection`: on, unless the query says no.
pub fn set_deletion_protection(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    once(call, estate, |call, estate, known| {
        let off =
            call.query.get("deletionProtection").is_some_and(|value| value == "false" || value == false);
        change::changed(call, estate)?.body.edit(|body| {
            body.insert("deletionProtection".into(), (!off).into());
        });
        let kind = "setDeletionProtection";
        change::done(call, estate, &known, kind, TimeDelta::seconds(2))
    })
}

/// `attachDisk`.
pub fn attach_disk(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    once(call, estate, |call, estate, known| {
        must_be(call, estate, &known, &["RUNNING", "TERMINATED"])?;
        let text = call.must_say("source")?;
        let source = instance::attachable(call, estate, "source", text, &known.link)?;
        let mut own: Map<String, Value> = call.body.clone();
        own.insert("source".into(), source.to_string().into());
        let disks = change::changed(call, estate)?.body.get("disks");
        let disks = disks.as_array().cloned().unwrap_or_default();
        let index = (0..=disks.len())
            .find(|index| disks.iter().all(|disk| disk["index"] != *index))
            .unwrap_or(disks.len());
        if disks.len() >= 128 {
            return Err(Refusal::new(
                400,
                "limitExceeded",
                "Exceeded limit 'maximum_persistent_disks' on resource. Limit: 128.0",
            ));
        }
        let name = call.said("deviceName");
        if !name.is_empty() && disks.iter().any(|disk| disk["deviceName"] == name) {
            return Err(Refusal::invalid("deviceName", name, "The device name is already in use."));
        }
        let found = estate.get(call.project(), "compute.disks", &source.place, &source.name, call.now);
        let shown = instance::attached(own, index, found);
        if let Some(disk) =
            estate.get_mut(call.project(), "compute.disks", &source.place, &source.name, call.now)
        {
            disk::set_user(disk, &known.link, true, call.now);
        }
        change::changed(call, estate)?.body.edit(|body| {
            let mut disks = disks;
            disks.push(shown);
            body.insert("disks".into(), disks.into());
        });
        change::done(call, estate, &known, "attachDisk", TimeDelta::seconds(4))
    })
}

/// `detachDisk`; the boot disk only of a stopped instance.
pub fn detach_disk(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    once(call, estate, |call, estate, known| {
        let state = must_be(call, estate, &known, &["RUNNING", "TERMINATED"])?;
        let name = call.asked("deviceName");
        let disks = change::changed(call, estate)?.body.get("disks");
        let mut disks = disks.as_array().cloned().unwrap_or_default();
        let at = disks.iter().position(|disk| disk["deviceName"] == name);
        let at = at.ok_or_else(|| {
            Refusal::invalid("deviceName", name, "No attached disk found with this device name.")
        })?;
        if disks[at]["boot"] == true && state == "RUNNING" {
            let message = "Invalid resource usage: 'Cannot detach the boot disk of a running instance.'.";
            return Err(Refusal::new(400, "invalidResourceUsage", message));
        }
        let disk = disks.remove(at);
        free(call, estate, &known.link, &disk);
        change::changed(call, estate)?.body.edit(|body| {
            body.insert("disks".into(), disks.into());
        });
        change::done(call, estate, &known, "detachDisk", TimeDelta::seconds(4))
    })
}

/// The disk is the instance's no more.
fn free(call: &Call<'_>, estate: &mut Estate, instance: &Link, disk: &Value) {
    let text = disk["source"].as_str().unwrap_or_default();
    let Some(at) = Link::read(text, call.project(), &instance.place, "disks") else { return };
    if let Some(disk) = estate.get_mut(call.project(), "compute.disks", &at.place, &at.name, call.now) {
        disk::set_user(disk, instance, false, call.now);
    }
}

/// `delete`, unless it is protected.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    once(call, estate, |call, estate, known| {
        let thing = change::changed(call, estate)?;
        if thing.body.get("deletionProtection") == true {
            let message =
                "Invalid resource usage: 'Resource cannot be deleted if it's protected against deletion.'.";
            return Err(Refusal::new(400, "invalidResourceUsage", message));
        }
        if thing.gone_at.is_some() {
            return Err(Refusal::not_ready(&known.link.path()));
        }
        end(call, estate, &known.link);
        change::done(call, estate, &known, "delete", STOP)
    })
}

/// Ends an instance, and the disks that end with it.
pub fn end(call: &Call<'_>, estate: &mut Estate, link: &Link) {
    let Some(thing) = estate.get_mut(call.project(), "compute.instances", &link.place, &link.name, call.now)
    else {
        return;
    };
    thing.life.turn(call.now, "STOPPING");
    let body = thing.body.read();
    let until = call.now + STOP;
    let cause = Cause { operation: call.operation, ..call.cause() };
    estate.end(cause, "compute.instances", &link.place, &link.name, until);
    interface::give_back(call, estate, link, &body);
    for disk in body.get("disks").and_then(Value::as_array).into_iter().flatten() {
        free(call, estate, link, disk);
        let text = disk["source"].as_str().unwrap_or_default();
        let at = Link::read(text, call.project(), &link.place, "disks")
            .filter(|_| disk["autoDelete"] == json!(true));
        if let Some(at) = at {
            estate.end(cause, "compute.disks", &at.place, &at.name, until);
        }
    }
}
