//! `/api/cloud/resources`.

mod list;
