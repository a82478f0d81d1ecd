//! What every call to AWS stands on: the two HTTP clients (one for our own Query client, one for the official
//! crates), the time, and the layers. Neither client follows redirects or reads proxies from the environment.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_smithy_async::{rt::sleep::TokioSleep, time::TimeSource};
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::client::{http::SharedHttpClient, orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::{
    error::{display::DisplayErrorContext, metadata::ProvideErrorMetadata},
    retry::RetryConfig,
    timeout::TimeoutConfig,
};
use marquee_clouds::{CallSite, CloudError, ErrorKind, Layers, layers::Tally};
use marquee_types::Clock;
use url::Url;

use crate::{
    credentials::KeyRing,
    error::{CLOUD, Refusal},
    query::explain,
};

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The HTTP clients and the clock: one value for all connections of a server.
#[derive(Debug, Clone)]
pub struct Transport {
    pub http: reqwest::Client,
    pub sdk_http: SharedHttpClient,
    pub clock: Clock,
}

impl Transport {
    /// Makes the clients. The process must have installed its TLS provider (rustls with ring) before.
    pub fn new(clock: Clock) -> Result<Self, CloudError> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("marquee/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                CloudError::new(CLOUD, "connect", ErrorKind::Unavailable, "no HTTP client").with_source(error)
            })?;
        let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        let sdk_http = Builder::new().tls_provider(ring).build_https();
        Ok(Self { http, sdk_http, clock })
    }

    /// The clock, for the official crates.
    pub fn time_source(&self) -> ClockTime {
        ClockTime(self.clock.clone())
    }
}

/// One of our clocks as the official crates want it.
#[derive(Debug, Clone)]
pub struct ClockTime(Clock);

impl TimeSource for ClockTime {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

/// How the official crates are to wait: not at all by themselves, since the layers do.
pub fn no_retries() -> RetryConfig {
    RetryConfig::disabled()
}

/// The official crates' own time limits; the layers limit the whole attempt.
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build()
}

/// How the official crates sleep.
pub fn sleep_impl() -> TokioSleep {
    TokioSleep::new()
}

/// Sends calls of the official crates through the layers.
#[derive(Debug, Clone)]
pub struct SdkCaller {
    pub layers: Layers,
    /// The keys that the client signs with; `None` where it has its own.
    pub keys: Option<KeyRing>,
    pub tally: Arc<Tally>,
}

impl SdkCaller {
    /// Makes a call; `send` starts one attempt.
    pub async fn call<T, E, F, Fut>(
        &self,
        service: &'static str,
        operation: &'static str,
        region: Option<&str>,
        mut send: F,
    ) -> Result<T, CloudError>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        T: Send + Sync,
    {
        // The official crates' futures are deep: without the box their types grow past what the compiler follows.
        self.call_whole(service, operation, region, || {
            let attempt = Box::pin(send());
            async move { attempt.await.map_err(|error| sdk_error(operation, error)) }
        })
        .await
    }

    /// The same for attempts that do more than send: read a body to its end, say.
    pub async fn call_whole<T, F, Fut>(
        &self,
        service: &'static str,
        operation: &'static str,
        region: Option<&str>,
        attempt: F,
    ) -> Result<T, CloudError>
    where
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, CloudError>> + Send,
        T: Send + Sync,
    {
        let site = CallSite { cloud: CLOUD, service, operation, region };
        // First, so that a role that cannot be assumed shows as what it is; the client then finds the keys here.
        let keys = match &self.keys {
            Some(ring) => Some((ring, ring.keys().await?)),
            None => None,
        };
        let result = self.layers.call_counted(site, &self.tally, attempt).await;
        if let Some((ring, keys)) = keys {
            ring.judge(&keys, &result).await;
        }
        result
    }
}

/// An official crate's error as ours.
pub fn sdk_error<E>(operation: &str, error: SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let unavailable = |kind, message: &str| CloudError::new(CLOUD, operation, kind, message);
    match error {
        SdkError::ServiceError(context) => {
            refusal(context.raw()).into_error(operation).with_source(context.into_err())
        }
        SdkError::ResponseError(context) => match context.raw().status().as_u16() {
            200..300 => unavailable(ErrorKind::Protocol, "an answer that cannot be read"),
            _ => refusal(context.raw()).into_error(operation),
        },
        SdkError::TimeoutError(_) => unavailable(ErrorKind::Timeout, "no connection in time"),
        SdkError::DispatchFailure(failure) => dispatch_error(operation, &failure),
        SdkError::ConstructionFailure(_) | _ => {
            unavailable(ErrorKind::Invalid, "the request could not be built")
        }
    }
}

/// What a failed answer said, read as the Query client reads it: the official crates know one shape a service.
fn refusal(response: &HttpResponse) -> Refusal {
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    let mut refusal = Refusal {
        status: response.status().as_u16(),
        request_id: header("x-amzn-requestid").or_else(|| header("x-amz-request-id")),
        retry_after: header("retry-after").and_then(|text| text.parse().ok()).map(Duration::from_secs),
        ..Refusal::default()
    };
    if let Some(text) = response.body().bytes().and_then(|bytes| std::str::from_utf8(bytes).ok()) {
        explain(&mut refusal, text);
    }
    refusal
}

/// A request that never left, or an answer that never came; credentials that could not be had look like this too.
fn dispatch_error(
    operation: &str,
    failure: &aws_smithy_runtime_api::client::result::DispatchFailure,
) -> CloudError {
    let kind = if failure.is_timeout() {
        ErrorKind::Timeout
    } else if failure.is_user() {
        ErrorKind::Invalid
    } else {
        ErrorKind::Unavailable
    };
    let error = CloudError::new(CLOUD, operation, kind, "the endpoint could not be reached");
    match failure.as_connector_error() {
        Some(cause) => error.with_source(DisplayErrorContext(cause).to_string()),
        None => error,
    }
}

/// The endpoint as the official crates want it: without a slash at its end.
pub fn endpoint_text(endpoint: &Url) -> String {
    endpoint.as_str().trim_end_matches('/').to_owned()
}
