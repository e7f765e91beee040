//! The columns of each kind of data: names, units and which may be absent. Every column is an `i64` in memory.
//!
//! Columns are only ever added, at the end and optional, so that older catalogs stay readable. A column that has no
//! value in a month is left out of that month's file.

use crate::market::Kind;

/// No value. (Also the bits of `-0.0`, which therefore is stored as `0.0`.)
pub(crate) const NULL: i64 = i64::MIN;

/// The most columns a kind has, and one more for where a row came from during an import.
pub(crate) const WIDTH: usize = 11;

/// A row in memory, at the scales of its table.
pub(crate) type Row = [i64; WIDTH];

/// What the integer of a column means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// UTC nanoseconds since 1970.
    Time,
    /// Mantissa at the table's price scale.
    Price,
    /// Mantissa at the table's quantity scale.
    Qty,
    /// Mantissa at twelve digits.
    Rate,
    /// A number as it is.
    Int,
    /// The bits of an `f64`: values of which only statistics are made.
    Float,
    /// An index into the table's texts.
    Text,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its name in files.
    pub(crate) name: &'static str,
    /// What it counts.
    pub(crate) unit: Unit,
    /// Whether every row has a value.
    pub(crate) required: bool,
}

const fn must(name: &'static str, unit: Unit) -> Column {
    Column { name, unit, required: true }
}

const fn may(name: &'static str, unit: Unit) -> Column {
    Column { name, unit, required: false }
}

/// Engine time is the first column of every kind.
pub(crate) const TS: usize = 0;

/// Columns of trades. `aggressor` is 1 for a buyer, -1 for a seller, 0 for unknown; `ts_venue` is absent when it is `ts`.
pub(crate) mod trade {
    pub(crate) const TS_VENUE: usize = 1;
    pub(crate) const PRICE: usize = 2;
    pub(crate) const QTY: usize = 3;
    pub(crate) const AGGRESSOR: usize = 4;
    pub(crate) const ID: usize = 5;
    pub(crate) const ID_TEXT: usize = 6;
}

/// Columns of quotes. A price of zero is an absent side, a quantity of zero an unknown one.
pub(crate) mod quote {
    pub(crate) const TS_VENUE: usize = 1;
    pub(crate) const BID: usize = 2;
    pub(crate) const BID_QTY: usize = 3;
    pub(crate) const ASK: usize = 4;
    pub(crate) const ASK_QTY: usize = 5;
    pub(crate) const UPDATE_ID: usize = 6;
}

/// Columns of bars.
pub(crate) mod bar {
    pub(crate) const OPEN: usize = 1;
    pub(crate) const HIGH: usize = 2;
    pub(crate) const LOW: usize = 3;
    pub(crate) const CLOSE: usize = 4;
    pub(crate) const VOLUME: usize = 5;
    pub(crate) const QUOTE_VOLUME: usize = 6;
    pub(crate) const TRADES: usize = 7;
    pub(crate) const TAKER_BASE: usize = 8;
    pub(crate) const TAKER_QUOTE: usize = 9;
}

/// Columns of depth, one row per level. Neighbours of equal `msg` are one message; `side` is 1 for bids, -1 for asks.
pub(crate) mod depth {
    pub(crate) const TS_VENUE: usize = 1;
    pub(crate) const MSG: usize = 2;
    pub(crate) const SNAPSHOT: usize = 3;
    pub(crate) const FIRST_ID: usize = 4;
    pub(crate) const LAST_ID: usize = 5;
    pub(crate) const PREV_ID: usize = 6;
    pub(crate) const SIDE: usize = 7;
    pub(crate) const PRICE: usize = 8;
    pub(crate) const QTY: usize = 9;
}

/// Columns of funding.
pub(crate) mod funding {
    pub(crate) const RATE: usize = 1;
    pub(crate) const MARK: usize = 2;
}

const TRADES: &[Column] = &[
    must("ts", Unit::Time),
    may("ts_venue", Unit::Time),
    must("price", Unit::Price),
    must("qty", Unit::Qty),
    must("aggressor", Unit::Int),
    may("id", Unit::Int),
    may("id_text", Unit::Text),
];

const QUOTES: &[Column] = &[
    must("ts", Unit::Time),
    may("ts_venue", Unit::Time),
    must("bid", Unit::Price),
    must("bid_qty", Unit::Qty),
    must("ask", Unit::Price),
    must("ask_qty", Unit::Qty),
    may("update_id", Unit::Int),
];

const BARS: &[Column] = &[
    must("ts_open", Unit::Time),
    must("open", Unit::Price),
    must("high", Unit::Price),
    must("low", Unit::Price),
    must("close", Unit::Price),
    must("volume", Unit::Qty),
    may("quote_volume", Unit::Float),
    may("trades", Unit::Int),
    may("taker_buy_base", Unit::Qty),
    may("taker_buy_quote", Unit::Float),
];

const DEPTH: &[Column] = &[
    must("ts", Unit::Time),
    may("ts_venue", Unit::Time),
    must("msg", Unit::Int),
    must("snapshot", Unit::Int),
    may("first_id", Unit::Int),
    may("last_id", Unit::Int),
    may("prev_id", Unit::Int),
    must("side", Unit::Int),
    must("price", Unit::Price),
    must("qty", Unit::Qty),
];

const FUNDING: &[Column] = &[must("ts", Unit::Time), must("rate", Unit::Rate), may("mark", Unit::Price)];

/// The columns of a kind.
pub(crate) const fn columns(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Trades => TRADES,
        Kind::Quotes => QUOTES,
        Kind::Bars(_) => BARS,
        Kind::Depth => DEPTH,
        Kind::Funding => FUNDING,
    }
}
