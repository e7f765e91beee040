//! Market events: what happened in the market, normalised, in exact numbers.
//!
//! Every `ts` is the engine's time (`ts_received` of the feed, or for archives the venue's time plus the declared
//! latency); `ts_venue` is the venue's own clock and is never used to order. All are UTC nanoseconds.

use serde::{Deserialize, Serialize};

use crate::{InstrumentId, Interval, Price, Qty, Rate, Ts};

/// Buy or sell.
///
/// ```
/// use bellwether_sdk::Side;
///
/// assert_eq!((Side::Buy.sign(), Side::Sell.sign()), (1, -1));
/// assert_eq!(Side::Buy.opposite(), Side::Sell);
/// ```
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
///
/// ```
/// use bellwether_sdk::{Aggressor, Context, Strategy, Trade};
///
/// struct CountsBuyers(u32);
///
/// impl Strategy for CountsBuyers {
///     fn on_trade(&mut self, _: &mut Context<'_>, trade: &Trade) {
///         self.0 += u32::from(trade.aggressor == Aggressor::Buyer); // who rested sold
///     }
/// }
/// ```
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
///
/// ```
/// use bellwether_sdk::testing::{price, qty};
/// use bellwether_sdk::{Aggressor, InstrumentId, Trade, Ts};
///
/// let ts = Ts::from_millis(5);
/// let (price, qty, instrument) = (price("100.5"), qty("0.25"), InstrumentId(0));
/// let trade = Trade { ts, ts_venue: ts, price, qty, instrument, aggressor: Aggressor::Buyer };
/// assert_eq!(trade.price.to_f64(6) * trade.qty.to_f64(6), 25.125); // of an instrument with six digits
/// ```
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
///
/// ```
/// use bellwether_sdk::Quote;
/// use bellwether_sdk::testing::price;
///
/// let quote = Quote { bid: price("99"), ask: price("101"), ..Quote::default() };
/// assert_eq!(quote.mid(), price("100"));
/// ```
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
///
/// ```
/// use bellwether_sdk::Interval;
/// use bellwether_sdk::testing::{bars, price};
///
/// let hours = bars("100 101", Interval::HOUR);
/// assert_eq!(hours[1].close, price("101"));
/// assert_eq!(hours[1].ts_close, hours[1].ts_open.plus(Interval::HOUR.nanos()));
/// ```
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
///
/// ```
/// use bellwether_sdk::{Decimal, Funding, InstrumentId, Rate, Ts, testing::price};
///
/// // Whoever is long pays a hundredth of a per cent of the position's value at the mark price.
/// let rate = Rate::from_pct(Decimal::new(1, 2))?;
/// let funding = Funding { ts: Ts::from_millis(5), rate, mark: price("100"), instrument: InstrumentId(0) };
/// assert_eq!(funding.rate.to_text(), "0.0001");
/// # Ok::<(), bellwether_sdk::NumError>(())
/// ```
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
///
/// ```
/// use bellwether_sdk::{Level, Side};
/// use bellwether_sdk::testing::{price, qty};
///
/// let gone = Level { side: Side::Buy, price: price("99"), qty: qty("0") };
/// assert!(gone.qty.is_zero()); // nothing is left at this price
/// ```
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
///
/// ```
/// use bellwether_sdk::{Depth, InstrumentId, Level, Side, Ts};
/// use bellwether_sdk::testing::{price, qty};
///
/// let levels = [Level { side: Side::Sell, price: price("101"), qty: qty("2") }];
/// let ts = Ts::from_millis(1);
/// let (first_id, last_id, prev_id) = (8, 9, 7); // the venue's numbers: it goes on from 7
/// let instrument = InstrumentId(0);
/// let depth = Depth { ts, ts_venue: ts, snapshot: false, first_id, last_id, prev_id, levels: &levels, instrument };
/// assert_eq!(depth.levels.len(), 1);
/// ```
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
