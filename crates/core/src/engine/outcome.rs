//! What a run leaves behind, in exact numbers: the input of every report. Its size does not grow with the length of
//! the data, only with the count of orders (curves are thinned, days are days).

use bellwether_sdk::{AccountKind, Instrument, Interval, Money, Price, Qty, Ts};
use serde::{Deserialize, Serialize};

use super::Halt;
use crate::market::Currency;
use crate::orders::{FillRecord, OrderRecord, PutAway, Words};
use crate::portfolio::{OpenLot, TradeRecord};

/// Everything a run has to tell.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The instruments of the run, by id.
    pub instruments: Vec<Instrument>,
    /// The ids of the strategies, by index.
    pub strategies: Vec<String>,
    /// Cash or margin.
    pub account: AccountKind,
    /// The currency of equity.
    pub reporting: Currency,
    /// All currencies of the run; fees and profits of an instrument are in its settlement currency.
    pub currencies: Vec<Currency>,
    /// Engine time of the first event.
    pub ts_first: Ts,
    /// Engine time of the last event.
    pub ts_last: Ts,
    /// Count of market events.
    pub events: u64,
    /// Bars (or ticks) that only warmed up.
    pub warmup: u64,
    /// Equity before the first event.
    pub start_equity: Money,
    /// Equity after the last.
    pub end_equity: Money,
    /// Fees paid, in the reporting currency.
    pub fees: Money,
    /// Funding received (negative: paid), in the reporting currency.
    pub funding: Money,
    /// Every order, by number, but for those that were put away.
    pub orders: Vec<OrderRecord>,
    /// Every fill of these, in order of time.
    pub fills: Vec<FillRecord>,
    /// Closed trades, in order of exit: all of them, or the last.
    pub trades: Vec<TradeRecord>,
    /// What is in none of these lists any more.
    pub put_away: PutAway,
    /// Lots open at the end.
    pub open_lots: Vec<OpenLot>,
    /// Words of tags and reasons.
    pub words: Words,
    /// Equity at the end of every UTC day with data; the last entry is the end of the run.
    pub daily: Vec<DayPoint>,
    /// Equity, drawdown and exposure, thinned to a bounded count.
    pub equity: Vec<EquityPoint>,
    /// Largest fall of equity from a peak, at full resolution.
    pub drawdown: Drawdown,
    /// Nanoseconds in which a position was open.
    pub exposed_ns: i64,
    /// Price curves with the strategy's own values, one per instrument, thinned to a bounded count.
    pub charts: Vec<Chart>,
    /// Refusals by reason: those of risk and of the venue, most frequent first.
    pub refusals: Vec<(String, u64)>,
    /// Signals that strategies emitted, those of a warm-up among them.
    pub signals: u64,
    /// Why signals made no order: reason and count, most frequent first. Signals heard from outside, orders of strategies'
    /// own and lost books have reasons of their own here, and are not among the emitted ones.
    pub signals_dropped: Vec<(String, u64)>,
    /// Bars that a strategy asked for and of which none was completed.
    pub unbuilt: Vec<String>,
    /// Strategies that were stopped before the end, in order.
    pub halts: Vec<Halt>,
    /// Things the reader of a result must know, as sentences.
    pub notes: Vec<String>,
    /// SHA-256 of the canonical order records, hex.
    pub order_hash: String,
}

/// Equity at the end of a day.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct DayPoint {
    /// Start of the UTC day.
    pub day: Ts,
    /// Equity at its last event, in the reporting currency.
    pub equity: Money,
}

/// A point of the thinned equity curve.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct EquityPoint {
    /// Engine time.
    pub ts: Ts,
    /// Equity at that time, in the reporting currency.
    pub equity: Money,
    /// Lowest equity since the point before.
    pub equity_min: Money,
    /// Equity of holding the first instrument since the first price, in the reporting currency.
    pub buy_hold: Money,
}

/// The largest fall of equity from a peak.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Drawdown {
    /// The fall as a fraction of the peak, positive.
    pub fraction: f64,
    /// The peak it fell from.
    pub peak: Money,
    /// Its lowest point.
    pub trough: Money,
    /// When the peak was.
    pub ts_peak: Ts,
    /// When the lowest point was.
    pub ts_trough: Ts,
    /// The longest time below a peak, nanoseconds (also if not yet over at the end).
    pub longest_ns: i64,
}

/// The price curve of an instrument and what its strategies told of themselves.
#[derive(Debug, Clone)]
pub struct Chart {
    /// The span of a candle: that of the bars, or several times that where there are too many.
    pub width: Interval,
    /// Candles in order of time.
    pub candles: Vec<Candle>,
    /// Named values, one series per name.
    pub series: Vec<ChartSeries>,
}

/// A candle of the chart: one or several bars, or the ticks of a span.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Candle {
    /// Its start.
    pub ts: Ts,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Quantity traded.
    pub volume: Qty,
}

/// Values a strategy told, as long as the candles; NaN where it told none.
#[derive(Debug, Clone)]
pub struct ChartSeries {
    /// `strategy id: name`.
    pub name: String,
    /// One per candle.
    pub values: Vec<f64>,
}
