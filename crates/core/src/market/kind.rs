//! The kinds of market data, with their names in flags, folders and JSON.

use std::fmt;
use std::str::FromStr;

use bellwether_sdk::Interval;
use serde::{Deserialize, Serialize};

/// A kind of market data. Written `trades`, `quotes`, `bars-1h`, `depth`, `funding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Kind {
    /// Single trades.
    Trades,
    /// Best bid and offer.
    Quotes,
    /// Bars of an interval.
    Bars(Interval),
    /// L2 snapshots and changes.
    Depth,
    /// Funding settlements.
    Funding,
}

/// A text is not a kind of data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a kind of data; there are trades, quotes, bars-1m (any interval), depth, funding")]
pub struct KindError(pub String);

impl Kind {
    /// The interval, for bars.
    pub const fn interval(self) -> Option<Interval> {
        match self {
            Self::Bars(interval) => Some(interval),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trades => f.write_str("trades"),
            Self::Quotes => f.write_str("quotes"),
            Self::Bars(interval) => write!(f, "bars-{interval}"),
            Self::Depth => f.write_str("depth"),
            Self::Funding => f.write_str("funding"),
        }
    }
}

impl FromStr for Kind {
    type Err = KindError;
    fn from_str(s: &str) -> Result<Self, KindError> {
        match s {
            "trades" => Ok(Self::Trades),
            "quotes" => Ok(Self::Quotes),
            "depth" => Ok(Self::Depth),
            "funding" => Ok(Self::Funding),
            _ => s
                .strip_prefix("bars-")
                .and_then(|i| i.parse().ok())
                .map(Self::Bars)
                .ok_or_else(|| KindError(s.to_owned())),
        }
    }
}

impl From<Kind> for String {
    fn from(k: Kind) -> String {
        k.to_string()
    }
}

impl TryFrom<String> for Kind {
    type Error = KindError;
    fn try_from(s: String) -> Result<Self, KindError> {
        s.parse()
    }
}
