//! `users`, the one global table of people, as the application's role meets it.

use marquee_control::domains::identity::{self, NewOrganization, Passwords};
use marquee_db::{OrgContext, testing::TestDb};
use marquee_types::{Clock, OrganizationId};

async fn organization(database: &TestDb, name: &str) -> identity::Bootstrapped {
    let email = format!("owner@{name}.example");
    let new = NewOrganization { name: name.to_owned(), email, password: "correct horse battery".into() };
    identity::bootstrap(&database.db, &Passwords::default(), new).await.unwrap()
}

fn context(organization: OrganizationId, actor: &str) -> OrgContext {
    OrgContext {
        organization,
        actor: actor.to_owned(),
        credential: None,
        request_id: "req-1".into(),
        address: None,
    }
}

#[tokio::test]
async fn an_organization_sees_its_own_people_without_their_passwords() {
    let database = TestDb::new(Clock::system()).await;
    let (cora, _vera) = (organization(&database, "cora").await, organization(&database, "vera").await);
    let tx = database.db.org(&context(cora.organization, "test")).unwrap();
    let rows = tx.read("SELECT email FROM users", &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, &str>(0), "owner@cora.example");
    for sql in [
        "SELECT password_hash FROM users",
        "UPDATE users SET email = 'x@y.z'",
        "DELETE FROM users",
        "INSERT INTO users (id, email, password_hash, password_changed_at, created_at)
         VALUES (gen_random_uuid(), 'x@y.z', '$argon2id$', now(), now())",
        "DELETE FROM organizations",
    ] {
        let mut tx = database.db.org(&context(cora.organization, "test")).unwrap();
        assert!(tx.execute(sql, &[]).await.expect_err(sql).is_denied(), "{sql}");
    }
    let tx = database.db.anonymous();
    assert!(tx.read("SELECT email FROM users", &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn nobody_sets_anothers_password() {
    let database = TestDb::new(Clock::system()).await;
    let cora = organization(&database, "cora").await;
    for actor in
        ["anonymous", "worker:x", "api_key:key_1", "user:usr_zz", "user:usr_0123456789abcdef0123456789abcdef"]
    {
        let mut tx = database.db.org(&context(cora.organization, actor)).unwrap();
        let row = tx.query_one("SELECT set_own_password('$argon2id$evil', now())", &[]).await.unwrap();
        assert!(!row.get::<_, bool>(0), "{actor}");
        assert_eq!(tx.query_one("SELECT own_password()", &[]).await.unwrap().get::<_, Option<&str>>(0), None);
    }
    let own = format!("user:{}", cora.owner);
    let mut tx = database.db.org(&context(cora.organization, &own)).unwrap();
    assert!(
        tx.query_one("SELECT set_own_password('$argon2id$new', now())", &[]).await.unwrap().get::<_, bool>(0)
    );
}

#[tokio::test]
async fn bootstrap_refuses_a_known_address_and_bad_input_and_changes_nothing() {
    let database = TestDb::new(Clock::system()).await;
    organization(&database, "cora").await;
    let again = |name: &str, email: &str, password: &str| NewOrganization {
        name: name.to_owned(),
        email: email.to_owned(),
        password: password.into(),
    };
    let cases = [
        (again("second", "Owner@cora.example", "correct horse battery"), 409, "already_exists"),
        (again("", "new@cora.example", "correct horse battery"), 422, "invalid"),
        (again("second", "new", "correct horse battery"), 422, "invalid"),
        (again("second", "new@cora.example", "short"), 422, "invalid"),
    ];
    for (new, status, code) in cases {
        let fault = identity::bootstrap(&database.db, &Passwords::default(), new).await.unwrap_err();
        assert_eq!((fault.status().as_u16(), fault.code().0), (status, code), "{fault:?}");
    }
    let admin = database.superuser().await;
    let count = admin.query_one("SELECT count(*) FROM organizations", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn a_session_belongs_to_a_member_whatever_the_application_says() {
    let database = TestDb::new(Clock::system()).await;
    let (cora, vera) = (organization(&database, "cora").await, organization(&database, "vera").await);
    let mut tx = database.db.org(&context(cora.organization, "test")).unwrap();
    let insert = "INSERT INTO sessions (organization_id, id, user_id, token_hash, created_at, last_used_at, expires_at)
                  VALUES (current_organization(), gen_random_uuid(), $1, sha256('x'), now(), now(), now())";
    let error = tx.execute(insert, &[&vera.owner.uuid()]).await.unwrap_err();
    assert_eq!(error.constraint(), Some("sessions_membership"));
}
