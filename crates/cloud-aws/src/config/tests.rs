//! What is accepted, what is refused, and that the refusal names the place and no secret.

use proptest::prelude::*;

use marquee_clouds::fields::is_loopback;

use super::*;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn connection(credentials: &Value, settings: Value) -> Connection {
    let credentials = SecretString::from(credentials.to_string());
    Connection { credentials, settings, external_id: "mq-external".into() }
}

fn open() -> ServerRules {
    ServerRules {
        allowed_endpoints: vec!["https://aws.example:8443".into()],
        allow_loopback_endpoints: true,
        allow_ambient_credentials: true,
    }
}

/// The pointers of the refusal; empty if accepted.
fn refused(credentials: &Value, settings: Value, rules: &ServerRules) -> Vec<String> {
    match Config::read(&connection(credentials, settings), rules) {
        Ok(_) => Vec::new(),
        Err(error) => {
            assert!(!error.to_string().contains(SECRET) && !format!("{error:?}").contains(SECRET));
            error.0.into_iter().map(|field| field.pointer).collect()
        }
    }
}

fn keys() -> Value {
    json!({ "type": "static", "access_key_id": KEY, "secret_access_key": SECRET })
}

#[test]
fn every_kind_of_credentials_is_accepted_where_allowed() {
    let closed = ServerRules::default();
    let role = json!({ "type": "assume_role", "role_arn": "arn:aws:iam::123456789012:role/path/marquee" });
    let mut sourced = role.clone();
    sourced["source"] = keys();
    for (credentials, anywhere) in [
        (keys(), true),
        (sourced, true),
        (role, false),
        (json!({ "type": "profile", "name": "prod" }), false),
        (json!({ "type": "ambient" }), false),
    ] {
        assert!(refused(&credentials, json!({}), &open()).is_empty(), "{credentials}");
        assert_eq!(refused(&credentials, json!({}), &closed).is_empty(), anywhere, "{credentials}");
    }
}

#[test]
fn each_wrong_place_is_named() {
    let mut extra = keys();
    extra["regoin"] = json!("x");
    let role = json!({ "type": "assume_role", "role_arn": "arn:aws:iam::1:role/x", "session_name": "!",
        "source": { "type": "static", "access_key_id": KEY } });
    for (credentials, settings, pointers) in [
        (json!("x"), json!({}), vec!["/credentials"]),
        (json!({}), json!({}), vec!["/credentials/type"]),
        (json!({ "type": "magic", "x": 1 }), json!({}), vec!["/credentials/type"]),
        (
            json!({ "type": "static" }),
            json!({}),
            vec!["/credentials/access_key_id", "/credentials/secret_access_key"],
        ),
        (extra, json!({}), vec!["/credentials/regoin"]),
        (role, json!({}), vec!["/credentials/session_name", "/credentials/source/secret_access_key"]),
        (keys(), json!([]), vec!["/settings"]),
        (keys(), json!({ "regions": "eu-west-1" }), vec!["/settings/regions"]),
        (
            keys(),
            json!({ "regions": ["eu-west-1", "mars", 7, "eu-west-1", "cn-north-1"] }),
            vec!["/settings/regions/1", "/settings/regions/2", "/settings/regions/3", "/settings/regions/4"],
        ),
        (keys(), json!({ "endpoint": "x", "a/b": 1 }), vec!["/settings/endpoint", "/settings/a~1b"]),
    ] {
        assert_eq!(refused(&credentials, settings.clone(), &open()), pointers, "{credentials} {settings}");
    }
}

#[test]
fn endpoints_are_refused_unless_the_server_allows_them() {
    let loopback = ServerRules { allow_loopback_endpoints: true, ..ServerRules::default() };
    let ok =
        |url: &str, rules: &ServerRules| refused(&keys(), json!({ "endpoint_url": url }), rules).is_empty();
    for url in ["http://127.0.0.1:5000", "http://127.9.9.9", "http://[::1]:80", "http://localhost:5000"] {
        assert!(ok(url, &loopback), "{url}");
        assert!(!ok(url, &ServerRules::default()), "{url}");
    }
    assert!(ok("https://aws.example:8443/", &open()));
    for url in [
        "http://aws.example:8443",
        "https://aws.example",
        "https://aws.example.evil:8443",
        "https://x@aws.example:8443",
        "https://aws.example:8443/path",
        "https://aws.example:8443/?q",
        "http://169.254.169.254",
        "http://localhost.evil.example",
        "http://0.0.0.0",
        "http://[::ffff:169.254.169.254]",
        "file:///etc/passwd",
        "nonsense",
        "http://127.0.0.1@evil.example",
    ] {
        assert!(!ok(url, &open()), "{url}");
    }
}

#[test]
fn the_binding_holds_no_secret_and_changes_with_what_it_binds() {
    let read = |settings: Value| Config::read(&connection(&keys(), settings), &open()).unwrap();
    let plain = read(json!({}));
    assert!(!plain.binding().to_string().contains(SECRET));
    assert!(!plain.credentials.describe().to_string().contains(SECRET));
    assert_eq!(plain.credentials.describe()["access_key_id"], "AKIA…MPLE");
    assert_eq!(plain.binding(), read(json!({ "regions": ["eu-west-1"] })).binding());
    assert_ne!(plain.binding(), read(json!({ "regions": ["cn-north-1"] })).binding());
    assert_ne!(plain.binding(), read(json!({ "endpoint_url": "http://127.0.0.1:1" })).binding());
    assert!(!format!("{plain:?}").contains(SECRET));
}

proptest! {
    #[test]
    fn only_allowed_hosts_pass(host in "[a-z0-9.:@/\\[\\]-]{1,40}") {
        let rules = ServerRules { allow_loopback_endpoints: true, ..ServerRules::default() };
        let config = Config::read(&connection(&keys(), json!({ "endpoint_url": format!("http://{host}") })), &rules);
        if let Ok(config) = config {
            prop_assert!(is_loopback(&config.settings.endpoint.unwrap()));
        }
    }
}
