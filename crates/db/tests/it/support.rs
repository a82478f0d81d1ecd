//! A tenant table to try things on, and contexts of made-up organizations.

use marquee_db::{OrgContext, testing::TestDb};
use marquee_types::{Clock, OrganizationId};

/// A test database with a tenant table `notes` and a deferred constraint to break at COMMIT.
pub async fn database() -> TestDb {
    with_notes(TestDb::new(Clock::system()).await).await
}

pub async fn with_notes(test: TestDb) -> TestDb {
    let owner = test.client(&test.urls.admin).await;
    owner
        .batch_execute(
            "CREATE DOMAIN note_kind AS text CHECK (VALUE IN ('plain', 'loud'));
             CREATE TABLE notes (
                 organization_id uuid NOT NULL, id bigint NOT NULL, kind note_kind NOT NULL DEFAULT 'plain',
                 body text NOT NULL CONSTRAINT notes_body_length CHECK (length(body) < 1000), ref bigint,
                 actor text NOT NULL DEFAULT current_actor(), credential text DEFAULT current_credential(),
                 request_id text DEFAULT current_request_id(), address inet DEFAULT current_address(),
                 PRIMARY KEY (organization_id, id),
                 CONSTRAINT notes_ref_fkey FOREIGN KEY (organization_id, ref)
                     REFERENCES notes DEFERRABLE INITIALLY DEFERRED);
             SELECT protect_tenant_table('notes')",
        )
        .await
        .unwrap();
    test
}

pub fn somebody() -> OrgContext {
    OrgContext {
        organization: OrganizationId::new(),
        actor: "user:usr_test".to_owned(),
        credential: Some("session:ses_test".to_owned()),
        request_id: "req_test".to_owned(),
        address: Some([127, 0, 0, 1].into()),
    }
}
