//! Statistics of closed trades.
//!
//! A trade is a lot with its profit after fees. Its *return* is that profit over the value at entry, both in the
//! settlement currency, so returns of different instruments can be put together; profits can only where all settle in
//! one currency, and are refused otherwise.

use bellwether_sdk::{Instrument, InstrumentKind, Price, Qty, Side};

use super::Figure;
use super::daily::{deviation, mean};
use crate::engine::Outcome;
use crate::portfolio::TradeRecord;

const NO_TRADE: &str = "no closed trade";
const NS_PER_HOUR: f64 = 3.6e12;

/// The value of a quantity at a price in the settlement currency: quantity × price × multiplier, for inverse contracts
/// quantity × multiplier / price.
pub fn entry_value(instrument: &Instrument, price: Price, qty: Qty) -> f64 {
    let units = qty.to_f64(instrument.qty_scale) * instrument.multiplier as f64;
    let price = price.to_f64(instrument.price_scale);
    match instrument.kind() {
        InstrumentKind::Spot | InstrumentKind::Linear => units * price,
        InstrumentKind::Inverse => units / price,
    }
}

/// The profit of a trade after fees over its value at entry, a fraction; `None` where the value is zero.
pub fn trade_return(instrument: &Instrument, trade: &TradeRecord, money_scale: u8) -> Option<f64> {
    let value = trade.pnl.to_f64(money_scale) / entry_value(instrument, trade.entry_price, trade.qty);
    value.is_finite().then_some(value)
}

/// What the figures of trades are made of.
pub(super) struct TradeFigures {
    /// Returns as fractions, in order of exit.
    pub(super) returns: Vec<f64>,
    /// Profits after fees, if all are of one currency.
    pub(super) cash: Result<Vec<f64>, String>,
    /// How many trades were long.
    pub(super) longs: u64,
    wins: Vec<bool>,
    losses: Vec<bool>,
    hours: f64,
}

impl TradeFigures {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let mut figures = Self {
            returns: Vec::new(),
            cash: one_currency(outcome),
            longs: 0,
            wins: vec![],
            losses: vec![],
            hours: 0.0,
        };
        for trade in &outcome.trades {
            let Some(instrument) = outcome.instruments.get(trade.instrument.index()) else { continue };
            let scale = money_scale(outcome, instrument.symbol.settle());
            figures.returns.push(trade_return(instrument, trade, scale).unwrap_or(0.0));
            if let Ok(cash) = &mut figures.cash {
                cash.push(trade.pnl.to_f64(scale));
            }
            figures.longs += u64::from(trade.side == Side::Buy);
            figures.wins.push(trade.pnl.mantissa() > 0);
            figures.losses.push(trade.pnl.mantissa() < 0);
            figures.hours += trade.exit_ts.nanos().saturating_sub(trade.entry_ts.nanos()) as f64 / NS_PER_HOUR;
        }
        figures
    }

    fn some(&self) -> Result<&[f64], String> {
        if self.returns.is_empty() { Err(NO_TRADE.to_owned()) } else { Ok(&self.returns) }
    }

    fn some_cash(&self) -> Result<&[f64], String> {
        self.some()?;
        self.cash.as_deref().map_err(Clone::clone)
    }

    pub(super) fn win_rate(&self) -> Figure {
        let n = self.some()?.len();
        Ok(self.wins.iter().filter(|w| **w).count() as f64 / n as f64)
    }

    pub(super) fn profit_factor_cash(&self) -> Figure {
        factor(self.some_cash()?)
    }

    pub(super) fn profit_factor_return(&self) -> Figure {
        factor(self.some()?)
    }

    pub(super) fn expectancy_cash(&self) -> Figure {
        self.some_cash().map(mean)
    }

    pub(super) fn mean_return(&self) -> Figure {
        self.some().map(mean)
    }

    pub(super) fn mean_win(&self) -> Figure {
        self.some()?;
        let wins: Vec<f64> = self.picked(&self.wins);
        if wins.is_empty() { Err("no winning trade".to_owned()) } else { Ok(mean(&wins)) }
    }

    pub(super) fn mean_loss(&self) -> Figure {
        self.some()?;
        let losses: Vec<f64> = self.picked(&self.losses);
        if losses.is_empty() { Err("no losing trade".to_owned()) } else { Ok(mean(&losses)) }
    }

    fn picked(&self, which: &[bool]) -> Vec<f64> {
        self.returns.iter().zip(which).filter(|(_, w)| **w).map(|(r, _)| *r).collect()
    }

    pub(super) fn payoff_ratio(&self) -> Figure {
        Ok(self.mean_win()? / -self.mean_loss()?)
    }

    pub(super) fn best(&self) -> Figure {
        Ok(self.some()?.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }

    pub(super) fn worst(&self) -> Figure {
        Ok(self.some()?.iter().copied().fold(f64::INFINITY, f64::min))
    }

    pub(super) fn mean_hours(&self) -> Figure {
        Ok(self.hours / self.some()?.len() as f64)
    }

    pub(super) fn losses_in_a_row(&self) -> u64 {
        let (mut longest, mut now) = (0, 0);
        for loss in &self.losses {
            now = if *loss { now + 1 } else { 0 };
            longest = longest.max(now);
        }
        longest
    }

    pub(super) fn sqn_cash(&self) -> Figure {
        quality(self.some_cash()?)
    }

    pub(super) fn sqn_return(&self) -> Figure {
        quality(self.some()?)
    }

    /// The largest profit over the sum of all, where that is a gain.
    pub(super) fn share_of_best(&self) -> Option<f64> {
        let values = self.cash.as_deref().unwrap_or(&self.returns);
        let sum: f64 = values.iter().sum();
        (values.len() > 1 && sum > 0.0).then(|| values.iter().copied().fold(f64::NEG_INFINITY, f64::max) / sum)
    }
}

fn one_currency(outcome: &Outcome) -> Result<Vec<f64>, String> {
    let mut codes: Vec<&str> = outcome
        .trades
        .iter()
        .filter_map(|t| outcome.instruments.get(t.instrument.index()))
        .map(|i| i.symbol.settle())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    if codes.len() > 1 {
        return Err(format!("trades settle in {}; profits of several currencies are not summed", codes.join(" and ")));
    }
    Ok(Vec::with_capacity(outcome.trades.len()))
}

/// The digits of a currency in this run.
pub(in crate::report) fn money_scale(outcome: &Outcome, code: &str) -> u8 {
    let known = outcome.currencies.iter().chain([&outcome.reporting]).find(|c| c.code == code);
    known.map_or(crate::market::MONEY_SCALE_MIN, |c| c.scale)
}

/// Gains over losses.
fn factor(values: &[f64]) -> Figure {
    let gains: f64 = values.iter().filter(|v| **v > 0.0).sum();
    let losses: f64 = values.iter().filter(|v| **v < 0.0).sum();
    if losses == 0.0 { Err("no losing trade: gains over zero".to_owned()) } else { Ok(gains / -losses) }
}

/// √n × mean / deviation.
fn quality(values: &[f64]) -> Figure {
    if values.len() < 2 {
        return Err(format!("needs 2 trades, the run has {}", values.len()));
    }
    let deviation = deviation(values);
    if deviation == 0.0 {
        return Err("all trades have the same result".to_owned());
    }
    Ok((values.len() as f64).sqrt() * mean(values) / deviation)
}
