//! A caller of the API: a token, and answers that can be looked at.

use marquee_types::UserId;
use reqwest::Method;
use serde_json::Value;

/// Calls the API as one caller, or as nobody.
#[derive(Clone, Debug)]
pub struct Client {
    pub http: reqwest::Client,
    pub base: String,
    pub token: Option<String>,
    /// The member behind the token, if it came from a log-in.
    pub user: Option<UserId>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The body, if the status is the expected one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// The code of a problem with the expected status.
    #[track_caller]
    pub fn problem(self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["request_id"].as_str(), self.header("x-request-id"));
        self.body["code"].as_str().expect("a problem has a code").to_owned()
    }

    /// Fails unless the answer has this status.
    #[track_caller]
    pub fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Fails unless the answer is this problem.
    #[track_caller]
    pub fn is_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
    }

    /// A text at the top of the body.
    #[track_caller]
    pub fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_else(|| panic!("no text {field} in {}", self.body)).to_owned()
    }

    /// A list's items.
    #[track_caller]
    pub fn items(&self) -> &[Value] {
        self.body["items"].as_array().unwrap_or_else(|| panic!("no items in {}", self.body))
    }

    /// The pointers of the wrong places of an invalid request.
    pub fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
    }

    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl Client {
    /// The same server, another caller.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), user: None, ..self.clone() }
    }

    /// The same server, no credential.
    pub fn anonymous(&self) -> Self {
        Self { token: None, user: None, ..self.clone() }
    }

    /// A request that can still be changed.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method: Method = method.parse().unwrap();
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request that [`Client::request`] began.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.expect("the whole answer");
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()))
        };
        Answer { status, headers, body }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request("POST", path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request("PUT", path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request("PATCH", path).json(&body)).await
    }

    /// A POST without a body.
    pub async fn post_empty(&self, path: &str) -> Answer {
        self.send(self.request("POST", path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path)).await
    }

    /// The newest audit entries that match a filter, as this caller sees them.
    pub async fn audit(&self, filter: &str) -> Vec<Value> {
        let request = self.request("GET", "/api/audit").query(&[("limit", "200"), ("filter", filter)]);
        self.send(request).await.is(200).items().to_vec()
    }

    /// Syncs a provider to its end; the operation as it ended.
    pub async fn sync(&self, provider: &str) -> Value {
        let started = self.post_empty(&format!("/api/cloud/providers/{provider}/sync")).await.expect(202);
        let id = started["operation"]["id"].as_str().expect("an operation").to_owned();
        self.ended(&id).await
    }

    /// Waits for the end of an operation.
    pub async fn ended(&self, operation: &str) -> Value {
        for _ in 0..5 {
            let path = format!("/api/operations/{operation}/wait?timeout_seconds=60");
            let operation = self.get(&path).await.expect(200);
            if operation["done"] == true {
                return operation;
            }
        }
        panic!("{operation} does not end");
    }

    /// Everything a list has, page by page.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        let sign = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = self.get(&format!("{path}{sign}limit=200{cursor}")).await.expect(200);
            items.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }
}
