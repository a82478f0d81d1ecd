//! `/api/cloud`.

mod providers;
mod resources;
