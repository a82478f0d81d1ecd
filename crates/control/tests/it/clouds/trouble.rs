//! Every kind of trouble that the simulator can make, through whole syncs of every vendor: what the user is told, that nothing
//! is believed to be gone that is not, that the rest of the sync stands, and that all is well once it is over.

use std::collections::BTreeSet;

use marquee_simulator::FaceName;
use serde_json::{Value, json};

use super::bed::{Inventory, Season};

/// A kind of trouble.
struct Trouble {
    /// The fault, without its vendor.
    fault: Value,
    /// How a sync under it ends.
    ends: &'static str,
    /// What scopes that were not listed say.
    code: Option<&'static str>,
}

fn trouble(fault: Value, ends: &'static str, code: Option<&'static str>) -> Trouble {
    Trouble { fault, ends, code }
}

impl Season {
    /// Syncs well, in trouble, and well again.
    async fn survives(&self, troubles: Vec<Trouble>) {
        self.synced().await;
        let before = self.inventory().await;
        assert!(before.len() > 80, "{}", before.len());
        for Trouble { fault, ends, code } in troubles {
            self.fault(fault.clone());
            let operation = self.sync().await;
            self.no_faults();
            assert_eq!(operation["state"], ends, "{fault}: {operation:#}");
            assert_eq!(
                operation["progress"]["resources_deleted"].as_i64().unwrap_or(0),
                0,
                "{fault}: {operation:#}"
            );
            same(&before, &self.inventory().await, &fault.to_string());
            self.scopes_say(&fault, code).await;
            self.synced().await;
            same(&before, &self.inventory().await, &format!("after {fault}"));
            let scopes = self.scopes().await;
            assert!(scopes.iter().all(|scope| scope["error"].is_null()), "after {fault}: {scopes:#?}");
        }
    }

    /// Whether the scopes that failed say why, and those that did not are fresh.
    async fn scopes_say(&self, fault: &Value, code: Option<&str>) {
        let scopes = self.scopes().await;
        let codes: BTreeSet<&str> =
            scopes.iter().filter_map(|scope| scope["error"]["code"].as_str()).collect();
        assert_eq!(codes, code.into_iter().collect(), "{fault}: {scopes:#?}");
        for scope in scopes {
            let failed = scope["error"].is_object();
            assert_eq!(scope["complete_at"] != scope["attempted_at"], failed, "{fault}: {scope}");
        }
    }
}

/// Fails with what differs, if anything does.
#[track_caller]
fn same(before: &Inventory, after: &Inventory, when: &str) {
    let differs = |id: &&String| before.get(*id) != after.get(*id);
    let different: BTreeSet<_> = before.keys().chain(after.keys()).filter(differs).collect();
    if let Some(first) = different.first() {
        let (old, new) = (before.get(*first), after.get(*first));
        panic!("{when}: {} differ, as {first}: {old:#?} and then {new:#?}", different.len());
    }
}

/// The service whose trouble is to cost the user its scopes and nothing else, by the vendor's name for it.
fn service(face: FaceName) -> &'static str {
    match face {
        FaceName::Aws => "rds",
        FaceName::Azure => "Microsoft.DBforPostgreSQL",
        FaceName::Google => "sqladmin",
        FaceName::Hetzner => "volumes",
    }
}

/// Calls that fail and are made again, and answers that are wrong in ways that a reader has to see through.
async fn is_seen_through(face: FaceName) {
    let season = Season::of(face).await;
    let whole = |fault: Value| trouble(fault, "succeeded", None);
    season
        .survives(vec![
            whole(json!({ "kind": "throttled", "times": 3 })),
            whole(json!({ "kind": "throttled", "times": 2, "retry_after_seconds": 1 })),
            whole(json!({ "kind": "slow", "milliseconds": 40 })),
            whole(json!({ "kind": "failing", "times": 3 })),
            whole(json!({ "kind": "failing", "status": 503, "share": 0.1, "times": 20 })),
            whole(json!({ "kind": "cut_off", "times": 3 })),
            whole(json!({ "kind": "short_pages", "items": 3 })),
            whole(json!({ "kind": "unseen", "seconds": 3_600 })),
            whole(json!({ "kind": "no_capacity" })),
            whole(json!({ "kind": "quota", "limit": 0 })),
            whole(json!({ "kind": "unhealthy" })),
        ])
        .await;
}

/// What goes on until a person does something, or the vendor does.
async fn costs_what_it_concerns(face: FaceName) {
    let season = Season::of(face).await;
    let service = service(face);
    season
        .survives(vec![
            trouble(
                json!({ "kind": "failing", "service": service }),
                "partially_succeeded",
                Some("unavailable"),
            ),
            trouble(
                json!({ "kind": "cut_off", "service": service }),
                "partially_succeeded",
                Some("unavailable"),
            ),
        ])
        .await;
}

/// Pages after the first that never come, where there is more than one.
async fn a_page_fails(face: FaceName) {
    let season = Season::of(face).await;
    season.synced().await;
    let before = season.inventory().await;
    season.fault(json!({ "kind": "short_pages", "items": 1 }));
    season.fault(json!({ "kind": "failing_page", "service": service(face) }));
    let operation = season.sync().await;
    season.no_faults();
    assert_eq!(operation["state"], "partially_succeeded", "{operation:#}");
    same(&before, &season.inventory().await, "in trouble");
    season.scopes_say(&json!("failing_page"), Some("unavailable")).await;
}

/// A listing that leaves things out is not believed the first time, and things that come twice are one.
async fn pages_overlap_and_leave_out(face: FaceName) {
    let season = Season::of(face).await;
    season.synced().await;
    let before = season.inventory().await;
    for fault in ["doubled_items", "missing_items"] {
        season.fault(json!({ "kind": "short_pages", "items": 3 }));
        season.fault(json!({ "kind": fault }));
        // Twice: even two listings in a row that lack a thing are held against a look-up by its id.
        for _ in 0..2 {
            let operation = season.synced().await;
            assert_eq!(operation["progress"]["resources_deleted"], 0, "{fault}: {operation:#}");
        }
        season.no_faults();
        same(&before, &season.inventory().await, fault);
    }
}

/// Keys that are not good any more: the user is told so, once, and what is known stays.
async fn credentials_end(face: FaceName) {
    let season = Season::of(face).await;
    season.synced().await;
    let before = season.inventory().await;
    for kind in ["revoked_credentials", "expired_credentials"] {
        season.fault(json!({ "kind": kind }));
        let operation = season.sync().await;
        let test = season
            .owner
            .post_empty(&format!("/api/cloud/providers/{}/test-connection", season.provider))
            .await
            .expect(200);
        season.no_faults();
        assert_eq!(operation["state"], "failed", "{kind}: {operation:#}");
        let steps = operation["error"]["steps"].as_array().unwrap();
        assert_eq!(
            (steps.len(), &steps[0]["code"]),
            (1, &json!("unauthenticated")),
            "said once: {operation:#}"
        );
        assert_eq!(
            (&test["ok"], &test["error"]["kind"]),
            (&json!(false), &json!("unauthenticated")),
            "{test:#}"
        );
        same(&before, &season.inventory().await, kind);
        season.synced().await;
        same(&before, &season.inventory().await, &format!("after {kind}"));
    }
}

/// A region that is lost and comes back: what was there stays known, as old as it is; all other regions are fresh.
async fn a_region_is_lost(face: FaceName) {
    let season = Season::of(face).await;
    season.synced().await;
    let before = season.inventory().await;
    let lost = season.account().regions[1].id.to_string();
    season.fault(json!({ "kind": "region_lost", "region": lost }));
    // Twice: a lost region is not taken for gone, however often it is not there.
    for _ in 0..2 {
        let operation = season.sync().await;
        assert_eq!(operation["state"], "partially_succeeded", "{operation:#}");
        assert_eq!(operation["progress"]["resources_deleted"], 0, "{operation:#}");
    }
    same(&before, &season.inventory().await, "in trouble");
    let scopes = season.scopes().await;
    let failed: Vec<_> = scopes.iter().filter(|scope| scope["error"].is_object()).collect();
    assert!(!failed.is_empty() && failed.len() < scopes.len(), "{scopes:#?}");
    for scope in failed {
        assert_eq!(scope["error"]["code"], "unavailable", "{scope}");
        assert!([lost.as_str(), "global"].contains(&scope["region"].as_str().unwrap()), "{scope}");
    }
    season.no_faults();
    season.synced().await;
    same(&before, &season.inventory().await, "in trouble");
}

/// A call that is never answered is given up and made again. One vendor is enough: the waiting is the layers', which are the
/// same for all, and it takes its time.
#[tokio::test(flavor = "multi_thread")]
async fn one_call_hangs() {
    let face = FaceName::Google;
    let season = Season::of(face).await;
    season.synced().await;
    let before = season.inventory().await;
    season.fault(json!({ "kind": "hanging", "service": service(face), "times": 1 }));
    let operation = season.sync().await;
    season.no_faults();
    assert_eq!(operation["state"], "succeeded", "the call is made again: {operation:#}");
    same(&before, &season.inventory().await, "in trouble");
}

/// A season in a minute: time passes between two syncs, and only what it changes has changed.
async fn time_flies(face: FaceName) {
    let season = Season::of(face).await;
    season.synced().await;
    let before = season.ids().await;
    for _ in 0..3 {
        season.advance(7.0 * 86_400.0);
        season.synced().await;
    }
    let after = season.inventory().await;
    let gone: Vec<_> = before.iter().filter(|id| !after.contains_key(*id)).collect();
    // Backups are made every night and kept for some days; nothing else comes or goes by itself.
    assert!(gone.iter().all(|id| id.contains("snapshot") || id.contains("backup")), "{gone:#?}");
    let kinds: BTreeSet<_> = after
        .iter()
        .filter(|(id, _)| !before.contains(*id))
        .map(|(_, new)| new["kind"].as_str().unwrap())
        .collect();
    assert!(kinds.iter().all(|kind| *kind == "database_snapshot"), "{kinds:?}");
}

/// Makes a test of each trouble for a vendor.
macro_rules! troubles {
    (@each $face:ident, $($trouble:ident),*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $trouble() {
            super::$trouble(super::FaceName::$face).await;
        })*
    };
    ($vendor:ident, $face:ident $(, $more:ident)*) => {
        mod $vendor {
            troubles!(@each $face, is_seen_through, costs_what_it_concerns, a_page_fails,
                pages_overlap_and_leave_out, credentials_end, time_flies $(, $more)*);
        }
    };
}

troubles!(aws, Aws, a_region_is_lost);
troubles!(azure, Azure, a_region_is_lost);
troubles!(google, Google, a_region_is_lost);
// Its lists are of all locations at once and come from none: a lost one is not seen in them.
troubles!(hetzner, Hetzner);
