//! One connected subscription: who it is, which locations it may use, the test of the connection, and the way to its
//! inventory.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{FutureExt as _, StreamExt as _, stream};
use marquee_clouds::{
    Capabilities, Changes, Cloud, CloudError, CloudRegion, CloudService, ConnectionTest, ErrorKind, Identity,
    Inventory, Layers, Objects, PermissionCheck, PermissionStatus,
    layers::{Policy, Tally},
    rest::{Clients, Rest, Tokens as _},
};
use marquee_types::Clock;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::{
    arm::{Arm, Read},
    config::Config,
    credentials::{MANAGEMENT, STORAGE, TokenRing},
    error::{CLOUD, explain},
    inventory::sizes::SizeCatalog,
    objects::Blobs,
    permissions::{CAPABILITIES, NEEDS, Need, Probe},
};

/// One connected subscription.
#[derive(Debug)]
pub struct Azure {
    pub(crate) config: Config,
    pub(crate) arm: Arm,
    pub(crate) sizes: SizeCatalog,
    pub(crate) blobs: Blobs,
    tokens: Arc<TokenRing>,
    pub(crate) layers: Layers,
}

pub(crate) static SUBSCRIPTION: Read = Read {
    service: "Microsoft.Resources",
    operation: "Subscriptions_Get",
    path: "",
    query: "",
    version: "2022-12-01",
};

pub(crate) static LOCATIONS: Read = Read {
    service: "Microsoft.Resources",
    operation: "Subscriptions_ListLocations",
    path: "/locations",
    query: "",
    version: "2022-12-01",
};

/// The namespace, a name for people, and whether it is one service for all locations.
static SERVICES: &[(&str, &str, bool)] = &[
    ("Microsoft.Compute", "Azure Compute", false),
    ("Microsoft.DBforPostgreSQL", "Azure Database for PostgreSQL", false),
    ("Microsoft.Network", "Azure Networking", false),
    ("Microsoft.Network/dnsZones", "Azure DNS", true),
    ("Microsoft.Storage", "Azure Storage", false),
];

impl Azure {
    /// A cloud that answers with these credentials. No IO.
    pub fn new(config: Config, http: Clients, clock: &Clock, policy: Policy) -> Result<Self, String> {
        let layers = Layers::paced(policy, CAPABILITIES.rate_limits);
        let ring = |scope| {
            TokenRing::new(scope, config.clone(), http.json.clone(), clock.clone(), layers.clone())
                .map(Arc::new)
        };
        let (tokens, blobs) = (ring(MANAGEMENT)?, Blobs::new(http.bytes, ring(STORAGE)?));
        let http = http.json;
        let rest = Rest { http, layers: layers.clone(), tokens: tokens.clone(), cloud: CLOUD, explain };
        let arm = Arm::new(rest, config.settings.endpoint.as_ref(), config.settings.subscription.clone());
        Ok(Self { config, arm, sizes: SizeCatalog::default(), blobs, tokens, layers })
    }

    /// The same resource manager with the patience of someone who waits for the answer.
    fn hurried(&self, patience: Duration) -> Arm {
        let mut arm = self.arm.clone();
        arm.rest.layers = self.layers.hurried(patience);
        arm
    }

    async fn who(&self, arm: &Arm) -> Result<(Identity, Duration), CloudError> {
        // The token first: it is not part of the way to the cloud and back.
        let token = self.tokens.token().await?;
        let asked = Instant::now();
        let subscription = arm.get(&SUBSCRIPTION, "", &Tally::default()).await?;
        let latency = asked.elapsed();
        let named = subscription["displayName"].as_str().map(str::to_owned);
        let account = self.config.settings.subscription.clone();
        Ok((Identity { account, principal: principal(token.expose_secret()), alias: named }, latency))
    }

    /// The locations the connection is limited to; empty for all.
    pub(crate) fn is_included(&self, location: &str) -> bool {
        let wanted = &self.config.settings.regions;
        wanted.is_empty() || location == "global" || wanted.iter().any(|region| region == location)
    }
}

/// Who a token says it is for: the client in its tenant. Only read, not believed: the resource manager checks it.
fn principal(token: &str) -> String {
    let claims =
        token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok());
    let claims: Value = claims.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let text = |name: &str| claims[name].as_str().filter(|text| !text.is_empty());
    let who = text("appid").or_else(|| text("azp")).or_else(|| text("oid")).or_else(|| text("sub"));
    match (who, text("tid")) {
        (Some(who), Some(tenant)) => format!("{who}@{tenant}"),
        (Some(who), None) => who.to_owned(),
        (None, _) => "unknown".to_owned(),
    }
}

/// What a question found out.
type Answer = (PermissionStatus, Option<String>);

/// So many questions are under way at once.
const AT_ONCE: usize = 8;

/// Asks for every permission; what is found out is kept at once, since whoever waits may stop waiting at any time.
async fn ask_all(arm: &Arm, found: &Mutex<Vec<Option<Answer>>>) {
    let mut questions = Vec::with_capacity(NEEDS.len());
    for (index, need) in NEEDS.iter().enumerate() {
        questions.push(ask(arm, need.probe).map(move |answer| (index, answer)).boxed());
    }
    let mut answers = stream::iter(questions).buffer_unordered(AT_ONCE);
    while let Some((index, answer)) = answers.next().await {
        found.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(answer);
    }
}

async fn ask(arm: &Arm, probe: Probe) -> Answer {
    let tally = Tally::default();
    let answer = match probe {
        Probe::Read(read) => arm.get(read, "", &tally).await,
        Probe::OfFirst(list, read) => match arm.get(list, "", &tally).await {
            Ok(listed) => match listed["value"][0]["id"].as_str() {
                Some(id) => arm.get(read, id, &tally).await,
                None => return (PermissionStatus::Unknown, Some("there is nothing to try it on".to_owned())),
            },
            Err(error) => return (PermissionStatus::Unknown, Some(error.to_string())),
        },
    };
    match answer {
        Ok(_) => (PermissionStatus::Granted, None),
        Err(error) if error.kind == ErrorKind::PermissionDenied => {
            (PermissionStatus::Missing, Some(error.message))
        }
        Err(error) => (PermissionStatus::Unknown, Some(error.to_string())),
    }
}

fn checks(found: Vec<Option<Answer>>) -> Vec<PermissionCheck> {
    let check = |(need, found): (&Need, Option<Answer>)| {
        let late = || (PermissionStatus::Unknown, Some("no answer in time".to_owned()));
        let (status, detail) = found.unwrap_or_else(late);
        PermissionCheck { permission: need.need.permission, feature: need.need.feature, status, detail }
    };
    NEEDS.iter().zip(found).map(check).collect()
}

#[async_trait]
impl Cloud for Azure {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        Ok(self.who(&self.arm).await?.0)
    }

    async fn test(&self, deadline: Duration) -> ConnectionTest {
        let ends_at = Instant::now() + deadline;
        let arm = self.hurried(deadline);
        let found = Mutex::new(vec![None; NEEDS.len()]);
        let (who, _) = futures::future::join(
            timeout_at(ends_at, self.who(&arm)),
            timeout_at(ends_at, ask_all(&arm, &found)),
        )
        .await;
        let who = who.unwrap_or_else(|_| {
            let message = format!("no answer within {:.1} s", deadline.as_secs_f64());
            Err(CloudError::new(CLOUD, SUBSCRIPTION.operation, ErrorKind::Timeout, message))
        });
        let permissions = checks(found.into_inner().unwrap_or_else(PoisonError::into_inner));
        match who {
            Ok((identity, latency)) => {
                ConnectionTest { identity: Ok(identity), latency: Some(latency), permissions }
            }
            Err(error) => ConnectionTest { identity: Err(error), latency: None, permissions },
        }
    }

    async fn regions(&self) -> Result<Vec<CloudRegion>, CloudError> {
        let listed = self.arm.all(&LOCATIONS, "", &Tally::default()).await?;
        // Besides regions Azure lists groups of them: "Europe", "Global".
        let physical = listed.iter().filter(|location| location["metadata"]["regionType"] != "Logical");
        let mut regions: Vec<CloudRegion> = physical
            .filter_map(|location| {
                let name = location["displayName"].as_str().map(str::to_owned);
                Some(CloudRegion { id: location["name"].as_str()?.to_owned(), name, enabled: true })
            })
            .collect();
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
