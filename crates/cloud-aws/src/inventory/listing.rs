//! One way to list for every Query service: what differs between two listings is data ([`Listing`]), and a test
//! holds that data against AWS's own models.

use marquee_clouds::{CloudError, ErrorKind, Observed, Page, PageSink, RawJson, layers::Tally};
use marquee_types::ResourceKind;

use crate::{
    error::CLOUD,
    inventory::enrich::Enricher,
    partition::{Arn, Place},
    query::{Api, Client, Params, unreadable},
    raw,
    xml::{Node, Shape, Step, Walk, XmlError},
};

/// How one kind of resource is listed, looked up and read.
#[derive(Debug)]
pub struct Listing {
    pub api: &'static Api,
    pub kind: ResourceKind,
    /// Sent with every call.
    pub params: &'static [(&'static str, &'static str)],
    /// The parameter for the size of a page and the largest that AWS allows; `None` if AWS does not page.
    pub page_size: Option<(&'static str, u16)>,
    /// The parameter that takes the token of a page.
    pub token: &'static str,
    /// The operation, and where its answer has the items.
    pub shape: Shape,
    /// How one resource is asked for.
    pub by_id: ById,
    /// What is asked besides.
    pub enrich: Enrich,
    /// Reads an item; `None` if it has no id, which no item of AWS's lacks.
    pub normalise: fn(Node<'_, '_>, &Place<'_>) -> Option<Observed>,
}

/// How one resource is asked for.
#[derive(Debug, Clone, Copy)]
pub struct ById {
    /// The parameter that takes the id.
    pub param: &'static str,
    /// What stands before the id in the ARN's resource; empty if the parameter takes the whole ARN.
    pub resource: &'static str,
}

/// What the listing's own answer lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrich {
    Nothing,
    /// vCPUs and memory, by type.
    InstanceTypes,
    /// Tags, and the target groups that traffic goes to.
    LoadBalancers,
    /// Tags and targets.
    TargetGroups,
}

/// One listing under way.
#[derive(Debug, Clone, Copy)]
pub struct Lister<'a> {
    pub client: &'a Client,
    pub place: Place<'a>,
    pub listing: &'static Listing,
    pub enricher: &'a Enricher<'a>,
    pub tally: &'a Tally,
}

impl Lister<'_> {
    /// Lists to the end. While the sink takes a page the next one is fetched, and no more than that one.
    pub async fn list(&self, sink: &mut dyn PageSink) -> Result<(), CloudError> {
        let (mut page, mut token) = self.page(None).await?;
        while let Some(next) = token {
            let taken = take(sink, page);
            let fetched = self.page(Some(&next));
            let ((), following) = futures::future::try_join(taken, fetched).await?;
            if following.1.as_ref() == Some(&next) {
                return Err(self.protocol("the same token of the next page came twice"));
            }
            (page, token) = following;
        }
        take(sink, page).await
    }

    /// Looks one resource up by its ARN.
    pub async fn get(&self, native_id: &str) -> Result<Option<Observed>, CloudError> {
        let ById { param, resource } = self.listing.by_id;
        let arn = Arn::parse(native_id);
        let id = if resource.is_empty() {
            Some(native_id)
        } else {
            arn.as_ref().and_then(|arn| arn.id_of(resource))
        };
        let (Some(_), Some(id)) = (arn, id) else {
            let message = format!("{native_id} is not the ARN of a {}", self.listing.kind);
            return Err(CloudError::new(CLOUD, self.listing.shape.action, ErrorKind::Invalid, message));
        };
        let params = vec![(param.to_owned(), id.to_owned())];
        let found = match self.ask(&params).await {
            Ok((resources, _)) => resources,
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut found: Vec<_> =
            found.into_iter().filter(|observed| observed.native_id == native_id).collect();
        found.truncate(1);
        self.enricher.enrich(self, &mut found).await?;
        Ok(found.pop())
    }

    /// One page, enriched, and the token of the next.
    async fn page(&self, token: Option<&str>) -> Result<(Page, Option<String>), CloudError> {
        let mut params = owned(self.listing.params);
        if let Some((name, size)) = self.listing.page_size {
            params.push((name.to_owned(), size.to_string()));
        }
        if let Some(token) = token {
            params.push((self.listing.token.to_owned(), token.to_owned()));
        }
        let (mut resources, token) = self.ask(&params).await?;
        self.enricher.enrich(self, &mut resources).await?;
        Ok((Page { resources, throttled: self.tally.take_throttled() }, token))
    }

    async fn ask(&self, params: &Params) -> Result<(Vec<Observed>, Option<String>), CloudError> {
        let Listing { api, shape, .. } = self.listing;
        let text = self.client.call(api, self.place.region, shape.action, params, self.tally).await?;
        let read = read_page(&text, self.listing, &self.place).await;
        read.map_err(|error| self.explained(unreadable(&error)))
    }

    fn protocol(&self, message: &str) -> CloudError {
        self.explained(CloudError::new(CLOUD, "", ErrorKind::Protocol, message))
    }

    fn explained(&self, mut error: CloudError) -> CloudError {
        error.operation = format!("{}:{}", self.listing.api.name, self.listing.shape.action);
        error.in_region(self.place.region)
    }
}

/// Hands a page to the sink; the sink's own failure ends the listing.
pub async fn take(sink: &mut dyn PageSink, page: Page) -> Result<(), CloudError> {
    sink.page(page).await.map_err(|cause| {
        CloudError::new(CLOUD, "inventory:List", ErrorKind::Unavailable, "the page could not be taken")
            .with_source(cause)
    })
}

/// So many items are read before other tasks get a turn: about a millisecond's worth.
const TURN: usize = 64;

/// Reads the items of an answer, and the token of the next page.
pub async fn read_page(
    text: &str,
    listing: &Listing,
    place: &Place<'_>,
) -> Result<(Vec<Observed>, Option<String>), XmlError> {
    let mut walk = Walk::new(text, listing.shape);
    let mut read = Vec::new();
    let mut group_start = 0;
    loop {
        match walk.step()? {
            Step::Item => {
                let item = walk.item().and_then(|node| (listing.normalise)(node, place));
                read.push(item.ok_or_else(|| XmlError::Unexpected("item without an id".to_owned()))?);
                if read.len() % TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            Step::Group => {
                if let Some(group) = walk.group() {
                    for observed in &mut read[group_start..] {
                        with_group(observed, group);
                    }
                }
                group_start = read.len();
            }
            Step::End => return Ok((read, walk.token())),
        }
    }
}

/// Keeps what AWS says about the group beside what it says about the item.
fn with_group(observed: &mut Observed, group: Node<'_, '_>) {
    let mut text = std::mem::take(&mut observed.raw).into_text();
    raw::add(&mut text, "reservation", group);
    observed.raw = RawJson::from_trusted(text);
}

pub fn owned(params: &[(&str, &str)]) -> Params {
    params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
