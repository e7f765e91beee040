//! What a venue's folder provides: facts and a codec. Nothing else differs between venues.

use bellwether_sdk::{Decimal, InstrumentId, Interval, Ts};

use super::{
    AccountNote, Act, ActReply, Ask, Listings, Product, Reply, Request, Response, Sink, TradeReply, VenueError,
    WireError,
};
use crate::keys::{KeyError, Signer};

/// A market stream of one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Trades.
    Trades(InstrumentId),
    /// The best bid and offer.
    Quotes(InstrumentId),
    /// Depth, at least so many levels per side where the venue has a choice.
    Depth(InstrumentId, u32),
    /// Bars.
    Bars(InstrumentId, Interval),
    /// The current funding rate.
    Funding(InstrumentId),
}

impl Topic {
    /// Whose instrument.
    pub const fn instrument(&self) -> InstrumentId {
        match self {
            Self::Trades(id) | Self::Quotes(id) | Self::Depth(id, _) | Self::Bars(id, _) | Self::Funding(id) => *id,
        }
    }
}

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SocketUse {
    /// Market streams.
    Market,
    /// The account's private stream.
    Account,
    /// Orders.
    Trade,
}

/// A venue's addresses; each may be set by the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urls {
    /// REST, scheme and host, without a slash at the end.
    pub rest: String,
    /// Market streams.
    pub market: String,
    /// The private stream; empty where it shares the trading socket.
    pub account: String,
    /// The trading socket; empty where there is none.
    pub trade: String,
}

/// One connection to be opened and what is said on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The whole address.
    pub url: String,
    /// Said first, when it must be answered before anything else is said.
    pub login: Option<String>,
    /// Said after that, in order.
    pub messages: Vec<String>,
    /// The topics it carries, for the watchdog.
    pub topics: Vec<Topic>,
}

/// How a connection shows that it lives. WebSocket pings of the venue are answered by the transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// What we say, and every how many milliseconds; `None` when the venue wants nothing.
    pub say: Option<(String, u64)>,
    /// After so many milliseconds without any message or ping the connection is dead.
    pub dead_after_ms: u64,
}

/// How depth messages follow each other. Codecs put the venue's numbers into `first_id`, `last_id`, `prev_id` so that
/// [`Book::apply`](crate::market::book::Book::apply) can judge: a message follows when it names the last one as
/// `prev_id`, or, with `prev_id` zero, contains the change after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// By numbers.
    Numbers,
    /// Every message is a whole book.
    Snapshots,
    /// No numbers per book: [`Note::Sequence`](super::Note::Sequence) numbers all messages of a connection, and a gap there
    /// loses every book of it.
    Connection,
    /// No numbers: a checksum after each message (CRC-32 over the top ten levels, asks first, digits without points
    /// and leading zeros: Kraken's rule).
    Checksum,
}

/// Where a book's snapshot comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotBy {
    /// The stream sends it after the subscription; a gap is met by subscribing anew.
    Stream,
    /// It is asked for by [`Ask::Book`] of so many levels while changes wait.
    Rest(u32),
}

/// How a book is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookRule {
    /// How messages follow each other.
    pub continuity: Continuity,
    /// Where snapshots come from.
    pub snapshot: SnapshotBy,
    /// Whether only the subscribed count of levels is kept after each message (Kraken).
    pub truncate: bool,
}

/// A count that a venue keeps of what is done about orders, per instrument: [`Venue::cost`] is added to it, it falls
/// with time, and while it is full orders and changes of them are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActCount {
    /// How far it may go.
    pub max: u32,
    /// Milliseconds in which a full one falls to nothing.
    pub empties_ms: u64,
}

/// What a venue says was used so far of its limits, in the present minute and the present ten seconds, by all who share
/// them. `None` where it says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Request weight of a minute.
    pub weight: Option<u32>,
    /// Orders of ten seconds.
    pub orders: Option<u32>,
}

/// What is fixed of a venue's product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The venue's name as it stands in symbols.
    pub venue: &'static str,
    /// Which of its markets.
    pub product: Product,
    /// Where it is.
    pub urls: Urls,
    /// Where its test network is, if it has one.
    pub testnet: Option<Urls>,
    /// How books are kept.
    pub book: BookRule,
    /// How market and account connections show life.
    pub heartbeat: Heartbeat,
    /// The venue cuts connections after so many milliseconds; we change over before. `None` when it does not.
    pub connection_life_ms: Option<u64>,
    /// Request weight per minute.
    pub weight_per_minute: u32,
    /// Orders per ten seconds.
    pub orders_per_10s: u32,
    /// What it takes of a fill, maker and taker, in basis points, at the lowest tier of its public schedule: what an
    /// account pays depends on more. `None` where it is not known.
    pub fees_bps: Option<(Decimal, Decimal)>,
    /// The count of acts per instrument, where there is one.
    pub act_count: Option<ActCount>,
    /// Messages per second that we may say on one connection.
    pub says_per_second: u32,
    /// Whether the private stream needs [`Ask::StreamTicket`], and how often, milliseconds, it is kept alive.
    pub ticket: Option<u64>,
    /// Whether account notes come on the trading socket.
    pub account_on_trade: bool,
    /// Whether the next signed REST request is sent only when the one before was answered: where nonces have to rise in
    /// the order in which they arrive, requests that overtake each other are refused.
    pub signed_in_turn: bool,
    /// Whether cancelled and placed in one step is possible.
    pub cancel_replace: bool,
    /// Whether a resting order's price can be changed.
    pub amend: bool,
    /// Most orders in one request; 1 when the venue has no batches.
    pub batch_max: u32,
    /// The intervals of bars that one question covers: an empty answer says nothing of more.
    pub bars_page: u32,
    /// Where the venue answers with its newest bars only, whatever is asked for: how many.
    pub bars_kept: Option<u32>,
    /// Whether a balance is what was paid in and realised, without the unrealised profit of positions: only then cash of
    /// contracts can be compared.
    pub balance_is_wallet: bool,
    /// After an unknown outcome, "not found" is believed only so many milliseconds after the order was sent.
    pub settle_ms: u64,
}

/// The time and the number that a signature may need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The venue's time as we know it (our clock plus the measured offset).
    pub now: Ts,
    /// Rises strictly within a key's life: the milliseconds of `now`, or the last one plus one where that is not above
    /// it. (Hyperliquid takes only numbers near the time in milliseconds.)
    pub nonce: u64,
}

/// A venue's product: a codec without sockets, clocks, secrets or state.
///
/// What a venue does not have answers [`Fault::Unsupported`](super::Fault::Unsupported).
pub trait Venue: Send + Sync {
    /// What is fixed.
    fn facts(&self) -> &Facts;

    /// The venue's own name of a symbol, for asking before its instruments are known.
    fn guess_name(&self, symbol: &bellwether_sdk::Symbol) -> String;

    /// Why these instruments cannot be traded in one session; `None` where they can.
    fn not_together(&self, _listings: &Listings) -> Option<String> {
        None
    }

    // REST ---------------------------------------------------------------------------------------

    /// The request for a question.
    ///
    /// # Errors
    /// [`VenueError`] of class unsupported; or of class rejected when the instrument is not listed.
    fn ask(&self, ask: &Ask, listings: &Listings) -> Result<Request, VenueError>;

    /// A second request for the same question, where the venue needs two: Kraken keeps orders that are open and orders
    /// that ended apart, Bybit those that ended long ago. It is sent when the first was answered `unknown_order`, and read by [`reply`](Self::reply); only
    /// when that too says `unknown_order` the venue has no such order. `None` for all other questions and venues.
    fn ask_further(&self, _ask: &Ask, _listings: &Listings) -> Option<Request> {
        None
    }

    /// The request for what an answer left out, from where it [ended](Reply::SomeOrders) on.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask), and of class unsupported where answers are whole.
    fn ask_on(&self, _ask: &Ask, _ended: &str, _listings: &Listings) -> Result<Request, VenueError> {
        Err(VenueError::unsupported("the venue's answers are whole"))
    }

    /// Reads its answer, good or bad.
    ///
    /// # Errors
    /// [`VenueError`], sorted into its class.
    fn reply(&self, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError>;

    /// The REST request for an act.
    ///
    /// # Errors
    /// As [`ask`](Self::ask); or rejected where the order cannot be expressed.
    fn act(&self, act: &Act, listings: &Listings) -> Result<Request, VenueError>;

    /// Reads its answer, good or bad: one entry per order of the act.
    ///
    /// # Errors
    /// [`VenueError`], sorted into its class.
    fn act_reply(&self, act: &Act, response: &Response, listings: &Listings) -> Result<Vec<ActReply>, VenueError>;

    /// The requests that have the venue cancel our orders by itself, unless it is told so again within so many
    /// milliseconds (a dead man's switch); zero takes that back. None where the venue has no such thing. Which orders it
    /// cancels is the venue's own: all of the account, or of an instrument.
    fn cancel_after(&self, _within_ms: u64, _listings: &Listings) -> Vec<Request> {
        Vec::new()
    }

    /// Reads the answer to one of them.
    ///
    /// # Errors
    /// [`VenueError`], sorted into its class.
    fn cancel_after_reply(&self, _response: &Response) -> Result<(), VenueError> {
        Ok(())
    }

    /// What the venue says in an answer, good or bad, of its limits.
    fn used(&self, _response: &Response) -> Used {
        Used::default()
    }

    /// The same of a message of the trading socket that answers an act.
    fn used_said(&self, _text: &str) -> Used {
        Used::default()
    }

    /// What an act adds to the [count of acts](Facts::act_count), for each order that it concerns: one that was sent or
    /// changed so many milliseconds ago, or is sent now.
    fn cost(&self, _act: &Act, _age_ms: u64) -> u32 {
        0
    }

    /// Adds key, time and signature to a request.
    ///
    /// # Errors
    /// [`KeyError`] when the key is not of a kind that this venue takes.
    fn sign(&self, request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError>;

    /// A signed request that tries whether an order would be taken, without placing it; `None` where the venue has none.
    fn trial_order(&self) -> Option<Request> {
        None
    }

    /// A signed question after a key's end, where the venue tells that apart from what the key may do.
    fn key_end(&self) -> Option<Request> {
        None
    }

    /// Reads the answer to [`key_end`](Self::key_end): [`Ts::NONE`] for no end, `None` where the venue does not say it of
    /// this key.
    ///
    /// # Errors
    /// [`VenueError`], sorted into its class.
    fn key_end_reply(&self, _response: &Response, _signer: &dyn Signer) -> Result<Option<Ts>, VenueError> {
        Ok(None)
    }

    /// A signed request by which a key makes an end of itself; `None` where the venue has none.
    fn retire_key(&self) -> Option<Request> {
        None
    }

    /// Reads the answer to a [`trial_order`](Self::trial_order) or a [`retire_key`](Self::retire_key).
    ///
    /// # Errors
    /// [`VenueError`], sorted into its class.
    fn trial_reply(&self, response: &Response) -> Result<(), VenueError> {
        match response.is_ok() {
            true => Ok(()),
            false => Err(VenueError::of_status(response.status, false, &response.body)),
        }
    }

    // Market streams -----------------------------------------------------------------------------

    /// The connections that carry topics. Topics that the venue lacks are left out of every plan.
    fn market(&self, urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan>;

    /// The levels per side that a book really has when a topic asks for so many: what is kept after each message where
    /// the venue has only certain depths and sends no deletions beyond ([`BookRule::truncate`]).
    fn depth_levels(&self, asked: u32) -> u32 {
        asked
    }

    /// What to say on a live connection to get a fresh snapshot of a book, where the stream sends it: unsubscribe and
    /// subscribe.
    fn renew_book(&self, topic: Topic, listings: &Listings) -> Vec<String>;

    /// Reads a message of a market stream that was received at `now`. Trades, quotes and depth of listed instruments
    /// are read without allocation.
    ///
    /// # Errors
    /// [`WireError`] when it is not understood; the connection goes on.
    fn read_market(&self, text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError>;

    // The account --------------------------------------------------------------------------------

    /// The connection of the private stream; `None` where account notes come on the trading socket.
    ///
    /// # Errors
    /// [`KeyError`].
    fn account(
        &self,
        urls: &Urls,
        listings: &Listings,
        signer: &dyn Signer,
        ticket: &str,
        stamp: Stamp,
    ) -> Result<Option<Plan>, KeyError>;

    /// Reads a message of the private stream.
    ///
    /// # Errors
    /// [`WireError`] when it is not understood.
    fn read_account(&self, text: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError>;

    // The trading socket -------------------------------------------------------------------------

    /// The connection of the trading socket; `None` where there is none.
    ///
    /// # Errors
    /// [`KeyError`].
    fn trade(
        &self,
        urls: &Urls,
        listings: &Listings,
        signer: &dyn Signer,
        ticket: &str,
        stamp: Stamp,
    ) -> Result<Option<Plan>, KeyError>;

    /// An act as a message of the trading socket, with our number of the request; `None` where it goes by REST.
    ///
    /// # Errors
    /// [`VenueError`], as [`act`](Self::act) gives.
    fn say(
        &self,
        act: &Act,
        number: u64,
        listings: &Listings,
        signer: &dyn Signer,
        ticket: &str,
        stamp: Stamp,
    ) -> Result<Option<String>, VenueError>;

    /// Reads a message of the trading socket.
    ///
    /// # Errors
    /// [`WireError`] when it is not understood.
    fn read_trade(&self, text: &str, listings: &Listings) -> Result<TradeReply, WireError>;
}
