//! `/api/audit`

mod list;
