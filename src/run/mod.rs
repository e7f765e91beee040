//! The wiring of the modes: settings in, a run out. Opens every room; no room opens it.

mod backtest;
mod explain;
mod grid;
mod latency;
mod live;
mod market;
mod money;
mod paper;
mod plan;
mod session;
mod setup;
mod spec;
mod supply;
mod tapes;

pub use backtest::backtest;
pub use explain::{Moment, View, explain_run, explain_tape};
pub use grid::grid;
pub use latency::{LatencyReport, StageLatency};
pub use live::{Signers, session};
pub use market::{symbols, venue_key};
pub use paper::{SessionPlan, Watcher, paper};
pub use session::{Status, StatusRow};
pub use spec::{RunError, RunReport, SeriesRead, Variant};
pub use tapes::{Divergence, TapeReplay, replay, show};
