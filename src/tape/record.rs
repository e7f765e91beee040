//! What stands on a tape.

use bellwether_sdk::{
    Bar, Depth, Funding, Instrument, InstrumentId, Level, Liquidity, Money, OrderId, Price, Qty, Quote, Rate, Side,
    Symbol, Trade, Ts,
};
use serde::{Deserialize, Serialize};

use crate::engine::{Adoption, Ending, Event, Fresh, Person, Swap, Told};
use crate::orders::{Answer, reason_of};
use crate::risk::Hold;
use crate::signal::News;

/// One record: an input of the session, or an effect that it had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// What the session is made of; the first record.
    Start(Box<Start>),
    /// A trade.
    Trade(Trade),
    /// A quote.
    Quote(Quote),
    /// A complete bar.
    Bar(Bar),
    /// A bar's open print.
    OpenPrint(Bar),
    /// A depth message.
    Depth(DepthRecord),
    /// A funding settlement.
    Funding(Funding),
    /// A book was lost.
    BookLost(InstrumentId, Ts),
    /// The price of an instrument by a second source.
    Reference(InstrumentId, Price, Ts),
    /// Time came to here.
    Clock(Ts),
    /// A venue's answer.
    Answer(AnswerRecord, Ts),
    /// The session ended: cancel what is open, close positions.
    Stop(Ts, bool, bool),
    /// The session was taken up again.
    Resume(Ts),
    /// What the session did: one line in a fixed form.
    Effect(String),
    /// The hash of all orders and fills at the end.
    End(String),
    /// What a venue calls things: neither input nor effect, for going on at the venue after the session ended.
    Venue(VenueNote),
    /// News from outside the market.
    News(Box<News>),
    /// Entries were held, or released, by a cause of this name.
    Hold(String, bool, Ts),
    /// The kill switch: whether to close positions, who pulled it, and why.
    Kill(bool, String, String, Ts),
    /// A person armed the guard: who, and why.
    Arm(String, String, Ts),
    /// The tape goes on in its file of this number: the last record of a file.
    Continued(u32),
    /// A strategy took another's place.
    Swap(Box<Swap>, Ts),
    /// What others left at the venue was taken into the books.
    Adopt(Box<Adoption>, Ts),
    /// Earlier sessions of the day made so much on the account: a mantissa.
    Earlier(String, Ts),
}

/// What a venue calls things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum VenueNote {
    /// An order was sent again under a new client order id: its how manieth attempt, from 1.
    Attempt(OrderId, u64),
    /// The id of the fill that the next answer tells.
    Fill(OrderId, String),
    /// What an account has beside our books from now on: the number of its gateway, a currency or an instrument, and
    /// the amount.
    Aside(u64, String, String),
    /// Funding that the venue paid or took, by its id and at its time: the next answer tells it or (`false`) none does,
    /// because it is not ours.
    Paid(InstrumentId, String, Ts, bool),
    /// A difference was left alone: the number of the gateway, the currency or instrument, and by how much the venue had more
    /// than our books.
    Left(u64, String, String),
    /// Funding at a gateway is booked as the venue tells it, from this time of our clock on.
    Funding(u64, Ts),
}

/// What a session is made of: enough to build its engine again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Paper or live.
    pub mode: Mode,
    /// The upper half of its orders' ids at the venue.
    pub session: u64,
    /// The program's version.
    pub version: String,
    /// SHA-256 of the program's file, hex; empty where it could not be read.
    pub program: String,
    /// When it began, by the machine's clock.
    pub created: Ts,
    /// Settings as JSON, without secrets.
    pub settings: String,
    /// The instruments.
    pub instruments: Vec<InstrumentRecord>,
    /// Where the data comes from, for people.
    pub place: String,
    /// How many times real time the data was paced; zero for a live feed.
    pub pace: u32,
    /// The largest orders of the instruments, in their order; empty on tapes that were written before they were known.
    pub maxima: Vec<MaximaRecord>,
}

impl Start {
    /// The instrument of this place; `None` when there is none, or its values do not read.
    pub fn instrument(&self, id: InstrumentId) -> Option<Instrument> {
        let instrument = self.instruments.get(id.index())?.instrument(id)?;
        match self.maxima.get(id.index()) {
            None => Some(instrument),
            Some(max) => Some(Instrument {
                qty_max: max.qty_max,
                qty_max_market: max.qty_max_market,
                notional_max: max.notional_max.parse().ok()?,
                ..instrument
            }),
        }
    }
}

/// Who stood behind the exchange door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The simulated exchange: replay works its answers out again.
    Paper,
    /// A venue: replay takes its answers from the tape.
    Live,
}

impl Mode {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Live => "live",
        }
    }
}

/// An instrument as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstrumentRecord {
    /// Its name.
    pub symbol: Symbol,
    /// Digits of prices.
    pub price_scale: u8,
    /// Digits of quantities.
    pub qty_scale: u8,
    /// Price step.
    pub tick: Price,
    /// Quantity step.
    pub lot: Qty,
    /// Smallest quantity.
    pub qty_min: Qty,
    /// Smallest value, as text: it may be wider than 64 bits.
    pub notional_min: String,
    /// Units of base per contract.
    pub multiplier: i64,
    /// Whether the rules were inferred.
    pub inferred: bool,
    /// Maker and taker fee.
    pub fees: Option<(Rate, Rate)>,
    /// The kinds of data it had, by name.
    pub kinds: Vec<String>,
}

impl InstrumentRecord {
    /// What is to be written of an instrument.
    pub fn new(instrument: &Instrument, fees: Option<(Rate, Rate)>, kinds: Vec<String>) -> Self {
        Self {
            symbol: instrument.symbol.clone(),
            price_scale: instrument.price_scale,
            qty_scale: instrument.qty_scale,
            tick: instrument.tick,
            lot: instrument.lot,
            qty_min: instrument.qty_min,
            notional_min: instrument.notional_min.to_string(),
            multiplier: instrument.multiplier,
            inferred: instrument.inferred,
            fees,
            kinds,
        }
    }

    /// The instrument without its largest orders; `None` when its smallest value does not read.
    fn instrument(&self, id: InstrumentId) -> Option<Instrument> {
        Some(Instrument {
            tick: self.tick,
            lot: self.lot,
            qty_min: self.qty_min,
            notional_min: self.notional_min.parse().ok()?,
            multiplier: self.multiplier,
            inferred: self.inferred,
            ..Instrument::inferred(id, self.symbol.clone(), self.price_scale, self.qty_scale)
        })
    }
}

/// The largest orders of an instrument; zero for none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaximaRecord {
    /// Largest quantity.
    pub qty_max: Qty,
    /// Largest quantity of an order without a limit price, where it is another.
    pub qty_max_market: Qty,
    /// Largest value of an order with a limit price, as text.
    pub notional_max: String,
}

impl MaximaRecord {
    /// What is to be written of an instrument.
    pub fn new(instrument: &Instrument) -> Self {
        Self {
            qty_max: instrument.qty_max,
            qty_max_market: instrument.qty_max_market,
            notional_max: instrument.notional_max.to_string(),
        }
    }
}

/// A depth message with its levels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DepthRecord {
    /// Engine time.
    pub ts: Ts,
    /// The venue's time.
    pub ts_venue: Ts,
    /// Whether it replaces the book.
    pub snapshot: bool,
    /// First, last and previous number.
    pub ids: (i64, i64, i64),
    /// Whose instrument.
    pub instrument: InstrumentId,
    /// The levels.
    pub levels: Vec<Level>,
}

impl DepthRecord {
    fn of(depth: &Depth<'_>) -> Self {
        Self {
            ts: depth.ts,
            ts_venue: depth.ts_venue,
            snapshot: depth.snapshot,
            ids: (depth.first_id, depth.last_id, depth.prev_id),
            instrument: depth.instrument,
            levels: depth.levels.to_vec(),
        }
    }

    fn depth(&self) -> Depth<'_> {
        Depth {
            ts: self.ts,
            ts_venue: self.ts_venue,
            snapshot: self.snapshot,
            first_id: self.ids.0,
            last_id: self.ids.1,
            prev_id: self.ids.2,
            levels: &self.levels,
            instrument: self.instrument,
        }
    }
}

/// A venue's answer as it is written: reasons as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum AnswerRecord {
    /// Taken.
    Accepted(OrderId),
    /// Refused.
    Rejected(OrderId, String),
    /// Filled.
    Fill {
        /// The order.
        order: OrderId,
        /// Whose instrument.
        instrument: InstrumentId,
        /// Buy or sell.
        side: Side,
        /// The price.
        price: Price,
        /// The quantity.
        qty: Qty,
        /// What the exchange kept of it as its fee.
        withheld: Qty,
        /// The order's whole quantity.
        qty_total: Qty,
        /// Mantissa of the fee, as text: it may be wider than 64 bits.
        fee: String,
        /// Maker or taker.
        liquidity: Liquidity,
        /// Open time of the bar that filled it.
        bar_ts: Ts,
    },
    /// Cancelled.
    Cancelled(OrderId, String),
    /// Expired.
    Expired(OrderId, String),
    /// Funding.
    Funding(InstrumentId, String),
    /// Nobody knows yet what became of it.
    Unknown(OrderId),
}

impl AnswerRecord {
    /// What is to be written of an answer.
    pub fn of(answer: &Answer) -> Self {
        match *answer {
            Answer::Accepted(id) => Self::Accepted(id),
            Answer::Rejected(id, why) => Self::Rejected(id, why.to_owned()),
            Answer::Cancelled(id, why) => Self::Cancelled(id, why.to_owned()),
            Answer::Expired(id, why) => Self::Expired(id, why.to_owned()),
            Answer::Unknown(id) => Self::Unknown(id),
            Answer::Funding(instrument, amount) => Self::Funding(instrument, amount.mantissa().to_string()),
            Answer::Fill { order, instrument, side, price, qty, withheld, qty_total, fee, liquidity, bar_ts } => {
                Self::Fill {
                    order,
                    instrument,
                    side,
                    price,
                    qty,
                    withheld,
                    qty_total,
                    fee: fee.mantissa().to_string(),
                    liquidity,
                    bar_ts,
                }
            }
        }
    }

    /// The answer; `None` when an amount does not read. A reason that this program does not know becomes
    /// `venue_rejected`.
    pub fn answer(&self) -> Option<Answer> {
        let money = |text: &str| text.parse().ok().map(Money::from_mantissa);
        Some(match self {
            Self::Accepted(id) => Answer::Accepted(*id),
            Self::Rejected(id, why) => Answer::Rejected(*id, reason_of(why)),
            Self::Cancelled(id, why) => Answer::Cancelled(*id, reason_of(why)),
            Self::Expired(id, why) => Answer::Expired(*id, reason_of(why)),
            Self::Unknown(id) => Answer::Unknown(*id),
            Self::Funding(instrument, amount) => Answer::Funding(*instrument, money(amount)?),
            Self::Fill { order, instrument, side, price, qty, withheld, qty_total, fee, liquidity, bar_ts } => {
                Answer::Fill {
                    order: *order,
                    instrument: *instrument,
                    side: *side,
                    price: *price,
                    qty: *qty,
                    withheld: *withheld,
                    qty_total: *qty_total,
                    fee: money(fee)?,
                    liquidity: *liquidity,
                    bar_ts: *bar_ts,
                }
            }
        })
    }
}

impl Record {
    /// What is to be written of an input.
    pub fn of(told: &Told<'_>) -> Self {
        match told {
            Told::Market(Event::Trade(t)) => Self::Trade(**t),
            Told::Market(Event::Quote(q)) => Self::Quote(**q),
            Told::Market(Event::Bar(b)) => Self::Bar(**b),
            Told::Market(Event::Depth(d)) => Self::Depth(DepthRecord::of(d)),
            Told::Market(Event::Funding(f)) => Self::Funding(**f),
            Told::OpenPrint(bar) => Self::OpenPrint(**bar),
            Told::BookLost(id, at) => Self::BookLost(*id, *at),
            Told::Reference(id, price, at) => Self::Reference(*id, *price, *at),
            Told::Clock(at) => Self::Clock(*at),
            Told::Resume(at) => Self::Resume(*at),
            Told::Answer(answer, at) => Self::Answer(AnswerRecord::of(answer), *at),
            Told::Stop(at, ending) => Self::Stop(*at, ending.cancel, ending.close),
            Told::News(news) => Self::News(Box::new((*news).clone())),
            Told::Hold(hold, on, at) => Self::Hold(hold.name().to_owned(), *on, *at),
            Told::Kill(flatten, who, at) => Self::Kill(*flatten, who.operator.to_owned(), who.reason.to_owned(), *at),
            Told::Arm(who, at) => Self::Arm(who.operator.to_owned(), who.reason.to_owned(), *at),
            Told::Swap(swap, _, at) => Self::Swap(Box::new((*swap).clone()), *at),
            Told::Adopt(adoption, at) => Self::Adopt(Box::new((*adoption).clone()), *at),
            Told::Earlier(made, at) => Self::Earlier(made.mantissa().to_string(), *at),
        }
    }

    /// Hands an input to `hear`; `None` when the record is none, or holds an amount or a name that does not read. A strategy
    /// that takes another's place is not on a tape: `fresh` has it.
    pub fn tell<T>(&self, fresh: &Fresh, hear: impl FnOnce(Told<'_>) -> T) -> Option<T> {
        Some(match self {
            Self::Trade(t) => hear(Told::Market(Event::Trade(t))),
            Self::Quote(q) => hear(Told::Market(Event::Quote(q))),
            Self::Bar(b) => hear(Told::Market(Event::Bar(b))),
            Self::Depth(d) => hear(Told::Market(Event::Depth(&d.depth()))),
            Self::Funding(f) => hear(Told::Market(Event::Funding(f))),
            Self::OpenPrint(bar) => hear(Told::OpenPrint(bar)),
            Self::BookLost(id, at) => hear(Told::BookLost(*id, *at)),
            Self::Reference(id, price, at) => hear(Told::Reference(*id, *price, *at)),
            Self::Clock(at) => hear(Told::Clock(*at)),
            Self::Resume(at) => hear(Told::Resume(*at)),
            Self::Answer(answer, at) => hear(Told::Answer(answer.answer()?, *at)),
            Self::Stop(at, cancel, close) => hear(Told::Stop(*at, Ending { cancel: *cancel, close: *close })),
            Self::News(news) => hear(Told::News(news)),
            Self::Hold(name, on, at) => {
                let hold = Hold::ALL.into_iter().find(|h| h.name() == name)?;
                hear(Told::Hold(hold, *on, *at))
            }
            Self::Kill(flatten, operator, reason, at) => hear(Told::Kill(*flatten, Person { operator, reason }, *at)),
            Self::Arm(operator, reason, at) => hear(Told::Arm(Person { operator, reason }, *at)),
            Self::Swap(swap, at) => hear(Told::Swap(swap, fresh, *at)),
            Self::Adopt(adoption, at) => hear(Told::Adopt(adoption, *at)),
            Self::Earlier(made, at) => hear(Told::Earlier(Money::from_mantissa(made.parse().ok()?), *at)),
            Self::Start(_) | Self::Effect(_) | Self::End(_) | Self::Venue(_) | Self::Continued(_) => return None,
        })
    }

    /// Whether it is an input.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Start(_) | Self::Effect(_) | Self::End(_) | Self::Venue(_) | Self::Continued(_))
    }
}
