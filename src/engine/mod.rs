//! The deterministic event loop: one event in, everything it causes out.
mod outcome;
pub use outcome::{Candle, Chart, ChartSeries, DayPoint, Drawdown, EquityPoint, Outcome};
