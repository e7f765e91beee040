//! Bellwether's engine library: one deterministic path for backtest, paper and live.
//!
//! `ARCHITECTURE.md` draws the rooms; `docs/life-of-a-tick.md` walks one tick through them.

/// Whether a known bug is planted here: in builds that try out the storm, and nowhere else.
#[cfg(bellwether_bugs)]
macro_rules! planted {
    ($name:literal) => {
        bellwether_venues::bugs::is($name)
    };
}
#[cfg(not(bellwether_bugs))]
macro_rules! planted {
    ($name:literal) => {
        false
    };
}

pub mod api;
pub mod host;
pub mod report;
pub mod run;
pub mod sinks;
pub mod sources;
pub mod tape;

pub use bellwether_core::{engine, market, orders, portfolio, risk, signal, sim};
pub use bellwether_sandbox::sandbox;
pub use bellwether_store::{config, data};
pub use bellwether_venues::{exchange, keys};
