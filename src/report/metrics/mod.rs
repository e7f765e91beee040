//! Statistics of a run, each named by its definition.
//!
//! [`Summary`] holds the figures, [`DEFINITIONS`] says of each what it is and where the formula comes from;
//! `docs/metrics.md` is the same table for people. What cannot be computed is `None` with the reason in
//! [`Metrics::reasons`]; what can be computed and should not be believed is named in [`Metrics::flags`]. Sums run in
//! the order of the run and `pow` comes from `libm`, so that equal runs give equal figures on every machine. No clock
//! is read here.

mod daily;
mod definitions;
mod flags;
mod trades;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::Outcome;

pub use daily::Daily;
pub use definitions::{DEFINITIONS, Definition, Group, Summary, Unit, markdown};
pub(super) use trades::money_scale;
pub use trades::{entry_value, trade_return};

use super::text::DAY_NS;
use trades::TradeFigures;

/// The summary of a run with what must be known to read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// The figures.
    pub summary: Summary,
    /// Why a figure is absent, by its key.
    pub reasons: BTreeMap<String, String>,
    /// Figures that should not be taken at face value.
    pub flags: Vec<Flag>,
}

/// A figure that is right by its formula and still should not be believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flag {
    /// The key of the figure.
    pub metric: String,
    /// Why it is suspicious.
    pub why: String,
}

/// A figure, or why there is none.
type Figure = Result<f64, String>;

/// Collects figures and the reasons for those that are not there.
#[derive(Default)]
struct Collector {
    reasons: BTreeMap<String, String>,
}

impl Collector {
    fn keep(&mut self, key: &str, figure: Figure) -> Option<f64> {
        match figure {
            // Adding zero turns -0.0 into 0.0.
            Ok(value) if value.is_finite() => Some(value + 0.0),
            Ok(value) => {
                self.reasons.insert(key.to_owned(), format!("the formula gives {value}, which is no finite number"));
                None
            }
            Err(why) => {
                self.reasons.insert(key.to_owned(), why);
                None
            }
        }
    }
}

/// Nanoseconds of the year that annual figures use: 365 days.
const YEAR_NS: f64 = 365.0 * DAY_NS as f64;

/// Computes every figure of a run.
pub fn metrics(outcome: &Outcome) -> Metrics {
    let daily = Daily::of(outcome);
    let trades = TradeFigures::of(outcome);
    let mut collector = Collector::default();
    let summary = summarise(outcome, &daily, &trades, &mut collector);
    let flags = flags::flags(outcome, &summary, &collector.reasons, &trades, &daily);
    Metrics { summary, reasons: collector.reasons, flags }
}

fn summarise(outcome: &Outcome, daily: &Daily, trades: &TradeFigures, c: &mut Collector) -> Summary {
    let account = Account::of(outcome);
    let cagr = account.cagr();
    let drawdown = outcome.drawdown.fraction;
    Summary {
        start_equity: account.start,
        end_equity: account.end,
        return_pct: c.keep("return_pct", account.total_return().map(pct)),
        cagr_pct: c.keep("cagr_pct", cagr.clone().map(pct)),
        buy_hold_return_pct: c.keep("buy_hold_return_pct", buy_hold(outcome, account.start).map(pct)),
        exposure_pct: c.keep("exposure_pct", account.exposure(outcome.exposed_ns).map(pct)),
        fees: outcome.fees.to_f64(outcome.reporting.scale),
        funding: outcome.funding.to_f64(outcome.reporting.scale),
        orders: outcome.put_away.orders + outcome.orders.len() as u64,
        fills: outcome.put_away.fills + outcome.fills.len() as u64,
        trades: outcome.trades.len() as u64,
        long_trades: trades.longs,
        short_trades: outcome.trades.len() as u64 - trades.longs,
        open_positions: open_positions(outcome),
        win_rate_pct: c.keep("win_rate_pct", trades.win_rate().map(pct)),
        profit_factor: c.keep("profit_factor", trades.profit_factor_cash()),
        profit_factor_return: c.keep("profit_factor_return", trades.profit_factor_return()),
        payoff_ratio: c.keep("payoff_ratio", trades.payoff_ratio()),
        expectancy: c.keep("expectancy", trades.expectancy_cash()),
        expectancy_pct: c.keep("expectancy_pct", trades.mean_return().map(pct)),
        avg_win_pct: c.keep("avg_win_pct", trades.mean_win().map(pct)),
        avg_loss_pct: c.keep("avg_loss_pct", trades.mean_loss().map(pct)),
        best_trade_pct: c.keep("best_trade_pct", trades.best().map(pct)),
        worst_trade_pct: c.keep("worst_trade_pct", trades.worst().map(pct)),
        avg_trade_hours: c.keep("avg_trade_hours", trades.mean_hours()),
        max_consecutive_losses: trades.losses_in_a_row(),
        sqn: c.keep("sqn", trades.sqn_cash()),
        sqn_return: c.keep("sqn_return", trades.sqn_return()),
        max_drawdown_pct: c.keep("max_drawdown_pct", Ok(pct(drawdown))),
        max_drawdown_days: c.keep("max_drawdown_days", Ok(outcome.drawdown.longest_ns as f64 / DAY_NS as f64)),
        max_drawdown_daily_pct: c.keep("max_drawdown_daily_pct", daily.max_drawdown().map(pct)),
        recovery_factor: c.keep("recovery_factor", account.total_return().and_then(|r| over_drawdown(r, drawdown))),
        calmar: c.keep("calmar", cagr.and_then(|g| over_drawdown(g, drawdown))),
        ulcer_index_daily_pct: c.keep("ulcer_index_daily_pct", daily.ulcer_index().map(pct)),
        days: daily.calendar.len() as u64,
        volatility_daily_365_pct: c.keep("volatility_daily_365_pct", daily.volatility(Year::Calendar).map(pct)),
        sharpe_daily_365: c.keep("sharpe_daily_365", daily.sharpe(Year::Calendar)),
        sortino_daily_365: c.keep("sortino_daily_365", daily.sortino(Year::Calendar)),
        volatility_daily_252_pct: c.keep("volatility_daily_252_pct", daily.volatility(Year::Trading).map(pct)),
        sharpe_daily_252: c.keep("sharpe_daily_252", daily.sharpe(Year::Trading)),
        sortino_daily_252: c.keep("sortino_daily_252", daily.sortino(Year::Trading)),
        best_day_pct: c.keep("best_day_pct", daily.best().map(pct)),
        worst_day_pct: c.keep("worst_day_pct", daily.worst().map(pct)),
    }
}

/// Which days count, and how many make a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Year {
    /// Every calendar day, those without data as a return of zero; 365 a year.
    Calendar,
    /// Only days with data; 252 a year.
    Trading,
}

fn pct(fraction: f64) -> f64 {
    100.0 * fraction
}

fn over_drawdown(value: f64, drawdown: f64) -> Figure {
    if drawdown == 0.0 { Err("equity never fell from a peak".to_owned()) } else { Ok(value / drawdown) }
}

struct Account {
    start: f64,
    end: f64,
    elapsed_ns: f64,
}

impl Account {
    fn of(outcome: &Outcome) -> Self {
        let scale = outcome.reporting.scale;
        let elapsed = i128::from(outcome.ts_last.nanos()) - i128::from(outcome.ts_first.nanos());
        Self {
            start: outcome.start_equity.to_f64(scale),
            end: outcome.end_equity.to_f64(scale),
            elapsed_ns: if outcome.events == 0 { 0.0 } else { elapsed as f64 },
        }
    }

    fn growth(&self) -> Figure {
        if self.start > 0.0 {
            Ok(self.end / self.start)
        } else {
            Err(format!("the run began with an equity of {}", self.start))
        }
    }

    fn total_return(&self) -> Figure {
        self.growth().map(|g| g - 1.0)
    }

    fn cagr(&self) -> Figure {
        let growth = self.growth()?;
        if growth < 0.0 {
            return Err(format!("equity ended below zero, at {}", self.end));
        }
        if self.elapsed_ns <= 0.0 {
            return Err("the run has no length in time".to_owned());
        }
        let growth = libm::pow(growth, YEAR_NS / self.elapsed_ns) - 1.0;
        if growth.is_finite() {
            Ok(growth)
        } else {
            Err("a year at this pace is beyond all numbers: the run is too short to be annualised".to_owned())
        }
    }

    fn exposure(&self, exposed_ns: i64) -> Figure {
        if self.elapsed_ns <= 0.0 {
            return Err("the run has no length in time".to_owned());
        }
        Ok(exposed_ns as f64 / self.elapsed_ns)
    }
}

fn buy_hold(outcome: &Outcome, start: f64) -> Figure {
    let last = outcome.equity.last().ok_or("the run has no equity curve")?;
    if start <= 0.0 {
        return Err(format!("the run began with an equity of {start}"));
    }
    if let Some(first) = outcome.instruments.first()
        && ![first.symbol.base(), first.symbol.quote(), first.symbol.settle()]
            .contains(&outcome.reporting.code.as_str())
    {
        return Err(format!("{} has no price in {}", first.symbol, outcome.reporting.code));
    }
    Ok(last.buy_hold.to_f64(outcome.reporting.scale) / start - 1.0)
}

/// Positions open at the end: lots of one strategy, instrument and side are one position.
fn open_positions(outcome: &Outcome) -> u64 {
    let mut keys: Vec<_> = outcome.open_lots.iter().map(|l| (l.strategy, l.instrument, l.side.sign())).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len() as u64
}

#[cfg(test)]
mod tests;
