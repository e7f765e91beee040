//! What a strategy sees: the market, its own part of the account, and books.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Instrument, InstrumentId, Money, OrderId, OrderState, Price, Qty, Quote, Side, Tag, Ts};

/// What a strategy can see of one instrument.
///
/// ```
/// use bellwether_sdk::{InstrumentView, Quote, testing::{instrument, price}};
///
/// let seen = InstrumentView { instrument: instrument(0, "test:AAA/USD"), last: price("100"), quote: Quote::default() };
/// assert!(seen.quote.bid.is_zero()); // no quote came yet
/// ```
#[derive(Debug, Clone)]
pub struct InstrumentView {
    /// Name, scales and rules.
    pub instrument: Instrument,
    /// The last price seen (trade, bar close, or mid of the quote); zero before the first.
    pub last: Price,
    /// The last quote seen; zero prices before the first.
    pub quote: Quote,
}

/// A strategy's own part of the account in one instrument: the sum of its fills.
///
/// ```
/// use bellwether_sdk::{PositionView, testing::{price, qty}};
///
/// let long = PositionView { qty: qty("2"), entry: price("100") };
/// assert!(long.qty.mantissa() > 0); // below zero it is short
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionView {
    /// Signed: below zero is short.
    pub qty: Qty,
    /// The average entry price, for display; zero when flat.
    pub entry: Price,
}

/// One of a strategy's open orders.
///
/// ```
/// use bellwether_sdk::testing::{Desk, price, qty};
/// use bellwether_sdk::{Bar, Context, Intent, Side, Strategy};
///
/// struct OneAtATime;
///
/// impl Strategy for OneAtATime {
///     fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
///         match ctx.open_orders() {
///             [] => drop(ctx.place(Intent::limit(bar.instrument, Side::Buy, qty("1"), price("90")))),
///             [rests, ..] => ctx.cancel(rests.id),
///         }
///     }
/// }
///
/// assert_eq!(Desk::new(OneAtATime).bars("100 101").actions().len(), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenOrder {
    /// Its number.
    pub id: OrderId,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Where it is in its life.
    pub state: OrderState,
    /// Its limit price or trigger; zero for market orders.
    pub price: Price,
    /// What has not filled yet; zero for notional orders before their fill.
    pub qty_left: Qty,
}

/// What all strategies see of the market and the account.
///
/// ```
/// use bellwether_sdk::{Money, View};
///
/// let view = View { equity: Money::from_mantissa(1_000_00), equity_scale: 2, ..View::default() };
/// assert_eq!(view.equity.to_text(view.equity_scale), "1000");
/// ```
#[derive(Debug, Clone, Default)]
pub struct View {
    /// By [`InstrumentId`].
    pub instruments: Vec<InstrumentView>,
    /// The account's equity in the reporting currency.
    pub equity: Money,
    /// The scale of `equity`.
    pub equity_scale: u8,
    /// What is known from outside the market.
    pub features: Features,
}

/// A number from outside the market, such as a grade or a count on a chain.
///
/// ```
/// use bellwether_sdk::{Feature, Ts};
///
/// let grade = Feature { value: 0.8, ts: Ts::from_millis(5) };
/// assert!(grade.ts < Ts::from_millis(6)); // when it was known, by the engine's clock
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// Its value, always finite.
    pub value: f64,
    /// Engine time since which it is known.
    pub ts: Ts,
}

impl Feature {
    /// The feature by which a session on a venue's feed tells of an instrument whether its data is stale: 1, and 0 when
    /// all of it flows again. [`Context::is_stale`](crate::Context::is_stale) reads it.
    pub const FEED_STALE: &str = "feed.stale";
}

/// The newest value of every feature, by name; of one instrument or of none.
///
/// ```
/// use bellwether_sdk::{Feature, Features, InstrumentId, Ts};
///
/// let mut features = Features::default();
/// features.set("fear".into(), None, Feature { value: 20.0, ts: Ts::from_millis(5) }); // of no instrument: of all
/// assert_eq!(features.get("fear", InstrumentId(3)).map(|f| f.value), Some(20.0));
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Features {
    by_name: BTreeMap<Tag, BTreeMap<Option<InstrumentId>, Feature>>,
    /// Values taken so far.
    changes: u64,
}

impl Features {
    /// Takes a new value.
    pub fn set(&mut self, name: Tag, instrument: Option<InstrumentId>, feature: Feature) {
        self.by_name.entry(name).or_default().insert(instrument, feature);
        self.changes += 1;
    }

    /// Values taken so far: as long as that is the same number, so are they.
    #[doc(hidden)]
    #[inline]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// All of them, by name.
    #[doc(hidden)]
    pub fn iter(&self) -> impl Iterator<Item = (&Tag, Option<InstrumentId>, Feature)> {
        self.by_name.iter().flat_map(|(name, of)| of.iter().map(move |(id, feature)| (name, *id, *feature)))
    }

    /// The value for an instrument, else the one that is of no instrument.
    pub fn get(&self, name: &str, instrument: InstrumentId) -> Option<Feature> {
        let of = self.by_name.get(name)?;
        of.get(&Some(instrument)).or_else(|| of.get(&None)).copied()
    }
}

/// What one strategy sees of its own.
///
/// ```
/// use bellwether_sdk::{InstrumentId, OwnView};
///
/// let own = OwnView { instruments: vec![InstrumentId(0)], ..OwnView::default() };
/// assert!(own.orders.is_empty());
/// ```
#[derive(Debug, Clone, Default)]
pub struct OwnView {
    /// By [`InstrumentId`].
    pub positions: Vec<PositionView>,
    /// In order of creation.
    pub orders: Vec<OpenOrder>,
    /// The instruments this strategy was given, in the order given.
    pub instruments: Vec<InstrumentId>,
}

/// The best levels of a book.
///
/// ```
/// use bellwether_sdk::{BookView, InstrumentId, Ts, testing::{price, qty}};
///
/// let (bids, asks) = ([(price("99"), qty("2"))], [(price("101"), qty("1"))]); // the best first
/// let book = BookView { ts: Ts::from_millis(5), instrument: InstrumentId(0), bids: &bids, asks: &asks };
/// assert!(book.bids[0].0 < book.asks[0].0);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct BookView<'a> {
    /// Engine time.
    pub ts: Ts,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Best first.
    pub bids: &'a [(Price, Qty)],
    /// Best first.
    pub asks: &'a [(Price, Qty)],
}
