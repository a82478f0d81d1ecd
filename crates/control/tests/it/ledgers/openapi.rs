//! `openapi.json` is what the code says, and says it well.

use std::{collections::BTreeSet, path::PathBuf};

use marquee_control::routes;

fn committed() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json")
}

#[test]
fn the_committed_document_is_the_codes_own() {
    rustls_provider();
    let mut expected = serde_json::to_string_pretty(&routes::openapi().unwrap()).unwrap();
    expected.push('\n');
    if std::env::var_os("MARQUEE_TEST_UPDATE").is_some() {
        std::fs::write(committed(), &expected).unwrap();
    }
    let actual = std::fs::read_to_string(committed()).unwrap_or_default();
    assert!(actual == expected, "openapi.json is stale: run `make openapi` and commit what it writes");
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_is_named_once() {
    rustls_provider();
    let document = routes::openapi().unwrap();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name} is referred to but not there");
    }
    let mut ids = BTreeSet::new();
    for row in routes::all() {
        assert!(ids.insert(row.id), "{} is there twice", row.id);
        assert!(row.id.split('.').count() == 2, "{} is not noun.verb", row.id);
        assert!(!row.summary.is_empty(), "{} has no summary", row.id);
    }
}

fn rustls_provider() {
    // Another test of this process may have been first.
    let _installed = rustls::crypto::ring::default_provider().install_default();
}
