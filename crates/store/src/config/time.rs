//! Times and ranges as people type them. UTC throughout; a time without an offset is UTC.

use bellwether_sdk::Ts;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

const ADVICE: &str = "write 2024-01-01, 20240101, 2024-01-01T12:00:00Z or a Unix time";

/// 1980 to 2100, UTC nanoseconds: the Unix times that are believed, here as in imports.
const TIMES_MEANT: std::ops::Range<i64> = 315_532_800_000_000_000..4_102_444_800_000_000_000;

/// Reads `2024-01-01`, `20240101`, `2024-01-01T12:00`, RFC 3339, or a Unix time whose digits say its unit: up to 11
/// seconds, to 14 milliseconds, to 17 microseconds, more nanoseconds. Eight digits are a date. A Unix time before 1980
/// or from 2100 on is none that anybody means (`2024`, `202401`).
///
/// # Errors
/// What was found and what to write.
pub fn parse_time(text: &str) -> Result<Ts, String> {
    let text = text.trim();
    let wrong = || format!("{text:?} is not a time; {ADVICE}");
    if text.is_empty() {
        return Err(wrong());
    }
    if text.bytes().all(|c| c.is_ascii_digit()) && text.len() != 8 {
        return epoch(text).ok_or_else(wrong);
    }
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return nanos(stamp).ok_or_else(wrong);
    }
    let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(DateTime::from)).map_err(|_| wrong())?;
    TimeZone::UTC.to_timestamp(civil).ok().and_then(nanos).ok_or_else(wrong)
}

fn epoch(digits: &str) -> Option<Ts> {
    let value: i64 = digits.parse().ok()?;
    let unit = match digits.len() {
        0..=11 => 1_000_000_000,
        12..=14 => 1_000_000,
        15..=17 => 1_000,
        _ => 1,
    };
    TIMES_MEANT.contains(&value.checked_mul(unit)?).then(|| Ts::from_nanos(value * unit))
}

fn nanos(stamp: Timestamp) -> Option<Ts> {
    i64::try_from(stamp.as_nanosecond()).ok().map(Ts::from_nanos)
}

/// Reads `FROM-TO`, `FROM-` or `-TO`, each side as [`parse_time`] reads it.
///
/// # Errors
/// What was found and what to write.
pub fn parse_time_range(text: &str) -> Result<(Option<String>, Option<String>), String> {
    let side = |s: &str| s.is_empty() || parse_time(s).is_ok();
    let mut splits = text
        .match_indices('-')
        .map(|(at, _)| (&text[..at], &text[at + 1..]))
        .filter(|(from, to)| side(from) && side(to) && !(from.is_empty() && to.is_empty()));
    match (splits.next(), splits.next()) {
        (Some((from, to)), None) => {
            let owned = |s: &str| Some(s.to_owned()).filter(|s| !s.is_empty());
            Ok((owned(from), owned(to)))
        }
        _ => Err(format!("{text:?} is not a range of times; write 20240101-20240601, 20240101- or -20240601 (UTC)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_reads_the_same_in_every_form() {
        let at = Ts::from_millis(1_704_067_200_000);
        for text in [
            "2024-01-01",
            "20240101",
            "2024-01-01T00:00",
            "2024-01-01 00:00:00",
            "2024-01-01T00:00:00Z",
            "2024-01-01T02:00:00+02:00",
            "1704067200",
            "1704067200000",
            "1704067200000000",
            "1704067200000000000",
        ] {
            assert_eq!(parse_time(text), Ok(at), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "yesterday", "2024-13-01", "20241301", "2024-01-01T25:00", "99999999999999999999"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
        // Each would be some minutes or days after 1970.
        for text in ["2024", "202401", "1704067", "170406720000"] {
            let why = parse_time(text).expect_err("no time that is meant");
            assert!(why.contains("write 2024-01-01"), "{why}");
        }
    }

    #[test]
    fn a_range_may_be_open_at_either_side() {
        let range = |text: &str| parse_time_range(text).expect("a range");
        let some = |s: &str| Some(s.to_owned());
        assert_eq!(range("20240101-20240601"), (some("20240101"), some("20240601")));
        assert_eq!(range("20240101-"), (some("20240101"), None));
        assert_eq!(range("-20240601"), (None, some("20240601")));
        assert_eq!(range("2024-01-01-2024-06-01"), (some("2024-01-01"), some("2024-06-01")));
        assert_eq!(range("1704067200-1717200000"), (some("1704067200"), some("1717200000")));
        for text in ["", "-", "20240101", "a-b", "20240101:20240601", "2020-2024"] {
            assert!(parse_time_range(text).is_err(), "{text}");
        }
    }
}
