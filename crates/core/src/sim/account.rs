//! What the account can bear: funds, leverage, maintenance margin, liquidation, funding.
//!
//! `margin@1`: equity is cash and the value of all positions at their last prices; after an order that makes a
//! position larger, Σ |notional| ≤ leverage × (equity − fee); when equity falls below maintenance × Σ |notional|, all
//! positions are closed at the price where it does (inside a bar: after stops, before targets), orders are cancelled.

use bellwether_sdk::{
    Bar, Funding, InstrumentId, InstrumentKind, Liquidity, Money, OrderId, Price, Qty, Rate, Side, Ts,
};

use super::{MarginTerms, Sim};
use crate::orders::Answer;
use crate::portfolio::{PortfolioError, div_half_even, over_rate_unit};

const UNIT: i128 = bellwether_sdk::num::pow10(Rate::SCALE) as i128;

/// The end of a bar's range that hurts a position more.
pub(super) fn adverse_extreme(bar: &Bar, qty: Qty) -> Price {
    if qty < Qty::ZERO { bar.high } else { bar.low }
}

impl Sim {
    /// Values all positions: instrument `i` at `price`, the others at their last price.
    pub(super) fn mark_all(&mut self, i: usize, price: Price) -> Result<(), PortfolioError> {
        if self.config.margin.is_none() {
            return Ok(());
        }
        for j in 0..self.markets.len() {
            let mark = if j == i { price } else { self.markets[j].last };
            if !mark.is_zero() && (j == i || !self.ledger.position(InstrumentId(j as u16)).qty.is_zero()) {
                self.ledger.mark(InstrumentId(j as u16), mark)?;
            }
        }
        Ok(())
    }

    /// Why an execution is beyond the account, if it is. Positions are marked.
    pub(super) fn unaffordable(
        &self,
        i: usize,
        side: Side,
        price: Price,
        qty: Qty,
        fee: Money,
    ) -> Result<Option<&'static str>, PortfolioError> {
        let instrument = InstrumentId(i as u16);
        let held = self.ledger.position(instrument).qty.mantissa();
        let after = held.saturating_add(side.sign() * qty.mantissa());
        let reduces = held != 0 && after.signum() != -held.signum() && after.abs() <= held.abs();
        let Some(margin) = self.config.margin else {
            return self.cash_cannot_bear(i, side, price, qty, fee, after, reduces);
        };
        if reduces {
            return Ok(None);
        }
        let terms = self.ledger.terms(instrument);
        let here = terms.notional(price, Qty::from_mantissa(after.abs()))?;
        let (Some(here), Some(fee)) =
            (self.ledger.in_reporting(terms.settle, here), self.ledger.in_reporting(terms.settle, fee))
        else {
            return Ok(Some("no_conversion_price"));
        };
        let exposure = self.exposure_but(i)? + here.mantissa();
        let equity = self.ledger.equity().mantissa() - fee.mantissa();
        Ok((times(exposure, UNIT)? > times(equity, i128::from(margin.leverage_max.mantissa()))?)
            .then_some("insufficient_margin"))
    }

    #[allow(clippy::too_many_arguments, reason = "the numbers of one check, used once")]
    fn cash_cannot_bear(
        &self,
        i: usize,
        side: Side,
        price: Price,
        qty: Qty,
        fee: Money,
        after: i64,
        reduces: bool,
    ) -> Result<Option<&'static str>, PortfolioError> {
        if after < 0 {
            return Ok(Some("insufficient_position"));
        }
        let terms = self.ledger.terms(InstrumentId(i as u16));
        if side == Side::Sell || reduces {
            return Ok(None);
        }
        let needed = terms.notional(price, qty)?.mantissa() + fee.mantissa();
        Ok((needed > self.free_cash(terms.settle)).then_some("insufficient_funds"))
    }

    /// Cash of a currency that is not tied up. Without leverage a contract takes the whole of its value: what it cost
    /// is tied up until it is closed.
    fn free_cash(&self, currency: usize) -> i128 {
        let positions = self.ledger.positions().iter().enumerate();
        let tied = positions.filter(|(j, p)| {
            let terms = self.ledger.terms(InstrumentId(*j as u16));
            !p.qty.is_zero() && terms.settle == currency && terms.kind() != InstrumentKind::Spot
        });
        self.ledger.cash(currency).mantissa() - tied.map(|(_, p)| p.cost.mantissa().abs()).sum::<i128>()
    }

    /// The largest quantity that may be opened at `price` beyond closing `close`.
    pub(super) fn bearable(
        &mut self,
        i: usize,
        side: Side,
        price: Price,
        rate: Rate,
        close: Qty,
    ) -> Result<Qty, PortfolioError> {
        self.mark_all(i, price)?;
        let instrument = InstrumentId(i as u16);
        let terms = *self.ledger.terms(instrument);
        let lot = self.instruments[i].lot;
        let Some(margin) = self.config.margin else {
            if side == Side::Sell {
                return Ok(Qty::ZERO);
            }
            let free = Money::from_mantissa(self.free_cash(terms.settle));
            return Ok(terms.qty_for(free, price, rate.max(Rate::ZERO), lot));
        };
        let close_fee = terms.fee(terms.notional(price, close)?, rate)?;
        let Some(close_fee) = self.ledger.in_reporting(terms.settle, close_fee) else { return Ok(Qty::ZERO) };
        let equity = self.ledger.equity().mantissa() - close_fee.mantissa();
        let leverage = i128::from(margin.leverage_max.mantissa());
        let free = times(equity, leverage)?.div_euclid(UNIT) - self.exposure_but(i)?;
        let Some(free) = self.ledger.from_reporting(terms.settle, Money::from_mantissa(free)) else {
            return Ok(Qty::ZERO);
        };
        let rest = self.ledger.position(instrument).qty.mantissa() + side.sign() * close.mantissa();
        let tied = terms.notional(price, Qty::from_mantissa(rest.abs()))?.mantissa();
        // The fee comes out of equity, so it costs its leverage-fold of room.
        let fee_room = i64::try_from(times(i128::from(rate.mantissa().max(0)), leverage)? / UNIT).unwrap_or(i64::MAX);
        let free = Money::from_mantissa(free.mantissa() - tied);
        Ok(terms.qty_for(free, price, Rate::from_mantissa(fee_room.saturating_add(1)), lot))
    }

    /// Σ |notional| of all instruments but one at their marks, reporting currency.
    fn exposure_but(&self, but: usize) -> Result<i128, PortfolioError> {
        let mut total = 0i128;
        for (j, position) in self.ledger.positions().iter().enumerate() {
            if j != but && !position.qty.is_zero() {
                let terms = self.ledger.terms(InstrumentId(j as u16));
                let value = terms.notional(position.mark, Qty::from_mantissa(position.qty.mantissa().abs()))?;
                total += self.ledger.in_reporting(terms.settle, value).map_or(0, Money::mantissa);
            }
        }
        Ok(total)
    }

    /// Equity above what maintenance asks for, at the present marks.
    fn slack(&self, margin: MarginTerms) -> Result<i128, PortfolioError> {
        let exposure = self.exposure_but(usize::MAX)?;
        let needed = over_rate_unit(times(exposure, i128::from(margin.maintenance.mantissa()))?);
        Ok(self.ledger.equity().mantissa() - needed)
    }

    /// After a fill or a payment: the safe bands no longer hold.
    pub(super) fn margin_changed(&mut self) {
        for market in &mut self.markets {
            market.safe = (Price::ZERO, Price::ZERO);
        }
    }

    /// Instrument `i` trades at `price`: liquidates when the account cannot bear it, else notes how far it is safe.
    pub(super) fn check_margin(&mut self, i: usize, price: Price, bar_ts: Ts) -> Result<(), PortfolioError> {
        let Some(margin) = self.config.margin else { return Ok(()) };
        if self.bears(margin, i, price)? { Ok(()) } else { self.liquidate(i, price, bar_ts) }
    }

    /// After a fill: notes how far it is safe from the last price on, so that the next event need not be looked at.
    pub(super) fn find_safe(&mut self, i: usize) -> Result<(), PortfolioError> {
        let linear = self.ledger.terms(InstrumentId(i as u16)).kind() != InstrumentKind::Inverse;
        if let Some(margin) = self.config.margin
            && linear
            && self.ledger.is_single_currency()
        {
            // An account that cannot bear even this is left to the next event.
            self.bears(margin, i, self.markets[i].last)?;
        }
        Ok(())
    }

    /// Whether the account can bear instrument `i` at `price`; notes how far it is safe then.
    fn bears(&mut self, margin: MarginTerms, i: usize, price: Price) -> Result<bool, PortfolioError> {
        self.mark_all(i, price)?;
        let slack = self.slack(margin)?;
        if slack < 0 {
            return Ok(false);
        }
        if self.ledger.open_count() > 1 {
            // What one instrument cost, all bands have less room for.
            self.margin_changed();
        }
        self.note_safe(i, price, slack)?;
        Ok(true)
    }

    /// A price move of Δ costs at most 2 × Δ × |quantity| of slack (maintenance below 100 %), shared by all positions.
    fn note_safe(&mut self, i: usize, price: Price, slack: i128) -> Result<(), PortfolioError> {
        let instrument = InstrumentId(i as u16);
        let qty = self.ledger.position(instrument).qty;
        let terms = self.ledger.terms(instrument);
        if !self.ledger.is_single_currency() || terms.kind() == InstrumentKind::Inverse {
            return Ok(());
        }
        self.markets[i].safe = if qty.is_zero() {
            (Price::from_mantissa(i64::MIN), Price::from_mantissa(i64::MAX))
        } else {
            let per_unit = terms.notional(Price::from_mantissa(1), Qty::from_mantissa(qty.mantissa().abs()))?;
            let sharers = self.ledger.open_count() as i128;
            let shared = 2 * sharers * per_unit.mantissa().max(1);
            let delta = match (i64::try_from(slack), i64::try_from(shared)) {
                (Ok(slack), Ok(shared)) => slack / shared,
                _ => i64::try_from(slack / shared).unwrap_or(i64::MAX),
            };
            let at = price.mantissa();
            (Price::from_mantissa(at.saturating_sub(delta)), Price::from_mantissa(at.saturating_add(delta)))
        };
        Ok(())
    }

    /// A bar's range went to `price`: liquidates at the first price on the way where the account cannot bear it.
    pub(super) fn reach(&mut self, i: usize, price: Price, bar_ts: Ts) -> Result<(), PortfolioError> {
        let market = &self.markets[i];
        let Some(margin) = self.config.margin else { return Ok(()) };
        if self.ledger.open_count() == 0 || (price > market.safe.0 && price < market.safe.1) {
            return Ok(());
        }
        let from = market.last;
        if self.bears(margin, i, price)? {
            return Ok(());
        }
        let (mut good, mut bad) = (from.mantissa(), price.mantissa());
        while (good - bad).abs() > 1 {
            let middle = good + (bad - good) / 2;
            if self.bears(margin, i, Price::from_mantissa(middle))? { good = middle } else { bad = middle }
        }
        self.liquidate(i, Price::from_mantissa(bad), bar_ts)
    }

    fn liquidate(&mut self, i: usize, price: Price, bar_ts: Ts) -> Result<(), PortfolioError> {
        for j in 0..self.markets.len() {
            let instrument = InstrumentId(j as u16);
            let held = self.ledger.position(instrument).qty;
            if held.is_zero() {
                continue;
            }
            let at = if j == i { price } else { self.markets[j].last };
            let side = if held > Qty::ZERO { Side::Sell } else { Side::Buy };
            let qty = Qty::from_mantissa(held.mantissa().abs());
            let terms = self.ledger.terms(instrument);
            let fee = terms.fee(terms.notional(at, qty)?, self.config.taker[j])?;
            self.ledger.fill(instrument, side, at, qty, fee)?;
            let bar_ts = if j == i { bar_ts } else { self.markets[j].bar_ts };
            self.answers.push(Answer::Fill {
                order: OrderId(0),
                instrument,
                side,
                price: at,
                qty,
                withheld: Qty::ZERO,
                qty_total: qty,
                fee,
                liquidity: Liquidity::Taker,
                bar_ts,
            });
        }
        for j in 0..self.markets.len() {
            while let Some(last) = self.markets[j].resting.len().checked_sub(1) {
                let id = self.markets[j].resting[last].order.id;
                self.end(j, last, Answer::Cancelled(id, "liquidated"));
            }
        }
        self.margin_changed();
        Ok(())
    }

    /// Funding: longs pay `rate` of the position's value at the mark, shorts receive it; rounded half-even.
    pub(super) fn settle_funding(&mut self, funding: &Funding) -> Result<(), PortfolioError> {
        let i = funding.instrument.index();
        let terms = *self.ledger.terms(funding.instrument);
        let held = self.ledger.position(funding.instrument).qty;
        let mark = if funding.mark.is_zero() { self.markets[i].last } else { funding.mark };
        if held.is_zero() || terms.kind() == InstrumentKind::Spot || mark.is_zero() {
            return Ok(());
        }
        let value = terms.notional(mark, held)?.mantissa();
        let paid = div_half_even(times(value, i128::from(funding.rate.mantissa()))?, UNIT);
        let amount = Money::from_mantissa(-paid);
        self.ledger.fund(funding.instrument, amount)?;
        self.answers.push(Answer::Funding(funding.instrument, amount));
        self.margin_changed();
        Ok(())
    }
}

fn times(a: i128, b: i128) -> Result<i128, PortfolioError> {
    // Two 64-bit numbers cannot overflow 128 bits.
    if let (Ok(a), Ok(b)) = (i64::try_from(a), i64::try_from(b)) {
        return Ok(i128::from(a) * i128::from(b));
    }
    a.checked_mul(b).ok_or(PortfolioError::Overflow { what: "a margin check" })
}
