//! The first owner, and with them an organization: how an installation begins, and how another tenant is added.

use marquee_db::{Db, OrgContext};
use marquee_types::{OrganizationId, RequestId, Role, UserId};
use secrecy::SecretString;

use super::passwords::Passwords;
use crate::{
    domains::{
        audit::{self, Entry},
        identity::{
            model::{DisplayName, Email, Password},
            store,
        },
    },
    fault::{Fault, OnConstraint as _},
};

/// An organization to be made, with its owner.
#[derive(Debug)]
pub struct NewOrganization {
    /// Its name.
    pub name: String,
    /// The owner's login name.
    pub email: String,
    /// The owner's password.
    pub password: SecretString,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrapped {
    /// The organization.
    pub organization: OrganizationId,
    /// Its owner.
    pub owner: UserId,
}

/// Makes an organization and its owner in one transaction. Run twice, the second is refused with
/// `already_exists` and changes nothing: the e-mail address is taken.
pub async fn bootstrap(db: &Db, passwords: &Passwords, new: NewOrganization) -> Result<Bootstrapped, Fault> {
    let name = DisplayName::parse(&new.name).map_err(|detail| Fault::invalid("/organization", detail))?;
    let email = Email::parse(&new.email).map_err(|detail| Fault::invalid("/email", detail))?;
    let password = Password::choose(new.password).map_err(|detail| Fault::invalid("/password", detail))?;
    let hash = passwords.hash(password).await?;
    let (organization, owner, now) = (OrganizationId::new(), UserId::new(), db.clock().now());
    let context = OrgContext {
        organization,
        actor: "installation:bootstrap".to_owned(),
        credential: None,
        request_id: RequestId::new().to_string(),
        address: None,
    };
    let mut tx = db.org(&context)?;
    tx.for_call("organizations.create");
    store::organizations::create(&mut tx, &name, now).await?;
    store::users::create(&mut tx, owner, &email, None, &hash, now)
        .await
        .on_constraint("users_email_unique", || {
            Fault::conflict(
                "already_exists",
                format!(
                    "There is an account with the e-mail address {} already. Nothing was changed.",
                    email.as_str()
                ),
            )
        })
        .on_constraint("users_email_form", || Fault::invalid("/email", "must be an e-mail address"))?;
    store::members::create(&mut tx, owner, Role::Owner, now).await?;
    audit::record(&mut tx, Entry::allowed("organizations.create").target("organization", organization));
    tx.commit().await?;
    Ok(Bootstrapped { organization, owner })
}
