//! The wiring of the modes: settings in, a run out. Opens every room; no room opens it.

mod archive;
mod asked;
mod backtest;
mod control;
mod download;
mod explain;
mod grid;
mod latency;
mod limits;
mod live;
mod look;
mod market;
mod money;
mod paper;
mod plan;
mod recording;
mod session;
mod setup;
mod spec;
mod supply;
mod tapes;
mod watchdog;

pub use backtest::backtest;
pub use control::{Asked, Running, ask, clear, running, tripped};
pub use download::{DownloadPlan, DownloadReport, download};
pub use explain::{Moment, View, explain_run, explain_tape};
pub use grid::grid;
pub use latency::{LatencyReport, StageLatency};
pub use live::{Signers, session};
pub use look::{AmendWish, LookAt, LookError, OrderWish, What, is_loopback, look, rules_of};
pub use market::{symbols, venue_key};
pub use paper::{SessionPlan, Watcher, paper};
pub use recording::{RecordPlan, RecordReport, Recorded, record};
pub use session::{Status, StatusRow};
pub use spec::{RunError, RunReport, SeriesRead, Variant};
pub use tapes::{Divergence, TapeReplay, replay, show};
