//! The conventions every route keeps: problems, headers, limits, and what happens when things are away.

mod conventions;
mod limits;
