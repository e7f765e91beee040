//! One vocabulary over all venues: what can be asked, what can be done, and the rows that come back.

use std::fmt;
use std::str::FromStr;

use bellwether_sdk::{Aggressor, Decimal, InstrumentId, Interval, Level, Liquidity, Price, Qty, Rate, Side, Ts};
use bellwether_sdk::{OrderKind, TimeInForce};

use super::Rules;
use super::note::OrderStatus;
use crate::orders::{Order, hex_of};
use crate::risk::Approved;

/// Which of a venue's markets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// The assets themselves.
    Spot,
    /// Perpetual contracts settled in their quote currency.
    Linear,
}

/// Our number of an order at a venue: 128 bits, in hex wherever it is written. The upper half is the session, the lower
/// half the order's number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId {
    /// The session.
    pub session: u64,
    /// The order's number in the session.
    pub number: u64,
}

impl ClientId {
    /// The bit of `number` that marks orders which wait for a trigger.
    const CONDITIONAL: u64 = 1 << 63;

    /// The id of an order of a kind. Some venues keep orders that wait for a trigger apart from the others (Binance
    /// futures, OKX), and an order can be asked for by nothing but its id: so the id itself says which it is.
    pub const fn of(session: u64, number: u64, kind: &OrderKind) -> Self {
        let waits =
            matches!(kind, OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } | OrderKind::TrailingStop { .. });
        Self { session, number: if waits { number | Self::CONDITIONAL } else { number & !Self::CONDITIONAL } }
    }

    /// Whether it is of an order that waits for a trigger, or did.
    pub const fn is_conditional(self) -> bool {
        self.number & Self::CONDITIONAL != 0
    }

    /// How it is written.
    pub fn hex(self) -> ClientHex {
        let value = (u128::from(self.session) << 64) | u128::from(self.number);
        let mut digits = [0; 32];
        for (byte, pair) in value.to_be_bytes().into_iter().zip(digits.chunks_exact_mut(2)) {
            pair.copy_from_slice(&hex_of(byte));
        }
        ClientHex(digits)
    }

    /// The order's number, without the mark.
    pub const fn order(self) -> u64 {
        self.number & !Self::CONDITIONAL
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hex().as_str())
    }
}

/// A client order id as its 32 hex digits.
#[derive(Debug, Clone, Copy)]
pub struct ClientHex([u8; 32]);

impl ClientHex {
    /// The digits.
    pub fn as_str(&self) -> &str {
        // ASCII, so nothing is lost.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A text is not a client order id of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a client order id of ours (32 hex digits)")]
pub struct ClientIdError(pub String);

impl FromStr for ClientId {
    type Err = ClientIdError;
    /// Reads 32 hex digits, with or without `0x` and dashes.
    fn from_str(text: &str) -> Result<Self, ClientIdError> {
        let wrong = || ClientIdError(text.chars().take(60).collect());
        let digits: String = text.trim_start_matches("0x").chars().filter(|c| *c != '-').collect();
        if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let half = |range| u64::from_str_radix(&digits[range], 16).map_err(|_| wrong());
        Ok(Self { session: half(0..16)?, number: half(16..32)? })
    }
}

/// How an order is named to a venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderRef {
    /// By our id.
    Client(ClientId),
    /// By the venue's id.
    Venue(String),
}

/// What can be asked of a venue. Nothing changes by asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The venue's clock.
    Time,
    /// All instruments of the product with their rules.
    Instruments,
    /// Best quote and last price.
    Ticker(InstrumentId),
    /// The book, so many levels per side at least.
    Book(InstrumentId, u32),
    /// The last trades, at most so many.
    Trades(InstrumentId, u32),
    /// Trades from a time or id on, oldest first, for history.
    TradesFrom(InstrumentId, Ts),
    /// Bars that open in `[from, to)`, at most as many as the venue gives in one answer, oldest first.
    Bars(InstrumentId, Interval, Ts, Ts),
    /// Funding settlements in `[from, to)`.
    Funding(InstrumentId, Ts, Ts),
    /// Balances of the account.
    Balances,
    /// Positions of the account.
    Positions,
    /// Open orders, of one instrument or all.
    OpenOrders(Option<InstrumentId>),
    /// Orders that wait for a trigger, where the venue keeps them apart and [`Ask::OpenOrders`] does not tell them;
    /// unsupported elsewhere.
    OpenConditional(Option<InstrumentId>),
    /// One order.
    Order(InstrumentId, OrderRef),
    /// Our fills of a stretch.
    Fills(InstrumentId, Span),
    /// Funding that the account was paid or paid, as the venue booked it.
    Paid(Span),
    /// Money that came into the account or left it otherwise than by trading: deposits, withdrawals, transfers.
    Moved(Span),
    /// What the key may do.
    Permissions,
    /// What opens the private stream where it needs a ticket from REST (listen key, socket token).
    StreamTicket,
    /// Keeps the ticket alive.
    KeepTicket(String),
}

/// A stretch of an account's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// From this time of the venue on.
    pub from: Ts,
    /// Up to this one.
    pub to: Ts,
    /// Where an answer before ended, in words of the codec; empty at the beginning.
    pub cursor: String,
}

impl Span {
    /// A whole stretch.
    pub const fn new(from: Ts, to: Ts) -> Self {
        Self { from, to, cursor: String::new() }
    }

    /// The same stretch from where an answer ended.
    pub(super) fn go_on(&self, cursor: impl Into<String>) -> Self {
        Self { cursor: cursor.into(), ..self.clone() }
    }

    /// The end of what may be asked for at once, where that is so many days.
    pub(super) fn end_within(&self, days: i64) -> Ts {
        self.to.min(self.from.plus(days.saturating_mul(86_400_000_000_000)))
    }

    /// The same stretch from the newest that was told on: an answer that is full began with the oldest.
    pub(super) fn since_newest(&self, rows: impl Iterator<Item = Ts>) -> Option<Self> {
        let newest = rows.max()?;
        // A whole answer of one millisecond cannot be told apart by times.
        Some(Self::new(newest.max(self.from.plus(1_000_000)), self.to))
    }

    /// What is left behind such an end, from its beginning; `None` for nothing.
    pub(super) fn after(&self, end: Ts) -> Option<Self> {
        (end < self.to).then(|| Self::new(end, self.to))
    }
}

/// An order to be placed: approved, numbered, with the price it was judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The order.
    pub order: Approved<Order>,
    /// Our id of it.
    pub client: ClientId,
    /// Its quantity, above zero, on the lot; notional sizes have been worked out.
    pub qty: Qty,
    /// The price that market orders are judged by; venues without market orders (Hyperliquid) make a limit of it.
    pub reference: Price,
}

/// A change of a resting order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amend {
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// The order.
    pub order: OrderRef,
    /// Buy or sell, as it is (venues that replace need it).
    pub side: Side,
    /// The new price; `None` keeps it.
    pub price: Option<Price>,
    /// The new whole quantity; `None` keeps it.
    pub qty: Option<Qty>,
}

/// The end of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// The order.
    pub order: OrderRef,
}

/// What can be done at a venue.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Places an order.
    Place(Place),
    /// Places several at once, where the venue can.
    PlaceMany(Vec<Place>),
    /// Changes a resting order, where the venue can.
    Amend(Amend),
    /// Cancels an order.
    Cancel(Cancel),
    /// Cancels several at once, where the venue can.
    CancelMany(Vec<Cancel>),
    /// Cancels one and places another in one step, where the venue can.
    CancelReplace(Cancel, Place),
    /// Cancels all open orders of an instrument.
    CancelAll(InstrumentId),
    /// Cancels all orders of an instrument that wait for a trigger, where the venue keeps them apart and
    /// [`Act::CancelAll`] does not reach them; unsupported elsewhere.
    CancelAllConditional(InstrumentId),
}

/// What became of an act, as the direct answer says; the private stream says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActReply {
    /// The venue's id of the order; empty where the answer has none.
    pub venue_id: String,
    /// Our id, where the answer names it.
    pub client: Option<ClientId>,
    /// The order's state, where the answer says it; [`OrderStatus::Acknowledged`] for "taken", as venues that answer
    /// before they match do.
    pub status: OrderStatus,
    /// The quantity filled so far, where the answer says it.
    pub filled: Option<Qty>,
    /// Why this one was refused; `None` when it was taken. Batches answer one by one.
    pub refused: Option<super::VenueError>,
}

/// Best quote and last price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickerRow {
    /// The venue's time; [`Ts::NONE`] where it says none.
    pub ts_venue: Ts,
    /// Best bid; zero for none.
    pub bid: Price,
    /// Quantity there; zero when unknown.
    pub bid_qty: Qty,
    /// Best offer; zero for none.
    pub ask: Price,
    /// Quantity there; zero when unknown.
    pub ask_qty: Qty,
    /// Last price; zero when the answer has none.
    pub last: Price,
}

/// A book as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookRow {
    /// The venue's time; [`Ts::NONE`] where it says none.
    pub ts_venue: Ts,
    /// The venue's id of the last change in it; zero for none.
    pub last_id: i64,
    /// Bids, best first, then asks, best first.
    pub levels: Vec<Level>,
}

/// A trade as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeRow {
    /// The venue's id; empty for none.
    pub id: String,
    /// The venue's time.
    pub ts_venue: Ts,
    /// Price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Who crossed the spread.
    pub aggressor: Aggressor,
}

/// A funding settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FundingRow {
    /// The venue's time of it.
    pub ts_venue: Ts,
    /// The rate longs pay.
    pub rate: Rate,
    /// The mark price; zero when unknown.
    pub mark: Price,
}

/// A balance of one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// The currency, in our spelling.
    pub currency: String,
    /// Owned, also what is locked.
    pub total: Decimal,
    /// Free to use.
    pub free: Decimal,
}

/// A position in a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// Long above zero, short below.
    pub qty: Qty,
    /// The venue's average entry price; `None` when it says none.
    pub entry: Option<Decimal>,
    /// The venue's liquidation price; `None` when it says none.
    pub liquidation: Option<Decimal>,
    /// The venue's unrealised profit in settlement currency; `None` when it says none.
    pub unrealised: Option<Decimal>,
}

/// An order as the venue has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// The venue's id.
    pub venue_id: String,
    /// The client order id as it stands at the venue; empty for none. [`ClientId`] parses ours.
    pub client_id: String,
    /// Buy or sell.
    pub side: Side,
    /// Its kind; `None` for one that we do not have.
    pub kind: Option<OrderKind>,
    /// Its time in force.
    pub tif: TimeInForce,
    /// Its whole quantity.
    pub qty: Qty,
    /// What filled.
    pub filled: Qty,
    /// Its state.
    pub status: OrderStatus,
    /// The venue's time of creation; [`Ts::NONE`] when unknown.
    pub ts_venue: Ts,
}

/// Funding as the venue booked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidRow {
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// The venue's id of the payment, unique per instrument: it is booked once by it.
    pub id: String,
    /// What was paid to the account; below zero: by it.
    pub amount: Decimal,
    /// The currency.
    pub currency: String,
    /// The venue's time.
    pub ts_venue: Ts,
}

/// Money that came into the account or left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedRow {
    /// The venue's id.
    pub id: String,
    /// What came in; below zero: what left, with the venue's fee for it.
    pub amount: Decimal,
    /// The currency, in our spelling.
    pub currency: String,
    /// The venue's word for it.
    pub word: String,
    /// The venue's time.
    pub ts_venue: Ts,
}

/// A fill as the venue has it.
pub use super::note::FillNote as FillRow;

pub use crate::keys::Permissions;

/// An answer to an [`Ask`].
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// The venue's clock.
    Time(Ts),
    /// Instruments with their rules; what could not be understood is named beside them.
    Instruments(Vec<Rules>, Vec<String>),
    /// Best quote and last price.
    Ticker(TickerRow),
    /// The book.
    Book(BookRow),
    /// Trades, oldest first.
    Trades(Vec<TradeRow>),
    /// Complete bars, oldest first; a bar still open is left out.
    Bars(Vec<bellwether_sdk::Bar>),
    /// Funding, oldest first.
    Funding(Vec<FundingRow>),
    /// Balances other than zero.
    Balances(Vec<Balance>),
    /// Positions other than zero.
    Positions(Vec<Position>),
    /// Orders; those of instruments that are not of this run are left out and counted in the second value.
    Orders(Vec<OrderRow>, u32),
    /// The same where more are open than the answer holds, and where it ended, in words of the codec: the rest is
    /// [asked on for](super::Venue::ask_on).
    SomeOrders(Vec<OrderRow>, u32, String),
    /// Fills of the stretch, oldest first, and what is left to be asked for: older ones where the venue tells the newest
    /// first, newer ones else. Of the same fill twice the ids are equal.
    Fills(Vec<FillRow>, Option<Span>),
    /// Funding of instruments of this run, in no order, and what is left to be asked for.
    Paid(Vec<PaidRow>, Option<Span>),
    /// Money in and out, in no order, and what is left to be asked for.
    Moved(Vec<MovedRow>, Option<Span>),
    /// What the key may do.
    Permissions(Permissions),
    /// A ticket for the private stream.
    StreamTicket(String),
    /// It was done; nothing to say.
    Done,
}

/// Whether a fill gave or took liquidity, from a flag "is maker".
pub(super) fn liquidity(maker: bool) -> Liquidity {
    if maker { Liquidity::Maker } else { Liquidity::Taker }
}
