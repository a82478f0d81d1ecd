//! On, off, and on again. A shutdown asks the system inside, which takes its time; the others do not ask.

use super::{SHELF, create, free};
use crate::{
    FaceName,
    estate::Estate,
    hetzner::{
        action,
        call::{Call, Outcome, seconds},
        refusal::Refusal,
    },
};

/// `poweron`, `poweroff`, `shutdown`, `reboot`, `reset`. What is asked of a server that is so already is done at once.
pub fn switch(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let server = free(call, estate)?;
    let (state, place, size) =
        (server.state(call.now).to_owned(), server.place.to_string(), server.size.clone());
    let verb = call.operation.rsplit('.').next().unwrap_or_default();
    if verb == "poweron" && state == "off" {
        let size = call.world.plan.size(FaceName::Hetzner, &size);
        size.map_or(Ok(()), |size| create::available(call, &place, size))?;
    }
    if matches!(verb, "shutdown" | "reboot" | "reset") && state == "off" {
        return Err(Refusal::new(422, "server_error", "server is not running"));
    }
    // Command, how long the action takes, and the states: now, and after how many seconds which.
    let (command, takes, turn) = match (verb, state.as_str()) {
        ("poweron", "off") => ("start_server", 10, Some(("starting", 10, "running"))),
        ("poweron", _) => ("start_server", 1, None),
        ("poweroff", "running" | "starting") => ("stop_server", 4, Some(("stopping", 3, "off"))),
        ("poweroff", _) => ("stop_server", 1, None),
        ("shutdown", _) => ("shutdown_server", 1, Some(("running", 20, "off"))),
        ("reboot", _) => ("reboot_server", 2, None),
        _ => ("reset_server", 2, None),
    };
    if let (Some((first, wait, then)), Some(thing)) = (turn, call.change(estate, SHELF, &call.id)) {
        thing.life.turn(call.now, first);
        thing.life.plan(seconds(wait), then);
    }
    action::answer(action::begin(call, estate, command, &[(SHELF, &call.id)], seconds(takes)))
}
