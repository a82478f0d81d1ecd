//! What is done to a server besides switching it: its type, backups, networks, placement, and its end.

use serde_json::{Value, json};

use super::{SHELF, create, free};
use crate::{
    FaceName,
    estate::{Estate, Meter},
    hetzner::{
        action,
        address::{self, PRIMARY},
        call::{Answer, Call, Outcome, number, seconds},
        catalog, keys, kind, network,
        refusal::Refusal,
        volume,
    },
};

/// How long a server that is ended is still seen.
const ENDING: i64 = 5;

fn done(call: &Call<'_>, estate: &mut Estate, command: &str, takes: i64) -> Outcome {
    action::answer(action::begin(call, estate, command, &[(SHELF, &call.id)], seconds(takes)))
}

fn set(call: &Call<'_>, estate: &mut Estate, member: &str, value: Value) {
    kind::edit(call, estate, SHELF, &call.id, |body| drop(body.insert(member.to_owned(), value)));
}

/// `change_type`, of a server that is off; the architecture stays, and a disk never shrinks.
pub fn change_type(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let server = free(call, estate)?;
    let size = catalog::need_size(call, "server_type")?;
    if server.state(call.now) != "off" {
        return Err(Refusal::new(422, "server_not_stopped", "server must be stopped"));
    }
    let before = call.world.plan.size(FaceName::Hetzner, &server.size);
    let changes = before.is_some_and(|before| catalog::architecture(before) != catalog::architecture(size));
    let disk = server.body.get("primary_disk_size").as_u64().unwrap_or_default();
    if changes || *server.size == *size.name || catalog::disk_of(size) < disk {
        return Err(Refusal::new(422, "invalid_server_type", "the server cannot have this type"));
    }
    create::available(call, &server.place, size)?;
    let backups = !server.body.get("backup_window").is_null();
    if let Some(thing) = call.change(estate, SHELF, &call.id) {
        thing.size = size.name.clone();
        thing.meter(call.now, meters(&size.name, backups));
    }
    if call.flag("upgrade_disk", false) {
        set(call, estate, "primary_disk_size", catalog::disk_of(size).into());
    }
    done(call, estate, "change_server_type", 60)
}

/// A server is charged for, and a fifth of it for its backups.
fn meters(size: &str, backups: bool) -> Vec<Meter> {
    let sku = format!("compute/{size}");
    let amounts = if backups { vec![1.0, 0.2] } else { vec![1.0] };
    amounts.into_iter().map(|amount| Meter::new(&sku, amount)).collect()
}

/// `enable_backup`, `disable_backup`: without backups there are none of before.
pub fn backup(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let size = free(call, estate)?.size.to_string();
    let enables = call.operation.ends_with("enable_backup");
    if let Some(thing) = call.change(estate, SHELF, &call.id) {
        thing.meter(call.now, meters(&size, enables));
    }
    if !enables {
        end_backups(call, estate);
    }
    set(call, estate, "backup_window", if enables { "22-02".into() } else { Value::Null });
    done(call, estate, if enables { "enable_backup" } else { "disable_backup" }, 1)
}

fn end_backups(call: &Call<'_>, estate: &mut Estate) {
    let id = number(&call.id);
    let bound =
        estate.all(call.project(), "images", None, call.now).filter(|one| one.body.get("bound_to") == id);
    let bound: Vec<String> = bound.map(|one| one.id.to_string()).collect();
    for image in bound {
        estate.end(call.cause(), "images", "global", &image, call.now);
    }
}

/// `attach_to_network`.
pub fn attach(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let server = free(call, estate)?;
    let network = call.id_of("network").unwrap_or_default();
    let mut nets = server.body.get("private_net").as_array().cloned().unwrap_or_default();
    if nets.iter().any(|net| net["network"] == number(&network)) {
        return Err(Refusal::new(
            422,
            "server_already_attached",
            "server is already attached to the network",
        ));
    }
    let (zone, asked) = (catalog::zone_of(&server.place), call.said("ip").as_str());
    let ip = network::take_address(call, estate, &network, zone, asked)?;
    nets.push(create::net(&network, &ip));
    set(call, estate, "private_net", nets.into());
    let on = [(SHELF, call.id.as_str()), ("networks", network.as_str())];
    action::answer(action::begin(call, estate, "attach_to_network", &on, seconds(2)))
}

/// `detach_from_network`.
pub fn detach(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let mut nets = free(call, estate)?.body.get("private_net").as_array().cloned().unwrap_or_default();
    let (network, before) = (call.id_of("network").unwrap_or_default(), nets.len());
    nets.retain(|net| net["network"] != number(&network));
    if nets.len() == before {
        return Err(Refusal::new(
            422,
            "server_not_attached_to_network",
            "server is not attached to the network",
        ));
    }
    set(call, estate, "private_net", nets.into());
    let on = [(SHELF, call.id.as_str()), ("networks", network.as_str())];
    action::answer(action::begin(call, estate, "detach_from_network", &on, seconds(2)))
}

/// `add_to_placement_group`, of a server that is off.
pub fn join(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let server = free(call, estate)?;
    if server.state(call.now) != "off" {
        return Err(Refusal::new(422, "server_not_stopped", "server must be stopped"));
    }
    if !server.body.get("placement_group").is_null() {
        return Err(Refusal::new(422, "server_already_added", "server is in a placement group"));
    }
    let group = call.id_of("placement_group").unwrap_or_default();
    keys::need_group(call, estate, &group)?;
    set(call, estate, "placement_group", number(&group));
    done(call, estate, "add_to_placement_group", 2)
}

/// `remove_from_placement_group`.
pub fn leave(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    if free(call, estate)?.body.get("placement_group").is_null() {
        return Err(Refusal::new(422, "service_error", "server is in no placement group"));
    }
    set(call, estate, "placement_group", Value::Null);
    done(call, estate, "remove_from_placement_group", 2)
}

/// `delete`: addresses that were made with it and backups go too, volumes and other addresses are free.
pub fn delete(call: &Call<'_>, estate: &mut Estate) -> Outcome {
    let server = kind::deletable(call, estate)?;
    free(call, estate)?;
    let place = server.place.clone();
    let volumes: Vec<String> =
        volume::of_server(call, estate, &call.id).map(|one| one.id.to_string()).collect();
    for id in volumes {
        kind::edit(call, estate, volume::SHELF, &id, |body| drop(body.insert("server".into(), Value::Null)));
    }
    let mut addresses: Vec<(&str, String, bool)> = Vec::new();
    for shelf in [PRIMARY, address::FLOATING] {
        let own = address::of_server(call, estate, shelf, &call.id);
        addresses.extend(own.map(|one| (shelf, one.id.to_string(), one.body.get("auto_delete") == true)));
    }
    for (shelf, id, goes) in addresses {
        let place = call.find(estate, shelf, &id).map(|one| one.place.to_string()).unwrap_or_default();
        if goes {
            estate.end(call.cause(), shelf, &place, &id, call.now);
        } else {
            let member = if shelf == PRIMARY { "assignee_id" } else { "server" };
            kind::edit(call, estate, shelf, &id, |body| drop(body.insert(member.into(), Value::Null)));
        }
    }
    forget_target(call, estate);
    end_backups(call, estate);
    let action = action::begin(call, estate, "delete_server", &[(SHELF, &call.id)], seconds(ENDING));
    if let Some(thing) = call.change(estate, SHELF, &call.id) {
        thing.life.turn(call.now, "deleting");
    }
    estate.end(call.cause(), SHELF, &place, &call.id, call.now + seconds(ENDING));
    Ok(Answer::from(json!({ "action": action })))
}

/// Load balancers and firewalls do not know a server that is gone.
fn forget_target(call: &Call<'_>, estate: &mut Estate) {
    let id = number(&call.id);
    for (shelf, member) in [("load_balancers", "targets"), ("firewalls", "applied_to")] {
        for one in estate.all_mut(call.project(), shelf, call.now) {
            one.body.edit(|body| {
                if let Some(targets) = body.get_mut(member).and_then(Value::as_array_mut) {
                    targets.retain(|target| target["server"]["id"] != id);
                }
            });
        }
    }
}
