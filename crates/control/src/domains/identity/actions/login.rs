//! Logging in, logging out, and changing one's own password.

use marquee_db::OrgContext;
use marquee_types::{FieldError, SessionId, UserId};

use super::credentials::Ended;
use crate::{
    app::App,
    domains::{
        audit::{self, Entry},
        identity::{
            model::{Email, Minted, Password, session},
            store::{
                self,
                sessions::NewSession,
                users::{Candidate, Membership},
            },
            wire::{ChangePassword, LoggedIn, Login, OrganizationRef, ShownOnce},
        },
    },
    fault::{Fault, OnConstraint as _},
    http::{Call, Credential, Principal, PublicCall, RequestMeta},
};

const WRONG: Fault = Fault::Unauthenticated("The e-mail address or the password is wrong.");
/// Nobody is in so many organizations that their logs need all be told of one wrong password.
const MOST_LOGS_TOLD: usize = 5;

/// Makes a session for whoever knows the password. The answer to a wrong password and to an unknown address is
/// the same and takes the same work.
pub async fn log_in(call: &PublicCall, request: Login) -> Result<LoggedIn, Fault> {
    let (app, meta) = (&call.app, &call.meta);
    let email = Email::parse(&request.email).map_err(|detail| Fault::invalid("/email", detail))?;
    let attempt = app.identity.throttle().admit(&email.digest(), meta.address, app.clock.now())?;
    let candidate = store::users::login_candidate(call.tx(), &email).await?;
    let hash = candidate.as_ref().map(|candidate| candidate.password_hash.clone());
    let right = app.identity.passwords().verify(request.password, hash).await?;
    let candidate = match candidate {
        Some(candidate) if right => candidate,
        known => return Err(refuse(app, meta, &email, known, request.organization.as_deref()).await),
    };
    app.identity.throttle().give_back(attempt);
    let membership = choose(&candidate, request.organization.as_deref())?;
    make_session(call, candidate.id, membership).await
}

/// Ends the session of this very request.
pub async fn log_out(call: &Call) -> Result<(), Fault> {
    let Credential::Session(id) = call.actor.credential else {
        return Err(Fault::Forbidden("An API key cannot log out; an admin can revoke it.".to_owned()));
    };
    let mut tx = call.tx()?;
    let ended = store::sessions::delete(&mut tx, id, None).await?;
    audit::record(&mut tx, Entry::allowed("auth.logout").target("session", id));
    let credentials = call.app.identity.credentials().clone();
    tx.after_commit(move || ended.into_iter().for_each(|token| credentials.end(Ended::Token(token))));
    Ok(tx.commit().await?)
}

/// Changes the caller's own password and ends all their other sessions, wherever they are.
pub async fn change_password(call: &Call, request: ChangePassword) -> Result<(), Fault> {
    let (Principal::User { id }, Credential::Session(session)) =
        (call.actor.principal, call.actor.credential)
    else {
        return Err(Fault::Forbidden("An API key has no password.".to_owned()));
    };
    let new =
        Password::choose(request.new_password).map_err(|detail| Fault::invalid("/new_password", detail))?;
    let (app, now) = (&call.app, call.app.clock.now());
    let attempt = app.identity.throttle().admit(&id.to_string(), call.meta.address, now)?;
    let mut tx = app.db.org(&call.actor.context(&call.meta))?;
    let present = store::users::own_password(&mut tx).await?;
    tx.rollback().await?;
    if !app.identity.passwords().verify(request.current_password, present).await? {
        return Err(Fault::invalid("/current_password", "is not your present password"));
    }
    app.identity.throttle().give_back(attempt);
    let hash = app.identity.passwords().hash(new).await?;
    let mut tx = call.tx()?;
    store::users::set_own_password(&mut tx, &hash, now).await?;
    let ended = store::users::end_own_sessions(&mut tx, session).await?;
    audit::record(&mut tx, Entry::allowed("auth.change_password").target("user", id));
    let credentials = app.identity.credentials().clone();
    tx.after_commit(move || ended.into_iter().for_each(|token| credentials.end(Ended::Token(token))));
    Ok(tx.commit().await?)
}

/// The one membership, or the one that was named.
fn choose<'c>(candidate: &'c Candidate, wanted: Option<&str>) -> Result<&'c Membership, Fault> {
    let all = candidate.memberships.as_slice();
    let matching: Vec<&Membership> = match wanted {
        Some(wanted) => all.iter().filter(|membership| is_named(membership, wanted)).collect(),
        None => all.iter().collect(),
    };
    match matching.as_slice() {
        [only] => Ok(only),
        [] if all.is_empty() => {
            Err(Fault::Forbidden("You are a member of no organization any more.".to_owned()))
        }
        [] => Err(Fault::Invalid(vec![FieldError::new("/organization", "you are not a member of it")])),
        several => Err(Fault::conflict("choose_organization", choices(several))),
    }
}

fn is_named(membership: &Membership, wanted: &str) -> bool {
    membership.organization.to_string() == wanted || membership.name == wanted
}

fn choices(memberships: &[&Membership]) -> String {
    let named = memberships.iter().map(|m| format!("{} ({})", m.organization, m.name));
    let named: Vec<_> = named.collect();
    format!(
        "You are a member of several organizations. Send one of these as `organization`: {}.",
        named.join(", ")
    )
}

async fn make_session(call: &PublicCall, user: UserId, membership: &Membership) -> Result<LoggedIn, Fault> {
    let (now, id, token) = (call.app.clock.now(), SessionId::new(), Minted::session());
    let new = NewSession {
        id,
        user,
        token: token.hash,
        created_at: now,
        expires_at: now + session::ABSOLUTE,
        address: call.meta.address,
        user_agent: call.user_agent.clone(),
    };
    let context = OrgContext {
        organization: membership.organization,
        actor: format!("user:{user}"),
        credential: Some(format!("session:{id}")),
        request_id: call.meta.request_id.clone(),
        address: call.meta.address,
    };
    let mut tx = call.app.db.org(&context)?;
    // The membership may have ended since it was looked up.
    store::sessions::create(&mut tx, &new).await.on_constraint("sessions_membership", || WRONG)?;
    audit::record(&mut tx, Entry::allowed("auth.login").target("session", id));
    tx.commit().await?;
    Ok(LoggedIn {
        token: ShownOnce(token.text),
        session_id: id,
        expires_at: new.expires_at,
        user_id: user,
        organization: OrganizationRef { id: membership.organization, name: membership.name.clone() },
        role: membership.role,
    })
}

/// Leaves a trace where it belongs: in the logs of the organizations whose member somebody tried to be, or, of
/// an unknown address, among the events of the installation.
async fn refuse(
    app: &App,
    meta: &RequestMeta,
    email: &Email,
    known: Option<Candidate>,
    wanted: Option<&str>,
) -> Fault {
    let Some(candidate) = known else {
        let digest = email.digest();
        app.security_events.note(&app.db, "login.unknown", meta, Some(&digest)).await;
        return WRONG;
    };
    let meant = |membership: &&Membership| wanted.is_none_or(|wanted| is_named(membership, wanted));
    for membership in candidate.memberships.iter().filter(meant).take(MOST_LOGS_TOLD) {
        let context = OrgContext {
            organization: membership.organization,
            actor: "anonymous".to_owned(),
            credential: None,
            request_id: meta.request_id.clone(),
            address: meta.address,
        };
        let entry = Entry::refused("auth.login", "unauthenticated").target("user", candidate.id);
        audit::write_alone(&app.db, &context, entry).await;
    }
    WRONG
}
