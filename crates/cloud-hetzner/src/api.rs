//! Our client for Hetzner's REST API: one address, and lists whose pages are numbers.

use marquee_clouds::{
    CallSite, CloudError, ErrorKind, Observed, Page, PageSink,
    layers::Tally,
    paging::{self, Seen},
    rest::Rest,
};
use serde_json::Value;
use url::Url;

use crate::error::CLOUD;

const ADDRESS: &str = "https://api.hetzner.cloud";

/// The throttle of every call: Hetzner counts the requests of a project, whatever they ask.
const SERVICE: &str = "api";

/// A collection: `GET /v1/{collection}` lists it, `GET /v1/{collection}/{id}` is one of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection {
    /// Its name in paths and, with the items, in the answers to lists.
    pub name: &'static str,
    /// The word for one, in ids and in the answers to look-ups.
    pub one: &'static str,
    /// What stands in the query of a list besides.
    pub query: &'static str,
    /// The operations, as errors and metrics name them: list and look-up.
    pub operations: (&'static str, &'static str),
}

/// Hetzner's API, for one project.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client.
    pub rest: Rest,
    /// Instead of the API's own address.
    pub endpoint: Option<Url>,
}

impl Client {
    /// One thing.
    pub async fn get(&self, of: &Collection, id: &str, tally: &Tally) -> Result<Value, CloudError> {
        let mut answer = self.ask(of.operations.1, &format!("{}/{id}", of.name), tally).await?;
        match answer[of.one].take() {
            Value::Object(found) => Ok(Value::Object(found)),
            _ => Err(self.wrong(of.operations.1, "the answer has no such thing")),
        }
    }

    /// All of a list, for lists that are short.
    pub async fn all(&self, of: &Collection, tally: &Tally) -> Result<Vec<Value>, CloudError> {
        let (mut found, mut page, mut seen) = (Vec::new(), None, Seen::default());
        loop {
            let (items, next) = self.page(of, page, tally).await?;
            found.extend(items);
            let Some(next) = next else { return Ok(found) };
            seen.note(CLOUD, of.operations.0, &next)?;
            page = Some(next);
        }
    }

    /// A list, page by page, each page read by `read`.
    pub async fn list(
        &self,
        of: &Collection,
        tally: &Tally,
        sink: &mut dyn PageSink,
        read: impl Fn(Vec<Value>) -> Result<Vec<Observed>, CloudError> + Send + Sync,
    ) -> Result<(), CloudError> {
        let read = &read;
        let fetch = |page: Option<u64>| async move {
            let (items, next) = self.page(of, page, tally).await?;
            Ok((Page { resources: read(items)?, throttled: tally.take_throttled() }, next))
        };
        paging::walk(CLOUD, of.operations.0, sink, fetch).await
    }

    /// A page, by number, and the number of the next: a list says where it ends, or it is none. Pages of a list in the
    /// order of ids shift only where something before them goes.
    pub async fn page(
        &self,
        of: &Collection,
        page: Option<u64>,
        tally: &Tally,
    ) -> Result<(Vec<Value>, Option<u64>), CloudError> {
        let path = format!("{}?page={}&per_page=50{}", of.name, page.unwrap_or(1), of.query);
        let mut answer = self.ask(of.operations.0, &path, tally).await?;
        let next = match answer["meta"]["pagination"].get("next_page") {
            Some(Value::Null) => None,
            Some(number) if number.as_u64() > Some(page.unwrap_or(1)) => number.as_u64(),
            _ => return Err(self.wrong(of.operations.0, "the answer does not say where the list ends")),
        };
        match answer[of.name].take() {
            Value::Array(items) => Ok((items, next)),
            _ => Err(self.wrong(of.operations.0, "the items are no list")),
        }
    }

    async fn ask(&self, operation: &'static str, path: &str, tally: &Tally) -> Result<Value, CloudError> {
        let host = self.endpoint.as_ref().map_or(ADDRESS, Url::as_str).trim_end_matches('/');
        let url = Url::parse(&format!("{host}/v1/{path}")).map_err(|_| {
            CloudError::new(CLOUD, operation, ErrorKind::Invalid, format!("{path} is no path"))
        })?;
        let site = CallSite { cloud: CLOUD, service: SERVICE, operation, region: None };
        let text = self.rest.get(site, &url, tally).await?;
        serde_json::from_str(&text).map_err(|error| self.wrong(operation, &error.to_string()))
    }

    /// An answer that is not what Hetzner's model says.
    pub fn wrong(&self, operation: &'static str, message: &str) -> CloudError {
        let mut error = self.rest.unreadable(message);
        operation.clone_into(&mut error.operation);
        error
    }
}
