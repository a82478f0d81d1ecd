//! The way of a request through the face, and what refuses it before its handler is asked.

mod words;

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    ask::Ask,
    grow,
    identity::{self, Caller},
    permission,
    protocol::{self, Answer, Dialect, Output, Refusal},
    s3,
    schema::Operation,
    service::{self, Handler, Service},
    sigv4::{Claim, Flaw},
    unsupported,
};
use crate::{
    estate::{Estate, Replay},
    face::{Face, FaceName, Reply, Request},
    faults::{Call, Effects},
    plan::{Account, Group, Region},
    world::{GrowError, World},
};
use words::{fault_refusal, flaw_refusal};

/// AWS.
#[derive(Debug, Default)]
pub struct Aws {
    services: Vec<Service>,
    answered: AtomicU64,
}

/// A handler that changes something.
type Change = fn(&Ask<'_>, &mut Estate) -> service::Answered;

/// Services whose calls belong to no region, wherever they are signed for.
const GLOBAL: &[&str] = &["sts", "iam", "route53", "ce", "pricing", "s3"];

/// Members that ask for a page after the first.
const TOKENS: &[&str] = &["NextToken", "Marker", "ContinuationToken", "NextPageToken", "StartRecordName"];

/// A request as far as it was understood, for whatever answer it gets.
struct Heard<'a> {
    service: &'a Service,
    dialect: Dialect,
    operation: String,
    effects: Effects,
}

impl Aws {
    /// The face. Without its committed schemas it answers nothing but that it is broken.
    pub fn new() -> Self {
        let services = service::all().unwrap_or_else(|error| {
            tracing::error!(%error, "a schema of AWS cannot be read");
            Vec::new()
        });
        Self { services, answered: AtomicU64::new(0) }
    }

    fn service(&self, signing_name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.schema.signing_name() == signing_name)
    }

    /// The services, for what is told of them.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Hears a request; only a face without services cannot.
    fn hear(
        &self,
        world: &World,
        request: &protocol::Request,
        id: &str,
    ) -> Option<(Result<Answer, Refusal>, Heard<'_>)> {
        let claim = Claim::of(request);
        // Whoever does not sign does not say for which service; EC2's way of refusing is as good as any.
        let wanted = claim.as_ref().map_or(unsigned_service(request), |claim| claim.service.as_str());
        let found = self.service(wanted);
        let service = found.or(self.services.first())?;
        let dialect = Dialect::of(&service.schema, request);
        let mut heard = Heard { service, dialect, operation: String::new(), effects: Effects::default() };
        let answer = match claim {
            Err(flaw) => Err(flaw_refusal(&flaw, service, dialect)),
            Ok(claim) if found.is_none() => {
                let message = format!("The service {} is not simulated", claim.service);
                Err(Refusal::new("InvalidAction", message).status(400))
            }
            Ok(claim) => heard.handle(world, request, &claim, id),
        };
        Some((answer, heard))
    }
}

fn unsigned_service(request: &protocol::Request) -> &'static str {
    if request.method == http::Method::POST { "ec2" } else { "s3" }
}

impl Face for Aws {
    fn name(&self) -> FaceName {
        FaceName::Aws
    }

    fn answer(&self, world: &World, request: &Request) -> Reply {
        let request = protocol::Request {
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
        };
        let number = self.answered.fetch_add(1, Ordering::Relaxed).to_string();
        let id = world.seed().uuid(&["request", &number]);
        let Some((answer, heard)) = self.hear(world, &request, &id) else {
            return Reply::new(http::StatusCode::INTERNAL_SERVER_ERROR);
        };
        let answer =
            answer.unwrap_or_else(|refusal| refusal.answer(&heard.service.schema, heard.dialect, &id));
        let mut reply = Reply::new(answer.status);
        reply.headers = answer.headers;
        reply.body = if request.method == http::Method::HEAD { bytes::Bytes::new() } else { answer.body };
        let named =
            if heard.service.schema.signing_name() == "s3" { "x-amz-request-id" } else { "x-amzn-requestid" };
        reply.header(named, &id).of(&heard.operation, &heard.effects)
    }

    fn routes(&self) -> Vec<String> {
        let of = |service: &Service| {
            let name = service.name;
            service
                .operations()
                .into_iter()
                .map(move |operation| format!("{name}:{operation}"))
                .collect::<Vec<_>>()
        };
        self.services.iter().flat_map(of).collect()
    }

    fn credentials(&self, world: &World, account: &Account, origin: &str) -> Value {
        let (id, secret) = identity::access_key(world.seed(), account);
        serde_json::json!({
            "access_key_id": id,
            "secret_access_key": secret,
            "account_id": account.id,
            "region": account.regions.first().map(|region| region.id.clone()),
            "endpoint": origin,
        })
    }

    fn grow(
        &self,
        world: &World,
        estate: &mut Estate,
        account: &Account,
        group: &Group,
    ) -> Result<(), GrowError> {
        grow::group(world, estate, account, group)
    }
}

impl Heard<'_> {
    fn handle(
        &mut self,
        world: &World,
        request: &protocol::Request,
        claim: &Claim,
        id: &str,
    ) -> Result<Answer, Refusal> {
        let (service, dialect) = (self.service, self.dialect);
        let flawed = |flaw: &Flaw| flaw_refusal(flaw, service, dialect);
        let known = identity::find(world, &claim.key_id, claim.token());
        let key = known.as_ref().map(|(key, _, _)| key);
        let body = claim.verify(request, key, world.clock.real_now()).map_err(|flaw| flawed(&flaw))?;
        let (_, caller, account) = known.ok_or_else(|| flawed(&Flaw::UnknownKey))?;
        let request = protocol::Request { body, ..request.clone() };
        let (operation, input) = dialect.read(&service.schema, &request)?;
        self.operation = format!("{}:{}", service.name, operation.name);
        unsupported::check(service.name, dialect, &input)?;
        let region = self.region(account, &claim.region)?;
        let now = world.clock.now();
        let permission = permission::of(service.name, &operation.name);
        let faulty = Call { permission: &permission, ..self.call(account, region, operation, &input) };
        self.effects = world.happens(faulty);
        if let Some(refusal) = &self.effects.refusal {
            return Err(fault_refusal(refusal, service, dialect, &caller.arn));
        }
        // Computed before anyone is kept waiting.
        let upload = (self.operation == "s3:PutObject").then(|| s3::Upload::of(&request.body));
        let ask = Ask {
            world,
            account,
            caller: &caller,
            region,
            operation: &self.operation,
            input: &input,
            body: &request.body,
            upload: upload.as_ref(),
            effects: &self.effects,
            now,
        };
        let output = run(service, operation, &ask)?;
        dialect.write(&service.schema, operation, output, id)
    }

    /// Where the call goes. A region that the account may not use does not know its keys.
    fn region<'a>(&self, account: &'a Account, name: &str) -> Result<&'a Region, Refusal> {
        let found = account.region(name).filter(|region| region.enabled);
        let global = GLOBAL.contains(&self.service.name);
        found
            .or_else(|| account.regions.first().filter(|_| global))
            .ok_or_else(|| flaw_refusal(&Flaw::UnknownKey, self.service, self.dialect))
    }

    fn call<'a>(
        &self,
        account: &'a Account,
        region: &'a Region,
        operation: &'a Operation,
        input: &'a Value,
    ) -> Call<'a>
    where
        Self: 'a,
    {
        let global = GLOBAL.contains(&self.service.name) && self.service.name != "s3";
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        let zone = text("AvailabilityZone")
            .or_else(|| input.get("Placement")?.get("AvailabilityZone")?.as_str())
            .unwrap_or_default();
        Call {
            face: Some(FaceName::Aws),
            account: &account.id,
            region: if global { "global" } else { &region.id },
            zone,
            service: self.service.name,
            operation: &operation.name,
            later_page: TOKENS.iter().any(|name| text(name).is_some()),
            ..Call::default()
        }
    }
}

/// Runs an operation's handler.
fn run(service: &Service, operation: &Operation, ask: &Ask<'_>) -> Result<Output, Refusal> {
    if service.name == "ec2" && ask.flag("DryRun") {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Refusal::new("DryRunOperation", message).status(412));
    }
    match service.handler(&operation.name) {
        Some(Handler::Read(handler)) => handler(ask, &ask.world.read()),
        Some(Handler::Write(handler)) => once(service, handler, ask),
        None => Err(Refusal::internal(format!("{} has no handler", operation.name))),
    }
}

/// How long a token of idempotency means its request.
const TOKENS_KEPT: chrono::TimeDelta = chrono::TimeDelta::hours(24);

/// Runs a handler that changes something: with the same token of idempotency only once. Launches look to it themselves,
/// since their answer tells how the instances are by now.
fn once(service: &Service, handler: Change, ask: &Ask<'_>) -> Result<Output, Refusal> {
    let mut estate = ask.world.write();
    let token =
        ask.text("ClientToken").filter(|_| service.name == "ec2" && ask.operation != "ec2:RunInstances");
    let Some(token) = token else { return handler(ask, &mut estate) };
    let scope = format!("{}/{}/{}", ask.operation, ask.owner(), ask.place());
    let request = ask.input.to_string();
    match estate.replay(&scope, token, &request, ask.now) {
        Replay::Same(answer) => Ok(answer.into()),
        Replay::Other => {
            let message = "The client token was used with other parameters before.";
            Err(Refusal::new("IdempotentParameterMismatch", message))
        }
        Replay::New => {
            let output = handler(ask, &mut estate)?;
            let until = Some(ask.now + TOKENS_KEPT);
            estate.remember(&scope, token, &request, output.value.clone(), (ask.now, until));
            Ok(output)
        }
    }
}

/// Runs an operation at another time than now, on an estate that is just being made.
pub(super) fn run_grown(handler: Change, ask: &Ask<'_>, estate: &mut Estate) -> Result<Value, GrowError> {
    let answered = handler(ask, estate);
    answered
        .map(|output| output.value)
        .map_err(|refusal| GrowError(format!("{}: {}: {}", ask.operation, refusal.code, refusal.message)))
}

/// The caller that a world is grown by.
pub(super) fn gardener(account: &Account) -> Caller {
    Caller { arn: format!("arn:aws:iam::{}:root", account.id), user_id: account.id.to_string() }
}

/// An ask to grow something by.
pub(super) fn growing<'a>(
    (world, account, region): (&'a World, &'a Account, &'a Region),
    caller: &'a Caller,
    effects: &'a Effects,
    operation: &'a str,
    input: &'a Value,
    now: DateTime<Utc>,
) -> Ask<'a> {
    static NO_BODY: bytes::Bytes = bytes::Bytes::new();
    Ask { world, account, caller, region, operation, input, body: &NO_BODY, upload: None, effects, now }
}
