//! What every noun's changes are made with: calls in the region of a change, the tags that carry its token, ids taken out of
//! ARNs, and the inventory's own look-up.

use marquee_clouds::{
    CloudError, ErrorKind, Inventory as _, Observed, Progress, Scope, Ticket, Token,
    changes::{
        Change, TOKEN_TAG,
        spec::{TagMap, Tags},
    },
    layers::Tally,
};
use marquee_types::{ResourceKind, ResourceState};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    cloud::Aws,
    error::CLOUD,
    inventory::{GLOBAL, SCOPES, Source},
    partition::{Arn, Partition, Place, is_region_name},
    query::{Api, Params, is_silent, unreadable},
    xml::{Node, read_whole},
};

/// The calls of one change.
#[derive(Debug)]
pub struct Calls<'a> {
    pub aws: &'a Aws,
    pub region: &'a str,
    account: String,
}

/// The text of an answer.
#[derive(Debug)]
pub struct Answer(String);

impl Answer {
    /// Reads the answer from its root on.
    pub fn read<T>(&self, read: impl FnOnce(Node<'_, '_>) -> Option<T>) -> Result<T, CloudError> {
        let tape = read_whole(&self.0).map_err(|error| unreadable(&error))?;
        tape.root().and_then(read).ok_or_else(|| {
            CloudError::new(CLOUD, "", ErrorKind::Protocol, "the answer lacks what was asked for")
        })
    }
}

impl<'a> Calls<'a> {
    /// Those of a change.
    pub async fn of(aws: &'a Aws, change: &'a Change) -> Result<Self, CloudError> {
        let region = if change.region == GLOBAL { aws.config.home_region() } else { &change.region };
        if !is_region_name(region) {
            return Err(invalid(format!("{region} is not the name of a region")));
        }
        Ok(Self { aws, region, account: aws.account().await? })
    }

    /// Where things of this change are named.
    pub fn place(&self) -> Place<'_> {
        Place { partition: Partition::of_region(self.region), region: self.region, account: &self.account }
    }

    /// The account's twelve digits.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Makes a call that may be repeated.
    pub async fn ask(
        &self,
        api: &'static Api,
        action: &'static str,
        params: Params,
    ) -> Result<Answer, CloudError> {
        let (client, tally) = (&self.aws.client, Tally::default());
        let text = Box::pin(client.call(api, self.region, action, &params, &tally)).await;
        Ok(Answer(self.explained(text).await?))
    }

    /// Makes a call that makes something, and would make another if it were repeated; `made` looks for what it made, by the
    /// token that it was made with. What cannot be seen then may be seen later: whoever begins again finds it.
    pub async fn make_once(
        &self,
        (api, action): (&'static Api, &'static str),
        params: Params,
        read: impl FnOnce(Node<'_, '_>) -> Option<String>,
        made: impl Future<Output = Result<Option<String>, CloudError>> + Send,
    ) -> Result<String, CloudError> {
        match Box::pin(self.aws.client.call_once(api, self.region, action, &params)).await {
            Ok(text) => Answer(text).read(read),
            Err(error) if is_silent(error.kind) => made.await?.ok_or(error),
            Err(error) => Err(Box::pin(self.aws.explain(error, self.region)).await),
        }
    }

    async fn explained(&self, answer: Result<String, CloudError>) -> Result<String, CloudError> {
        match answer {
            Ok(text) => Ok(text),
            Err(error) => Err(Box::pin(self.aws.explain(error, self.region)).await),
        }
    }

    /// A thing as the inventory's own look-up sees it now.
    pub async fn see(&self, kind: ResourceKind, native_id: &str) -> Result<Option<Observed>, CloudError> {
        let scope = SCOPES.iter().find(|scope| scope.kinds.contains(&kind));
        let scope = scope.ok_or_else(|| invalid(format!("no scope has {kind}")))?;
        let region = if matches!(scope.source, Source::Regional(_)) { self.region } else { GLOBAL };
        let kinds = scope.kinds.to_vec();
        let scope = Scope { service: scope.service.to_owned(), region: region.to_owned(), kinds };
        self.aws.get(&scope, kind, native_id).await
    }

    /// The same of what has to be there.
    pub async fn sight(&self, kind: ResourceKind, native_id: &str) -> Result<Observed, CloudError> {
        let found = self.see(kind, native_id).await?;
        let there = found.filter(|found| found.state != ResourceState::Deleted);
        there.ok_or_else(|| not_found(&format!("there is no {kind} {native_id}")))
    }

    /// The id in an ARN of this region's; what is no ARN is taken for an id.
    pub fn id<'i>(&self, kind: ResourceKind, native_id: &'i str) -> Result<&'i str, CloudError> {
        let Some(arn) = Arn::parse(native_id) else {
            let plain = !native_id.is_empty() && !native_id.contains([':', '/']);
            return plain.then_some(native_id).ok_or_else(|| not_of(native_id, kind));
        };
        let prefix = match kind {
            ResourceKind::ComputeInstance => "instance",
            ResourceKind::Disk => "volume",
            ResourceKind::Snapshot | ResourceKind::DatabaseSnapshot => "snapshot",
            ResourceKind::Image => "image",
            ResourceKind::Network => "vpc",
            ResourceKind::Subnet => "subnet",
            ResourceKind::SecurityGroup => "security-group",
            ResourceKind::PublicIp => "elastic-ip",
            ResourceKind::Database => "db",
            ResourceKind::DatabaseCluster => "cluster",
            ResourceKind::ScalingGroup => "autoScalingGroup:*:autoScalingGroupName",
            ResourceKind::DnsZone => "hostedzone",
            ResourceKind::Bucket if arn.service == "s3" => return Ok(arn.resource),
            _ => return Err(not_of(native_id, kind)),
        };
        let here = arn.region.is_empty() || arn.region == self.region;
        let id = arn.id_of(prefix).filter(|_| here && arn.kind() == Some(kind));
        id.ok_or_else(|| not_of(native_id, kind))
    }

    /// The ARN of something of EC2's that the account owns.
    pub fn ec2(&self, kind: &str, id: &str) -> String {
        // As the inventory names them: these have no account in their ARN.
        let owner = if matches!(kind, "image" | "snapshot") { "" } else { self.account() };
        self.place().arn_of("ec2", owner, kind, id)
    }
}

fn not_of(native_id: &str, kind: ResourceKind) -> CloudError {
    invalid(format!("{native_id} is not the id of a {kind} of this region"))
}

/// A request that cannot be made.
pub fn invalid(message: impl Into<String>) -> CloudError {
    CloudError::new(CLOUD, "changes:Begin", ErrorKind::Invalid, message)
}

/// A thing in a state that does not allow it, or someone else's.
pub fn conflict(message: impl Into<String>) -> CloudError {
    CloudError::new(CLOUD, "changes:Begin", ErrorKind::Conflict, message)
}

/// What is not there.
pub fn not_found(message: &str) -> CloudError {
    CloudError::new(CLOUD, "changes:Begin", ErrorKind::NotFound, message)
}

/// What cannot be done here.
pub fn unsupported(message: impl Into<String>) -> CloudError {
    CloudError::new(CLOUD, "changes:Begin", ErrorKind::Unsupported, message)
}

/// That a name is taken by what cannot be seen yet: ours, or someone else's.
pub fn unseen(what: &str) -> CloudError {
    let message = format!("{what} is taken by what cannot be seen yet; begin again");
    CloudError::new(CLOUD, "changes:Begin", ErrorKind::Unavailable, message)
}

/// That a name is someone else's.
pub fn taken(what: &str) -> CloudError {
    conflict(format!("{what} is there already, and was not made by this change"))
}

/// Extensions, read strictly.
pub fn extensions<T: DeserializeOwned>(given: &Map<String, Value>) -> Result<T, CloudError> {
    serde_json::from_value(Value::Object(given.clone()))
        .map_err(|error| invalid(format!("/extensions: {error}")))
}

/// The tags of something that is made: the given ones, its name if it has one, and the token.
pub fn marked(tags: &TagMap, name: Option<&str>, token: &Token) -> Result<Vec<(String, String)>, CloudError> {
    keep_off(tags.keys())?;
    let mut all = tags.clone();
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        all.insert("Name".to_owned(), name.to_owned());
    }
    all.insert(TOKEN_TAG.to_owned(), token.as_str().to_owned());
    Ok(all.into_iter().collect())
}

/// Refuses to touch the tag that carries tokens.
pub fn keep_off<'k>(mut keys: impl Iterator<Item = &'k String>) -> Result<(), CloudError> {
    if keys.any(|key| key == TOKEN_TAG) {
        return Err(invalid(format!("/tags/{TOKEN_TAG}: this tag tells what was made by which change")));
    }
    Ok(())
}

/// Whether a thing has the tags that are to be set, and none of those to be removed.
pub fn tagged(observed: &Observed, tags: &Tags) -> bool {
    let value = |wanted: &String| {
        observed.tags.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str())
    };
    tags.set.iter().all(|(key, wanted)| value(key) == Some(wanted))
        && tags.remove.iter().all(|key| tags.set.contains_key(key) || value(key).is_none())
}

/// Whether a thing carries a token.
pub fn carries(observed: &Observed, token: &Token) -> bool {
    observed.tags.iter().any(|(key, value)| key == TOKEN_TAG && value == token.as_str())
}

/// Tags as parameters of EC2: those that things of one type get when they are made.
pub fn specification(prefix: &str, kind: &str, tags: &[(String, String)]) -> Params {
    let mut params = vec![(format!("{prefix}.ResourceType"), kind.to_owned())];
    params.extend(pairs(&format!("{prefix}.Tag"), tags));
    params
}

/// Tags as parameters: `Tag.1.Key`, `Tag.1.Value`, …
pub fn pairs(prefix: &str, tags: &[(String, String)]) -> Params {
    let pair = |(index, (key, value)): (usize, &(String, String))| {
        let at = format!("{prefix}.{}", index + 1);
        [(format!("{at}.Key"), key.clone()), (format!("{at}.Value"), value.clone())]
    };
    tags.iter().enumerate().flat_map(pair).collect()
}

/// The parameters that look for a token among EC2's things.
pub fn by_token(token: &Token) -> Params {
    vec![param("Filter.1.Name", format!("tag:{TOKEN_TAG}")), param("Filter.1.Value.1", token.as_str())]
}

/// One parameter.
pub fn param(name: impl Into<String>, value: impl Into<String>) -> (String, String) {
    (name.into(), value.into())
}

/// The id that a ticket is about.
pub fn about<'t>(change: &'t Change, ticket: &'t Ticket) -> Result<&'t str, CloudError> {
    let id = ticket.native_id.as_deref().or(change.target.as_ref().map(|target| &*target.native_id));
    id.ok_or_else(|| invalid("the ticket names nothing"))
}

/// That a thing is as wanted.
pub fn done(native_id: &str) -> Progress {
    Progress::Done { native_id: native_id.to_owned() }
}

/// That a thing is on its way: what AWS calls its state.
pub fn working(observed: Option<&Observed>) -> Progress {
    let state = |observed: &Observed| {
        observed.native_state.clone().unwrap_or_else(|| observed.state.as_str().to_owned())
    };
    Progress::Working(observed.map_or_else(|| "not seen yet".to_owned(), state))
}

impl Calls<'_> {
    /// Whether something that is to be gone is.
    pub async fn gone(&self, kind: ResourceKind, native_id: &str) -> Result<Progress, CloudError> {
        let found = self.see(kind, native_id).await?;
        Ok(match found.filter(|found| found.state != ResourceState::Deleted) {
            None => done(native_id),
            Some(found) => working(Some(&found)),
        })
    }

    /// Whether something that was there is as wanted: what is gone meanwhile never will be.
    pub async fn turned(
        &self,
        kind: ResourceKind,
        native_id: &str,
        look: impl FnOnce(&Observed) -> Option<Progress>,
    ) -> Result<Progress, CloudError> {
        let found = self.see(kind, native_id).await?;
        Ok(match found.filter(|found| found.state != ResourceState::Deleted) {
            None => Progress::Failed(not_found(&format!("{native_id} is gone"))),
            Some(found) => look(&found).unwrap_or_else(|| working(Some(&found))),
        })
    }
}
