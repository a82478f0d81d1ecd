//! REST by schema, for Azure, Google and Hetzner: which operation a request is ([`Api::find`]), and whether what it says, and
//! what is answered, is what the vendor published ([`Api::check`]).
//!
//! The schemas are made by scripts from the vendors' own documents, reduced to what is simulated; see
//! `crates/simulator/schemas`.

mod check;
mod router;
mod schema;

#[cfg(test)]
mod tests;

pub use check::{Direction, What, Wrong};
pub use router::{Found, Letters, NotFound};
pub use schema::{Api, Operation, SchemaError, Shape};
