//! What follows from the ledger of endpoints and must hold for every row.

mod openapi;
