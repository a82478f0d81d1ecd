//! Our client for Google's REST APIs: each has a host of its own, lists end with a `nextPageToken`, and lists over all
//! zones are maps from zone to list.

use marquee_clouds::{
    CallSite, CloudError, ErrorKind, Observed, Page, PageSink, layers::Tally, paging, rest::Rest,
};
use serde_json::Value;
use url::Url;

use crate::error::CLOUD;

/// One of Google's APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// Its short name, which names the throttle: `compute`.
    pub name: &'static str,
    /// Its address.
    pub host: &'static str,
}

/// Compute Engine.
pub static COMPUTE: Api = Api { name: "compute", host: "https://compute.googleapis.com" };
/// Cloud SQL.
pub static SQL: Api = Api { name: "sqladmin", host: "https://sqladmin.googleapis.com" };
/// Cloud Storage.
pub static STORAGE: Api = Api { name: "storage", host: "https://storage.googleapis.com" };
/// Cloud DNS.
pub static DNS: Api = Api { name: "dns", host: "https://dns.googleapis.com" };
/// Resource Manager.
pub static PROJECTS: Api =
    Api { name: "cloudresourcemanager", host: "https://cloudresourcemanager.googleapis.com" };

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The API.
    pub api: &'static Api,
    /// The method's id in the discovery document: `compute.instances.aggregatedList`.
    pub method: &'static str,
    /// The path, with `{project}` and, for one thing, `{id}`: what stands after the project.
    pub path: &'static str,
    /// What stands in the query besides.
    pub query: &'static str,
    /// Where an answer has its items.
    pub items: Items,
}

/// Where an answer has its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Items {
    /// A list of this name.
    List(&'static str),
    /// `items`: a map from zone or region to an object with a list of this name.
    Aggregated(&'static str),
    /// The answer is the thing.
    One,
}

/// Google's APIs, for one project.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client.
    pub rest: Rest,
    /// Instead of the APIs' own addresses.
    pub endpoint: Option<Url>,
    /// The project's id.
    pub project: String,
}

impl Client {
    /// One thing.
    pub async fn get(&self, call: &Call, id: &str, tally: &Tally) -> Result<Value, CloudError> {
        self.ask(call, &self.url(call, id, None)?, tally).await
    }

    /// Sends JSON.
    pub async fn post(&self, call: &Call, body: &Value, tally: &Tally) -> Result<Value, CloudError> {
        let url = self.url(call, "", None)?;
        let text = self.rest.send(site(call), reqwest::Method::POST, &url, Some(body), tally).await?;
        self.parsed(call, &text)
    }

    /// All of a list, for lists that are short.
    pub async fn all(&self, call: &Call, id: &str, tally: &Tally) -> Result<Vec<Value>, CloudError> {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let (items, next) = self.page(call, id, token.as_deref(), tally).await?;
            found.extend(items);
            match next {
                Some(next) if token.as_ref() == Some(&next) => {
                    return Err(self.wrong(call, "the same token of the next page came twice"));
                }
                Some(next) => token = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// A list, page by page, each page read by `read`.
    pub async fn list<F, Fut>(
        &self,
        call: &Call,
        tally: &Tally,
        sink: &mut dyn PageSink,
        read: F,
    ) -> Result<(), CloudError>
    where
        F: Fn(Vec<Value>) -> Fut + Send + Sync,
        Fut: Future<Output = Result<Vec<Observed>, CloudError>> + Send,
    {
        let read = &read;
        let fetch = |token: Option<String>| async move {
            let (items, next) = self.page(call, "", token.as_deref(), tally).await?;
            let resources = read(items).await?;
            Ok((Page { resources, throttled: tally.take_throttled() }, next))
        };
        paging::walk(CLOUD, call.method, sink, fetch).await
    }

    async fn page(
        &self,
        call: &Call,
        id: &str,
        token: Option<&str>,
        tally: &Tally,
    ) -> Result<(Vec<Value>, Option<String>), CloudError> {
        let mut answer = self.ask(call, &self.url(call, id, token)?, tally).await?;
        // A list that leaves out what cannot be reached just now is not complete.
        if let Some(missing) = answer["unreachables"].as_array().or(answer["unreachable"].as_array())
            && !missing.is_empty()
        {
            let names: Vec<&str> = missing.iter().filter_map(Value::as_str).collect();
            let message = format!("Google could not reach {}", names.join(", "));
            return Err(CloudError::new(CLOUD, call.method, ErrorKind::Unavailable, message));
        }
        let next = answer["nextPageToken"].as_str().filter(|next| !next.is_empty()).map(str::to_owned);
        let items = match call.items {
            Items::One => vec![answer],
            Items::List(name) => taken(&mut answer[name]),
            Items::Aggregated(name) => match answer["items"].take() {
                Value::Object(places) => {
                    places.into_iter().flat_map(|(_, mut place)| taken(&mut place[name])).collect()
                }
                _ => Vec::new(),
            },
        };
        Ok((items, next))
    }

    async fn ask(&self, call: &Call, url: &Url, tally: &Tally) -> Result<Value, CloudError> {
        let text = self.rest.get(site(call), url, tally).await?;
        self.parsed(call, &text)
    }

    fn url(&self, call: &Call, id: &str, token: Option<&str>) -> Result<Url, CloudError> {
        let host = self.endpoint.as_ref().map_or(call.api.host, Url::as_str).trim_end_matches('/');
        let path = call.path.replace("{project}", &self.project).replace("{id}", id);
        let invalid = |_| {
            CloudError::new(CLOUD, call.method, ErrorKind::Invalid, format!("{id} is no resource's name"))
        };
        let mut url = Url::parse(&format!("{host}{path}")).map_err(invalid)?;
        if !call.query.is_empty() {
            url.set_query(Some(&call.query.replace("{project}", &self.project)));
        }
        if let Some(token) = token {
            url.query_pairs_mut().append_pair("pageToken", token);
        }
        Ok(url)
    }

    fn parsed(&self, call: &Call, text: &str) -> Result<Value, CloudError> {
        serde_json::from_str(text).map_err(|error| self.wrong(call, &error.to_string()))
    }

    fn wrong(&self, call: &Call, message: &str) -> CloudError {
        let mut error = self.rest.unreadable(message);
        call.method.clone_into(&mut error.operation);
        error
    }
}

fn taken(list: &mut Value) -> Vec<Value> {
    match list.take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

fn site(call: &Call) -> CallSite<'static> {
    CallSite { cloud: CLOUD, service: call.api.name, operation: call.method, region: None }
}
