//! Every endpoint, as nobody, as each role, and as the owner of another organization.

use std::collections::BTreeSet;

use marquee_control::{
    http::{Access, Endpoint},
    routes,
};
use marquee_types::Role;

use super::fixtures::{Stock, id};
use crate::support::{Client, PASSWORD, Tenant, World};

fn authenticated() -> Vec<Endpoint> {
    routes::all().into_iter().filter(|row| !matches!(row.access, Access::Public(_))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in() {
    let world = World::start().await;
    let stranger =
        world.client.with_token("mqs_0000000000000000000000000000000000000000000000000000000000000000");
    for row in authenticated() {
        let path = row.path.replace("{id}", "prv_0192f0c1a5b87c6f9d3e2b1a09f8e7d6");
        for client in [&world.client, &stranger] {
            let answer = client.send(client.request(row.method.as_str(), &path)).await;
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"marquee\""), "{row:?}");
            assert_eq!(answer.problem(401), "unauthenticated", "{row:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_do_what_its_policy_says_and_nothing_else() {
    let world = World::start().await;
    let tenant = world.staffed_tenant("orangery").await;
    let stock = Stock::make(&tenant).await;
    for row in authenticated() {
        for role in Role::ALL.iter().copied() {
            let client = caller(&world, &tenant, &row, role).await;
            let may = match row.access {
                Access::Needs(permission) => permissions(&client).await.contains(permission.as_str()),
                Access::AnyActor(_) | Access::Public(_) => true,
            };
            let answer = stock.prepare(&row, &tenant, &client).await.send(&row, &client).await;
            if may {
                assert!((200..300).contains(&answer.status), "{row:?} as {role}: {}", answer.body);
            } else {
                assert_eq!(answer.problem(403), "forbidden", "{row:?} as {role}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_another_organization_sees_nothing() {
    let world = World::start().await;
    let tenant = world.tenant("orangery").await;
    let other = world.tenant("lakeside").await;
    let stock = Stock::make(&tenant).await;
    let own = [&stock.provider, &stock.resource, &stock.sync, &stock.operation];
    let mut rows = authenticated();
    rows.retain(|row| !Stock::spends_its_caller(row));
    // Lists first: the other's own audit log will name what they then ask for in vain.
    rows.sort_by_key(|row| row.path.contains("{id}"));
    for row in rows {
        let prepared = stock.prepare(&row, &tenant, &tenant.owner).await;
        // What a path names by its id is an organization's; other words in it are the server's.
        if row.path.contains("{id}") {
            let answer = prepared.send(&row, &other.owner).await;
            assert_eq!(answer.problem(404), "not_found", "{row:?}");
        } else if row.audit.is_none() {
            let answer = prepared.send(&row, &other.owner).await;
            let text = answer.body.to_string();
            assert!(
                own.iter().all(|id| !text.contains(id.as_str())),
                "{row:?} shows what is another's: {text}"
            );
            assert!(!text.contains(&tenant.id.to_string()), "{row:?} names another organization: {text}");
        }
    }
}

/// A member of that role; one that can be spared where the request ends its caller.
async fn caller(world: &World, tenant: &Tenant, row: &Endpoint, role: Role) -> Client {
    if !Stock::spends_its_caller(row) {
        return tenant.members[&role].clone();
    }
    let email = format!("{role}-{}@spent.example", row.id.replace('.', "-"));
    let member = serde_json::json!({ "email": email, "role": role, "password": PASSWORD });
    id(&tenant.owner.post("/api/members", member).await.expect(201));
    world.login(&email).await
}

async fn permissions(client: &Client) -> BTreeSet<String> {
    let me = client.get("/api/auth/whoami").await.expect(200);
    me["permissions"].as_array().unwrap().iter().map(|p| p.as_str().unwrap().to_owned()).collect()
}
