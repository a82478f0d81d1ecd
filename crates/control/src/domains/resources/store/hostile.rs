//! Whatever texts a cloud sends, a page of it can be written, read again, and is unchanged the next time.

use marquee_clouds::{Observed, RawJson};
use marquee_db::{OrgContext, testing::TestDb};
use marquee_types::{Clock, OrganizationId, ProviderId, RequestId, ResourceKind, ResourceState};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    strategy::ValueTree as _,
    test_runner::TestRunner,
};
use serde_json::{Value, json};

use super::{
    super::model::Prepared,
    read::{self, Order, Query},
    write,
};

/// Short and long ones, with NUL, with what breaks out of lines, arrays and literals, and from outside the first plane.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "\0", "'", "\"", "\\", "{", "}", ",", "\n", "\u{202e}", "𝄞", "\\u0000", "é",
    ]);
    let piece = prop_oneof![odd.prop_map(str::to_owned), "[a-z]{1,8}", any::<String>()];
    (vec(piece, 0..6), prop_oneof![9 => Just(1_usize), 1 => Just(800)])
        .prop_map(|(pieces, times)| pieces.concat().repeat(times))
}

fn observed() -> impl Strategy<Value = Observed> {
    // A key may come twice, as it should not.
    let tags = vec((prop_oneof![text(), Just("twice".to_owned())], text()), 0..5).prop_map(|mut tags| {
        tags.sort();
        tags
    });
    let attributes = btree_map(
        text(),
        prop_oneof![text().prop_map(Value::from), any::<i64>().prop_map(Value::from)],
        0..4,
    );
    (
        text(),
        text(),
        text(),
        option::of(text()),
        option::of(text()),
        option::of(text()),
        tags,
        attributes,
        text(),
    )
        .prop_map(|(native_id, name, region, zone, native_state, size, tags, attributes, raw)| {
            Observed {
                kind: ResourceKind::Disk,
                native_id,
                name,
                region,
                zone,
                state: ResourceState::Available,
                native_state,
                size,
                tags,
                created_at: None,
                attributes: attributes.into_iter().collect(),
                raw: RawJson::from(&json!({ "said": raw })),
                relations: Vec::new(),
            }
        })
}

#[tokio::test]
async fn hostile_texts_are_written_read_and_unchanged() {
    let test = TestDb::new(Clock::system()).await;
    let context = OrgContext {
        organization: OrganizationId::new(),
        actor: "user:test".to_owned(),
        credential: None,
        request_id: RequestId::new().to_string(),
        address: None,
    };
    let (provider, now) = (ProviderId::new(), test.db.clock().now());
    let page = vec(observed(), 200).new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let prepare = || {
        let mut page: Vec<Prepared> =
            page.iter().map(|observed| Prepared::new(provider, observed.clone()).unwrap()).collect();
        page.sort_by_key(|resource| resource.id);
        page.dedup_by_key(|resource| resource.id);
        page
    };
    let first = prepare();
    let mut tx = test.db.org(&context).unwrap();
    let counts = write::page(&mut tx, provider, "ec2/volumes@r", &first, now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(usize::try_from(counts.created).unwrap(), first.len());

    let query =
        Query { filter: None, as_of: None, order: Order::Id { descending: false }, after: None, fetch: 500 };
    let listed = read::list(test.db.org(&context).unwrap(), &query).await.unwrap();
    assert_eq!(listed.len(), first.len());
    for (resource, prepared) in listed.iter().zip(&first) {
        let text = serde_json::to_value(resource).unwrap();
        assert_eq!(text["tags"].as_object().unwrap().len(), prepared.observed.tags.len(), "{text}");
        assert!(!text.to_string().contains('\0'));
    }

    let mut tx = test.db.org(&context).unwrap();
    let again = write::page(&mut tx, provider, "ec2/volumes@r", &prepare(), now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((again.created, again.changed), (0, 0));

    // Every tag that was written can be found again to be removed.
    let superuser = test.superuser().await;
    let tags = async || -> i64 {
        superuser.query_one("SELECT count(*) FROM cloud_resource_tags", &[]).await.unwrap().get(0)
    };
    assert!(tags().await > 100);
    let bare = page.iter().map(|observed| Observed { tags: Vec::new(), ..observed.clone() });
    let mut bare: Vec<_> = bare.map(|observed| Prepared::new(provider, observed).unwrap()).collect();
    bare.sort_by_key(|resource| resource.id);
    bare.dedup_by_key(|resource| resource.id);
    let mut tx = test.db.org(&context).unwrap();
    write::page(&mut tx, provider, "ec2/volumes@r", &bare, now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(tags().await, 0);
}
