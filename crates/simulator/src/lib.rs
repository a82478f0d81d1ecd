//! A small cloud that speaks the wire protocols of AWS, Azure, Google Cloud and Hetzner Cloud, so that all of Marquee can
//! be tried, tested and rehearsed without an account: with throttling, quota, eventual consistency, region loss, and a clock
//! that runs at any speed.
//!
//! # What it is made of
//!
//! A [`World`] is everything there is: the [`plan`] (accounts, sizes, prices, loads; read from a world file, never
//! changed afterwards), the [`estate`] (what exists in the accounts, and what existed), the [`clock`], the
//! [`faults`] and the [`limits`] that are switched on, and the record of [`calls`]. A [`Face`] makes one vendor of it: it
//! authenticates a request, finds the operation, and reads or changes the estate in the vendor's own words. There are
//! four, [`aws`], [`azure`], [`google`] and [`hetzner`], and a [`server`] with one address for each, and one for the [`control`]
//! of the simulator itself.
//!
//! # Rules
//!
//! - **The vendor's own schema decides.** What a request may say and what an answer says is read from schemas that
//!   scripts extract from the vendors' publications (`schemas/`); [`rest`] does so for Azure, Google and Hetzner,
//!   `aws::protocol` for AWS. What no schema knows is refused, in the vendor's own shape of errors.
//! - **Nothing happens by itself.** There are no timers: a thing's [`Life`](estate::Life) is a list of states and
//!   when each begins, written when the change is asked for; what the state is now follows from the clock. So any speed
//!   and any jump of the clock is right, and reading changes nothing.
//! - **Everything follows from the seed.** Ids, [`keys`], loads and noise are computed from the world's seed and the time.
//! - **Measurements and charges are not stored.** A sample is a function of a thing, what drives it ([`load`]) and the
//!   time; a charge is a function of a thing's life, its [`meters`](estate::Meter) and the prices ([`charges`]).
//! - **An estate grows as users make it grow**: a face makes the things of a world file by the code that answers
//!   requests, at a time in the past.
//! - **What was made is written down.** The [`ledger`] of the estate tells who created and deleted what and when, so
//!   that a test can tell whether a thing was made twice.
//!
//! Time for signatures, tokens and certificates is the machine's own: clients know no other.
//!
//! Reading order: [`world`], [`estate`], [`faults`], [`face`], then one of the faces.

pub mod aws;
pub mod azure;
pub mod calls;
pub mod charges;
pub mod cidr;
pub mod clock;
mod connect;
pub mod control;
pub mod estate;
pub mod face;
pub mod faults;
pub mod google;
pub mod hetzner;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod load;
pub mod plan;
pub mod rest;
pub mod seed;
pub mod server;
pub mod world;

pub use face::{Face, FaceName, Reply, Request};
pub use server::{Addresses, Options, Simulator};
pub use world::World;

/// The faces there are, in the order of their addresses.
pub fn faces() -> Vec<Box<dyn Face>> {
    vec![
        Box::new(aws::Aws::new()),
        Box::new(azure::Azure::new()),
        Box::new(google::Google::new()),
        Box::new(hetzner::Hetzner::new()),
    ]
}
