//! The table of metrics: key, label, unit, formula and source of each, in one place.
//!
//! [`Summary`], its JSON Schema, the tooltips of the HTML page and `docs/metrics.md` are all made of this table, so none
//! of them can say something else than the others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of number a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// An amount of the reporting currency.
    Money,
    /// Per cent.
    Percent,
    /// A pure number.
    Ratio,
    /// How many.
    Count,
    /// Days of 24 hours.
    Days,
    /// Hours.
    Hours,
}

impl Unit {
    /// Its name in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Money => "currency",
            Self::Percent => "%",
            Self::Ratio => "ratio",
            Self::Count => "count",
            Self::Days => "days",
            Self::Hours => "hours",
        }
    }
}

/// What a figure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Money at the start and at the end.
    Result,
    /// What was done.
    Activity,
    /// Closed trades.
    Trades,
    /// Falls and fluctuations of equity.
    Risk,
}

impl Group {
    /// All, in order.
    pub const ALL: [Self; 4] = [Self::Result, Self::Activity, Self::Trades, Self::Risk];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Result => "Result",
            Self::Activity => "Activity",
            Self::Trades => "Closed trades",
            Self::Risk => "Risk",
        }
    }
}

/// What a figure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Its key in JSON.
    pub key: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// Its heading.
    pub group: Group,
    /// Its unit.
    pub unit: Unit,
    /// How it is computed.
    pub formula: &'static str,
    /// Where the formula comes from.
    pub source: &'static str,
}

macro_rules! table {
    ($($key:ident: $ty:ty, $group:ident, $unit:ident, $label:literal, $formula:literal, $source:literal;)*) => {
        /// The figures of a run. Absent ones are `None` (`null` in JSON); the document's `reasons` say why.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub struct Summary {
            $(#[doc = $formula] pub $key: $ty,)*
        }

        /// Every figure of [`Summary`], in its order.
        pub const DEFINITIONS: &[Definition] = &[
            $(Definition {
                key: stringify!($key),
                label: $label,
                group: Group::$group,
                unit: Unit::$unit,
                formula: $formula,
                source: $source,
            },)*
        ];
    };
}

table! {
    start_equity: f64, Result, Money, "Start equity", "Equity before the first event, in the reporting currency.", "own";
    end_equity: f64, Result, Money, "End equity", "Equity after the last event, open positions at the last price, in the reporting currency.", "own";
    return_pct: Option<f64>, Result, Percent, "Return", "100 × (end_equity / start_equity − 1).", "GIPS 2020, time-weighted without flows";
    cagr_pct: Option<f64>, Result, Percent, "CAGR", "100 × ((end_equity / start_equity)^(365 d / elapsed) − 1); elapsed is the time from the first to the last event, not a count of days.", "empyrical annual_return with annualization=365, on elapsed time";
    buy_hold_return_pct: Option<f64>, Result, Percent, "Buy and hold", "Return of holding the first instrument from its first to its last price with the whole start equity, without leverage and fees; an inverse contract counted in its coin returns 1 − first / last.", "own; as backtesting.py 'Buy & Hold Return'";
    exposure_pct: Option<f64>, Result, Percent, "Exposure", "100 × time with any position open / elapsed time.", "backtesting.py 'Exposure Time', measured in time instead of bars";
    fees: f64, Result, Money, "Fees", "Sum of all fees paid, in the reporting currency.", "own";
    funding: f64, Result, Money, "Funding", "Sum of funding received, negative when paid, in the reporting currency.", "own";
    orders: u64, Activity, Count, "Orders", "Orders made, refused ones included.", "own";
    fills: u64, Activity, Count, "Fills", "Executions; one order may have several.", "own";
    trades: u64, Activity, Count, "Trades", "Lots closed, first in first out; a partial exit splits a lot, a reversal is one order and two trades.", "own";
    long_trades: u64, Activity, Count, "Long trades", "Closed trades that began with a purchase.", "own";
    short_trades: u64, Activity, Count, "Short trades", "Closed trades that began with a sale.", "own";
    open_positions: u64, Activity, Count, "Open positions", "Positions open after the last event; all lots of one strategy, instrument and side are one.", "own";
    win_rate_pct: Option<f64>, Trades, Percent, "Win rate", "100 × trades with a profit above zero after fees / trades.", "freqtrade, backtesting.py 'Win Rate'";
    profit_factor: Option<f64>, Trades, Ratio, "Profit factor (cash)", "Sum of profits / sum of losses, in money after fees; needs one settlement currency.", "Schwager, Market Wizards; freqtrade 'Profit factor'";
    profit_factor_return: Option<f64>, Trades, Ratio, "Profit factor (returns)", "Sum of gaining trade returns / sum of losing trade returns; every trade weighs the same whatever its size.", "backtesting.py 'Profit Factor', QuantStats profit_factor";
    payoff_ratio: Option<f64>, Trades, Ratio, "Payoff ratio", "avg_win_pct / −avg_loss_pct.", "QuantStats payoff_ratio";
    expectancy: Option<f64>, Trades, Money, "Expectancy (cash)", "Mean profit of a trade after fees, in the settlement currency; needs one settlement currency.", "freqtrade 'Expectancy'";
    expectancy_pct: Option<f64>, Trades, Percent, "Expectancy (returns)", "Mean trade return. A trade return is 100 × profit after fees / value at entry, both in the settlement currency.", "backtesting.py 'Expectancy [%]'";
    avg_win_pct: Option<f64>, Trades, Percent, "Average win", "Mean return of the trades with a profit above zero.", "QuantStats avg_win";
    avg_loss_pct: Option<f64>, Trades, Percent, "Average loss", "Mean return of the trades with a loss, negative.", "QuantStats avg_loss";
    best_trade_pct: Option<f64>, Trades, Percent, "Best trade", "Largest trade return.", "backtesting.py 'Best Trade [%]'";
    worst_trade_pct: Option<f64>, Trades, Percent, "Worst trade", "Smallest trade return.", "backtesting.py 'Worst Trade [%]'";
    avg_trade_hours: Option<f64>, Trades, Hours, "Average duration", "Mean time from the fill that opened a lot to the fill that closed it, in hours.", "backtesting.py 'Avg. Trade Duration'";
    max_consecutive_losses: u64, Trades, Count, "Losses in a row", "Longest run of losing trades in the order of exit.", "QuantStats consecutive_losses, on trades";
    sqn: Option<f64>, Trades, Ratio, "SQN (cash)", "√trades × mean profit / standard deviation of profits (n − 1), in money; needs one settlement currency.", "Van Tharp, System Quality Number; backtesting.py 'SQN'";
    sqn_return: Option<f64>, Trades, Ratio, "SQN (returns)", "√trades × mean trade return / standard deviation of trade returns (n − 1).", "Van Tharp, System Quality Number";
    max_drawdown_pct: Option<f64>, Risk, Percent, "Max drawdown", "Largest fall of equity from a peak / that peak, at every event (not only at the end of days or bars), positive.", "Magdon-Ismail and Atiya 2004";
    max_drawdown_days: Option<f64>, Risk, Days, "Longest drawdown", "Longest time below a former peak, in days; one that is not over counts to the last event.", "backtesting.py 'Max. Drawdown Duration'";
    max_drawdown_daily_pct: Option<f64>, Risk, Percent, "Max drawdown (daily)", "As max_drawdown_pct, seen only at the end of days and at the start: for comparison with tools that see daily returns.", "empyrical max_drawdown, QuantStats max_drawdown";
    recovery_factor: Option<f64>, Risk, Ratio, "Recovery factor", "return_pct / max_drawdown_pct.", "QuantStats recovery_factor, simple returns";
    calmar: Option<f64>, Risk, Ratio, "Calmar", "cagr_pct / max_drawdown_pct.", "Young 1991, over the whole run; empyrical calmar_ratio";
    ulcer_index_daily_pct: Option<f64>, Risk, Percent, "Ulcer index (daily)", "Root of the mean squared fall from the peak so far at the end of the days with data (divided by n).", "Martin 1987";
    days: u64, Risk, Count, "Days", "Calendar days (UTC) from the first to the last with data, both included: the count of daily returns in the 365 figures.", "own";
    volatility_daily_365_pct: Option<f64>, Risk, Percent, "Volatility (365)", "100 × standard deviation (n − 1) of daily returns × √365. Daily returns: equity at the end of a UTC day over that of the day before, the first day over start_equity; a day without data returns zero.", "empyrical annual_volatility with annualization=365";
    sharpe_daily_365: Option<f64>, Risk, Ratio, "Sharpe (365)", "Mean / standard deviation (n − 1) of daily returns × √365, risk-free rate zero; a day without data returns zero.", "Sharpe 1994; empyrical sharpe_ratio, QuantStats sharpe(periods=365)";
    sortino_daily_365: Option<f64>, Risk, Ratio, "Sortino (365)", "Mean of daily returns / root of the mean over all days of min(return, 0)², × √365; target zero; a day without data returns zero.", "Sortino and Price 1994; empyrical sortino_ratio, QuantStats sortino(periods=365)";
    volatility_daily_252_pct: Option<f64>, Risk, Percent, "Volatility (252)", "As volatility_daily_365_pct over the days with data only, × √252: for markets that close.", "empyrical annual_volatility";
    sharpe_daily_252: Option<f64>, Risk, Ratio, "Sharpe (252)", "As sharpe_daily_365 over the days with data only, × √252: for markets that close.", "empyrical sharpe_ratio";
    sortino_daily_252: Option<f64>, Risk, Ratio, "Sortino (252)", "As sortino_daily_365 over the days with data only, × √252: for markets that close.", "empyrical sortino_ratio";
    best_day_pct: Option<f64>, Risk, Percent, "Best day", "Largest daily return.", "QuantStats best";
    worst_day_pct: Option<f64>, Risk, Percent, "Worst day", "Smallest daily return.", "QuantStats worst";
}

impl Summary {
    /// Every figure with its definition, in order; `None` where a figure is absent.
    pub fn figures(&self) -> Vec<(&'static Definition, Option<f64>)> {
        let value = serde_json::to_value(self).unwrap_or_default();
        DEFINITIONS.iter().map(|d| (d, value.get(d.key).and_then(serde_json::Value::as_f64))).collect()
    }

    /// The figure of a key.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.figures().into_iter().find(|(d, _)| d.key == key).and_then(|(_, v)| v)
    }
}

/// The text of `docs/metrics.md`.
pub fn markdown() -> String {
    let mut out = String::from(MARKDOWN_HEAD);
    for group in Group::ALL {
        out.push_str(&format!("\n## {}\n\n| key | unit | definition | source |\n|---|---|---|---|\n", group.title()));
        for d in DEFINITIONS.iter().filter(|d| d.group == group) {
            out.push_str(&format!("| `{}` | {} | {} | {} |\n", d.key, d.unit.name(), d.formula, d.source));
        }
    }
    out.push_str(MARKDOWN_TAIL);
    out
}

const MARKDOWN_HEAD: &str = "\
# Metrics and their definitions

The keys of `summary` in the JSON of a run. This page is made from the table in `src/report/metrics/definitions.rs`; a
test holds the two equal. A figure that cannot be computed is `null`, and `reasons` says why under the same key.

**Daily returns.** The return of a UTC day is the equity after its last event over the equity after the last event of the
day before; the first day is measured against `start_equity`. The first and the last day count as whole days, even where the
run begins or ends within them. For the `_365` figures a day without data carries equity forward and returns zero; for the
`_252` figures only days with data count. Equity at or below zero ends the series, and what is made of it is `null`.

**Trades.** A trade is a lot, closed first in first out; its profit is after entry and exit fees, without funding. Its return
is that profit over quantity × price × multiplier at entry (inverse contracts: quantity × multiplier / price).
";

const MARKDOWN_TAIL: &str = "
## Flags

A figure that is right by its formula may still mislead. `flags` in the JSON, and the report, name it with the reason:

| figure | when |
|---|---|
| `sharpe_daily_365`, `sharpe_daily_252` | above 5; or from fewer than 30 daily returns |
| `sortino_daily_365` | above 10 |
| `win_rate_pct` | 100 % |
| `max_drawdown_pct` | zero although trades were made |
| `profit_factor` | infinite (no losing trade), not computable, or above 10 |
| `cagr_pct` | above 1,000 %; or annualised from less than 30 days |
| `calmar` | its return is annualised from less than 30 days |
| `trades` | 1 to 29 closed trades; or none closed while positions are open |
| `best_trade_pct` | one trade of several made more than half of the profit |
| `fees` | fills and no fee |
| `end_equity` | zero or below |
| `instruments` | tick and lot inferred from the data |

## How they were checked

`tests/metrics/reference.py` computes the daily figures of a fixed equity curve with empyrical and QuantStats, and the
trade figures with plain NumPy; `tests/metrics/reference.json` holds the curve and the values. A unit test compares within
1e-9. Where QuantStats counts otherwise, the script says how its value follows from ours.
";
