//! The client for AWS's Query protocol: form in, XML out, for EC2, RDS, ELBv2, Auto Scaling and IAM.
//!
//! The official crates for these services cannot hand on what they do not know, take minutes to build, and read a
//! page of a thousand instances three times slower. Signing stays with the official `aws-sigv4`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_credential_types::Credentials as Keys;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningInstructions, SigningSettings, sign},
    sign::v4,
};
use marquee_clouds::{CallSite, CloudError, ErrorKind, Layers, Retry, layers::Tally};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use url::{Url, form_urlencoded};

use crate::{
    credentials::KeyRing,
    error::{CLOUD, Refusal},
    partition::Partition,
    transport::Transport,
    xml::{Node, XmlError, read_whole},
};

/// One of AWS's services that speak the Query protocol.
#[derive(Debug, PartialEq, Eq)]
pub struct Api {
    /// The service as permissions and our errors name it: `ec2`.
    pub name: &'static str,
    /// The first part of its host's name, and its name in signatures.
    pub host: &'static str,
    /// The version of its protocol.
    pub version: &'static str,
    /// The name of its model in botocore.
    pub model: &'static str,
}

pub static EC2: Api = Api { name: "ec2", host: "ec2", version: "2016-11-15", model: "ec2" };
pub static RDS: Api = Api { name: "rds", host: "rds", version: "2014-10-31", model: "rds" };
pub static ELB: Api =
    Api { name: "elasticloadbalancing", host: "elasticloadbalancing", version: "2015-12-01", model: "elbv2" };
pub static AUTOSCALING: Api =
    Api { name: "autoscaling", host: "autoscaling", version: "2011-01-01", model: "autoscaling" };
/// Global: one endpoint a partition, see [`Client::endpoint`].
pub static IAM: Api = Api { name: "iam", host: "iam", version: "2010-05-08", model: "iam" };

/// A page may be this long at most; the longest real ones (1,000 images or instances) are below 8 MiB.
const LONGEST_ANSWER: usize = 64 << 20;
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Parameters of a call.
pub type Params = Vec<(String, String)>;

/// Sends Query calls with one connection's keys.
#[derive(Debug, Clone)]
pub struct Client {
    pub transport: Transport,
    pub keys: KeyRing,
    pub layers: Layers,
    /// Instead of AWS's own hosts.
    pub endpoint: Option<Url>,
}

impl Client {
    /// Makes a call and hands back the text of its answer.
    pub async fn call(
        &self,
        api: &'static Api,
        region: &str,
        action: &'static str,
        params: &Params,
        tally: &Tally,
    ) -> Result<String, CloudError> {
        self.send(api, region, (action, params), tally, None).await
    }

    /// Makes a call that would do its work again if it were repeated: it is, where AWS said that nothing was done, and not
    /// where the answer was lost. That is [`ErrorKind::Unavailable`] then, and whoever asked looks what became of it.
    pub async fn call_once(
        &self,
        api: &'static Api,
        region: &str,
        action: &'static str,
        params: &Params,
    ) -> Result<String, CloudError> {
        let unheard = AtomicBool::new(false);
        self.send(api, region, (action, params), &Tally::default(), Some(&unheard)).await
    }

    async fn send(
        &self,
        api: &'static Api,
        region: &str,
        (action, params): (&'static str, &Params),
        tally: &Tally,
        unheard: Option<&AtomicBool>,
    ) -> Result<String, CloudError> {
        let site = CallSite { cloud: CLOUD, service: api.name, operation: action, region: Some(region) };
        let body: Arc<str> = form(api, action, params).into();
        let (url, signing_region) = self.endpoint(api, region);
        // Outside the attempts: keys have retries of their own, and outlive the call.
        let keys = self.keys.keys().await?;
        let result = self
            .layers
            .call_counted(site, tally, || {
                let (body, url, region) = (Arc::clone(&body), url.clone(), signing_region.clone());
                let keys = keys.clone();
                async move {
                    let Some(unheard) = unheard else {
                        return self.attempt(&keys, api, &url, &region, &body).await;
                    };
                    // An attempt that is dropped, for it took too long, leaves it set.
                    if unheard.swap(true, Ordering::Relaxed) {
                        return Err(lost());
                    }
                    let result = self.attempt(&keys, api, &url, &region, &body).await;
                    unheard
                        .store(result.as_ref().is_err_and(|error| is_silent(error.kind)), Ordering::Relaxed);
                    result
                }
            })
            .await;
        self.keys.judge(&keys, &result).await;
        result
    }

    async fn attempt(
        &self,
        keys: &Keys,
        api: &Api,
        url: &str,
        region: &str,
        body: &str,
    ) -> Result<String, CloudError> {
        let signature = self.signature(keys, api, url, region, body)?;
        let mut request = http::Request::post(url)
            .header(CONTENT_TYPE, FORM)
            .body(body.to_owned())
            .map_err(|error| invalid(&error.to_string()))?;
        signature.apply_to_request_http1x(&mut request);
        let request = reqwest::Request::try_from(request).map_err(|error| invalid(&error.to_string()))?;
        let response = self.transport.http.execute(request).await.map_err(not_sent)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = read_body(response).await?;
        if status != 200 {
            return Err(refusal(status, &headers, &text).into_error(""));
        }
        if text.trim_end().ends_with("Response>") || text.trim_start().starts_with("<html") {
            return Ok(text);
        }
        let mut error = protocol("the answer ends early");
        error.retry = Retry::Now;
        Err(error)
    }

    fn signature(
        &self,
        keys: &Keys,
        api: &Api,
        url: &str,
        region: &str,
        body: &str,
    ) -> Result<SigningInstructions, CloudError> {
        let identity = keys.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(api.host)
            .time(self.transport.clock.now().into())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| invalid(&error.to_string()))?
            .into();
        let headers = [(CONTENT_TYPE.as_str(), FORM)];
        let request =
            SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))
                .map_err(|error| invalid(&error.to_string()))?;
        Ok(sign(request, &params).map_err(|error| invalid(&error.to_string()))?.into_parts().0)
    }

    /// Where a call goes, and the region it is signed for.
    fn endpoint(&self, api: &Api, region: &str) -> (String, String) {
        let partition = Partition::of_region(region);
        let signing_region = if api == &IAM { partition.home_region } else { region };
        let url = match (&self.endpoint, partition.id) {
            (Some(endpoint), _) => endpoint.to_string(),
            (None, "aws-us-gov") if api == &IAM => "https://iam.us-gov.amazonaws.com/".to_owned(),
            (None, "aws") if api == &IAM => "https://iam.amazonaws.com/".to_owned(),
            (None, _) => format!("https://{}.{signing_region}.{}/", api.host, partition.dns_suffix),
        };
        (url, signing_region.to_owned())
    }
}

/// A defect of the answer as an error.
pub fn unreadable(error: &XmlError) -> CloudError {
    protocol(&error.to_string())
}

fn form(api: &Api, action: &str, params: &Params) -> String {
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(128));
    form.append_pair("Action", action).append_pair("Version", api.version);
    form.extend_pairs(params);
    form.finish()
}

async fn read_body(mut response: reqwest::Response) -> Result<String, CloudError> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut body = Vec::with_capacity(announced.min(LONGEST_ANSWER));
    while let Some(chunk) = response.chunk().await.map_err(cut_off)? {
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(protocol("the answer is longer than any of AWS's"));
        }
        body.extend_from_slice(&chunk);
    }
    String::from_utf8(body).map_err(|_| protocol("the answer is not UTF-8"))
}

/// What a failed answer said, and whatever a proxy makes of it.
fn refusal(status: u16, headers: &HeaderMap, text: &str) -> Refusal {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let retry_after =
        header(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let mut refusal =
        Refusal { status, retry_after, request_id: header("x-amzn-requestid"), ..Refusal::default() };
    explain(&mut refusal, text);
    refusal
}

/// Adds what a failed answer says. XML: `Response/Errors/Error` (EC2), `ErrorResponse/Error` (other Query services) or a mixture of
/// them, or `Error` alone (S3). JSON (the price list, quotas): `__type`, which may stand behind a namespace.
pub fn explain(refusal: &mut Refusal, text: &str) {
    if text.trim_start().starts_with('{') {
        let said: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let word = |name: &str| said.get(name).and_then(serde_json::Value::as_str);
        let code = word("__type").map(|code| code.rsplit('#').next().unwrap_or(code).to_owned());
        refusal.code = code.or(refusal.code.take());
        refusal.message = word("message").or(word("Message")).map(str::to_owned).or(refusal.message.take());
        return;
    }
    let Ok(tape) = read_whole(text) else { return };
    let Some(root) = tape.root() else { return };
    let error = match root.name() {
        "Error" => Some(root),
        name if name.ends_with("Response") => root.child("Error").or_else(|| root.list("Errors").next()),
        _ => return,
    };
    let text_of = |name: &str| error.and_then(|node: Node<'_, '_>| node.get(name)).map(str::to_owned);
    refusal.code = text_of("Code").or(refusal.code.take());
    refusal.message = text_of("Message").or(refusal.message.take());
    let request_id = root.get("RequestId").or_else(|| root.get("RequestID")).map(str::to_owned);
    refusal.request_id = request_id.or(refusal.request_id.take());
}

fn not_sent(error: reqwest::Error) -> CloudError {
    let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable };
    CloudError::new(CLOUD, "", kind, "the endpoint could not be reached").with_source(error.without_url())
}

/// Whether it is not known after such an error what became of a call.
pub fn is_silent(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Protocol)
}

fn lost() -> CloudError {
    let message = "the answer was lost, and the call would do its work again if it were repeated";
    let mut error = CloudError::new(CLOUD, "", ErrorKind::Unavailable, message);
    error.retry = Retry::Never;
    error
}

fn cut_off(error: reqwest::Error) -> CloudError {
    let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable };
    CloudError::new(CLOUD, "", kind, "the connection ended within the answer")
        .with_source(error.without_url())
}

fn invalid(message: &str) -> CloudError {
    CloudError::new(CLOUD, "", ErrorKind::Invalid, message)
}

fn protocol(message: &str) -> CloudError {
    CloudError::new(CLOUD, "", ErrorKind::Protocol, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_of_awss_error_shapes_are_understood() {
        let ec2 = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>UnauthorizedOperation</Code>\
            <Message>You are not authorized</Message></Error></Errors><RequestID>abc</RequestID></Response>";
        let query = "<ErrorResponse xmlns=\"http://x/\"><Error><Type>Sender</Type><Code>Throttling</Code>\
            <Message>Rate exceeded</Message></Error><RequestId>def</RequestId></ErrorResponse>";
        let headers = HeaderMap::new();
        let found = refusal(403, &headers, ec2);
        assert_eq!(
            (found.code.as_deref(), found.request_id.as_deref()),
            (Some("UnauthorizedOperation"), Some("abc"))
        );
        let found = refusal(400, &headers, query);
        assert_eq!(
            (found.code.as_deref(), found.message.as_deref()),
            (Some("Throttling"), Some("Rate exceeded"))
        );
        assert_eq!(found.request_id.as_deref(), Some("def"));
    }

    #[test]
    fn a_proxys_page_is_not_believed() {
        let found = refusal(
            502,
            &HeaderMap::new(),
            "<html><body><Error><Code>AccessDenied</Code></Error></body></html>",
        );
        assert_eq!(found.code, None);
        assert_eq!(found.into_error("").kind, ErrorKind::Unavailable);
        assert_eq!(refusal(200, &HeaderMap::new(), "hello").into_error("").kind, ErrorKind::Protocol);
    }

    #[test]
    fn parameters_are_encoded() {
        let params = vec![("Filter.1.Value.1".to_owned(), "a b&c=d/é".to_owned())];
        assert_eq!(
            form(&EC2, "DescribeInstances", &params),
            "Action=DescribeInstances&Version=2016-11-15&Filter.1.Value.1=a+b%26c%3Dd%2F%C3%A9"
        );
    }
}
