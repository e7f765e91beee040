//! Reports: what a run left behind, told to people and to programs.
//!
//! [`Document`] is the stable JSON of a run and the input of everything else here: terminal tables, the HTML page,
//! exports, the comparison and the store of runs. [`metrics`] holds the statistics and their definitions. This room computes and
//! prints; it runs nothing, reads no market data and knows no clock.

pub mod compare;
pub mod document;
mod error;
pub mod evaluation;
pub mod export;
pub mod html;
pub mod metrics;
pub mod runs;
pub mod terminal;
mod text;
mod why;

#[cfg(test)]
mod samples;

pub use compare::{Comparison, compare};
pub use document::{DataUse, Document, Provenance, StrategyUse, schema};
pub use error::ReportError;
pub use metrics::{Metrics, Summary};
pub use runs::{RunStore, read_document};
pub use terminal::Terminal;
pub use why::why_no_trade;
