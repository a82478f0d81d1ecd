//! Routing and checking, on a small schema.

use http::Method;
use serde_json::{Value, json};

use super::*;

fn api() -> Api {
    Api::parse(
        &json!({
            "source": "made up",
            "operations": {
                "things.get": { "method": "GET", "path": "/v1/{project}/things/{thing}" },
                "things.insert": { "method": "POST", "path": "/v1/{project}/things", "body": { "$ref": "Thing" } },
                "things.special": { "method": "GET", "path": "/v1/{project}/things/special" },
                "things.search": { "method": "GET", "path": "/v1/things:search" },
                "things.wait": { "method": "POST", "path": "/v1/things/{thing}:wait" },
                "objects.get": { "method": "GET", "path": "/v1/b/{bucket}/o/{object+}" },
            },
            "shapes": {
                "Thing": {
                    "type": "object",
                    "properties": {
                        "name": { "type": "string" },
                        "id": { "type": "string", "format": "uint64", "readOnly": true },
                        "size": { "type": "string", "format": "int64" },
                        "days": { "type": "integer", "format": "int32" },
                        "kind": { "type": "string", "enum": ["Small", "Large"] },
                        "parts": { "type": "array", "items": { "$ref": "Thing" } },
                        "labels": { "type": "object", "additional": { "type": "string" } },
                    },
                    "required": ["name"],
                },
            },
        })
        .to_string(),
    )
    .unwrap()
}

fn wrongs(value: &Value, direction: Direction) -> Vec<String> {
    let api = api();
    let found = api.check(&api.shapes["Thing"], value, direction);
    found.iter().map(|wrong| format!("{} {:?}", wrong.at, wrong.what)).collect()
}

#[test]
fn the_most_fixed_path_is_meant() {
    let api = api();
    let name = |method: Method, path: &str| api.find(&method, path, Letters::Exact).map(|found| found.name);
    assert_eq!(name(Method::GET, "/v1/p/things/special"), Ok("things.special"));
    assert_eq!(name(Method::GET, "/v1/p/things/other"), Ok("things.get"));
    assert_eq!(name(Method::GET, "/v1/things:search"), Ok("things.search"));
    assert_eq!(name(Method::POST, "/v1/things/a:wait"), Ok("things.wait"));
    assert_eq!(name(Method::DELETE, "/v1/p/things/other"), Err(NotFound::Method));
    assert_eq!(name(Method::GET, "/v2/p/things/other"), Err(NotFound::Path));
    assert_eq!(name(Method::GET, "/v1/p/Things/other"), Err(NotFound::Path));
    assert!(api.find(&Method::GET, "/V1/p/Things/x", Letters::Any).is_ok());
}

#[test]
fn variable_parts_are_decoded_and_may_hold_slashes() {
    let api = api();
    let found = api.find(&Method::GET, "/v1/b/photos/o/2026/a%20b.jpg", Letters::Exact).unwrap();
    assert_eq!(found.path["object"], "2026/a b.jpg");
    assert!(matches!(api.find(&Method::GET, "/v1/b/x/o/%ff", Letters::Exact), Err(NotFound::Encoding)));
}

#[test]
fn what_no_schema_knows_is_wrong_with_its_place() {
    let value = json!({ "name": "a", "parts": [{ "name": "b" }, { "nam": "c" }], "labels": { "x": 1 } });
    assert_eq!(
        wrongs(&value, Direction::Request),
        ["parts[1].name Missing", "parts[1].nam Unknown", "labels.x Type(\"string\")"]
    );
}

#[test]
fn requests_may_repeat_what_only_the_vendor_tells() {
    let value =
        json!({ "name": "a", "id": { "no": "number" }, "size": "12", "kind": "small", "labels": null });
    assert_eq!(wrongs(&value, Direction::Request), Vec::<String>::new());
    assert_eq!(wrongs(&value, Direction::Answer), ["id Type(\"string\")"]);
    assert_eq!(wrongs(&json!({ "name": "a", "kind": "huge" }), Direction::Request), ["kind Word(\"huge\")"]);
    assert_eq!(wrongs(&json!({ "name": "a", "size": "many" }), Direction::Request), Vec::<String>::new());
}

#[test]
fn a_number_has_the_bits_of_its_format() {
    let about =
        |member: &str, value: Value| wrongs(&json!({ "name": "a", member: value }), Direction::Request);
    for fine in [json!(i32::MAX), json!(i32::MIN)] {
        assert_eq!(about("days", fine), Vec::<String>::new());
    }
    for wrong in [json!(2_147_483_648_u64), json!(i64::MIN), json!(u64::MAX), json!(1.5)] {
        assert_eq!(about("days", wrong.clone()), ["days Type(\"integer\")"], "{wrong}");
    }
    assert_eq!(about("size", json!("9223372036854775807")), Vec::<String>::new());
    for wrong in [json!("9223372036854775808"), json!(u64::MAX)] {
        assert_eq!(about("size", wrong.clone()), ["size Type(\"string\")"], "{wrong}");
    }
}

#[test]
fn a_reference_that_leads_nowhere_is_no_schema() {
    let text = r#"{"source":"","operations":{},"shapes":{"A":{"type":"array","items":{"$ref":"B"}}}}"#;
    assert!(matches!(Api::parse(text), Err(SchemaError::Dangling(name)) if name == "B"));
}
