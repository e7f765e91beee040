//! Fill profiles: named, versioned rules of when and at what price an order fills. What each leaves out is said here
//! and stamped into results. `docs/fill-profiles.md` has the long form.

use std::fmt;
use std::str::FromStr;

/// Named fill rules; the same list in backtest and paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Bars: what is decided at a bar's close fills at the next open.
    NextOpen,
    /// Bars: what is decided at a bar's close fills at that close.
    Close,
    /// Bars: prices walk open → high → low → close (or the nearest extreme first).
    OhlcPath,
    /// Trades: an order fills at the trades after it.
    Trade,
    /// Quotes: an order fills at the best bid and offer.
    Quote,
    /// Depth and trades: an order walks the book or queues in it.
    Book,
}

/// A text is not a fill profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a fill profile; there are next-open@1, close@1, ohlc-path@1 (bars), trade@1 (trades), quote@1 (quotes), book@1 (depth and trades)"
)]
pub struct ProfileError(pub String);

const NAMES: [(Profile, &str, &str); 6] = [
    (
        Profile::NextOpen,
        "next-open@1",
        "inside a bar only its range is known: stops fill before targets; volume is not a limit; no queue",
    ),
    (
        Profile::Close,
        "close@1",
        "a decision fills at the very price it was made on, which nobody can do for certain; volume is not a limit; no queue",
    ),
    (
        Profile::OhlcPath,
        "ohlc-path@1",
        "the order of high and low inside a bar is assumed, not known; volume is not a limit; no queue",
    ),
    (
        Profile::Trade,
        "trade@1",
        "no spread beyond the printed prices; touching a limit does not fill it; our orders move nothing",
    ),
    (Profile::Quote, "quote@1", "only the best level is seen; no queue at it; our orders move nothing"),
    (
        Profile::Book,
        "book@1",
        "the place in the queue is estimated: cancels are assumed ahead of us; our orders move nothing beyond what they take",
    ),
];

impl Profile {
    /// Its name with version.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|n| n.0 == self).map_or("", |n| n.1)
    }

    /// What it leaves out, one sentence.
    pub fn leaves_out(self) -> &'static str {
        NAMES.iter().find(|n| n.0 == self).map_or("", |n| n.2)
    }

    /// Whether it needs bars.
    pub const fn needs_bars(self) -> bool {
        matches!(self, Self::NextOpen | Self::Close | Self::OhlcPath)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = ProfileError;
    fn from_str(s: &str) -> Result<Self, ProfileError> {
        let named = |n: &&(Self, &str, &str)| n.1 == s || n.1.split_once('@').is_some_and(|(bare, _)| bare == s);
        NAMES.iter().find(named).map(|n| n.0).ok_or_else(|| ProfileError(s.to_owned()))
    }
}
