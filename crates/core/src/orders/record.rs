//! What is kept of an order and of a fill.

use bellwether_sdk::{InstrumentId, Liquidity, Money, OrderId, OrderKind, OrderState, Price, Qty, Role, Side, Ts};
use serde::{Deserialize, Serialize};

use super::Life;

/// An interned word: the index into [`Words`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WordId(pub u32);

/// Words kept once: tags and reasons. Id 0 is the empty word.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Words {
    words: Vec<String>,
    index: std::collections::BTreeMap<String, WordId>,
    /// Of all words.
    bytes: usize,
}

impl Default for Words {
    fn default() -> Self {
        let mut words = Self { words: Vec::new(), index: std::collections::BTreeMap::new(), bytes: 0 };
        words.intern("");
        words
    }
}

impl From<Vec<String>> for Words {
    fn from(words: Vec<String>) -> Self {
        let index = (0..).zip(&words).map(|(id, word)| (word.clone(), WordId(id))).collect();
        let bytes = words.iter().map(String::len).sum();
        Self { words, index, bytes }
    }
}

impl From<Words> for Vec<String> {
    fn from(words: Words) -> Self {
        words.words
    }
}

impl Words {
    /// The id of a word, new or known.
    pub fn intern(&mut self, word: &str) -> WordId {
        // Most runs know a handful of words: looking at them is quicker than the tree.
        if let Some(at) = self.words.iter().take(8).position(|w| w == word) {
            return WordId(at as u32);
        }
        if let Some(id) = self.index.get(word) {
            return *id;
        }
        // More than four billion different words do not fit any memory.
        let id = WordId(self.words.len() as u32);
        self.words.push(word.to_owned());
        self.bytes += word.len();
        self.index.insert(word.to_owned(), id);
        id
    }

    /// The bytes of all words.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The word.
    pub fn get(&self, id: WordId) -> &str {
        self.words.get(id.0 as usize).map_or("", String::as_str)
    }
}

/// An order's type, without its prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderType {
    /// At once.
    Market,
    /// At a price or better.
    Limit,
    /// Market once triggered.
    StopMarket,
    /// Limit once triggered.
    StopLimit,
    /// Stop-market that follows the price.
    TrailingStop,
}

impl OrderType {
    /// Its name in JSON and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Limit => "limit",
            Self::StopMarket => "stop_market",
            Self::StopLimit => "stop_limit",
            Self::TrailingStop => "trailing_stop",
        }
    }
}

impl From<OrderKind> for OrderType {
    fn from(kind: OrderKind) -> Self {
        match kind {
            OrderKind::Market => Self::Market,
            OrderKind::Limit { .. } => Self::Limit,
            OrderKind::StopMarket { .. } => Self::StopMarket,
            OrderKind::StopLimit { .. } => Self::StopLimit,
            OrderKind::TrailingStop { .. } => Self::TrailingStop,
        }
    }
}

/// A time in force, without its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TifType {
    /// Until cancelled.
    Gtc,
    /// At once, the rest cancelled.
    Ioc,
    /// All at once or nothing.
    Fok,
    /// Until a time.
    Gtd,
}

impl TifType {
    /// Its name in JSON and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gtc => "gtc",
            Self::Ioc => "ioc",
            Self::Fok => "fok",
            Self::Gtd => "gtd",
        }
    }
}

/// One order from its creation to its end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct OrderRecord {
    /// Its number.
    pub id: OrderId,
    /// Engine time of the decision.
    pub ts_created: Ts,
    /// Engine time of its end; [`Ts::NONE`] while open.
    pub ts_done: Ts,
    /// When it expires (GTD); [`Ts::NONE`] otherwise.
    pub ts_expiry: Ts,
    /// Limit price; zero for none.
    pub price: Price,
    /// Trigger price as given, for stops; zero for none. For trailing stops the offset or, at
    /// [`Rate::SCALE`](bellwether_sdk::Rate::SCALE), the fraction.
    pub trigger: Price,
    /// The quantity; for notional orders known from the first fill on, zero before.
    pub qty: Qty,
    /// What has filled.
    pub filled: Qty,
    /// Mantissa of the notional asked for; zero for quantity orders.
    pub notional: i64,
    /// The bracket order's entry, or zero.
    pub parent: OrderId,
    /// Text for reports.
    pub tag: WordId,
    /// Why it was refused, cancelled or expired; the empty word otherwise.
    pub reason: WordId,
    /// Index of the strategy in the run.
    pub strategy: u16,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Scale of `notional`.
    pub notional_scale: u8,
    /// Buy or sell.
    pub side: Side,
    /// Its type.
    pub order_type: OrderType,
    /// Its time in force.
    pub tif: TifType,
    /// Whether a trailing stop's `trigger` is a fraction.
    pub trail_fraction: bool,
    /// Refused rather than filled as taker.
    pub post_only: bool,
    /// Only to make a position smaller.
    pub reduce_only: bool,
    /// Why it came to be.
    pub role: Role,
    /// Where it is in its life, as strategies and reports are shown it.
    pub state: OrderState,
    /// Where it is in full.
    pub life: Life,
}

/// One execution.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct FillRecord {
    /// The fee, above zero when paid, in `fee_currency` of the instrument (its settlement currency).
    pub fee: Money,
    /// The order.
    pub order: OrderId,
    /// Engine time at which it was known (causal).
    pub ts: Ts,
    /// Open time of the bar that filled it; [`Ts::NONE`] when a tick did.
    pub bar_ts: Ts,
    /// The price.
    pub price: Price,
    /// The quantity, above zero.
    pub qty: Qty,
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Index of the strategy in the run.
    pub strategy: u16,
    /// Buy or sell.
    pub side: Side,
    /// Maker or taker.
    pub liquidity: Liquidity,
}
