//! Oddities of data: what is counted, and how it is told. `scan` counts.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time::Stamp;

/// A kind of oddity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Oddity {
    /// Rows of the source stood earlier than the row before them; they are stored in order of time.
    Disorder,
    /// Rows that equal another one: exact repeats of bars, funding and trades with ids are stored once, others as often as they came.
    Duplicates,
    /// Bars missing between two bars, trades between two ids, a funding between two.
    Gaps,
    /// Bars whose open time is no multiple of their interval since 1970 UTC.
    OffGrid,
    /// Bars that open before the one before them is over.
    Overlaps,
    /// Bars whose high is below, or low above, another of their prices.
    Ohlc,
    /// Runs of bars of one price without volume.
    FlatZeroVolume,
    /// Quotes whose bid is above their offer; of depth, messages after which the book is so.
    Crossed,
    /// Depth messages that do not continue the one before.
    Sequence,
    /// Depth snapshots that no stored message continues.
    SnapshotSync,
    /// Trades that share their time with the one before, where times have no more than milliseconds.
    EqualTimes,
    /// Rows that were received before the venue stamped them, where that is so of most: one of the clocks is wrong.
    ReceiverBehind,
    /// Stored rows that are not those that were written.
    RowHash,
    /// Bars made of another stored series that has changed since; runs do not take them.
    Outdated,
}

impl Oddity {
    /// Its name in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disorder => "rows out of order",
            Self::Duplicates => "duplicate rows",
            Self::Gaps => "gaps",
            Self::OffGrid => "off-grid open times",
            Self::Overlaps => "overlapping bars",
            Self::Ohlc => "OHLC violations",
            Self::FlatZeroVolume => "flat zero-volume bars",
            Self::Crossed => "crossed quotes",
            Self::EqualTimes => "trades of equal times",
            Self::ReceiverBehind => "rows received before the venue's time",
            Self::Sequence => "broken depth sequences",
            Self::SnapshotSync => "snapshots without a continuation",
            Self::RowHash => "row hash mismatches",
            Self::Outdated => "made of data that has changed since",
        }
    }

    /// Whether it is one of two neighbours, which may be rows of different files.
    pub(super) const fn lies_between(self) -> bool {
        matches!(self, Self::Gaps | Self::Overlaps | Self::Duplicates | Self::Sequence)
    }

    /// Whether strict import refuses it. Quiet minutes, coarse times and a clock that is off are no faults of the rows.
    pub const fn refused_when_strict(self) -> bool {
        !matches!(self, Self::FlatZeroVolume | Self::EqualTimes | Self::ReceiverBehind)
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An oddity of a series or a source, how often, and where first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What.
    pub kind: Oddity,
    /// How many: rows, gaps, messages.
    pub count: u64,
    /// The time of the first one.
    pub first: Option<Stamp>,
    /// Where in the source the first one is, `file:line`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Of gaps: how many rows are missing in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<u64>,
    /// What else there is to say, in words.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.count)?;
        if let Some(first) = &self.first {
            write!(f, ", first at {}", first.utc)?;
        }
        if let Some(place) = &self.place {
            write!(f, " ({place})")?;
        }
        if !self.detail.is_empty() {
            write!(f, "; {}", self.detail)?;
        }
        Ok(())
    }
}
