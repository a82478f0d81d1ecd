//! The rules of tokens: who gets one, and what it opens.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};
use marquee_types::Clock;
use serde_json::{Value, json};

use super::*;
use crate::{face::Face as _, google::Google, plan::Plan};

const ORIGIN: &str = "http://127.0.0.1:7473";

struct Bed {
    world: World,
    google: Google,
}

impl Bed {
    fn new() -> Self {
        let plan = Plan::parse(
            r#"
            name = "two"
            seed = 7
            history_days = 10
            [[accounts]]
            face = "google"
            id = "barn"
            name = "Barn"
            regions = [{ id = "europe-west1", name = "Belgium", zones = ["europe-west1-b"] }]
            [[accounts]]
            face = "google"
            id = "castle"
            name = "Castle"
            regions = []
            "#,
        )
        .unwrap();
        let now: DateTime<Utc> = "2026-05-01T12:00:00Z".parse().unwrap();
        Self { world: World::grow(plan, &[], Clock::manual(now), now, 1.0).unwrap(), google: Google::new() }
    }

    fn now(&self) -> i64 {
        self.world.clock.real_now().timestamp()
    }

    fn account(&self, id: &str) -> &crate::plan::Account {
        self.world.plan.account(FaceName::Google, id).unwrap()
    }

    /// An assertion with some claims otherwise, signed by a project's key.
    fn assertion(&self, signer: &str, change: &Value) -> String {
        let mut claims = json!({
            "iss": keys::email("barn"), "aud": format!("{ORIGIN}/token"), "scope": scope::EVERYTHING,
            "iat": self.now(), "exp": self.now() + 3600,
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.google.keys.of(&self.world, self.account(signer)).sign(&claims)
    }

    fn post(&self, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        self.send(Method::POST, path, headers, body)
    }

    fn send(&self, method: Method, path: &str, headers: HeaderMap, body: String) -> (u16, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: Bytes::from(body),
            origin: ORIGIN.to_owned(),
        };
        let reply = self.google.answer(&self.world, &request);
        (reply.status.as_u16(), serde_json::from_slice(&reply.body).unwrap_or_default())
    }

    fn exchange(&self, assertion: &str) -> (u16, Value) {
        self.post("/token", &[("grant_type", JWT_BEARER), ("assertion", assertion)])
    }

    fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        self.send(Method::GET, path, headers, String::new())
    }
}

const ZONES: &str = "/compute/v1/projects/barn/zones";

#[test]
fn an_assertion_becomes_a_token_that_opens_its_own_project_only() {
    let bed = Bed::new();
    let (status, answer) = bed.exchange(&bed.assertion("barn", &json!({})));
    assert_eq!((status, &answer["token_type"]), (200, &json!("Bearer")), "{answer}");
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(bed.get(ZONES, token).0, 200);
    assert_eq!(bed.get("/compute/v1/projects/castle/zones", token).0, 403);
    assert_eq!(bed.get("/compute/v1/projects/nowhere/zones", token).0, 404);
}

#[test]
fn an_assertion_that_is_not_right_gets_nothing() {
    let bed = Bed::new();
    let now = bed.now();
    for (change, error) in [
        (json!({ "iss": "stranger@barn.iam.gserviceaccount.com" }), "invalid_grant"),
        (json!({ "aud": "https://elsewhere.example/token" }), "invalid_grant"),
        (json!({ "iat": now - 8000, "exp": now - 4400 }), "invalid_grant"),
        (json!({ "exp": now + 86_400 }), "invalid_grant"),
        (json!({ "iat": now + 3000, "exp": now + 6000 }), "invalid_grant"),
        (json!({ "scope": "" }), "invalid_scope"),
    ] {
        let (status, answer) = bed.exchange(&bed.assertion("barn", &change));
        assert_eq!((status, &answer["error"]), (400, &json!(error)), "{change}: {answer}");
    }
    let (_, answer) = bed.exchange(&bed.assertion("castle", &json!({})));
    assert_eq!(answer["error_description"], "Invalid JWT Signature.");
    assert_eq!(bed.exchange("no.jwt").0, 400);
    assert_eq!(bed.post("/token", &[("grant_type", "password")]).1["error"], "unsupported_grant_type");
}

#[test]
fn a_token_ends_and_cannot_be_made_up() {
    let bed = Bed::new();
    let (_, answer) = bed.exchange(&bed.assertion("barn", &json!({})));
    let token = answer["access_token"].as_str().unwrap().to_owned();
    assert_eq!(bed.get(ZONES, &format!("{token}x")).0, 401);
    let other = token.replacen("ya29.", "ya29.e", 1);
    let (status, answer) = bed.get(ZONES, &other);
    assert_eq!((status, &answer["error"]["status"]), (401, &json!("UNAUTHENTICATED")));
    let late = Identity { until: bed.now(), ..open(&bed.world, &token).unwrap() };
    assert_eq!(bed.get(ZONES, &token::seal(&bed.world, &late)).0, 401);
}

#[test]
fn scopes_are_held_to() {
    let bed = Bed::new();
    let scope = "https://www.googleapis.com/auth/compute.readonly";
    let (_, answer) = bed.exchange(&bed.assertion("barn", &json!({ "scope": scope })));
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(bed.get(ZONES, token).0, 200);
    let (status, answer) = bed.get("/v1/projects/barn/instances", token);
    assert_eq!((status, &answer["error"]["errors"][0]["reason"]), (403, &json!("insufficientPermissions")));
}

#[test]
fn a_self_signed_token_is_for_one_service_or_has_scopes() {
    let bed = Bed::new();
    let email = keys::email("barn");
    let signed = |claims: Value| {
        let mut all = json!({ "iss": email, "sub": email, "iat": bed.now(), "exp": bed.now() + 3600 });
        for (name, value) in claims.as_object().unwrap() {
            all[name] = value.clone();
        }
        bed.google.keys.of(&bed.world, bed.account("barn")).sign(&all)
    };
    assert_eq!(bed.get(ZONES, &signed(json!({ "aud": "https://compute.googleapis.com/" }))).0, 200);
    assert_eq!(bed.get(ZONES, &signed(json!({ "scope": scope::EVERYTHING }))).0, 200);
    for wrong in [
        json!({ "aud": "https://dns.googleapis.com/" }),
        json!({}),
        json!({ "aud": "https://compute.googleapis.com/", "sub": "other@barn.iam.gserviceaccount.com" }),
        json!({ "scope": scope::EVERYTHING, "iat": bed.now() - 4000, "exp": bed.now() - 1 }),
    ] {
        assert_eq!(bed.get(ZONES, &signed(wrong.clone())).0, 401, "{wrong}");
    }
    let stranger = json!({ "iss": email, "sub": email, "iat": bed.now(), "exp": bed.now() + 60, "scope": scope::EVERYTHING });
    assert_eq!(bed.get(ZONES, &bed.google.keys.of(&bed.world, bed.account("castle")).sign(&stranger)).0, 401);
}

#[test]
fn a_token_of_another_provider_is_exchanged_for_its_pool_only() {
    let bed = Bed::new();
    let given = bed.google.credentials(&bed.world, bed.account("barn"), ORIGIN);
    let identity = &given["workload_identity"];
    let text = |name: &str| identity[name].as_str().unwrap().to_owned();
    let (audience, subject) = (text("audience"), text("subject_token"));
    let form = |audience: &str, kind: &str| {
        bed.post(
            "/v1/token",
            &[
                ("grant_type", EXCHANGE),
                ("audience", audience),
                ("scope", scope::EVERYTHING),
                ("subject_token_type", kind),
                ("subject_token", &subject),
            ],
        )
    };
    let (status, answer) = form(&audience, JWT_TOKEN);
    assert_eq!((status, &answer["issued_token_type"]), (200, &json!(ACCESS_TOKEN)), "{answer}");
    assert_eq!(bed.get(ZONES, answer["access_token"].as_str().unwrap()).0, 200);
    let castle = pool(&crate::google::project::number_of(&bed.world, "castle"));
    assert_eq!(form(&castle, JWT_TOKEN).1["error"], "invalid_grant");
    assert_eq!(form("//iam.googleapis.com/nowhere", JWT_TOKEN).1["error"], "invalid_target");
    assert_eq!(form(&audience, ACCESS_TOKEN).1["error"], "invalid_request");
}

#[test]
fn no_one_is_told_to_log_in() {
    let bed = Bed::new();
    let request = Request {
        method: Method::GET,
        path: ZONES.to_owned(),
        query: String::new(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
        origin: ORIGIN.to_owned(),
    };
    let reply = bed.google.answer(&bed.world, &request);
    assert_eq!(reply.status, 401);
    assert!(reply.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer realm="));
}
