//! Decimal text as the venue writes and reads it: always eight digits after the point.

use bellwether_sdk::{Decimal, Money, Price, Qty};

/// The venue's digits.
pub(super) const DIGITS: u8 = 8;

/// A mantissa as text with eight digits after the point; what is finer is cut off (toward zero).
pub(super) fn eight(mantissa: i128, scale: u8) -> String {
    let magnitude = mantissa.unsigned_abs();
    let at_eight = if scale > DIGITS {
        magnitude / 10u128.pow(u32::from(scale - DIGITS))
    } else {
        magnitude.saturating_mul(10u128.pow(u32::from(DIGITS - scale)))
    };
    let unit = 10u128.pow(u32::from(DIGITS));
    let sign = if mantissa < 0 && at_eight != 0 { "-" } else { "" };
    format!("{sign}{}.{:08}", at_eight / unit, at_eight % unit)
}

/// A price as text.
pub(super) fn price(price: Price, scale: u8) -> String {
    eight(i128::from(price.mantissa()), scale)
}

/// A quantity as text.
pub(super) fn qty(qty: Qty, scale: u8) -> String {
    eight(i128::from(qty.mantissa()), scale)
}

/// A quantity at [`DIGITS`] digits.
pub(super) fn at_eight(qty: Qty, scale: u8) -> i128 {
    let mantissa = i128::from(qty.mantissa());
    if scale > DIGITS {
        mantissa / 10i128.pow(u32::from(scale - DIGITS))
    } else {
        mantissa * 10i128.pow(u32::from(DIGITS - scale))
    }
}

/// An amount as text.
pub(super) fn money(money: Money, scale: u8) -> String {
    eight(money.mantissa(), scale)
}

/// An amount at a scale of money, cut toward zero.
pub(super) fn amount(value: Decimal, scale: u8) -> i128 {
    let mantissa = i128::from(value.mantissa());
    if scale >= value.scale() {
        mantissa.saturating_mul(10i128.pow(u32::from(scale - value.scale())))
    } else {
        mantissa / 10i128.pow(u32::from(value.scale() - scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_eight_digits_after_the_point() {
        assert_eq!(eight(8_723_201, 2), "87232.01000000");
        assert_eq!(eight(-5, 8), "-0.00000005");
        assert_eq!(eight(1_234_567_899, 9), "1.23456789");
        assert_eq!(eight(-1, 9), "0.00000000");
    }
}
