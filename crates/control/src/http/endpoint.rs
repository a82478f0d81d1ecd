//! The endpoint ledger: a route is a row of data, and everything else is derived from the rows.
//!
//! The router, the OpenAPI document, the authorization and audit tests, the command line and the docs all
//! read the same [`Endpoint`]s. A row cannot be written without saying who may call it ([`Access`]) and, if it
//! changes anything, under which verb it is audited: both are arguments, not options.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use marquee_types::Permission;
use serde::{Serialize, de::DeserializeOwned};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        RefOr,
        path::{Parameter, ParameterIn},
        schema::Schema,
    },
};

use super::{
    call::{Call, PublicCall, RawCall},
    decode,
    reply::Reply,
};
use crate::fault::Fault;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Actors who have this permission.
    Needs(Permission),
    /// Any actor; the text says why no permission is asked.
    AnyActor(&'static str),
    /// Anybody at all; the text says why.
    Public(&'static str),
}

/// How a class of requests is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateClass {
    /// Reads of Marquee's own data.
    Read,
    /// Changes to Marquee's own data.
    Write,
    /// Requests that call a cloud before they are answered.
    Cloud,
    /// Attempts to log in.
    Login,
}

impl RateClass {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Cloud, Self::Login];

    /// The name in `RateLimit-Policy` and the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Cloud => "cloud",
            Self::Login => "login",
        }
    }
}

/// The schemas of one operation, for the OpenAPI document.
#[derive(Clone)]
pub struct Shapes {
    /// Query parameters.
    pub query: Vec<Parameter>,
    /// Name and schema of the request body, if there is one.
    pub request: Option<NamedSchema>,
    /// Name and schema of the answer, if it has a body.
    pub response: Option<NamedSchema>,
    /// All schemas these refer to.
    pub referenced: Vec<(String, RefOr<Schema>)>,
}

/// A schema and the name it stands under in the document.
#[derive(Clone)]
pub struct NamedSchema {
    /// The name.
    pub name: String,
    /// The schema itself.
    pub schema: RefOr<Schema>,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Fault>> + Send>>;

/// What runs when the route is called.
#[derive(Clone)]
pub enum Handler {
    /// After authentication and the permission check.
    Permitted(Arc<dyn Fn(Call, RawCall) -> Answer + Send + Sync>),
    /// For anybody.
    Public(Arc<dyn Fn(PublicCall, RawCall) -> Answer + Send + Sync>),
}

/// One row of the ledger.
#[derive(Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is something a route offers or does not, apart from the others"
)]
pub struct Endpoint {
    /// `noun.verb`, unique; the OpenAPI operation id and, unless GET, the audit verb.
    pub id: &'static str,
    /// The method.
    pub method: Method,
    /// The path, with `{parameters}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// One line for the docs and the command line's help.
    pub summary: &'static str,
    /// The action under which it is audited; `None` only for reads.
    pub audit: Option<&'static str>,
    /// Whether `Idempotency-Key` is taken.
    pub idempotent: bool,
    /// Whether `If-Match` is honoured.
    pub conditional: bool,
    /// Whether `validate_only` is taken.
    pub validates: bool,
    /// Whether `on_conflict` is taken.
    pub waits: bool,
    /// How it is limited.
    pub rate: RateClass,
    /// The status of success.
    pub success: StatusCode,
    /// How long it may take to answer.
    pub time_limit: Duration,
    /// An example of the body, for the docs.
    pub example: Option<fn() -> serde_json::Value>,
    /// The schemas.
    pub shapes: Shapes,
    /// What runs.
    pub handler: Handler,
}

/// The largest body of a request: 256 KiB.
pub const BODY_LIMIT: usize = 256 * 1024;

/// How long an ordinary request may take to answer.
pub const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The body of a request that has none; anything sent is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBody;

/// A request body, or its absence.
pub trait RequestBody: Sized + Send + 'static {
    /// Reads it.
    fn decode(raw: &RawCall) -> Result<Self, Fault>;
    /// Its schema, if there is a body.
    fn shape(referenced: &mut Vec<(String, RefOr<Schema>)>) -> Option<NamedSchema>;
}

impl RequestBody for NoBody {
    fn decode(raw: &RawCall) -> Result<Self, Fault> {
        if raw.body.is_empty() {
            Ok(Self)
        } else {
            Err(Fault::Malformed("This request takes no body.".into()))
        }
    }

    fn shape(_: &mut Vec<(String, RefOr<Schema>)>) -> Option<NamedSchema> {
        None
    }
}

impl<T: DeserializeOwned + ToSchema + Send + 'static> RequestBody for T {
    fn decode(raw: &RawCall) -> Result<Self, Fault> {
        decode::json(raw)
    }

    fn shape(referenced: &mut Vec<(String, RefOr<Schema>)>) -> Option<NamedSchema> {
        Some(named::<T>(referenced))
    }
}

/// The body of an answer, or its absence.
pub trait ResponseBody: Send + 'static {
    /// The bytes of the body; empty for none.
    fn encode(&self) -> Result<Bytes, Fault>;
    /// Its schema, if there is a body.
    fn shape(referenced: &mut Vec<(String, RefOr<Schema>)>) -> Option<NamedSchema>;
}

/// The body of an answer that has none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoContent;

impl ResponseBody for NoContent {
    fn encode(&self) -> Result<Bytes, Fault> {
        Ok(Bytes::new())
    }

    fn shape(_: &mut Vec<(String, RefOr<Schema>)>) -> Option<NamedSchema> {
        None
    }
}

impl<T: Serialize + ToSchema + Send + 'static> ResponseBody for T {
    fn encode(&self) -> Result<Bytes, Fault> {
        serde_json::to_vec(self).map(Bytes::from).map_err(|error| Fault::Internal(error.into()))
    }

    fn shape(referenced: &mut Vec<(String, RefOr<Schema>)>) -> Option<NamedSchema> {
        Some(named::<T>(referenced))
    }
}

fn named<T: ToSchema>(referenced: &mut Vec<(String, RefOr<Schema>)>) -> NamedSchema {
    T::schemas(referenced);
    NamedSchema { name: T::name().into_owned(), schema: <T as PartialSchema>::schema() }
}

/// The query of a route that takes no parameters.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}

impl IntoParams for NoQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        Vec::new()
    }
}

impl Endpoint {
    /// A read: `handler(call, query)`.
    pub fn get<Q, R, F, Fut>(id: &'static str, path: &'static str, access: Permission, handler: F) -> Self
    where
        Q: DeserializeOwned + IntoParams + Send + 'static,
        R: ResponseBody,
        F: Fn(Call, Q) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<Reply<R>, Fault>> + Send + 'static,
    {
        Self::read::<Q, R, _, _>(id, path, Access::Needs(access), handler)
    }

    /// A read that any actor may do, for the stated reason.
    pub fn get_own<Q, R, F, Fut>(id: &'static str, path: &'static str, why: &'static str, handler: F) -> Self
    where
        Q: DeserializeOwned + IntoParams + Send + 'static,
        R: ResponseBody,
        F: Fn(Call, Q) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<Reply<R>, Fault>> + Send + 'static,
    {
        Self::read::<Q, R, _, _>(id, path, Access::AnyActor(why), handler)
    }

    fn read<Q, R, F, Fut>(id: &'static str, path: &'static str, access: Access, handler: F) -> Self
    where
        Q: DeserializeOwned + IntoParams + Send + 'static,
        R: ResponseBody,
        F: Fn(Call, Q) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<Reply<R>, Fault>> + Send + 'static,
    {
        let run = move |call: Call, raw: RawCall| -> Answer {
            let handler = handler.clone();
            Box::pin(async move {
                NoBody::decode(&raw)?;
                let query = decode::query::<Q>(&raw)?;
                handler(call, query).await?.into_response()
            })
        };
        let mut shapes = shapes::<NoBody, R>();
        shapes.query = Q::into_params(|| Some(ParameterIn::Query));
        Self::row(id, Method::GET, path, access, None, shapes, Handler::Permitted(Arc::new(run)))
    }

    /// A POST that changes something: `handler(call, body)`.
    pub fn post<B, R, F, Fut>(id: &'static str, path: &'static str, needs: Permission, handler: F) -> Self
    where
        B: RequestBody,
        R: ResponseBody,
        F: Fn(Call, B) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<Reply<R>, Fault>> + Send + 'static,
    {
        Self::write::<B, R, _, _>(id, Method::POST, path, Access::Needs(needs), handler)
    }

    /// A PUT: `handler(call, body)`.
    pub fn put<B, R, F, Fut>(id: &'static str, path: &'static str, needs: Permission, handler: F) -> Self
    where
        B: RequestBody,
        R: ResponseBody,
        F: Fn(Call, B) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<Reply<R>, Fault>> + Send + 'static,
    {
        let mut row = Self::write::<B, R, _, _>(id, Method::PUT, path, Access::Needs(needs), handler);
        row.conditional = true;
        row
    }

    /// A PATCH: `handler(call, body)`.
    pub fn patch<B, R, F, Fut>(id: &'static str, path: &'static str, needs: Permission, handler: F) -> Self
    where
        B: RequestBody,
        R: ResponseBody,
        F: Fn(Call, B) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<Reply<R>, Fault>> + Send + 'static,
    {
        let mut row = Self::write::<B, R, _, _>(id, Method::PATCH, path, Access::Needs(needs), handler);
        row.conditional = true;
        row
    }

    /// A DELETE: `handler(call)`.
    pub fn delete<R, F, Fut>(id: &'static str, path: &'static str, needs: Permission, handler: F) -> Self
    where
        R: ResponseBody,
        F: Fn(Call) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<Reply<R>, Fault>> + Send + 'static,
    {
        let handler = move |call: Call, _: NoBody| handler(call);
        let mut row = Self::write::<NoBody, R, _, _>(id, Method::DELETE, path, Access::Needs(needs), handler);
        row.conditional = true;
        row
    }

    /// A POST that any actor may do, for the stated reason (to log oneself out, say).
    pub fn post_own<B, R, F, Fut>(id: &'static str, path: &'static str, why: &'static str, handler: F) -> Self
    where
        B: RequestBody,
        R: ResponseBody,
        F: Fn(Call, B) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<Reply<R>, Fault>> + Send + 'static,
    {
        Self::write::<B, R, _, _>(id, Method::POST, path, Access::AnyActor(why), handler)
    }

    /// A POST for anybody, for the stated reason.
    pub fn public_post<B, R, F, Fut>(
        id: &'static str,
        path: &'static str,
        why: &'static str,
        handler: F,
    ) -> Self
    where
        B: RequestBody,
        R: ResponseBody,
        F: Fn(PublicCall, B) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<Reply<R>, Fault>> + Send + 'static,
    {
        let run = move |call: PublicCall, raw: RawCall| -> Answer {
            let handler = handler.clone();
            Box::pin(async move {
                decode::query::<NoQuery>(&raw)?;
                let body = B::decode(&raw)?;
                handler(call, body).await?.into_response()
            })
        };
        let mut row = Self::row(
            id,
            Method::POST,
            path,
            Access::Public(why),
            Some(id),
            shapes::<B, R>(),
            Handler::Public(Arc::new(run)),
        );
        row.rate = RateClass::Login;
        row
    }

    fn write<B, R, F, Fut>(
        id: &'static str,
        method: Method,
        path: &'static str,
        access: Access,
        handler: F,
    ) -> Self
    where
        B: RequestBody,
        R: ResponseBody,
        F: Fn(Call, B) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<Reply<R>, Fault>> + Send + 'static,
    {
        let run = move |call: Call, raw: RawCall| -> Answer {
            let handler = handler.clone();
            Box::pin(async move {
                decode::query::<decode::WriteQuery>(&raw)?;
                let body = B::decode(&raw)?;
                handler(call, body).await?.into_response()
            })
        };
        let mut row = Self::row(
            id,
            method,
            path,
            access,
            Some(id),
            shapes::<B, R>(),
            Handler::Permitted(Arc::new(run)),
        );
        row.rate = RateClass::Write;
        row
    }

    fn row(
        id: &'static str,
        method: Method,
        path: &'static str,
        access: Access,
        audit: Option<&'static str>,
        shapes: Shapes,
        handler: Handler,
    ) -> Self {
        Self {
            id,
            method,
            path,
            access,
            summary: "",
            audit,
            idempotent: false,
            conditional: false,
            validates: false,
            waits: false,
            rate: RateClass::Read,
            success: StatusCode::OK,
            time_limit: TIME_LIMIT,
            example: None,
            shapes,
            handler,
        }
    }

    /// One line for the docs and the command line's help.
    #[must_use]
    pub fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// Takes `Idempotency-Key`: everything that creates does.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Answers 201 and takes `Idempotency-Key`.
    #[must_use]
    pub fn creates(mut self) -> Self {
        self.success = StatusCode::CREATED;
        self.idempotent()
    }

    /// Answers 202 with an operation and takes `Idempotency-Key`.
    #[must_use]
    pub fn starts_operation(mut self) -> Self {
        self.success = StatusCode::ACCEPTED;
        self.idempotent()
    }

    /// Answers 204 without a body.
    #[must_use]
    pub fn no_content(mut self) -> Self {
        self.success = StatusCode::NO_CONTENT;
        self
    }

    /// Takes `?validate_only=true`; the handler honours [`Call::validate_only`].
    #[must_use]
    pub fn validates(mut self) -> Self {
        self.validates = true;
        self
    }

    /// Starts an operation on a thing that only one may have in hand: also takes `?validate_only=true` and `?on_conflict=`, both
    /// honoured by the handler ([`Call::on_conflict`]).
    #[must_use]
    pub fn changes(mut self) -> Self {
        self.waits = true;
        // What is changed is the cloud's, and the plan is made again with what it says then: there is no version to match.
        self.conditional = false;
        self.starts_operation().validates()
    }

    /// Calls a cloud before it answers, and is limited as such.
    #[must_use]
    pub fn calls_cloud(mut self) -> Self {
        self.rate = RateClass::Cloud;
        self
    }

    /// May take longer than [`TIME_LIMIT`].
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// An example of the body, for the docs.
    #[must_use]
    pub fn example(mut self, example: fn() -> serde_json::Value) -> Self {
        self.example = Some(example);
        self
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({}, {:?})", self.method, self.path, self.id, self.access)
    }
}

impl std::fmt::Debug for Shapes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shapes")
            .field("request", &self.request)
            .field("response", &self.response)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for NamedSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Permitted(_) => "Permitted",
            Self::Public(_) => "Public",
        })
    }
}

fn shapes<B: RequestBody, R: ResponseBody>() -> Shapes {
    let mut referenced = Vec::new();
    let request = B::shape(&mut referenced);
    let response = R::shape(&mut referenced);
    Shapes { query: Vec::new(), request, response, referenced }
}
