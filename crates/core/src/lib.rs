//! Bellwether's pure rooms: what happens to an event between the feed and the exchange door.
//!
//! Nothing here knows a clock, a file, a socket, a thread, randomness or hash order: its dependencies have none to
//! offer. The library `bellwether` gives these rooms on beside its own; use it, not this crate.

pub mod engine;
pub mod market;
pub mod orders;
pub mod portfolio;
pub mod risk;
pub mod signal;
pub mod sim;
