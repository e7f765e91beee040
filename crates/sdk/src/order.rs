//! Orders as a strategy asks for them and hears of them: intents, updates, fills.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Decimal, InstrumentId, Price, Qty, Rate, Side, Ts};

/// The number of an order in this session, from 1, in order of creation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(pub u64);

/// A short text that follows an order into fills, trades and reports.
pub type Tag = Cow<'static, str>;

/// How far a trailing stop follows behind the best price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trail {
    /// A fixed price distance.
    Offset(Price),
    /// A fraction of the best price.
    Fraction(Rate),
}

/// When and at what price an order may fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKind {
    /// At once, at what the market gives.
    Market,
    /// At `price` or better.
    Limit {
        /// The worst price accepted.
        price: Price,
    },
    /// Becomes a market order when the market reaches `trigger` (touch counts).
    StopMarket {
        /// The price that wakes it.
        trigger: Price,
    },
    /// Becomes a limit order at `price` when the market reaches `trigger`.
    StopLimit {
        /// The price that wakes it.
        trigger: Price,
        /// The worst price accepted after that.
        price: Price,
    },
    /// A stop-market whose trigger follows the best price seen since it rests.
    TrailingStop {
        /// The distance.
        trail: Trail,
    },
}

/// How long an order lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimeInForce {
    /// Until cancelled.
    #[default]
    Gtc,
    /// What can fill at once fills, the rest is cancelled.
    Ioc,
    /// All at once or nothing.
    Fok,
    /// Until a time, exclusive.
    Gtd(Ts),
}

/// How much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// An exact quantity.
    Qty(Qty),
    /// First `close` (what undoes an opposite position), then as much as `amount` of the quote currency buys at the
    /// fill, fees included, rounded toward zero to the lot.
    Notional {
        /// The value in quote currency.
        amount: Decimal,
        /// The quantity that comes on top, e.g. to close an opposite position first.
        close: Qty,
    },
}

/// Protective orders that come to life as the entry fills, each for the filled quantity; one cancels the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bracket {
    /// Stop-market trigger on the losing side.
    pub stop_loss: Option<Price>,
    /// Limit price on the winning side.
    pub take_profit: Option<Price>,
    /// A trailing stop; stands beside or instead of `stop_loss`.
    pub trailing_stop: Option<Trail>,
}

impl Bracket {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A sized wish: the order a strategy or its sizer wants. Risk has not seen it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// How much.
    pub size: Size,
    /// When and at what price.
    pub kind: OrderKind,
    /// How long.
    pub tif: TimeInForce,
    /// Refused rather than filled as taker.
    pub post_only: bool,
    /// May only make the position smaller; the excess is cut off.
    pub reduce_only: bool,
    /// Protection that comes with it.
    pub bracket: Bracket,
    /// Text for reports.
    pub tag: Tag,
}

impl Intent {
    /// A market order for a quantity.
    pub fn market(instrument: InstrumentId, side: Side, qty: Qty) -> Self {
        Self {
            instrument,
            side,
            size: Size::Qty(qty),
            kind: OrderKind::Market,
            tif: TimeInForce::Gtc,
            post_only: false,
            reduce_only: false,
            bracket: Bracket::default(),
            tag: Tag::Borrowed(""),
        }
    }

    /// A limit order for a quantity, good till cancelled.
    pub fn limit(instrument: InstrumentId, side: Side, qty: Qty, price: Price) -> Self {
        Self { kind: OrderKind::Limit { price }, ..Self::market(instrument, side, qty) }
    }

    /// A stop-market order for a quantity.
    pub fn stop(instrument: InstrumentId, side: Side, qty: Qty, trigger: Price) -> Self {
        Self { kind: OrderKind::StopMarket { trigger }, ..Self::market(instrument, side, qty) }
    }

    /// The same, refused rather than filled as taker.
    #[must_use]
    pub fn post_only(self) -> Self {
        Self { post_only: true, ..self }
    }

    /// The same, only to make the position smaller.
    #[must_use]
    pub fn reduce_only(self) -> Self {
        Self { reduce_only: true, ..self }
    }

    /// The same with a time in force.
    #[must_use]
    pub fn tif(self, tif: TimeInForce) -> Self {
        Self { tif, ..self }
    }

    /// The same with protection.
    #[must_use]
    pub fn bracket(self, bracket: Bracket) -> Self {
        Self { bracket, ..self }
    }

    /// The same with a text for reports.
    #[must_use]
    pub fn tag(self, tag: impl Into<Tag>) -> Self {
        Self { tag: tag.into(), ..self }
    }
}

/// Why an order came to be; becomes the exit reason of the trade it closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A signal, sized.
    Signal,
    /// An intent of the strategy itself.
    Intent,
    /// The stop of a bracket.
    StopLoss,
    /// The target of a bracket.
    TakeProfit,
    /// A trailing stop.
    TrailingStop,
    /// The venue closed the position.
    Liquidation,
    /// `--close-at-end`.
    EndOfData,
    /// The risk guard closes a position.
    Guard,
}

impl Role {
    /// Its name in JSON and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Intent => "intent",
            Self::StopLoss => "stop_loss",
            Self::TakeProfit => "take_profit",
            Self::TrailingStop => "trailing_stop",
            Self::Liquidation => "liquidation",
            Self::EndOfData => "end_of_data",
            Self::Guard => "guard",
        }
    }

    /// Whether such orders only close what is open.
    pub const fn is_protective(self) -> bool {
        !matches!(self, Self::Signal | Self::Intent)
    }
}

/// Where an order is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Approved and on its way to the venue.
    Sent,
    /// Resting at the venue.
    Acknowledged,
    /// Some of it filled, the rest alive.
    PartlyFilled,
    /// All of it filled.
    Filled,
    /// Ended by a cancel, some of it may have filled.
    Cancelled,
    /// Refused by risk or the venue.
    Rejected,
    /// Ended by its time in force, some of it may have filled.
    Expired,
    /// Sent, and nobody knows what became of it: the venue is being asked. It may still fill.
    Unknown,
}

impl OrderState {
    /// Whether the order may still fill.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Sent | Self::Acknowledged | Self::PartlyFilled | Self::Unknown)
    }

    /// Its name in JSON and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::PartlyFilled => "partly_filled",
            Self::Filled => "filled",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether a fill gave or took liquidity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Liquidity {
    /// It rested and was hit.
    Maker,
    /// It crossed the spread.
    Taker,
}

/// One execution of one of this strategy's orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// The order.
    pub order: OrderId,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Engine time at which the fill was known.
    pub ts: Ts,
    /// Buy or sell.
    pub side: Side,
    /// The price.
    pub price: Price,
    /// The quantity of this execution, above zero.
    pub qty: Qty,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// Why the order came to be.
    pub role: Role,
}

/// An order of this strategy changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderUpdate {
    /// The order.
    pub order: OrderId,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Engine time of the change.
    pub ts: Ts,
    /// The new state.
    pub state: OrderState,
    /// Why, for rejections and cancellations; one of a closed list of snake_case words, empty otherwise.
    pub reason: &'static str,
}
