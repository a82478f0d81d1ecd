//! What Route 53 lists: hosted zones with their tags, and the networks of the private ones, through the official
//! crate.

use aws_sdk_route53::{
    Client,
    config::{BehaviorVersion, IdentityCache, Region},
    types::{HostedZone, TagResourceType},
};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use marquee_clouds::{CloudError, ErrorKind, Observed, Page, PageSink, RawJson};
use marquee_types::{ResourceKind, resource::Relation};
use serde_json::{Value, json};

use crate::{
    cloud::Aws,
    error::CLOUD,
    inventory::{GLOBAL, draft::Draft, listing::take},
    partition::{Arn, Partition, Place},
    transport::{SdkCaller, endpoint_text, no_retries, sleep_impl, timeouts},
};

/// The largest page AWS allows.
const ZONES_PER_PAGE: i32 = 100;
/// ListTagsForResources takes no more ids.
const TAGGED_AT_ONCE: usize = 10;
/// Route 53 allows five calls a second an account: little is won by more.
const DETAILS_AT_ONCE: usize = 2;

/// Tags by the id of a zone.
type TagsOf = Vec<(String, Vec<(String, String)>)>;

impl Aws {
    /// Lists all hosted zones of the account.
    pub(super) async fn list_zones(&self, account: &str, sink: &mut dyn PageSink) -> Result<(), CloudError> {
        let (client, caller) = (self.route53(), self.sdk_caller());
        let mut marker: Option<String> = None;
        loop {
            let answer = caller
                .call("route53", "ListHostedZones", None, || {
                    client.list_hosted_zones().max_items(ZONES_PER_PAGE).set_marker(marker.clone()).send()
                })
                .await?;
            let resources = self.observe_zones(&client, &caller, account, answer.hosted_zones()).await?;
            take(sink, Page { resources, throttled: caller.tally.take_throttled() }).await?;
            marker = answer.next_marker().filter(|_| answer.is_truncated()).map(str::to_owned);
            if marker.is_none() {
                return Ok(());
            }
        }
    }

    /// Looks a zone up by its ARN.
    pub(super) async fn get_zone(
        &self,
        account: &str,
        native_id: &str,
    ) -> Result<Option<Observed>, CloudError> {
        let arn = Arn::parse(native_id).filter(|arn| arn.service == "route53");
        let Some(id) = arn.and_then(|arn| arn.id_of("hostedzone")) else {
            let message = format!("{native_id} is not the ARN of a hosted zone");
            return Err(CloudError::new(CLOUD, "route53:GetHostedZone", ErrorKind::Invalid, message));
        };
        let (client, caller) = (self.route53(), self.sdk_caller());
        let answer =
            caller.call("route53", "GetHostedZone", None, || client.get_hosted_zone().id(id).send()).await;
        let zone = match answer {
            Ok(answer) => answer.hosted_zone,
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = self.observe_zones(&client, &caller, account, zone.as_slice()).await?;
        Ok(found.into_iter().next())
    }

    async fn observe_zones(
        &self,
        client: &Client,
        caller: &SdkCaller,
        account: &str,
        zones: &[HostedZone],
    ) -> Result<Vec<Observed>, CloudError> {
        let tags = zone_tags(client, caller, zones).await?;
        let questions: Vec<_> =
            zones.iter().map(|zone| zone_networks(client, caller, zone).boxed()).collect();
        let networks: Vec<_> = stream::iter(questions).buffered(DETAILS_AT_ONCE).try_collect().await?;
        let partition = Partition::of_region(self.config.home_region());
        let observed = zones.iter().zip(networks).map(|(zone, networks)| {
            let tags = tags.iter().find(|(id, _)| id == short_id(zone)).map(|(_, tags)| tags.clone());
            observe(zone, networks, tags.unwrap_or_default(), partition, account)
        });
        Ok(observed.collect())
    }

    /// A client of the official crate.
    pub(crate) fn route53(&self) -> Client {
        let mut config = aws_sdk_route53::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.config.home_region().to_owned()))
            .credentials_provider(self.keys.clone())
            .identity_cache(IdentityCache::no_cache())
            .http_client(self.transport.sdk_http.clone())
            .time_source(self.transport.time_source())
            .sleep_impl(sleep_impl())
            .timeout_config(timeouts())
            .retry_config(no_retries());
        if let Some(endpoint) = &self.config.settings.endpoint {
            config = config.endpoint_url(endpoint_text(endpoint));
        }
        Client::from_conf(config.build())
    }
}

/// The id without the `/hostedzone/` that Route 53 puts before it.
fn short_id(zone: &HostedZone) -> &str {
    zone.id().rsplit('/').next().unwrap_or_default()
}

fn is_private(zone: &HostedZone) -> bool {
    zone.config().is_some_and(aws_sdk_route53::types::HostedZoneConfig::private_zone)
}

async fn zone_tags(client: &Client, caller: &SdkCaller, zones: &[HostedZone]) -> Result<TagsOf, CloudError> {
    let mut all = Vec::with_capacity(zones.len());
    for some in zones.chunks(TAGGED_AT_ONCE) {
        let ids: Vec<String> = some.iter().map(|zone| short_id(zone).to_owned()).collect();
        let answer = caller
            .call("route53", "ListTagsForResources", None, || {
                let call = client.list_tags_for_resources().resource_type(TagResourceType::Hostedzone);
                call.set_resource_ids(Some(ids.clone())).send()
            })
            .await?;
        for set in answer.resource_tag_sets() {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            let mut tags: Vec<_> =
                set.tags().iter().map(|tag| (text(tag.key()), text(tag.value()))).collect();
            tags.sort_unstable();
            all.push((text(set.resource_id()), tags));
        }
    }
    Ok(all)
}

/// The networks a private zone answers in, as region and id; only a call of its own tells.
async fn zone_networks(
    client: &Client,
    caller: &SdkCaller,
    zone: &HostedZone,
) -> Result<Vec<(String, String)>, CloudError> {
    if !is_private(zone) {
        return Ok(Vec::new());
    }
    let answer = caller
        .call("route53", "GetHostedZone", None, || client.get_hosted_zone().id(short_id(zone)).send())
        .await?;
    let network = |vpc: &aws_sdk_route53::types::Vpc| {
        Some((vpc.vpc_region()?.as_str().to_owned(), vpc.vpc_id()?.to_owned()))
    };
    Ok(answer.vpcs().iter().filter_map(network).collect())
}

fn observe(
    zone: &HostedZone,
    mut networks: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    partition: &'static Partition,
    account: &str,
) -> Observed {
    networks.sort_unstable();
    let place = Place { partition, region: GLOBAL, account };
    let arn = format!("arn:{}:route53:::hostedzone/{}", partition.id, short_id(zone));
    let mut draft = Draft::new(ResourceKind::DnsZone, arn, zone.name().trim_end_matches('.'), &place);
    draft.0.tags = tags;
    draft.set("private", is_private(zone));
    if let Some(records) = zone.resource_record_set_count() {
        draft.set("records", records);
    }
    for (region, id) in &networks {
        draft.relation(Relation::MemberOf, Place { partition, region, account }.arn("ec2", "vpc", id));
    }
    let config = zone
        .config()
        .map(|config| json!({ "Comment": config.comment(), "PrivateZone": config.private_zone() }));
    let raw = json!({ "Id": zone.id(), "Name": zone.name(), "CallerReference": zone.caller_reference(),
        "Config": config.unwrap_or(Value::Null), "ResourceRecordSetCount": zone.resource_record_set_count(),
        "VPCs": networks.iter().map(|(region, id)| json!({ "VPCRegion": region, "VPCId": id })).collect::<Vec<_>>() });
    draft.finish(RawJson::from(&raw))
}
