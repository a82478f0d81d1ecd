//! The endpoint: HTTP/1.1 with keep-alive, answers out of memory.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, body::Incoming, header::CONTENT_TYPE, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    account::Account,
    answers::{self, Asked},
};

/// Serves until Ctrl-C. The first line printed names the address.
pub async fn serve(listen: SocketAddr, account: Account) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let bytes: usize = account.pages.iter().map(Bytes::len).sum();
    crate::say(&format!("http://{}", listener.local_addr()?));
    crate::say(&format!("{} pages, {:.1} MB, region {}", account.pages.len(), mega(bytes), account.region));
    let account = Arc::new(account);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                connections.spawn(connection(stream, Arc::clone(&account)));
            }
            Some(_) = connections.join_next() => {}
            stopped = tokio::signal::ctrl_c() => return Ok(stopped?),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn mega(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

async fn connection(stream: tokio::net::TcpStream, account: Arc<Account>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&account)));
    // A client that hangs up in the middle is its own business.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn answer(
    request: Request<Incoming>,
    account: Arc<Account>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut parameters = form(parts.uri.query().unwrap_or_default().as_bytes());
    parameters.extend(form(&body));
    let asked = Asked { path: parts.uri.path(), parameters: &parameters };
    let authorization =
        parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (status, body) = instances(&account, &asked, authorization).unwrap_or_else(|| {
        let (status, text) = answers::other(&account, &asked);
        (status, Bytes::from(text))
    });
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/xml;charset=UTF-8"));
    Ok(response)
}

/// A page of instances, if that is what is asked for. In another region than the account's there are none.
fn instances(account: &Account, asked: &Asked<'_>, authorization: &str) -> Option<(u16, Bytes)> {
    if asked.parameter("Action") != Some("DescribeInstances") {
        return None;
    }
    let elsewhere =
        authorization.contains("/ec2/") && !authorization.contains(&format!("/{}/ec2/", account.region));
    if elsewhere {
        return Some((200, Bytes::from_static(NO_INSTANCES.as_bytes())));
    }
    Some(match account.page(asked.parameter("NextToken")) {
        Some(page) => (200, page.clone()),
        None => (400, Bytes::from_static(BAD_TOKEN.as_bytes())),
    })
}

const NO_INSTANCES: &str = "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
    <requestId>00000000-0000-4000-8000-000000000000</requestId><reservationSet/></DescribeInstancesResponse>";

const BAD_TOKEN: &str = "<Response><Errors><Error><Code>InvalidParameterValue</Code><Message>Unable to parse pagination \
    token</Message></Error></Errors><RequestID>00000000-0000-4000-8000-000000000000</RequestID></Response>";

/// The parameters of a form or query.
fn form(bytes: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let hex = text.get(index + 1..index + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[index], hex) {
            (b'+', _) => out.push(b' '),
            (b'%', Some(byte)) => {
                out.push(byte);
                index += 2;
            }
            (byte, _) => out.push(byte),
        }
        index += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_and_end() {
        let account = Account::render(25, 10, "us-east-1");
        let mut token: Option<String> = None;
        let mut seen = 0;
        loop {
            let mut parameters = vec![("Action".to_owned(), "DescribeInstances".to_owned())];
            parameters.extend(token.take().map(|token| ("NextToken".to_owned(), token)));
            let asked = Asked { path: "/", parameters: &parameters };
            let (status, page) =
                instances(&account, &asked, "Credential=A/20260101/us-east-1/ec2/aws4_request").unwrap();
            assert_eq!(status, 200);
            let text = std::str::from_utf8(&page).unwrap();
            assert!(!text.contains('{'), "a place in the template was not filled");
            seen += text.matches("<instanceId>").count();
            token =
                text.split_once("<nextToken>").and_then(|(_, rest)| Some(rest.split_once('<')?.0.to_owned()));
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, 25);
    }

    #[test]
    fn an_instance_has_the_size_of_a_real_one() {
        let account = Account::render(1_000, 1_000, "us-east-1");
        let each = account.pages[0].len() / 1_000;
        assert!((4_200..5_200).contains(&each), "{each} bytes");
    }

    #[test]
    fn another_region_is_empty_and_a_wrong_token_is_refused() {
        let account = Account::render(1, 1, "us-east-1");
        let mut parameters = vec![("Action".to_owned(), "DescribeInstances".to_owned())];
        let asked = Asked { path: "/", parameters: &parameters };
        let (_, body) =
            instances(&account, &asked, "Credential=A/20260101/eu-west-1/ec2/aws4_request").unwrap();
        assert!(!body.windows(12).any(|part| part == b"<instanceId>"));
        parameters.push(("NextToken".to_owned(), "x".to_owned()));
        let asked = Asked { path: "/", parameters: &parameters };
        assert_eq!(instances(&account, &asked, "").unwrap().0, 400);
    }

    #[test]
    fn forms_are_decoded() {
        assert_eq!(
            form(b"a=b+c%2Fd&e&f=%zz"),
            [("a", "b c/d"), ("e", ""), ("f", "%zz")].map(|(k, v)| (k.into(), v.into()))
        );
    }
}
