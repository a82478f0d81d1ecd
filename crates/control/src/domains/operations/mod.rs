//! Operations: long work as its owner sees it.
//!
//! An operation is whatever answers 202: it has a state, progress, steps and, once it has ended, an outcome. The
//! engine (`marquee-jobs`) does the work; this domain shows it, lets a caller wait for it, and asks it to stop.
//! Asking is not forcing: a step under way is finished first, and what cannot be cancelled any more says so. One that is paused,
//! by a person or because something has to be repaired first, goes on where it stopped.

mod actions;
mod routes;
mod store;
mod wire;

pub use routes::routes;
