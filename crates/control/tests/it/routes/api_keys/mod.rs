//! `/api/api-keys`

mod create;
mod delete;
mod list;
