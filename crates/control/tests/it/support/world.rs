//! One application with its own database, and organizations with a member of every role.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use chrono::TimeDelta;
use marquee_control::{
    app::App,
    config::{Config, Settings},
    domains::identity::{self, NewOrganization},
    http::listen,
    run::{self, Duty},
};
use marquee_db::testing::TestDb;
use marquee_types::{Clock, OrganizationId, Role, UserId};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Client;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// An application that answers on a port of its own. Dropped, it ends and takes its database with it.
pub struct World {
    pub app: App,
    pub client: Client,
    pub database: TestDb,
    stop: CancellationToken,
    server: Option<JoinHandle<anyhow::Result<()>>>,
}

/// An organization and the tokens of its members.
pub struct Tenant {
    pub id: OrganizationId,
    pub owner: Client,
    pub members: BTreeMap<Role, Client>,
}

impl World {
    /// With settings as a user has who says nothing, but for limits that no test should run into.
    pub async fn start() -> Self {
        Self::with(Clock::system(), |_| {}).await
    }

    /// With a clock that stands at the present moment until the test moves it.
    pub async fn still() -> Self {
        Self::with(Clock::manual(Clock::system().now()), |_| {}).await
    }

    /// With a clock and settings of the test's choice.
    pub async fn with(clock: Clock, change: impl FnOnce(&mut Settings)) -> Self {
        let database = TestDb::new(clock.clone()).await;
        let mut settings = Settings {
            database_url: Some("postgres://unused".into()),
            data_dir: Some(std::env::temp_dir()),
            allow_loopback_endpoints: Some(true),
            reads_per_minute: 1_000_000.try_into().ok(),
            writes_per_minute: 1_000_000.try_into().ok(),
            cloud_calls_per_minute: 1_000_000.try_into().ok(),
            logins_per_minute: 1_000_000.try_into().ok(),
            database_connections: 6.try_into().ok(),
            ..Settings::default()
        };
        change(&mut settings);
        let mut config = Config::resolve(settings, None).expect("valid settings");
        config.encryption_key = Some("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into());
        // Another test of this process may have been first.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let app = run::application(config, &database.urls, clock).await.expect("an application");
        let listener = listen::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let serve = run::run(app.clone(), Duty::ServeAndWork, Some(listener), stop.clone());
        #[expect(clippy::disallowed_methods, reason = "the drop of the world ends it")]
        let server = tokio::spawn(serve);
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let client = Client { http, base: format!("http://{address}"), token: None, user: None };
        Self { app, client, database, stop, server: Some(server) }
    }

    /// Ends the server and its workers. The application is there again, over the same database, and nothing of it runs.
    pub async fn halt(&mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            server.await.expect("the server ends").expect("in good order");
        }
        let (config, clock) = (self.app.config.clone(), self.app.clock.clone());
        self.app = run::application(config, &self.database.urls, clock).await.expect("an application");
    }

    /// A new organization with its owner logged in.
    pub async fn tenant(&self, name: &str) -> Tenant {
        let email = format!("owner@{name}.example");
        let new = NewOrganization { name: name.to_owned(), email: email.clone(), password: PASSWORD.into() };
        let made =
            identity::bootstrap(&self.app.db, self.app.identity.passwords(), new).await.expect("bootstrap");
        let owner = self.login(&email).await;
        Tenant { id: made.organization, members: BTreeMap::from([(Role::Owner, owner.clone())]), owner }
    }

    /// A new organization with a member of every role logged in.
    pub async fn staffed_tenant(&self, name: &str) -> Tenant {
        let mut tenant = self.tenant(name).await;
        for role in Role::ALL.iter().copied().filter(|role| *role != Role::Owner) {
            let email = format!("{role}@{name}.example");
            let member = json!({ "email": email, "role": role, "password": PASSWORD });
            tenant.owner.post("/api/members", member).await.expect(201);
            tenant.members.insert(role, self.login(&email).await);
        }
        tenant
    }

    /// One more member of an organization, logged in.
    pub async fn member(&self, tenant: &Tenant, role: Role) -> Client {
        let email = format!("{role}-{}@members.example", UserId::new().uuid().as_simple());
        let member = json!({ "email": email, "role": role, "password": PASSWORD });
        tenant.owner.post("/api/members", member).await.expect(201);
        self.login(&email).await
    }

    /// A new API key of an organization's owner with these scopes, good for thirty days.
    pub async fn api_key(&self, tenant: &Tenant, scopes: &[&str]) -> Client {
        let expires_at = self.app.clock.now() + TimeDelta::days(30);
        let key = json!({ "name": UserId::new().to_string(), "scopes": scopes, "expires_at": expires_at });
        let created = tenant.owner.post("/api/api-keys", key).await;
        self.client.with_token(&created.is(201).text("secret"))
    }

    /// Logs somebody in.
    pub async fn login(&self, email: &str) -> Client {
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = self.client.anonymous().post("/api/auth/login", body).await;
        let user = answer.is(200).text("user_id").parse().ok();
        Client { user, ..self.client.with_token(&answer.text("token")) }
    }

    /// Nobody, calling from another address of this machine (127.0.0.x).
    pub fn stranger_from(&self, address: [u8; 4]) -> Client {
        let http = reqwest::Client::builder().local_address(IpAddr::from(address)).build().unwrap();
        Client { http, ..self.client.anonymous() }
    }

    /// The application of another process on the same database and clock, that answers and listens to nothing.
    pub async fn second_process(&self) -> App {
        let app = run::application(self.app.config.clone(), &self.database.urls, self.app.clock.clone());
        app.await.expect("an application")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}
