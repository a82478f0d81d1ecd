//! Hosted zones.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{GLOBAL, ZONES, bare, changed, page};
use crate::{
    aws::{ask::Ask, ec2, protocol::Refusal, service::Answered},
    estate::{Estate, Meter, Thing},
};

/// A name as it is kept: in small letters, with a dot at its end.
pub(super) fn full(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_lowercase())
}

pub(super) fn one<'e>(ask: &Ask<'_>, estate: &'e Estate, id: &str) -> Result<&'e Thing, Refusal> {
    let missing = || Refusal::new("NoSuchHostedZone", format!("No hosted zone found with ID: {}", bare(id)));
    estate.get(ask.owner(), ZONES, GLOBAL, bare(id), ask.now).ok_or_else(missing)
}

/// The name servers of a zone.
fn servers(ask: &Ask<'_>, id: &str) -> Vec<String> {
    let number = ask.world.seed().number(&["name-servers", id]) % 2000;
    ["com", "net", "org", "co.uk"]
        .iter()
        .enumerate()
        .map(|(n, end)| format!("ns-{}.awsdns-{n:02}.{end}", number + n as u64))
        .collect()
}

pub(crate) fn create(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let (name, reference) = (full(ask.need("Name")), ask.need("CallerReference"));
    check(ask, estate, &name, reference)?;
    let vpc = ask.get("VPC");
    let config = ask.get("HostedZoneConfig");
    let private = config.is_some_and(|config| config["PrivateZone"] == true) || vpc.is_some();
    if private && vpc.is_none() {
        return Err(Refusal::new(
            "InvalidInput",
            "When you're creating a private hosted zone, you must specify a VPC",
        ));
    }
    if let Some(vpc) = vpc {
        check_vpc(ask, estate, vpc)?;
    }
    let id = ask.new_id(estate, "Z", 20).to_uppercase();
    let mut zone = Thing::new(&id, GLOBAL, ask.now, "active");
    zone.name = name.as_str().into();
    let servers = servers(ask, &id);
    let values: Vec<Value> = servers.iter().map(|server| json!({ "Value": format!("{server}.") })).collect();
    let soa = format!("{}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400", servers[0]);
    zone.body = json!({
        "CallerReference": reference,
        "Comment": config.and_then(|config| config.get("Comment")),
        "Private": private,
        "VPCs": vpc.map(|vpc| vec![vpc.clone()]).unwrap_or_default(),
        "Records": [
            { "Name": name, "Type": "NS", "TTL": 172_800, "ResourceRecords": values },
            { "Name": name, "Type": "SOA", "TTL": 900, "ResourceRecords": [{ "Value": soa }] },
        ],
    })
    .into();
    zone.meter(ask.now, [Meter::new("zone/hosted", 1.0)]);
    let mut answer = shown(ask, &zone);
    answer["Location"] = format!("https://route53.amazonaws.com/2013-04-01/hostedzone/{id}").into();
    answer["ChangeInfo"] = changed(ask);
    if let Some(members) = answer.as_object_mut() {
        members.shift_remove("VPCs");
        // The model demands a delegation set also of a private zone, and AWS gives one.
        members.entry("DelegationSet").or_insert_with(|| json!({ "NameServers": servers }));
        if let Some(vpc) = vpc {
            members.insert("VPC".to_owned(), vpc.clone());
        }
    }
    ask.add(estate, ZONES, zone);
    Ok(answer.into())
}

/// Refuses a name that is none, and a reference that was used before.
fn check(ask: &Ask<'_>, estate: &Estate, name: &str, reference: &str) -> Result<(), Refusal> {
    let label = |label: &str| (1..=63).contains(&label.len());
    if name.len() > 255 || !name.trim_end_matches('.').split('.').all(label) {
        return Err(Refusal::new("InvalidDomainName", format!("{name} is not a domain name")));
    }
    let mut zones = estate.all(ask.owner(), ZONES, Some(GLOBAL), ask.now);
    if zones.any(|zone| zone.body.get("CallerReference") == reference) {
        let message = format!(
            "A hosted zone has already been created with the specified caller reference: {reference}"
        );
        return Err(Refusal::new("HostedZoneAlreadyExists", message));
    }
    Ok(())
}

fn check_vpc(ask: &Ask<'_>, estate: &Estate, vpc: &Value) -> Result<(), Refusal> {
    let text = |name: &str| vpc[name].as_str().unwrap_or_default();
    let found = estate.get(ask.owner(), ec2::VPCS, text("VPCRegion"), text("VPCId"), ask.now);
    found.map(|_| ()).ok_or_else(|| {
        Refusal::new(
            "InvalidVPCId",
            format!("The VPC: {} you provided is not authorized to make the association.", text("VPCId")),
        )
    })
}

/// The zone as the lists have it.
fn entry(zone: &Thing) -> Value {
    let body = zone.body.read();
    let mut config = json!({ "PrivateZone": body["Private"] });
    if let Some(comment) = body.get("Comment").filter(|comment| !comment.is_null()) {
        config["Comment"] = comment.clone();
    }
    json!({
        "Id": format!("/hostedzone/{}", zone.id), "Name": zone.name, "CallerReference": body["CallerReference"],
        "Config": config, "ResourceRecordSetCount": body["Records"].as_array().map_or(0, Vec::len),
    })
}

/// The zone with its servers or networks.
fn shown(ask: &Ask<'_>, zone: &Thing) -> Value {
    let networks = zone.body.get("VPCs");
    if networks.as_array().is_some_and(|networks| !networks.is_empty()) {
        return json!({ "HostedZone": entry(zone), "VPCs": networks });
    }
    json!({ "HostedZone": entry(zone), "DelegationSet": { "NameServers": servers(ask, &zone.id) } })
}

pub(super) fn get(ask: &Ask<'_>, estate: &Estate) -> Answered {
    Ok(shown(ask, one(ask, estate, ask.need("Id"))?).into())
}

pub(super) fn list(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let private_only = ask.text("HostedZoneType") == Some("PrivateHostedZone");
    let wanted = |zone: &Thing| !private_only || zone.body.get("Private") == true;
    page(ask, estate, (ZONES, "HostedZones"), wanted, entry)
}

pub(super) fn delete(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let zone = one(ask, estate, ask.need("Id"))?;
    if zone.body.get("Records").as_array().is_some_and(|records| records.len() > 2) {
        let message =
            "The specified hosted zone contains non-required resource record sets and so cannot be deleted.";
        return Err(Refusal::new("HostedZoneNotEmpty", message));
    }
    let id = zone.id.clone();
    estate.end(ask.cause(), ZONES, GLOBAL, &id, ask.now + TimeDelta::zero());
    Ok(json!({ "ChangeInfo": changed(ask) }).into())
}
