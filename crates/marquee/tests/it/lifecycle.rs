//! The life of an instance, a database and a bucket at each cloud, by the command line alone: made, changed, copied, brought
//! back and ended. After each step the vendor's own client says how the thing stands.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use marquee_db::testing::TestDb;
use marquee_types::Clock;
use serde_json::{Value, json};

use crate::{moto::Account, person::Person, process::Server, simulate::Simulator};

/// Simulated seconds in one: a database is made within moments, and a token outlives the test.
const HASTE: &str = "600";

/// What is made at a cloud, and the vendor's words for how it stands.
struct Vendor {
    face: &'static str,
    kind: &'static str,
    region: &'static str,
    /// Flags of `resources create` for an instance, beside its name and size.
    instance: &'static [&'static str],
    sizes: [&'static str; 2],
    /// Running and stopped.
    powers: [&'static str; 2],
    /// A copy of a disk that is complete.
    copied: &'static str,
    /// Flags of `resources create` for a database, beside its name and size.
    database: &'static [&'static str],
    database_sizes: [&'static str; 2],
    /// What of a database tells whether it serves, and how it then stands and how when it is stopped.
    serving: (&'static str, [&'static str; 2]),
    /// A copy of a database that is complete.
    saved: &'static str,
    /// Flags of `resources create` for a bucket, beside its name.
    bucket: &'static [&'static str],
    /// The steps that are left out, and why.
    cannot: &'static [(&'static str, &'static str)],
}

const AWS: Vendor = Vendor {
    face: "aws",
    kind: "aws",
    region: "eu-west-1",
    instance: &["--spec.boot-disk-gib", "12"],
    sizes: ["m7g.large", "m7g.xlarge"],
    powers: ["running", "stopped"],
    copied: "completed",
    database: &["--spec.engine", "postgres", "--spec.storage-gib", "50", "--spec.admin-name", "planner"],
    database_sizes: ["db.m7g.large", "db.m7g.xlarge"],
    serving: ("state", ["available", "stopped"]),
    saved: "available",
    bucket: &[],
    cannot: &[],
};

/// Where the world has its network.
const GROUP: &str = r#"{"resource_group": "orangery-events-westeurope"}"#;

const AZURE: Vendor = Vendor {
    face: "azure",
    kind: "azure",
    region: "westeurope",
    instance: &[
        "--spec.image",
        "Canonical:ubuntu-24_04-lts:server:latest",
        "--spec.boot-disk-gib",
        "64",
        "--spec.ssh-key",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 someone",
    ],
    sizes: ["Standard_D2s_v5", "Standard_D4s_v5"],
    powers: ["running", "deallocated"],
    copied: "Succeeded",
    database: &[
        "--spec.engine",
        "postgres",
        "--spec.engine-version",
        "16",
        "--spec.storage-gib",
        "64",
        "--spec.admin-name",
        "keeper",
        "--spec.extensions",
        GROUP,
    ],
    database_sizes: ["Standard_D2ds_v5", "Standard_D4ds_v5"],
    serving: ("state", ["Ready", "Stopped"]),
    saved: "kept",
    bucket: &["--spec.extensions", GROUP],
    cannot: &[],
};

const GOOGLE: Vendor = Vendor {
    face: "google",
    kind: "gcp",
    region: "europe-west1",
    instance: &[
        "--spec.image",
        "projects/debian-cloud/global/images/family/debian-12",
        "--spec.zone",
        "europe-west1-b",
        "--spec.subnet",
        "//compute.googleapis.com/projects/orangery-media/regions/europe-west1/subnetworks/main",
    ],
    sizes: ["n2-standard-2", "n2-standard-4"],
    powers: ["RUNNING", "TERMINATED"],
    copied: "READY",
    database: &[
        "--spec.engine",
        "postgres",
        "--spec.engine-version",
        "16",
        "--spec.storage-gib",
        "20",
        "--spec.admin-name",
        "postgres",
    ],
    database_sizes: ["db-custom-2-7680", "db-custom-4-15360"],
    serving: ("policy", ["ALWAYS", "NEVER"]),
    saved: "SUCCESSFUL",
    bucket: &[],
    cannot: &[],
};

/// AWS as moto plays it: a judge that no one here wrote.
const MOTO: Vendor = Vendor {
    sizes: ["m5.large", "m5.xlarge"],
    database_sizes: ["db.m5.large", "db.m5.xlarge"],
    cannot: MOTO_CANNOT,
    ..AWS
};

/// The steps that moto does not take as AWS does, and why; the others are taken.
const MOTO_CANNOT: &[(&str, &str)] = &[
    (
        "a bucket is private at once",
        "gives a new bucket no block of public access, as AWS does since April 2023",
    ),
    ("a bucket has tags at once", "forgets the tags that a bucket is made with"),
];

/// The vendor's own client, which looks.
struct Eye {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Eye {
    fn open(account: &Value) -> Self {
        let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut child = Command::new(project.join(".venv-clients/bin/python"))
            .arg(project.join("crates/marquee/tests/it/lifecycle.py"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the vendors' clients are installed by scripts/setup test");
        let mut questions = child.stdin.take().unwrap();
        writeln!(questions, "{account}").unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, questions, answers }
    }

    /// How a thing stands: null if it is not there.
    fn look(&mut self, kind: &str, native_id: &str) -> Value {
        writeln!(self.questions, "{}", json!({ "kind": kind, "id": native_id })).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("no answer about {kind} {native_id}: {error}"))
    }
}

impl Drop for Eye {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An account that is connected, somebody who changes it, and somebody who looks.
struct Life<'a> {
    vendor: &'static Vendor,
    person: Person<'a>,
    eye: Eye,
    provider: String,
    /// A name that no other account's bucket has.
    bucket: String,
}

/// Something that was made.
#[derive(Clone)]
struct Thing {
    id: String,
    kind: String,
    native_id: String,
}

impl Thing {
    /// The other end of a relation.
    fn related(relation: &Value) -> Self {
        let other = &relation["resource"];
        Self { id: text(other, "id"), kind: text(other, "kind"), native_id: text(relation, "native_id") }
    }
}

impl<'a> Life<'a> {
    /// Connects an account by the command line, and syncs it.
    fn begin(vendor: &'static Vendor, server: &'a Server, account: &Value) -> Self {
        let person = Person::log_in(server);
        connect(&person, vendor, account);
        let name = text(account, "name");
        let synced = person.ask(&["providers", "sync", &name, "--wait"]);
        assert_eq!(synced["state"], "succeeded", "{synced:#}");
        let provider = text(&person.ask(&["providers", "show", &name]), "id");
        let bucket = format!("lifecycle{}", &text(account, "id").replace('-', "")[..12]);
        Self { vendor, person, eye: Eye::open(account), provider, bucket }
    }

    /// Starts a change, watches it to its end, and gives the operation with its steps.
    fn change(&self, arguments: &[&str]) -> Value {
        let started = self.person.ask(&[&["resources"], arguments, &["--yes", "--no-wait"]].concat());
        let id = text(&started["operation"], "id");
        let ended = self.person.ask(&["operations", "watch", &id]);
        assert_eq!(ended["state"], "succeeded", "{arguments:?}: {ended:#}");
        self.person.ask(&["operations", "show", &id])
    }

    /// Makes something, and finds it by its name and kind.
    fn make(&self, kind: &str, name: &str, arguments: &[&str]) -> Thing {
        let operation = self.change(arguments);
        let steps = operation["steps"].as_array().unwrap();
        let made = steps.iter().find_map(|step| step["output"]["resource_id"].as_str());
        let id = made.unwrap_or_else(|| panic!("nothing was made: {operation:#}")).to_owned();
        let shown = self.person.ask(&["resources", "show", &id]);
        // A backup at Azure has no tags, so its token stands in its name.
        assert!(shown["kind"] == kind && text(&shown, "name").starts_with(name), "{shown:#}");
        Thing { id, kind: kind.to_owned(), native_id: text(&shown, "native_id") }
    }

    /// `resources create`.
    fn create(&self, kind: &str, name: &str, flags: &[&str]) -> Thing {
        let place = ["create", "--provider-id", &self.provider, "--region", self.vendor.region];
        let what = ["--kind", kind, "--spec.name", name, "--spec.tags", "venue=orangery"];
        self.make(kind, name, &[&place[..], &what, flags].concat())
    }

    /// What the vendor's client says of a thing that is there.
    #[track_caller]
    fn sees(&mut self, thing: &Thing, expected: &[(&str, &str)]) {
        let seen = self.eye.look(&thing.kind, &thing.native_id);
        let said = |name: &str| seen[name].as_str().map_or_else(|| seen[name].to_string(), str::to_owned);
        let said: BTreeMap<&str, String> = expected.iter().map(|(name, _)| (*name, said(name))).collect();
        let expected = expected.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        assert_eq!(said, expected, "{} is {seen:#}", thing.native_id);
    }

    /// What has to be so, but where it is declared not to be: there it must not, so that the list of those shrinks.
    #[track_caller]
    fn holds(&self, what: &str, holds: bool, seen: &Value) {
        let cannot = self.vendor.cannot.iter().find(|(step, _)| *step == what);
        assert_eq!(holds, cannot.is_none(), "{what}, or else {cannot:?}: {seen:#}");
    }

    /// Ends a thing: the vendor's client does not find it any more, nor does the inventory.
    #[track_caller]
    fn end(&mut self, thing: &Thing) {
        self.change(&["delete", &thing.id]);
        assert_eq!(self.eye.look(&thing.kind, &thing.native_id), Value::Null, "{} is there", thing.native_id);
        let shown = self.person.ask(&["resources", "show", &thing.id]);
        // What the vendor itself still shows as ended is shown so.
        let ended = shown["deleted_at"].is_string() || shown["state"] == "deleted";
        assert!(ended, "the inventory still has it: {shown:#}");
    }

    /// What the inventory says of how a thing stands to others.
    fn relations(&self, id: &str) -> Vec<Value> {
        self.person.ask(&["resources", "related", id])["items"].as_array().unwrap().clone()
    }
}

/// `providers add`, with the credentials by the standard input.
fn connect(person: &Person<'_>, vendor: &Vendor, account: &Value) {
    let (name, id, endpoint) = (text(account, "name"), text(account, "id"), text(account, "endpoint"));
    let mut command = vec!["providers", "add", "--kind", vendor.kind, "--name", &name];
    command.extend([
        "--sync-interval-seconds",
        "604800",
        "--credentials-file",
        "-",
        "--endpoint-url",
        &endpoint,
    ]);
    let keys = &account["credentials"];
    let only = |names: &[&str]| -> Value {
        names
            .iter()
            .map(|name| ((*name).to_owned(), keys[*name].clone()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let credentials = match vendor.kind {
        "aws" => {
            command.extend(["--region", vendor.region]);
            only(&["access_key_id", "secret_access_key"])
        }
        "azure" => {
            command.extend(["--subscription", &id, "--authority-url", &endpoint]);
            command.extend(["--provider-ca-certificate", account["certificate"].as_str().unwrap()]);
            only(&["tenant_id", "client_id", "client_secret"])
        }
        _ => {
            command.extend(["--project", &id]);
            let mut key = keys.clone();
            // Beside the key there is what federation needs.
            key.as_object_mut().unwrap().remove("workload_identity");
            key
        }
    };
    person.with_input(&command, &credentials.to_string()).well();
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value:#}")).to_owned()
}

/// Made, stopped, started, given another size, its disk copied, and ended.
fn an_instance(life: &mut Life<'_>, more: &[&str]) {
    let vendor = life.vendor;
    let ([small, large], [running, stopped]) = (vendor.sizes, vendor.powers);
    let flags = [&["--spec.size", small], vendor.instance, more].concat();
    let instance = life.create("compute_instance", "lifecycle-web", &flags);
    life.sees(&instance, &[("state", running), ("size", small)]);
    life.change(&["stop", &instance.id]);
    life.sees(&instance, &[("state", stopped), ("size", small)]);
    life.change(&["start", &instance.id]);
    life.sees(&instance, &[("state", running), ("size", small)]);
    life.change(&["resize", &instance.id, "--size", large]);
    life.sees(&instance, &[("state", running), ("size", large)]);
    // Its disk came along with it.
    life.person.run(&["providers", "sync", &life.provider, "--wait"]).well();
    let relations = life.relations(&instance.id);
    let disk = relations.iter().find(|one| one["resource"]["kind"] == "disk");
    let disk = Thing::related(disk.unwrap_or_else(|| panic!("it has no disk: {relations:#?}")));
    let copy = life.make("snapshot", "lifecycle-copy", &["snapshot", &disk.id, "--name", "lifecycle-copy"]);
    let short = disk.native_id.rsplit('/').next().unwrap().to_owned();
    life.sees(&copy, &[("state", vendor.copied), ("of", &short)]);
    life.end(&instance);
    assert_eq!(life.eye.look("disk", &disk.native_id), Value::Null, "its disk goes with it");
    life.sees(&copy, &[("state", vendor.copied)]);
    life.end(&copy);
}

/// Made, copied, made again from the copy, given another size, stopped, started, and ended.
fn a_database(life: &mut Life<'_>) {
    let vendor = life.vendor;
    let ([small, large], (what, [serves, stopped])) = (vendor.database_sizes, vendor.serving);
    let flags = [&["--spec.size", small, "--spec.backup-retention-days", "7"], vendor.database].concat();
    let database = life.create("database", "lifecycle-guests", &flags);
    life.sees(&database, &[(what, serves), ("size", small)]);
    let copy = ["snapshot", &database.id, "--name", "lifecycle-copy"];
    let copy = life.make("database_snapshot", "lifecycle-copy", &copy);
    life.sees(&copy, &[("state", vendor.saved), ("of", "lifecycle-guests")]);
    let restore = ["restore", &copy.id, "--name", "lifecycle-again"];
    let restored = life.make("database", "lifecycle-again", &restore);
    life.sees(&restored, &[(what, serves), ("size", small)]);
    life.change(&["resize", &database.id, "--size", large]);
    life.sees(&database, &[(what, serves), ("size", large)]);
    life.change(&["stop", &database.id]);
    life.sees(&database, &[(what, stopped), ("size", large)]);
    life.change(&["start", &database.id]);
    life.sees(&database, &[(what, serves), ("size", large)]);
    life.end(&restored);
    life.end(&copy);
    life.end(&database);
}

/// Made private and with versions, tagged anew, and ended.
fn a_bucket(life: &mut Life<'_>) {
    let flags = [&["--spec.versioning"], life.vendor.bucket].concat();
    let bucket = life.create("bucket", &life.bucket.clone(), &flags);
    life.sees(&bucket, &[("versioned", "true")]);
    let seen = life.eye.look("bucket", &bucket.native_id);
    life.holds("a bucket is private at once", seen["private"] == true, &seen);
    life.holds("a bucket has tags at once", seen["tags"]["venue"] == "orangery", &seen);
    life.change(&["update", &bucket.id, "--tags", "venue=barn"]);
    let tags = &life.eye.look("bucket", &bucket.native_id)["tags"];
    assert_eq!(tags["venue"], "barn", "{tags:#}");
    life.end(&bucket);
}

/// Somebody at the command line lives through all of it with an account.
async fn lived(vendor: &'static Vendor, account: &Value, more: impl FnOnce(&Life<'_>) -> Vec<String>) {
    let database = TestDb::new(Clock::system()).await;
    let server = Server::start(&database).await;
    let mut life = Life::begin(vendor, &server, account);
    let more = more(&life);
    an_instance(&mut life, &more.iter().map(String::as_str).collect::<Vec<_>>());
    a_database(&mut life);
    a_bucket(&mut life);
}

/// The simulator's account of a vendor.
fn simulated(vendor: &Vendor, simulator: &Simulator) -> Value {
    let accounts = simulator.json(&["accounts"]);
    let account = accounts.as_array().unwrap().iter().find(|account| account["face"] == vendor.face);
    let mut account = account.unwrap().clone();
    account["place"] = json!(vendor.region);
    account["certificate"] = json!(std::fs::read_to_string(simulator.certificate()).unwrap());
    account
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_is_driven_by_the_command_line_and_boto3_agrees() {
    let like_another = |life: &Life<'_>| {
        let filter = "kind = \"compute_instance\" AND size = \"m7g.large\" AND region = \"eu-west-1\"";
        let found = life.person.ask(&["resources", "list", "--filter", filter]);
        let relations = life.relations(&text(&found["items"][0], "id"));
        let native = |relation: &str, of: &str| {
            let is = |one: &&Value| one["relation"] == relation && text(one, "native_id").contains(of);
            text(relations.iter().find(is).unwrap_or_else(|| panic!("no {of}: {relations:#?}")), "native_id")
        };
        let (image, subnet) = (native("created_from", ":image/"), native("member_of", ":subnet/"));
        vec!["--spec.image".to_owned(), image, "--spec.subnet".to_owned(), subnet]
    };
    let simulator = Simulator::start(&["--speed", HASTE]);
    lived(&AWS, &simulated(&AWS, &simulator), like_another).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_is_driven_by_the_command_line_and_its_own_client_agrees() {
    let in_the_network = |life: &Life<'_>| {
        let filter = "kind = \"network\" AND region = \"westeurope\" AND name = \"main\"";
        let found = life.person.ask(&["resources", "list", "--filter", filter]);
        let subnet = format!("{}/subnets/zone-1", text(&found["items"][0], "native_id"));
        vec!["--spec.subnet".to_owned(), subnet]
    };
    let simulator = Simulator::start(&["--speed", HASTE]);
    lived(&AZURE, &simulated(&AZURE, &simulator), in_the_network).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn google_is_driven_by_the_command_line_and_its_own_client_agrees() {
    let simulator = Simulator::start(&["--speed", HASTE]);
    lived(&GOOGLE, &simulated(&GOOGLE, &simulator), |_| Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_is_driven_by_the_command_line_and_boto3_agrees() {
    let moto = Account::take();
    let images = r#"
found = client("ec2").describe_images(Owners=["amazon"], Filters=[{"Name": "architecture", "Values": ["x86_64"]}])["Images"]
print(json.dumps(found[0]["ImageId"]))
"#;
    let image = moto.boto3(images).as_str().unwrap().to_owned();
    let account = json!({
        "face": MOTO.face, "id": moto.number, "name": "moto", "endpoint": moto.endpoint, "place": MOTO.region,
        "credentials": { "access_key_id": moto.access_key_id, "secret_access_key": moto.secret_access_key },
    });
    lived(&MOTO, &account, |_| vec!["--spec.image".to_owned(), image]).await;
}
