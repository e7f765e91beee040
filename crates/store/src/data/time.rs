//! Times of foreign files and UTC months. The calendar is jiff's; nothing here reads a clock.

use std::fmt;

use bellwether_sdk::Ts;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// 1980-01-01, the earliest time believed, UTC nanoseconds.
pub(crate) const EARLIEST: i64 = 315_532_800_000_000_000;
/// 2100-01-01, the first time no longer believed, UTC nanoseconds.
pub(crate) const LATEST: i64 = 4_102_444_800_000_000_000;

/// The unit of integer times in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Seconds since 1970.
    S,
    /// Milliseconds since 1970.
    Ms,
    /// Microseconds since 1970.
    Us,
    /// Nanoseconds since 1970.
    Ns,
}

impl TimeUnit {
    /// All of them, coarse to fine.
    pub const ALL: [Self; 4] = [Self::S, Self::Ms, Self::Us, Self::Ns];

    /// Nanoseconds in one.
    pub const fn nanos(self) -> i64 {
        match self {
            Self::S => 1_000_000_000,
            Self::Ms => 1_000_000,
            Self::Us => 1_000,
            Self::Ns => 1,
        }
    }

    /// Its name, as on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::Ms => "ms",
            Self::Us => "us",
            Self::Ns => "ns",
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Self::S => "seconds",
            Self::Ms => "milliseconds",
            Self::Us => "microseconds",
            Self::Ns => "nanoseconds",
        }
    }

    /// The unit in which `value` lies in 1980..2100; at most one does.
    pub(crate) fn guess(value: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|u| u.to_ns(value).is_some())
    }

    /// Nanoseconds since 1970, `None` outside 1980..2100.
    pub(crate) fn to_ns(self, value: i64) -> Option<i64> {
        value.checked_mul(self.nanos()).filter(|ns| (EARLIEST..LATEST).contains(ns))
    }

    /// Nanoseconds since 1970, or what was found and what to do.
    pub(crate) fn checked(self, value: i64) -> Result<i64, (String, String)> {
        self.to_ns(value).ok_or_else(|| match Self::guess(value) {
            Some(other) => (
                format!("{value} is outside 1980..2100 in {}: it looks like {}", self.plural(), other.plural()),
                format!("pass --time-unit {}", other.name()),
            ),
            None => (
                format!("{value} is outside 1980..2100 in every unit"),
                "correct the time, or map the right column with --columns ts=NAME".to_owned(),
            ),
        })
    }
}

impl std::str::FromStr for TimeUnit {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|u| u.name() == s)
            .ok_or_else(|| format!("{s:?} is not a unit of time; there are s, ms, us, ns"))
    }
}

/// Reads a date or a date and time (`2024-01-31`, `2024-01-31 12:00:00`, RFC 3339, also `20240131`, `2024.01.31 12:00`
/// and `2024/01/31`); UTC unless it has an offset.
pub fn parse_date(text: &str) -> Option<Ts> {
    let text = text.trim();
    iso_date(text).or_else(|| {
        let (day, clock) = text.split_at(text.find([' ', 'T']).unwrap_or(text.len()));
        iso_date(&format!("{}{}", hyphened(day)?, with_colons(clock)))
    })
}

/// Reads a date alone, the year first.
pub(crate) fn parse_day(text: &str) -> Option<Ts> {
    iso_date(&hyphened(text.trim())?)
}

fn iso_date(text: &str) -> Option<Ts> {
    let timestamp = text.parse::<Timestamp>().ok().or_else(|| {
        let text = text.strip_suffix(" UTC").unwrap_or(text);
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        Some(civil.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp())
    })?;
    i64::try_from(timestamp.as_nanosecond()).ok().map(Ts::from_nanos)
}

/// `20240131`, `2024.01.31` and `2024/01/31` as `2024-01-31`.
fn hyphened(day: &str) -> Option<String> {
    let digits = |from: usize, to: usize| day.get(from..to).filter(|part| part.bytes().all(|c| c.is_ascii_digit()));
    let parts = match day.len() {
        8 => [digits(0, 4)?, digits(4, 6)?, digits(6, 8)?],
        10 if matches!((&day.as_bytes()[4], &day.as_bytes()[7]), (b'.', b'.') | (b'/', b'/') | (b'-', b'-')) => {
            [digits(0, 4)?, digits(5, 7)?, digits(8, 10)?]
        }
        _ => return None,
    };
    Some(parts.join("-"))
}

/// ` 1305` and ` 130500` with colons; anything else as it is.
fn with_colons(clock: &str) -> String {
    let digits = clock.trim_start();
    match (digits.bytes().all(|c| c.is_ascii_digit()), digits.len()) {
        (true, 4) => format!(" {}:{}", &digits[..2], &digits[2..]),
        (true, 6) => format!(" {}:{}:{}", &digits[..2], &digits[2..4], &digits[4..]),
        _ => clock.to_owned(),
    }
}

/// Whether a text begins with a date whose year stands last: then day and month cannot be told apart.
pub(crate) fn day_first(text: &str) -> bool {
    let day = text.trim().split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<&str> = day.split(['/', '.', '-']).collect();
    let number = |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|c| c.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(number) && parts[0].len() < 3
}

/// A time as RFC 3339 in UTC; the ends of time are named.
pub(crate) fn iso(ns: i64) -> String {
    match ns {
        // The lowest number itself means "no time".
        i64::MIN..=-0x7fff_ffff_ffff_ffff => "the beginning".to_owned(),
        i64::MAX => "the end".to_owned(),
        _ => Timestamp::from_nanosecond(i128::from(ns)).map_or_else(|_| format!("{ns} ns"), |t| t.to_string()),
    }
}

/// A UTC month: months since year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Month(i32);

impl Month {
    /// The month that holds a time.
    pub(crate) fn of(ns: i64) -> Self {
        let date = Timestamp::from_nanosecond(i128::from(ns)).unwrap_or_default().to_zoned_datetime(TimeZone::UTC);
        Self(i32::from(date.year()) * 12 + i32::from(date.month()) - 1)
    }

    /// Just after its last nanosecond; saturates.
    pub(crate) fn end(self) -> i64 {
        Self(self.0 + 1).start()
    }

    /// Its first nanosecond; saturates.
    pub(crate) fn start(self) -> i64 {
        let (year, month) = (self.0.div_euclid(12), self.0.rem_euclid(12) + 1);
        let civil = jiff::civil::Date::new(year as i16, month as i8, 1).ok();
        let zoned = civil.and_then(|d| d.to_zoned_datetime(TimeZone::UTC).ok());
        let ns = zoned.map_or(i128::from(i64::MAX), |z| z.timestamp().as_nanosecond());
        i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

impl std::str::FromStr for Month {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        let (year, month) = s.split_once('-').ok_or(())?;
        let (year, month): (i32, i32) = (year.parse().map_err(|_| ())?, month.parse().map_err(|_| ())?);
        if (1..=12).contains(&month) { Ok(Self(year * 12 + month - 1)) } else { Err(()) }
    }
}

/// A point in time in JSON: nanoseconds as text, RFC 3339 beside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Stamp {
    /// UTC nanoseconds since 1970, as text.
    pub ns: String,
    /// The same as RFC 3339.
    pub utc: String,
}

impl From<Ts> for Stamp {
    fn from(ts: Ts) -> Self {
        Self { ns: ts.nanos().to_string(), utc: iso(ts.nanos()) }
    }
}

/// Serde of an `i64` as text: JSON numbers lose digits past 2^53.
pub(crate) mod ns_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(value: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_the_wrong_unit_is_named_with_the_right_one() {
        assert_eq!(TimeUnit::Ms.checked(1_502_942_400_000), Ok(1_502_942_400_000_000_000));
        let (found, remedy) = TimeUnit::Ms.checked(1_502_942_400).expect_err("seconds are no milliseconds");
        assert!(found.contains("looks like seconds"), "{found}");
        assert_eq!(remedy, "pass --time-unit s");
        assert_eq!(TimeUnit::guess(1_735_689_600_000_000), Some(TimeUnit::Us));
        assert_eq!(TimeUnit::guess(7), None);
    }

    #[test]
    fn months_begin_and_end_in_utc() {
        let ts = parse_date("2024-02-29T23:59:59.999999999Z").expect("a date").nanos();
        let month = Month::of(ts);
        assert_eq!(month.to_string(), "2024-02");
        assert_eq!(month.end(), ts + 1);
        assert_eq!(iso(month.start()), "2024-02-01T00:00:00Z");
        assert_eq!("2024-02".parse(), Ok(month));
        assert_eq!(Month::of(ts + 1).to_string(), "2024-03");
    }

    #[test]
    fn dates_are_utc_unless_they_say_otherwise() {
        let day = Ts::from_millis(1_706_659_200_000);
        for text in [
            "2024-01-31",
            "2024-01-31 00:00:00",
            "2024-01-31T00:00:00Z",
            "2024-01-31T01:00:00+01:00",
            "2024-01-31 00:00:00+00:00",
            "20240131",
            "20240131 000000",
            "2024.01.31",
            "2024.01.31 00:00",
            "2024/01/31 00:00:00",
        ] {
            assert_eq!(parse_date(text), Some(day), "{text}");
        }
        for text in ["31.01.2024", "01/02/2024 12:00", "1-2-24"] {
            assert_eq!(parse_date(text), None, "{text}");
            assert!(day_first(text), "{text}");
        }
        assert_eq!((parse_date("20241331"), day_first("2024-13-31")), (None, false));
    }
}
