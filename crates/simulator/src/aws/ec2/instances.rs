//! Instances as they are described.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Description, INSTANCES, paged, set};
use crate::{
    aws::{
        ask::{Ask, tag_list},
        filters::Source,
        protocol::splice::BODY,
        service::Answered,
    },
    estate::{Estate, Thing},
};

pub(crate) const INSTANCE: Description = Description {
    kind: INSTANCES,
    ids: "InstanceIds",
    prefix: "i-",
    code: "InvalidInstanceID",
    filters: &[
        ("instance-id", Source::Id),
        ("instance-state-name", Source::State),
        ("instance-type", Source::Size),
        ("availability-zone", Source::Zone),
        ("vpc-id", Source::Body(&["VpcId"])),
        ("subnet-id", Source::Body(&["SubnetId"])),
        ("image-id", Source::Body(&["ImageId"])),
        ("key-name", Source::Body(&["KeyName"])),
        ("private-ip-address", Source::Body(&["PrivateIpAddress"])),
        ("ip-address", Source::Body(&["PublicIpAddress"])),
        ("architecture", Source::Body(&["Architecture"])),
        ("client-token", Source::Body(&["ClientToken"])),
        ("reservation-id", Source::Body(&["_ReservationId"])),
        ("instance.group-id", Source::Body(&["SecurityGroups", "GroupId"])),
        ("instance.group-name", Source::Body(&["SecurityGroups", "GroupName"])),
        ("network-interface.subnet-id", Source::Body(&["SubnetId"])),
        ("owner-id", Source::Owner),
        ("tenancy", Source::Always("default")),
    ],
    exclusive: true,
};

/// The number that AWS gives a state.
pub(super) fn code(state: &str) -> u8 {
    match state {
        "running" => 16,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        "stopped" => 80,
        _ => 0,
    }
}

/// A state with its number.
pub(super) fn state(name: &str) -> Value {
    json!({ "Code": code(name), "Name": name })
}

/// The launch that an instance came of, without reading all of its body.
#[derive(Deserialize)]
struct Launch<'a> {
    #[serde(rename = "_ReservationId", borrow)]
    reservation: Cow<'a, str>,
}

/// An instance as it looks now.
pub(super) fn show(ask: &Ask<'_>, instance: &Thing) -> Value {
    let now = instance.state(ask.now);
    let mut shown = Map::new();
    set(&mut shown, "InstanceId", &*instance.id);
    if now == "terminated" {
        shown.extend(remains(instance));
    } else {
        set(&mut shown, BODY, instance.body.text());
    }
    if !instance.tags.is_empty() {
        set(&mut shown, "Tags", tag_list(&instance.tags));
    }
    set(&mut shown, "State", state(now));
    set(&mut shown, "InstanceType", &*instance.size);
    let zone = instance.zone.as_deref().unwrap_or_default();
    set(&mut shown, "Placement", json!({ "AvailabilityZone": zone, "GroupName": "", "Tenancy": "default" }));
    if matches!(now, "pending" | "running") {
        set(&mut shown, "StateTransitionReason", "");
    } else {
        let since = instance.life.since(ask.now).format("%Y-%m-%d %H:%M:%S");
        set(&mut shown, "StateTransitionReason", format!("User initiated ({since} GMT)"));
        let reason = json!({
            "Code": "Client.UserInitiatedShutdown",
            "Message": "Client.UserInitiatedShutdown: User initiated shutdown",
        });
        set(&mut shown, "StateReason", reason);
    }
    Value::Object(shown)
}

/// What is left of a terminated instance: neither addresses nor disks nor a network.
fn remains(instance: &Thing) -> Map<String, Value> {
    let mut body = instance.body.read();
    body.retain(|name, _| {
        !name.starts_with('_')
            && !matches!(name.as_str(), "PrivateIpAddress" | "PublicIpAddress" | "SubnetId" | "VpcId")
    });
    for name in ["BlockDeviceMappings", "NetworkInterfaces", "SecurityGroups"] {
        set(&mut body, name, Vec::<Value>::new());
    }
    set(&mut body, "PrivateDnsName", "");
    body
}

pub(super) fn describe(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let show = |ask: &Ask<'_>, instance: &Thing| {
        let launch = serde_json::from_str::<Launch<'_>>(instance.body.text());
        let reservation =
            launch.map_or_else(|_| instance.id.to_string(), |launch| launch.reservation.into_owned());
        Value::Array(vec![reservation.into(), self::show(ask, instance)])
    };
    let (instances, next) = INSTANCE.page(ask, estate, show)?;
    // Instances of one launch stand together, as AWS has them.
    let mut reservations: Map<String, Value> = Map::new();
    for pair in instances {
        let Value::Array(pair) = pair else { continue };
        let mut pair = pair.into_iter();
        let (Some(Value::String(id)), Some(instance)) = (pair.next(), pair.next()) else { continue };
        let empty = json!({ "ReservationId": id, "OwnerId": ask.owner(), "Groups": [], "Instances": [] });
        let reservation = reservations.entry(id).or_insert(empty);
        if let Some(list) = reservation["Instances"].as_array_mut() {
            list.push(instance);
        }
    }
    let reservations = reservations.into_iter().map(|(_, reservation)| reservation).collect();
    Ok(paged("Reservations", (reservations, next)).into())
}

pub(super) fn statuses(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let all = ask.flag("IncludeAllInstances");
    let wanted = |instance: &Thing| all || instance.state(ask.now) == "running";
    let ailing = ask.effects.unhealthy;
    let show = |ask: &Ask<'_>, instance: &Thing| {
        let name = instance.state(ask.now);
        let young = ask.now - instance.life.since(ask.now) < chrono::TimeDelta::minutes(2);
        let (status, detail) = match name {
            "running" if ailing => ("impaired", "failed"),
            "running" if young => ("initializing", "initializing"),
            "running" => ("ok", "passed"),
            _ => ("not-applicable", "insufficient-data"),
        };
        let summary = json!({ "Status": status, "Details": [{ "Name": "reachability", "Status": detail }] });
        json!({
            "InstanceId": instance.id,
            "AvailabilityZone": instance.zone,
            "InstanceState": state(name),
            "InstanceStatus": summary,
            "SystemStatus": summary,
            "Events": [],
        })
    };
    Ok(paged("InstanceStatuses", INSTANCE.page_of(ask, estate, show, wanted)?).into())
}
