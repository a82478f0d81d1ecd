//! The tests of the routes; the tree mirrors the URLs.

mod cloud;
