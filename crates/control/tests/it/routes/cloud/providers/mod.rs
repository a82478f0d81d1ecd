//! `/api/cloud/providers`.

mod create;
mod replace;
mod sync;
mod trouble;
