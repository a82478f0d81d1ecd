//! Syncs of the simulated clouds, as a user has them: connected through the API, changed by their vendors' own clients, and
//! in every kind of trouble.

mod approvals;
mod bed;
mod bulk;
mod changes;
mod exercise;
mod interleaving;
mod offers;
mod settings;
mod story;
mod trouble;
