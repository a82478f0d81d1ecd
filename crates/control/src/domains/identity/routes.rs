//! The endpoints of identity.

use marquee_types::{ApiKeyId, Permission, SessionId, UserId};
use serde_json::{Value, json};

use super::{
    actions, store,
    wire::{
        ApiKey, ChangePassword, CreateApiKey, CreateMember, CreatedApiKey, LoggedIn, Login, Me, Member,
        Organization, OrganizationRef, Session, SessionsQuery, UpdateMember, UpdateOrganization,
    },
};
use crate::{
    fault::Fault,
    http::{
        Call, Credential, Endpoint, ListQuery, NoBody, NoContent, NoQuery, Page, Paging, PublicCall, Reply,
    },
};

/// The rows of the ledger.
pub fn routes() -> Vec<Endpoint> {
    [authentication(), organization(), members(), sessions(), api_keys()].concat()
}

fn authentication() -> Vec<Endpoint> {
    vec![
        Endpoint::public_post("auth.login", "/api/auth/login", "whoever logs in is not known yet", login)
            .summary("Log in with e-mail and password")
            .example(login_example),
        Endpoint::post_own("auth.logout", "/api/auth/logout", "everybody may leave", logout)
            .summary("End the session of this request")
            .no_content(),
        Endpoint::get_own("auth.whoami", "/api/auth/whoami", "everybody may know who they are", whoami)
            .summary("Show who the caller is and what they may do"),
        Endpoint::post_own(
            "auth.change_password",
            "/api/auth/password",
            "the password is their own",
            change_password,
        )
        .summary("Change one's own password and end all other sessions")
        .example(change_password_example)
        .no_content(),
    ]
}

fn organization() -> Vec<Endpoint> {
    const PATH: &str = "/api/organizations/current";
    vec![
        Endpoint::get("organizations.get", PATH, Permission::OrganizationsRead, show_organization)
            .summary("Show the organization of the session or key"),
        Endpoint::patch("organizations.update", PATH, Permission::OrganizationsUpdate, update_organization)
            .summary("Rename the organization")
            .example(update_organization_example)
            .validates(),
    ]
}

fn members() -> Vec<Endpoint> {
    const ALL: &str = "/api/members";
    const ONE: &str = "/api/members/{id}";
    vec![
        Endpoint::get("members.list", ALL, Permission::MembersRead, list_members).summary("List the members"),
        Endpoint::post("members.create", ALL, Permission::MembersManage, create_member)
            .summary("Make an account and its membership")
            .example(create_member_example)
            .validates()
            .creates(),
        Endpoint::get("members.get", ONE, Permission::MembersRead, show_member).summary("Show a member"),
        Endpoint::patch("members.update", ONE, Permission::MembersManage, update_member)
            .summary("Change a member's role")
            .example(update_member_example)
            .validates(),
        Endpoint::delete("members.delete", ONE, Permission::MembersManage, delete_member)
            .summary("Remove a member with their sessions and API keys")
            .validates()
            .no_content(),
    ]
}

fn sessions() -> Vec<Endpoint> {
    vec![
        Endpoint::get("sessions.list", "/api/sessions", Permission::SessionsRead, list_sessions)
            .summary("List one's own sessions, or everyone's"),
        Endpoint::delete("sessions.revoke", "/api/sessions/{id}", Permission::SessionsRevoke, revoke_session)
            .summary("End a session")
            .no_content(),
    ]
}

fn api_keys() -> Vec<Endpoint> {
    const ALL: &str = "/api/api-keys";
    const ONE: &str = "/api/api-keys/{id}";
    vec![
        Endpoint::get("api_keys.list", ALL, Permission::ApiKeysRead, list_api_keys)
            .summary("List the API keys"),
        Endpoint::post("api_keys.create", ALL, Permission::ApiKeysManage, create_api_key)
            .summary("Make an API key; its secret is shown once")
            .example(create_api_key_example)
            .validates()
            .creates(),
        Endpoint::get("api_keys.get", ONE, Permission::ApiKeysRead, show_api_key).summary("Show an API key"),
        Endpoint::delete("api_keys.delete", ONE, Permission::ApiKeysManage, revoke_api_key)
            .summary("Revoke an API key")
            .validates()
            .no_content(),
    ]
}

async fn login(call: PublicCall, body: Login) -> Result<Reply<LoggedIn>, Fault> {
    actions::login::log_in(&call, body).await.map(Reply::new)
}

async fn logout(call: Call, _: NoBody) -> Result<Reply<NoContent>, Fault> {
    actions::login::log_out(&call).await?;
    Ok(Reply::new(NoContent))
}

async fn change_password(call: Call, body: ChangePassword) -> Result<Reply<NoContent>, Fault> {
    actions::login::change_password(&call, body).await?;
    Ok(Reply::new(NoContent))
}

async fn whoami(call: Call, _: NoQuery) -> Result<Reply<Me>, Fault> {
    let mut tx = call.tx()?;
    let user = store::users::person(&mut tx, call.actor.user()).await?.ok_or(Fault::NotFound("user"))?;
    let (organization, _) =
        store::organizations::current(tx).await?.ok_or(Fault::NotFound("organization"))?;
    let (session_id, api_key_id) = match call.actor.credential {
        Credential::Session(id) => (Some(id), None),
        Credential::ApiKey(id) => (None, Some(id)),
    };
    Ok(Reply::new(Me {
        user,
        organization: OrganizationRef { id: organization.id, name: organization.name },
        role: call.actor.role,
        session_id,
        api_key_id,
        permissions: call.actor.permissions.iter().collect(),
    }))
}

async fn show_organization(call: Call, _: NoQuery) -> Result<Reply<Organization>, Fault> {
    let found = store::organizations::current(call.tx()?).await?;
    let (organization, revision) = found.ok_or(Fault::NotFound("organization"))?;
    Ok(Reply::new(organization).version(revision))
}

async fn update_organization(call: Call, body: UpdateOrganization) -> Result<Reply<Organization>, Fault> {
    let (organization, revision) = actions::organizations::update(&call, &body).await?;
    Ok(Reply::new(organization).version(revision))
}

async fn list_members(call: Call, query: ListQuery) -> Result<Reply<Page<Member>>, Fault> {
    let paging = Paging::new(&call.app, query.limit, query.cursor.as_deref(), "members".to_owned())?;
    let members = store::members::page(call.tx()?, paging.after, paging.fetch()).await?;
    paging.page(&call.app, members, |member| member.id).map(Reply::new)
}

async fn create_member(call: Call, body: CreateMember) -> Result<Reply<Member>, Fault> {
    let member = actions::members::create(&call, body).await?;
    let (revision, path) = (member.revision, format!("/api/members/{}", member.id));
    Ok(Reply::new(member).version(revision).location(&path))
}

async fn show_member(call: Call, _: NoQuery) -> Result<Reply<Member>, Fault> {
    let id: UserId = call.id("member")?;
    let member = store::members::one(call.tx()?, id).await?.ok_or(Fault::NotFound("member"))?;
    let revision = member.revision;
    Ok(Reply::new(member).version(revision))
}

async fn update_member(call: Call, body: UpdateMember) -> Result<Reply<Member>, Fault> {
    let member = actions::members::update(&call, call.id("member")?, &body).await?;
    let revision = member.revision;
    Ok(Reply::new(member).version(revision))
}

async fn delete_member(call: Call) -> Result<Reply<NoContent>, Fault> {
    actions::members::remove(&call, call.id("member")?).await?;
    Ok(Reply::new(NoContent))
}

async fn list_sessions(call: Call, query: SessionsQuery) -> Result<Reply<Page<Session>>, Fault> {
    let of = if query.everyone {
        call.require(Permission::MembersManage)?;
        None
    } else {
        Some(call.actor.user())
    };
    let binding = format!("sessions everyone={}", query.everyone);
    let paging = Paging::new(&call.app, query.limit, query.cursor.as_deref(), binding)?;
    let now = call.app.clock.now();
    let mut sessions = store::sessions::page(call.tx()?, of, paging.after, now, paging.fetch()).await?;
    for session in &mut sessions {
        session.current = call.actor.credential == Credential::Session(session.id);
    }
    paging.page(&call.app, sessions, |session| session.id).map(Reply::new)
}

async fn revoke_session(call: Call) -> Result<Reply<NoContent>, Fault> {
    let id: SessionId = call.id("session")?;
    actions::sessions::revoke(&call, id).await?;
    Ok(Reply::new(NoContent))
}

async fn list_api_keys(call: Call, query: ListQuery) -> Result<Reply<Page<ApiKey>>, Fault> {
    let paging = Paging::new(&call.app, query.limit, query.cursor.as_deref(), "api_keys".to_owned())?;
    let keys = store::api_keys::page(call.tx()?, paging.after, paging.fetch()).await?;
    paging.page(&call.app, keys, |key| key.id).map(Reply::new)
}

async fn create_api_key(call: Call, body: CreateApiKey) -> Result<Reply<CreatedApiKey>, Fault> {
    let created = actions::api_keys::create(&call, body).await?;
    let path = format!("/api/api-keys/{}", created.key.id);
    Ok(Reply::new(created).location(&path).shown_once("secret"))
}

async fn show_api_key(call: Call, _: NoQuery) -> Result<Reply<ApiKey>, Fault> {
    let id: ApiKeyId = call.id("API key")?;
    let key = store::api_keys::one(call.tx()?, id).await?.ok_or(Fault::NotFound("API key"))?;
    Ok(Reply::new(key))
}

async fn revoke_api_key(call: Call) -> Result<Reply<NoContent>, Fault> {
    actions::api_keys::revoke(&call, call.id("API key")?).await?;
    Ok(Reply::new(NoContent))
}

fn login_example() -> Value {
    json!({ "email": "ana@example.com", "password": "correct horse battery" })
}

fn change_password_example() -> Value {
    json!({ "current_password": "correct horse battery", "new_password": "staple horse correct" })
}

fn update_organization_example() -> Value {
    json!({ "name": "Villa Cora Weddings" })
}

fn create_member_example() -> Value {
    json!({ "email": "ben@example.com", "name": "Ben", "role": "engineer", "password": "correct horse battery" })
}

fn update_member_example() -> Value {
    json!({ "role": "manager" })
}

fn create_api_key_example() -> Value {
    json!({
        "name": "nightly inventory export",
        "scopes": ["providers.read", "resources.read"],
        "expires_at": "2027-01-31T00:00:00Z",
    })
}
