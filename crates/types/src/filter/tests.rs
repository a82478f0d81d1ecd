//! The filter language: what is understood, what is refused and how, and that nothing makes it panic.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use proptest::prelude::*;

use super::{
    checked::{Comparison, Condition, Filter, Test, Value as Typed},
    parser::parse_any_length,
    *,
};
use crate::{ResourceKind, ResourceState};

static FIELDS: &[FieldSpec] = &[
    FieldSpec::text("name"),
    FieldSpec::word("kind", ResourceKind::WORDS),
    FieldSpec::word("state", ResourceState::WORDS),
    FieldSpec::id("provider", "prv"),
    FieldSpec::integer("size_bytes"),
    FieldSpec::time("created_at"),
    FieldSpec::boolean("public"),
    FieldSpec::tags("tags"),
    FieldSpec::text("region").only(&[Form::Equal, Form::NotEqual]),
];
const SCHEMA: Schema = Schema::new(FIELDS);

/// The canonical text of a filter.
fn canonical(text: &str) -> String {
    SCHEMA.parse(text).unwrap().to_string()
}

/// Why a filter is refused.
fn refusal(text: &str) -> String {
    SCHEMA.parse(text).unwrap_err().to_string()
}

#[track_caller]
fn assert_all<T: std::fmt::Debug + PartialEq + Into<String>>(f: fn(&str) -> String, cases: &[(&str, T)])
where
    String: PartialEq<T>,
{
    for (text, expected) in cases {
        assert_eq!(&f(text), expected, "for {text:?}");
    }
}

#[test]
fn every_form_has_one_canonical_text() {
    let cases = [
        ("", ""),
        ("  \t\n ", ""),
        ("name=web", r#"name="web""#),
        ("  name  =  'web'  ", r#"name="web""#),
        (r#"name="say \"hi\"\n""#, r#"name="say \"hi\"\n""#),
        ("name:web", r#"name:"web""#),
        ("name:web*", r#"name:"web"*"#),
        (r#"name:"web 1"*"#, r#"name:"web 1"*"#),
        (r#"name:"*""#, r#"name:"*""#),
        ("name:*", "name:*"),
        ("name=arn:aws:ec2:us-east-1:1:instance/i-1", r#"name="arn:aws:ec2:us-east-1:1:instance/i-1""#),
        ("kind:disk", "kind=disk"),
        ("size_bytes>=-10", "size_bytes>=-10"),
        ("public = true", "public=true"),
        ("created_at > 2026-06-20T18:00:00+02:00", "created_at>2026-06-20T16:00:00.000000Z"),
        ("created_at > '2026-06-20t16:00:00.1234567z'", "created_at>2026-06-20T16:00:00.123456Z"),
        ("provider=prv_0192f0c1a5b87c6f9d3e2b1a09f8e7d6", "provider=prv_0192f0c1a5b87c6f9d3e2b1a09f8e7d6"),
        ("tags.venue=x", r#"tags.venue="x""#),
        (r#"tags."cost center" != x"#, r#"tags."cost center"!="x""#),
        ("tags.'a.b':*", r#"tags."a.b":*"#),
        ("tags:venue", "tags.venue:*"),
        ("tags:*", "tags:*"),
        ("state = (running OR stopped)", "state=running OR state=stopped"),
        ("NOT state:(running)", "NOT state=running"),
        ("-name:web", r#"NOT name:"web""#),
    ];
    assert_all(canonical, &cases);
}

#[test]
fn or_binds_tighter_than_and_and_side_by_side_is_and() {
    let cases = [
        ("public=true AND state=running OR kind=disk", "public=true AND state=running OR kind=disk"),
        ("public=true AND (state=running OR kind=disk)", "public=true AND state=running OR kind=disk"),
        ("(public=true AND state=running) OR kind=disk", "(public=true AND state=running) OR kind=disk"),
        ("public=true state=running OR kind=disk", "public=true AND state=running OR kind=disk"),
        ("public=true AND (state=running AND (kind=disk))", "public=true AND state=running AND kind=disk"),
        ("NOT public=true OR kind=disk", "NOT public=true OR kind=disk"),
        ("NOT (public=true OR kind=disk)", "NOT (public=true OR kind=disk)"),
        ("NOT (NOT public=true)", "NOT (NOT public=true)"),
        ("(public=true)(kind=disk)", "public=true AND kind=disk"),
    ];
    assert_all(canonical, &cases);
}

#[test]
fn a_leaf_says_field_key_condition_and_typed_value() {
    let leaf = |text: &str| match SCHEMA.parse(text).unwrap() {
        Tree::Leaf(test) => test,
        other => panic!("{text} is not one leaf: {other:?}"),
    };
    assert_eq!(
        leaf("size_bytes<=7"),
        Test {
            field: 4,
            name: "size_bytes",
            key: None,
            condition: Condition::Compare(Comparison::LessOrEqual, Typed::Integer(7)),
        }
    );
    assert_eq!(
        leaf(r#"tags."cost center"!=9"#),
        Test {
            field: 7,
            name: "tags",
            key: Some("cost center".to_owned()),
            condition: Condition::Compare(Comparison::NotEqual, Typed::Text("9".to_owned())),
        }
    );
    let noon: DateTime<Utc> = "2026-06-20T12:00:00Z".parse().unwrap();
    assert_eq!(
        leaf("created_at:2026-06-20T12:00:00Z").condition,
        Condition::Compare(Comparison::Equal, Typed::Time(noon))
    );
}

#[test]
fn a_refusal_says_what_where_and_what_instead() {
    let cases = [
        (
            "nam=web",
            "unknown field `nam` (did you mean `name`?); known fields: name, kind, state, provider, \
          size_bytes, created_at, public, tags, region (at byte 1)",
        ),
        (
            "public=true sate=running",
            "unknown field `sate` (did you mean `state`?); known fields: name, kind, \
          state, provider, size_bytes, created_at, public, tags, region (at byte 13)",
        ),
        (
            "name",
            "expected one of the operators = != < <= > >= : behind the field, found the end of the filter \
          (at byte 5)",
        ),
        ("name=", "expected a value, found the end of the filter (at byte 6)"),
        ("name= AND public=true", "expected a value, found `AND` (at byte 7)"),
        (
            "public=true AND",
            "expected a comparison such as `name=\"web\"`, or `(`, found the end of the filter \
          (at byte 16)",
        ),
        ("public=true and name=x", "expected AND, OR or NOT in capitals, found `and` (at byte 13)"),
        ("(public=true", "expected AND, OR or `)`, found the end of the filter (at byte 13)"),
        ("public=true)", "expected AND or OR, found `)` (at byte 12)"),
        ("name=\"web", "the text that begins here has no closing \" (at byte 6)"),
        (r#"name="a\q""#, r#"`\q` is not an escape; known are \" \' \\ \n \r \t (at byte 8)"#),
        (
            "name=a*b",
            "expected `*` only at the end of a value; quotes take it as it is, found `a*b` (at byte 6)",
        ),
        (
            "name=web*",
            "`name` takes a whole value (a `*` behind `:` only; in quotes it stands for itself), not \
          `\"web\"*` (at byte 6)",
        ),
        (
            "name=a=b",
            "expected a blank behind the value (a value with such signs needs quotes), found `=` \
          (at byte 7)",
        ),
        (
            "name>b",
            "`name` cannot be compared by `>`; it takes `=`, `!=`, `:text` (contains), `:text*` (begins \
          with), `:*` (has a value) (at byte 1)",
        ),
        ("region:us*", "`region` cannot be compared by `:text*`; it takes `=`, `!=` (at byte 1)"),
        (
            "state=runing",
            "`state` takes one of: pending, running, stopping, stopped, updating, available, in_use, \
          deleting, deleted, failed, unknown, not `runing` (did you mean `running`?) (at byte 7)",
        ),
        ("size_bytes=many", "`size_bytes` takes a whole number, not `many` (at byte 12)"),
        (
            "size_bytes=9223372036854775808",
            "`size_bytes` takes a whole number, not `9223372036854775808` \
          (at byte 12)",
        ),
        ("public=yes", "`public` takes true or false, not `yes` (at byte 8)"),
        ("name.first=x", "`name` has no parts; leave out the dot (at byte 1)"),
        ("tags=x", "`tags` needs a key: `tags.key=…` (at byte 1)"),
        (
            "tags.k8s.io=x",
            "`tags` has keys of one part; quote one that holds dots: `tags.\"k8s.io\"` (at byte 1)",
        ),
        (
            "state!=(running OR stopped)",
            "expected one value; a list of values takes `=` or `:`, found `(` \
          (at byte 8)",
        ),
        ("state=()", "expected a value, found `)` (at byte 8)"),
        ("name=a\0b", "a filter cannot hold the character U+0000 (at byte 7)"),
    ];
    assert_all(refusal, &cases);
    assert!(refusal("created_at>2026-06-20").contains("RFC 3339 time with a zone"));
    assert!(refusal("provider=prv_1").contains("`prv_` and 32 hexadecimal digits"));
}

#[test]
fn a_field_takes_the_forms_it_was_made_with() {
    let takes = |spec: FieldSpec| spec.forms.iter().map(|form| form.as_str()).collect::<Vec<_>>().join(" ");
    let texts = "`=` `!=` `:text` (contains) `:text*` (begins with) `:*` (has a value)";
    assert_eq!(takes(FieldSpec::text("a")), texts);
    assert_eq!(takes(FieldSpec::tags("a")), texts);
    let closed = "`=` `!=` `:*` (has a value)";
    assert_eq!(takes(FieldSpec::word("a", ResourceKind::WORDS)), closed);
    assert_eq!(takes(FieldSpec::id("a", "prv")), closed);
    assert_eq!(takes(FieldSpec::boolean("a")), closed);
    let ordered = "`=` `!=` `<` `<=` `>` `>=` `:*` (has a value)";
    assert_eq!(takes(FieldSpec::integer("a")), ordered);
    assert_eq!(takes(FieldSpec::time("a")), ordered);
    assert_eq!(takes(FieldSpec::text("a").only(&[Form::Equal])), "`=`");
    assert_eq!(FieldKind::Text.describe(), "text");
}

#[test]
fn trees_are_put_together_flat() {
    let leaf = |number: u32| Tree::Leaf(number);
    let never: Tree<u32> = Tree::any([]);
    let always: Tree<u32> = Tree::all([]);
    assert!(always.is_empty() && !never.is_empty());
    assert!(always.holds(&mut |_| false) && !never.holds(&mut |_| true));

    let both = Tree::all([always, leaf(1), Tree::all([leaf(2), Tree::any([leaf(3)])])]);
    assert_eq!(both, Tree::And(vec![leaf(1), leaf(2), leaf(3)]));
    let mixed = Tree::any([both.clone(), Tree::Not(Box::new(leaf(4))), Tree::any([leaf(5), leaf(6)])]);
    assert_eq!(mixed, Tree::Or(vec![both, Tree::Not(Box::new(leaf(4))), leaf(5), leaf(6)]));
    assert!(mixed.leaves().into_iter().eq(&[1, 2, 3, 4, 5, 6]));
    assert!(mixed.holds(&mut |number| *number == 6) && !mixed.holds(&mut |number| *number == 4));
}

#[test]
fn length_terms_and_depth_are_bounded_exactly() {
    let quoted = |length: usize| format!("name=\"{}\"", "x".repeat(length - 7));
    assert!(SCHEMA.parse(&quoted(MAX_BYTES)).is_ok());
    assert_eq!(
        SCHEMA.parse(&quoted(MAX_BYTES + 1)).unwrap_err().reason,
        Reason::TooLong { length: MAX_BYTES + 1 }
    );

    let terms = |count: usize| vec!["public=true"; count].join(" ");
    assert!(SCHEMA.parse(&terms(MAX_TERMS)).is_ok());
    assert_eq!(SCHEMA.parse(&terms(MAX_TERMS + 1)).unwrap_err().reason, Reason::TooManyTerms);
    let list = format!("public=({})", vec!["true"; MAX_TERMS + 1].join(" OR "));
    assert_eq!(SCHEMA.parse(&list).unwrap_err().reason, Reason::TooManyTerms);

    for (open, close) in [("(", ")"), ("NOT (", ")")] {
        let levels = open.matches(['(', 'N']).count();
        let deep = |count: usize| format!("{}public=true{}", open.repeat(count), close.repeat(count));
        assert!(SCHEMA.parse(&deep(MAX_DEPTH / levels)).is_ok());
        assert_eq!(SCHEMA.parse(&deep(MAX_DEPTH / levels + 1)).unwrap_err().reason, Reason::TooDeep);
    }
}

/// Text with a good chance of being nearly a filter.
fn nearly_a_filter() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        prop::sample::select(vec![
            "name",
            "tags",
            "tags.venue",
            "state",
            "size_bytes",
            "created_at",
            "=",
            "!=",
            "<",
            "<=",
            ">",
            ">=",
            ":",
            "*",
            "(",
            ")",
            "\"",
            "'",
            "\\",
            ".",
            "-",
            "AND",
            "OR",
            "NOT",
            " ",
            " ",
            "running",
            "10",
            "true",
            "2026-06-20T12:00:00Z",
            "\"two words\"",
            "é",
            "\u{2003}",
            "name=web",
            "state=(running OR stopped)",
        ])
        .prop_map(str::to_owned),
        ".{0,4}",
    ];
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

/// A tree such as `parse` could have made, of leaves told apart by their number.
fn tree() -> impl Strategy<Value = Tree<u32>> {
    (0..6u32).prop_map(Tree::Leaf).prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Tree::all),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Tree::any),
            inner.prop_map(|part| Tree::Not(Box::new(part))),
        ]
    })
}

/// The tree over the leaves `size_bytes=N`.
fn numbered(tree: &Tree<u32>) -> Filter {
    let leaf = |number: &u32| match SCHEMA.parse(&format!("size_bytes={number}"))? {
        Tree::Leaf(test) => Ok(test),
        other => panic!("not a leaf: {other}"),
    };
    tree.try_map::<_, FilterError>(&mut { leaf }).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_panics_and_places_are_within_the_text(text in prop_oneof![nearly_a_filter(), ".{0,200}"]) {
        if let Err(error) = SCHEMA.parse(&text) {
            prop_assert!(error.span.start <= error.span.end && error.span.end <= text.len(), "{error:?}");
            prop_assert!(text.is_char_boundary(error.span.start) && text.is_char_boundary(error.span.end));
        }
    }

    #[test]
    fn what_is_printed_parses_to_the_same(text in nearly_a_filter()) {
        if let Ok(written) = parse(&text) {
            let printed = written.to_string();
            let again = parse_any_length(&printed).map_err(|e| TestCaseError::fail(format!("{printed}: {e}")))?;
            prop_assert_eq!(again.to_string(), printed);
        }
        if let Ok(filter) = SCHEMA.parse(&text) {
            let again = SCHEMA.check(&parse_any_length(&filter.to_string()).unwrap());
            prop_assert_eq!(again.unwrap(), filter);
        }
    }

    #[test]
    fn any_tree_prints_to_a_text_that_parses_to_it(tree in tree()) {
        let filter = numbered(&tree);
        let again = SCHEMA.check(&parse_any_length(&filter.to_string()).unwrap()).unwrap();
        prop_assert_eq!(again, filter);
    }

    #[test]
    fn any_text_survives_quoting(value in "[^\0]{0,60}", key in "[^\0]{1,20}") {
        let test = |condition| Test { field: 7, name: "tags", key: Some(key.clone()), condition };
        for condition in [
            Condition::Compare(Comparison::Equal, Typed::Text(value.clone())),
            Condition::Contains(value.clone()),
            Condition::StartsWith(value.clone()),
            Condition::Present,
        ] {
            let filter = Tree::Leaf(test(condition));
            prop_assert_eq!(SCHEMA.parse(&filter.to_string()).unwrap(), filter);
        }
    }

    /// Against a truth table worked out without the parser: words joined by AND and OR, no parentheses.
    #[test]
    fn precedence_is_a_conjunction_of_disjunctions(truth in prop::collection::vec((any::<bool>(), any::<bool>()), 1..12)) {
        let mut text = String::new();
        let mut groups: Vec<bool> = Vec::new();
        for (i, (or, holds)) in truth.iter().enumerate() {
            match groups.last_mut() {
                Some(group) if *or => {
                    *group |= *holds;
                    text.push_str(" OR ");
                }
                last => {
                    text.push_str(if last.is_some() { " AND " } else { "" });
                    groups.push(*holds);
                }
            }
            write!(text, "size_bytes={i}").unwrap();
        }
        let filter = SCHEMA.parse(&text).unwrap();
        let holds = filter.holds(&mut |test| match &test.condition {
            Condition::Compare(_, Typed::Integer(i)) => truth[usize::try_from(*i).unwrap()].1,
            other => panic!("{other:?}"),
        });
        prop_assert_eq!(holds, groups.iter().all(|group| *group));
    }
}
