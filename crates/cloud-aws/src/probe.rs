//! The test of a connection: who we are, how far away the cloud is, and which permissions are there, all asked at
//! the same time and answered by the deadline with what is known by then.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use futures::{FutureExt as _, StreamExt as _, stream};
use marquee_clouds::{
    CloudError, ConnectionTest, ErrorKind, Identity, PermissionCheck, PermissionStatus, layers::Tally,
};
use tokio::{sync::OnceCell, time::Instant};

use crate::{
    cloud::Aws,
    error::CLOUD,
    inventory::s3::reread_versioning,
    partition::Partition,
    permissions::{BucketPart, NEEDS, Need, Probe},
    query::{EC2, Params},
};

/// So many questions are under way at once.
const AT_ONCE: usize = 16;

/// What the questions about parts need something to ask about.
#[derive(Default)]
struct Subjects {
    bucket: OnceCell<Option<(String, Option<String>)>>,
    zone: OnceCell<Option<String>>,
}

/// What a question found.
type Found = (PermissionStatus, Option<String>);

impl Aws {
    /// See [`marquee_clouds::Cloud::test`].
    pub(crate) async fn probe(&self, deadline: Duration) -> ConnectionTest {
        let ends_at = Instant::now() + deadline;
        let hurried = self.hurried(deadline);
        let found: Mutex<Vec<Option<Found>>> = Mutex::new(vec![None; NEEDS.len()]);
        let identity = tokio::time::timeout_at(ends_at, hurried.timed_identity());
        let permissions = tokio::time::timeout_at(ends_at, hurried.ask_all(&found));
        let (identity, _) = futures::future::join(identity, permissions).await;
        let (identity, latency) = identity.unwrap_or_else(|_| {
            let message = format!("no answer within {:.1} s", deadline.as_secs_f64());
            (Err(CloudError::new(CLOUD, "sts:GetCallerIdentity", ErrorKind::Timeout, message)), None)
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let permissions = NEEDS.iter().zip(found).map(|(need, found)| checked(need, found)).collect();
        ConnectionTest { identity, latency, permissions }
    }

    /// The same cloud with the patience of someone who waits for the answer.
    fn hurried(&self, patience: Duration) -> Self {
        let mut hurried =
            Self::new(self.config.clone(), self.transport.clone(), marquee_clouds::layers::Policy::default());
        hurried.layers = self.layers.hurried(patience);
        hurried.keys = self.keys.clone();
        hurried.client.keys = self.keys.clone();
        hurried.client.layers = hurried.layers.clone();
        hurried
    }

    async fn timed_identity(&self) -> (Result<Identity, CloudError>, Option<Duration>) {
        // The keys first: assuming a role is not part of the way to the cloud and back.
        if let Err(error) = self.keys.keys().await {
            return (Err(error), None);
        }
        let alias = self.alias();
        let caller = async {
            let asked = Instant::now();
            (self.caller().await, asked.elapsed())
        };
        let ((caller, latency), alias) = futures::future::join(caller, alias).await;
        match caller {
            Ok((account, principal)) => (Ok(Identity { account, principal, alias }), Some(latency)),
            Err(error) => (Err(error), None),
        }
    }

    async fn ask_all(&self, found: &Mutex<Vec<Option<Found>>>) {
        let subjects = Subjects::default();
        let mut questions = Vec::with_capacity(NEEDS.len());
        for (index, need) in NEEDS.iter().enumerate() {
            questions.push(self.ask(&need.probe, &subjects).map(move |answer| (index, answer)).boxed());
        }
        let mut answers = stream::iter(questions).buffer_unordered(AT_ONCE);
        while let Some((index, answer)) = answers.next().await {
            // Kept at once: whoever waits may stop waiting at any time.
            found.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(answer);
        }
    }

    async fn ask(&self, probe: &Probe, subjects: &Subjects) -> Found {
        match *probe {
            Probe::DryRun { action } => {
                self.ask_query(&EC2, action, vec![("DryRun".to_owned(), "true".to_owned())]).await
            }
            Probe::Read { api, action, params } => {
                let account = self.account().await.unwrap_or_else(|_| "000000000000".to_owned());
                let fill = |text: &str| self.fill(text, &account);
                let params = params.iter().map(|(name, value)| ((*name).to_owned(), fill(value))).collect();
                self.ask_query(api, action, params).await
            }
            Probe::Buckets => found(&self.first_bucket().await),
            Probe::Bucket(part) => match subjects.bucket.get_or_init(|| self.bucket_subject()).await {
                Some((name, region)) => self.ask_bucket(part, name, region.as_deref()).await,
                None => unknown("there is no bucket to try it on"),
            },
            Probe::Zones => found(&self.first_zone().await),
            Probe::Zone | Probe::ZoneTags => match subjects.zone.get_or_init(|| self.zone_subject()).await {
                Some(id) => self.ask_zone(probe, id).await,
                None => unknown("there is no zone to try it on"),
            },
        }
    }

    async fn ask_query(
        &self,
        api: &'static crate::query::Api,
        action: &'static str,
        params: Params,
    ) -> Found {
        found(&self.client.call(api, self.config.home_region(), action, &params, &Tally::default()).await)
    }

    fn fill(&self, text: &str, account: &str) -> String {
        let region = self.config.home_region();
        text.replace("{partition}", Partition::of_region(region).id)
            .replace("{region}", region)
            .replace("{account}", account)
    }

    async fn first_bucket(&self) -> Result<Option<(String, Option<String>)>, CloudError> {
        let (client, caller) = (self.s3(self.config.home_region()), self.sdk_caller());
        let answer =
            caller.call("s3", "ListBuckets", None, || client.list_buckets().max_buckets(1).send()).await?;
        let named = |bucket: &aws_sdk_s3::types::Bucket| {
            Some((bucket.name()?.to_owned(), bucket.bucket_region().map(str::to_owned)))
        };
        Ok(answer.buckets().iter().find_map(named))
    }

    async fn bucket_subject(&self) -> Option<(String, Option<String>)> {
        self.first_bucket().await.ok().flatten()
    }

    async fn ask_bucket(&self, part: BucketPart, name: &str, region: Option<&str>) -> Found {
        let client = self.s3(region.unwrap_or_else(|| self.config.home_region()));
        match part {
            BucketPart::Location => {
                self.ask_sdk("s3", "GetBucketLocation", || client.get_bucket_location().bucket(name).send())
                    .await
            }
            BucketPart::Versioning => {
                self.ask_sdk("s3", "GetBucketVersioning", || {
                    let sent = Box::pin(client.get_bucket_versioning().bucket(name).send());
                    async { sent.await.or_else(reread_versioning) }
                })
                .await
            }
            BucketPart::Encryption => {
                self.ask_sdk("s3", "GetBucketEncryption", || {
                    client.get_bucket_encryption().bucket(name).send()
                })
                .await
            }
            BucketPart::Tagging => {
                self.ask_sdk("s3", "GetBucketTagging", || client.get_bucket_tagging().bucket(name).send())
                    .await
            }
        }
    }

    async fn first_zone(&self) -> Result<Option<String>, CloudError> {
        let (client, caller) = (self.route53(), self.sdk_caller());
        let answer = caller
            .call("route53", "ListHostedZones", None, || client.list_hosted_zones().max_items(1).send())
            .await?;
        Ok(answer.hosted_zones().first().and_then(|zone| zone.id().rsplit('/').next()).map(str::to_owned))
    }

    async fn zone_subject(&self) -> Option<String> {
        self.first_zone().await.ok().flatten()
    }

    async fn ask_zone(&self, probe: &Probe, id: &str) -> Found {
        let client = self.route53();
        if let Probe::Zone = probe {
            return self.ask_sdk("route53", "GetHostedZone", || client.get_hosted_zone().id(id).send()).await;
        }
        self.ask_sdk("route53", "ListTagsForResources", || {
            let call = client.list_tags_for_resources();
            call.resource_type(aws_sdk_route53::types::TagResourceType::Hostedzone).resource_ids(id).send()
        })
        .await
    }

    async fn ask_sdk<T, E, F, Fut>(&self, service: &'static str, operation: &'static str, send: F) -> Found
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        T: Send + Sync,
    {
        found(&self.sdk_caller().call(service, operation, None, send).await)
    }
}

/// What an answer says about the permission. Whoever is told that something does not exist was allowed to ask.
fn found<T>(answer: &Result<T, CloudError>) -> Found {
    match answer {
        Ok(_) => (PermissionStatus::Granted, None),
        Err(error) if error.code.as_deref() == Some("DryRunOperation") => (PermissionStatus::Granted, None),
        Err(error) if error.kind == ErrorKind::NotFound => (PermissionStatus::Granted, None),
        Err(error) if error.kind == ErrorKind::PermissionDenied => {
            (PermissionStatus::Missing, Some(error.message.clone()))
        }
        Err(error) => (PermissionStatus::Unknown, Some(error.message.clone())),
    }
}

fn unknown(why: &str) -> Found {
    (PermissionStatus::Unknown, Some(why.to_owned()))
}

fn checked(need: &Need, found: Option<Found>) -> PermissionCheck {
    let (status, detail) = found.unwrap_or_else(|| unknown("no answer in the time given"));
    PermissionCheck { permission: need.need.permission, feature: need.need.feature, status, detail }
}
