//! The tests of the application: `routes` mirrors the URL tree, `ledgers` holds what is derived from the ledger of
//! endpoints, `clouds` whole syncs of the simulated clouds, `tables` what the database itself holds to, `support` is the application under test.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should end at that line"
)]

mod clouds;
mod http;
mod ledgers;
mod routes;
mod support;
mod tables;
