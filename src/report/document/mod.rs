//! The stable JSON document of a run: what `backtest --json` prints and what is stored of a run.
//!
//! Money, prices, quantities and nanosecond times are strings (exact), with RFC 3339 beside as `*_time`; statistics are
//! numbers, `null` where there is none, with the reason in `reasons`. `*_ts` is the causal time of a fill, `*_bar_ts` the
//! open time of the bar that filled it (`null` when a tick did). Fields are only ever added within a `schema_version`.
//! [`schema`] is its JSON Schema. The document holds no price curves: those are in the HTML page.

mod build;
mod rows;

use std::collections::BTreeMap;

use bellwether_sdk::Ts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::metrics::{Flag, Summary};

pub use rows::{
    Count, CurrencyRow, DataRow, DayRow, EquityRow, FillRow, GroupRow, InstrumentRow, LotRow, OrderEnd, OrderRow,
    PositionRow, Signals, TradeRow, TradeSide,
};

/// The layout this version writes and reads.
pub const SCHEMA_VERSION: u32 = 1;

/// What made a run, beside its data and code: given by whoever ran it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Provenance {
    /// The run's id, a plain folder name.
    pub run_id: String,
    /// Version of the program that ran it.
    pub version: String,
    /// The strategies, by index.
    pub strategies: Vec<StrategyUse>,
    /// SHA-256 of the canonical market data read, hex.
    pub data_hash: String,
    /// SHA-256 of the canonical settings, hex.
    pub config_hash: String,
    /// Name and version of the fill profile, as in `next-open@1`.
    pub fill_profile: String,
    /// The tape of a paper or live session.
    pub tape: Option<String>,
    /// Seed of everything random.
    pub seed: u64,
    /// CPU time in the engine, seconds.
    pub engine_cpu_seconds: f64,
    /// Time from start to end, seconds.
    pub wall_seconds: f64,
    /// The series of market data read.
    pub data: Vec<DataUse>,
    /// The merged settings, secrets redacted.
    pub settings: serde_json::Value,
    /// When the run was made, RFC 3339.
    pub created: String,
    /// The command line that repeats it.
    pub command: String,
}

/// A strategy of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StrategyUse {
    /// Its id in this run.
    pub id: String,
    /// The plugin it is made of.
    pub plugin: String,
    /// Its parameters, defaults included.
    pub params: BTreeMap<String, serde_json::Value>,
    /// The instruments it was given.
    pub instruments: Vec<String>,
    /// SHA-256 of the code it ran, hex; empty where not known.
    pub artefact_hash: String,
}

/// A series of market data a run read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataUse {
    /// The instrument's name.
    pub instrument: String,
    /// The kind, as in `bars-1h`.
    pub kind: String,
    /// Rows read.
    pub rows: u64,
    /// Time of the first row, engine time.
    pub first: Ts,
    /// Time of the last row, engine time.
    pub last: Ts,
}

/// A run, whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// The layout of this document; within a number fields are only added.
    pub schema_version: u32,
    /// What was run, on what, by what.
    pub run: Run,
    /// The figures.
    pub summary: Summary,
    /// Why a figure of `summary` is null, by its key.
    pub reasons: BTreeMap<String, String>,
    /// Figures that should not be taken at face value.
    pub flags: Vec<Flag>,
    /// The instruments and the rules in force.
    pub instruments: Vec<InstrumentRow>,
    /// The currencies of the run.
    pub currencies: Vec<CurrencyRow>,
    /// Every order, by number.
    pub orders: Vec<OrderRow>,
    /// Every fill, in order of time.
    pub fills: Vec<FillRow>,
    /// Every closed trade, in order of exit.
    pub trades: Vec<TradeRow>,
    /// Positions open at the end.
    pub open_positions: Vec<PositionRow>,
    /// The equity curve, thinned to a bounded count of points.
    pub equity: Vec<EquityRow>,
    /// Equity at the end of every UTC day with data.
    pub daily: Vec<DayRow>,
    /// Closed trades by instrument.
    pub per_instrument: Vec<GroupRow>,
    /// Closed trades by tag of the entry order.
    pub per_tag: Vec<GroupRow>,
    /// Closed trades by why they were closed.
    pub per_exit_reason: Vec<GroupRow>,
    /// Refusals of risk and of the venue by reason, most frequent first.
    pub refusals: Vec<Count>,
    /// Orders that ended without filling whole, by state and reason, most frequent first.
    pub order_ends: Vec<OrderEnd>,
    /// What became of signals.
    pub signals: Signals,
}

/// What was run, on what, by what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// The run's id.
    pub id: String,
    /// SHA-256 of the canonical order records, hex: equal runs have equal ones.
    pub order_hash: String,
    /// SHA-256 of the canonical market data read, hex.
    pub data_hash: String,
    /// SHA-256 of the canonical settings, hex.
    pub config_hash: String,
    /// Name and version of the fill profile.
    pub fill_profile: String,
    /// The session's tape; null for backtests.
    pub tape: Option<String>,
    /// Seed of everything random.
    pub seed: u64,
    /// Version of the program.
    pub version: String,
    /// When the run was made, RFC 3339.
    pub created: String,
    /// The command line that repeats it.
    pub command: String,
    /// Market events.
    pub events: u64,
    /// Bars (or ticks) that only warmed up.
    pub warmup_bars: u64,
    /// CPU time in the engine, seconds.
    pub engine_cpu_seconds: f64,
    /// Time from start to end, seconds.
    pub wall_seconds: f64,
    /// `cash` or `margin`.
    #[schemars(extend("enum" = ["cash", "margin"]))]
    pub account: String,
    /// The reporting currency.
    pub currency: String,
    /// Equity before the first event, exact.
    pub start_equity: String,
    /// Equity after the last event, exact.
    pub end_equity: String,
    /// Fees paid, exact.
    pub fees: String,
    /// Funding received, negative when paid, exact.
    pub funding: String,
    /// Engine time of the first event, nanoseconds; null when there was none.
    pub first_ts: Option<String>,
    /// The same as RFC 3339.
    pub first_time: Option<String>,
    /// Engine time of the last event, nanoseconds; null when there was none.
    pub last_ts: Option<String>,
    /// The same as RFC 3339.
    pub last_time: Option<String>,
    /// The strategies.
    pub strategies: Vec<StrategyUse>,
    /// The series of market data read.
    pub data: Vec<DataRow>,
    /// The merged settings, secrets redacted.
    pub settings: serde_json::Value,
    /// Things the reader must know, as sentences.
    pub notes: Vec<String>,
}

impl Document {
    /// Writes the document as one line of JSON.
    ///
    /// # Errors
    /// [`ReportError::Json`](super::ReportError::Json) when the writer fails.
    pub fn write_json(&self, out: impl std::io::Write) -> Result<(), super::ReportError> {
        Ok(serde_json::to_writer(out, self)?)
    }

    /// The row of an instrument's name.
    pub fn instrument(&self, symbol: &str) -> Option<&InstrumentRow> {
        self.instruments.iter().find(|i| i.symbol == symbol)
    }

    /// What the market events of this run are: `bars` when all were, else `events`.
    pub fn event_noun(&self) -> &'static str {
        let bars = |d: &DataRow| d.kind.starts_with("bars-");
        if !self.run.data.is_empty() && self.run.data.iter().all(bars) { "bars" } else { "events" }
    }
}

/// The JSON Schema of [`Document`].
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}

#[cfg(test)]
mod tests;
