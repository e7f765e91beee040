//! Small writers of text: times, spans, grouped digits. Nothing here rounds what is exact.

use bellwether_sdk::Ts;

/// Nanoseconds of a day.
pub(super) const DAY_NS: i64 = 86_400_000_000_000;

/// A time as RFC 3339 in UTC; `None` where there is no time.
pub(super) fn rfc3339(ts: Ts) -> Option<String> {
    if ts == Ts::NONE {
        return None;
    }
    jiff::Timestamp::from_nanosecond(i128::from(ts.nanos())).ok().map(|t| t.to_string())
}

/// A time as text of nanoseconds since 1970; `None` where there is no time.
pub(super) fn nanos(ts: Ts) -> Option<String> {
    (ts != Ts::NONE).then(|| ts.nanos().to_string())
}

/// The date of a time, as in `2024-02-29`.
pub(super) fn date(ts: Ts) -> String {
    let text = rfc3339(ts).unwrap_or_default();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// The start of a date as [`date`] writes it; `None` of what is none.
pub(super) fn day_start(text: &str) -> Option<Ts> {
    let day = jiff::civil::DateTime::from(text.parse::<jiff::civil::Date>().ok()?);
    let start = jiff::tz::TimeZone::UTC.to_timestamp(day).ok()?;
    i64::try_from(start.as_nanosecond()).ok().map(Ts::from_nanos)
}

/// RFC 3339 made shorter for tables: `2024-02-29 13:00`, with seconds only where there are any.
pub(super) fn short_time(time: &str) -> String {
    let text = time.trim_end_matches('Z').replacen('T', " ", 1);
    match text.strip_suffix(":00") {
        Some(short) if short.len() == 16 => short.to_owned(),
        _ => text.get(..19).unwrap_or(&text).to_owned(),
    }
}

/// A whole number with commas.
pub(super) fn grouped(n: u64) -> String {
    group_digits(&n.to_string())
}

fn group_digits(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A number with so many decimals, its whole part grouped.
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if value.abs() >= 1e15 {
        return format!("{value:.3e}");
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(w, f)| (w, f));
    let is_zero = !text.bytes().any(|c| (b'1'..=b'9').contains(&c));
    let sign = if value < 0.0 && !is_zero { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", group_digits(whole))
}

/// An amount of money for reading: two decimals, more where it is below one (0.00042 of a coin is not nothing).
pub(super) fn amount(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = match magnitude {
        m if m == 0.0 || m >= 1.0 => 2,
        m if m >= 0.01 => 4,
        _ => 8,
    };
    fixed(value, decimals)
}

/// Exact decimal text as an [`amount`].
pub(super) fn money(text: &str) -> String {
    text.parse::<f64>().map_or_else(|_| text.to_owned(), amount)
}

/// A span of time in its largest fitting units: `45s`, `12m`, `3h 20m`, `5d 4h`.
pub(super) fn span(ns: i64) -> String {
    let seconds = ns / 1_000_000_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds == 0 => format!("{}ms", ns / 1_000_000),
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, m) => format!("{m}m"),
        (0, h, 0) => format!("{h}h"),
        (0, h, m) => format!("{h}h {m}m"),
        (d, 0, _) => format!("{d}d"),
        (d, h, _) => format!("{d}d {h}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_never_print_minus_zero() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        assert_eq!(fixed(-1234.567, 2), "-1,234.57");
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(fixed(999.0, 0), "999");
        assert_eq!(fixed(f64::NAN, 2), "–");
        assert_eq!(
            ["-10000.123456", "0", "-0.000421", "0.5", "x"].map(money),
            ["-10,000.12", "0.00", "-0.00042100", "0.5000", "x"]
        );
    }

    #[test]
    fn times_read_short_and_keep_seconds_where_there_are_any() {
        assert_eq!(rfc3339(Ts::from_millis(1_502_942_400_000)).as_deref(), Some("2017-08-17T04:00:00Z"));
        assert_eq!(rfc3339(Ts::NONE), None);
        assert_eq!(short_time("2017-08-17T04:00:00Z"), "2017-08-17 04:00");
        assert_eq!(short_time("2017-08-17T04:00:07Z"), "2017-08-17 04:00:07");
        assert_eq!(short_time("2017-08-17T04:00:07.123456789Z"), "2017-08-17 04:00:07");
        assert_eq!(date(Ts::from_millis(1_502_942_400_000)), "2017-08-17");
    }

    #[test]
    fn spans_print_in_their_largest_units() {
        let s = 1_000_000_000;
        assert_eq!(
            [0, 45 * s, 720 * s, 12_000 * s, 7_200 * s, 446_400 * s, DAY_NS].map(span),
            ["0ms", "45s", "12m", "3h 20m", "2h", "5d 4h", "1d"]
        );
    }
}
