//! One connected AWS account: who it is, which regions it may use, and the way to its inventory and its test.

use std::time::Duration;

use async_trait::async_trait;
use marquee_clouds::{
    Capabilities, Changes, Cloud, CloudError, CloudRegion, CloudService, ConnectionTest, ErrorKind, Identity,
    Inventory, Layers, Objects, Offers,
    layers::{Policy, Tally},
};
use tokio::sync::OnceCell;

use crate::{
    config::Config,
    credentials::KeyRing,
    error::CLOUD,
    inventory::enrich::TypeCatalog,
    permissions::CAPABILITIES,
    query::{Client, EC2, IAM, Params, unreadable},
    transport::Transport,
    xml::read_whole,
};

/// One connected AWS account.
#[derive(Debug)]
pub struct Aws {
    pub(crate) config: Config,
    pub(crate) transport: Transport,
    pub(crate) layers: Layers,
    pub(crate) keys: KeyRing,
    pub(crate) client: Client,
    pub(crate) types: TypeCatalog,
    account: OnceCell<String>,
}

/// AWS's short name, a name for people, and whether it is one service for all regions.
static SERVICES: &[(&str, &str, bool)] = &[
    ("autoscaling", "Amazon EC2 Auto Scaling", false),
    ("ec2", "Amazon Elastic Compute Cloud", false),
    ("elasticloadbalancing", "Elastic Load Balancing", false),
    ("rds", "Amazon Relational Database Service", false),
    ("route53", "Amazon Route 53", true),
    ("s3", "Amazon Simple Storage Service", true),
];

/// How long the account's alias is waited for.
const ALIAS_PATIENCE: Duration = Duration::from_secs(3);

impl Aws {
    /// A cloud that answers with these credentials. No IO.
    pub fn new(config: Config, transport: Transport, policy: Policy) -> Self {
        let layers = Layers::paced(policy, CAPABILITIES.rate_limits);
        let keys = KeyRing::new(config.clone(), transport.clone(), layers.clone());
        let client = Client {
            transport: transport.clone(),
            keys: keys.clone(),
            layers: layers.clone(),
            endpoint: config.settings.endpoint.clone(),
        };
        let (types, account) = (TypeCatalog::default(), OnceCell::new());
        Self { config, transport, layers, keys, client, types, account }
    }

    /// The account's twelve digits; asked once.
    pub(crate) async fn account(&self) -> Result<String, CloudError> {
        let ask = || async { Ok(self.caller().await?.0) };
        self.account.get_or_try_init(ask).await.cloned()
    }

    /// The account and the principal.
    pub(crate) async fn caller(&self) -> Result<(String, String), CloudError> {
        let (client, caller) = (self.keys.sts(), self.sdk_caller());
        let region = self.config.home_region();
        let answer = caller
            .call("sts", "GetCallerIdentity", Some(region), || client.get_caller_identity().send())
            .await?;
        if let (Some(account), Some(arn)) = (answer.account, answer.arn) {
            return Ok((account, arn));
        }
        let message = "the answer names no account";
        Err(CloudError::new(CLOUD, "sts:GetCallerIdentity", ErrorKind::Protocol, message))
    }

    /// The account's alias; `None` if it has none, or if we may not know.
    pub(crate) async fn alias(&self) -> Option<String> {
        let region = self.config.home_region();
        let answer =
            self.client.call(&IAM, region, "ListAccountAliases", &Params::new(), &Tally::default()).await;
        match answer {
            Ok(text) => {
                let tape = read_whole(&text).ok()?;
                let result = tape.root()?.child("ListAccountAliasesResult")?;
                result.list("AccountAliases").map(|alias| alias.text().to_owned()).next()
            }
            Err(error) => {
                tracing::debug!(%error, "no account alias");
                None
            }
        }
    }

    /// The alias, unless it takes long: it is for people, and no reason to wait for a service that hangs.
    async fn alias_soon(&self) -> Option<String> {
        tokio::time::timeout(ALIAS_PATIENCE, self.alias()).await.ok().flatten()
    }

    /// The names of the regions the account may use now.
    pub(crate) async fn enabled_regions(&self) -> Result<Vec<String>, CloudError> {
        Ok(self
            .regions()
            .await?
            .into_iter()
            .filter(|region| region.enabled)
            .map(|region| region.id)
            .collect())
    }

    /// A refusal of good credentials may only mean that the region is not enabled: AWS says the same for both.
    pub(crate) async fn explain(&self, error: CloudError, region: &str) -> CloudError {
        let refused = matches!(error.kind, ErrorKind::Unauthenticated | ErrorKind::Unavailable);
        if !refused || region == self.config.home_region() || error.region.as_deref() != Some(region) {
            return error;
        }
        match self.regions().await {
            Ok(regions) if regions.iter().any(|known| known.id == region && !known.enabled) => {
                let message =
                    format!("the region is not enabled for this account; AWS said: {}", error.message);
                CloudError {
                    kind: ErrorKind::Unsupported,
                    retry: marquee_clouds::Retry::Never,
                    message,
                    ..error
                }
            }
            Ok(regions) if !regions.iter().any(|known| known.id == region) => {
                let message = format!("AWS has no such region; it said: {}", error.message);
                CloudError {
                    kind: ErrorKind::Unsupported,
                    retry: marquee_clouds::Retry::Never,
                    message,
                    ..error
                }
            }
            _ => error,
        }
    }
}

#[async_trait]
impl Cloud for Aws {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    async fn identity(&self) -> Result<Identity, CloudError> {
        let ((account, principal), alias) =
            futures::future::try_join(self.caller(), async { Ok(self.alias_soon().await) }).await?;
        Ok(Identity { account, principal, alias })
    }

    async fn test(&self, deadline: Duration) -> ConnectionTest {
        self.probe(deadline).await
    }

    async fn regions(&self) -> Result<Vec<CloudRegion>, CloudError> {
        let params = vec![("AllRegions".to_owned(), "true".to_owned())];
        let home = self.config.home_region();
        let text = self.client.call(&EC2, home, "DescribeRegions", &params, &Tally::default()).await?;
        let tape = read_whole(&text).map_err(|error| unreadable(&error))?;
        let mut regions: Vec<CloudRegion> = tape
            .root()
            .into_iter()
            .flat_map(|root| root.list("regionInfo"))
            .filter_map(|region| {
                let enabled = region.get("optInStatus") != Some("not-opted-in");
                Some(CloudRegion { id: region.get("regionName")?.to_owned(), name: None, enabled })
            })
            .collect();
        if regions.is_empty() {
            let message = "no regions in the answer";
            return Err(CloudError::new(CLOUD, "ec2:DescribeRegions", ErrorKind::Protocol, message));
        }
        regions.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(regions)
    }

    async fn services(&self) -> Result<Vec<CloudService>, CloudError> {
        let regions = self.enabled_regions().await?;
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

    fn offers(&self) -> Option<&dyn Offers> {
        Some(self)
    }
}
