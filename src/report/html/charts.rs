//! The numbers behind the charts of the page: what the script draws.
//!
//! Names and hover texts are escaped here already, because the chart library reads markup in them.

use serde::Serialize;

use super::{TRADES_SHOWN_MAX, esc};
use crate::engine::{Chart, Outcome};
use crate::report::document::{Document, TradeRow, TradeSide};
use crate::report::text::fixed;

/// All data of the page's script.
#[derive(Serialize)]
pub(super) struct PageData {
    currency: String,
    equity: Equity,
    charts: Vec<Candles>,
    trade_returns: Vec<f64>,
    daily_returns: Vec<f64>,
}

#[derive(Serialize, Default)]
struct Equity {
    /// Milliseconds since 1970.
    t: Vec<f64>,
    equity: Vec<f64>,
    hold: Vec<f64>,
    /// Per cent below the peak so far, zero or negative.
    drawdown: Vec<f64>,
}

#[derive(Serialize)]
struct Candles {
    name: String,
    t: Vec<f64>,
    o: Vec<f64>,
    h: Vec<f64>,
    l: Vec<f64>,
    c: Vec<f64>,
    lines: Vec<Line>,
    long: Marks,
    short: Marks,
    exit: Marks,
}

#[derive(Serialize)]
struct Line {
    name: String,
    /// Whether it is of the size of prices and drawn over them; below them otherwise.
    overlay: bool,
    v: Vec<f64>,
}

#[derive(Serialize, Default)]
struct Marks {
    t: Vec<f64>,
    p: Vec<f64>,
    text: Vec<String>,
}

impl Marks {
    fn push(&mut self, ts: &str, price: &str, text: String) {
        self.t.push(millis(ts));
        self.p.push(number(price));
        self.text.push(text);
    }
}

impl PageData {
    pub(super) fn of(document: &Document, outcome: Option<&Outcome>) -> Self {
        Self {
            currency: esc(&document.run.currency),
            equity: equity(document),
            charts: outcome.map_or_else(Vec::new, |o| candles(document, o)),
            trade_returns: document.trades.iter().filter_map(|t| t.return_pct).collect(),
            daily_returns: daily_returns(document),
        }
    }
}

/// Milliseconds of nanosecond text.
fn millis(ts: &str) -> f64 {
    ts.parse::<i64>().map_or(f64::NAN, |ns| (ns / 1_000_000) as f64)
}

/// Decimal text as a number to draw; not a number, and so not drawn, where it is none.
pub(super) fn number(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

fn equity(document: &Document) -> Equity {
    let mut curve = Equity::default();
    let mut peak = number(&document.run.start_equity);
    for point in &document.equity {
        let value = number(&point.equity);
        curve.t.push(millis(&point.ts));
        curve.equity.push(value);
        curve.hold.push(number(&point.buy_hold));
        // The lowest since the point before fell from the peak before this point.
        curve.drawdown.push(if peak > 0.0 {
            (100.0 * (number(&point.equity_min) / peak - 1.0)).min(0.0)
        } else {
            f64::NAN
        });
        peak = peak.max(value);
    }
    curve
}

fn daily_returns(document: &Document) -> Vec<f64> {
    let mut before = number(&document.run.start_equity);
    let mut returns = Vec::with_capacity(document.daily.len());
    for day in &document.daily {
        let equity = number(&day.equity);
        if before > 0.0 {
            returns.push(100.0 * (equity / before - 1.0));
        }
        before = equity;
    }
    returns
}

fn candles(document: &Document, outcome: &Outcome) -> Vec<Candles> {
    let charts = outcome.charts.iter().zip(&outcome.instruments).filter(|(chart, _)| !chart.candles.is_empty());
    charts
        .map(|(chart, instrument)| {
            let name = instrument.symbol.as_str();
            let price = |of: fn(&crate::engine::Candle) -> bellwether_sdk::Price| {
                chart.candles.iter().map(|c| of(c).to_f64(instrument.price_scale)).collect::<Vec<f64>>()
            };
            let (high, low) = (price(|c| c.high), price(|c| c.low));
            let (long, short, exit) = marks(document, name);
            Candles {
                name: esc(name),
                t: chart.candles.iter().map(|c| (c.ts.nanos() / 1_000_000) as f64).collect(),
                o: price(|c| c.open),
                lines: lines(chart, &high, &low),
                h: high,
                l: low,
                c: price(|c| c.close),
                long,
                short,
                exit,
            }
        })
        .collect()
}

fn lines(chart: &Chart, high: &[f64], low: &[f64]) -> Vec<Line> {
    let top = high.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let bottom = low.iter().copied().fold(f64::INFINITY, f64::min);
    chart
        .series
        .iter()
        .map(|s| {
            // A value belongs over the prices if nearly all of it lies within their range, half of it to spare.
            let margin = 0.5 * (top - bottom);
            let known = s.values.iter().filter(|v| v.is_finite()).count();
            let inside = s.values.iter().filter(|v| **v >= bottom - margin && **v <= top + margin).count();
            Line { name: esc(&s.name), overlay: known > 0 && inside * 10 >= known * 9, v: s.values.clone() }
        })
        .collect()
}

fn marks(document: &Document, instrument: &str) -> (Marks, Marks, Marks) {
    let (mut long, mut short, mut exit) = (Marks::default(), Marks::default(), Marks::default());
    let trades: Vec<&TradeRow> = document.trades.iter().filter(|t| t.instrument == instrument).collect();
    for t in &trades[trades.len().saturating_sub(TRADES_SHOWN_MAX)..] {
        let tag = if t.entry_tag.is_empty() { String::new() } else { format!("<br>{}", esc(&t.entry_tag)) };
        let text = format!("{} {} at {}{tag}", t.side.name(), esc(&t.qty), esc(&t.entry_price));
        match t.side {
            TradeSide::Long => long.push(&t.entry_ts, &t.entry_price, text),
            TradeSide::Short => short.push(&t.entry_ts, &t.entry_price, text),
        }
        let result = t.return_pct.map_or_else(String::new, |r| format!(", {} %", fixed(r, 2)));
        let text = format!("exit of {} at {}<br>{}{result}", t.side.name(), esc(&t.exit_price), t.exit_reason.name());
        exit.push(&t.exit_ts, &t.exit_price, text);
    }
    (long, short, exit)
}
