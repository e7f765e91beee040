//! Bellwether's engine library: one deterministic path for backtest, paper and live.
//!
//! `ARCHITECTURE.md` draws the rooms; `docs/life-of-a-tick.md` walks one tick through them.

pub mod config;
pub mod data;
pub mod engine;
pub mod exchange;
pub mod host;
pub mod keys;
pub mod market;
pub mod orders;
pub mod portfolio;
pub mod report;
pub mod risk;
pub mod run;
pub mod sandbox;
pub mod signal;
pub mod sim;
pub mod tape;
