//! HTTP: everything between a socket and a handler.
//!
//! Reading order: [`endpoint`] (a route is a row), [`dispatch`] (the way of a request), then the parts it
//! uses: [`actor`], [`decode`], [`limits`], [`idempotency`], [`reply`], [`problem`]; [`paging`] and
//! [`filter`] for lists; [`openapi`] and [`reader`] for the description; [`listen`] for sockets and TLS.

pub mod actor;
pub mod call;
pub mod decode;
pub mod dispatch;
pub mod endpoint;
pub mod filter;
pub mod health;
pub mod idempotency;
pub mod limits;
pub mod listen;
pub mod openapi;
pub mod paging;
pub mod problem;
pub mod reader;
pub mod reply;
mod router;
pub mod trace;

pub use actor::{Actor, Credential, Principal, RequestMeta};
pub use call::{Call, PublicCall};
pub use decode::OnConflict;
pub use endpoint::{Access, Endpoint, NoBody, NoContent, NoQuery, RateClass};
pub use paging::{ListQuery, Page, Paging};
pub use reply::Reply;
pub use router::router;
