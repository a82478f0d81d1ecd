//! Who may come in: the access keys of the accounts, roles that others may assume, and the sessions that come of it.
//!
//! No key and no session is stored. A key's id holds its account, as AWS's do; a session's token holds who it is for and
//! how long, under a seal; the secrets follow from the ids and the world's seed. Policies of permissions are not
//! simulated: whoever may come in may do all in the account.

mod trust;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD, prelude::BASE64_STANDARD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    ask::{Ask, object, stamp},
    protocol::Refusal,
    service::{Answered, Handler, Row},
    sigv4::Key,
};
use crate::{
    estate::{Estate, Thing},
    face::FaceName,
    plan::Account,
    seed::Seed,
    world::World,
};

/// STS.
pub const STS: &[Row] =
    &[("GetCallerIdentity", Handler::Read(caller_identity)), ("AssumeRole", Handler::Write(assume_role))];

/// IAM: what assuming roles needs.
pub const IAM: &[Row] = &[
    ("CreateRole", Handler::Write(create_role)),
    ("DeleteRole", Handler::Write(delete_role)),
    ("GetRole", Handler::Read(get_role)),
    ("ListAccountAliases", Handler::Read(account_aliases)),
    ("UpdateAssumeRolePolicy", Handler::Write(update_trust)),
];

const ROLES: &str = "iam/role";
const GLOBAL: &str = "global";
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub arn: String,
    pub user_id: String,
}

/// What a session's token says.
#[derive(Debug, Serialize, Deserialize)]
struct Session {
    account: String,
    role: String,
    role_id: String,
    name: String,
    expires: DateTime<Utc>,
    number: u64,
}

/// The access key of an account: its id and its secret.
pub fn access_key(seed: Seed, account: &Account) -> (String, String) {
    let number = account.id.parse::<u128>().unwrap_or_default() & 0xff_ffff_ffff;
    let noise = u128::from(seed.number(&["aws-key", &account.id]) & 0xff_ffff_ffff);
    let id = key_id("AKIA", number << 40 | noise);
    let secret = secret(seed, &id);
    (id, secret)
}

/// Finds who a key belongs to, with the token that came with it.
pub fn find<'w>(world: &'w World, id: &str, token: Option<&str>) -> Option<(Key, Caller, &'w Account)> {
    if id.starts_with("ASIA") {
        return session(world, id, token?);
    }
    let number = id.strip_prefix("AKIA")?.bytes().try_fold(0_u128, |number, letter| {
        let digit = LETTERS.iter().position(|known| *known == letter)?;
        Some(number << 5 | digit as u128)
    })?;
    let account = world.plan.account(FaceName::Aws, &format!("{:012}", number >> 40))?;
    let (known, secret) = access_key(world.seed(), account);
    if known != id {
        return None;
    }
    let caller = Caller {
        arn: format!("arn:aws:iam::{}:user/marquee", account.id),
        user_id: key_id("AIDA", u128::from(world.seed().number(&["aws-user", &account.id])) << 16),
    };
    Some((Key { secret, token: None, expired: false }, caller, account))
}

fn session<'w>(world: &'w World, id: &str, token: &str) -> Option<(Key, Caller, &'w Account)> {
    let seed = world.seed();
    let (payload, seal) = token.split_once('.')?;
    if seal != seed.hex(&["aws-session", payload], 48) || id != session_key(seed, payload) {
        return None;
    }
    let session: Session = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let account = world.plan.account(FaceName::Aws, &session.account)?;
    let key = Key {
        secret: secret(seed, id),
        token: Some(token.to_owned()),
        expired: session.expires <= world.clock.real_now(),
    };
    Some((key, session.caller(), account))
}

impl Session {
    fn caller(&self) -> Caller {
        Caller {
            arn: format!("arn:aws:sts::{}:assumed-role/{}/{}", self.account, self.role, self.name),
            user_id: format!("{}:{}", self.role_id, self.name),
        }
    }
}

fn key_id(prefix: &str, mut number: u128) -> String {
    let mut letters = [0_u8; 16];
    for letter in letters.iter_mut().rev() {
        *letter = LETTERS[usize::try_from(number & 31).unwrap_or_default()];
        number >>= 5;
    }
    format!("{prefix}{}", String::from_utf8_lossy(&letters))
}

fn session_key(seed: Seed, payload: &str) -> String {
    let bytes = seed.bytes(&["aws-session-key", payload]);
    key_id("ASIA", bytes[..10].iter().fold(0, |number, byte| number << 8 | u128::from(*byte)))
}

fn secret(seed: Seed, id: &str) -> String {
    BASE64_STANDARD.encode(&seed.bytes(&["aws-secret", id])[..30])
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a handler")]
fn caller_identity(ask: &Ask<'_>, _: &Estate) -> Answered {
    let Caller { arn, user_id } = ask.caller;
    Ok(json!({ "Account": ask.owner(), "Arn": arn, "UserId": user_id }).into())
}

fn assume_role(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let arn = ask.need("RoleArn");
    let denied = || {
        let message = format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
            ask.caller.arn
        );
        Refusal::new("AccessDenied", message).status(403)
    };
    let mut parts = arn.split(':').skip(4);
    let (owner, name) = parts.next().zip(parts.next()).ok_or_else(denied)?;
    let name = name.strip_prefix("role/").ok_or_else(denied)?;
    let account = ask.world.plan.account(FaceName::Aws, owner).ok_or_else(denied)?;
    let role = estate.get(&account.id, ROLES, GLOBAL, name, ask.now).ok_or_else(denied)?;
    let body = role.body.read();
    let policy = body.get("AssumeRolePolicyDocument").and_then(Value::as_str).unwrap_or_default();
    if !trust::allows(policy, ask.owner(), &ask.caller.arn, ask.text("ExternalId")) {
        return Err(denied());
    }
    let longest = body.get("MaxSessionDuration").and_then(Value::as_i64).unwrap_or(3600);
    let seconds = ask.number("DurationSeconds").unwrap_or(3600);
    if seconds > longest {
        let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(Refusal::new("ValidationError", message));
    }
    let session = Session {
        account: owner.to_owned(),
        role: name.to_owned(),
        role_id: body.get("RoleId").and_then(Value::as_str).unwrap_or_default().to_owned(),
        name: ask.need("RoleSessionName").to_owned(),
        expires: ask.world.clock.real_now() + TimeDelta::seconds(seconds),
        number: estate.next_number(),
    };
    let payload = serde_json::to_vec(&session).map_err(|error| Refusal::internal(error.to_string()))?;
    let payload = URL_SAFE_NO_PAD.encode(payload);
    let seed = ask.world.seed();
    let id = session_key(seed, &payload);
    let Caller { arn, user_id } = session.caller();
    Ok(json!({
        "Credentials": {
            "SecretAccessKey": secret(seed, &id),
            "AccessKeyId": id,
            "SessionToken": format!("{payload}.{}", seed.hex(&["aws-session", &payload], 48)),
            "Expiration": stamp(session.expires),
        },
        "AssumedRoleUser": { "AssumedRoleId": user_id, "Arn": arn },
    })
    .into())
}

fn create_role(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let name = ask.need("RoleName");
    if estate.get(ask.owner(), ROLES, GLOBAL, name, ask.now).is_some() {
        let message = format!("Role with name {name} already exists.");
        return Err(Refusal::new("EntityAlreadyExists", message));
    }
    let policy = ask.need("AssumeRolePolicyDocument");
    trust::check(policy)?;
    let mut role = Thing::new(name, GLOBAL, ask.now, "active");
    role.tags = super::ask::tags_of(ask.list("Tags"));
    let number = u128::from(estate.next_number());
    role.body = json!({
        "RoleId": key_id("AROA", number << 40 | u128::from(ask.world.seed().number(&["role", name]) >> 24)),
        "AssumeRolePolicyDocument": policy,
        "MaxSessionDuration": ask.number("MaxSessionDuration").unwrap_or(3600),
        "Description": ask.text("Description"),
    })
    .into();
    let shown = shown_role(ask, &role);
    ask.add(estate, ROLES, role);
    Ok(object([("Role", shown)]).into())
}

fn get_role(ask: &Ask<'_>, estate: &Estate) -> Answered {
    let name = ask.need("RoleName");
    let role = estate.get(ask.owner(), ROLES, GLOBAL, name, ask.now).ok_or_else(|| no_role(name))?;
    Ok(object([("Role", shown_role(ask, role))]).into())
}

fn delete_role(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let name = ask.need("RoleName");
    if !estate.end(ask.cause(), ROLES, GLOBAL, name, ask.now) {
        return Err(no_role(name));
    }
    Ok(Value::Null.into())
}

fn update_trust(ask: &Ask<'_>, estate: &mut Estate) -> Answered {
    let (name, policy) = (ask.need("RoleName"), ask.need("PolicyDocument"));
    trust::check(policy)?;
    let role = estate.get_mut(ask.owner(), ROLES, GLOBAL, name, ask.now).ok_or_else(|| no_role(name))?;
    role.body.edit(|body| {
        body.insert("AssumeRolePolicyDocument".to_owned(), policy.into());
    });
    Ok(Value::Null.into())
}

fn no_role(name: &str) -> Refusal {
    Refusal::new("NoSuchEntity", format!("The role with name {name} cannot be found."))
}

fn shown_role(ask: &Ask<'_>, role: &Thing) -> Value {
    let mut shown = role.body.read();
    shown.insert("RoleName".to_owned(), Value::from(&*role.id));
    shown.insert("Path".to_owned(), "/".into());
    shown.insert("Arn".to_owned(), format!("arn:aws:iam::{}:role/{}", ask.owner(), role.id).into());
    shown.insert("CreateDate".to_owned(), stamp(role.born));
    // Shown as AWS does: as the text of a URL.
    if let Some(policy) = shown.get_mut("AssumeRolePolicyDocument") {
        let text = policy.as_str().unwrap_or_default();
        let encoded = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        *policy = encoded.to_string().into();
    }
    Value::Object(shown)
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a handler")]
fn account_aliases(ask: &Ask<'_>, _: &Estate) -> Answered {
    Ok(json!({ "AccountAliases": [ask.account.name], "IsTruncated": false }).into())
}
