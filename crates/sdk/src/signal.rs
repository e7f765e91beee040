//! Signals: a strategy's wish about direction, before anybody has decided how much.

use serde::{Deserialize, Serialize};

use crate::{Decimal, InstrumentId, Price, Tag, Trail, Ts};

/// Where a signal wants the position to be.
///
/// ```
/// use bellwether_sdk::{Direction, InstrumentId, Signal};
///
/// assert_eq!(Signal::flat(InstrumentId(0)).direction, Direction::Flat);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Own it.
    Long,
    /// Owe it; in a cash account this means [`Flat`](Self::Flat).
    Short,
    /// Neither.
    Flat,
}

/// A wish for a size that goes with a signal; the strategy's sizer decides where this is absent.
///
/// ```
/// use bellwether_sdk::{InstrumentId, Signal, SizeHint};
///
/// let signal = Signal::long(InstrumentId(0)).size(SizeHint::EquityPct(25.0));
/// assert_eq!(signal.size, Some(SizeHint::EquityPct(25.0)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum SizeHint {
    /// A quantity of base.
    Qty(Decimal),
    /// A value in quote currency.
    Notional(Decimal),
    /// Per cent of the account's equity.
    EquityPct(f64),
}

/// A wish: be long, short or flat in an instrument, with what is known about how strongly, how long and why.
///
/// ```
/// use bellwether_sdk::{InstrumentId, Signal, testing::price};
///
/// let signal = Signal::long(InstrumentId(0))
///     .entry(price("100"))
///     .stop(price("95"))
///     .target(price("110"))
///     .tag("breakout")
///     .reason("above the highest of 20 bars");
/// assert_eq!(signal.stop, Some(price("95")));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Number within its source; the engine fills it in when zero.
    pub id: u64,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Where to be.
    pub direction: Direction,
    /// How strong the wish is, from 0 to 1. A sizer may scale by it.
    pub strength: f64,
    /// How sure the source is, from 0 to 1.
    pub confidence: f64,
    /// For how long it is meant, nanoseconds; `None` until the next one.
    pub horizon_ns: Option<i64>,
    /// From when on it must not be acted on.
    pub expiry: Option<Ts>,
    /// A wish for a size.
    pub size: Option<SizeHint>,
    /// Enter by a limit order at this price instead of at market.
    pub entry: Option<Price>,
    /// Protective stop that goes with the entry.
    pub stop: Option<Price>,
    /// A trailing stop that goes with the entry, beside or instead of `stop`.
    pub trailing_stop: Option<Trail>,
    /// Take-profit prices; the first becomes the bracket's target.
    pub targets: Vec<Price>,
    /// Words for reports; the first becomes the entry tag.
    pub tags: Vec<Tag>,
    /// Why, for a person to read.
    pub reason: Tag,
    /// Who made it; the engine fills in the strategy's id when empty.
    pub source: Tag,
    /// When it was made, by its source's clock; the engine fills it in when [`Ts::NONE`].
    pub ts_made: Ts,
    /// When the engine received it.
    pub ts_received: Ts,
}

impl Signal {
    /// A plain signal of full strength.
    pub fn new(instrument: InstrumentId, direction: Direction) -> Self {
        Self {
            id: 0,
            instrument,
            direction,
            strength: 1.0,
            confidence: 1.0,
            horizon_ns: None,
            expiry: None,
            size: None,
            entry: None,
            stop: None,
            trailing_stop: None,
            targets: Vec::new(),
            tags: Vec::new(),
            reason: Tag::Borrowed(""),
            source: Tag::Borrowed(""),
            ts_made: Ts::NONE,
            ts_received: Ts::NONE,
        }
    }

    /// Be long.
    pub fn long(instrument: InstrumentId) -> Self {
        Self::new(instrument, Direction::Long)
    }

    /// Be short.
    pub fn short(instrument: InstrumentId) -> Self {
        Self::new(instrument, Direction::Short)
    }

    /// Be neither.
    pub fn flat(instrument: InstrumentId) -> Self {
        Self::new(instrument, Direction::Flat)
    }

    /// The same with a protective stop.
    #[must_use]
    pub fn stop(self, stop: Price) -> Self {
        Self { stop: Some(stop), ..self }
    }

    /// The same with a trailing stop.
    #[must_use]
    pub fn trailing(self, trail: Trail) -> Self {
        Self { trailing_stop: Some(trail), ..self }
    }

    /// The same with a take-profit price.
    #[must_use]
    pub fn target(mut self, target: Price) -> Self {
        self.targets.push(target);
        self
    }

    /// The same with a size.
    #[must_use]
    pub fn size(self, size: SizeHint) -> Self {
        Self { size: Some(size), ..self }
    }

    /// The same, to be entered by a limit order.
    #[must_use]
    pub fn entry(self, price: Price) -> Self {
        Self { entry: Some(price), ..self }
    }

    /// The same with a word for reports; the first one names the trade.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// The same with a reason for a person to read.
    #[must_use]
    pub fn reason(self, reason: impl Into<Tag>) -> Self {
        Self { reason: reason.into(), ..self }
    }
}
