//! Our client for Google's REST APIs: each has a host of its own, lists end with a `nextPageToken`, and lists over all
//! zones are maps from zone to list.

use marquee_clouds::{
    CallSite, CloudError, ErrorKind, Observed, Page, PageSink,
    layers::Tally,
    paging::{self, Seen},
    rest::Rest,
};
use reqwest::Method;
use serde_json::{Map, Value};
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

/// One change on its way to an API.
#[derive(Debug, Clone)]
pub struct Sent<'a> {
    /// How.
    pub method: Method,
    /// What it is done to: what stands after the project.
    pub id: &'a str,
    /// What stands in the query besides.
    pub query: &'a [(&'a str, &'a str)],
    /// With what.
    pub body: Option<&'a Value>,
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
        self.ask(call, &self.url(call, id, &[])?, tally).await
    }

    /// One thing, if it is there.
    pub async fn find(&self, call: &Call, id: &str) -> Result<Option<Value>, CloudError> {
        match self.get(call, id, &Tally::default()).await {
            Ok(item) => Ok(Some(item)),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends JSON.
    pub async fn post(&self, call: &Call, body: &Value, tally: &Tally) -> Result<Value, CloudError> {
        let url = self.url(call, "", &[])?;
        let text = self.rest.send(site(call), Method::POST, &url, Some(body), tally).await?;
        self.parsed(call, &text)
    }

    /// Changes something. The layers may send it again: so it carries a token, a condition, or what is wanted in the end.
    pub async fn change(&self, call: &Call, change: Sent<'_>) -> Result<Value, CloudError> {
        let url = self.url(call, change.id, change.query)?;
        let (method, tally) = (change.method, Tally::default());
        let text = self.rest.send(site(call), method, &url, change.body, &tally).await?;
        // What was deleted is answered with nothing.
        if text.is_empty() { Ok(Value::Null) } else { self.parsed(call, &text) }
    }

    /// All of a list, for lists that are short.
    pub async fn all(&self, call: &Call, id: &str, tally: &Tally) -> Result<Vec<Value>, CloudError> {
        self.all_with(call, id, &[], tally).await
    }

    /// The same with more in the query.
    pub async fn all_with(
        &self,
        call: &Call,
        id: &str,
        query: &[(&str, &str)],
        tally: &Tally,
    ) -> Result<Vec<Value>, CloudError> {
        let (mut found, mut token, mut seen) = (Vec::new(), None::<String>, Seen::default());
        loop {
            let (items, next) = self.page(call, (id, query), token.as_deref(), tally).await?;
            found.extend(items);
            let Some(next) = next else { return Ok(found) };
            seen.note(CLOUD, call.method, &next)?;
            token = Some(next);
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
            let (items, next) = self.page(call, ("", &[]), token.as_deref(), tally).await?;
            let resources = read(items).await?;
            Ok((Page { resources, throttled: tally.take_throttled() }, next))
        };
        paging::walk(CLOUD, call.method, sink, fetch).await
    }

    /// One page of a list, and the token of the next.
    pub async fn page(
        &self,
        call: &Call,
        (id, query): (&str, &[(&str, &str)]),
        token: Option<&str>,
        tally: &Tally,
    ) -> Result<(Vec<Value>, Option<String>), CloudError> {
        let next = token.map(|token| ("pageToken", token));
        let query: Vec<_> = query.iter().copied().chain(next).collect();
        let answer = self.ask(call, &self.url(call, id, &query)?, tally).await?;
        // Every list of Google's says what it is.
        let Value::Object(mut answer) = answer else {
            return Err(self.wrong(call, "the answer is no object"));
        };
        if !answer.get("kind").is_some_and(Value::is_string) {
            return Err(self.wrong(call, "the answer does not say what it is"));
        }
        is_complete(call, &answer)?;
        let next = answer.get("nextPageToken").and_then(Value::as_str).filter(|next| !next.is_empty());
        let next = next.map(str::to_owned);
        let items = match call.items {
            Items::One => vec![Value::Object(answer)],
            Items::List(name) => self.taken(call, answer.remove(name))?,
            Items::Aggregated(name) => {
                let mut items = Vec::new();
                for (_, place) in self.places(call, answer.remove("items"))? {
                    let Value::Object(mut place) = place else {
                        return Err(self.wrong(call, "a place is no object"));
                    };
                    is_complete(call, &place)?;
                    items.extend(self.taken(call, place.remove(name))?);
                }
                items
            }
        };
        Ok((items, next))
    }

    /// A list that may be left out where it is empty.
    fn taken(&self, call: &Call, list: Option<Value>) -> Result<Vec<Value>, CloudError> {
        match list {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(_) => Err(self.wrong(call, "the items are no list")),
        }
    }

    fn places(&self, call: &Call, places: Option<Value>) -> Result<Map<String, Value>, CloudError> {
        match places {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(places)) => Ok(places),
            Some(_) => Err(self.wrong(call, "the places are no object")),
        }
    }

    async fn ask(&self, call: &Call, url: &Url, tally: &Tally) -> Result<Value, CloudError> {
        let text = self.rest.get(site(call), url, tally).await?;
        self.parsed(call, &text)
    }

    fn url(&self, call: &Call, id: &str, query: &[(&str, &str)]) -> Result<Url, CloudError> {
        let host = self.endpoint.as_ref().map_or(call.api.host, Url::as_str).trim_end_matches('/');
        let path = call.path.replace("{project}", &self.project).replace("{id}", id);
        let invalid = |_| {
            CloudError::new(CLOUD, call.method, ErrorKind::Invalid, format!("{id} is no resource's name"))
        };
        let mut url = Url::parse(&format!("{host}{path}")).map_err(invalid)?;
        if !call.query.is_empty() {
            url.set_query(Some(&call.query.replace("{project}", &self.project)));
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    fn parsed(&self, call: &Call, text: &str) -> Result<Value, CloudError> {
        serde_json::from_str(text).map_err(|error| self.wrong(call, &error.to_string()))
    }

    /// An answer that is not what Google's model says.
    pub fn wrong(&self, call: &Call, message: &str) -> CloudError {
        let mut error = self.rest.unreadable(message);
        call.method.clone_into(&mut error.operation);
        error
    }
}

/// A list that leaves out what Google cannot reach just now is an error: what it lacks is not gone.
fn is_complete(call: &Call, answer: &Map<String, Value>) -> Result<(), CloudError> {
    let named = ["unreachables", "unreachable"].into_iter().filter_map(|name| answer.get(name)?.as_array());
    let mut missing: Vec<&str> = named.flatten().filter_map(Value::as_str).collect();
    let many = answer.get("warnings").and_then(Value::as_array).into_iter().flatten();
    let warnings = many.chain(answer.get("warning")).filter_map(|warning| warning["code"].as_str());
    missing.extend(warnings.filter(|code| code.contains("UNREACHABLE")));
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Google could not reach {}", missing.join(", "));
    Err(CloudError::new(CLOUD, call.method, ErrorKind::Unavailable, message))
}

fn site(call: &Call) -> CallSite<'static> {
    CallSite { cloud: CLOUD, service: call.api.name, operation: call.method, region: None }
}
