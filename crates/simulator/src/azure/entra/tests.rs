//! Who gets a token and who does not; which tokens open the resource manager.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use marquee_types::Clock;
use serde_json::{Value, json};

use super::{Entra, Principal, Role, assertion, keys::Keys, named, principal::tenant, read, token};
use crate::{
    FaceName,
    azure::Azure,
    face::{Face as _, Reply, Request},
    plan::Plan,
    world::World,
};

const ORIGIN: &str = "https://127.0.0.1:7472";
const PLAN: &str = r#"
name = "tokens"
seed = 7
history_days = 10
[[accounts]]
face = "azure"
id = "3f6d1c52-8f0e-4d2b-9a57-6c1e0b7d4a21"
name = "events"
regions = [{ id = "westeurope", name = "West Europe", zones = ["1", "2"] }]
[[accounts]]
face = "azure"
id = "11111111-8f0e-4d2b-9a57-6c1e0b7d4a21"
name = "other"
regions = [{ id = "westeurope", name = "West Europe", zones = ["1", "2"] }]
"#;

fn start() -> DateTime<Utc> {
    "2026-05-01T00:00:00Z".parse().unwrap()
}

fn world() -> (World, Clock) {
    let real = Clock::manual(start());
    let world = World::grow(Plan::parse(PLAN).unwrap(), &[], real.clone(), start(), 1.0).unwrap();
    (world, real)
}

fn application(world: &World) -> Principal {
    named(world, world.plan.accounts_of(FaceName::Azure).next().unwrap(), Role::Contributor)
}

fn request(method: Method, path: &str, query: &str, body: String) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Bytes::from(body),
        origin: ORIGIN.to_owned(),
    }
}

fn ask(world: &World, entra: &Entra, tenant: &str, form: &[(&str, &str)]) -> (StatusCode, Value) {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = request(Method::POST, &format!("/{tenant}/oauth2/v2.0/token"), "", body);
    let reply = entra.answer(world, &request).unwrap();
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

fn with_secret<'a>(principal: &'a Principal, secret: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "client_credentials"),
        ("client_id", &principal.client),
        ("client_secret", secret),
        ("scope", "https://management.azure.com/.default"),
    ]
}

fn changed<'a>(form: &[(&'a str, &'a str)], name: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    form.iter().map(|(key, old)| (*key, if *key == name { value } else { *old })).collect()
}

#[test]
fn a_secret_gets_a_token_for_an_hour() {
    let (world, _) = world();
    let principal = application(&world);
    let form = with_secret(&principal, &principal.secret);
    let (status, body) = ask(&world, &Entra::default(), &tenant(&world), &form);
    assert_eq!(
        (status, &body["token_type"], &body["expires_in"]),
        (StatusCode::OK, &json!("Bearer"), &json!(3_599))
    );
    let claims = read(&world, body["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(claims.oid, principal.object);
    assert_eq!(claims.exp, start().timestamp() + 3_599);
}

#[test]
fn what_is_wrong_is_said_with_its_number() {
    let (world, _) = world();
    let (principal, entra, tenant) = (application(&world), Entra::default(), tenant(&world));
    let good = with_secret(&principal, &principal.secret);
    let number = |tenant: &str, form: &[(&str, &str)]| {
        let (status, body) = ask(&world, &entra, tenant, form);
        let number = body["error_codes"][0].as_u64().unwrap();
        assert!(body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{number}: ")));
        (status.as_u16(), number, body["error"].as_str().unwrap().to_owned())
    };
    let told = |status, number, error: &str| (status, number, error.to_owned());
    assert_eq!(
        number(&tenant, &changed(&good, "client_secret", "no")),
        told(401, 7_000_215, "invalid_client")
    );
    assert_eq!(number("nobody", &good), told(400, 90_002, "invalid_request"));
    assert_eq!(number(&tenant, &changed(&good, "client_id", "x")), told(400, 700_016, "unauthorized_client"));
    assert_eq!(
        number(&tenant, &changed(&good, "grant_type", "password")),
        told(400, 70_003, "unsupported_grant_type")
    );
    assert_eq!(
        number(&tenant, &changed(&good, "scope", "https://management.azure.com")),
        told(400, 1_002_012, "invalid_scope")
    );
    assert_eq!(
        number(&tenant, &changed(&good, "scope", "https://graph.microsoft.com/.default")),
        told(400, 500_011, "invalid_resource")
    );
    assert_eq!(number(&tenant, &good[..3]), told(400, 900_144, "invalid_request"));
    assert_eq!(number(&tenant, &changed(&good, "client_secret", "")), told(401, 7_000_218, "invalid_client"));
}

/// An assertion that the application signs itself, with parts replaced.
fn assertion(keys: &Keys, principal: &Principal, tenant: &str, head: &Value, said: &Value) -> String {
    let mut whole_head = json!({ "alg": "RS256", "typ": "JWT", "x5t": URL_SAFE_NO_PAD.encode(&keys.sha1) });
    let mut whole = json!({
        "iss": principal.client, "sub": principal.client, "aud": format!("{ORIGIN}/{tenant}/oauth2/v2.0/token"),
        "nbf": start().timestamp(), "exp": start().timestamp() + 600, "jti": "1",
    });
    for (into, from) in [(&mut whole_head, head), (&mut whole, said)] {
        into.as_object_mut().unwrap().extend(from.as_object().unwrap().clone());
    }
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(whole_head.to_string()),
        URL_SAFE_NO_PAD.encode(whole.to_string())
    );
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(keys.sign(&signed)))
}

#[test]
fn an_assertion_shows_who_it_is_or_is_refused() {
    let (world, _) = world();
    let (principal, tenant, keys) = (application(&world), tenant(&world), Keys::new(world.seed()).unwrap());
    let audiences = [format!("{ORIGIN}/{tenant}/oauth2/v2.0/token")];
    let check = |head: Value, said: Value| {
        let assertion = assertion(&keys, &principal, &tenant, &head, &said);
        assertion::check(&keys, &principal, &assertion, &audiences, start()).map_err(|denied| denied.number())
    };
    let none = || json!({});
    assert_eq!(check(none(), none()), Ok(()));
    assert_eq!(check(json!({ "x5t": "AAAA" }), none()), Err(700_027));
    assert_eq!(check(json!({ "x5t": null }), none()), Err(50_027));
    assert_eq!(check(json!({ "alg": "none" }), none()), Err(50_027));
    assert_eq!(check(json!({ "alg": "PS256" }), none()), Err(700_027));
    assert_eq!(check(none(), json!({ "aud": "https://elsewhere" })), Err(700_023));
    assert_eq!(check(none(), json!({ "sub": "another" })), Err(50_027));
    assert_eq!(check(none(), json!({ "exp": start().timestamp() - 600 })), Err(700_024));
    assert_eq!(check(none(), json!({ "nbf": start().timestamp() + 600 })), Err(700_024));
    assert_eq!(check(none(), json!({ "iss": "https://issuer.example/" })), Err(700_211));
    let stranger = Keys::new(crate::seed::Seed(99)).unwrap();
    let foreign = assertion(&stranger, &principal, &tenant, &none(), &none());
    let foreign = assertion::check(&keys, &principal, &foreign, &audiences, start());
    assert_eq!(foreign.map_err(|denied| denied.number()), Err(700_027));
    assert_eq!(
        assertion::check(&keys, &principal, "a.b", &audiences, start()).map_err(|denied| denied.number()),
        Err(50_027)
    );
}

#[test]
fn a_workload_s_token_is_for_its_own_application_only() {
    let (world, _) = world();
    let keys = Keys::new(crate::seed::Seed(1)).unwrap();
    let mut accounts = world.plan.accounts_of(FaceName::Azure);
    let one = named(&world, accounts.next().unwrap(), Role::Contributor);
    let other = named(&world, accounts.next().unwrap(), Role::Contributor);
    let token = assertion::federated(&keys, &one, start());
    let check = |principal: &Principal, at: DateTime<Utc>| {
        assertion::check(&keys, principal, &token, &[], at).map_err(|denied| denied.number())
    };
    assert_eq!(check(&one, start()), Ok(()));
    assert_eq!(check(&other, start()), Err(700_213));
    assert_eq!(check(&one, start() + TimeDelta::days(2)), Err(700_024));
}

fn manage(world: &World, path: &str, bearer: &str) -> Reply {
    let mut request = request(Method::GET, path, "api-version=2022-12-01", String::new());
    if !bearer.is_empty() {
        request.headers.insert("authorization", HeaderValue::from_str(bearer).unwrap());
    }
    Azure::new().answer(world, &request)
}

fn code(reply: &Reply) -> String {
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    body["error"]["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_resource_manager_takes_its_own_tokens_while_they_are_good() {
    let (world, real) = world();
    let principal = application(&world);
    let issue = |audience: &str| {
        let now = start();
        format!("Bearer {}", token::issue(&world, &principal, audience, now, now + TimeDelta::hours(1)))
    };
    let good = issue("https://management.azure.com");
    assert_eq!(manage(&world, "/subscriptions", &good).status, StatusCode::OK);
    for (bearer, wanted) in [
        (String::new(), "AuthenticationFailed"),
        ("Basic abc".to_owned(), "AuthenticationFailed"),
        ("Bearer abc".to_owned(), "InvalidAuthenticationToken"),
        (format!("{good}x"), "InvalidAuthenticationToken"),
        (issue("https://graph.microsoft.com"), "InvalidAuthenticationTokenAudience"),
    ] {
        let reply = manage(&world, "/subscriptions", &bearer);
        assert_eq!((reply.status, code(&reply)), (StatusCode::UNAUTHORIZED, wanted.to_owned()));
        let challenge = reply.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer authorization_uri="), "{challenge}");
    }
    real.advance(TimeDelta::hours(2));
    assert_eq!(code(&manage(&world, "/subscriptions", &good)), "ExpiredAuthenticationToken");
}

#[test]
fn a_role_ends_at_its_subscription() {
    let (world, _) = world();
    let principal = application(&world);
    let bearer = token::issue(&world, &principal, ORIGIN, start(), start() + TimeDelta::hours(1));
    let bearer = format!("Bearer {bearer}");
    let other = manage(&world, "/subscriptions/11111111-8f0e-4d2b-9a57-6c1e0b7d4a21", &bearer);
    assert_eq!((other.status, code(&other)), (StatusCode::FORBIDDEN, "AuthorizationFailed".to_owned()));
    let none = manage(&world, "/subscriptions/22222222-8f0e-4d2b-9a57-6c1e0b7d4a21", &bearer);
    assert_eq!((none.status, code(&none)), (StatusCode::NOT_FOUND, "SubscriptionNotFound".to_owned()));
    let odd = manage(&world, "/subscriptions/x", &bearer);
    assert_eq!((odd.status, code(&odd)), (StatusCode::BAD_REQUEST, "InvalidSubscriptionId".to_owned()));
}

#[test]
fn readers_only_read() {
    assert!(Role::Reader.may("Microsoft.Compute/disks/read"));
    assert!(Role::Reader.may("Microsoft.CostManagement/query/action"));
    assert!(!Role::Reader.may("Microsoft.Compute/virtualMachines/start/action"));
    assert!(Role::Contributor.may("Microsoft.Compute/disks/delete"));
    assert!(!Role::Contributor.may("Microsoft.Authorization/roleAssignments/write"));
}
