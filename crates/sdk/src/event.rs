//! Market events: what happened in the market, normalised, in exact numbers.
//!
//! Every `ts` is the engine's time (`ts_received` of the feed, or for archives the venue's time plus the declared
//! latency); `ts_venue` is the venue's own clock and is never used to order. All are UTC nanoseconds.

use serde::{Deserialize, Serialize};

use crate::{InstrumentId, Interval, Price, Qty, Rate, Ts};

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// To own more.
    Buy,
    /// To own less.
    Sell,
}

impl Side {
    /// `1` to buy, `-1` to sell.
    #[inline]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }

    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }
}

/// Who crossed the spread in a trade.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Aggressor {
    /// The source does not say.
    #[default]
    Unknown,
    /// A buyer took an offer.
    Buyer,
    /// A seller took a bid.
    Seller,
}

/// One trade of the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// Engine time.
    pub ts: Ts,
    /// The venue's time, [`Ts::NONE`] where unknown.
    pub ts_venue: Ts,
    /// Price, above zero.
    pub price: Price,
    /// Quantity, zero or more.
    pub qty: Qty,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Who crossed the spread.
    pub aggressor: Aggressor,
}

/// The best bid and offer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Engine time.
    pub ts: Ts,
    /// The venue's time, [`Ts::NONE`] where unknown.
    pub ts_venue: Ts,
    /// Best bid; zero when that side is absent.
    pub bid: Price,
    /// Quantity at the bid; zero when unknown.
    pub bid_qty: Qty,
    /// Best offer; zero when that side is absent.
    pub ask: Price,
    /// Quantity at the offer; zero when unknown.
    pub ask_qty: Qty,
    /// Whose instrument.
    pub instrument: InstrumentId,
}

impl Quote {
    /// The middle of bid and offer, toward the bid; its only side, or zero when it has none.
    #[inline]
    pub const fn mid(&self) -> Price {
        match (self.bid.mantissa(), self.ask.mantissa()) {
            (0, one) | (one, 0) => Price::from_mantissa(one),
            (bid, ask) => Price::from_mantissa(bid + (ask - bid) / 2),
        }
    }
}

/// A complete bar: what traded in `[ts_open, ts_close)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// When it opens.
    pub ts_open: Ts,
    /// When it is complete: `ts_open` + interval, or earlier if the next bar of the series opens before.
    pub ts_close: Ts,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Quantity traded.
    pub volume: Qty,
    /// Its length.
    pub interval: Interval,
    /// Whose instrument.
    pub instrument: InstrumentId,
}

/// A funding settlement of a perpetual contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funding {
    /// Engine time of the settlement.
    pub ts: Ts,
    /// Fraction of the position's value that longs pay to shorts (negative: shorts to longs).
    pub rate: Rate,
    /// The mark price used; zero when unknown (the last price stands in).
    pub mark: Price,
    /// Whose instrument.
    pub instrument: InstrumentId,
}

/// One price level of a book, or its change: the new total quantity there, zero to delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Which side of the book.
    pub side: Side,
    /// The level's price.
    pub price: Price,
    /// The new quantity, absolute.
    pub qty: Qty,
}

/// One message of a depth feed: a snapshot, or changes since the message before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Depth<'a> {
    /// Engine time.
    pub ts: Ts,
    /// The venue's time, [`Ts::NONE`] where unknown.
    pub ts_venue: Ts,
    /// Whether this replaces the whole book.
    pub snapshot: bool,
    /// The venue's id of the first change in it; zero when the venue has none.
    pub first_id: i64,
    /// The venue's id of the last change in it (a snapshot: the last change it contains); zero for none.
    pub last_id: i64,
    /// The `last_id` of the message before; zero when the venue does not say.
    pub prev_id: i64,
    /// The changes.
    pub levels: &'a [Level],
    /// Whose instrument.
    pub instrument: InstrumentId,
}
