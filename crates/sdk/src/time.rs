//! Time as the engine knows it: UTC nanoseconds since 1970, and intervals of bars. No clock is read here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A point in time: UTC nanoseconds since 1970-01-01. Fields say whose clock they come from.
///
/// ```
/// use bellwether_sdk::{Interval, Ts};
///
/// let ts = Ts::from_millis(90_500);
/// assert_eq!(ts.nanos(), 90_500_000_000);
/// assert_eq!(ts.floor_to(Interval::MINUTE), Ts::from_millis(60_000));
/// assert_eq!(ts.plus(1), Ts::from_nanos(90_500_000_001));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ts(i64);

impl Ts {
    /// The earliest time there is; also "not known" in [`Trade::ts_venue`](crate::Trade::ts_venue) and its like.
    pub const NONE: Self = Self(i64::MIN);
    /// The latest time there is.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since 1970.
    #[inline]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds since 1970; saturates at the ends of time.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since 1970.
    #[inline]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// This time and `nanos` more; saturates at the ends of time.
    #[inline]
    #[must_use]
    pub const fn plus(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// The start of the interval that holds this time, intervals counted from 1970 (weeks from Monday 1970-01-05).
    #[inline]
    #[must_use]
    pub const fn floor_to(self, interval: Interval) -> Self {
        let offset = interval.anchor();
        Self((self.0 - offset).div_euclid(interval.0) * interval.0 + offset)
    }
}

/// The length of a bar in nanoseconds, above zero. Reads and prints as `15s`, `1m`, `4h`, `1d`, `1w`.
///
/// ```
/// use bellwether_sdk::Interval;
///
/// let quarter: Interval = "15m".parse()?;
/// assert_eq!(quarter.nanos(), 15 * Interval::MINUTE.nanos());
/// assert!(Interval::HOUR.is_multiple_of(quarter));
/// assert_eq!(Interval::from_nanos(0), None);
/// # Ok::<(), bellwether_sdk::IntervalError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Interval(i64);

const UNITS: [(&str, i64); 6] = [
    ("w", 604_800_000_000_000),
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// A text is not an interval.
///
/// ```
/// use bellwether_sdk::Interval;
///
/// let wrong = "15 parsecs".parse::<Interval>().unwrap_err();
/// assert!(wrong.to_string().contains("15 parsecs"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an interval; write a whole number and a unit, as in 15s, 1m, 4h, 1d, 1w")]
pub struct IntervalError(pub String);

impl Interval {
    /// One minute.
    pub const MINUTE: Self = Self(60_000_000_000);
    /// One hour.
    pub const HOUR: Self = Self(3_600_000_000_000);
    /// One day of 24 hours.
    pub const DAY: Self = Self(86_400_000_000_000);

    /// An interval of `nanos`, `None` unless above zero.
    pub const fn from_nanos(nanos: i64) -> Option<Self> {
        if nanos > 0 { Some(Self(nanos)) } else { None }
    }

    /// The length in nanoseconds.
    #[inline]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whether whole bars of `finer` make up one of this.
    pub const fn is_multiple_of(self, finer: Self) -> bool {
        self.0 % finer.0 == 0
    }

    const fn anchor(self) -> i64 {
        // 1970-01-01 was a Thursday; weeks begin on Monday.
        if self.0 % 604_800_000_000_000 == 0 { 4 * 86_400_000_000_000 } else { 0 }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, nanos) in UNITS {
            if self.0 % nanos == 0 {
                return write!(f, "{}{unit}", self.0 / nanos);
            }
        }
        write!(f, "{}ns", self.0)
    }
}

impl FromStr for Interval {
    type Err = IntervalError;
    fn from_str(s: &str) -> Result<Self, IntervalError> {
        let wrong = || IntervalError(s.to_owned());
        let digits = s.bytes().take_while(u8::is_ascii_digit).count();
        let count: i64 = s[..digits].parse().map_err(|_| wrong())?;
        let unit = match &s[digits..] {
            "ns" => 1,
            "min" => UNITS[3].1,
            unit => UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1,
        };
        count.checked_mul(unit).and_then(Self::from_nanos).ok_or_else(wrong)
    }
}

impl From<Interval> for String {
    fn from(i: Interval) -> String {
        i.to_string()
    }
}

impl TryFrom<String> for Interval {
    type Error = IntervalError;
    fn try_from(s: String) -> Result<Self, IntervalError> {
        s.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_read_as_they_print() {
        for text in ["1ms", "15s", "1m", "90m", "4h", "1d", "2w"] {
            assert_eq!(text.parse::<Interval>().expect("an interval").to_string(), text);
        }
        for text in ["", "m", "0m", "-1m", "1x", "1.5h", "99999999999999w"] {
            assert!(text.parse::<Interval>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_fall_to_the_start_of_their_interval() {
        let week: Interval = "1w".parse().expect("an interval");
        let wednesday = Ts::from_millis(1_700_000_000_000);
        assert_eq!(wednesday.floor_to(week), Ts::from_millis(1_699_833_600_000));
        assert_eq!(Ts::from_nanos(-1).floor_to(Interval::DAY), Ts::from_nanos(-86_400_000_000_000));
    }
}
