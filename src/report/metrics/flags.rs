//! Figures that are right by their formula and still mislead: too good, or from too little.

use std::collections::BTreeMap;

use super::trades::TradeFigures;
use super::{Daily, Flag, Summary};
use crate::engine::Outcome;
use crate::report::text::{DAY_NS, fixed, span};

/// Below this many trades a trade statistic is mostly chance.
const TRADES_MIN: u64 = 30;
/// Below this many days an annual figure is mostly extrapolation.
const DAYS_MIN: u64 = 30;

struct Flags(Vec<Flag>);

impl Flags {
    fn raise(&mut self, on: bool, metric: &str, why: impl FnOnce() -> String) {
        if on {
            self.0.push(Flag { metric: metric.to_owned(), why: why() });
        }
    }
}

pub(super) fn flags(
    outcome: &Outcome,
    summary: &Summary,
    reasons: &BTreeMap<String, String>,
    trades: &TradeFigures,
    daily: &Daily,
) -> Vec<Flag> {
    let mut flags = Flags(Vec::new());
    too_good(&mut flags, outcome, summary, reasons);
    too_little(&mut flags, outcome, summary, trades, daily);
    not_real(&mut flags, outcome, summary);
    flags.0
}

fn too_good(flags: &mut Flags, outcome: &Outcome, summary: &Summary, reasons: &BTreeMap<String, String>) {
    let n = summary.trades;
    for (key, value) in [
        ("sharpe_daily_365", summary.sharpe_daily_365),
        ("sharpe_daily_252", summary.sharpe_daily_252),
        ("sortino_daily_365", summary.sortino_daily_365),
    ] {
        let limit = if key.starts_with("sortino") { 10.0 } else { 5.0 };
        let value = value.unwrap_or(0.0);
        flags.raise(value > limit, key, || {
            format!(
                "{} from {n} trades in {} days: above {limit} is a sign of look-ahead or of luck",
                fixed(value, 1),
                summary.days
            )
        });
    }
    let win_rate = summary.win_rate_pct.unwrap_or(0.0);
    flags.raise(n > 0 && win_rate >= 100.0, "win_rate_pct", || {
        format!("all {n} closed trades won: losses may still be open")
    });
    flags.raise(n > 0 && outcome.drawdown.fraction == 0.0, "max_drawdown_pct", || {
        format!("{n} trades and equity never fell: check fees, fills and the age of prices")
    });
    flags.raise(
        n > 0 && summary.profit_factor.is_none() && reasons.contains_key("profit_factor"),
        "profit_factor",
        || reasons.get("profit_factor").cloned().unwrap_or_default(),
    );
    let factor = summary.profit_factor.unwrap_or(0.0);
    flags.raise(factor > 10.0, "profit_factor", || {
        format!("{} from {n} trades: gains are {0} times the losses", fixed(factor, 1))
    });
    let cagr = summary.cagr_pct.unwrap_or(0.0);
    flags.raise(cagr > 1000.0, "cagr_pct", || format!("{} % a year has not been held up by anyone", fixed(cagr, 0)));
}

fn too_little(flags: &mut Flags, outcome: &Outcome, summary: &Summary, trades: &TradeFigures, daily: &Daily) {
    let elapsed = outcome.ts_last.nanos().saturating_sub(outcome.ts_first.nanos());
    let short = outcome.events > 0 && elapsed < DAYS_MIN as i64 * DAY_NS;
    flags.raise(short && summary.cagr_pct.is_some(), "cagr_pct", || {
        format!("annualised from {}: nothing can be said of a year", span(elapsed))
    });
    flags.raise(short && summary.calmar.is_some(), "calmar", || {
        format!("its return is annualised from {}: nothing can be said of a year", span(elapsed))
    });
    for (key, value, days) in [
        ("sharpe_daily_365", summary.sharpe_daily_365, summary.days),
        ("sharpe_daily_252", summary.sharpe_daily_252, daily.trading.len() as u64),
    ] {
        flags.raise(days < DAYS_MIN && value.is_some(), key, || format!("from {days} daily returns"));
    }
    let n = summary.trades;
    flags.raise(n > 0 && n < TRADES_MIN, "trades", || {
        format!(
            "{n} closed {}: trade statistics are mostly chance below {TRADES_MIN}",
            if n == 1 { "trade" } else { "trades" }
        )
    });
    let share = trades.share_of_best().unwrap_or(0.0);
    flags.raise(share > 0.5, "best_trade_pct", || {
        format!("one trade of {n} made {} % of the profit", fixed(100.0 * share, 0))
    });
}

fn not_real(flags: &mut Flags, outcome: &Outcome, summary: &Summary) {
    flags.raise(!outcome.fills.is_empty() && outcome.fees.mantissa() == 0, "fees", || {
        format!("{} fills and no fee: real venues charge", summary.fills)
    });
    flags.raise(summary.end_equity <= 0.0, "end_equity", || "the account was lost".to_owned());
    flags.raise(summary.trades == 0 && summary.open_positions > 0, "trades", || {
        "no trade was closed: all profit is that of open positions at the last price".to_owned()
    });
    for instrument in outcome.instruments.iter().filter(|i| i.inferred) {
        flags.raise(true, "instruments", || {
            format!("{}: tick and lot are inferred from the data, minimums are not enforced", instrument.symbol)
        });
    }
}
