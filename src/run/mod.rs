//! The wiring of the modes: settings in, a run out. Opens every room; no room opens it.

mod backtest;
mod grid;
mod money;
mod plan;
mod setup;
mod spec;
mod supply;

pub use backtest::backtest;
pub use grid::grid;
pub use spec::{RunError, RunReport, SeriesRead, Variant};
