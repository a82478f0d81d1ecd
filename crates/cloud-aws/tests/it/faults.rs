//! A cloud that misbehaves: what kind of error comes of it, and that no secret does.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use marquee_clouds::{CloudError, ErrorKind, Page, PageSink, Retry, Scope, conformance::Collected};

use crate::{
    bed::{self, REGIONS},
    front::{Front, Seen, Verdict},
};

fn networks(region: &str) -> Scope {
    Scope { service: "ec2/vpcs".into(), region: region.into(), kinds: Vec::new() }
}

/// Lists the networks through a front that answers `DescribeVpcs` as told; everything else is moto's.
async fn list_with(
    verdict: impl Fn(usize, &Seen) -> Verdict + Send + Sync + 'static,
) -> (Result<(), CloudError>, usize) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let front = Front::before(&bed::moto(), move |seen| {
        if seen.action == "DescribeVpcs" {
            verdict(count.fetch_add(1, Ordering::SeqCst), seen)
        } else {
            Verdict::Pass
        }
    })
    .await;
    let mut policy = bed::policy();
    policy.attempt_timeout = Duration::from_secs(20);
    let cloud = bed::connect_with(&bed::shared(), &front.url, &REGIONS, policy);
    let result = cloud.inventory().unwrap().list(&networks(REGIONS[0]), &mut Collected::default()).await;
    (result, asked.load(Ordering::SeqCst))
}

fn refusal(code: &str, message: &str) -> String {
    format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>req-1</RequestID></Response>"
    )
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for (status, code) in [(503, "RequestLimitExceeded"), (500, "InternalError"), (503, "Unavailable")] {
        let (result, asked) = list_with(move |nth, _| match nth {
            0 | 1 => Verdict::Answer(status, refusal(code, "slow down")),
            _ => Verdict::Pass,
        })
        .await;
        assert!(result.is_ok(), "{code}: {result:?}");
        assert_eq!(asked, 3, "{code}");
    }
}

#[tokio::test]
async fn what_does_not_pass_is_not_tried_again() {
    for (status, code, kind) in [
        (401, "AuthFailure", ErrorKind::Unauthenticated),
        (403, "UnauthorizedOperation", ErrorKind::PermissionDenied),
        (400, "InvalidParameterValue", ErrorKind::Invalid),
        (401, "OptInRequired", ErrorKind::Unsupported),
    ] {
        let (result, asked) = list_with(move |_, _| Verdict::Answer(status, refusal(code, "no"))).await;
        let error = result.unwrap_err();
        assert_eq!((error.kind, asked), (kind, 1), "{error}");
        assert_eq!((error.code.as_deref(), error.request_id.as_deref()), (Some(code), Some("req-1")));
        assert_eq!((&*error.operation, error.region.as_deref()), ("ec2:DescribeVpcs", Some(REGIONS[0])));
    }
}

#[tokio::test]
async fn answers_that_are_not_awss_are_not_believed() {
    let page = "<html><body>Please sign in to the guest network</body></html>";
    for (what, verdict, kind) in [
        ("a page", Verdict::Answer(200, page.into()), ErrorKind::Protocol),
        ("a broken proxy", Verdict::Answer(502, page.into()), ErrorKind::Unavailable),
        ("half an answer", Verdict::Half, ErrorKind::Protocol),
        ("a cut connection", Verdict::Break, ErrorKind::Unavailable),
        ("nothing", Verdict::Answer(200, String::new()), ErrorKind::Protocol),
        ("another answer", Verdict::Answer(200, "<DescribeSubnetsResponse/>".into()), ErrorKind::Protocol),
    ] {
        let (result, _) = list_with(move |_, _| verdict.clone()).await;
        let error = result.expect_err(what);
        assert_eq!(error.kind, kind, "{what}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let reached = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&reached);
    let elsewhere = Front::before(&bed::moto(), move |seen| {
        log.lock().unwrap().push(seen.action.clone());
        Verdict::Pass
    })
    .await;
    let location: &'static str = elsewhere.url.clone().leak();
    let (result, asked) =
        list_with(move |_, _| Verdict::AnswerWith(307, ("location", location), String::new())).await;
    assert_eq!((result.unwrap_err().kind, asked), (ErrorKind::Protocol, 1));
    assert!(reached.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_clouds_own_wait_is_handed_on() {
    let (result, asked) = list_with(|_, _| {
        Verdict::AnswerWith(503, ("retry-after", "3600"), refusal("RequestLimitExceeded", "later"))
    })
    .await;
    let error = result.unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Throttled, Retry::After(Duration::from_hours(1))));
    assert_eq!(asked, 1, "an hour is longer than the call may take");
}

#[tokio::test]
async fn a_scope_that_hangs_fails_in_time() {
    let front = Front::before(&bed::moto(), |seen| {
        if seen.action == "DescribeVpcs" { Verdict::Hang } else { Verdict::Pass }
    })
    .await;
    let account = bed::shared();
    // The account is asked for with patience first, so that only the hanging call is hurried.
    let mut policy = bed::policy();
    policy.attempt_timeout = Duration::from_secs(3);
    policy.max_attempts = 2;
    let cloud = bed::connect_with(&account, &front.url, &REGIONS, policy);
    let error =
        cloud.inventory().unwrap().list(&networks(REGIONS[0]), &mut Collected::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
    assert!(error.retry_helps());
}

#[tokio::test]
async fn throttling_is_counted_on_the_page() {
    struct Throttled(u32);
    #[async_trait]
    impl PageSink for Throttled {
        async fn page(&mut self, page: Page) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
            self.0 += page.throttled;
            Ok(())
        }
    }
    let asked = AtomicUsize::new(0);
    let front = Front::before(&bed::moto(), move |seen| {
        if seen.action == "DescribeVpcs" && asked.fetch_add(1, Ordering::SeqCst) < 2 {
            return Verdict::Answer(503, refusal("RequestLimitExceeded", "slow down"));
        }
        Verdict::Pass
    })
    .await;
    let cloud = bed::connect(&bed::shared(), &front.url, &REGIONS);
    let mut sink = Throttled(0);
    cloud.inventory().unwrap().list(&networks(REGIONS[0]), &mut sink).await.unwrap();
    assert_eq!(sink.0, 2);
}

#[tokio::test]
async fn good_credentials_in_a_region_that_is_not_enabled_are_not_called_bad() {
    let front = Front::before(&bed::moto(), |seen| match (seen.action.as_str(), seen.region.as_str()) {
        ("DescribeVpcs", "us-east-1") => Verdict::Answer(401, refusal("AuthFailure", "AWS was not able to validate the provided access credentials")),
        ("DescribeRegions", _) => Verdict::Answer(200, "<DescribeRegionsResponse><regionInfo>\
            <item><regionName>eu-west-1</regionName><optInStatus>opt-in-not-required</optInStatus></item>\
            <item><regionName>us-east-1</regionName><optInStatus>not-opted-in</optInStatus></item></regionInfo></DescribeRegionsResponse>".into()),
        _ => Verdict::Pass,
    })
    .await;
    let cloud = bed::connect(&bed::shared(), &front.url, &REGIONS);
    let error =
        cloud.inventory().unwrap().list(&networks("us-east-1"), &mut Collected::default()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
    assert!(error.message.contains("not enabled"), "{error}");
    let error = cloud.inventory().unwrap().list(&networks("eu-west-1"), &mut Collected::default()).await;
    assert!(error.is_ok(), "{error:?}");
}

#[tokio::test]
async fn what_a_cloud_quotes_of_the_request_is_not_passed_on() {
    let account = bed::shared();
    let quoted = account.secret.clone();
    let (result, _) = list_with(move |_, _| {
        Verdict::Answer(
            403,
            refusal(
                "SignatureDoesNotMatch",
                &format!("The canonical string was x-amz-security-token:{quoted}"),
            ),
        )
    })
    .await;
    let error = result.unwrap_err();
    assert!(error.message.contains("[redacted]"), "{error}");
    assert!(!format!("{error:?} {error}").contains(&account.secret));
}

#[tokio::test]
async fn an_unreachable_endpoint_is_unavailable() {
    // A port that was free a moment ago and that no one listens on now.
    let url = {
        let front = Front::saying(None).await;
        front.url.clone()
    };
    let cloud = bed::connect(&bed::shared(), &url, &REGIONS);
    assert_eq!(cloud.identity().await.unwrap_err().kind, ErrorKind::Unavailable);
    assert_eq!(cloud.regions().await.unwrap_err().kind, ErrorKind::Unavailable);
}

#[tokio::test]
async fn an_alias_that_does_not_come_is_not_waited_for() {
    let front = Front::before(&bed::moto(), |seen| {
        if seen.action == "ListAccountAliases" { Verdict::Hang } else { Verdict::Pass }
    })
    .await;
    let mut policy = bed::policy();
    policy.attempt_timeout = Duration::from_mins(10);
    let cloud = bed::connect_with(&bed::shared(), &front.url, &REGIONS, policy);
    let identity = tokio::time::timeout(Duration::from_mins(1), cloud.identity()).await.unwrap().unwrap();
    assert!(identity.principal.contains("user/") && identity.alias.is_none(), "{identity:?}");
}

#[tokio::test]
async fn an_answer_that_is_a_proxys_is_told_from_none() {
    let page = "<html>out of order</html>".to_owned();
    let (result, _) = list_with(move |_, _| Verdict::Answer(503, page.clone())).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Unavailable, Some("503")));
}
