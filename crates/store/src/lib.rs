//! What Bellwether keeps on disk and reads from there: settings, the state folder, the catalog of market data.
//!
//! The library `bellwether` gives these rooms on beside its own; use it, not this crate.

pub mod config;
pub mod data;

use bellwether_core::{market, signal};
