//! The power of virtual machines: stopped ones keep their place and are charged for, deallocated ones are not.

use chrono::TimeDelta;
use http::StatusCode;

use super::{VM, attach, quota, size, vm};
use crate::{
    azure::{
        call::{Answer, Call},
        error::{Outcome, Refused},
        ids::{self, Target},
        lro::Links,
        resource,
    },
    estate::{Estate, Thing},
};

/// Refuses a change while another is under way.
pub fn refuse_busy(call: &Call<'_>, thing: &Thing) -> Outcome<()> {
    if thing.life.is_settled(call.now) {
        return Ok(());
    }
    Err(Refused::conflict(
        "Conflict",
        "The request failed due to conflict with a concurrent request. To resolve it, please refer to \
         https://aka.ms/activitylog to get more details on the conflicting requests.",
    ))
}

/// The machine of a call, ready to be switched.
fn ready(call: &Call<'_>, estate: &Estate) -> Outcome<(Target, Thing)> {
    let target = vm::target(call, estate)?;
    let thing = target.need(call, estate)?.clone();
    resource::refuse_deleting(call, &thing, &target)?;
    refuse_busy(call, &thing)?;
    if thing.state(call.now) == "Failed" {
        return Err(Refused::conflict(
            "OperationNotAllowed",
            format!(
                "Operation '{}' is not allowed on VM '{}' since the VM is not provisioned.",
                call.operation.rsplit('_').next().unwrap_or_default(),
                thing.name
            ),
        ));
    }
    Ok((target, thing))
}

/// Switches a machine through a state into another one.
fn switch(
    call: &Call<'_>,
    estate: &mut Estate,
    target: &Target,
    (through, into): (&'static str, &'static str),
    seconds: i64,
) -> Answer {
    let mut place = String::new();
    if let Some(thing) = ids::find_mut(call, estate, VM, &target.key) {
        place = thing.place.to_string();
        if thing.state(call.now) != into {
            thing.life.turn(call.now, through);
            thing.life.plan(TimeDelta::seconds(seconds), into);
        }
    }
    accepted(call, target, &place, seconds, None)
}

fn accepted(
    call: &Call<'_>,
    target: &Target,
    place: &str,
    seconds: i64,
    failure: Option<(String, String)>,
) -> Answer {
    let takes = TimeDelta::seconds(seconds);
    let running = resource::running(call, target, place, takes, Links::Both).failing(failure);
    Answer::empty(StatusCode::ACCEPTED).running(running)
}

/// POST `start`.
pub fn start(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, thing) = ready(call, estate)?;
    if thing.state(call.now) != "Deallocated" {
        return Ok(switch(call, estate, &target, ("Starting", "Running"), 15));
    }
    let region = call.region(&thing.place, VM)?;
    let size = size(call, &thing.size)?;
    quota::refuse_beyond(call, estate, region, size, 1)?;
    let failure = quota::allocation_failure(call, region, thing.zone.as_deref(), &size.name)?;
    if failure.is_some() {
        return Ok(accepted(call, &target, &thing.place, 20, failure));
    }
    for disk in attach::disks(&thing.body.get("properties")) {
        attach::own(call, estate, &disk, &target.id, true);
    }
    Ok(switch(call, estate, &target, ("Starting", "Running"), 35))
}

/// POST `powerOff`: what runs ends, the place is kept.
pub fn power_off(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, thing) = ready(call, estate)?;
    let quick = call.asked("skipShutdown").eq_ignore_ascii_case("true");
    if thing.state(call.now) == "Deallocated" {
        return Ok(accepted(call, &target, &thing.place, 1, None));
    }
    Ok(switch(call, estate, &target, ("Stopping", "Stopped"), if quick { 5 } else { 25 }))
}

/// POST `deallocate`: the place is given up.
pub fn deallocate(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, thing) = ready(call, estate)?;
    if call.asked("hibernate").eq_ignore_ascii_case("true") {
        return Err(Refused::conflict(
            "OperationNotAllowed",
            format!(
                "The Hibernate-Deallocate Operation cannot be performed on VM '{}' since it does not have hibernation enabled.",
                thing.name
            ),
        ));
    }
    for disk in attach::disks(&thing.body.get("properties")) {
        attach::own(call, estate, &disk, &target.id, false);
    }
    Ok(switch(call, estate, &target, ("Deallocating", "Deallocated"), 30))
}

/// POST `restart`.
pub fn restart(call: &Call<'_>, estate: &mut Estate) -> Outcome<Answer> {
    let (target, thing) = ready(call, estate)?;
    if thing.state(call.now) != "Running" {
        return Err(Refused::conflict(
            "OperationNotAllowed",
            format!("Cannot perform operation 'restart' on VM '{}' since the VM is not running.", thing.name),
        ));
    }
    if let Some(machine) = ids::find_mut(call, estate, VM, &target.key) {
        machine.life.turn(call.now, "Running updating");
        machine.life.plan(TimeDelta::seconds(20), "Running");
    }
    Ok(accepted(call, &target, &thing.place, 20, None))
}
