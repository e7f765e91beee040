//! Hyperliquid's rule of prices: at most five significant digits and `6 − szDecimals` decimals; integers always pass.

use bellwether_sdk::num::pow10;
use bellwether_sdk::{Price, Side};

use crate::exchange::{Rules, VenueError};

/// How far a market order may go from the reference price, per cent.
const SLIPPAGE: i128 = 5;

/// The step that prices of this size move by.
fn step(mantissa: i128, rules: &Rules) -> i128 {
    let digits = mantissa.unsigned_abs().checked_ilog10().map_or(1, |n| n + 1);
    let excess = digits.saturating_sub(u32::from(rules.significant_digits)).min(u32::from(rules.price_scale));
    if rules.significant_digits == 0 { 1 } else { i128::from(pow10(excess as u8)) }
}

/// A price as the wire has it.
///
/// # Errors
/// [`VenueError`], rejected, when it has too many digits.
pub(super) fn text(price: Price, rules: &Rules) -> Result<String, VenueError> {
    let mantissa = i128::from(price.mantissa());
    let text = price.to_text(rules.price_scale);
    if mantissa > 0 && mantissa % step(mantissa, rules) == 0 {
        return Ok(text);
    }
    let why = format!(
        "hyperliquid takes prices of {} significant digits and {} decimals, or whole ones; this one is {text}",
        rules.significant_digits, rules.price_scale
    );
    Err(VenueError::new(crate::exchange::Fault::Rejected, "", why).reason("price_off_tick"))
}

/// The worst price that a market order takes: 5 % beyond the reference, cut toward it to a price that passes.
///
/// # Errors
/// [`VenueError`], rejected, without a reference.
pub(super) fn bound(reference: Price, side: Side, rules: &Rules) -> Result<Price, VenueError> {
    let reference = i128::from(reference.mantissa());
    let bound = match side {
        Side::Buy => {
            let far = reference * (100 + SLIPPAGE) / 100;
            let step = step(far, rules);
            far / step * step
        }
        Side::Sell => {
            let far = (reference * (100 - SLIPPAGE) + 99) / 100;
            let step = step(far, rules);
            (far + step - 1) / step * step
        }
    };
    i64::try_from(bound).ok().filter(|b| *b > 0).map(Price::from_mantissa).ok_or_else(|| {
        let why = "hyperliquid has no market orders: a reference price is needed to make a limit of one";
        VenueError::new(crate::exchange::Fault::Rejected, "", why)
    })
}
