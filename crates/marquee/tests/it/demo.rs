//! `marquee demo`: what a person sees who types `make run`.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use marquee_db::testing::TestDb;
use marquee_types::Clock;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{client::Client, process::KEY};

/// A demo that runs.
struct Demo {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it said of itself before it was ready: `address`, `e-mail`, `password`.
    said: BTreeMap<String, String>,
}

impl Demo {
    fn start(database: &TestDb, folder: &TempDir) -> Self {
        let urls = &database.urls;
        let mut child = Command::new(env!("CARGO_BIN_EXE_marquee"))
            .env_clear()
            .env("MARQUEE_DATABASE_URL", urls.app.expose_secret())
            .env("MARQUEE_DATABASE_SYSTEM_URL", urls.system.expose_secret())
            .env("MARQUEE_DATABASE_ADMIN_URL", urls.admin.expose_secret())
            .env("MARQUEE_ENCRYPTION_KEY", KEY)
            .args(["demo", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = BTreeMap::new();
        for line in lines.by_ref().map_while(Result::ok) {
            let words =
                line.trim().split_once("  ").map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
            said.extend(words);
            if line.starts_with("Ctrl-C") {
                break;
            }
        }
        Self { child, lines, said }
    }

    /// The next line it says.
    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// Whoever typed in the login that was shown.
    async fn owner(&self) -> Client {
        // Another test of this process may have been first.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let base = self.said["address"].clone();
        let client = Client { http: reqwest::Client::new(), base, token: None, user: None };
        let login = json!({ "email": self.said["e-mail"], "password": self.said["password"] });
        let session = client.post("/api/auth/login", login).await.expect(200);
        client.with_token(session["token"].as_str().unwrap())
    }

    /// Ctrl-C.
    fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits for the syncs that are under way, and gives how many resources there are by kind of provider.
async fn inventory(owner: &Client) -> BTreeMap<String, u64> {
    for operation in owner.all("/api/operations").await {
        let ended = owner.ended(operation["id"].as_str().unwrap()).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
    }
    let summary = owner.get("/api/cloud/resources/summary?group_by=provider").await.expect(200);
    let groups = summary["groups"].as_array().unwrap();
    let providers = owner.all("/api/cloud/providers").await;
    let count = |provider: &Value| {
        let group = groups.iter().find(|group| group["by"]["provider"] == provider["id"]);
        let count = group.map_or(0, |group| group["count"].as_u64().unwrap());
        (provider["kind"].as_str().unwrap().to_owned(), count)
    };
    providers.iter().map(count).collect()
}

#[tokio::test]
async fn it_opens_on_three_clouds_and_finds_them_again() {
    let (database, folder) = (TestDb::new(Clock::system()).await, tempfile::tempdir().unwrap());
    let mut demo = Demo::start(&database, &folder);
    let connected = demo.line();
    assert!(
        connected.starts_with("Connected orangery-production, orangery-events, orangery-media"),
        "{connected}"
    );
    let owner = demo.owner().await;
    let first = inventory(&owner).await;
    assert_eq!(first.keys().collect::<Vec<_>>(), ["aws", "azure", "gcp"]);
    assert!(first.values().all(|count| *count > 100), "{first:?}");
    // The same words, whatever the vendor.
    let filter = "kind%20%3D%20%22compute_instance%22%20AND%20vcpus%20%3E%3D%204%20AND%20tags.venue%20%3D%20%22orangery%22%20AND%20state%20%3D%20%22running%22";
    let found = owner.get(&format!("/api/cloud/resources?limit=200&filter={filter}")).await.expect(200);
    let regions: Vec<&Value> = found["items"].as_array().unwrap().iter().map(|one| &one["region"]).collect();
    for region in ["eu-west-1", "westeurope", "europe-west1"] {
        assert!(regions.iter().any(|found| *found == region), "{region}: {regions:?}");
    }
    demo.stop();

    let demo = Demo::start(&database, &folder);
    let owner = demo.owner().await;
    for provider in owner.all("/api/cloud/providers").await {
        let ended = owner.sync(provider["id"].as_str().unwrap()).await;
        let progress = &ended["progress"];
        let changes =
            ["resources_created", "resources_changed", "resources_deleted"].map(|name| &progress[name]);
        assert_eq!((&ended["state"], changes), (&json!("succeeded"), [&json!(0); 3]), "{ended}");
    }
    assert_eq!(inventory(&owner).await, first);
    demo.stop();
}
