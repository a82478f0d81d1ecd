//! `/api/cloud`.

mod kinds;
mod providers;
mod resources;
