//! What a venue says on its sockets, normalised.

use bellwether_sdk::{Bar, Decimal, Depth, InstrumentId, Liquidity, Price, Qty, Quote, Rate, Side, Trade, Ts};

use super::{ActReply, Balance, Position, VenueError, WireError};

/// Takes notes as a message is read. Depth levels are borrowed for the time of the call.
pub trait Sink {
    /// Takes one.
    fn note(&mut self, note: Note<'_>);
}

impl<F: FnMut(Note<'_>)> Sink for F {
    fn note(&mut self, note: Note<'_>) {
        self(note);
    }
}

/// Something a public socket said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Note<'a> {
    /// A trade, with the venue's id of it where it is a number (zero else): duplicates show by it.
    Trade(Trade, u64),
    /// The best quote.
    Quote(Quote),
    /// Depth, with the venue's checksum of the book after it, if it sends one.
    Depth(Depth<'a>, Option<u32>),
    /// A bar; `true` when the venue says that it is complete, `false` when it may still change.
    Bar(Bar, bool),
    /// The current funding rate and when it settles, with the mark price. What is `None`, [`Ts::NONE`] or zero is as it
    /// was told before, if it was.
    FundingRate(InstrumentId, Option<Rate>, Ts, Price),
    /// The number of the message that the following notes are from, where a venue numbers all messages of a connection
    /// in one row ([`Continuity::Connection`](super::Continuity::Connection)): the next must be one more. After a gap
    /// every book of the connection is lost; a number seen before means a message to pass over.
    Sequence(u64),
    /// A subscription was taken.
    Subscribed,
    /// A subscription or request was refused.
    Refused(&'a str),
    /// An answer to our ping, or a heartbeat.
    Alive,
    /// The venue announces that it will close: connect anew now.
    Leaving(&'a str),
    /// Understood, and of no use to us.
    Ignored,
    /// A message of a kind that the codec does not know: reported, not fatal.
    Unexpected(&'a str),
}

/// Where an order is, as a venue sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    /// Taken; resting, waiting for its trigger, or about to match.
    Acknowledged,
    /// Some filled, the rest alive.
    PartlyFilled,
    /// All filled.
    Filled,
    /// Cancelled.
    Cancelled,
    /// Refused.
    Rejected,
    /// Ended by time in force or by the venue.
    Expired,
    /// A state we do not know; reported, and asked about.
    Unknown,
}

impl OrderStatus {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::PartlyFilled => "partly_filled",
            Self::Filled => "filled",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it may still fill.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Acknowledged | Self::PartlyFilled | Self::Unknown)
    }
}

/// Stands for the instrument in an [`OrderNote`] whose message names none (Kraken): the order is found by its ids.
pub const NO_INSTRUMENT: InstrumentId = InstrumentId(u16::MAX);

/// An order changed, as the private stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderNote {
    /// Whose instrument; [`NO_INSTRUMENT`] where the message names none.
    pub instrument: InstrumentId,
    /// The venue's id; empty where it names none.
    pub venue_id: String,
    /// The client order id as it stands at the venue (of a cancel: that of the order, not of the request).
    pub client_id: String,
    /// Its state now.
    pub status: OrderStatus,
    /// All that has filled of it; `None` where the message does not say.
    pub filled: Option<Qty>,
    /// A reason of the closed list of [`VenueError`], where it ended without us; empty otherwise.
    pub reason: &'static str,
    /// The venue's words.
    pub text: String,
    /// The venue's time; [`Ts::NONE`] for none.
    pub ts_venue: Ts,
}

/// One execution of our orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FillNote {
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// The venue's id of the fill, unique per instrument: a fill is booked once by it. (Venues whose streams have no
    /// fills tell orders' cumulated quantities; the fills are then fetched by [`Ask::Fills`](super::Ask::Fills).)
    pub trade_id: String,
    /// The venue's id of the order; empty where it names none.
    pub venue_id: String,
    /// The client order id; empty where it names none.
    pub client_id: String,
    /// Buy or sell.
    pub side: Side,
    /// The price.
    pub price: Price,
    /// The quantity.
    pub qty: Qty,
    /// The fee, above zero when paid.
    pub fee: Decimal,
    /// The fee's currency; empty when unknown.
    pub fee_currency: String,
    /// Maker or taker.
    pub liquidity: Liquidity,
    /// The venue's time.
    pub ts_venue: Ts,
}

impl FillNote {
    /// The same, where its price and its quantity are above zero: nothing else can be booked.
    ///
    /// # Errors
    /// [`WireError::Number`].
    pub fn checked(self) -> Result<Self, WireError> {
        let (price, qty) = (self.price.mantissa(), self.qty.mantissa());
        match [("fill price", price), ("fill quantity", qty)].into_iter().find(|(_, number)| *number <= 0) {
            None => Ok(self),
            Some((field, number)) => Err(WireError::Number {
                field,
                text: number.to_string(),
                why: format!("nothing fills at or below zero (fill {})", self.trade_id),
            }),
        }
    }
}

/// Something a private socket said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountNote {
    /// An order changed.
    Order(OrderNote),
    /// An order filled, in whole or part.
    Fill(FillNote),
    /// A balance changed.
    Balance(Balance),
    /// A position changed (the whole position, not the change).
    Position(Position),
    /// The number of the message that the following notes are from, as [`Note::Sequence`]: after a gap, open orders and
    /// fills must be asked for.
    Sequence(u64),
    /// Login was taken; subscriptions may follow.
    LoggedIn,
    /// The private stream is on.
    Ready,
    /// Login or subscription was refused.
    Refused(VenueError),
    /// An answer to our ping, or a heartbeat.
    Alive,
    /// The ticket expired or the venue will close: get a new one and connect anew.
    Leaving(String),
    /// Understood, and of no use to us.
    Ignored,
    /// A message of a kind that the codec does not know: reported, not fatal.
    Unexpected(String),
}

/// Something a trading socket said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TradeReply {
    /// Our request of a number was answered; a batch answers with several.
    Answered(u64, Result<Vec<ActReply>, VenueError>),
    /// Login was answered.
    LoggedIn(Result<(), VenueError>),
    /// The same socket also carries account notes (Binance).
    Account(Vec<AccountNote>),
    /// An answer to our ping, a heartbeat, or of no use to us.
    Ignored,
}
