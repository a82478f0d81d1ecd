//! The property that everything rests on: whatever happened to the transactions before, a connection that is
//! lent again has no open transaction, no settings and no rows of theirs. A pool of one makes every transaction
//! follow every other on the same connection.

use std::{collections::HashMap, time::Duration};

use marquee_db::{OrgContext, PoolSizes, testing::TestDb};
use marquee_types::Clock;
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::time::timeout;

use crate::support::{somebody, with_notes};

const INSERT: &str = "INSERT INTO notes (organization_id, id, body) VALUES (current_organization(), $1, 'x')";
const IDS: &str = "SELECT id FROM notes ORDER BY id";
const SLOW: &str = "SELECT pg_sleep(0.002), id FROM notes UNION ALL SELECT pg_sleep(0.002), 1";
const SETTINGS: &str = "SELECT concat(current_setting('marquee.organization_id', true),
    current_setting('marquee.credential', true), current_setting('marquee.request_id', true),
    current_setting('marquee.address', true)), current_setting('transaction_read_only'),
    current_setting('marquee.actor', true)";

/// What happens to one transaction of one of two organizations.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Committed,
    Dropped,
    Failed,
    /// Its statement's future is dropped after this many microseconds.
    Abandoned(u64),
    ReadAbandoned(u64),
    CommitAbandoned(u64),
    RolledBack,
    Unused,
}

fn fates() -> impl Strategy<Value = Vec<(usize, Fate)>> {
    let fate = prop_oneof![
        Just(Fate::Committed),
        Just(Fate::Dropped),
        Just(Fate::Failed),
        (0_u64..4_000).prop_map(Fate::Abandoned),
        (0_u64..4_000).prop_map(Fate::ReadAbandoned),
        (0_u64..2_000).prop_map(Fate::CommitAbandoned),
        Just(Fate::RolledBack),
        Just(Fate::Unused),
    ];
    prop::collection::vec((0_usize..2, fate), 1..12)
}

struct World {
    test: TestDb,
    organizations: [OrgContext; 2],
    committed: HashMap<usize, Vec<i64>>,
    next: i64,
}

impl World {
    async fn suffer(&mut self, who: usize, fate: Fate) {
        self.next += 1;
        let id = self.next;
        let mut tx = self.test.db.org(&self.organizations[who]).unwrap();
        match fate {
            Fate::Unused => return,
            Fate::ReadAbandoned(after) => {
                let _done = timeout(Duration::from_micros(after), tx.read(SLOW, &[])).await;
                return;
            }
            Fate::Abandoned(after) => {
                let _done = timeout(Duration::from_micros(after), tx.query(SLOW, &[])).await;
                return;
            }
            _ => {}
        }
        tx.execute(INSERT, &[&id]).await.unwrap();
        match fate {
            Fate::Committed => {
                tx.commit().await.unwrap();
                self.committed.entry(who).or_default().push(id);
            }
            Fate::CommitAbandoned(after) => {
                // Once started a commit goes on to its end, whoever waits for it.
                let mut commit = std::pin::pin!(tx.commit());
                let started = futures::poll!(commit.as_mut());
                let _done = timeout(Duration::from_micros(after), async {
                    if started.is_pending() {
                        commit.await.unwrap();
                    }
                })
                .await;
                self.committed.entry(who).or_default().push(id);
            }
            Fate::Failed => assert!(tx.execute(INSERT, &[&id]).await.is_err()),
            Fate::RolledBack => tx.rollback().await.unwrap(),
            _ => {}
        }
    }

    async fn check(&self) {
        let nobody = self.test.db.anonymous().read(SETTINGS, &[]).await.unwrap();
        let left: (String, String) = (nobody[0].get(0), nobody[0].get(1));
        assert_eq!(left, (String::new(), "on".to_owned()));
        let actor: Option<String> = nobody[0].get(2);
        assert_eq!(actor.unwrap_or_default(), "");
        assert!(self.test.db.anonymous().read(IDS, &[]).await.unwrap().is_empty());
        for (who, context) in self.organizations.iter().enumerate() {
            let rows = self.test.db.org(context).unwrap().read(IDS, &[]).await.unwrap();
            let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
            assert_eq!(&ids, self.committed.get(&who).unwrap_or(&Vec::new()));
        }
    }
}

#[test]
fn a_pool_of_one_never_leaks_from_one_transaction_to_the_next() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let sizes = PoolSizes { app: 1, system: 1, lanes: 1, wait: Duration::from_secs(20) };
    let test = runtime.block_on(async { with_notes(TestDb::with_sizes(Clock::system(), sizes).await).await });
    let world = World { test, organizations: [somebody(), somebody()], committed: HashMap::new(), next: 0 };
    let world = std::cell::RefCell::new(world);
    let config = ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config)
        .run(&fates(), |fates| {
            let mut world = world.borrow_mut();
            runtime.block_on(async {
                for (who, fate) in fates {
                    world.suffer(who, fate).await;
                    world.check().await;
                }
            });
            Ok(())
        })
        .unwrap();
}
