//! What codecs share: reading JSON with borrowed text, writing JSON and queries in a fixed order, venues' time texts.
//!
//! No venue's words stand here. Nothing reads a clock; numbers stay exact.

use bellwether_sdk::num::{format_wide, pow10};
use bellwether_sdk::{Decimal, Interval, Level, NumError, Price, Qty, Side, Ts};
use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess, Visitor};

use super::{Digits, Listings, Request, Rules, Span, VenueError, WireError};
use crate::exchange::Fault;

/// Reads a message.
///
/// # Errors
/// [`WireError::Shape`].
pub(super) fn json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, WireError> {
    serde_json::from_str(text).map_err(|e| WireError::shape(e, text))
}

/// An answer that is not understood: of a write the outcome is unknown, a read gave nothing.
pub(super) fn not_understood(error: &WireError, write: bool) -> VenueError {
    let fault = if write { Fault::Unknown } else { Fault::Malformed };
    VenueError::new(fault, "", error.to_string())
}

/// The rules of an instrument of this run.
///
/// # Errors
/// [`VenueError`] of class rejected when it is not listed.
pub(super) fn listed(listings: &Listings, id: bellwether_sdk::InstrumentId) -> Result<&Rules, VenueError> {
    let found = listings.get(id).map(|l| &l.rules);
    found.ok_or_else(|| {
        VenueError::new(Fault::Rejected, "", format!("instrument number {} is not listed at this venue", id.0))
    })
}

/// An amount of money or an average price: digits beyond the eighteenth that counts are cut toward zero. For what is
/// shown and compared, not for prices and quantities that are booked.
///
/// # Errors
/// [`WireError::Number`].
pub(super) fn amount(field: &'static str, digits: Digits<'_>) -> Result<Decimal, WireError> {
    let first = match digits.decimal(field) {
        Ok(decimal) => return Ok(decimal),
        Err(e) => e,
    };
    let text = digits.text();
    let (whole, fraction) = text.split_once('.').ok_or_else(|| first.clone())?;
    if text.len() > 80 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(first);
    }
    let counted = whole.trim_start_matches('-').trim_start_matches('0').len();
    let keep = 17usize.checked_sub(counted).ok_or_else(|| first.clone())?.min(fraction.len());
    let cut = format!("{whole}.{}0", &fraction[..keep]);
    Decimal::parse(cut.as_bytes()).map_err(|_| first)
}

/// [`amount`] where a text may be empty or absent.
///
/// # Errors
/// [`WireError::Number`].
pub(super) fn amount_if(field: &'static str, digits: Option<Digits<'_>>) -> Result<Option<Decimal>, WireError> {
    present(digits).map(|d| amount(field, d)).transpose()
}

/// A number unless its text is absent or empty.
pub(super) fn present(digits: Option<Digits<'_>>) -> Option<Digits<'_>> {
    digits.filter(|d| !d.text().is_empty())
}

/// A reference price such as a mark, at an instrument's scale; digits beyond are cut toward zero.
///
/// # Errors
/// [`WireError::Number`].
pub(super) fn mark(field: &'static str, digits: Digits<'_>, scale: u8) -> Result<Price, WireError> {
    let cut = amount(field, digits)?.at_scale_toward_zero(scale).ok_or_else(|| digits.wrong(field, "does not fit"))?;
    if cut < 0 { Err(digits.wrong(field, "no price is below zero")) } else { Ok(Price::from_mantissa(cut)) }
}

/// The sum of decimals; `None` when it does not fit.
pub(super) fn sum(a: Decimal, b: Decimal) -> Option<Decimal> {
    let (a, b) = (a.normalized(), b.normalized());
    let scale = a.scale().max(b.scale());
    let sum = a.at_scale(scale).ok()?.checked_add(b.at_scale(scale).ok()?)?;
    Some(Decimal::new(sum, scale).normalized())
}

/// A decimal with its sign turned.
pub(super) fn negated(a: Decimal) -> Decimal {
    Decimal::new(a.mantissa().saturating_neg(), a.scale())
}

/// The digits after the point of a step such as a tick.
pub(super) fn digits_of(step: Decimal) -> u8 {
    step.normalized().scale()
}

/// A smallest order value at the scale that [`Rules::notional_min`] has.
pub fn notional(value: Decimal, price_scale: u8, qty_scale: u8) -> Option<i128> {
    let value = value.normalized();
    let by = (price_scale + qty_scale).checked_sub(value.scale())?;
    i128::from(value.mantissa()).checked_mul(10i128.checked_pow(u32::from(by))?)
}

/// What a venue states as the most, in its own units: zero, which is none, where it states none or more digits than any
/// order has.
///
/// # Errors
/// [`WireError::Number`] when it is no number, or below zero.
pub(super) fn most(field: &'static str, digits: Option<Digits<'_>>) -> Result<Decimal, WireError> {
    let none = Decimal::new(0, 0);
    let Some(digits) = present(digits) else { return Ok(none) };
    match amount(field, digits) {
        Ok(found) if found.mantissa() < 0 => Err(digits.wrong(field, "no maximum is below zero")),
        Err(_) if matches!(Decimal::parse(digits.text().as_bytes()), Err(NumError::TooLarge { .. })) => Ok(none),
        read => read,
    }
}

/// A largest quantity at an instrument's scale: digits beyond are cut, and one that no order can reach is zero, none.
pub fn qty_max(value: Decimal, scale: u8) -> Qty {
    Qty::from_mantissa(value.at_scale_toward_zero(scale).unwrap_or(0))
}

/// A number of a wire's milliseconds, a number or its text, as time.
///
/// # Errors
/// [`WireError::Number`].
pub(super) fn millis(field: &'static str, digits: Digits<'_>) -> Result<Ts, WireError> {
    digits.mantissa(field, 0).map(Ts::from_millis)
}

/// [`millis`] where a text may be absent, empty or zero.
///
/// # Errors
/// [`WireError::Number`].
pub(super) fn millis_if(field: &'static str, digits: Option<Digits<'_>>) -> Result<Ts, WireError> {
    match present(digits).filter(|d| d.text() != "0") {
        Some(digits) => millis(field, digits),
        None => Ok(Ts::NONE),
    }
}

/// Whole milliseconds of a time.
pub(super) const fn to_millis(ts: Ts) -> i64 {
    ts.nanos().div_euclid(1_000_000)
}

/// The first two members of an array such as `["27450.5","1.5","0","3"]`: price and quantity of a level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'a>(pub Digits<'a>, pub Digits<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Pair<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Two;
        impl<'de> Visitor<'de> for Two {
            type Value = Pair<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array of a price and a quantity")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Pair<'de>, A::Error> {
                let missing = || serde::de::Error::custom("a level has fewer than two members");
                let price = seq.next_element()?.ok_or_else(missing)?;
                let qty = seq.next_element()?.ok_or_else(missing)?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Pair(price, qty))
            }
        }
        deserializer.deserialize_seq(Two)
    }
}

/// Adds the levels of a side at an instrument's scales.
///
/// # Errors
/// [`WireError::Number`].
pub(super) fn push_levels(
    into: &mut Vec<Level>,
    side: Side,
    rows: &[Pair<'_>],
    rules: &Rules,
) -> Result<(), WireError> {
    for Pair(price, qty) in rows {
        into.push(Level {
            side,
            price: price.price("price", rules.price_scale)?,
            qty: qty.qty("quantity", rules.qty_scale)?,
        });
    }
    Ok(())
}

/// The venue's word for an interval, from a table of minutes and words.
pub(super) fn interval_word(table: &[(i64, &'static str)], interval: Interval) -> Option<&'static str> {
    table.iter().find(|(minutes, _)| minutes * 60_000_000_000 == interval.nanos()).map(|(_, word)| *word)
}

/// The interval of a venue's word.
pub(super) fn interval_of(table: &[(i64, &'static str)], word: &str) -> Option<Interval> {
    let (minutes, _) = table.iter().find(|(_, w)| *w == word)?;
    Interval::from_nanos(minutes * 60_000_000_000)
}

/// A JSON object or a query written in the order in which its fields are added.
#[derive(Debug, Default)]
pub(super) struct Writer {
    text: String,
}

impl Writer {
    /// An object of one field is never empty, so the brace comes with the first.
    fn next(&mut self, key: &str) {
        self.text.push_str(if self.text.is_empty() { "{\"" } else { ",\"" });
        self.text.push_str(key);
        self.text.push_str("\":");
    }

    /// A field of text.
    pub(super) fn text(mut self, key: &str, value: &str) -> Self {
        self.next(key);
        self.text.push_str(&quoted(value));
        self
    }

    /// A field of text, if there is one.
    pub(super) fn text_if(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    /// A field whose value is JSON already.
    pub(super) fn raw(mut self, key: &str, value: &str) -> Self {
        self.next(key);
        self.text.push_str(value);
        self
    }

    /// The fields of another after these.
    pub(super) fn join(mut self, other: Self) -> Self {
        match (self.text.is_empty(), other.text.strip_prefix('{')) {
            (true, _) | (_, None) => Self { text: self.text + &other.text },
            (false, Some(fields)) => {
                self.text.push(',');
                self.text.push_str(fields);
                self
            }
        }
    }

    /// The object's text.
    pub(super) fn end(mut self) -> String {
        self.text.push_str(if self.text.is_empty() { "{}" } else { "}" });
        self.text
    }
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A JSON array of texts that are JSON already.
pub(super) fn array<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> String {
    let mut text = String::from("[");
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push_str(item.as_ref());
    }
    text.push(']');
    text
}

/// A query in the order given, values percent-encoded.
pub(super) fn query(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (key, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(key);
        text.push('=');
        encode_into(&mut text, value);
    }
    text
}

/// The same request with one more field in its query.
pub(super) fn with_field(mut request: Request, key: &str, value: &str) -> Request {
    request.query.push('&');
    request.query.push_str(&query(&[(key, value)]));
    request
}

/// The same request for the page of a stretch where the answer before ended.
pub(super) fn with_cursor(request: Request, key: &str, span: &Span) -> Request {
    if span.cursor.is_empty() { request } else { with_field(request, key, &span.cursor) }
}

/// Percent-encodes what is not unreserved (RFC 3986).
pub(super) fn encode_into(text: &mut String, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// A quantity in base units from a count of contracts of so much base each.
///
/// # Errors
/// [`WireError::Number`] when the digits of the product are more than the scale has, or it does not fit.
pub(super) fn base_of(
    field: &'static str,
    contracts: Digits<'_>,
    contract: Decimal,
    scale: u8,
) -> Result<Qty, WireError> {
    if contract == Decimal::new(1, 0) {
        return contracts.mantissa(field, scale).map(Qty::from_mantissa);
    }
    let wrong =
        |why: &str| WireError::Number { field, text: contracts.text().chars().take(40).collect(), why: why.to_owned() };
    let count = contracts.decimal(field)?.normalized();
    let contract = contract.normalized();
    let product = i128::from(count.mantissa()) * i128::from(contract.mantissa());
    let (from, to) = (count.scale() + contract.scale(), scale);
    let mantissa = if to >= from {
        10i128.checked_pow(u32::from(to - from)).and_then(|f| product.checked_mul(f))
    } else {
        let unit = 10i128.checked_pow(u32::from(from - to)).ok_or_else(|| wrong("does not fit"))?;
        if product % unit != 0 {
            return Err(wrong("in base units it has more digits than the instrument's rules know"));
        }
        Some(product / unit)
    };
    let mantissa = mantissa.and_then(|m| i64::try_from(m).ok()).ok_or_else(|| wrong("does not fit"))?;
    Ok(Qty::from_mantissa(mantissa))
}

/// The count of contracts of so much base each that a quantity in base units is, as text; `None` when it is no finite
/// decimal of at most six digits more than the quantity has.
pub(super) fn contracts_of(qty: Qty, scale: u8, contract: Decimal) -> Option<String> {
    let contract = contract.normalized();
    let (unit, digits) = (i128::from(contract.mantissa()), contract.scale());
    if unit <= 0 {
        return None;
    }
    let wide = i128::from(qty.mantissa()) * i128::from(pow10(digits));
    (0..=6u8).find_map(|more| {
        let n = wide.checked_mul(i128::from(pow10(more)))?;
        (n % unit == 0).then(|| format_wide(n / unit, scale + more))
    })
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (after H. Hinnant, "chrono-compatible low-level date
/// algorithms").
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a day counted from 1970-01-01.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * of_year + 2) / 153;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, of_year - (153 * m + 2) / 5 + 1)
}

/// A time as `2020-12-08T09:08:57.715Z`.
pub(super) fn iso_millis(ts: Ts) -> String {
    let millis = to_millis(ts);
    let (days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let (year, month, day) = civil_from_days(days);
    let (seconds, ms) = (of_day / 1000, of_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Reads a time such as `2026-04-07T00:28:58.544778Z` (RFC 3339, UTC only, up to nine digits of seconds).
///
/// # Errors
/// [`WireError::Number`].
pub(super) fn iso(field: &'static str, text: &str) -> Result<Ts, WireError> {
    let parsed = parse_iso(text.as_bytes());
    parsed.ok_or_else(|| WireError::Number {
        field,
        text: text.chars().take(40).collect(),
        why: "it is no time such as 2026-01-31T00:00:00.000Z".to_owned(),
    })
}

fn parse_iso(text: &[u8]) -> Option<Ts> {
    let number = |from: usize, len: usize| {
        let digits = text.get(from..from + len)?;
        digits.iter().try_fold(0i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
    };
    let mark = |at: usize, allowed: &[u8]| text.get(at).filter(|b| allowed.contains(b)).map(|_| ());
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    for (at, allowed) in [(4, &b"-"[..]), (7, b"-"), (10, b"Tt "), (13, b":"), (16, b":")] {
        mark(at, allowed)?;
    }
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut nanos = 0;
    let mut at = 19;
    if text.get(at) == Some(&b'.') {
        let len = text[at + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=9).contains(&len) {
            return None;
        }
        nanos = number(at + 1, len)? * 10i64.pow(9 - u32::try_from(len).ok()?);
        at += 1 + len;
    }
    if !matches!(&text[at..], b"Z" | b"z" | b"+00:00") {
        return None;
    }
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos).map(Ts::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Digits<'_> {
        json(text).expect("digits")
    }

    #[test]
    fn contracts_and_base_units_turn_into_each_other_exactly() {
        for (contracts, contract, scale, base) in
            [("\"0.03\"", "0.01", 4, 3), ("\"7\"", "0.1", 3, 700), ("\"2\"", "1000", 0, 2000), ("\"0.5\"", "1", 1, 5)]
        {
            let contract: Decimal = contract.parse().expect("a decimal");
            let qty = base_of("sz", digits(contracts), contract, scale).expect("base units");
            assert_eq!(qty, Qty::from_mantissa(base), "{contracts}");
            assert_eq!(contracts_of(qty, scale, contract).as_deref(), Some(contracts.trim_matches('"')));
        }
        let third = Decimal::new(3, 0);
        assert_eq!(contracts_of(Qty::from_mantissa(1), 0, third), None, "a third of a contract is no decimal");
        assert!(base_of("sz", digits("\"0.001\""), Decimal::new(1, 2), 4).is_err(), "a digit more than the scale");
    }

    #[test]
    fn times_read_as_they_print() {
        for (text, millis) in [
            ("2020-12-08T09:08:57.715Z", 1_607_418_537_715),
            ("1970-01-01T00:00:00.000Z", 0),
            ("2024-02-29T23:59:59.999Z", 1_709_251_199_999),
            ("1969-12-31T23:59:59.000Z", -1000),
        ] {
            assert_eq!(iso_millis(Ts::from_millis(millis)), text);
            assert_eq!(iso("time", text).expect("a time"), Ts::from_millis(millis));
        }
        let micros = iso("time", "2026-04-07T00:28:58.544778Z").expect("a time");
        assert_eq!(micros.nanos() % 1_000_000_000, 544_778_000);
        for wrong in ["", "2026-04-07", "2026-13-07T00:00:00Z", "2026-04-07T00:00:00", "2026-04-07T00:00:00.Z", "é"] {
            assert!(iso("time", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn amounts_keep_eighteen_digits_and_no_more() {
        let of = |text: &str| amount("a", digits(text)).map(|d| d.to_string());
        assert_eq!(of("\"12345.1234567890123456789\"").as_deref(), Ok("12345.123456789012"));
        assert_eq!(of("0.25").as_deref(), Ok("0.25"));
        assert!(of("\"abc\"").is_err() && of("\"99999999999999999999\"").is_err() && of("\"1.2.3\"").is_err());
    }

    #[test]
    fn queries_are_percent_encoded_and_objects_keep_their_order() {
        assert_eq!(query(&[("b", "a&b=c d"), ("a", "é")]), "b=a%26b%3Dc%20d&a=%C3%A9");
        assert_eq!(Writer::default().text("z", "a\"b").raw("a", "1").end(), r#"{"z":"a\"b","a":1}"#);
        assert_eq!(array(["1", "2"]), "[1,2]");
    }
}
