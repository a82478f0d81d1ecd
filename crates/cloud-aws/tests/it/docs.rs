//! The tables in the documentation are those of the code. With `UPDATE_DOCS=1` they are written instead.

use std::{collections::BTreeMap, fmt::Write as _, fs};

use marquee_cloud_aws::{
    inventory::{GLOBAL, SCOPES, Source, ec2, mapping, rds, states},
    permissions::NEEDS,
};
use serde_json::{Value, json};

use crate::{bed, gaps::MOTO};

/// One test, since writing is done to one file.
#[test]
fn tables_in_the_docs_are_those_of_the_code() {
    scopes();
    attributes();
    native_states();
    gaps();
    permissions();
}

/// Compares what stands between `<!-- name -->` and `<!-- end -->` with what ought to.
fn check(file: &str, name: &str, wanted: &str) {
    let path = bed::project().join("docs").join(file);
    let text = fs::read_to_string(&path).unwrap();
    let start = format!("<!-- {name} -->\n");
    let from = text.find(&start).unwrap_or_else(|| panic!("{file} has no {start}")) + start.len();
    let to = from + text[from..].find("<!-- end -->").expect("an end");
    if text[from..to] == *wanted {
        return;
    }
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    assert!(update, "docs/{file}: the table {name} is stale; run these tests with UPDATE_DOCS=1\n{wanted}");
    fs::write(&path, format!("{}{wanted}{}", &text[..from], &text[to..])).unwrap();
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn scopes() {
    let rows = SCOPES.iter().map(|scope| {
        let kinds = scope.kinds.iter().map(|kind| code(kind.as_str())).collect::<Vec<_>>().join(", ");
        let (region, calls) = match &scope.source {
            Source::Regional(listings) => {
                let calls = listings.iter().map(|l| code(&format!("{}:{}", l.api.name, l.shape.action)));
                ("each".to_owned(), calls.collect::<Vec<_>>().join(", "))
            }
            Source::Buckets => (code(GLOBAL), "`s3:ListBuckets` and three reads a bucket".to_owned()),
            Source::Zones => (code(GLOBAL), "`route53:ListHostedZones`".to_owned()),
        };
        vec![code(scope.service), kinds, region, calls]
    });
    check("clouds.md", "aws scopes", &table(&["scope", "kinds", "region", "lists by"], rows));
}

fn attributes() {
    let meanings: BTreeMap<_, _> = mapping::MEANINGS.iter().copied().collect();
    let rows = mapping::MEANINGS.iter().map(|(name, meaning)| vec![code(name), (*meaning).to_owned()]);
    check("clouds.md", "attributes", &table(&["attribute", "what it says"], rows));
    let rows = mapping::ATTRIBUTES.iter().flat_map(|(kind, attributes)| {
        assert!(attributes.iter().all(|(name, _)| meanings.contains_key(name)));
        attributes.iter().map(|(name, member)| vec![code(kind.as_str()), code(name), (*member).to_owned()])
    });
    check("clouds.md", "aws attributes", &table(&["kind", "attribute", "AWS's member"], rows));
    let rows = mapping::RELATIONS.iter().map(|(from, relation, to, member)| {
        vec![code(from.as_str()), code(relation), code(to.as_str()), (*member).to_owned()]
    });
    check("clouds.md", "aws relations", &table(&["from", "relation", "to", "AWS's member"], rows));
    let volatile: Vec<_> = ec2::VOLATILE.iter().chain(rds::VOLATILE).map(|name| code(name)).collect();
    check("clouds.md", "aws volatile", &format!("{}.\n", volatile.join(", ")));
}

fn native_states() {
    let rows = states::STATES.iter().flat_map(|(kind, words)| {
        let mut by_state: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (word, state) in *words {
            by_state.entry(state.as_str()).or_default().push(code(word));
        }
        by_state
            .into_iter()
            .map(|(state, words)| vec![code(kind.as_str()), code(state), words.join(", ")])
            .collect::<Vec<_>>()
    });
    check("clouds.md", "aws states", &table(&["kind", "state", "AWS's words"], rows));
}

fn gaps() {
    let rows = MOTO
        .iter()
        .map(|gap| vec![code(gap.scope), gap.what.split_whitespace().collect::<Vec<_>>().join(" ")]);
    check("clouds.md", "moto gaps", &table(&["where", "what moto 5.2 does"], rows));
}

fn permissions() {
    let rows = NEEDS.iter().map(|need| vec![code(need.need.permission), need.need.feature.to_owned()]);
    check("guides/connect-aws.md", "permissions", &table(&["permission", "for"], rows));
    let actions: Vec<Value> = NEEDS.iter().map(|need| json!(need.need.permission)).collect();
    let policy = json!({ "Version": "2012-10-17",
        "Statement": [{ "Sid": "MarqueeReads", "Effect": "Allow", "Action": actions, "Resource": "*" }] });
    let policy = format!("```json\n{}\n```\n", serde_json::to_string_pretty(&policy).unwrap());
    check("guides/connect-aws.md", "policy", &policy);
}
