//! One request of every endpoint that really succeeds, with the things it needs made beforehand.
//!
//! A row of the ledger without a fixture fails the tests that are derived from it: nothing is exempt.

use std::collections::BTreeMap;

use marquee_control::http::Endpoint;
use marquee_simulator::{FaceName, Options, Simulator, world::built_in};
use serde_json::{Value, json};

use crate::support::{Account, Answer, Client, PASSWORD, Tenant};

/// A request, ready to be sent by any caller.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub path: String,
    pub body: Option<Value>,
}

impl Prepared {
    /// Sends it as `client`.
    pub async fn send(&self, row: &Endpoint, client: &Client) -> Answer {
        let mut request = client.request(row.method.as_str(), &self.path);
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        client.send(request).await
    }
}

/// A provider with resources of many kinds, whose cloud has stopped answering: what is asked of it begins and does not end.
struct Stuck {
    provider: String,
    /// A resource of each kind.
    resources: BTreeMap<String, String>,
    /// Another one, whose cloud answers.
    offering: String,
    _simulators: [Simulator; 2],
}

impl Stuck {
    async fn make(owner: &Client) -> Self {
        let now = Some("2026-06-20T12:00:00Z".parse().unwrap());
        let options = Options { now, speed: 0.0, ..Options::new(built_in("wedding-season").unwrap()) };
        let simulator = Simulator::start(options).await.unwrap();
        let account =
            simulator.world().plan.accounts.iter().find(|account| account.face == FaceName::Aws).unwrap();
        let mut body = simulator.provider(account).unwrap();
        body["sync_interval_seconds"] = json!(604_800);
        body["verify"] = json!(false);
        let provider = id(&owner.post("/api/cloud/providers", body).await.expect(201));
        owner.sync(&provider).await;
        simulator.fault(json!({ "kind": "hanging", "face": "aws" })).unwrap();
        let found = owner.all(&format!("/api/cloud/resources?filter=provider_id%3D%22{provider}%22")).await;
        let kind = |found: &Value| found["kind"].as_str().unwrap().to_owned();
        let resources = found.iter().map(|found| (kind(found), id(found))).collect();
        let options = Options { now, speed: 0.0, ..Options::new(built_in("wedding-season").unwrap()) };
        let other = Simulator::start(options).await.unwrap();
        let account =
            other.world().plan.accounts.iter().find(|account| account.face == FaceName::Aws).unwrap();
        let mut body = other.provider(account).unwrap();
        body["name"] = json!("offering");
        body["verify"] = json!(false);
        let offering = id(&owner.post("/api/cloud/providers", body).await.expect(201));
        Self { provider, resources, offering, _simulators: [simulator, other] }
    }

    /// A request to change one of a kind; it comes next if another is at it.
    fn change(&self, row: &Endpoint, kind: &str, body: Option<Value>) -> Prepared {
        let id = self.resources.get(kind).unwrap_or_else(|| panic!("the world has no {kind}"));
        Prepared { path: format!("{}?on_conflict=wait", row.path.replace("{id}", id)), body }
    }
}

/// What fixtures are made of: an account at moto, and a provider connected to it that nothing destroys.
pub struct Stock {
    pub account: Account,
    pub provider: String,
    pub resource: String,
    pub sync: String,
    pub operation: String,
    stuck: Stuck,
    counter: std::cell::Cell<u32>,
    silent: std::cell::RefCell<Vec<std::net::TcpListener>>,
}

impl Stock {
    /// Connects a provider with something in it, and syncs it.
    pub async fn make(tenant: &Tenant) -> Self {
        let account = Account::take();
        account.boto3("client('ec2').create_volume(AvailabilityZone='eu-west-1a', Size=8); print('{}')");
        let provider =
            tenant.owner.post("/api/cloud/providers", account.provider("stock", &["eu-west-1"])).await;
        let provider = id(&provider.expect(201));
        let operation = id(&tenant.owner.sync(&provider).await);
        let disks = tenant.owner.get("/api/cloud/resources?filter=kind%3Ddisk").await.expect(200);
        let resource = id(&disks["items"][0]);
        let syncs = tenant.owner.get("/api/cloud/syncs").await.expect(200);
        let sync = id(&syncs["items"][0]);
        Self {
            account,
            provider,
            resource,
            sync,
            operation,
            stuck: Stuck::make(&tenant.owner).await,
            counter: std::cell::Cell::new(0),
            silent: std::cell::RefCell::default(),
        }
    }

    fn unique(&self, what: &str) -> String {
        self.counter.set(self.counter.get() + 1);
        format!("{what}-{}", self.counter.get())
    }

    /// The request of one row, with whatever it uses up made anew. What only concerns its caller is `caller`'s.
    pub async fn prepare(&self, row: &Endpoint, tenant: &Tenant, caller: &Client) -> Prepared {
        let owner = &tenant.owner;
        let plain = |body: Option<Value>| Prepared { path: row.path.to_owned(), body };
        let with = |id: &str, body: Option<Value>| Prepared { path: row.path.replace("{id}", id), body };
        match row.id {
            "auth.login" => plain(Some(json!({ "email": self.member(owner).await.1, "password": PASSWORD }))),
            // Whoever is asked to log out or to change a password does it to a session or person of its own:
            // the tests give these rows a caller who can be spared.
            "auth.logout" => plain(None),
            "auth.change_password" => {
                plain(Some(json!({ "current_password": PASSWORD, "new_password": PASSWORD.to_uppercase() })))
            }
            "organizations.update" => plain(Some(json!({ "name": self.unique("renamed") }))),
            "members.create" => plain(Some(self.new_member())),
            "members.update" => with(&self.member(owner).await.0, Some(json!({ "role": "engineer" }))),
            "members.get" | "members.delete" => with(&self.member(owner).await.0, None),
            "sessions.revoke" => with(&session_of(caller).await, None),
            "api_keys.create" => plain(Some(self.new_key())),
            "api_keys.get" | "api_keys.delete" => {
                let key = owner.post("/api/api-keys", self.new_key()).await.expect(201);
                with(&id(&key), None)
            }
            "providers.create" => plain(Some(self.account.provider(&self.unique("created"), &["eu-west-1"]))),
            "providers.replace" => {
                let body = self.account.provider(&self.unique("replaced"), &["eu-west-1"]);
                with(&self.provider(owner).await, Some(body))
            }
            "providers.delete" => with(&self.provider(owner).await, None),
            "providers.get" | "providers.test" | "providers.regions" | "providers.services"
            | "providers.sync" | "providers.scopes" => with(&self.provider, None),
            "providers.policy" => Prepared { path: row.path.replace("{kind}", "aws"), body: None },
            "resources.get" | "resources.history" | "resources.related" => with(&self.resource, None),
            "resources.protect" => with(&self.resource, Some(json!({ "reason": "Saturday" }))),
            "resources.protection" | "resources.unprotect" => {
                let path = format!("/api/cloud/resources/{}/protect", self.resource);
                owner.post(&path, json!({ "reason": "Saturday" })).await.expect(200);
                with(&self.resource, None)
            }
            id if id.starts_with("resources.bulk_") => self.changing_many(row),
            id if id.starts_with("resources.") && row.waits => self.changing(row),
            "syncs.get" => with(&self.sync, None),
            "operations.get" | "operations.wait" => with(&self.operation, None),
            "operations.cancel" => with(&self.running_operation(owner).await, None),
            "operations.pause" => {
                with(&self.running_operation(owner).await, Some(json!({ "reason": "the band is late" })))
            }
            "operations.resume" => {
                let operation = self.running_operation(owner).await;
                let pause = json!({ "reason": "the band is late" });
                owner.post(&format!("/api/operations/{operation}/pause"), pause).await.expect(202);
                with(&operation, None)
            }
            "approval_policies.create" => plain(Some(self.new_policy("nothing"))),
            "approval_policies.get" | "approval_policies.delete" => {
                let policy = self.new_policy("nothing");
                with(&id(&owner.post("/api/approval-policies", policy).await.expect(201)), None)
            }
            "operations.approval" => with(&self.proposed_operation(owner).await, None),
            "operations.approve" => with(&self.proposed_operation(owner).await, Some(json!({}))),
            "operations.reject" => {
                with(&self.proposed_operation(owner).await, Some(json!({ "reason": "not on a Saturday" })))
            }
            "offers.list" => {
                let path = format!("{}?places={}@eu-west-1", row.path, self.stuck.offering);
                Prepared { path, body: None }
            }
            "quotas.list" => {
                let path = format!("{}?provider_id={}&region=eu-west-1", row.path, self.stuck.offering);
                Prepared { path, body: None }
            }
            _ if row.audit.is_none() && !row.path.contains('{') => plain(None),
            other => panic!("{other} has no fixture: add one here"),
        }
    }

    /// A change of all of a kind that begins and does not end.
    fn changing_many(&self, row: &Endpoint) -> Prepared {
        let filter = format!("id = {}", self.stuck.resources["compute_instance"]);
        let mut body = json!({ "filter": filter, "expect_count": 1 });
        if row.id == "resources.bulk_tag" {
            body["tags"] = json!({ "venue": "barn" });
        }
        Prepared { path: row.path.to_owned(), body: Some(body) }
    }

    /// A change that begins and does not end.
    fn changing(&self, row: &Endpoint) -> Prepared {
        let change = |kind: &str, body: Option<Value>| self.stuck.change(row, kind, body);
        let instance = &self.stuck.resources["compute_instance"];
        match row.id {
            "resources.create" => Prepared {
                path: row.path.to_owned(),
                body: Some(
                    json!({ "provider_id": self.stuck.provider, "kind": "disk", "region": "eu-west-1",
                    "spec": { "name": self.unique("disk"), "zone": "eu-west-1a", "size_gib": 8 } }),
                ),
            },
            "resources.update" => change("compute_instance", Some(json!({ "tags": { "venue": "barn" } }))),
            "resources.delete" | "resources.start" | "resources.stop" | "resources.reboot" => {
                change("compute_instance", None)
            }
            "resources.resize" => change("compute_instance", Some(json!({ "size": "m7i.2xlarge" }))),
            "resources.image" => change("compute_instance", Some(json!({ "name": self.unique("image") }))),
            "resources.snapshot" => change("disk", Some(json!({ "name": self.unique("copy") }))),
            "resources.attach" | "resources.detach" => {
                change("disk", Some(json!({ "instance_id": instance })))
            }
            "resources.grow" => change("disk", Some(json!({ "size_gib": 16_000 }))),
            "resources.scale" => change("scaling_group", Some(json!({ "desired": 3 }))),
            "resources.restore" => {
                change("database_snapshot", Some(json!({ "name": self.unique("restored") })))
            }
            "resources.replicate" => change("database", Some(json!({ "name": self.unique("reader") }))),
            "resources.promote" => change("database", None),
            "resources.set_versioning" => change("bucket", Some(json!({ "enabled": true }))),
            "resources.set_lifecycle" => change("bucket", Some(json!({ "rules": [] }))),
            "resources.set_encryption" => change("bucket", Some(json!({}))),
            "resources.set_public_access" => change("bucket", Some(json!({ "blocked": true }))),
            "resources.set_records" => {
                let records = json!({ "name": "www.orangery.example", "type": "A", "ttl": 60, "values": ["192.0.2.1"] });
                change("dns_zone", Some(records))
            }
            "resources.remove_records" => {
                change("dns_zone", Some(json!({ "name": "www.orangery.example", "type": "A" })))
            }
            "resources.register_target" | "resources.deregister_target" => {
                change("target_group", Some(json!({ "instance_id": instance })))
            }
            other => panic!("{other} has no fixture: add one here"),
        }
    }

    /// Callers that a request may end: a session, or a person with everything they have.
    pub fn spends_its_caller(row: &Endpoint) -> bool {
        matches!(row.id, "auth.logout" | "auth.change_password")
    }

    fn new_member(&self) -> Value {
        json!({ "email": format!("{}@spare.example", self.unique("member")), "role": "viewer", "password": PASSWORD })
    }

    async fn member(&self, owner: &Client) -> (String, String) {
        let member = owner.post("/api/members", self.new_member()).await.expect(201);
        (id(&member), member["email"].as_str().unwrap().to_owned())
    }

    fn new_key(&self) -> Value {
        json!({ "name": self.unique("key"), "scopes": ["providers.read"], "expires_at": expiry() })
    }

    async fn provider(&self, owner: &Client) -> String {
        let mut body = self.account.provider(&self.unique("spare"), &["eu-west-1"]);
        body["verify"] = Value::from(false);
        id(&owner.post("/api/cloud/providers", body).await.expect(201))
    }

    /// An approval policy for whatever is of that name.
    fn new_policy(&self, named: &str) -> Value {
        json!({ "name": self.unique("policy"), "filter": format!("name = \"{named}\""), "approver_role": "manager" })
    }

    /// An operation that an engineer asked for and that somebody else has to approve.
    async fn proposed_operation(&self, owner: &Client) -> String {
        let name = self.unique("approved");
        owner.post("/api/approval-policies", self.new_policy(&name)).await.is(201);
        let mut member = self.new_member();
        member["role"] = json!("engineer");
        let login = json!({ "email": member["email"], "password": PASSWORD });
        owner.post("/api/members", member).await.is(201);
        let session = owner.anonymous().post("/api/auth/login", login).await.expect(200);
        let engineer = owner.with_token(session["token"].as_str().unwrap());
        let disk = json!({ "provider_id": self.stuck.provider, "kind": "disk", "region": "eu-west-1",
            "spec": { "name": name, "zone": "eu-west-1a", "size_gib": 8 } });
        id(&engineer.post("/api/cloud/resources", disk).await.expect(202)["operation"])
    }

    /// An operation that runs until it is cancelled: its cloud accepts the connection and says nothing.
    async fn running_operation(&self, owner: &Client) -> String {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut body = self.account.provider(&self.unique("silent"), &["eu-west-1"]);
        body["settings"]["endpoint_url"] = Value::from(format!("http://{}", silent.local_addr().unwrap()));
        body["verify"] = Value::from(false);
        let provider = id(&owner.post("/api/cloud/providers", body).await.expect(201));
        let started = owner.post_empty(&format!("/api/cloud/providers/{provider}/sync")).await.expect(202);
        // The listener lives as long as the stock, so that the cloud stays silent rather than gone.
        self.silent.borrow_mut().push(silent);
        id(&started["operation"])
    }
}

/// One more session of that caller.
async fn session_of(caller: &Client) -> String {
    let me = caller.get("/api/auth/whoami").await.expect(200);
    let login = json!({ "email": me["user"]["email"], "password": PASSWORD });
    let session = caller.anonymous().post("/api/auth/login", login).await.expect(200);
    session["session_id"].as_str().unwrap().to_owned()
}

/// A time when a new key may expire.
pub fn expiry() -> String {
    #[expect(clippy::disallowed_methods, reason = "the server under test runs by the system's clock")]
    let now = chrono::Utc::now();
    (now + chrono::TimeDelta::days(30)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The id of a thing.
pub fn id(thing: &Value) -> String {
    thing["id"].as_str().unwrap_or_else(|| panic!("no id in {thing}")).to_owned()
}
