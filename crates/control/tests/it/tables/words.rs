//! Every word of a closed set in the code is one that its column's domain admits.

use marquee_db::testing::TestDb;
use marquee_types::{Clock, OperationState, ResourceKind, ResourceState, Role, resource::Relation};

#[tokio::test]
async fn the_domains_admit_what_the_code_can_say() {
    let test = TestDb::new(Clock::system()).await;
    let superuser = test.superuser().await;
    let sets: [(&str, &[&str]); 5] = [
        ("resource_kind", ResourceKind::WORDS),
        ("resource_state", ResourceState::WORDS),
        ("resource_relation", Relation::WORDS),
        ("operation_state", OperationState::WORDS),
        ("member_role", Role::WORDS),
    ];
    for (domain, words) in sets {
        for word in words {
            let admitted = superuser.query_one(&format!("SELECT '{word}'::{domain}"), &[]).await;
            assert!(admitted.is_ok(), "{domain} does not admit {word}: add it in a migration");
        }
        assert!(superuser.query_one(&format!("SELECT 'no such word'::{domain}"), &[]).await.is_err());
    }
}
