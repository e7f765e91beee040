//! Numbers on the wire to exact numbers. Nothing here goes through `f64`.

use bellwether_sdk::num::parse_mantissa;
use bellwether_sdk::{Decimal, NumError, Price, Qty, Rate};

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

    /// A market's price at a scale: above zero, as every trade, bar and level of a book has it. (Orders write zero where
    /// they have no price: those are read by [`mantissa`](Self::mantissa).)
    ///
    /// # Errors
    /// [`WireError::Number`].
    pub fn price(self, field: &'static str, scale: u8) -> Result<Price, WireError> {
        match self.mantissa(field, scale)? {
            found @ 1.. => Ok(Price::from_mantissa(found)),
            _ => Err(self.wrong(field, "no price is at or below zero")),
        }
    }

    /// A best price at a scale, which some venues write as zero where a side is empty.
    ///
    /// # Errors
    /// [`WireError::Number`].
    pub fn best_price(self, field: &'static str, scale: u8) -> Result<Price, WireError> {
        match self.mantissa(field, scale)? {
            found @ 0.. => Ok(Price::from_mantissa(found)),
            _ => Err(self.wrong(field, "no price is below zero")),
        }
    }

    /// A market's quantity at a scale: not below zero.
    ///
    /// # Errors
    /// [`WireError::Number`].
    pub fn qty(self, field: &'static str, scale: u8) -> Result<Qty, WireError> {
        match self.mantissa(field, scale)? {
            found @ 0.. => Ok(Qty::from_mantissa(found)),
            _ => Err(self.wrong(field, "no quantity is below zero")),
        }
    }

    /// An error about it.
    pub(super) fn wrong(self, field: &'static str, why: &str) -> WireError {
        WireError::Number { field, text: self.0.chars().take(40).collect(), why: why.to_owned() }
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

/// Hands each row of a JSON list to `take`, in order, without a list in between; stops at the first error.
///
/// # Errors
/// [`WireError::Shape`] when it is no list of such rows, else what `take` says.
pub(super) fn each<'a, T: serde::Deserialize<'a>>(
    text: &'a str,
    mut take: impl FnMut(T) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut failed = None;
    let rows = Rows { take: &mut take, failed: &mut failed, row: std::marker::PhantomData };
    let mut json = serde_json::Deserializer::from_str(text);
    let read = serde::Deserializer::deserialize_seq(&mut json, rows).and_then(|()| json.end());
    match failed {
        Some(e) => Err(e),
        None => read.map_err(|e| WireError::shape(e, text)),
    }
}

struct Rows<'f, T, F> {
    take: &'f mut F,
    failed: &'f mut Option<WireError>,
    row: std::marker::PhantomData<T>,
}

impl<'de, T, F> serde::de::Visitor<'de> for Rows<'_, T, F>
where
    T: serde::Deserialize<'de>,
    F: FnMut(T) -> Result<(), WireError>,
{
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element()? {
            if let Err(e) = (self.take)(row) {
                *self.failed = Some(e);
                return Err(serde::de::Error::custom("a row was refused"));
            }
        }
        Ok(())
    }
}

/// A list that lives on the stack while it holds one: most messages do, and then nothing is allocated.
#[derive(Debug)]
pub(super) struct Few<T> {
    first: Option<T>,
    rest: Vec<T>,
}

impl<T> Few<T> {
    /// An empty one.
    pub(super) const fn new() -> Self {
        Self { first: None, rest: Vec::new() }
    }

    /// Appends.
    pub(super) fn push(&mut self, one: T) {
        if self.first.is_none() {
            self.first = Some(one);
        } else {
            self.rest.push(one);
        }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;
    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.rest)
    }
}
