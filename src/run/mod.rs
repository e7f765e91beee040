//! The wiring of the modes: settings in, a run out. Opens every room; no room opens it.

mod archive;
mod ask;
mod backtest;
mod download;
mod evaluate;
mod explain;
mod grid;
mod latency;
mod live;
mod look;
mod market;
mod money;
mod news;
mod paper;
mod plan;
mod recording;
mod report;
mod session;
mod setup;
mod spec;
mod supply;
mod tapes;

pub use backtest::backtest;
pub use download::{DownloadPlan, DownloadReport, download};
pub use evaluate::{EvaluateSpec, evaluate};
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
