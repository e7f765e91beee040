//! The rows of a document's tables.

use bellwether_sdk::{Liquidity, OrderState, Role, Side};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::orders::{OrderType, TifType};

/// A reason and how often it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// The reason.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// Orders of one end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderEnd {
    /// `rejected`, `expired` or `cancelled`.
    pub state: String,
    /// Why; empty where none was given.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// What became of signals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signals {
    /// How many strategies emitted, those of a warm-up (`warm_up`) among them.
    pub emitted: u64,
    /// Why signals made no order, most frequent first. Reasons that begin with `signal_` (but for `signal_expired`) are of
    /// signals heard from outside, those that begin with `order_` or `cancel_` of strategies' own orders, `book_gap` of lost
    /// books: none of these was emitted.
    pub dropped: Vec<Count>,
    /// Bars that a strategy asked for and of which none was completed: `7m of binance:BTC/USDT`.
    #[serde(default)]
    pub unbuilt: Vec<String>,
}

/// An instrument and the rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InstrumentRow {
    /// Its name.
    pub symbol: String,
    /// `spot`, `linear` or `inverse`.
    #[schemars(extend("enum" = ["spot", "linear", "inverse"]))]
    pub kind: String,
    /// The currency of its fees and profits.
    pub settle: String,
    /// Digits after the point of its prices.
    pub price_scale: u8,
    /// Digits after the point of its quantities.
    pub qty_scale: u8,
    /// The step of prices.
    pub tick: String,
    /// The step of order quantities.
    pub lot: String,
    /// The smallest order quantity, zero for none.
    pub qty_min: String,
    /// The smallest order value in quote currency, zero for none.
    pub notional_min: String,
    /// The largest order quantity, zero for none; empty in documents from before it was noted, as the next two.
    #[serde(default)]
    pub qty_max: String,
    /// The largest quantity of an order without a limit price, zero for `qty_max`.
    #[serde(default)]
    pub qty_max_market: String,
    /// The largest value of an order with a limit price in quote currency, zero for none.
    #[serde(default)]
    pub notional_max: String,
    /// Units per contract; 1 for spot.
    pub multiplier: i64,
    /// Whether the rules were inferred from the data instead of being stated.
    pub inferred: bool,
}

/// A currency of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CurrencyRow {
    /// Its code.
    pub code: String,
    /// Digits after the point of its amounts.
    pub scale: u8,
}

/// A series of market data read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DataRow {
    /// The instrument's name.
    pub instrument: String,
    /// The kind, as in `bars-1h`.
    pub kind: String,
    /// Rows read.
    pub rows: u64,
    /// Time of the first row, nanoseconds.
    pub first_ts: Option<String>,
    /// The same as RFC 3339.
    pub first_time: Option<String>,
    /// Time of the last row, nanoseconds.
    pub last_ts: Option<String>,
    /// The same as RFC 3339.
    pub last_time: Option<String>,
}

/// An order from its creation to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OrderRow {
    /// Its number, from 1.
    pub id: u64,
    /// Id of its strategy.
    pub strategy: String,
    /// Its instrument.
    pub instrument: String,
    /// Buy or sell.
    #[schemars(with = "String", extend("enum" = ["buy", "sell"]))]
    pub side: Side,
    /// Its type.
    #[serde(rename = "type")]
    #[schemars(with = "String", extend("enum" = ["market", "limit", "stop_market", "stop_limit", "trailing_stop"]))]
    pub order_type: OrderType,
    /// Its time in force.
    #[schemars(with = "String", extend("enum" = ["gtc", "ioc", "fok", "gtd"]))]
    pub tif: TifType,
    /// Its quantity; for notional orders known from the first fill on, null before.
    pub qty: Option<String>,
    /// The value asked for in quote currency; null for quantity orders.
    pub notional: Option<String>,
    /// What filled.
    pub filled: String,
    /// Limit price; null for none.
    pub price: Option<String>,
    /// Trigger price; null for none.
    pub trigger: Option<String>,
    /// Distance of a trailing stop, as a price; null for none.
    pub trail_offset: Option<String>,
    /// Distance of a trailing stop, as a fraction of the best price; null for none.
    pub trail_fraction: Option<String>,
    /// Refused rather than filled as taker.
    pub post_only: bool,
    /// Only to make a position smaller.
    pub reduce_only: bool,
    /// Why it came to be.
    #[schemars(with = "String", extend("enum" = ["signal", "intent", "stop_loss", "take_profit", "trailing_stop", "liquidation", "end_of_data", "guard"]))]
    pub role: Role,
    /// Where it is in its life.
    #[schemars(with = "String", extend("enum" = ["sent", "acknowledged", "partly_filled", "filled", "cancelled", "rejected", "expired", "unknown"]))]
    pub state: OrderState,
    /// Why it was refused, cancelled or expired; empty otherwise.
    pub reason: String,
    /// Its tag.
    pub tag: String,
    /// The bracket order's entry; null for none.
    pub parent: Option<u64>,
    /// Engine time of the decision, nanoseconds.
    pub created_ts: String,
    /// The same as RFC 3339.
    pub created_time: String,
    /// Engine time of its end, nanoseconds; null while open.
    pub done_ts: Option<String>,
    /// The same as RFC 3339.
    pub done_time: Option<String>,
    /// When it expires, nanoseconds; null for never.
    pub expiry_ts: Option<String>,
    /// The same as RFC 3339.
    pub expiry_time: Option<String>,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FillRow {
    /// Number of the order.
    pub order: u64,
    /// Id of the strategy.
    pub strategy: String,
    /// Its instrument.
    pub instrument: String,
    /// Buy or sell.
    #[schemars(with = "String", extend("enum" = ["buy", "sell"]))]
    pub side: Side,
    /// Its price.
    pub price: String,
    /// Its quantity, above zero.
    pub qty: String,
    /// The fee, above zero when paid.
    pub fee: String,
    /// The currency of the fee.
    pub fee_currency: String,
    /// Maker or taker.
    #[schemars(with = "String", extend("enum" = ["maker", "taker"]))]
    pub liquidity: Liquidity,
    /// Engine time at which it was known (causal), nanoseconds.
    pub ts: String,
    /// The same as RFC 3339.
    pub time: String,
    /// Open time of the bar that filled it, nanoseconds; null when a tick did.
    pub bar_ts: Option<String>,
}

/// Which way a trade or a position looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TradeSide {
    /// Bought first.
    Long,
    /// Sold first.
    Short,
}

impl TradeSide {
    /// Its name in JSON and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Short => "short",
        }
    }
}

impl From<Side> for TradeSide {
    fn from(side: Side) -> Self {
        match side {
            Side::Buy => Self::Long,
            Side::Sell => Self::Short,
        }
    }
}

/// A closed trade: a lot from its entry to its exit, first in first out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TradeRow {
    /// Id of the strategy.
    pub strategy: String,
    /// Its instrument.
    pub instrument: String,
    /// Long or short.
    pub side: TradeSide,
    /// Its quantity, above zero.
    pub qty: String,
    /// Causal time of the entry fill, nanoseconds.
    pub entry_ts: String,
    /// The same as RFC 3339.
    pub entry_time: String,
    /// Entry price.
    pub entry_price: String,
    /// Open time of the bar that filled the entry, nanoseconds; null when a tick did.
    pub entry_bar_ts: Option<String>,
    /// Causal time of the exit fill, nanoseconds.
    pub exit_ts: String,
    /// The same as RFC 3339.
    pub exit_time: String,
    /// Exit price.
    pub exit_price: String,
    /// Open time of the bar that filled the exit, nanoseconds; null when a tick did.
    pub exit_bar_ts: Option<String>,
    /// Entry and exit fees of this lot, in `currency`.
    pub fees: String,
    /// Profit after fees, in `currency`.
    pub pnl: String,
    /// The settlement currency of the instrument.
    pub currency: String,
    /// 100 × profit after fees / value at entry.
    pub return_pct: Option<f64>,
    /// Tag of the entry order.
    pub entry_tag: String,
    /// Why the order that closed it came to be.
    #[schemars(with = "String", extend("enum" = ["signal", "intent", "stop_loss", "take_profit", "trailing_stop", "liquidation", "end_of_data", "guard"]))]
    pub exit_reason: Role,
}

/// A position open at the end: all lots of one strategy, instrument and side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PositionRow {
    /// Id of the strategy.
    pub strategy: String,
    /// Its instrument.
    pub instrument: String,
    /// Long or short.
    pub side: TradeSide,
    /// The sum of its lots, above zero.
    pub qty: String,
    /// Causal time of the first entry fill, nanoseconds.
    pub entry_ts: String,
    /// The same as RFC 3339.
    pub entry_time: String,
    /// Average entry price, for display; the lots have exact ones.
    pub entry_price: f64,
    /// The last price of the run; null where not known.
    pub last_price: Option<String>,
    /// 100 × change of price since the average entry in the position's favour, before fees.
    pub unrealised_pct: Option<f64>,
    /// Its lots, oldest first.
    pub lots: Vec<LotRow>,
}

/// A lot open at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LotRow {
    /// Its quantity, above zero.
    pub qty: String,
    /// Causal time of the entry fill, nanoseconds.
    pub entry_ts: String,
    /// The same as RFC 3339.
    pub entry_time: String,
    /// Entry price.
    pub entry_price: String,
    /// Open time of the bar that filled the entry, nanoseconds; null when a tick did.
    pub entry_bar_ts: Option<String>,
    /// Entry fees not yet given to a trade, in the settlement currency.
    pub fees: String,
    /// Tag of the entry order.
    pub entry_tag: String,
}

/// A point of the equity curve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EquityRow {
    /// Engine time, nanoseconds.
    pub ts: String,
    /// The same as RFC 3339.
    pub time: String,
    /// Equity in the reporting currency.
    pub equity: String,
    /// Lowest equity since the point before.
    pub equity_min: String,
    /// Equity of holding the first instrument.
    pub buy_hold: String,
}

/// Equity at the end of a UTC day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DayRow {
    /// The day, as in `2024-02-29`.
    pub day: String,
    /// Equity at its last event, in the reporting currency.
    pub equity: String,
}

/// Closed trades that have something in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupRow {
    /// What they have in common.
    pub key: String,
    /// How many.
    pub trades: u64,
    /// 100 × those with a profit / all.
    pub win_rate_pct: f64,
    /// Sum of profits after fees; null where they are of several currencies.
    pub pnl: Option<String>,
    /// Sum of fees; null where they are of several currencies.
    pub fees: Option<String>,
    /// The currency of both; null where there are several.
    pub currency: Option<String>,
    /// Mean trade return.
    pub mean_return_pct: f64,
    /// Largest trade return.
    pub best_return_pct: f64,
    /// Smallest trade return.
    pub worst_return_pct: f64,
    /// Sum of gaining returns / sum of losing returns; null when nothing was lost.
    pub profit_factor_return: Option<f64>,
    /// Mean time from entry to exit, hours.
    pub mean_hours: f64,
}
