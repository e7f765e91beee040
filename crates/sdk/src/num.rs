//! Exact numbers: prices, quantities, money and rates as integer mantissas.
//!
//! A mantissa says nothing without its scale (the count of decimal digits): `Price` and `Qty` are at the scale of
//! their [`Instrument`](crate::Instrument), `Money` at the scale of its currency. Nothing here converts to `f64`
//! silently; `to_f64` is for charts, indicators and statistics and takes the scale.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The largest scale of a price or a quantity: 18 digits fit an `i64`.
pub const SCALE_MAX: u8 = 18;

const POW10: [i64; 19] = {
    let mut table = [1i64; 19];
    let mut i = 1;
    while i < 19 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

const POW10_F64: [f64; 19] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18];

/// Ten to the power of `scale` (at most 18).
///
/// ```
/// assert_eq!(bellwether_sdk::num::pow10(3), 1_000);
/// ```
///
/// # Panics
/// If `scale` is over [`SCALE_MAX`]: scales are checked where they enter.
#[inline]
pub const fn pow10(scale: u8) -> i64 {
    POW10[scale as usize]
}

/// A mantissa as `f64`: correctly rounded while the mantissa has at most 53 bits, so equal to parsing its decimal text.
///
/// ```
/// assert_eq!(bellwether_sdk::num::mantissa_to_f64(1_250, 2), 12.5);
/// ```
#[inline]
pub fn mantissa_to_f64(mantissa: i64, scale: u8) -> f64 {
    exact_f64(mantissa) / POW10_F64[scale as usize]
}

/// An integer as `f64`. x86's own conversion waits for whatever last used the target register, which ties every tick
/// to the arithmetic of the one before; adding to a power of two whose last bit counts ones does not.
#[inline]
fn exact_f64(n: i64) -> f64 {
    /// 2^52 + 2^51 as bits and as a number: its neighbours are one apart.
    const BITS: i64 = 0x4338_0000_0000_0000;
    const VALUE: f64 = 6_755_399_441_055_744.0;
    if (-(1 << 51)..1 << 51).contains(&n) { f64::from_bits((BITS + n) as u64) - VALUE } else { n as f64 }
}

/// Why a text is not an exact number.
///
/// ```
/// use bellwether_sdk::{Decimal, NumError};
///
/// assert!(Decimal::new(1, 3).at_scale(2).is_err()); // 0.001 has no place among two digits
/// assert!("1e5x".parse::<Decimal>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumError {
    /// The text is empty or has a character that a decimal number does not.
    #[error("{text:?} is not a decimal number")]
    NotDecimal {
        /// What was found.
        text: String,
    },
    /// More digits after the point than the scale allows, the excess not zero.
    #[error("{text:?} has more than {scale} decimal places")]
    TooFine {
        /// What was found.
        text: String,
        /// The digits allowed after the point.
        scale: u8,
    },
    /// The number does not fit 64 bits at the scale.
    #[error("{text:?} does not fit 64 bits with {scale} decimal places")]
    TooLarge {
        /// What was found.
        text: String,
        /// The digits asked for after the point.
        scale: u8,
    },
    /// An arithmetic result does not fit.
    #[error("overflow in {what}")]
    Overflow {
        /// The computation.
        what: &'static str,
    },
}

/// An exact decimal number with its own scale, for parameters and settings: mantissa and digits after the point.
///
/// ```
/// use bellwether_sdk::Decimal;
///
/// let half: Decimal = "0.50".parse()?;
/// assert_eq!((half.mantissa(), half.scale()), (5, 1));
/// assert_eq!(Decimal::new(50, 2).normalized(), half);
/// assert_eq!((half.at_scale(3), half.at_scale_toward_zero(0)), (Ok(500), Some(0)));
/// assert!(half.is_positive() && half.to_f64() == 0.5);
/// # Ok::<(), bellwether_sdk::NumError>(())
/// ```
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

impl Decimal {
    /// Makes a decimal of `mantissa × 10^-scale`.
    ///
    /// # Panics
    /// If `scale` is over [`SCALE_MAX`].
    pub const fn new(mantissa: i64, scale: u8) -> Self {
        assert!(scale <= SCALE_MAX);
        Self { mantissa, scale }
    }

    /// The integer part of the representation.
    pub const fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// The digits after the point.
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Whether the number is above zero.
    pub const fn is_positive(self) -> bool {
        self.mantissa > 0
    }

    /// Reads a decimal number, scientific notation included, without rounding.
    ///
    /// # Errors
    /// [`NumError`] when the text is no number or has over 18 significant digits.
    pub fn parse(text: &[u8]) -> Result<Self, NumError> {
        parse_decimal(text)
    }

    /// The mantissa at another scale.
    ///
    /// # Errors
    /// [`NumError::TooFine`] when digits would be lost, [`NumError::TooLarge`] when it does not fit.
    pub fn at_scale(self, scale: u8) -> Result<i64, NumError> {
        rescale(self.mantissa, self.scale, scale).ok_or_else(|| {
            let text = self.to_string();
            if scale < self.scale { NumError::TooFine { text, scale } } else { NumError::TooLarge { text, scale } }
        })
    }

    /// The mantissa at another scale, excess digits cut off (rounded toward zero).
    pub fn at_scale_toward_zero(self, scale: u8) -> Option<i64> {
        if scale >= self.scale {
            rescale(self.mantissa, self.scale, scale)
        } else {
            Some(self.mantissa / pow10(self.scale - scale))
        }
    }

    /// The mantissa at a scale that wide numbers have, such as `price_scale + qty_scale`: excess digits cut off, and
    /// what does not fit made the largest that does.
    ///
    /// ```
    /// use bellwether_sdk::Decimal;
    ///
    /// assert_eq!(Decimal::new(9_000_000, 0).at_wide_scale(16), 9 * 10i128.pow(22));
    /// assert_eq!(Decimal::new(-159, 2).at_wide_scale(1), -15);
    /// ```
    pub fn at_wide_scale(self, scale: u8) -> i128 {
        let mantissa = i128::from(self.mantissa);
        match scale.checked_sub(self.scale) {
            Some(more) => mantissa.saturating_mul(10i128.saturating_pow(u32::from(more))),
            None => mantissa / 10i128.pow(u32::from(self.scale - scale)),
        }
    }

    /// The nearest `f64`, for statistics.
    pub fn to_f64(self) -> f64 {
        mantissa_to_f64(self.mantissa, self.scale)
    }

    /// The same number with trailing zeros after the point removed.
    pub fn normalized(self) -> Self {
        let (mut mantissa, mut scale) = (self.mantissa, self.scale);
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Self { mantissa, scale }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.normalized(), other.normalized());
        a.mantissa == b.mantissa && a.scale == b.scale
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // 64 bits × 10^18 fits 128.
        let at = |d: &Self, scale| i128::from(d.mantissa) * i128::from(pow10(scale));
        at(self, other.scale).cmp(&at(other, self.scale))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_mantissa(self.mantissa, self.scale))
    }
}

impl FromStr for Decimal {
    type Err = NumError;
    fn from_str(s: &str) -> Result<Self, NumError> {
        parse_decimal(s.trim().as_bytes())
    }
}

impl From<Decimal> for String {
    fn from(d: Decimal) -> String {
        d.to_string()
    }
}

impl TryFrom<String> for Decimal {
    type Error = NumError;
    fn try_from(s: String) -> Result<Self, NumError> {
        s.parse()
    }
}

/// Moves a mantissa from one scale to another; `None` when digits would be lost or it does not fit.
///
/// ```
/// assert_eq!(bellwether_sdk::num::rescale(125, 1, 3), Some(12_500));
/// ```
pub fn rescale(mantissa: i64, from: u8, to: u8) -> Option<i64> {
    if to >= from {
        if to - from > SCALE_MAX {
            return (mantissa == 0).then_some(0);
        }
        mantissa.checked_mul(pow10(to - from))
    } else {
        let unit = pow10(from - to);
        (mantissa % unit == 0).then_some(mantissa / unit)
    }
}

fn not_decimal(text: &[u8]) -> NumError {
    let mut shown = String::from_utf8_lossy(&text[..text.len().min(48)]).into_owned();
    if text.len() > 48 {
        shown.push('…');
    }
    NumError::NotDecimal { text: shown }
}

fn parse_decimal(text: &[u8]) -> Result<Decimal, NumError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut mantissa: i64 = 0;
    let mut scale: i32 = 0;
    let mut seen_point = false;
    let mut any = false;
    // Zeros after the point are held back, so that 1.50000000000000000000 is still 1.5.
    let mut held_zeros: i32 = 0;
    let mut i = 0;
    while i < digits.len() {
        let c = digits[i];
        match c {
            b'0' if seen_point => {
                any = true;
                held_zeros += 1;
            }
            b'0'..=b'9' => {
                any = true;
                let shift = if seen_point { held_zeros + 1 } else { 1 };
                if seen_point {
                    scale += held_zeros + 1;
                    held_zeros = 0;
                }
                let fits = u8::try_from(shift)
                    .ok()
                    .filter(|s| *s <= SCALE_MAX)
                    .and_then(|s| mantissa.checked_mul(pow10(s)))
                    .and_then(|m| m.checked_add(i64::from(c - b'0')));
                match fits {
                    Some(m) => mantissa = m,
                    None if mantissa == 0 && shift > i32::from(SCALE_MAX) => {
                        return Err(NumError::TooFine { text: shown(text), scale: SCALE_MAX });
                    }
                    None => return Err(NumError::TooLarge { text: shown(text), scale: 0 }),
                }
            }
            b'.' if !seen_point => seen_point = true,
            b'e' | b'E' if any => {
                let exponent: i32 = std::str::from_utf8(&digits[i + 1..])
                    .ok()
                    .and_then(|t| t.parse().ok())
                    .filter(|e: &i32| e.abs() < 400)
                    .ok_or_else(|| not_decimal(text))?;
                scale -= exponent;
                i = digits.len();
                continue;
            }
            _ => return Err(not_decimal(text)),
        }
        i += 1;
    }
    if !any {
        return Err(not_decimal(text));
    }
    // Zeros still held back are trailing zeros: 87232.00000000 has no decimals that count.
    while scale < 0 {
        mantissa = mantissa.checked_mul(10).ok_or_else(|| NumError::TooLarge { text: shown(text), scale: 0 })?;
        scale += 1;
    }
    if mantissa == 0 {
        scale = scale.clamp(0, i32::from(SCALE_MAX));
    }
    let scale = u8::try_from(scale)
        .ok()
        .filter(|s| *s <= SCALE_MAX)
        .ok_or_else(|| NumError::TooFine { text: shown(text), scale: SCALE_MAX })?;
    Ok(Decimal { mantissa: if negative { -mantissa } else { mantissa }, scale })
}

fn shown(text: &[u8]) -> String {
    match not_decimal(text) {
        NumError::NotDecimal { text } => text,
        _ => String::new(),
    }
}

/// Reads decimal text straight to a mantissa at `scale`: `parse_mantissa(b"12.5", 2)` is `1250`.
///
/// ```
/// assert_eq!(bellwether_sdk::num::parse_mantissa(b"12.5", 2), Ok(1_250));
/// ```
///
/// # Errors
/// [`NumError`]; excess digits are refused, never rounded.
pub fn parse_mantissa(text: &[u8], scale: u8) -> Result<i64, NumError> {
    parse_decimal(text)?.at_scale(scale)
}

/// Prints a mantissa at its scale without trailing zeros: `format_mantissa(1250, 2)` is `"12.5"`.
///
/// ```
/// assert_eq!(bellwether_sdk::num::format_mantissa(1_250, 2), "12.5");
/// ```
pub fn format_mantissa(mantissa: i64, scale: u8) -> String {
    let mut text = String::new();
    write_mantissa(mantissa, scale, &mut text);
    text
}

/// [`format_mantissa`] at the end of a text.
///
/// ```
/// let mut text = "at ".to_owned();
/// bellwether_sdk::num::write_mantissa(1_250, 2, &mut text);
/// assert_eq!(text, "at 12.5");
/// ```
pub fn write_mantissa(mantissa: i64, scale: u8, into: &mut String) {
    /// Nineteen digits, a leading zero and a point.
    const LEN: usize = 24;
    let mut text = [b'0'; LEN];
    let mut left = mantissa.unsigned_abs();
    let (mut at, mut end, mut digits) = (LEN, LEN, 0);
    while left > 0 || digits <= scale {
        if digits == scale && scale > 0 {
            // Zeros at the end say nothing, nor does a point before nothing.
            while end > at && text[end - 1] == b'0' {
                end -= 1;
            }
            if end > at {
                at -= 1;
                text[at] = b'.';
            }
        }
        at -= 1;
        text[at] = b'0' + (left % 10) as u8;
        left /= 10;
        digits += 1;
    }
    if mantissa < 0 {
        at -= 1;
        text[at] = b'-';
    }
    // ASCII, so nothing is lost.
    into.push_str(std::str::from_utf8(&text[at..end]).unwrap_or_default());
}

/// As [`format_mantissa`], for money.
///
/// ```
/// assert_eq!(bellwether_sdk::num::format_wide(-1_250, 2), "-12.5");
/// ```
pub fn format_wide(mantissa: i128, scale: u8) -> String {
    let unit = 10u128.pow(u32::from(scale));
    let magnitude = mantissa.unsigned_abs();
    let (whole, fraction) = (magnitude / unit, magnitude % unit);
    let sign = if mantissa < 0 { "-" } else { "" };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:0width$}", width = usize::from(scale));
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

macro_rules! mantissa_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(i64);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// Wraps a mantissa at the instrument's scale.
            #[inline]
            pub const fn from_mantissa(mantissa: i64) -> Self {
                Self(mantissa)
            }

            /// The mantissa at the instrument's scale.
            #[inline]
            pub const fn mantissa(self) -> i64 {
                self.0
            }

            /// Whether this is zero.
            #[inline]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// The nearest `f64`, for charts and indicators only.
            #[inline]
            pub fn to_f64(self, scale: u8) -> f64 {
                mantissa_to_f64(self.0, scale)
            }

            /// Decimal text at `scale`, without trailing zeros.
            pub fn to_text(self, scale: u8) -> String {
                format_mantissa(self.0, scale)
            }
        }
    };
}

mantissa_type! {
    /// A price: mantissa at the instrument's price scale, quote currency per unit of base.
    Price
}

mantissa_type! {
    /// A quantity: mantissa at the instrument's quantity scale, units of base (contracts for inverse instruments).
    /// Signed where a position is meant; unsigned in orders and market data.
    Qty
}

/// An amount of one currency: mantissa at that currency's scale in this run.
///
/// ```
/// use bellwether_sdk::Money;
///
/// let cash = Money::from_mantissa(10_050).checked_sub(Money::from_mantissa(50))?;
/// assert_eq!((cash.to_text(2), cash.to_f64(2)), ("100".to_owned(), 100.0));
/// # Ok::<(), bellwether_sdk::NumError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(i128);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Wraps a mantissa at the currency's scale.
    #[inline]
    pub const fn from_mantissa(mantissa: i128) -> Self {
        Self(mantissa)
    }

    /// The mantissa at the currency's scale.
    #[inline]
    pub const fn mantissa(self) -> i128 {
        self.0
    }

    /// The nearest `f64`, for statistics.
    #[inline]
    pub fn to_f64(self, scale: u8) -> f64 {
        self.0 as f64 / POW10_F64[scale as usize]
    }

    /// Decimal text at `scale`, without trailing zeros.
    pub fn to_text(self, scale: u8) -> String {
        format_wide(self.0, scale)
    }

    /// The sum.
    ///
    /// # Errors
    /// [`NumError::Overflow`].
    #[inline]
    pub fn checked_add(self, other: Self) -> Result<Self, NumError> {
        self.0.checked_add(other.0).map(Self).ok_or(NumError::Overflow { what: "money sum" })
    }

    /// The difference.
    ///
    /// # Errors
    /// [`NumError::Overflow`].
    #[inline]
    pub fn checked_sub(self, other: Self) -> Result<Self, NumError> {
        self.0.checked_sub(other.0).map(Self).ok_or(NumError::Overflow { what: "money difference" })
    }
}

impl std::ops::Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

/// A fraction at twelve decimals: fee rates, funding rates, ratios. `Rate::from_bps("10")` is 0.001.
///
/// ```
/// use bellwether_sdk::{Decimal, Rate};
///
/// let fee = Rate::from_bps(Decimal::new(10, 0))?; // ten basis points
/// assert_eq!(fee, Rate::from_pct(Decimal::new(1, 1))?);
/// assert_eq!(fee, Rate::from_fraction(Decimal::new(1, 3))?);
/// assert_eq!(fee.to_text(), "0.001");
/// # Ok::<(), bellwether_sdk::NumError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(i64);

impl Rate {
    /// Digits after the point of a rate's mantissa.
    pub const SCALE: u8 = 12;
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Wraps a mantissa at [`Rate::SCALE`].
    pub const fn from_mantissa(mantissa: i64) -> Self {
        Self(mantissa)
    }

    /// The mantissa at [`Rate::SCALE`].
    #[inline]
    pub const fn mantissa(self) -> i64 {
        self.0
    }

    /// A fraction, e.g. `0.0001`.
    ///
    /// # Errors
    /// [`NumError`] over twelve decimals or nine million.
    pub fn from_fraction(fraction: Decimal) -> Result<Self, NumError> {
        fraction.at_scale(Self::SCALE).map(Self)
    }

    /// Basis points, e.g. `10` for 0.1 %.
    ///
    /// # Errors
    /// [`NumError`] over eight decimals or out of range.
    pub fn from_bps(bps: Decimal) -> Result<Self, NumError> {
        bps.at_scale(Self::SCALE - 4).map(Self)
    }

    /// Per cent, e.g. `0.5` for 0.005.
    ///
    /// # Errors
    /// [`NumError`] over ten decimals or out of range.
    pub fn from_pct(pct: Decimal) -> Result<Self, NumError> {
        pct.at_scale(Self::SCALE - 2).map(Self)
    }

    /// The nearest `f64`.
    pub fn to_f64(self) -> f64 {
        mantissa_to_f64(self.0, Self::SCALE)
    }

    /// The fraction as decimal text.
    pub fn to_text(self) -> String {
        format_mantissa(self.0, Self::SCALE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_is_read_exactly_or_refused() {
        for (text, scale, want) in [
            ("12.5", 2, 1250),
            ("0.00001", 5, 1),
            ("-3", 0, -3),
            ("1e-05", 6, 10),
            ("1.5E3", 0, 1500),
            ("1.50000000000000000000000", 1, 15),
            ("87232.00000000", 2, 8_723_200),
        ] {
            assert_eq!(parse_mantissa(text.as_bytes(), scale), Ok(want), "{text}");
        }
        for text in ["", "-", ".", "1.2.3", "NaN", "inf", "1e", "0x10", "1,5", "12 "] {
            assert!(matches!(parse_mantissa(text.as_bytes(), 8), Err(NumError::NotDecimal { .. })), "{text}");
        }
        assert!(matches!(parse_mantissa(b"1.005", 2), Err(NumError::TooFine { .. })));
        assert!(Decimal::parse(&[b'9'; 40]).is_err());
        assert!(Decimal::parse(format!("0.{}1", "0".repeat(40)).as_bytes()).is_err());
    }

    #[test]
    fn text_of_a_mantissa_has_no_trailing_zeros() {
        assert_eq!(format_mantissa(-1250, 3), "-1.25");
        assert_eq!(format_mantissa(5, 8), "0.00000005");
        assert_eq!(format_mantissa(i64::MIN, 0), i64::MIN.to_string());
        let odd = [0, 1, 7, 10, 100, 1_000, 12_300, 999_999, 1_000_000_000_000_000_000, i64::MAX, i64::MIN, -1, -10];
        for (mantissa, scale) in odd.iter().flat_map(|m| (0..=SCALE_MAX).map(move |s| (*m, s))) {
            assert_eq!(format_mantissa(mantissa, scale), format_wide(i128::from(mantissa), scale));
        }
    }

    #[test]
    fn integers_become_the_float_that_the_language_makes_of_them() {
        let edges = [0, 1, -1, (1 << 51) - 1, 1 << 51, -(1 << 51), -(1 << 51) - 1, i64::MAX, i64::MIN];
        let spread = (0..1000).map(|i: i64| i.wrapping_mul(7_046_029_254_386_353_131) >> (i % 40));
        for n in edges.into_iter().chain(spread) {
            assert_eq!(exact_f64(n).to_bits(), (n as f64).to_bits(), "{n}");
        }
    }

    #[test]
    fn a_mantissa_becomes_the_float_its_text_parses_to() {
        for text in ["4261.48", "0.7837", "13752.18233851", "1.10948"] {
            let d: Decimal = text.parse().expect("a number");
            assert_eq!(d.to_f64(), text.parse::<f64>().expect("a float"));
        }
    }
}
