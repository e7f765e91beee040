//! Times as Kraken writes them: RFC 3339 in UTC on sockets, seconds with a fraction on REST. No clock is read here.

use bellwether_sdk::Ts;

use crate::exchange::{Digits, WireError};

const DAY: i64 = 86_400;
const NANOS: i64 = 1_000_000_000;

/// Reads `2023-10-06T17:35:55.440295Z`; digits beyond nanoseconds are cut.
///
/// # Errors
/// [`WireError::Number`] when it is none.
pub(super) fn read(field: &'static str, text: &str) -> Result<Ts, WireError> {
    parse(text.as_bytes()).map(Ts::from_nanos).ok_or_else(|| WireError::Number {
        field,
        text: text.chars().take(40).collect(),
        why: "not a time as in 2023-10-06T17:35:55.440295Z".to_owned(),
    })
}

/// Reads seconds since 1970 with up to nine digits after the point.
///
/// # Errors
/// [`WireError::Number`].
pub(super) fn seconds(field: &'static str, digits: Digits<'_>) -> Result<Ts, WireError> {
    digits.mantissa(field, 9).map(Ts::from_nanos)
}

fn parse(text: &[u8]) -> Option<i64> {
    let number = |from: usize, to: usize| {
        text.get(from..to)?.iter().try_fold(0i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
    };
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| text.get(*at) != Some(mark)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let (fraction, zone) = match text.get(19..)? {
        [b'.', rest @ ..] => rest.split_at(rest.iter().take_while(|b| b.is_ascii_digit()).count()),
        rest => (&[][..], rest),
    };
    if !in_range || !matches!(zone, b"Z" | b"+00:00") {
        return None;
    }
    let (mut nanos, mut unit) = (0, NANOS);
    for digit in fraction.iter().take(9) {
        unit /= 10;
        nanos += i64::from(digit - b'0') * unit;
    }
    let whole = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    whole.checked_mul(NANOS)?.checked_add(nanos)
}

/// Days since 1970 of a date of the Gregorian calendar: years begin in March, so that the leap day is the last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Writes whole seconds, the rest cut: `2026-12-31T23:59:59Z`.
pub(super) fn write(ts: Ts) -> String {
    let seconds = ts.nanos().div_euclid(NANOS);
    let (day, rest) = (seconds.div_euclid(DAY) + 719_468, seconds.rem_euclid(DAY));
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_they_are_written() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799_000_000_000),
            ("2023-10-06T17:35:55Z", 1_696_613_755_000_000_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000_000_000),
        ] {
            assert_eq!(read("t", text), Ok(Ts::from_nanos(nanos)), "{text}");
            assert_eq!(write(Ts::from_nanos(nanos)), text);
        }
        assert_eq!(read("t", "2023-10-06T17:35:55.440295Z"), Ok(Ts::from_nanos(1_696_613_755_440_295_000)));
        assert_eq!(read("t", "2023-10-06T17:35:55.123456789987Z"), Ok(Ts::from_nanos(1_696_613_755_123_456_789)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "2023-10-06", "2023-13-06T17:35:55Z", "2023-10-06T25:35:55Z", "2023-10-06T17:35:55+02:00", "9"]
        {
            assert!(read("t", text).is_err(), "{text}");
        }
    }
}
