//! Lots: each strategy's own part of a position, closed first in first out into trades.

use std::collections::VecDeque;

use bellwether_sdk::{InstrumentId, InstrumentKind, Money, PositionView, Price, Qty, Role, Side, Ts};
use serde::{Deserialize, Serialize};

use super::{OpenLot, PortfolioError, Terms, TradeRecord, div_half_even};
use crate::orders::WordId;

/// A fill as the lots need it.
#[derive(Debug, Clone, Copy)]
pub struct LotFill {
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Index of the strategy.
    pub strategy: u16,
    /// Buy or sell.
    pub side: Side,
    /// The price.
    pub price: Price,
    /// The quantity, above zero.
    pub qty: Qty,
    /// The fee.
    pub fee: Money,
    /// Causal time.
    pub ts: Ts,
    /// Open time of the bar that filled, if one did.
    pub bar_ts: Ts,
    /// Tag of the order.
    pub tag: WordId,
    /// Role of the order.
    pub role: Role,
}

/// One strategy's lots in one instrument, all of one side.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Lots {
    lots: VecDeque<OpenLot>,
    qty: i64,
    withheld: i64,
    /// Fees of purchases of which all was kept: they are of the next lot.
    fees_ahead: Money,
}

impl Lots {
    /// The signed sum of the lots.
    pub fn qty(&self) -> Qty {
        Qty::from_mantissa(self.qty)
    }

    /// What the exchange kept of the purchases of this position as its fee: it is in none of the lots.
    pub fn withheld(&self) -> Qty {
        Qty::from_mantissa(self.withheld)
    }

    /// The exchange kept so much of what was bought, perhaps all of a piece. A position that is closed has nothing of it.
    pub fn withhold(&mut self, qty: Qty) {
        let closed = self.qty == 0 && qty.is_zero();
        self.withheld = if closed { 0 } else { self.withheld.saturating_add(qty.mantissa().max(0)) };
    }

    /// The lots, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &OpenLot> {
        self.lots.iter()
    }

    /// Quantity and average entry price, for display.
    pub fn view(&self) -> PositionView {
        if self.lots.len() == 1
            && let Some(only) = self.lots.front()
        {
            return PositionView { qty: self.qty(), entry: only.entry_price };
        }
        let total: i128 = self.lots.iter().map(|l| i128::from(l.qty.mantissa())).sum();
        if total == 0 {
            return PositionView::default();
        }
        let weighted = self.lots.iter().try_fold(0i128, |sum, l| {
            i128::from(l.qty.mantissa()).checked_mul(i128::from(l.entry_price.mantissa()))?.checked_add(sum)
        });
        let entry = weighted.map_or(0, |w| div_half_even(w, total));
        PositionView { qty: self.qty(), entry: Price::from_mantissa(i64::try_from(entry).unwrap_or(i64::MAX)) }
    }

    /// Takes a fill: closes lots of the other side oldest first into `trades`, opens a lot of what is left.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    pub fn fill(&mut self, terms: &Terms, fill: &LotFill, trades: &mut Vec<TradeRecord>) -> Result<(), PortfolioError> {
        let mut left = fill.qty.mantissa();
        let mut fee_left = fill.fee;
        if left == 0 {
            let ahead = self.fees_ahead.mantissa().saturating_add(fee_left.mantissa());
            self.fees_ahead = Money::from_mantissa(ahead);
        }
        while left > 0 {
            let Some(lot) = self.lots.front_mut().filter(|l| l.side != fill.side) else { break };
            let closed = left.min(lot.qty.mantissa());
            let exit_fee = share(fee_left, closed, left)?;
            let entry_fee = share(lot.fees, closed, lot.qty.mantissa())?;
            trades.push(close(terms, lot, fill, Qty::from_mantissa(closed), entry_fee, exit_fee)?);
            left -= closed;
            fee_left = Money::from_mantissa(fee_left.mantissa() - exit_fee.mantissa());
            lot.fees = Money::from_mantissa(lot.fees.mantissa() - entry_fee.mantissa());
            lot.qty = Qty::from_mantissa(lot.qty.mantissa() - closed);
            if lot.qty.is_zero() {
                self.lots.pop_front();
            }
        }
        if left > 0 {
            let ahead = std::mem::take(&mut self.fees_ahead);
            self.lots.push_back(OpenLot {
                fees: Money::from_mantissa(fee_left.mantissa().saturating_add(ahead.mantissa())),
                entry_ts: fill.ts,
                entry_bar_ts: fill.bar_ts,
                entry_price: fill.price,
                qty: Qty::from_mantissa(left),
                entry_tag: fill.tag,
                instrument: fill.instrument,
                strategy: fill.strategy,
                side: fill.side,
            });
        }
        self.qty = self
            .qty
            .checked_add(fill.side.sign() * fill.qty.mantissa())
            .ok_or(PortfolioError::Overflow { what: "a strategy's position" })?;
        Ok(())
    }
}

/// The part of a fee that belongs to `part` of `whole`; half-even, the residue stays with the rest.
fn share(fee: Money, part: i64, whole: i64) -> Result<Money, PortfolioError> {
    if part == whole {
        return Ok(fee);
    }
    let product =
        fee.mantissa().checked_mul(i128::from(part)).ok_or(PortfolioError::Overflow { what: "a fee's share" })?;
    Ok(Money::from_mantissa(div_half_even(product, i128::from(whole))))
}

fn close(
    terms: &Terms,
    lot: &OpenLot,
    fill: &LotFill,
    qty: Qty,
    entry_fee: Money,
    exit_fee: Money,
) -> Result<TradeRecord, PortfolioError> {
    let (entry, exit) = (terms.notional(lot.entry_price, qty)?.mantissa(), terms.notional(fill.price, qty)?.mantissa());
    let gain = match terms.kind() {
        InstrumentKind::Inverse => entry - exit,
        InstrumentKind::Spot | InstrumentKind::Linear => exit - entry,
    };
    let fees = entry_fee.mantissa() + exit_fee.mantissa();
    Ok(TradeRecord {
        fees: Money::from_mantissa(fees),
        pnl: Money::from_mantissa(gain * i128::from(lot.side.sign()) - fees),
        entry_ts: lot.entry_ts,
        entry_bar_ts: lot.entry_bar_ts,
        exit_ts: fill.ts,
        exit_bar_ts: fill.bar_ts,
        entry_price: lot.entry_price,
        exit_price: fill.price,
        qty,
        entry_tag: lot.entry_tag,
        instrument: lot.instrument,
        strategy: lot.strategy,
        side: lot.side,
        exit_reason: fill.role,
    })
}
