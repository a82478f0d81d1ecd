//! One connected project: who it is, which regions it may use, the test of the connection, and the way to its inventory.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use marquee_clouds::{
    Capabilities, Changes, Cloud, CloudError, CloudRegion, CloudService, ConnectionTest, ErrorKind, Identity,
    Inventory, Layers, Objects, PermissionCheck, PermissionStatus,
    layers::{Policy, Tally},
    rest::{Clients, Rest, Tokens as _},
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::{
    api::{COMPUTE, Call, Client, Items, PROJECTS},
    config::Config,
    credentials::TokenRing,
    error::{CLOUD, explain},
    inventory::sizes::SizeCatalog,
    permissions::{CAPABILITIES, PERMISSIONS},
};

/// One connected project.
#[derive(Debug)]
pub struct Google {
    pub(crate) config: Config,
    pub(crate) client: Client,
    /// The HTTP client for objects.
    pub(crate) bytes: reqwest::Client,
    pub(crate) sizes: SizeCatalog,
    tokens: Arc<TokenRing>,
    layers: Layers,
}

static PROJECT: Call = Call {
    api: &PROJECTS,
    method: "cloudresourcemanager.projects.get",
    path: "/v3/projects/{project}",
    query: "",
    items: Items::One,
};

static TEST_PERMISSIONS: Call = Call {
    api: &PROJECTS,
    method: "cloudresourcemanager.projects.testIamPermissions",
    path: "/v3/projects/{project}:testIamPermissions",
    query: "",
    items: Items::One,
};

pub(crate) static REGIONS: Call = Call {
    api: &COMPUTE,
    method: "compute.regions.list",
    path: "/compute/v1/projects/{project}/regions",
    query: "",
    items: Items::List("items"),
};

/// The API, a name for people, and whether it is one service for all regions.
static SERVICES: &[(&str, &str, bool)] = &[
    ("compute", "Compute Engine", false),
    ("dns", "Cloud DNS", true),
    ("sqladmin", "Cloud SQL", false),
    ("storage", "Cloud Storage", false),
];

impl Google {
    /// A cloud that answers with these credentials. No IO.
    pub fn new(config: Config, http: Clients, policy: Policy) -> Self {
        let layers = Layers::paced(policy, CAPABILITIES.rate_limits);
        let tokens = Arc::new(TokenRing::new(config.clone(), layers.clone()));
        let Clients { json: http, bytes } = http;
        let rest = Rest { http, layers: layers.clone(), tokens: tokens.clone(), cloud: CLOUD, explain };
        let client = Client {
            rest,
            endpoint: config.settings.endpoint.clone(),
            project: config.settings.project.clone(),
        };
        Self { config, client, bytes, sizes: SizeCatalog::default(), tokens, layers }
    }

    async fn who(&self, client: &Client) -> Result<(Identity, Duration), CloudError> {
        // The token first: it is not part of the way to the cloud and back.
        self.tokens.token().await?;
        let asked = Instant::now();
        let project = client.get(&PROJECT, "", &Tally::default()).await?;
        let latency = asked.elapsed();
        let account = project["projectId"].as_str().unwrap_or(&self.config.settings.project).to_owned();
        let principal = self.config.credentials.email().unwrap_or("the server's own identity").to_owned();
        let alias = project["displayName"].as_str().map(str::to_owned);
        Ok((Identity { account, principal, alias }, latency))
    }

    /// Whether the connection is for a region.
    pub(crate) fn is_included(&self, region: &str) -> bool {
        let wanted = &self.config.settings.regions;
        // A bucket may lie in several regions, `eu` or `nam4`, of which none is its own.
        let is_region = region.contains('-');
        wanted.is_empty() || !is_region || wanted.iter().any(|known| known == region)
    }
}

fn checks(granted: &Result<Value, String>) -> Vec<PermissionCheck> {
    let check = |need: &marquee_clouds::PermissionNeed| {
        let (status, detail) = match granted {
            Ok(answer) => {
                let listed = answer["permissions"].as_array();
                let has = listed.is_some_and(|listed| listed.iter().any(|one| one == need.permission));
                (if has { PermissionStatus::Granted } else { PermissionStatus::Missing }, None)
            }
            Err(why) => (PermissionStatus::Unknown, Some(why.clone())),
        };
        PermissionCheck { permission: need.permission, feature: need.feature, status, detail }
    };
    PERMISSIONS.iter().map(check).collect()
}

#[async_trait]
impl Cloud for Google {
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
        let tally = Tally::default();
        let names: Vec<_> = PERMISSIONS.iter().map(|need| need.permission).collect();
        let question = json!({ "permissions": names });
        let (who, granted) = futures::future::join(
            timeout_at(ends_at, self.who(&client)),
            timeout_at(ends_at, client.post(&TEST_PERMISSIONS, &question, &tally)),
        )
        .await;
        let late = || format!("no answer within {:.1} s", deadline.as_secs_f64());
        let who =
            who.unwrap_or_else(|_| Err(CloudError::new(CLOUD, PROJECT.method, ErrorKind::Timeout, late())));
        let granted = match granted {
            Ok(Ok(granted)) => Ok(granted),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(late()),
        };
        let permissions = checks(&granted);
        match who {
            Ok((identity, latency)) => {
                ConnectionTest { identity: Ok(identity), latency: Some(latency), permissions }
            }
            Err(error) => ConnectionTest { identity: Err(error), latency: None, permissions },
        }
    }

    async fn regions(&self) -> Result<Vec<CloudRegion>, CloudError> {
        let listed = self.client.all(&REGIONS, "", &Tally::default()).await?;
        let region = |item: &Value| {
            Some(CloudRegion {
                id: item["name"].as_str()?.to_owned(),
                name: None,
                enabled: item["status"] == "UP",
            })
        };
        let mut regions: Vec<CloudRegion> = listed.iter().filter_map(region).collect();
        regions.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(regions)
    }

    async fn services(&self) -> Result<Vec<CloudService>, CloudError> {
        let regions: Vec<String> = self.regions().await?.into_iter().map(|region| region.id).collect();
        let service = |&(id, name, global): &(&str, &str, bool)| CloudService {
            id: id.to_owned(),
            name: name.to_owned(),
            regions: if global { Vec::new() } else { regions.clone() },
        };
        Ok(SERVICES.iter().map(service).collect())
    }

    fn inventory(&self) -> Option<&dyn Inventory> {
        Some(self)
    }

    fn changes(&self) -> Option<&dyn Changes> {
        Some(self)
    }

    fn objects(&self) -> Option<&dyn Objects> {
        Some(self)
    }
}
