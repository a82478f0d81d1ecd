//! `/api/organizations`

mod current;
