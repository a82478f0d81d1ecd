//! What the database itself holds to, below the API.

mod audit_logs;
mod users;
mod words;
