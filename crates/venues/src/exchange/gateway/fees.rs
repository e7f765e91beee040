//! A fill's fee in settlement currency.

use bellwether_sdk::{InstrumentKind, Money};

use crate::exchange::{FillNote, Rules};

/// The fee in settlement currency, rounded up: as it is, or from the base currency at the fill's price. `None` for any
/// other currency, or when it does not fit.
pub(super) fn in_settlement(fill: &FillNote, rules: &Rules, money_scale: u8) -> Option<Money> {
    let symbol = &rules.symbol;
    let mantissa = i128::from(fill.fee.mantissa());
    let from = u32::from(fill.fee.scale());
    let is = |code: &str| fill.fee_currency.eq_ignore_ascii_case(code);
    if mantissa == 0 || fill.fee_currency.is_empty() || is(symbol.settle()) {
        return rescale_up(mantissa, from, money_scale);
    }
    if is(symbol.base()) && symbol.kind() == InstrumentKind::Spot {
        let value = mantissa.checked_mul(i128::from(fill.price.mantissa()))?;
        return rescale_up(value, from + u32::from(rules.price_scale), money_scale);
    }
    None
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
