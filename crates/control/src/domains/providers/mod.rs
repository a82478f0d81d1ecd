//! Providers: the cloud accounts an organization has connected.
//!
//! A provider is a name, a kind (which adapter), settings (which regions, where the endpoint is) and
//! credentials. The rules:
//!
//! * Credentials go in and never come out. They are verified with the cloud *before* anything is stored, unless
//!   the caller says `"verify": false`; then the provider is stored unverified and says so.
//! * Credentials are bound to what they may be sent to: kind, endpoint, account, role. Whoever changes one of
//!   these must enter them again; the database enforces it too, since the binding is part of what the
//!   credentials are encrypted under.
//! * A provider may only ask for endpoints and for the server's own identity where the server's configuration
//!   allows it.
//! * Disconnecting deletes the credentials at once and keeps the resources' history. The resources leave the
//!   inventory, those of a large account in batches behind the answer.
//! * Regions and services are what the cloud said when it was last asked; every answer carries its age.
//!
//! Other domains reach a cloud through [`open`] and never see a credential.

mod actions;
mod model;
mod routes;
mod store;
mod wire;

pub use actions::open;
pub use model::Connected;
pub use routes::routes;
pub use store::{is_connected, lock_connected, lock_disconnected, sealing_keys};
pub use wire::Provider;
