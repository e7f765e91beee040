//! Cash per currency and net positions with their cost basis.

use bellwether_sdk::{InstrumentId, InstrumentKind, Money, Price, Qty, Side};
use serde::{Deserialize, Serialize};

use super::{PortfolioError, Terms, div_half_even};

/// A net position of the account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Signed: below zero is short.
    pub qty: Qty,
    /// What it cost, signed like `qty`, in settlement currency.
    pub cost: Money,
    /// The last price it was valued at; zero before the first.
    pub mark: Price,
    /// What it adds to equity at `mark`: its value (spot) or its unrealised profit (contracts), settlement currency.
    pub value: Money,
    /// What one unit of the price's last place changes `value` by; zero where that is not constant.
    per_price_unit: i64,
}

/// How an amount of another currency becomes the reporting currency.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Conversion {
    /// It is the reporting currency.
    Same,
    /// Times the mark of an instrument, whose price has this factor: amount × price × num / den.
    Times { instrument: usize, num: i128, den: i128 },
    /// Divided by the mark of an instrument.
    Over { instrument: usize, num: i128, den: i128 },
    /// There is no way; it is listed, never counted.
    None,
}

/// The books of one account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ledger {
    terms: Vec<Terms>,
    positions: Vec<Position>,
    cash: Vec<Money>,
    start: Vec<Money>,
    realised: Vec<Money>,
    fees: Vec<Money>,
    funding: Vec<Money>,
    conversions: Vec<Conversion>,
    /// Whether all money is in the reporting currency, which makes equity incremental.
    single: bool,
    equity: Money,
    open: usize,
}

impl Ledger {
    /// Books with `start` cash per currency. `conversions` name, per currency, the instrument whose price leads to the
    /// reporting currency: see [`Ledger::convert_by`].
    pub fn new(terms: Vec<Terms>, start: Vec<Money>, reporting: usize) -> Self {
        let conversions =
            (0..start.len()).map(|c| if c == reporting { Conversion::Same } else { Conversion::None }).collect();
        let zero = vec![Money::ZERO; start.len()];
        let mut ledger = Self {
            positions: vec![Position::default(); terms.len()],
            single: start.len() == 1,
            terms,
            cash: start.clone(),
            realised: zero.clone(),
            fees: zero.clone(),
            funding: zero,
            start,
            conversions,
            equity: Money::ZERO,
            open: 0,
        };
        ledger.equity = ledger.cash[reporting];
        ledger
    }

    /// Currency `currency` becomes the reporting one by the mark of `instrument`: multiplied (`times`) or divided.
    /// `num / den` brings the scales together.
    pub fn convert_by(&mut self, currency: usize, instrument: InstrumentId, times: bool, num: i128, den: i128) {
        let instrument = instrument.index();
        self.conversions[currency] =
            if times { Conversion::Times { instrument, num, den } } else { Conversion::Over { instrument, num, den } };
    }

    /// The currencies that hold something and cannot be priced in the reporting currency.
    pub fn unpriced(&self) -> impl Iterator<Item = usize> + '_ {
        self.conversions.iter().enumerate().filter(|(_, c)| matches!(c, Conversion::None)).map(|(i, _)| i).filter(|i| {
            !self.cash[*i].mantissa().eq(&0)
                || self.positions.iter().zip(&self.terms).any(|(p, t)| t.settle == *i && !p.qty.is_zero())
        })
    }

    /// The position in an instrument.
    #[inline]
    pub fn position(&self, instrument: InstrumentId) -> &Position {
        &self.positions[instrument.index()]
    }

    /// All positions, by instrument.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// The value formula of an instrument.
    #[inline]
    pub fn terms(&self, instrument: InstrumentId) -> &Terms {
        &self.terms[instrument.index()]
    }

    /// Cash of a currency.
    pub fn cash(&self, currency: usize) -> Money {
        self.cash[currency]
    }

    /// Fees paid in a currency.
    pub fn fees(&self, currency: usize) -> Money {
        self.fees[currency]
    }

    /// Funding received in a currency (below zero: paid).
    pub fn funding(&self, currency: usize) -> Money {
        self.funding[currency]
    }

    /// Cash and the value of positions at their marks, in the reporting currency.
    #[inline]
    pub fn equity(&self) -> Money {
        self.equity
    }

    /// How many positions are not flat.
    #[inline]
    pub fn open_count(&self) -> usize {
        self.open
    }

    /// Values the position at a new price; gives the equity after it.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    #[inline]
    pub fn mark(&mut self, instrument: InstrumentId, price: Price) -> Result<Money, PortfolioError> {
        let i = instrument.index();
        let position = &mut self.positions[i];
        let before = std::mem::replace(&mut position.mark, price);
        if self.single {
            if position.qty.is_zero() {
                return Ok(self.equity);
            }
            if position.per_price_unit != 0 {
                // Exact and cheap: the value is linear in the price, and two 64-bit numbers cannot overflow 128 bits.
                let change = i128::from(price.mantissa() - before.mantissa()) * i128::from(position.per_price_unit);
                position.value = Money::from_mantissa(position.value.mantissa() + change);
                let equity = Money::from_mantissa(self.equity.mantissa() + change);
                self.equity = equity;
                return Ok(equity);
            }
        }
        self.mark_slowly(i)
    }

    fn mark_slowly(&mut self, i: usize) -> Result<Money, PortfolioError> {
        let position = &mut self.positions[i];
        if self.single {
            let value = value_of(&self.terms[i], position)?;
            self.equity = Money::from_mantissa(self.equity.mantissa() + value.mantissa() - position.value.mantissa());
            position.value = value;
            return Ok(self.equity);
        }
        if !position.qty.is_zero() {
            position.value = value_of(&self.terms[i], position)?;
        }
        self.revalue()?;
        Ok(self.equity)
    }

    /// Books a fill with its fee and marks the position at the fill's price.
    /// Returns the realised profit before fees, in settlement currency.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`]; nothing is booked then.
    pub fn fill(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
        qty: Qty,
        fee: Money,
    ) -> Result<Money, PortfolioError> {
        let i = instrument.index();
        let terms = &self.terms[i];
        let before = self.positions[i];
        let signed = side.sign() * qty.mantissa();
        let held = before.qty.mantissa();
        let closing = if held.signum() == -signed.signum() { held.abs().min(signed.abs()) } else { 0 };
        let opening = signed.abs() - closing;

        let mut after = before;
        let mut realised = 0i128;
        if closing > 0 {
            let allocated = if closing == held.abs() {
                before.cost.mantissa()
            } else {
                let share = before.cost.mantissa().checked_mul(i128::from(closing));
                div_half_even(
                    share.ok_or(PortfolioError::Overflow { what: "the cost of a close" })?,
                    i128::from(held.abs()),
                )
            };
            let exit = terms.notional(price, Qty::from_mantissa(held.signum() * closing))?.mantissa();
            realised = match terms.kind() {
                InstrumentKind::Inverse => allocated - exit,
                InstrumentKind::Spot | InstrumentKind::Linear => exit - allocated,
            };
            after.cost = Money::from_mantissa(before.cost.mantissa() - allocated);
        }
        let opened = terms.notional(price, Qty::from_mantissa(signed.signum() * opening))?.mantissa();
        after.cost = Money::from_mantissa(after.cost.mantissa() + opened);
        after.qty = Qty::from_mantissa(
            held.checked_add(signed).ok_or(PortfolioError::Overflow { what: "a position's quantity" })?,
        );
        after.mark = price;
        after.value = value_of(terms, &after)?;
        after.per_price_unit = terms.per_price_unit(after.qty);

        let cash_change = match terms.kind() {
            InstrumentKind::Spot => -terms.notional(price, Qty::from_mantissa(signed))?.mantissa(),
            InstrumentKind::Linear | InstrumentKind::Inverse => realised,
        } - fee.mantissa();
        let c = terms.settle;
        let add = |m: Money, by: i128| {
            m.mantissa().checked_add(by).map(Money::from_mantissa).ok_or(PortfolioError::Overflow { what: "cash" })
        };
        let (cash, total_realised, fees) =
            (add(self.cash[c], cash_change)?, add(self.realised[c], realised)?, add(self.fees[c], fee.mantissa())?);
        (self.cash[c], self.realised[c], self.fees[c]) = (cash, total_realised, fees);
        self.positions[i] = after;
        self.open = self.open + usize::from(!after.qty.is_zero()) - usize::from(!before.qty.is_zero());
        if self.single {
            let change = cash_change + after.value.mantissa() - before.value.mantissa();
            self.equity = Money::from_mantissa(self.equity.mantissa() + change);
        } else {
            self.revalue()?;
        }
        Ok(Money::from_mantissa(realised))
    }

    /// Books a funding payment (above zero: received) in the settlement currency of an instrument.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    pub fn fund(&mut self, instrument: InstrumentId, amount: Money) -> Result<(), PortfolioError> {
        let c = self.terms[instrument.index()].settle;
        let overflow = |_| PortfolioError::Overflow { what: "funding" };
        self.cash[c] = self.cash[c].checked_add(amount).map_err(overflow)?;
        self.funding[c] = self.funding[c].checked_add(amount).map_err(overflow)?;
        self.revalue()
    }

    /// Money comes into the account, or leaves it (below zero), otherwise than by trading: as if it had begun with it.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    pub fn pay_in(&mut self, currency: usize, amount: Money) -> Result<(), PortfolioError> {
        let overflow = |_| PortfolioError::Overflow { what: "money paid in" };
        let cash = self.cash[currency].checked_add(amount).map_err(overflow)?;
        self.start[currency] = self.start[currency].checked_add(amount).map_err(overflow)?;
        self.cash[currency] = cash;
        self.revalue()
    }

    /// An amount of a currency in the reporting currency at the present marks; `None` when there is no price.
    #[inline]
    pub fn in_reporting(&self, currency: usize, amount: Money) -> Option<Money> {
        if self.single { Some(amount) } else { self.converted(currency, amount) }
    }

    /// What a unit of a currency's mantissa is in the reporting currency's at the present marks, as a fraction; `None`
    /// when there is no price or the numbers are too large.
    pub fn reporting_per(&self, currency: usize) -> Option<(i128, i128)> {
        let mark = |instrument: usize| Some(i128::from(self.positions[instrument].mark.mantissa())).filter(|m| *m > 0);
        match self.conversions[currency] {
            Conversion::Same => Some((1, 1)),
            Conversion::None => None,
            Conversion::Times { instrument, num, den } => Some((mark(instrument)?.checked_mul(num)?, den)),
            Conversion::Over { instrument, num, den } => Some((num, den.checked_mul(mark(instrument)?)?)),
        }
    }

    fn converted(&self, currency: usize, amount: Money) -> Option<Money> {
        let price = |instrument: usize| {
            let mark = i128::from(self.positions[instrument].mark.mantissa());
            (mark > 0).then_some(mark)
        };
        match self.conversions[currency] {
            Conversion::Same => Some(amount),
            Conversion::None => None,
            Conversion::Times { instrument, num, den } => {
                let product = amount.mantissa().checked_mul(price(instrument)?)?.checked_mul(num)?;
                Some(Money::from_mantissa(div_half_even(product, den)))
            }
            Conversion::Over { instrument, num, den } => {
                let numerator = amount.mantissa().checked_mul(num)?;
                Some(Money::from_mantissa(div_half_even(numerator, den.checked_mul(price(instrument)?)?)))
            }
        }
    }

    /// An amount of the reporting currency in another at the present marks, for limits; `None` when there is no price.
    pub fn from_reporting(&self, currency: usize, amount: Money) -> Option<Money> {
        let mark = |instrument: usize| Some(i128::from(self.positions[instrument].mark.mantissa())).filter(|m| *m > 0);
        let amount = amount.mantissa();
        let converted = match self.conversions[currency] {
            Conversion::Same => amount,
            Conversion::None => return None,
            Conversion::Times { instrument, num, den } => {
                amount.checked_mul(den)?.div_euclid(mark(instrument)?.checked_mul(num)?)
            }
            Conversion::Over { instrument, num, den } => {
                amount.checked_mul(mark(instrument)?)?.checked_mul(den)?.div_euclid(num)
            }
        };
        Some(Money::from_mantissa(converted))
    }

    /// What one unit of an instrument's price changes equity by, where that is constant.
    #[inline]
    pub fn equity_per_price_unit(&self, instrument: InstrumentId) -> Option<i64> {
        let position = &self.positions[instrument.index()];
        let linear = position.per_price_unit != 0 || position.qty.is_zero();
        (self.single && linear).then_some(if position.qty.is_zero() { 0 } else { position.per_price_unit })
    }

    /// Whether all money is in the reporting currency.
    pub fn is_single_currency(&self) -> bool {
        self.single
    }

    /// Both sides of the conservation law for a currency: cash + cost of spot positions, and
    /// start + realised − fees + funding. They are equal, always.
    pub fn conservation(&self, currency: usize) -> (Money, Money) {
        let owned: i128 = self
            .positions
            .iter()
            .zip(&self.terms)
            .filter(|(_, t)| t.settle == currency && t.kind() == InstrumentKind::Spot)
            .map(|(p, _)| p.cost.mantissa())
            .sum();
        let left = self.cash[currency].mantissa() + owned;
        let right = self.start[currency].mantissa() + self.realised[currency].mantissa()
            - self.fees[currency].mantissa()
            + self.funding[currency].mantissa();
        (Money::from_mantissa(left), Money::from_mantissa(right))
    }

    fn revalue(&mut self) -> Result<(), PortfolioError> {
        let mut total = 0i128;
        for currency in 0..self.cash.len() {
            let held: i128 = self
                .positions
                .iter()
                .zip(&self.terms)
                .filter(|(_, t)| t.settle == currency)
                .map(|(p, _)| p.value.mantissa())
                .sum();
            let amount = Money::from_mantissa(self.cash[currency].mantissa() + held);
            if let Some(converted) = self.in_reporting(currency, amount) {
                total = total
                    .checked_add(converted.mantissa())
                    .ok_or(PortfolioError::Overflow { what: "the account's equity" })?;
            }
        }
        self.equity = Money::from_mantissa(total);
        Ok(())
    }
}

/// What a position adds to equity at its mark.
#[inline]
fn value_of(terms: &Terms, position: &Position) -> Result<Money, PortfolioError> {
    if position.qty.is_zero() || position.mark.is_zero() {
        return Ok(Money::ZERO);
    }
    let worth = terms.notional(position.mark, position.qty)?.mantissa();
    Ok(Money::from_mantissa(match terms.kind() {
        InstrumentKind::Spot => worth,
        InstrumentKind::Linear => worth - position.cost.mantissa(),
        InstrumentKind::Inverse => position.cost.mantissa() - worth,
    }))
}
