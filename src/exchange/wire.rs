//! Numbers on the wire to exact numbers. Nothing here goes through `f64`.

use bellwether_sdk::num::parse_mantissa;
use bellwether_sdk::{Decimal, NumError, Rate};

/// A message could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// It is not the JSON expected.
    #[error("message is not understood: {why}; it begins {start:?}")]
    Shape {
        /// What the parser said.
        why: String,
        /// The beginning of the message.
        start: String,
    },
    /// A number in it is not one, or has digits that the instrument's rules do not know.
    #[error("{field} {text:?}: {why}")]
    Number {
        /// Which field.
        field: &'static str,
        /// What stood there.
        text: String,
        /// What is wrong with it.
        why: String,
    },
}

impl WireError {
    /// A message that a parser refused.
    pub fn shape(why: impl ToString, message: &str) -> Self {
        Self::Shape { why: why.to_string(), start: message.chars().take(120).collect() }
    }
}

/// Reads the digits of a decimal, quoted or not, at a scale.
///
/// # Errors
/// [`WireError::Number`] when it is no plain decimal, digits would be lost, or it does not fit.
pub fn mantissa(field: &'static str, text: &str, scale: u8) -> Result<i64, WireError> {
    let wrong = |e: NumError| WireError::Number { field, text: text.chars().take(40).collect(), why: e.to_string() };
    parse_mantissa(text.trim_matches('"').as_bytes(), scale).map_err(wrong)
}

/// Reads a fraction such as a funding rate; digits beyond the scale of [`Rate`] are cut toward zero.
///
/// # Errors
/// [`WireError::Number`].
pub fn rate(field: &'static str, text: &str) -> Result<Rate, WireError> {
    let wrong = |why: String| WireError::Number { field, text: text.chars().take(40).collect(), why };
    let decimal = Decimal::parse(text.trim_matches('"').as_bytes()).map_err(|e| wrong(e.to_string()))?;
    decimal.at_scale_toward_zero(Rate::SCALE).map(Rate::from_mantissa).ok_or_else(|| wrong("does not fit".to_owned()))
}

/// The exact text of a JSON number or string, borrowed from the message: numbers keep the digits that the venue wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits<'a>(&'a str);

impl<'a> Digits<'a> {
    /// The digits, without quotes. A string is given as it stands on the wire, escapes and all.
    pub const fn text(self) -> &'a str {
        self.0
    }

    /// The number at a scale.
    ///
    /// # Errors
    /// As [`mantissa`].
    pub fn mantissa(self, field: &'static str, scale: u8) -> Result<i64, WireError> {
        mantissa(field, self.0, scale)
    }

    /// The number with the scale it was written at.
    ///
    /// # Errors
    /// [`WireError::Number`].
    pub fn decimal(self, field: &'static str) -> Result<Decimal, WireError> {
        Decimal::parse(self.0.as_bytes()).map_err(|e| WireError::Number {
            field,
            text: self.0.chars().take(40).collect(),
            why: e.to_string(),
        })
    }
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for Digits<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&serde_json::value::RawValue>::deserialize(deserializer)?.get();
        match text.as_bytes() {
            [b'"', .., b'"'] => Ok(Self(&text[1..text.len() - 1])),
            [b'-' | b'0'..=b'9', ..] => Ok(Self(text)),
            _ => Err(serde::de::Error::custom(format_args!("expected a number or its text, found {:.20}", text))),
        }
    }
}
