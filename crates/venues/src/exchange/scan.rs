//! Messages in the form in which a venue always writes them, read byte by byte: no tree, no allocation.
//!
//! For the few messages that come by the thousand. Everything here gives `None` when it meets anything unusual (an
//! escape, an exponent, a sign, a space, a digit too many); the caller then takes the way that reads any JSON and says
//! what is wrong. It never takes what that way would refuse or read as another value.

use bellwether_sdk::num::pow10;

/// Digits that surely fit an `i64`.
const DIGITS_MAX: usize = 18;

/// A place in a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    /// At the beginning of a message.
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Passes over exactly this.
    #[inline]
    pub(super) fn word(&mut self, expected: &str) -> Option<()> {
        self.rest().starts_with(expected.as_bytes()).then(|| self.at += expected.len())
    }

    /// Passes over one byte.
    #[inline]
    pub(super) fn byte(&mut self, expected: u8) -> Option<()> {
        (self.rest().first() == Some(&expected)).then(|| self.at += 1)
    }

    /// What is left, which must be this.
    pub(super) fn ends_with(&self, expected: &str) -> Option<()> {
        (self.rest() == expected.as_bytes()).then_some(())
    }

    /// A text without escapes up to its closing quote, the opening one being passed.
    #[inline]
    pub(super) fn until_quote(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let len = rest.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20))?;
        if rest[len] != b'"' {
            return None;
        }
        let text = self.text.get(self.at..self.at + len)?;
        self.at += len + 1;
        Some(text)
    }

    /// A text without escapes.
    #[inline]
    pub(super) fn text(&mut self) -> Option<&'a str> {
        self.byte(b'"')?;
        self.until_quote()
    }

    /// The name of an object's next field, up to and with the colon; `Some("")` at the object's end. `first` before the
    /// first field, the brace not yet passed.
    #[inline]
    pub(super) fn field(&mut self, first: bool) -> Option<&'a str> {
        if first {
            self.byte(b'{')?;
        } else if self.byte(b'}').is_some() {
            return Some("");
        } else {
            self.byte(b',')?;
        }
        let name = self.text().filter(|name| !name.is_empty())?;
        self.byte(b':')?;
        Some(name)
    }

    /// A whole number that is not negative, without leading zeros.
    #[inline]
    pub(super) fn whole(&mut self) -> Option<i64> {
        let rest = self.rest();
        let mut number: i64 = 0;
        let mut len = 0;
        while let Some(digit) = rest.get(len).map(|b| b.wrapping_sub(b'0')).filter(|d| *d <= 9) {
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
            len += 1;
        }
        let plain = len == 1 || (1..=DIGITS_MAX).contains(&len) && rest[0] != b'0';
        let goes_on = matches!(rest.get(len), Some(b'.' | b'e' | b'E'));
        (plain && !goes_on).then(|| {
            self.at += len;
            number
        })
    }

    /// `true` or `false`.
    #[inline]
    pub(super) fn boolean(&mut self) -> Option<bool> {
        if self.word("true").is_some() { Some(true) } else { self.word("false").map(|()| false) }
    }

    /// A decimal in quotes that is not negative, as a mantissa at a scale; digits beyond the scale must be zeros.
    #[inline]
    pub(super) fn quoted_mantissa(&mut self, scale: u8) -> Option<i64> {
        let rest = self.rest();
        if rest.first() != Some(&b'"') {
            return None;
        }
        let mut at = 1;
        let mut number: i64 = 0;
        while let Some(digit) = rest.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d <= 9) {
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
            at += 1;
        }
        let before = at - 1;
        let mut after = 0;
        if rest.get(at) == Some(&b'.') {
            at += 1;
            let counted = usize::from(scale);
            while let Some(digit) = rest.get(at).map(|b| b.wrapping_sub(b'0')).filter(|d| *d <= 9) {
                if after < counted {
                    number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
                } else if digit != 0 {
                    return None;
                }
                after += 1;
                at += 1;
            }
            if after == 0 {
                return None;
            }
        }
        // Both parts at their longest still fit, so that nothing wrapped above.
        if before == 0 || before + usize::from(scale) > DIGITS_MAX || rest.get(at) != Some(&b'"') {
            return None;
        }
        self.at += at + 1;
        let missing = usize::from(scale).saturating_sub(after);
        Some(number * pow10(missing as u8))
    }

    /// Passes over a value that is not looked at: a plain text, number or word.
    #[inline]
    pub(super) fn skip(&mut self) -> Option<()> {
        match self.rest().first()? {
            b'"' => self.text().map(drop),
            b't' | b'f' => self.boolean().map(drop),
            b'n' => self.word("null"),
            _ => self.whole().map(drop),
        }
    }
}

/// Takes a field's value into its place, once.
#[inline]
pub(super) fn once<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    if place.is_some() || value.is_none() {
        return None;
    }
    *place = value;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_at_their_scale_or_not_at_all() {
        let read = |text: &str, scale| Scan::new(text).quoted_mantissa(scale);
        assert_eq!(read("\"87250.35000000\"", 2), Some(8_725_035));
        assert_eq!(read("\"0.5\"", 8), Some(50_000_000));
        assert_eq!(read("\"12\"", 3), Some(12_000));
        for odd in [
            "\"87250.351\"",
            "\"-1\"",
            "\"1e3\"",
            "\"\"",
            "\".5\"",
            "\"1.\"",
            "1.5",
            "\"1.5",
            "\"1234567890123456789\"",
        ] {
            assert_eq!(read(odd, 2), None, "{odd}");
        }
        let whole = |text: &str| Scan::new(text).whole();
        assert_eq!((whole("0,"), whole("120}")), (Some(0), Some(120)));
        for odd in ["01", "-1", "1.0", "1e3", "", "x", "1234567890123456789"] {
            assert_eq!(whole(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_other_way() {
        assert_eq!(Scan::new("\"a\\u0062\"").text(), None);
        assert_eq!(Scan::new("\"ab").text(), None);
        assert_eq!(Scan::new("{ \"a\":1}").field(true), None);
        assert_eq!(Scan::new("[1]").skip(), None);
        let mut place = None;
        assert_eq!((once(&mut place, Some(1)), once(&mut place, Some(2))), (Some(()), None));
    }

    proptest! {
        /// Whatever this way takes, the other reads as the same value.
        #[test]
        fn both_ways_agree(text in "[0-9]{0,12}[.]?[0-9eE+-]{0,12}", scale in 0u8..=10) {
            if let Some(mantissa) = Scan::new(&format!("\"{text}\"")).quoted_mantissa(scale) {
                prop_assert_eq!(super::super::mantissa("p", &text, scale), Ok(mantissa));
            }
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,40}", scale in 0u8..=18) {
            let scan = Scan::new(&text);
            let _ = (scan.clone().quoted_mantissa(scale), scan.clone().whole(), scan.clone().text(), scan.clone().skip());
            let _ = (scan.clone().field(true), scan.clone().field(false));
        }
    }
}
