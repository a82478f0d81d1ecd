//! Syncs of a cloud in trouble: what fails fails alone, and nothing is believed to be gone because nobody said that
//! it is there.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    ledgers::fixtures::id,
    support::{Account, Asked, Client, Front, World},
};

const DISKS: &str = "
for region in ['eu-west-1', 'us-east-1']:
    for size in (8, 9):
        client('ec2', region).create_volume(AvailabilityZone=region + 'a', Size=size)
";

const OUT_OF_ORDER: &str = "<Response><Errors><Error><Code>InternalError</Code>\
    <Message>An internal error has occurred</Message></Error></Errors><RequestID>front</RequestID></Response>";

fn regions(names: &[&str]) -> String {
    let items: Vec<String> = names
        .iter()
        .map(|name| {
            format!(
                "<item><regionName>{name}</regionName><regionEndpoint>ec2.{name}.amazonaws.com</regionEndpoint>\
                 <optInStatus>opt-in-not-required</optInStatus></item>"
            )
        })
        .collect();
    format!(
        "<DescribeRegionsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>front</requestId>\
         <regionInfo>{}</regionInfo></DescribeRegionsResponse>",
        items.concat()
    )
}

/// The account behind `front`, connected.
async fn connect(owner: &Client, account: &Account, front: &Front, names: &[&str]) -> String {
    let mut body = account.provider("production", names);
    body["settings"]["endpoint_url"] = Value::from(front.url.clone());
    id(&owner.post("/api/cloud/providers", body).await.expect(201))
}

/// A front at which calls of one action say that they are there, and wait to be let on.
async fn gate_before(account: &Account, action: &'static str) -> (Front, Arc<Notify>, Arc<Notify>) {
    let (reached, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (arrived, let_on) = (Arc::clone(&reached), Arc::clone(&go_on));
    let front = Front::before(&account.endpoint, move |asked: Asked| {
        let (arrived, let_on) = (Arc::clone(&arrived), Arc::clone(&let_on));
        async move {
            if asked.action == action {
                arrived.notify_one();
                let_on.notified().await;
            }
            None
        }
        .boxed()
    })
    .await;
    (front, reached, go_on)
}

async fn disks(owner: &Client, region: &str) -> usize {
    owner.all(&format!("/api/cloud/resources?filter=kind%3Ddisk%20region%3D{region}")).await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_answers_500_fails_alone_and_loses_nothing() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    account.boto3(DISKS);
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = Arc::clone(&broken);
    let front = Front::before(&account.endpoint, move |asked: Asked| {
        let fails = is_broken.load(Ordering::SeqCst) && asked.region == "us-east-1" && asked.service != "sts";
        async move { fails.then(|| (500, OUT_OF_ORDER.to_owned())) }.boxed()
    })
    .await;
    let provider = connect(&owner, &account, &front, &["eu-west-1", "us-east-1"]).await;
    assert_eq!(owner.sync(&provider).await["state"], "succeeded");
    let before = owner.all("/api/cloud/resources").await;

    // While one region is down the other changes.
    broken.store(true, Ordering::SeqCst);
    account.boto3("client('ec2').create_volume(AvailabilityZone='eu-west-1a', Size=10)");
    account.boto3("client('ec2', 'us-east-1').create_volume(AvailabilityZone='us-east-1a', Size=10)");
    let operation = owner.sync(&provider).await;
    assert_eq!(operation["state"], "partially_succeeded", "{operation:#}");
    assert_eq!((disks(&owner, "eu-west-1").await, disks(&owner, "us-east-1").await), (3, 2));
    let after = owner.all("/api/cloud/resources").await;
    assert_eq!(after.len(), before.len() + 1, "nothing is gone");
    let scopes = owner.get(&format!("/api/cloud/providers/{provider}/scopes")).await.expect(200);
    let mut failed = 0;
    for scope in scopes["items"].as_array().unwrap() {
        let down = scope["region"] == "us-east-1";
        assert_eq!(scope["error"].is_object(), down, "{scope}");
        if down {
            failed += 1;
            assert_eq!(scope["error"]["code"], "unavailable", "{scope}");
            assert!(scope["complete_at"].is_string(), "{scope}");
            assert!(scope["complete_at"].as_str() < scope["attempted_at"].as_str(), "{scope}");
        }
    }
    assert!(failed > 3, "{scopes:#}");
    assert_eq!(operation["progress"]["scopes_failed"], failed, "{operation:#}");

    // And once it is back, so is everything.
    broken.store(false, Ordering::SeqCst);
    assert_eq!(owner.sync(&provider).await["state"], "succeeded");
    assert_eq!(disks(&owner, "us-east-1").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_missing_from_one_answer_is_looked_for_twice() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    account.boto3(DISKS);
    let known = Arc::new(Mutex::new(vec!["eu-west-1", "us-east-1"]));
    let listed = Arc::clone(&known);
    let front = Front::before(&account.endpoint, move |asked: Asked| {
        let answer = (asked.action == "DescribeRegions").then(|| (200, regions(&listed.lock().unwrap())));
        async move { answer }.boxed()
    })
    .await;
    let provider = connect(&owner, &account, &front, &[]).await;
    assert_eq!(owner.sync(&provider).await["state"], "succeeded");
    assert_eq!((disks(&owner, "eu-west-1").await, disks(&owner, "us-east-1").await), (2, 2));

    // Missing once: it may be a short answer.
    *known.lock().unwrap() = vec!["eu-west-1"];
    let operation = owner.sync(&provider).await;
    assert_eq!(operation["progress"]["resources_deleted"], 0, "{operation:#}");
    assert_eq!(disks(&owner, "us-east-1").await, 2);

    // Back, and missing again: that is once, not twice.
    *known.lock().unwrap() = vec!["eu-west-1", "us-east-1"];
    owner.sync(&provider).await;
    *known.lock().unwrap() = vec!["eu-west-1"];
    owner.sync(&provider).await;
    assert_eq!(disks(&owner, "us-east-1").await, 2);

    // Missing twice in a row: it is gone, and its history stays.
    owner.sync(&provider).await;
    assert_eq!((disks(&owner, "eu-west-1").await, disks(&owner, "us-east-1").await), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sync_still_brings_of_a_disconnected_provider_is_not_kept() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    account.boto3(DISKS);
    let (front, reached, go_on) = gate_before(&account, "DescribeVolumes").await;
    let provider = connect(&owner, &account, &front, &["eu-west-1"]).await;
    let started = owner.post_empty(&format!("/api/cloud/providers/{provider}/sync")).await.expect(202);
    reached.notified().await;
    owner.delete(&format!("/api/cloud/providers/{provider}")).await.expect(204);
    go_on.notify_one();
    let operation = owner.ended(&id(&started["operation"])).await;
    assert_eq!(operation["done"], true);
    assert_eq!(owner.all("/api/cloud/resources").await, Vec::<Value>::new());
}

/// A connected provider, and two things it has, one of them still being written by a page of a sync.
async fn being_written(world: &World, owner: &Client) -> (String, tokio_postgres::Client) {
    let mut body = Account::take().provider("production", &["eu-west-1"]);
    body["verify"] = json!(false);
    let provider = id(&owner.post("/api/cloud/providers", body).await.expect(201));
    let put = format!(
        "INSERT INTO cloud_resources (organization_id, id, provider_id, scope, kind, native_id, name, region, state,
                                      tags, attributes, raw, digest, first_seen_at, valid_from)
         SELECT organization_id, gen_random_uuid(), id, 'ec2/volumes@eu-west-1', 'disk', gen_random_uuid()::text, 'disk',
                'eu-west-1', 'available', '{{}}', '{{}}', '{{}}', '\\x00', now(), now()
           FROM cloud_providers WHERE id = '{}'",
        provider.trim_start_matches("prv_")
    );
    let scope = "INSERT INTO sync_scopes (organization_id, provider_id, scope, service, region, complete_at, attempted_at, resources)
                 SELECT organization_id, id, 'ec2/volumes@eu-west-1', 'ec2/volumes', 'eu-west-1', now(), now(), 1 FROM cloud_providers";
    world.database.superuser().await.batch_execute(&format!("{put}; {scope}")).await.unwrap();
    let page = world.database.superuser().await;
    page.batch_execute("BEGIN; SELECT FROM cloud_providers WHERE deleted_at IS NULL FOR KEY SHARE")
        .await
        .unwrap();
    page.batch_execute(&put).await.unwrap();
    (provider, page)
}

async fn until_empty(owner: &Client) {
    while !owner.all("/api/cloud/resources").await.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnection_does_not_wait_for_a_page_that_is_being_written_and_takes_it_out_too() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let (provider, page) = being_written(&world, &owner).await;
    // The end of a sync is noted on the same row, and must not wait for another's page either.
    world
        .database
        .superuser()
        .await
        .batch_execute(
            "SET lock_timeout = '1s'; UPDATE cloud_providers SET next_sync_at = now() + interval '1 day'",
        )
        .await
        .unwrap();
    let path = format!("/api/cloud/providers/{provider}");
    owner.delete(&path).await.expect(204);
    assert_eq!(owner.get(&path).await.problem(404), "not_found");
    assert_eq!(owner.all("/api/cloud/resources").await.len(), 1, "what is written stays until the page is");
    page.batch_execute("COMMIT").await.unwrap();
    until_empty(&owner).await;
    let superuser = world.database.superuser().await;
    while !superuser.query("SELECT FROM sync_scopes", &[]).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnection_that_was_interrupted_is_finished_by_its_job() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let (provider, page) = being_written(&world, &owner).await;
    let superuser = world.database.superuser().await;
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND usename = 'marquee_app' AND wait_event_type = 'Lock'";
    let path = format!("/api/cloud/providers/{provider}");
    // As if the process died: every connection that waits to take the resources out does, until nobody tries any more.
    let mut disconnecting = std::pin::pin!(owner.delete(&path));
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut disconnecting => break answer,
            killed = superuser.query(kill, &[]) => drop(killed.unwrap()),
        }
    };
    answer.expect(204);
    assert!(superuser.query(kill, &[]).await.unwrap().is_empty(), "somebody still tries");
    page.batch_execute("COMMIT").await.unwrap();
    assert_eq!(owner.all("/api/cloud/resources").await.len(), 2, "nobody was left to take them out");
    let due = "UPDATE jobs SET run_at = now() WHERE kind = 'retire_provider'";
    assert_eq!(superuser.execute(due, &[]).await.unwrap(), 1);
    until_empty(&owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_idempotency_key_was_given_back_is_not_made() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    let (front, reached, go_on) = gate_before(&account, "GetCallerIdentity").await;
    let mut body = account.provider("production", &["eu-west-1"]);
    body["settings"]["endpoint_url"] = Value::from(front.url.clone());
    let request =
        || owner.request("POST", "/api/cloud/providers").header("idempotency-key", "once").json(&body);
    let superuser = world.database.superuser().await;
    let (answer, ()) = tokio::join!(owner.send(request()), async {
        reached.notified().await;
        // As a request does that ran out of time: a repetition may be under way by now.
        superuser.execute("DELETE FROM idempotency_keys", &[]).await.unwrap();
        go_on.notify_one();
    });
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.problem(503), "unavailable");
    assert_eq!(owner.get("/api/cloud/providers").await.items().len(), 0);
    let (answer, ()) = tokio::join!(owner.send(request()), async { go_on.notify_one() });
    answer.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_cannot_be_started_is_put_off_and_holds_up_no_other() {
    let world = World::start().await;
    let owner = world.tenant("orangery").await.owner;
    let account = Account::take();
    let mut providers = Vec::new();
    for name in ["cursed", "blessed"] {
        let mut body = account.provider(name, &["eu-west-1"]);
        body["verify"] = json!(false);
        providers.push(id(&owner.post("/api/cloud/providers", body).await.expect(201)));
    }
    let superuser = world.database.superuser().await;
    let cursed = providers[0].trim_start_matches("prv_");
    superuser
        .batch_execute(&format!(
            "CREATE FUNCTION curse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'cursed'; END $$;
             CREATE TRIGGER curse BEFORE INSERT ON sync_runs FOR EACH ROW
             WHEN (NEW.provider_id = '{cursed}') EXECUTE FUNCTION curse();
             UPDATE cloud_providers SET next_sync_at = now() - CASE name WHEN 'cursed' THEN interval '2 hours'
                                                                         ELSE interval '1 hour' END"
        ))
        .await
        .unwrap();
    world.app.nudge("sync_schedule");
    let path = format!("/api/cloud/syncs?provider_id={}", providers[1]);
    while owner.get(&path).await.items().is_empty() {}
    let cursed = format!("/api/cloud/providers/{}", providers[0]);
    loop {
        let shown = owner.get(&cursed).await.expect(200);
        let next: DateTime<Utc> = shown["next_sync_at"].as_str().unwrap().parse().unwrap();
        if next > world.app.clock.now() {
            break;
        }
    }
}
