//! What a quantity at a price is worth, per instrument: the one place where prices become money.

use bellwether_sdk::{Instrument, InstrumentKind, Money, Price, Qty, Rate};
use serde::{Deserialize, Serialize};

use super::PortfolioError;

/// `a / b` rounded to the nearest, ties to even. `b` must be above zero.
#[inline]
pub fn div_half_even(a: i128, b: i128) -> i128 {
    // Division of 128 bits is a call; most amounts fit 64.
    let (q, r) = match (i64::try_from(a), i64::try_from(b)) {
        (Ok(a), Ok(b)) => (i128::from(a.div_euclid(b)), i128::from(a.rem_euclid(b))),
        _ => {
            let q = a.div_euclid(b);
            (q, a - q * b)
        }
    };
    match (2 * r).cmp(&b) {
        std::cmp::Ordering::Less => q,
        std::cmp::Ordering::Greater => q + 1,
        std::cmp::Ordering::Equal => q + (q & 1),
    }
}

/// One, as a [`Rate`].
const RATE_UNIT: i128 = bellwether_sdk::num::pow10(Rate::SCALE) as i128;

/// A product with a rate, in whole units: divided by 10^12, rounded down.
#[inline]
pub(crate) fn over_rate_unit(product: i128) -> i128 {
    // 10^12 = 2^12 · 5^12, so usual products need only a 64-bit division.
    const FIVES: u64 = 244_140_625;
    match u64::try_from(product >> 12) {
        Ok(shifted) => i128::from(shifted / FIVES),
        Err(_) => product.div_euclid(RATE_UNIT),
    }
}

/// The value formula of an instrument: its kind and the factor between mantissas and money.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Terms {
    kind: InstrumentKind,
    /// Spot and linear: money = price × qty × factor, exact. Inverse: money = qty × factor / price, half-even.
    factor: i128,
    /// The same for spot and linear where it fits, else zero: most values need only 64-bit factors.
    short_factor: i64,
    /// Index of the settlement currency.
    pub settle: usize,
}

impl Terms {
    /// The terms of an instrument settled in currency number `settle` with `money_scale` digits.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`] when `money_scale` is below what exact products need.
    pub fn new(instrument: &Instrument, settle: usize, money_scale: u8) -> Result<Self, PortfolioError> {
        let kind = instrument.kind();
        let (money, price, qty) =
            (i32::from(money_scale), i32::from(instrument.price_scale), i32::from(instrument.qty_scale));
        let exponent = match kind {
            InstrumentKind::Spot | InstrumentKind::Linear => money - price - qty,
            InstrumentKind::Inverse => money + price - qty,
        };
        let factor = u32::try_from(exponent)
            .ok()
            .and_then(|e| 10i128.checked_pow(e))
            .and_then(|f| f.checked_mul(i128::from(instrument.multiplier)))
            .ok_or(PortfolioError::Overflow { what: "the value of one unit" })?;
        let linear = kind != InstrumentKind::Inverse;
        let short_factor = if linear { i64::try_from(factor).unwrap_or(0) } else { 0 };
        Ok(Self { kind, factor, short_factor, settle })
    }

    /// Spot, linear or inverse.
    #[inline]
    pub fn kind(&self) -> InstrumentKind {
        self.kind
    }

    /// What a rise of the price by one unit of its last place adds to the value of `qty`; zero where that is not
    /// constant (inverse) or does not fit.
    pub fn per_price_unit(&self, qty: Qty) -> i64 {
        match self.kind {
            InstrumentKind::Spot | InstrumentKind::Linear => {
                i128::from(qty.mantissa()).checked_mul(self.factor).and_then(|v| i64::try_from(v).ok()).unwrap_or(0)
            }
            InstrumentKind::Inverse => 0,
        }
    }

    /// The value of `qty` (signed) at `price`, in settlement currency.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    #[inline]
    pub fn notional(&self, price: Price, qty: Qty) -> Result<Money, PortfolioError> {
        // Two 64-bit numbers cannot overflow 128 bits: where price × factor fits, no more needs checking.
        if self.short_factor != 0
            && let Some(unit) = price.mantissa().checked_mul(self.short_factor)
        {
            return Ok(Money::from_mantissa(i128::from(unit) * i128::from(qty.mantissa())));
        }
        self.long_notional(price, qty)
    }

    #[cold]
    fn long_notional(&self, price: Price, qty: Qty) -> Result<Money, PortfolioError> {
        let (p, q) = (i128::from(price.mantissa()), i128::from(qty.mantissa()));
        let value = match self.kind {
            InstrumentKind::Spot | InstrumentKind::Linear => (p * q).checked_mul(self.factor),
            InstrumentKind::Inverse if p > 0 => q.checked_mul(self.factor).map(|v| div_half_even(v, p)),
            InstrumentKind::Inverse => Some(0),
        };
        value.map(Money::from_mantissa).ok_or(PortfolioError::Overflow { what: "a position's value" })
    }

    /// The fee on a value: rounded up (away from the trader) to the currency's last digit.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    pub fn fee(&self, notional: Money, rate: Rate) -> Result<Money, PortfolioError> {
        let product = notional
            .mantissa()
            .abs()
            .checked_mul(i128::from(rate.mantissa()))
            .ok_or(PortfolioError::Overflow { what: "a fee" })?;
        Ok(Money::from_mantissa(over_rate_unit(product + RATE_UNIT - 1)))
    }

    /// The largest quantity (a whole count of `lot`s) whose value and fee fit into `amount`.
    pub fn qty_for(&self, amount: Money, price: Price, rate: Rate, lot: Qty) -> Qty {
        let (amount, lot) = (amount.mantissa(), lot.mantissa().max(1));
        if amount <= 0 || price <= Price::ZERO {
            return Qty::ZERO;
        }
        let fits = |lots: i64| {
            lots.checked_mul(lot).is_some_and(|qty| {
                self.notional(price, Qty::from_mantissa(qty))
                    .and_then(|n| Ok(n.mantissa().saturating_add(self.fee(n, rate)?.mantissa())))
                    .is_ok_and(|cost| cost <= amount)
            })
        };
        // A floating estimate first, then the exact answer by widening steps and halving around it.
        let (p, f) = (price.mantissa() as f64, self.factor as f64);
        let one = match self.kind {
            InstrumentKind::Spot | InstrumentKind::Linear => p * f * lot as f64,
            InstrumentKind::Inverse => f * lot as f64 / p,
        };
        let guess = (amount as f64 / (one * (1.0 + rate.to_f64()))).clamp(0.0, 9.0e18) as i64;
        let (mut low, mut step) = (guess, 1i64);
        while low > 0 && !fits(low) {
            low = low.saturating_sub(step).max(0);
            step = step.saturating_mul(2);
        }
        let (mut high, mut step) = (low, 1i64);
        while high < i64::MAX && fits(high.saturating_add(step)) {
            high = high.saturating_add(step);
            step = step.saturating_mul(2);
        }
        low = high;
        let mut too_many = high.saturating_add(step);
        while too_many - low > 1 {
            let middle = low + (too_many - low) / 2;
            if fits(middle) { low = middle } else { too_many = middle }
        }
        Qty::from_mantissa(low * lot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_sdk::InstrumentId;

    fn terms(symbol: &str, price_scale: u8, qty_scale: u8, money: u8) -> Terms {
        let symbol = symbol.parse().expect("a symbol");
        Terms::new(&Instrument::inferred(InstrumentId(0), symbol, price_scale, qty_scale), 0, money).expect("terms")
    }

    /// Prices of the world are checked at its doors; one that came through must not keep the loop from its end.
    #[test]
    fn no_price_keeps_it_from_an_answer() {
        let (linear, inverse) = (terms("x:BTC/USDT", 2, 5, 8), terms("x:XBT/USD:XBT", 1, 0, 8));
        for price in [i64::MIN, -500, 0].map(Price::from_mantissa) {
            for terms in [&linear, &inverse] {
                let qty = terms.qty_for(Money::from_mantissa(1_000_000), price, Rate::ZERO, Qty::from_mantissa(1));
                assert_eq!(qty, Qty::ZERO, "{price:?}");
            }
        }
        let all = Money::from_mantissa(i128::MAX);
        for price in [1, i64::MAX].map(Price::from_mantissa) {
            for terms in [&linear, &inverse] {
                assert!(terms.qty_for(all, price, Rate::ZERO, Qty::from_mantissa(1)) > Qty::ZERO, "{price:?}");
            }
        }
    }

    #[test]
    fn halves_go_to_even() {
        for (a, b, want) in
            [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (6, 4, 2), (10, 4, 2), (1, 3, 0), (-2, 3, -1)]
        {
            assert_eq!(div_half_even(a, b), want, "{a}/{b}");
        }
    }

    #[test]
    fn the_short_division_by_a_rate_s_unit_is_the_long_one() {
        let edges = [0, 1, RATE_UNIT - 1, RATE_UNIT, (1 << 64) - 1, 1 << 64, (1 << 76) - 1, 1 << 76, i128::MAX];
        let spread = (0..1000u32).map(|i| i128::from(i).pow(7).wrapping_mul(7_046_029_254_386_353_131) >> (i % 50));
        for product in edges.into_iter().chain(spread) {
            for product in [product, -product] {
                assert_eq!(over_rate_unit(product), product.div_euclid(RATE_UNIT), "{product}");
            }
        }
    }

    #[test]
    fn the_short_value_is_the_long_one() {
        for (price_scale, qty_scale, money) in [(1, 3, 8), (2, 0, 2), (0, 0, 17), (2, 2, 23)] {
            let t = terms("a:B/C", price_scale, qty_scale, money);
            for price in [1, 7, 500_001, i64::MAX / 100_000, i64::MAX] {
                for qty in [0, 1, -1, 10, -123_457, i64::MAX / 2] {
                    let (price, qty) = (Price::from_mantissa(price), Qty::from_mantissa(qty));
                    assert_eq!(t.notional(price, qty), t.long_notional(price, qty), "{price:?} {qty:?}");
                }
            }
        }
    }

    #[test]
    fn fees_round_up_and_rebates_round_down() {
        let t = terms("a:B/C", 2, 0, 2);
        let fee = |bps: i64| t.fee(Money::from_mantissa(333), Rate::from_mantissa(bps * 100_000_000)).expect("a fee");
        assert_eq!(fee(10), Money::from_mantissa(1));
        assert_eq!(fee(-10), Money::from_mantissa(0));
    }

    #[test]
    fn a_notional_buys_the_largest_quantity_that_fits_with_its_fee() {
        let t = terms("binance:BTC/USDT", 2, 5, 8);
        let (price, rate, lot) =
            (Price::from_mantissa(1_000_000), Rate::from_mantissa(1_000_000_000), Qty::from_mantissa(1));
        let amount = Money::from_mantissa(1_000 * 100_000_000);
        let qty = t.qty_for(amount, price, rate, lot);
        assert_eq!(qty, Qty::from_mantissa(9_990)); // 999 + 0.999 fits, 999.1 + 0.9991 does not
        assert_eq!(t.qty_for(Money::ZERO, price, rate, lot), Qty::ZERO);
    }

    #[test]
    fn an_inverse_contract_is_worth_its_count_over_the_price() {
        let t = terms("bitmex:XBT/USD:XBT", 1, 0, 8);
        let value = t.notional(Price::from_mantissa(138_730), Qty::from_mantissa(13_873)).expect("a value");
        assert_eq!(value, Money::from_mantissa(100_000_000));
    }
}
