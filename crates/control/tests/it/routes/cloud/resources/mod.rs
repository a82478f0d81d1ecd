//! `/api/cloud/resources`.

mod list;
mod summary;
