//! `GET /api/members` and `GET /api/members/{id}`

use marquee_types::{Role, UserId};

use crate::support::World;

#[tokio::test]
async fn pages_hold_every_member_once_and_nobody_else() {
    let world = World::still().await;
    let (cora, _vera) = (world.tenant("cora").await, world.tenant("vera").await);
    let mut expected = vec![cora.owner.user.unwrap().to_string()];
    for _ in 0..3 {
        expected.push(world.member(&cora, Role::Viewer).await.user.unwrap().to_string());
    }
    let (mut seen, mut path) = (Vec::new(), "/api/members?limit=3".to_owned());
    loop {
        let page = cora.owner.get(&path).await;
        seen.extend(page.is(200).items().iter().map(|member| member["id"].as_str().unwrap().to_owned()));
        match page.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/members?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn another_organizations_member_is_not_there() {
    let world = World::still().await;
    let (cora, vera) = (world.tenant("cora").await, world.tenant("vera").await);
    let path = |id: &str| format!("/api/members/{id}");
    let own = cora.owner.user.unwrap().to_string();
    cora.owner.get(&path(&own)).await.is(200);
    let others =
        [vera.owner.user.unwrap().to_string(), UserId::new().to_string(), "x".into(), cora.id.to_string()];
    for id in others {
        cora.owner.get(&path(&id)).await.is_problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let world = World::still().await;
    let cora = world.tenant("cora").await;
    world.member(&cora, Role::Viewer).await;
    let cursor = cora.owner.get("/api/members?limit=1").await.text("next_cursor");
    cora.owner.get(&format!("/api/sessions?cursor={cursor}")).await.is_problem(422, "invalid");
    cora.owner.get("/api/members?limit=0").await.is_problem(422, "invalid");
    cora.owner.get("/api/members?colour=red").await.is_problem(422, "invalid");
}
