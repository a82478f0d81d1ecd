//! Making, changing and removing members.
//!
//! Owners are made, changed and removed by owners only, and the last one stays. Whether one is the last is
//! decided under the lock of the organization's row: two owners who remove each other at once do not both
//! succeed.

use marquee_db::{Org, Tx};
use marquee_types::{Permission, Role, UserId};

use super::credentials::Ended;
use crate::{
    domains::{
        audit::{self, Entry},
        identity::{
            model::{DisplayName, Email, Password},
            store,
            wire::{CreateMember, Member, UpdateMember},
        },
    },
    fault::{Fault, OnConstraint as _},
    http::Call,
};

/// Makes an account and its membership.
pub async fn create(call: &Call, request: CreateMember) -> Result<Member, Fault> {
    let email = Email::parse(&request.email).map_err(|detail| Fault::invalid("/email", detail))?;
    let name = request.name.as_deref().map(DisplayName::parse).transpose();
    let name = name.map_err(|detail| Fault::invalid("/name", detail))?;
    let password =
        Password::choose(request.password).map_err(|detail| Fault::invalid("/password", detail))?;
    require_for_owners(call, request.role)?;
    let hash = call.app.identity.passwords().hash(password).await?;
    let (now, id) = (call.app.clock.now(), UserId::new());
    let mut tx = call.tx()?;
    store::users::create(&mut tx, id, &email, name.as_ref(), &hash, now)
        .await
        .on_constraint("users_email_unique", taken)
        .on_constraint("users_email_form", || Fault::invalid("/email", "must be an e-mail address"))?;
    store::members::create(&mut tx, id, request.role, now).await?;
    let member = store::members::find(&mut tx, id).await?.ok_or(Fault::NotFound("member"))?;
    audit::record(&mut tx, Entry::allowed("members.create").target("member", id));
    super::finish(call, tx).await?;
    Ok(member)
}

/// Changes a member's role.
pub async fn update(call: &Call, id: UserId, request: &UpdateMember) -> Result<Member, Fault> {
    let mut tx = call.tx()?;
    let member = lock(call, &mut tx, id).await?;
    require_for_owners(call, request.role)?;
    keep_an_owner(&mut tx, &member, request.role == Role::Owner).await?;
    store::members::set_role(&mut tx, id, request.role).await?;
    let changed = store::members::find(&mut tx, id).await?.ok_or(Fault::NotFound("member"))?;
    audit::record(&mut tx, Entry::allowed("members.update").target("member", id));
    tell(call, &mut tx, id);
    super::finish(call, tx).await?;
    Ok(changed)
}

/// Ends a membership; sessions and API keys of the member go with it, and the account if it was the last.
pub async fn remove(call: &Call, id: UserId) -> Result<(), Fault> {
    let mut tx = call.tx()?;
    let member = lock(call, &mut tx, id).await?;
    keep_an_owner(&mut tx, &member, false).await?;
    store::members::delete(&mut tx, id).await?;
    store::users::delete_without_memberships(&mut tx, id).await?;
    audit::record(&mut tx, Entry::allowed("members.delete").target("member", id));
    tell(call, &mut tx, id);
    super::finish(call, tx).await
}

/// The member, with the organization locked and what the request demands of both checked.
async fn lock(call: &Call, tx: &mut Tx<Org>, id: UserId) -> Result<Member, Fault> {
    store::organizations::lock(tx).await?;
    let member = store::members::find(tx, id).await?.ok_or(Fault::NotFound("member"))?;
    require_for_owners(call, member.role)?;
    if call.if_match.is_some_and(|wanted| wanted != member.revision) {
        return Err(Fault::Stale);
    }
    Ok(member)
}

/// Whoever touches an owner, or makes one, must be one.
fn require_for_owners(call: &Call, role: Role) -> Result<(), Fault> {
    if role == Role::Owner { call.require(Permission::OwnersManage) } else { Ok(()) }
}

async fn keep_an_owner(tx: &mut Tx<Org>, member: &Member, stays_owner: bool) -> Result<(), Fault> {
    if member.role == Role::Owner && !stays_owner && store::members::owners(tx).await? <= 1 {
        return Err(Fault::conflict(
            "last_owner",
            "An organization keeps at least one owner. Make another one first.",
        ));
    }
    Ok(())
}

/// After the commit, every process forgets what it knew of the member's rights.
fn tell(call: &Call, tx: &mut Tx<Org>, id: UserId) {
    let (credentials, organization) = (call.app.identity.credentials().clone(), call.actor.organization);
    tx.after_commit(move || credentials.end(Ended::Member(organization, id)));
}

fn taken() -> Fault {
    Fault::conflict(
        "already_exists",
        "Somebody in this installation has an account with this e-mail address.",
    )
}
