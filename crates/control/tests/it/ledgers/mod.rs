//! What follows from the ledger of endpoints and must hold for every row.

mod audit;
mod authorization;
pub mod fixtures;
mod idempotency;
mod openapi;
