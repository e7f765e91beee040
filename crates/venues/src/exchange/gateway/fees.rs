//! A fill's fee, as the books take it.
//!
//! Our books know a fee in settlement currency only. A venue that takes the fee of a spot purchase out of what was bought
//! gives less than the order filled: what is missing cannot be sold again. So the position grows by whole lots of what
//! came, the lots that are missing are *withheld*, at the fill's price they are the fee, and what came beyond whole lots is
//! kept in mind for the next fee.

use std::collections::BTreeMap;

use bellwether_sdk::{Decimal, InstrumentId, InstrumentKind, Money, Qty, Side};

use crate::exchange::{FillNote, Rules};

/// Digits in which what is spare is counted.
const SCALE: u32 = 18;

/// How a fee is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Booked {
    /// In settlement currency, above zero when paid.
    pub(super) fee: Money,
    /// What the venue kept of a purchase, in whole lots; `fee` is its value.
    pub(super) withheld: Qty,
    /// What the venue took in another currency than the settlement's, less what was withheld.
    pub(super) elsewhere: Option<Decimal>,
}

/// By instrument: bought, not withheld, and less than a lot, at [`SCALE`] digits.
#[derive(Debug, Default)]
pub(super) struct Spare(BTreeMap<InstrumentId, i128>);

impl Spare {
    /// How a fill's fee is booked: `None` when it is in a currency that is neither settlement nor base, or does not fit.
    pub(super) fn book(&mut self, fill: &FillNote, rules: &Rules, money_scale: u8) -> Option<Booked> {
        let symbol = &rules.symbol;
        let mantissa = i128::from(fill.fee.mantissa());
        let from = u32::from(fill.fee.scale());
        let is = |code: &str| fill.fee_currency.eq_ignore_ascii_case(code);
        if mantissa == 0 || fill.fee_currency.is_empty() || is(symbol.settle()) {
            let fee = rescale_up(mantissa, from, money_scale)?;
            return Some(Booked { fee, withheld: Qty::ZERO, elsewhere: None });
        }
        if !is(symbol.base()) || symbol.kind() != InstrumentKind::Spot {
            return None;
        }
        let (amount, scale, withheld) = match fill.side {
            Side::Buy => {
                let withheld = self.withhold(fill, rules)?;
                (i128::from(withheld.mantissa()), u32::from(rules.qty_scale), withheld)
            }
            Side::Sell => (mantissa, from, Qty::ZERO),
        };
        let value = amount.checked_mul(i128::from(fill.price.mantissa()))?;
        let fee = rescale_up(value, scale + u32::from(rules.price_scale), money_scale)?;
        Some(Booked { fee, withheld, elsewhere: Some(less(fill.fee, withheld, rules.qty_scale)?) })
    }

    /// The lots that are missing of a purchase: what is spare of earlier ones pays first.
    fn withhold(&mut self, fill: &FillNote, rules: &Rules) -> Option<Qty> {
        let wide = |mantissa: i64, scale: u8| {
            i128::from(mantissa).checked_mul(10_i128.checked_pow(SCALE.checked_sub(u32::from(scale))?)?)
        };
        let spare = self.0.get(&fill.instrument).copied().unwrap_or(0);
        let after = spare.checked_sub(wide(fill.fee.mantissa(), fill.fee.scale())?)?;
        let lot = wide(rules.lot.mantissa().max(1), rules.qty_scale)?;
        let lots = if after < 0 { (-after).checked_add(lot - 1)? / lot } else { 0 };
        let lots = i64::try_from(lots).ok()?.checked_mul(rules.lot.mantissa().max(1))?;
        // Of this fill no more than it is.
        let withheld = Qty::from_mantissa(lots.min(fill.qty.mantissa()));
        self.0.insert(fill.instrument, after.checked_add(wide(withheld.mantissa(), rules.qty_scale)?)?);
        Some(withheld)
    }
}

/// A fee less what was withheld.
fn less(fee: Decimal, withheld: Qty, qty_scale: u8) -> Option<Decimal> {
    let scale = fee.scale().max(qty_scale);
    let at = |mantissa: i64, from: u8| mantissa.checked_mul(10_i64.checked_pow(u32::from(scale - from))?);
    let rest = at(fee.mantissa(), fee.scale())?.checked_sub(at(withheld.mantissa(), qty_scale)?)?;
    Some(Decimal::new(rest, scale))
}

fn rescale_up(mantissa: i128, from: u32, to: u8) -> Option<Money> {
    let to = u32::from(to);
    let scaled = if to >= from {
        mantissa.checked_mul(10_i128.checked_pow(to - from)?)?
    } else {
        let unit = 10_i128.checked_pow(from - to)?;
        mantissa.div_euclid(unit) + i128::from(mantissa.rem_euclid(unit) != 0)
    };
    Some(Money::from_mantissa(scaled))
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::{Liquidity, Price, Ts};

    use super::*;

    const MONEY: u8 = 8;

    fn rules(qty_scale: u8) -> Rules {
        crate::exchange::trial::rules("binance:BTC/USDT", "BTCUSDT", 2, qty_scale)
    }

    fn fill(side: Side, qty: i64, fee: &str, code: &str) -> FillNote {
        FillNote {
            instrument: InstrumentId(0),
            trade_id: "1".to_owned(),
            venue_id: "1".to_owned(),
            client_id: String::new(),
            side,
            price: Price::from_mantissa(8_000_000),
            qty: Qty::from_mantissa(qty),
            fee: fee.parse().expect("a fee"),
            fee_currency: code.to_owned(),
            liquidity: Liquidity::Taker,
            ts_venue: Ts::NONE,
        }
    }

    #[test]
    fn a_fee_of_what_was_bought_is_withheld_in_lots_and_the_spare_pays_the_next_ones() {
        let (rules, mut spare) = (rules(5), Spare::default());
        // 0.001 of 1 BTC at 80,000: a hundred lots, exactly.
        let one = spare.book(&fill(Side::Buy, 100_000, "0.001", "BTC"), &rules, MONEY).expect("booked");
        assert_eq!((one.withheld.mantissa(), one.fee), (100, Money::from_mantissa(80 * 100_000_000)));
        assert_eq!(one.elsewhere.map(|d| d.mantissa()), Some(0));
        // A hundred pieces of 0.00015: the first takes a lot, which pays for the next ones.
        let (mut kept, mut taken) = (0, 0);
        for n in 1..=100 {
            let booked = spare.book(&fill(Side::Buy, 15, "0.00000015", "btc"), &rules, MONEY).expect("booked");
            kept += booked.withheld.mantissa();
            taken += 15;
            let ahead = kept * 1_000 - taken;
            assert!((0..1_000).contains(&ahead), "after {n}: {kept} lots for {taken} of the eighth digit");
            assert_eq!(booked.fee, Money::from_mantissa(80_000_000 * i128::from(booked.withheld.mantissa())));
        }
        assert_eq!(kept, 2);
    }

    #[test]
    fn what_cannot_be_withheld_of_one_fill_is_withheld_of_the_next() {
        let (rules, mut spare) = (rules(5), Spare::default());
        let small = spare.book(&fill(Side::Buy, 1, "0.00003", "BTC"), &rules, MONEY).expect("booked");
        assert_eq!(small.withheld.mantissa(), 1, "no more than was filled");
        let next = spare.book(&fill(Side::Buy, 100, "0", "BTC"), &rules, MONEY).expect("booked");
        assert_eq!(next.withheld, Qty::ZERO, "nothing was taken: it is not looked at");
        let next = spare.book(&fill(Side::Buy, 100, "0.00001", "BTC"), &rules, MONEY).expect("booked");
        assert_eq!(next.withheld.mantissa(), 3);
    }

    #[test]
    fn other_fees_are_money() {
        let (rules, mut spare) = (rules(5), Spare::default());
        let quote = spare.book(&fill(Side::Buy, 100_000, "80", "USDT"), &rules, MONEY).expect("booked");
        assert_eq!(quote, Booked { fee: Money::from_mantissa(8_000_000_000), withheld: Qty::ZERO, elsewhere: None });
        let sale = spare.book(&fill(Side::Sell, 100_000, "0.001", "BTC"), &rules, MONEY).expect("booked");
        assert_eq!((sale.fee, sale.withheld), (Money::from_mantissa(8_000_000_000), Qty::ZERO));
        assert_eq!(sale.elsewhere, Some(Decimal::new(1, 3)));
        assert_eq!(spare.book(&fill(Side::Buy, 100_000, "0.1", "BNB"), &rules, MONEY), None);
        let wide = self::rules(18);
        assert!(spare.book(&fill(Side::Buy, i64::MAX, "9000000000", "BTC"), &wide, 18).is_none(), "it does not fit");
    }
}
