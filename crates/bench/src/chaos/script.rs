//! What is asked for: a world of three accounts, and short stories about its things, chosen by the seed.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use marquee_simulator::FaceName;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};

/// A vendor, its account, and what is made there. `never` is a size of which there is none left.
pub struct Vendor {
    pub face: FaceName,
    pub kind: &'static str,
    pub account: &'static str,
    pub region: &'static str,
    pub zone: &'static str,
    zones: &'static str,
    pub sizes: [&'static str; 2],
    pub never: &'static str,
    disk: &'static str,
    database: &'static str,
    /// What the vendor lets a database's administrator be called.
    admin: &'static str,
    instances: &'static str,
    disks: &'static str,
}

pub const VENDORS: &[Vendor] = &[
    Vendor {
        face: FaceName::Aws,
        kind: "aws",
        account: "310000000042",
        region: "eu-west-1",
        zone: "eu-west-1a",
        zones: r#""eu-west-1a""#,
        sizes: ["m7g.large", "m7g.xlarge"],
        never: "m7g.2xlarge",
        disk: "gp3",
        database: "db.m7g.large",
        admin: "planner",
        instances: "ec2/instance",
        disks: "ec2/volume",
    },
    Vendor {
        face: FaceName::Azure,
        kind: "azure",
        account: "70f5a1de-9d0b-4a9e-8a10-0c4b1d9f3e42",
        region: "westeurope",
        zone: "1",
        zones: r#""1""#,
        sizes: ["Standard_D2s_v5", "Standard_D4s_v5"],
        never: "Standard_D8s_v5",
        disk: "Premium_LRS",
        database: "Standard_D2ds_v5",
        admin: "planner",
        instances: "Microsoft.Compute/virtualMachines",
        disks: "Microsoft.Compute/disks",
    },
    Vendor {
        face: FaceName::Google,
        kind: "gcp",
        account: "chaos-project",
        region: "europe-west1",
        zone: "europe-west1-b",
        zones: r#""europe-west1-b""#,
        sizes: ["n2-standard-2", "n2-standard-4"],
        never: "n2-standard-8",
        disk: "pd-ssd",
        database: "db-custom-2-7680",
        admin: "postgres",
        instances: "compute.instances",
        disks: "compute.disks",
    },
];

impl Vendor {
    /// Where the simulator keeps things of a kind that are compared with the inventory.
    pub fn shelves(&self) -> [(&'static str, &'static str); 2] {
        [("compute_instance", self.instances), ("disk", self.disks)]
    }
}

/// One thing that is asked for.
#[derive(Debug, Clone)]
pub struct Line {
    /// `POST`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// Behind the resource's path; of a creation nothing.
    pub verb: &'static str,
    pub body: Value,
    /// Asked to be cancelled after so many milliseconds.
    pub cancel: Option<u64>,
    /// Asked for while the one before is under way.
    pub at_once: bool,
}

/// What is asked for about one thing, in order.
#[derive(Debug, Clone)]
pub struct Script {
    /// The id of the resource; none if the first line makes it.
    pub resource: Option<String>,
    pub lines: Vec<Line>,
}

const INSTANCES: usize = 120;

/// A world file.
pub fn world(seed: u64) -> Result<String> {
    let mut text = format!("name = \"chaos\"\nseed = {seed}\nhistory_days = 60\n");
    for vendor in VENDORS {
        write!(
            text,
            "[[accounts]]\nface = \"{}\"\nid = \"{}\"\nname = \"chaos\"\nregions = [{{ id = \"{}\", name = \"{}\", zones = [{}] }}]\n",
            vendor.face.as_str(),
            vendor.account,
            vendor.region,
            vendor.region,
            vendor.zones
        )?;
        for (what, name, count, size) in [
            ("network", "main", 1, ""),
            ("instance", "web-{n}", INSTANCES, vendor.sizes[0]),
            ("disk", "data-{n}", 30, vendor.disk),
        ] {
            write!(
                text,
                "[[accounts.groups]]\nwhat = \"{what}\"\nname = \"{name}\"\ncount = {count}\nsize = \"{size}\"\ngib = 30\n\
                 tags = {{ app = \"chaos\" }}\nage_days = [{0}, {0}]\n",
                if what == "network" { 50 } else { 40 }
            )?;
        }
    }
    Ok(text)
}

/// Stories of as many lines as wanted, and some more: of a thing that was not made nothing further is told.
pub fn scripts(seed: u64, lines: usize, stock: &[Value], providers: &[String]) -> Result<Vec<Script>> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut instances: Vec<Vec<&Value>> = providers
        .iter()
        .map(|provider| {
            let of =
                |one: &&Value| one["provider_id"] == provider.as_str() && one["kind"] == "compute_instance";
            stock.iter().filter(of).collect()
        })
        .collect();
    let hosts: Vec<&Value> =
        instances.iter_mut().map(|found| found.pop().context("no instance")).collect::<Result<_>>()?;
    let group = hosts.iter().map(|host| resource_group(host)).collect::<Vec<_>>();
    let mut scripts = Vec::new();
    let mut told = 0;
    while told < lines * 2 {
        let (number, at) = (scripts.len(), chance.random_range(0..VENDORS.len()));
        let vendor = &VENDORS[at];
        let make = |kind: &str, spec: Value| {
            let mut body =
                json!({ "provider_id": providers[at], "kind": kind, "region": vendor.region, "spec": spec });
            if let (Some(group), "azure", true) = (&group[at], vendor.kind, kind != "compute_instance") {
                body["spec"]["extensions"] = json!({ "resource_group": group });
            }
            line("POST", "", body)
        };
        let (mut resource, mut lines) = (None, Vec::new());
        match chance.random_range(0..10) {
            0..=4 => {
                let Some(one) = instances[at].pop() else { continue };
                resource = one["id"].as_str().map(str::to_owned);
                of_an_instance(&mut chance, vendor, &mut lines);
            }
            5..=7 => {
                let name = format!("disk-{number}");
                lines.push(make("disk", json!({ "name": name, "zone": vendor.zone, "size_gib": 20 })));
                of_a_disk(&mut chance, number, hosts[at], &mut lines);
            }
            8 => {
                let spec = json!({ "name": format!("guests-{seed}-{number}"), "engine": "postgres", "size": vendor.database,
                    "storage_gib": if vendor.kind == "azure" { 64 } else { 20 }, "admin_name": vendor.admin });
                lines.push(make("database", spec));
                lines.push(tag(number));
                lines.push(line("DELETE", "", Value::Null));
            }
            _ => {
                lines.push(make("bucket", json!({ "name": format!("chaos{seed}x{number}") })));
                lines.push(tag(number));
                if chance.random_bool(0.5) {
                    lines.push(line("DELETE", "", Value::Null));
                }
            }
        }
        for line in &mut lines {
            if chance.random_bool(0.1) {
                line.cancel = Some(chance.random_range(0..1_500));
            }
        }
        told += lines.len();
        scripts.push(Script { resource, lines });
    }
    Ok(scripts)
}

fn of_an_instance(chance: &mut StdRng, vendor: &Vendor, lines: &mut Vec<Line>) {
    for turn in 0..chance.random_range(2..5) {
        match chance.random_range(0..6) {
            0 | 1 => lines.push(line("POST", "/resize", json!({ "size": vendor.sizes[(turn + 1) % 2] }))),
            2 => lines.push(line("POST", "/resize", json!({ "size": vendor.never }))),
            3 => lines.push(tag(turn)),
            4 => lines.push(line("POST", "/reboot", Value::Null)),
            _ => {
                lines.push(line("POST", "/stop", Value::Null));
                lines.push(Line { at_once: true, ..line("POST", "/start", Value::Null) });
            }
        }
    }
    if chance.random_bool(0.15) {
        lines.push(line("DELETE", "", Value::Null));
    }
}

fn of_a_disk(chance: &mut StdRng, number: usize, host: &Value, lines: &mut Vec<Line>) {
    lines.push(line("POST", "/grow", json!({ "size_gib": 40 })));
    if chance.random_bool(0.5) {
        lines.push(line("POST", "/snapshot", json!({ "name": format!("copy-{number}") })));
    }
    // Google and Azure let few disks at one instance; a refusal for that is taken back like any other.
    if chance.random_bool(0.2) {
        lines.push(line("POST", "/attach", json!({ "instance_id": host["id"] })));
        lines.push(line("POST", "/detach", json!({ "instance_id": host["id"] })));
    }
    if chance.random_bool(0.6) {
        lines.push(line("DELETE", "", Value::Null));
    }
}

fn line(method: &'static str, verb: &'static str, body: Value) -> Line {
    Line { method, verb, body, cancel: None, at_once: false }
}

fn tag(number: usize) -> Line {
    line("PATCH", "", json!({ "tags": { "venue": format!("v{number}") } }))
}

fn resource_group(host: &Value) -> Option<String> {
    let id = host["native_id"].as_str()?;
    Some(id.split("/resourcegroups/").nth(1)?.split('/').next()?.to_owned())
}
