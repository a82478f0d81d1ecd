//! `GET /api/audit`

use marquee_types::Role;
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn filters_find_what_they_say() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    let viewer = world.member(&cora, Role::Viewer).await;
    viewer.patch("/api/organizations/current", json!({ "name": "x" })).await.is(403);
    let actor = format!("user:{}", viewer.user.unwrap());
    let cases = [
        (format!("actor = \"{actor}\" AND outcome = refused"), 1),
        (format!("actor = \"{actor}\""), 2),
        ("action = organizations.create".to_owned(), 1),
        ("action:organizations.*".to_owned(), 2),
        // The owner's membership, of which no call is the name.
        ("origin = row AND action = rows.insert".to_owned(), 1),
        ("at > 2999-01-01T00:00:00Z".to_owned(), 0),
        (format!("target = {} AND origin = call", viewer.user.unwrap()), 1),
        ("NOT outcome = allowed".to_owned(), 1),
    ];
    for (filter, expected) in cases {
        let entries = cora.owner.audit(&filter).await;
        assert_eq!(entries.len(), expected, "{filter}: {entries:#?}");
    }
    cora.owner.get("/api/audit?filter=colour%20%3D%20red").await.is_problem(422, "invalid");
    cora.owner.get("/api/audit?filter=address%3D1").await.is_problem(422, "invalid");
}

#[tokio::test]
async fn pages_hold_every_entry_once_newest_first() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"] {
        cora.owner.patch("/api/organizations/current", json!({ "name": name })).await.is(200);
    }
    let whole = cora.owner.audit("origin:*").await;
    let (mut seen, mut path) = (Vec::new(), "/api/audit?limit=3".to_owned());
    loop {
        let page = cora.owner.get(&path).await;
        seen.extend(page.is(200).items().to_vec());
        match page.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/audit?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert!(seen.len() > 10);
    assert_eq!(seen, whole);
    assert!(seen.is_sorted_by(|newer, older| newer["at"].as_str() >= older["at"].as_str()));
}

#[tokio::test]
async fn only_admins_read_it_and_only_their_own() {
    let world = World::still().await;
    let (cora, vera) = (world.tenant("cora").await, world.tenant("vera").await);
    for role in [Role::Viewer, Role::Engineer, Role::Manager] {
        world.member(&cora, role).await.get("/api/audit").await.is_problem(403, "forbidden");
    }
    world.member(&cora, Role::Admin).await.get("/api/audit").await.is(200);
    let theirs = vera.owner.audit(&format!("actor = \"user:{}\"", cora.owner.user.unwrap())).await;
    assert!(theirs.is_empty());
}
