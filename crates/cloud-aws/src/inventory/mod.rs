//! The inventory: which scopes there are, how each is listed, and how one resource is looked up.
//!
//! Regional scopes of Query services are data ([`listing::Listing`]); buckets and zones are global and go through
//! the official crates.

pub mod autoscaling;
pub mod dns;
pub mod draft;
pub mod ec2;
pub mod elb;
pub mod enrich;
pub mod listing;
pub mod mapping;
pub mod rds;
pub mod s3;
pub mod states;

use async_trait::async_trait;
use marquee_clouds::{CloudError, ErrorKind, Inventory, Observed, PageSink, Scope, layers::Tally};
use marquee_types::ResourceKind;

use crate::{
    cloud::Aws,
    error::CLOUD,
    inventory::{
        enrich::Enricher,
        listing::{Lister, Listing},
    },
    partition::{Arn, Partition, Place},
};

/// The region of a scope that belongs to none.
pub const GLOBAL: &str = "global";

/// One kind of scope.
#[derive(Debug)]
pub struct ScopeKind {
    /// As in [`Scope::service`].
    pub service: &'static str,
    /// As in [`Scope::kinds`].
    pub kinds: &'static [ResourceKind],
    /// Where its resources come from.
    pub source: Source,
}

/// Where the resources of a scope come from.
#[derive(Debug)]
pub enum Source {
    /// A Query service, once a region: one listing after the other.
    Regional(&'static [&'static Listing]),
    /// S3, once an account.
    Buckets,
    /// Route 53, once an account.
    Zones,
}

/// All kinds of scopes.
pub static SCOPES: &[ScopeKind] = &[
    regional("ec2/instances", &[ResourceKind::ComputeInstance], &[&ec2::INSTANCES]),
    regional("ec2/volumes", &[ResourceKind::Disk], &[&ec2::VOLUMES]),
    regional("ec2/snapshots", &[ResourceKind::Snapshot], &[&ec2::SNAPSHOTS]),
    regional("ec2/images", &[ResourceKind::Image], &[&ec2::IMAGES]),
    regional("ec2/vpcs", &[ResourceKind::Network], &[&ec2::VPCS]),
    regional("ec2/subnets", &[ResourceKind::Subnet], &[&ec2::SUBNETS]),
    regional("ec2/security-groups", &[ResourceKind::SecurityGroup], &[&ec2::SECURITY_GROUPS]),
    regional("ec2/addresses", &[ResourceKind::PublicIp], &[&ec2::ADDRESSES]),
    regional("elbv2/load-balancers", &[ResourceKind::LoadBalancer], &[&elb::LOAD_BALANCERS]),
    regional("elbv2/target-groups", &[ResourceKind::TargetGroup], &[&elb::TARGET_GROUPS]),
    regional("autoscaling/groups", &[ResourceKind::ScalingGroup], &[&autoscaling::GROUPS]),
    regional("rds/instances", &[ResourceKind::Database], &[&rds::INSTANCES]),
    regional("rds/clusters", &[ResourceKind::DatabaseCluster], &[&rds::CLUSTERS]),
    regional("rds/snapshots", &[ResourceKind::DatabaseSnapshot], &[&rds::SNAPSHOTS, &rds::CLUSTER_SNAPSHOTS]),
    ScopeKind { service: "s3/buckets", kinds: &[ResourceKind::Bucket], source: Source::Buckets },
    ScopeKind { service: "route53/zones", kinds: &[ResourceKind::DnsZone], source: Source::Zones },
];

const fn regional(
    service: &'static str,
    kinds: &'static [ResourceKind],
    listings: &'static [&'static Listing],
) -> ScopeKind {
    ScopeKind { service, kinds, source: Source::Regional(listings) }
}

impl ScopeKind {
    /// The kind of scope that `scope` is one of.
    fn of(scope: &Scope) -> Result<&'static Self, CloudError> {
        SCOPES.iter().find(|kind| kind.service == scope.service).ok_or_else(|| {
            let message = format!("there is no scope {}", scope.service);
            CloudError::new(CLOUD, "inventory:List", ErrorKind::Invalid, message)
        })
    }

    fn in_region(&self, region: &str) -> Scope {
        Scope { service: self.service.to_owned(), region: region.to_owned(), kinds: self.kinds.to_vec() }
    }

    fn is_regional(&self) -> bool {
        matches!(self.source, Source::Regional(_))
    }
}

#[async_trait]
impl Inventory for Aws {
    async fn scopes(&self, regions: &[String]) -> Result<Vec<Scope>, CloudError> {
        let discovered;
        let regions = if regions.is_empty() {
            discovered = self.enabled_regions().await?;
            &discovered
        } else {
            regions
        };
        let global = SCOPES.iter().filter(|kind| !kind.is_regional()).map(|kind| kind.in_region(GLOBAL));
        let regional = regions.iter().flat_map(|region| {
            SCOPES.iter().filter(|kind| kind.is_regional()).map(|kind| kind.in_region(region))
        });
        Ok(global.chain(regional).collect())
    }

    async fn list(&self, scope: &Scope, sink: &mut dyn PageSink) -> Result<(), CloudError> {
        let tally = Tally::default();
        let account = self.account().await?;
        let result = match &ScopeKind::of(scope)?.source {
            Source::Regional(listings) => self.list_region(scope, listings, &account, &tally, sink).await,
            Source::Buckets => self.list_buckets(sink).await,
            Source::Zones => self.list_zones(&account, sink).await,
        };
        match result {
            Ok(()) => Ok(()),
            Err(error) => Err(self.explain(error, &scope.region).await),
        }
    }

    async fn get(
        &self,
        scope: &Scope,
        kind: ResourceKind,
        native_id: &str,
    ) -> Result<Option<Observed>, CloudError> {
        let account = self.account().await?;
        match &ScopeKind::of(scope)?.source {
            Source::Regional(listings) => {
                let listing =
                    listings.iter().find(|listing| listing.kind == kind && listing.lists(native_id));
                let Some(listing) = listing else {
                    let message = format!("{native_id} is not the ARN of a {kind}");
                    return Err(CloudError::new(CLOUD, "inventory:Get", ErrorKind::Invalid, message));
                };
                let (tally, enricher) = (Tally::default(), Enricher::new(&self.types));
                let place = place(&scope.region, &account);
                let lister =
                    Lister { client: &self.client, place, listing, enricher: &enricher, tally: &tally };
                lister.get(native_id).await
            }
            Source::Buckets => self.get_bucket(native_id).await,
            Source::Zones => self.get_zone(&account, native_id).await,
        }
    }
}

impl Aws {
    async fn list_region(
        &self,
        scope: &Scope,
        listings: &[&'static Listing],
        account: &str,
        tally: &Tally,
        sink: &mut dyn PageSink,
    ) -> Result<(), CloudError> {
        let place = place(&scope.region, account);
        for &listing in listings {
            let enricher = Enricher::new(&self.types);
            let lister = Lister { client: &self.client, place, listing, enricher: &enricher, tally };
            lister.list(sink).await?;
        }
        Ok(())
    }
}

impl Listing {
    /// Whether an ARN can be that of something this lists.
    fn lists(&self, native_id: &str) -> bool {
        let resource = self.by_id.resource;
        Arn::parse(native_id).is_some_and(|arn| resource.is_empty() || arn.id_of(resource).is_some())
    }
}

fn place<'a>(region: &'a str, account: &'a str) -> Place<'a> {
    Place { partition: Partition::of_region(region), region, account }
}
