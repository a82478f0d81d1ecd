//! The filter language, dialect by dialect.

use serde_json::json;

use super::*;

fn passes(filter: &str) -> bool {
    let thing = json!({
        "name": "web-7", "status": "RUNNING", "sizeGb": "100", "deletionProtection": false,
        "labels": {"venue": "orangery"}, "tags": {"items": ["http", "https"]},
    });
    Filter::read(filter).unwrap().passes(&thing)
}

#[test]
fn the_dialects_of_the_lists_are_understood() {
    for filter in [
        "status = RUNNING",
        "status=\"RUNNING\" AND labels.venue:orangery",
        "(name eq web-.*)(status ne TERMINATED)",
        "labels.venue:*",
        "labels.\"venue\" = 'orangery'",
        "status = STOPPED OR name = web-7",
        "NOT name = web-8",
        "sizeGb > 20 sizeGb <= 100",
        "tags.items = https",
        "deletionProtection = false",
        "name = starts_with(\"web\") AND status = one_of(\"RUNNING\", \"STAGING\")",
    ] {
        assert!(passes(filter), "{filter}");
    }
    for filter in ["status = STOPPED", "labels.room:*", "name eq web", "sizeGb < 20", "tags.items != http"] {
        assert!(!passes(filter), "{filter}");
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    for filter in ["status", "= RUNNING", "(status = RUNNING", "status = ", "name = \"web", "status = a)"] {
        assert!(Filter::read(filter).is_err(), "{filter}");
    }
}

#[test]
fn terms_that_must_all_hold_can_be_asked_for() {
    let filter = Filter::read("metric.type = \"a/b\" AND resource.labels.zone = \"z\"").unwrap();
    assert_eq!(filter.terms().unwrap().len(), 2);
    assert_eq!(Filter::read("a = 1 OR b = 2").unwrap().terms(), None);
}

#[test]
fn a_pattern_is_an_expression_that_the_whole_must_match_and_takes_no_time() {
    for filter in
        ["name eq \"web-[0-9]+\"", "name eq \"(web|db)-7\"", "name ne \"eb-.\"", "name eq \"^web-7$|^x$\""]
    {
        assert!(passes(filter), "{filter}");
    }
    assert!(passes("name = monitoring.regex.full_match(\"web.*\")"));
    assert!(!passes("name != monitoring.regex.full_match(\"web.*\")"));
    let thing = json!({ "selfLink": "x".repeat(200) });
    let filter = Filter::read(&format!("selfLink eq \"{}Z\"", ".*".repeat(40))).unwrap();
    assert!(!filter.passes(&thing));
    for wrong in ["name eq \"web-[\"", "name eq \"((a{1000}){1000}){1000}\""] {
        assert!(Filter::read(wrong).unwrap_err().contains("expression"), "{wrong}");
    }
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    let nested = |open: &str, close: &str, times: usize| {
        Filter::read(&format!("{}a = b{}", open.repeat(times), close.repeat(times)))
    };
    for (open, close) in [("(", ")"), ("NOT ", ""), ("NOT (", ")")] {
        assert!(nested(open, close, 100_000).unwrap_err().contains("nested"), "{open}");
        assert!(nested(open, close, 16).is_ok(), "{open}");
    }
}
