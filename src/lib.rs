//! Bellwether's engine library: one deterministic path for backtest, paper and live.
//!
//! `ARCHITECTURE.md` draws the rooms; `docs/life-of-a-tick.md` walks one tick through them.

/// Whether a known bug is planted here: in builds that try out the storm, and nowhere else.
#[cfg(bellwether_bugs)]
macro_rules! planted {
    ($name:literal) => {
        crate::bugs::is($name)
    };
}
#[cfg(not(bellwether_bugs))]
macro_rules! planted {
    ($name:literal) => {
        false
    };
}

pub mod api;
#[cfg(bellwether_bugs)]
mod bugs;
pub mod config;
pub mod data;
pub mod exchange;
pub mod host;
pub mod keys;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod sinks;
pub mod sources;
pub mod tape;

pub use bellwether_core::{engine, market, orders, portfolio, risk, signal, sim};
