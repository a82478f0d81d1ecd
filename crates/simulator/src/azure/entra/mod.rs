//! Microsoft Entra: the tenant's configuration and tokens for applications.
//!
//! A world has one tenant. Each subscription has two applications in it: one that may change everything there, and one
//! that may only read. An application shows itself by a secret, by an assertion that it signed with the key of its
//! certificate, or by a token of a workload's own issuer that the application trusts; what runs on a machine is given a
//! token without any of these. Secrets follow from the world's seed; keys and certificate are new in every process.

mod assertion;
mod identity;
mod keys;
mod principal;
mod refusal;
mod token;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;

use chrono::{DateTime, TimeDelta, Utc};
use http::{Method, StatusCode};
use serde_json::{Value, json};

pub use principal::{Principal, Role, named, principals, tenant};
pub use token::read;

use self::{keys::Keys, refusal::Denied};
use crate::{
    face::{Reply, Request},
    faults::{Call, Effects, Refusal},
    plan::Account,
    world::World,
};

/// Seconds that a token is good for.
const LIFETIME: i64 = 3_599;

/// The endpoints of Entra.
#[derive(Default)]
pub struct Entra {
    keys: OnceLock<Result<Keys, String>>,
}

impl Entra {
    /// Its operations, by name.
    pub const ROUTES: [&'static str; 4] = [
        "Microsoft.Entra/configuration",
        "Microsoft.Entra/instance",
        "Microsoft.Entra/token",
        "Microsoft.Entra/managedIdentity",
    ];

    fn keys(&self, world: &World) -> Result<&Keys, String> {
        self.keys.get_or_init(|| Keys::new(world.seed())).as_ref().map_err(Clone::clone)
    }

    /// Answers a request, if it is one for Entra.
    pub fn answer(&self, world: &World, request: &Request) -> Option<Reply> {
        let segments: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        match (&request.method, segments.as_slice()) {
            (&Method::GET, ["common", "discovery", "instance"]) => Some(instance(request)),
            (&Method::GET, [tenant, "v2.0", ".well-known", "openid-configuration"]) => {
                Some(configuration(world, request, tenant))
            }
            (&Method::GET, ["metadata", "identity", "oauth2", "token"]) => {
                Some(identity::answer(world, request).of(Self::ROUTES[3], &Effects::default()))
            }
            (&Method::POST, [tenant, "oauth2", "v2.0", "token"]) => Some(self.token(world, request, tenant)),
            _ => None,
        }
    }

    fn token(&self, world: &World, request: &Request, tenant_asked: &str) -> Reply {
        let operation = Self::ROUTES[2];
        let now = world.clock.real_now();
        let form = Form::read(request);
        let account = principal::by_client(world, form.get("client_id")).map(|found| found.account.clone());
        let call = Call {
            face: Some(crate::FaceName::Azure),
            account: account.as_deref().unwrap_or_default(),
            service: "Microsoft.Entra",
            operation: "token",
            ..Call::default()
        };
        let effects = world.happens(call);
        let outcome = refuse_by_fault(&effects, &form)
            .and_then(|()| self.grant(world, request, tenant_asked, &form, now));
        let reply = match outcome {
            Ok(body) => Reply::new(StatusCode::OK).with("application/json; charset=utf-8", body.to_string()),
            Err(denied) => denied.reply(world, now),
        };
        let reply = reply.header("cache-control", "no-store, no-cache").header("pragma", "no-cache");
        reply.of(operation, &effects)
    }

    /// A token, if whoever asks is who it says.
    fn grant(
        &self,
        world: &World,
        request: &Request,
        tenant_asked: &str,
        form: &Form,
        now: DateTime<Utc>,
    ) -> Result<Value, Denied> {
        if !request.header("content-type").starts_with("application/x-www-form-urlencoded") {
            return Err(Denied::missing("grant_type"));
        }
        known_tenant(world, tenant_asked)?;
        for name in ["grant_type", "client_id", "scope"] {
            if form.get(name).is_empty() {
                return Err(Denied::missing(name));
            }
        }
        if form.get("grant_type") != "client_credentials" {
            return Err(Denied::grant(form.get("grant_type")));
        }
        let client = form.get("client_id");
        let principal = principal::by_client(world, client).ok_or_else(|| Denied::application(client))?;
        self.authenticate(world, request, &principal, form, now)?;
        let audience = audience(form.get("scope"), &request.origin)?;
        let access = token::issue(world, &principal, &audience, now, now + TimeDelta::seconds(LIFETIME));
        Ok(json!({
            "token_type": "Bearer", "expires_in": LIFETIME, "ext_expires_in": LIFETIME, "access_token": access,
        }))
    }

    /// By secret, or by assertion.
    fn authenticate(
        &self,
        world: &World,
        request: &Request,
        principal: &Principal,
        form: &Form,
        now: DateTime<Utc>,
    ) -> Result<(), Denied> {
        let assertion = form.get("client_assertion");
        if assertion.is_empty() {
            return match form.get("client_secret") {
                "" => Err(Denied::no_credential()),
                secret if ring_same(secret, &principal.secret) => Ok(()),
                _ => Err(Denied::secret(&principal.client)),
            };
        }
        if form.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
            return Err(Denied::missing("client_assertion_type"));
        }
        let keys = self.keys(world).map_err(Denied::server)?;
        let tenant = principal::tenant(world);
        let audiences = [
            format!("{}/{tenant}/oauth2/v2.0/token", request.origin),
            format!("{}/{tenant}/v2.0", request.origin),
        ];
        assertion::check(keys, principal, assertion, &audiences, now)
    }

    /// The credentials of an account, as a client takes them. An RSA key is made for them on the first call.
    pub fn credentials(&self, world: &World, account: &Account, origin: &str) -> Value {
        let tenant = principal::tenant(world);
        let [owner, reader] = [Role::Contributor, Role::Reader].map(|role| named(world, account, role));
        let mut value = json!({
            "tenant_id": tenant,
            "subscription_id": account.id,
            "authority": origin,
            "endpoint": origin,
            "client_id": owner.client,
            "client_secret": owner.secret,
            "object_id": owner.object,
            "reader_client_id": reader.client,
            "reader_client_secret": reader.secret,
        });
        match self.keys(world) {
            Ok(keys) => {
                value["certificate"] = json!(keys.certificate);
                let now = world.clock.real_now();
                value["federated_token"] = json!(assertion::federated(keys, &owner, now));
            }
            Err(error) => value["certificate_error"] = json!(error),
        }
        value
    }
}

/// The form of a request for a token.
struct Form(Vec<(String, String)>);

impl Form {
    fn read(request: &Request) -> Self {
        Self(form_urlencoded::parse(&request.body).into_owned().collect())
    }

    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }
}

/// Compares in constant time, out of habit.
fn ring_same(one: &str, other: &str) -> bool {
    let digest = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest(one).as_ref() == digest(other).as_ref()
}

fn refuse_by_fault(effects: &Effects, form: &Form) -> Result<(), Denied> {
    match &effects.refusal {
        // A token needs no permission.
        None | Some(Refusal::Denied(_)) => Ok(()),
        Some(Refusal::Revoked) => Err(Denied::secret(form.get("client_id"))),
        Some(Refusal::Expired) => Err(Denied::secret_expired(form.get("client_id"))),
        Some(Refusal::Throttled { retry_after }) => Err(Denied::throttled(*retry_after)),
        Some(Refusal::Failing(status)) => Err(Denied::failing(*status)),
        Some(Refusal::RegionLost) => Err(Denied::failing(503)),
    }
}

/// Only the world's tenant is known, by its id.
fn known_tenant(world: &World, asked: &str) -> Result<(), Denied> {
    if asked.eq_ignore_ascii_case(&tenant(world)) { Ok(()) } else { Err(Denied::tenant(asked)) }
}

/// The audience of a scope: the resource manager, by the vendor's name for it or by where it listens; or storage, whose
/// data is not simulated.
fn audience(scope: &str, origin: &str) -> Result<String, Denied> {
    let Some(resource) = scope.strip_suffix("/.default") else { return Err(Denied::scope(scope)) };
    let resource = resource.trim_end_matches('/');
    let known = [
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://storage.azure.com",
        origin,
    ];
    if known.contains(&resource) { Ok(resource.to_owned()) } else { Err(Denied::resource(resource)) }
}

/// What clients ask to know whether an authority is one of the vendor's.
fn instance(request: &Request) -> Reply {
    let tenant = request.query_pairs().into_iter().find(|(name, _)| name == "authorization_endpoint");
    let endpoint = tenant.map(|(_, url)| url).unwrap_or_default();
    let base = endpoint.split("/oauth2/").next().unwrap_or_default();
    let host = request.origin.split("://").last().unwrap_or_default();
    let body = json!({
        "tenant_discovery_endpoint": format!("{base}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [{ "preferred_network": host, "preferred_cache": host, "aliases": [host] }],
    });
    let reply = Reply::new(StatusCode::OK).with("application/json; charset=utf-8", body.to_string());
    reply.of(Entra::ROUTES[1], &Effects::default())
}

/// The configuration of a tenant.
fn configuration(world: &World, request: &Request, asked: &str) -> Reply {
    let operation = Entra::ROUTES[0];
    if let Err(denied) = known_tenant(world, asked) {
        return denied.reply(world, world.clock.real_now()).of(operation, &Effects::default());
    }
    let (origin, tenant) = (&request.origin, tenant(world));
    let body = json!({
        "issuer": format!("{origin}/{tenant}/v2.0"),
        "authorization_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/token"),
        "device_authorization_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/devicecode"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
        "tenant_region_scope": "EU",
        "cloud_instance_name": origin.split("://").last(),
    });
    let reply = Reply::new(StatusCode::OK).with("application/json; charset=utf-8", body.to_string());
    reply.of(operation, &Effects::default())
}
