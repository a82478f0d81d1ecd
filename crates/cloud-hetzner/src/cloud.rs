//! One connected project: its locations, the test of the connection, and the way to its inventory. Who it is Hetzner does
//! not say.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use marquee_clouds::{
    Capabilities, Cloud, CloudError, CloudRegion, CloudService, ConnectionTest, ErrorKind, Identity,
    Inventory, Layers, PermissionCheck, PermissionStatus,
    layers::{Policy, Tally},
    rest::Rest,
};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::{
    api::{Client, Collection},
    config::Config,
    credentials::{Token, fingerprint},
    error::{CLOUD, explain},
    inventory::GLOBAL,
    permissions::{CAPABILITIES, READ},
};

/// One connected project.
#[derive(Debug)]
pub struct Hetzner {
    pub(crate) config: Config,
    pub(crate) client: Client,
    layers: Layers,
}

static LOCATIONS: Collection = Collection {
    name: "locations",
    one: "location",
    query: "&sort=id",
    operations: ("locations.list", "locations.get"),
};

impl Hetzner {
    /// A cloud that answers with these credentials. No IO.
    pub fn new(config: Config, http: reqwest::Client, policy: Policy) -> Self {
        let layers = Layers::paced(policy, CAPABILITIES.rate_limits);
        let tokens = Arc::new(Token::new(config.credentials.token.clone(), &layers));
        let rest = Rest { http, layers: layers.clone(), tokens, cloud: CLOUD, explain };
        let client = Client { rest, endpoint: config.settings.endpoint.clone() };
        Self { config, client, layers }
    }

    /// Hetzner tells no one whose a token is. That it opens a project is seen by asking for anything; the project is
    /// called by the id that people say, and else after its token.
    async fn who(&self, client: &Client) -> Result<(Identity, Duration), CloudError> {
        let asked = Instant::now();
        client.page(&LOCATIONS, None, &Tally::default()).await?;
        let latency = asked.elapsed();
        let token = format!("API token {}", fingerprint(&self.config.credentials.token));
        let account = self.config.settings.project.clone().unwrap_or_else(|| format!("project of {token}"));
        Ok((Identity { account, principal: token, alias: None }, latency))
    }

    /// Whether the connection is for a location.
    pub(crate) fn is_included(&self, region: &str) -> bool {
        let wanted = &self.config.settings.regions;
        wanted.is_empty() || region == GLOBAL || wanted.iter().any(|known| known == region)
    }
}

/// What the answer to a read says of the right to read.
fn check(answer: Result<&Identity, &CloudError>) -> PermissionCheck {
    let (status, detail) = match answer {
        Ok(_) => (PermissionStatus::Granted, None),
        Err(error) if error.kind == ErrorKind::PermissionDenied => {
            (PermissionStatus::Missing, Some(error.to_string()))
        }
        Err(error) => (PermissionStatus::Unknown, Some(error.to_string())),
    };
    PermissionCheck { permission: READ.permission, feature: READ.feature, status, detail }
}

#[async_trait]
impl Cloud for Hetzner {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        Ok(self.who(&self.client).await?.0)
    }

    async fn test(&self, deadline: Duration) -> ConnectionTest {
        let ends_at = Instant::now() + deadline;
        let mut client = self.client.clone();
        client.rest.layers = self.layers.hurried(deadline);
        let who = timeout_at(ends_at, self.who(&client)).await.unwrap_or_else(|_| {
            let message = format!("no answer within {:.1} s", deadline.as_secs_f64());
            Err(CloudError::new(CLOUD, LOCATIONS.operations.0, ErrorKind::Timeout, message))
        });
        let permissions = vec![check(who.as_ref().map(|(identity, _)| identity))];
        match who {
            Ok((identity, latency)) => {
                ConnectionTest { identity: Ok(identity), latency: Some(latency), permissions }
            }
            Err(error) => ConnectionTest { identity: Err(error), latency: None, permissions },
        }
    }

    async fn regions(&self) -> Result<Vec<CloudRegion>, CloudError> {
        let listed = self.client.all(&LOCATIONS, &Tally::default()).await?;
        let region = |item: &Value| {
            let name = item["description"].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
            Some(CloudRegion { id: item["name"].as_str()?.to_owned(), name, enabled: true })
        };
        let mut regions: Vec<CloudRegion> = listed.iter().filter_map(region).collect();
        regions.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(regions)
    }

    async fn services(&self) -> Result<Vec<CloudService>, CloudError> {
        let regions = self.regions().await?.into_iter().map(|region| region.id).collect();
        Ok(vec![CloudService { id: "cloud".to_owned(), name: "Hetzner Cloud".to_owned(), regions }])
    }

    fn inventory(&self) -> Option<&dyn Inventory> {
        Some(self)
    }
}
