//! A wedding season in three clouds, and an organization that connects them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use marquee_simulator::{
    FaceName, Options, Simulator,
    clock::ClockChange,
    faults::Fault,
    plan::{Account, Plan},
    world::built_in,
};
use marquee_types::OrganizationId;
use serde_json::{Value, json};

use crate::{
    ledgers::fixtures::id,
    support::{Client, World},
};

/// Resources by native id.
pub type Inventory = BTreeMap<String, Value>;

/// A simulator, an application, and one account connected.
pub struct Season {
    // Dropped, it ends.
    pub world: World,
    pub tenant: OrganizationId,
    pub owner: Client,
    pub simulator: Simulator,
    pub face: FaceName,
    pub provider: String,
}

impl Season {
    /// Connects the vendor's account of the built-in world that has one; nothing is synced yet.
    pub async fn of(face: FaceName) -> Self {
        let world = if face == FaceName::Hetzner { "staging" } else { "wedding-season" };
        Self::in_world(face, built_in(world).unwrap()).await
    }

    /// The same in another world. Its clock stands still, so that no nightly backup comes between two looks.
    pub async fn in_world(face: FaceName, plan: Plan) -> Self {
        let world = World::start().await;
        let tenant = world.tenant("orangery").await;
        let owner = tenant.owner;
        let now = Some("2026-06-20T12:00:00Z".parse().unwrap());
        let options = Options { now, speed: 0.0, ..Options::new(plan) };
        let simulator = Simulator::start(options).await.unwrap();
        let mut body = simulator.provider(account(&simulator, face)).unwrap();
        // Its syncs are the test's own.
        body["sync_interval_seconds"] = json!(604_800);
        body["verify"] = json!(false);
        let provider = id(&owner.post("/api/cloud/providers", body).await.expect(201));
        let season = Self { world, tenant: tenant.id, owner, simulator, face, provider };
        // Connecting it has it synced: that one is waited for, so that no other comes between.
        season.quiet().await;
        season
    }

    /// Waits until no sync is under way.
    async fn quiet(&self) {
        let path = "/api/operations?limit=50";
        for operation in self.owner.get(path).await.expect(200)["items"].as_array().unwrap() {
            self.owner.ended(operation["id"].as_str().unwrap()).await;
        }
    }

    /// The account that is connected.
    pub fn account(&self) -> &Account {
        account(&self.simulator, self.face)
    }

    /// Switches a fault on at this vendor.
    pub fn fault(&self, mut fault: Value) {
        fault["face"] = json!(self.face);
        let fault: Fault = serde_json::from_value(fault).unwrap();
        self.simulator.world().faults.add(fault).unwrap();
    }

    /// Switches all of them off.
    pub fn no_faults(&self) {
        self.simulator.world().faults.clear();
    }

    /// Lets simulated time pass.
    pub fn advance(&self, seconds: f64) {
        let change = ClockChange { advance_seconds: Some(seconds), ..ClockChange::default() };
        self.simulator.world().clock.change(change).unwrap();
    }

    /// Syncs; the operation as it ended.
    pub async fn sync(&self) -> Value {
        self.owner.sync(&self.provider).await
    }

    /// Syncs, which must succeed.
    pub async fn synced(&self) -> Value {
        let operation = self.sync().await;
        assert_eq!(operation["state"], "succeeded", "{operation:#}");
        operation
    }

    /// All that the inventory has, but for how fresh it is.
    pub async fn inventory(&self) -> Inventory {
        let all = self.owner.all("/api/cloud/resources").await;
        let without_age = |mut found: Value| {
            found.as_object_mut().unwrap().remove("fresh_at");
            (found["native_id"].as_str().unwrap().to_owned(), found)
        };
        all.into_iter().map(without_age).collect()
    }

    /// The native ids of what it has.
    pub async fn ids(&self) -> BTreeSet<String> {
        self.inventory().await.into_keys().collect()
    }

    /// What a resource was, newest first.
    pub async fn history(&self, id: &str) -> Vec<Value> {
        let path = format!("/api/cloud/resources/{id}/history");
        self.owner.get(&path).await.expect(200)["items"].as_array().unwrap().clone()
    }

    /// The scopes of the provider, by service and region.
    pub async fn scopes(&self) -> Vec<Value> {
        let path = format!("/api/cloud/providers/{}/scopes", self.provider);
        self.owner.get(&path).await.expect(200)["items"].as_array().unwrap().clone()
    }

    /// Has the vendor's own client change the account; see `change.py`.
    pub fn change(&self, place: &str, tagged: &str, ended: &str, disk: &str) {
        let at = self.simulator.addresses();
        let account = self.account();
        let text = json!({
            "face": self.face, "id": account.id, "place": place, "endpoint": at.of(self.face),
            "certificate": at.certificate, "tagged": tagged, "ended": ended, "disk": disk,
            "credentials": self.simulator.credentials(self.face, &account.id),
        });
        let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut python = Command::new(project.join(".venv-clients/bin/python"))
            .arg(project.join("crates/control/tests/it/clouds/change.py"))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the vendors' clients are installed by scripts/setup test");
        python.stdin.take().unwrap().write_all(text.to_string().as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn account(simulator: &Simulator, face: FaceName) -> &Account {
    simulator.world().plan.accounts_of(face).next().unwrap()
}
