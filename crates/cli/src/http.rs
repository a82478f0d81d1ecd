//! One request to the server and its answer: retries that are safe, limits on what is read, and an honest word
//! when what answers is not Marquee.

use std::{error::Error as _, fmt::Write as _, fs, time::Duration};

use reqwest::{Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use crate::{contexts::Connection, failure::Failure, surroundings::Surroundings};

/// More than the largest page, by far; what is longer is no answer of the API.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// How often a request is sent at most.
const ATTEMPTS: u32 = 5;
/// The longest time that one `Retry-After` is followed.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// A request, ready to be sent.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path with its parameters filled in, from `/`.
    pub path: String,
    /// The query.
    pub query: Vec<(String, String)>,
    /// The JSON body.
    pub body: Option<Value>,
    /// Makes it safe to send twice.
    pub idempotency_key: Option<String>,
    /// The version that is to be changed.
    pub if_match: Option<String>,
}

impl Request {
    /// A read.
    pub fn get(path: String, query: Vec<(String, String)>) -> Self {
        Self { method: Method::GET, path, query, body: None, idempotency_key: None, if_match: None }
    }

    /// Whether it may be sent again when it is not known whether it arrived.
    fn repeatable(&self) -> bool {
        self.method == Method::GET || self.idempotency_key.is_some()
    }
}

/// A success.
#[derive(Debug)]
pub struct Answer {
    /// The version of what it shows.
    pub etag: Option<String>,
    /// The body; null where there is none.
    pub body: Value,
    /// The body as text, where it is not JSON and was not meant to be.
    pub text: Option<String>,
}

/// A connection to one server.
pub struct Http {
    client: reqwest::Client,
    base: Url,
    token: Option<SecretString>,
    remark: Option<String>,
    verbose: bool,
}

/// One attempt that brought no success.
enum Setback {
    /// Nothing came back; whether the request arrived is not known unless `refused`.
    Transport { error: reqwest::Error, refused: bool },
    /// The server asked to come again.
    Later { after: Duration, failure: Failure },
    /// It will not get better.
    Final(Failure),
}

impl Http {
    /// Prepares the connection; nothing is sent.
    pub fn new(connection: &Connection, verbose: bool) -> Result<Self, Failure> {
        // The binary has installed it already; where it has not, this is the first, and both are the same one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("marquee-cli/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_mins(2));
        if connection.url.host().is_some_and(|host| is_loopback(&host)) {
            builder = builder.no_proxy();
        }
        if connection.url.scheme() == "http" {
            // Without this a machine that has no certificates could not even speak plain HTTP.
            builder = builder.tls_certs_only([]);
        } else if let Some(file) = &connection.ca_certificate {
            let unusable = |what: String| Failure::Usage(format!("{}: {what}", file.display()));
            let pem = fs::read(file).map_err(|error| unusable(error.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|found| !found.is_empty())
                .ok_or_else(|| unusable("holds no certificate in PEM form".into()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| Failure::Unreachable {
            what: format!("cannot prepare a connection to {}: {}", connection.url, chain(&error)),
            hint: "install the system's certificates (Debian: apt-get install ca-certificates) or name the \
                   server's own with --ca-certificate FILE"
                .into(),
        })?;
        Ok(Self {
            client,
            base: connection.url.clone(),
            token: connection.token.clone(),
            remark: connection.remark.clone(),
            verbose,
        })
    }

    /// Where it leads.
    pub fn url(&self) -> &Url {
        &self.base
    }

    /// Sends a request, again where that is safe and promises something.
    pub async fn send(&self, request: &Request, surroundings: &mut Surroundings) -> Result<Answer, Failure> {
        for attempt in 1.. {
            let setback = match self.attempt(request, surroundings).await {
                Ok(answer) => return Ok(answer),
                Err(setback) => setback,
            };
            let last = attempt >= ATTEMPTS;
            let pause = match setback {
                Setback::Final(failure) => return Err(failure),
                Setback::Later { after, failure } if last || after > LONGEST_PAUSE => return Err(failure),
                Setback::Later { after, failure } => {
                    let exit = failure.exit();
                    let why =
                        if exit == crate::Exit::Conflict { "still busy with it" } else { "asks to wait" };
                    surroundings.note(&format!("the server {why}: again in {} s", after.as_secs()));
                    after
                }
                Setback::Transport { error, refused } if refused || last || !request.repeatable() => {
                    return Err(self.unreachable(&error, request));
                }
                Setback::Transport { error, .. } => {
                    surroundings.note(&format!("no answer ({}): trying again", chain(&error)));
                    Duration::from_millis(200 * 2_u64.pow(attempt))
                }
            };
            tokio::time::sleep(pause).await;
        }
        Err(Failure::Local("no attempt was made".into()))
    }

    async fn attempt(&self, request: &Request, surroundings: &mut Surroundings) -> Result<Answer, Setback> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path().trim_end_matches('/'), request.path));
        let mut builder = self.client.request(request.method.clone(), url).query(&request.query);
        builder = builder.header(header::ACCEPT, "application/json, application/problem+json");
        if let Some(token) = &self.token {
            builder = builder.bearer_auth(token.expose_secret());
        }
        if let Some(key) = &request.idempotency_key {
            builder = builder.header("idempotency-key", key);
        }
        if let Some(version) = &request.if_match {
            builder = builder.header(header::IF_MATCH, version);
        }
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        let response = builder.send().await.map_err(|error| Setback::Transport {
            refused: error.is_connect() || error.is_builder(),
            error: error.without_url(),
        })?;
        self.trace(request, &response, surroundings);
        self.read(request, response).await
    }

    fn trace(&self, request: &Request, response: &reqwest::Response, surroundings: &mut Surroundings) {
        if self.verbose {
            let id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or("-");
            let status = response.status().as_u16();
            surroundings.note(&format!("{} {} → {status}, request {id}", request.method, request.path));
        }
    }

    async fn read(&self, request: &Request, response: reqwest::Response) -> Result<Answer, Setback> {
        let status = response.status();
        let header = |name: header::HeaderName| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let etag = header(header::ETAG);
        let media = header(header::CONTENT_TYPE).unwrap_or_default();
        let later =
            header(header::RETRY_AFTER).and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let location = header(header::LOCATION);
        let bytes = self.body(response).await?;
        if status.is_redirection() {
            return Err(Setback::Final(self.redirected(location.as_deref())));
        }
        if status.is_success() {
            return self.success(&bytes, &media, etag).map_err(Setback::Final);
        }
        let failure = self.refusal(status, &bytes, &media);
        let busy = status == StatusCode::CONFLICT && request.idempotency_key.is_some();
        let limited = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        match later.filter(|_| busy || limited) {
            Some(after) => Err(Setback::Later { after, failure }),
            None => Err(Setback::Final(failure)),
        }
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Vec<u8>, Setback> {
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > LARGEST_ANSWER => {
                    return Err(Setback::Final(self.not_marquee("an answer of more than 64 MiB")));
                }
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => return Ok(bytes),
                Err(error) => return Err(Setback::Transport { error: error.without_url(), refused: false }),
            }
        }
    }

    fn success(&self, bytes: &[u8], media: &str, etag: Option<String>) -> Result<Answer, Failure> {
        if bytes.is_empty() {
            return Ok(Answer { etag, body: Value::Null, text: None });
        }
        if is_json(media) {
            let body = serde_json::from_slice(bytes)
                .map_err(|error| self.not_marquee(&format!("JSON that cannot be read: {error}")))?;
            return Ok(Answer { etag, body, text: None });
        }
        if media.starts_with("text/html") {
            return Err(self.not_marquee(&describe_html(bytes)));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| self.not_marquee(&format!("{} bytes of {}", bytes.len(), media_name(media))))?;
        Ok(Answer { etag, body: Value::Null, text: Some(text.to_owned()) })
    }

    fn refusal(&self, status: StatusCode, bytes: &[u8], media: &str) -> Failure {
        let parsed = if is_json(media) { serde_json::from_slice::<Value>(bytes).ok() } else { None };
        let problem = parsed.filter(|p| p.get("status").is_some() || p.get("title").is_some());
        let Some(problem) = problem else {
            let came = if media.starts_with("text/html") { describe_html(bytes) } else { media_name(media) };
            let what = format!("{} answered {status} with {came} instead of Marquee's own answer", self.base);
            if matches!(status.as_u16(), 502..=504) {
                return Failure::Unreachable {
                    what,
                    hint: "a proxy in between does not reach the server".into(),
                };
            }
            return Failure::NotMarquee { what, hint: NOT_MARQUEE_HINT.into() };
        };
        let hint = (status == StatusCode::UNAUTHORIZED).then(|| {
            let remark = self.remark.as_ref().map(|remark| format!("{remark}; ")).unwrap_or_default();
            format!("{remark}log in with: marquee login --url {} (or set MARQUEE_TOKEN)", self.base)
        });
        Failure::Problem { status: status.as_u16(), problem, flags: Vec::new(), hint }
    }

    fn redirected(&self, location: Option<&str>) -> Failure {
        let mut what = format!("{} redirects", self.base);
        if let Some(location) = location {
            let _ = write!(what, " to {location}");
        }
        let hint = "redirects are not followed, so that the token goes to no other server; use the final address \
                    with --url";
        Failure::NotMarquee { what, hint: hint.into() }
    }

    fn not_marquee(&self, came: &str) -> Failure {
        let what = format!("{} answered with {came} instead of Marquee's own answer", self.base);
        Failure::NotMarquee { what, hint: NOT_MARQUEE_HINT.into() }
    }

    fn unreachable(&self, error: &reqwest::Error, request: &Request) -> Failure {
        let text = chain(error);
        let (what, hint) = if text.contains("certificate") || text.contains("UnknownIssuer") {
            let hint = "if the server's certificate is your own, name it: --ca-certificate FILE";
            (format!("the certificate of {} is not trusted: {text}", self.base), hint.to_owned())
        } else if text.contains("InvalidContentType") || text.contains("corrupt message") {
            let plain = self.base.as_str().replacen("https:", "http:", 1);
            (format!("{} does not speak TLS", self.base), format!("try --url {plain}"))
        } else if error.is_timeout() && !error.is_connect() {
            (format!("{} did not answer {} in time", self.base, request.path), UNKNOWN_OUTCOME.to_owned())
        } else if error.is_connect() {
            (format!("no server answers at {}: {text}", self.base), self.start_hint())
        } else {
            (format!("the connection to {} broke: {text}", self.base), UNKNOWN_OUTCOME.to_owned())
        };
        let harmless = request.method == Method::GET && hint == UNKNOWN_OUTCOME;
        Failure::Unreachable { what, hint: if harmless { String::new() } else { hint } }
    }

    fn start_hint(&self) -> String {
        if self.base.host().is_some_and(|host| is_loopback(&host)) {
            "start one with `make run` or `marquee serve`, or name another with --url or MARQUEE_URL".into()
        } else {
            "is the address right (--url, MARQUEE_URL), and is the server running?".into()
        }
    }
}

const NOT_MARQUEE_HINT: &str = "is the address right (--url, MARQUEE_URL)? A proxy may stand in between";
const UNKNOWN_OUTCOME: &str = "whether the request was carried out is not known; look before you repeat it";

fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || essence.ends_with("+json")
}

fn media_name(media: &str) -> String {
    if media.is_empty() { "something unnamed".into() } else { media.to_owned() }
}

fn describe_html(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(16 * 1024)]);
    let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    match title {
        Some((title, _)) => format!("a web page (“{}”)", title.trim().chars().take(80).collect::<String>()),
        None => "a web page".into(),
    }
}

fn is_loopback(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    }
}

/// An error and its causes, each said once.
fn chain(error: &reqwest::Error) -> String {
    let mut parts = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        parts.push(cause.to_string());
        next = cause.source();
    }
    // The innermost says what happened; the others say only that a request failed.
    parts.pop().unwrap_or_else(|| error.to_string())
}
