//! Orders as a strategy asks for them and hears of them: intents, updates, fills.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Decimal, InstrumentId, Price, Qty, Rate, Side, Ts};

/// The number of an order in this session, from 1, in order of creation.
///
/// ```
/// use bellwether_sdk::testing::Desk;
/// use bellwether_sdk::{Bar, Context, Intent, OrderId, Side, Strategy, testing::qty};
///
/// struct Buys(Option<OrderId>);
///
/// impl Strategy for Buys {
///     fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
///         self.0 = Some(ctx.place(Intent::market(bar.instrument, Side::Buy, qty("1"))));
///     }
/// }
///
/// assert_eq!(Desk::new(Buys(None)).bars("100").intents().len(), 1);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(pub u64);

/// A short text that follows an order into fills, trades and reports.
///
/// ```
/// use bellwether_sdk::Tag;
///
/// let fixed: Tag = "breakout".into(); // costs nothing
/// let made: Tag = format!("breakout of {}", 20).into();
/// assert_eq!(made, "breakout of 20");
/// # assert_eq!(fixed, "breakout");
/// ```
pub type Tag = Cow<'static, str>;

/// How far a trailing stop follows behind the best price.
///
/// ```
/// use bellwether_sdk::{Decimal, Rate, Trail, testing::price};
///
/// let by_distance = Trail::Offset(price("2.5"));
/// let by_fraction = Trail::Fraction(Rate::from_pct(Decimal::new(2, 0))?); // two per cent below the best price
/// assert_ne!(by_distance, by_fraction);
/// # Ok::<(), bellwether_sdk::NumError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trail {
    /// A fixed price distance.
    Offset(Price),
    /// A fraction of the best price.
    Fraction(Rate),
}

/// When and at what price an order may fill.
///
/// ```
/// use bellwether_sdk::{InstrumentId, Intent, OrderKind, Side, testing::{price, qty}};
///
/// let intent = Intent::limit(InstrumentId(0), Side::Buy, qty("1"), price("99"));
/// assert_eq!(intent.kind, OrderKind::Limit { price: price("99") });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

impl OrderKind {
    /// The worst price accepted; `None` of an order that takes what the market gives.
    pub const fn limit(self) -> Option<Price> {
        match self {
            Self::Limit { price } | Self::StopLimit { price, .. } => Some(price),
            Self::Market | Self::StopMarket { .. } | Self::TrailingStop { .. } => None,
        }
    }
}

/// How long an order lives.
///
/// ```
/// use bellwether_sdk::{InstrumentId, Intent, Side, TimeInForce, testing::{price, qty}};
///
/// // What does not fill at once is cancelled.
/// let intent = Intent::limit(InstrumentId(0), Side::Buy, qty("1"), price("99")).tif(TimeInForce::Ioc);
/// assert_eq!(intent.tif, TimeInForce::Ioc);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
///
/// ```
/// use bellwether_sdk::{InstrumentId, Intent, Side, Size, testing::qty};
///
/// assert_eq!(Intent::market(InstrumentId(0), Side::Sell, qty("0.5")).size, Size::Qty(qty("0.5")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
///
/// ```
/// use bellwether_sdk::{Bracket, InstrumentId, Intent, Side, testing::{price, qty}};
///
/// let bracket = Bracket { stop_loss: Some(price("95")), take_profit: Some(price("110")), ..Bracket::default() };
/// let intent = Intent::market(InstrumentId(0), Side::Buy, qty("1")).bracket(bracket);
/// assert!(!intent.bracket.is_empty());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
///
/// ```
/// use bellwether_sdk::{InstrumentId, Intent, Side, testing::{price, qty}};
///
/// let id = InstrumentId(0);
/// let rests = Intent::limit(id, Side::Buy, qty("1"), price("99")).post_only().tag("dip");
/// let ends = Intent::stop(id, Side::Sell, qty("1"), price("95")).reduce_only();
/// assert!(rests.post_only && ends.reduce_only);
/// ```
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
///
/// ```
/// use bellwether_sdk::Role;
///
/// assert!(Role::StopLoss.is_protective() && !Role::Signal.is_protective());
/// assert_eq!(Role::StopLoss.name(), "stop_loss");
/// ```
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
///
/// ```
/// use bellwether_sdk::OrderState;
///
/// assert!(OrderState::PartlyFilled.is_open() && !OrderState::Expired.is_open());
/// assert!(OrderState::Unknown.is_open()); // until the venue is asked, it may stand there
/// assert_eq!(OrderState::PartlyFilled.name(), "partly_filled");
/// ```
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
///
/// ```
/// use bellwether_sdk::{Bar, Context, Fill, Liquidity, Strategy};
///
/// struct CountsMakers(u32);
///
/// impl Strategy for CountsMakers {
///     fn on_fill(&mut self, _: &mut Context<'_>, fill: &Fill) {
///         self.0 += u32::from(fill.liquidity == Liquidity::Maker);
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Liquidity {
    /// It rested and was hit.
    Maker,
    /// It crossed the spread.
    Taker,
}

/// One execution of one of this strategy's orders.
///
/// ```
/// use bellwether_sdk::testing::{Desk, qty};
/// use bellwether_sdk::{Bar, Context, Fill, Intent, OrderId, Side, Strategy};
///
/// struct Buys(u32);
///
/// impl Strategy for Buys {
///     fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
///         ctx.place(Intent::market(bar.instrument, Side::Buy, qty("1")));
///     }
///     fn on_fill(&mut self, _: &mut Context<'_>, fill: &Fill) {
///         assert_eq!((fill.side, fill.qty), (Side::Buy, qty("1")));
///         self.0 += 1;
///     }
/// }
///
/// let mut desk = Desk::new(Buys(0)).bars("100");
/// desk.fill(OrderId(1));
/// assert_eq!(desk.strategy.0, 1);
/// ```
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
///
/// ```
/// use bellwether_sdk::{Context, OrderState, OrderUpdate, Strategy};
///
/// struct Counts(u32);
///
/// impl Strategy for Counts {
///     fn on_order(&mut self, _: &mut Context<'_>, update: &OrderUpdate) {
///         self.0 += u32::from(update.state == OrderState::Rejected); // `update.reason` says why
///     }
/// }
/// ```
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
