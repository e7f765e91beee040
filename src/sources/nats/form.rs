//! The JSON form of market data on the bus: what a publisher writes and a reader reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the form.
pub const MARKET_VERSION: u32 = 1;

/// A market event as JSON, version 1. Prices and quantities are exact, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MarketForm {
    /// Version of this form; 1.
    pub schema_version: u32,
    /// `venue:BASE/QUOTE[:SETTLE]`.
    pub instrument: String,
    /// Engine time of the publisher, nanoseconds since 1970; of a bar its close.
    pub ts: String,
    /// The same for people, UTC, in whole seconds.
    pub time: String,
    /// The time by the venue's clock, nanoseconds since 1970; null where the venue does not say.
    #[serde(default)]
    pub ts_venue: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub what: MarketWhat,
}

/// What happened at the market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum MarketWhat {
    /// A trade.
    Trade {
        /// Its price.
        price: String,
        /// Its quantity of base.
        qty: String,
        /// Who crossed the spread; null where the source does not say.
        aggressor: Option<Taker>,
    },
    /// The best bid and offer.
    Quote {
        /// Best bid; null when that side is absent.
        bid: Option<String>,
        /// Quantity there.
        bid_qty: String,
        /// Best offer; null when that side is absent.
        ask: Option<String>,
        /// Quantity there.
        ask_qty: String,
    },
    /// A complete bar.
    Bar {
        /// Its length, as in `1h`.
        interval: String,
        /// When it opened, nanoseconds since 1970.
        ts_open: String,
        /// First price.
        open: String,
        /// Highest price.
        high: String,
        /// Lowest price.
        low: String,
        /// Last price.
        close: String,
        /// Quantity of base traded.
        volume: String,
    },
    /// The best levels of the book as it stands: each message is the whole of it, and an empty one says that the publisher
    /// has no book that it can rely on.
    Depth {
        /// Price and quantity, best first.
        bids: Vec<(String, String)>,
        /// Price and quantity, best first.
        asks: Vec<(String, String)>,
    },
    /// The rules of the instrument, and what is published of it. Said at the publisher's start and every minute.
    Instrument {
        /// Kinds of data: `trades`, `quotes`, `depth`, `bars-1h`.
        kinds: Vec<String>,
        /// Its rules.
        rules: RulesForm,
        /// Fee of a maker as a fraction of the value, `0.001`; null where it is not known.
        maker_fee: Option<String>,
        /// Fee of a taker as a fraction of the value; null where it is not known.
        taker_fee: Option<String>,
    },
}

/// The rules by which an instrument is traded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RulesForm {
    /// Digits of prices, at most 18.
    pub price_scale: u8,
    /// Digits of quantities, at most 18.
    pub qty_scale: u8,
    /// The step of prices.
    pub tick: String,
    /// The step of quantities.
    pub lot: String,
    /// Smallest quantity of an order; 0 for none.
    pub qty_min: String,
    /// Smallest value of an order in quote currency; 0 for none.
    pub notional_min: String,
    /// Largest quantity of an order; 0 for none.
    #[serde(default = "none")]
    pub qty_max: String,
    /// Largest quantity of an order without a limit price, where it is another; 0 for `qty_max`.
    #[serde(default = "none")]
    pub qty_max_market: String,
    /// Largest value of an order with a limit price, in quote currency; 0 for none.
    #[serde(default = "none")]
    pub notional_max: String,
    /// Units of base per contract; 1 for spot.
    pub multiplier: i64,
    /// Whether the publisher inferred them from data.
    pub inferred: bool,
}

/// A largest order of publishers that state none.
fn none() -> String {
    "0".to_owned()
}

/// Who crossed the spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Taker {
    /// A buyer took an offer.
    Buyer,
    /// A seller took a bid.
    Seller,
}

impl MarketWhat {
    /// Its word in a subject.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Trade { .. } => "trade",
            Self::Quote { .. } => "quote",
            Self::Bar { .. } => "bar",
            Self::Depth { .. } => "depth",
            Self::Instrument { .. } => "instrument",
        }
    }
}

/// The JSON Schema of a market event.
pub fn market_schema() -> Value {
    schemars::schema_for!(MarketForm).to_value()
}
