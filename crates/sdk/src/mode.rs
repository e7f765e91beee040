//! Which sides of the market a directional strategy trades.

use crate::{AccountKind, Choice, InstrumentId, Signal};

/// Which sides to trade: the `mode` parameter of the shipped strategies, written `long-short` or `long-only`.
///
/// ```
/// use bellwether_sdk::{AccountKind, Direction, InstrumentId, Mode};
///
/// assert_eq!(Mode::LongOnly.account(), AccountKind::Cash);
/// assert_eq!(Mode::LongOnly.short_or_flat(InstrumentId(0)).direction, Direction::Flat);
/// assert_eq!(Mode::LongShort.short_or_flat(InstrumentId(0)).direction, Direction::Short);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Choice)]
pub enum Mode {
    /// Long and short, on a margin account.
    LongShort,
    /// Long or nothing, on a cash account.
    LongOnly,
}

impl Mode {
    /// The account it takes.
    pub const fn account(self) -> AccountKind {
        match self {
            Self::LongShort => AccountKind::Margin,
            Self::LongOnly => AccountKind::Cash,
        }
    }

    /// What to wish for when the price should fall: short, or flat where only long is traded.
    pub fn short_or_flat(self, instrument: InstrumentId) -> Signal {
        match self {
            Self::LongShort => Signal::short(instrument),
            Self::LongOnly => Signal::flat(instrument),
        }
    }
}
