//! The simulated exchange: behind the door of backtest and paper stands this instead of a venue.
//!
//! It takes orders and cancels, sees the market, and answers with what a venue would: acknowledged, rejected, filled,
//! cancelled, expired, funding, liquidation. It keeps its own books of the account, as a venue does, and never looks
//! into ours. Pure: no clock, no randomness.
//!
//! The caller feeds a market event, then calls [`Sim::advance`] until it has no more answers, carrying each to the
//! engine and the engine's new orders back before the next: inside one bar an entry's stop can so be hit.

mod account;
mod bars;
mod book;
mod orders;
mod profile;
mod ticks;

use bellwether_sdk::{Bar, Depth, Funding, Instrument, InstrumentId, OrderId, Price, Qty, Quote, Rate, Trade, Ts};
use serde::{Deserialize, Serialize};

use crate::market::book::Book;
use crate::orders::{Answer, Order};
use crate::portfolio::{Ledger, PortfolioError};
use crate::risk::Approved;

use account::adverse_extreme;
use bars::BarWalk;
use orders::Resting;
pub use profile::{Profile, ProfileError};

/// How much worse than the model's price a taker fill is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum SlippageModel {
    /// Not at all.
    #[default]
    None,
    /// A fraction of the price.
    Fraction(Rate),
    /// A count of ticks.
    Ticks(u32),
    /// A fraction of the price, times the order's share of the bar's or trade's quantity (at most 1).
    Volume(Rate),
}

/// How the exchange behaves.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// The fill rules.
    pub profile: Profile,
    /// `ohlc-path@1`: the extreme nearest to the open comes first (low on a tie), instead of the high.
    pub nearest_extreme_first: bool,
    /// Maker fee per instrument.
    pub maker: Vec<Rate>,
    /// Taker fee per instrument.
    pub taker: Vec<Rate>,
    /// Digits of the settlement currency per instrument.
    pub money_scales: Vec<u8>,
    /// Slippage of taker fills.
    pub slippage: SlippageModel,
    /// Nanoseconds from a decision until the order is here.
    pub latency_ns: i64,
    /// Shorts and leverage, or none.
    pub margin: Option<MarginTerms>,
}

/// `margin@1`: one cross-margined account; linear, inverse and borrowed spot positions alike.
/// [`LEAVES_OUT`](Self::LEAVES_OUT) says what is not in it.
#[derive(Debug, Clone, Copy)]
pub struct MarginTerms {
    /// Largest notional over equity, at [`Rate::SCALE`].
    pub leverage_max: Rate,
    /// Equity below this fraction of notional is liquidated.
    pub maintenance: Rate,
}

impl MarginTerms {
    /// Its name with version.
    pub const NAME: &'static str = "margin@1";
    /// What it leaves out, one sentence.
    pub const LEAVES_OUT: &'static str =
        "tiers, isolated margin, interest on what is borrowed, auto-deleveraging, insurance funds";
}

/// What goes to the exchange.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Message {
    Submit(Order),
    Cancel(OrderId, InstrumentId),
}

/// One instrument as the exchange sees it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Market {
    last: Price,
    /// The quantity of the last bar or trade, for the volume slippage model.
    last_qty: Qty,
    /// Open time of the bar that `last` comes from.
    bar_ts: Ts,
    /// The price of our last fill: where an order that protects it begins to follow.
    last_fill: Price,
    quote: Quote,
    book: Book,
    walk: Option<BarWalk>,
    resting: Vec<Resting>,
    /// Counts the looks of resting orders at the market.
    looks: u32,
    /// When our last fill was.
    last_fill_at: Ts,
    /// Prices between which no liquidation is possible.
    safe: (Price, Price),
}

impl Market {
    /// All resting orders are about to look at the market once more.
    fn look(&mut self) {
        self.looks = self.looks.wrapping_add(1);
    }

    /// The next order, from place `from` on, that has not had this look; now it has. What ends during a look moves the
    /// orders behind it: whoever goes on from an earlier place misses none of them.
    fn unseen(&mut self, from: usize) -> Option<usize> {
        let looks = self.looks;
        let at = from + self.resting.get(from..)?.iter().position(|r| r.looks != looks)?;
        self.resting[at].looks = looks;
        Some(at)
    }
}

/// An order that has yet to meet an open print.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Print {
    order: OrderId,
    market: usize,
    open: Price,
    bar_ts: Ts,
}

/// The simulated exchange.
#[derive(Debug)]
pub struct Sim {
    config: SimConfig,
    instruments: Vec<Instrument>,
    ledger: Ledger,
    markets: Vec<Market>,
    inbox: Vec<(Ts, Message)>,
    /// The earliest time at which something is due by itself: an arrival or an expiry.
    next_due: Ts,
    /// Whether an order has ever come that expires.
    expiries: bool,
    /// Orders that wait until all open prints of this moment have been seen.
    prints: Vec<Print>,
    answers: Vec<Answer>,
    now: Ts,
    /// The run is over: what closes positions fills at the last price.
    settling: bool,
}

/// What an exchange carries over: its books and markets, what is on its way, when something is due, whether an order has
/// come that expires, what waits for an open print, its time, and whether it settles.
pub(crate) type SimState = (Ledger, Vec<Market>, Vec<(Ts, Message)>, Ts, bool, Vec<Print>, Ts, bool);

impl Sim {
    /// Its state, to be carried over; `None` while it has something to answer.
    pub(crate) fn state(&self) -> Option<impl Serialize + '_> {
        let Self { ledger, markets, inbox, next_due, expiries, prints, now, settling, .. } = self;
        self.answers.is_empty().then_some((ledger, markets, inbox, next_due, expiries, prints, now, settling))
    }

    /// Takes up a state.
    pub(crate) fn take_up(&mut self, state: SimState) {
        (self.ledger, self.markets, self.inbox, self.next_due, self.expiries, self.prints, self.now, self.settling) =
            state;
        self.answers.clear();
    }

    /// Money comes into the account, or leaves it (below zero).
    ///
    /// # Errors
    /// [`PortfolioError`] when the amount does not fit.
    pub fn pay_in(&mut self, currency: usize, amount: bellwether_sdk::Money) -> Result<(), PortfolioError> {
        self.ledger.pay_in(currency, amount)
    }

    /// An exchange with an account whose books are `ledger`.
    pub fn new(config: SimConfig, instruments: Vec<Instrument>, ledger: Ledger) -> Self {
        let markets = instruments.iter().map(|_| Market::default()).collect();
        Self {
            config,
            instruments,
            ledger,
            markets,
            inbox: Vec::new(),
            next_due: Ts::MAX,
            expiries: false,
            prints: Vec::new(),
            answers: Vec::new(),
            now: Ts::NONE,
            settling: false,
        }
    }

    /// The maker fee of an instrument.
    pub fn maker_rate(&self, instrument: InstrumentId) -> Rate {
        self.config.maker[instrument.index()]
    }

    /// The taker fee of an instrument.
    pub fn taker_rate(&self, instrument: InstrumentId) -> Rate {
        self.config.taker[instrument.index()]
    }

    /// The exchange's own books of the account.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes an approved order; it arrives after the latency (orders that protect an entry ride with it).
    pub fn submit(&mut self, order: Approved<Order>, now: Ts) {
        let order = order.into_inner();
        let latency = if order.parent.0 == 0 { self.latency_ns() } else { 0 };
        self.post(now.plus(latency), Message::Submit(order));
    }

    /// Takes a cancel; it arrives after the latency.
    pub fn cancel(&mut self, order: OrderId, instrument: InstrumentId, now: Ts) {
        self.post(now.plus(self.latency_ns()), Message::Cancel(order, instrument));
    }

    /// What closes positions at the end does not travel.
    fn latency_ns(&self) -> i64 {
        if self.settling { 0 } else { self.config.latency_ns }
    }

    /// Makes a resting order smaller without losing its place in the queue: `qty` is its new whole quantity, above what
    /// has filled and below what it was. `false` when that is not so or no such order rests.
    pub fn reduce(&mut self, order: OrderId, instrument: InstrumentId, qty: Qty) -> bool {
        let mut resting = self.markets[instrument.index()].resting.iter_mut();
        let Some(r) = resting.find(|r| r.order.id == order) else { return false };
        let fits = qty.mantissa() > r.filled && qty.mantissa() < r.qty;
        if fits {
            r.qty = qty.mantissa();
        }
        fits
    }

    fn post(&mut self, at: Ts, message: Message) {
        self.next_due = self.next_due.min(at);
        self.inbox.push((at, message));
    }

    /// The exchange's time.
    #[inline]
    pub fn now(&self) -> Ts {
        self.now
    }

    /// From now on market orders fill at the last price on arrival, whatever the profile and the latency: how
    /// `--close-at-end` ends a run.
    pub fn settle_at_last(&mut self, now: Ts) {
        self.now = self.now.max(now);
        self.settling = true;
    }

    /// The session goes on after all: fills follow the profile again.
    pub fn reopen(&mut self) {
        self.settling = false;
    }

    /// When something is due by itself.
    #[inline]
    pub fn next_due(&self) -> Ts {
        self.next_due
    }

    /// Prices between which a trade or a bar changes nothing here but the last price: no order rests and no liquidation
    /// is possible. Empty when any event may matter.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    pub fn calm(&mut self, instrument: InstrumentId) -> Result<Option<(Price, Price)>, PortfolioError> {
        let i = instrument.index();
        let market = &self.markets[i];
        if !market.resting.is_empty() || market.walk.is_some() || !self.prints.is_empty() || !self.is_quiet() {
            return Ok(None);
        }
        if self.config.margin.is_none() || self.ledger.open_count() == 0 {
            return Ok(Some((Price::from_mantissa(i64::MIN), Price::from_mantissa(i64::MAX))));
        }
        if market.safe.1.is_zero() {
            self.find_safe(i)?;
        }
        Ok(Some(self.markets[i].safe))
    }

    /// Whether there is anything for [`Sim::advance`] to do.
    #[inline]
    pub fn is_quiet(&self) -> bool {
        self.answers.is_empty() && self.next_due > self.now
    }

    /// Whether orders wait for the end of a moment of open prints before `ts`.
    #[inline]
    pub(crate) fn has_prints_before(&self, ts: Ts) -> bool {
        self.prints.first().is_some_and(|p| p.bar_ts < ts)
    }

    /// Whether all is quiet and no bar is being walked: the next round would change nothing.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.is_quiet() && self.markets.iter().all(|m| m.walk.is_none())
    }

    /// Lets time pass to `now`: what is due arrives or expires, at its own time.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    pub fn pass_time(&mut self, now: Ts) -> Result<(), PortfolioError> {
        self.now = self.now.max(now);
        if self.next_due <= self.now {
            self.take_due()?;
        }
        Ok(())
    }

    /// Answers of the next thing that happens, into `out`; nothing when all is quiet.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    pub fn advance(&mut self, out: &mut Vec<Answer>) -> Result<(), PortfolioError> {
        if self.answers.is_empty() && self.next_due <= self.now {
            self.take_due()?;
        }
        if self.answers.is_empty() {
            for i in 0..self.markets.len() {
                if self.markets[i].walk.is_some() {
                    self.walk_bar(i)?;
                }
                if !self.answers.is_empty() {
                    break;
                }
            }
        }
        out.append(&mut self.answers);
        Ok(())
    }

    /// A bar's open print: market orders and what is gapped fill at it (bar profiles).
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    #[inline]
    pub fn on_bar_open(&mut self, bar: &Bar) -> Result<(), PortfolioError> {
        let i = bar.instrument.index();
        if !self.config.profile.needs_bars() {
            return self.see_aside(i, bar.open);
        }
        self.saw(i, bar.open, bar.volume, bar.ts_open)?;
        if !self.markets[i].resting.is_empty() {
            self.print_open(i, bar.open, bar.ts_open)?;
        }
        Ok(())
    }

    /// A complete bar: its range reaches stops and limits (bar profiles); continued by [`Sim::advance`].
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    #[inline]
    pub fn on_bar(&mut self, bar: &Bar) -> Result<(), PortfolioError> {
        let i = bar.instrument.index();
        if !self.config.profile.needs_bars() {
            return self.see_aside(i, bar.close);
        }
        if self.markets[i].resting.is_empty() {
            self.reach(i, adverse_extreme(bar, self.ledger.position(bar.instrument).qty), bar.ts_open)?;
            return self.saw(i, bar.close, bar.volume, bar.ts_open);
        }
        self.markets[i].walk = Some(BarWalk::new(bar, self.config.profile, self.config.nearest_extreme_first));
        self.walk_bar(i)
    }

    /// Whether a bar of an instrument is still being walked.
    #[inline]
    pub fn is_walking(&self, instrument: InstrumentId) -> bool {
        self.markets[instrument.index()].walk.is_some()
    }

    /// A trade of the market.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    #[inline]
    pub fn on_trade(&mut self, trade: &Trade) -> Result<(), PortfolioError> {
        let i = trade.instrument.index();
        self.saw(i, trade.price, trade.qty, Ts::NONE)?;
        if self.markets[i].resting.is_empty() {
            return Ok(());
        }
        match self.config.profile {
            Profile::Trade => self.fill_at_trade(i, trade),
            Profile::Book => self.trade_in_queue(i, trade),
            _ => Ok(()),
        }
    }

    /// A new best bid and offer.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    #[inline]
    pub fn on_quote(&mut self, quote: &Quote) -> Result<(), PortfolioError> {
        let i = quote.instrument.index();
        self.markets[i].quote = *quote;
        if self.config.profile == Profile::Quote {
            let mid = quote.mid();
            if !mid.is_zero() {
                self.saw(i, mid, Qty::ZERO, Ts::NONE)?;
            }
            if !self.markets[i].resting.is_empty() {
                self.fill_at_quote(i)?;
            }
        }
        Ok(())
    }

    /// A change of the book.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    pub fn on_depth(&mut self, depth: &Depth<'_>) -> Result<(), PortfolioError> {
        let i = depth.instrument.index();
        self.markets[i].book.apply(depth);
        if self.config.profile == Profile::Book {
            if let (Some((bid, _)), Some((ask, _))) = (self.markets[i].book.best_bid(), self.markets[i].book.best_ask())
            {
                let mid = Price::from_mantissa(bid.mantissa() + (ask.mantissa() - bid.mantissa()) / 2);
                self.saw(i, mid, Qty::ZERO, Ts::NONE)?;
            }
            if !self.markets[i].resting.is_empty() {
                self.fill_in_book(i)?;
            }
        }
        Ok(())
    }

    /// The book of an instrument cannot be trusted until its next snapshot: nothing fills in it until then.
    pub fn lose_book(&mut self, instrument: InstrumentId) {
        self.markets[instrument.index()].book = Book::default();
    }

    /// A funding settlement: positions in the instrument pay or receive.
    ///
    /// # Errors
    /// [`PortfolioError::Overflow`].
    pub fn on_funding(&mut self, funding: &Funding) -> Result<(), PortfolioError> {
        self.settle_funding(funding)
    }

    /// Bars beside the ticks that the profile fills at are for strategies: here they are a price until the first tick.
    fn see_aside(&mut self, i: usize, price: Price) -> Result<(), PortfolioError> {
        if self.markets[i].last.is_zero() { self.saw(i, price, Qty::ZERO, Ts::NONE) } else { Ok(()) }
    }

    /// A price was seen: positions are valued and, when they have to be, liquidated.
    #[inline]
    fn saw(&mut self, i: usize, price: Price, qty: Qty, bar_ts: Ts) -> Result<(), PortfolioError> {
        let market = &mut self.markets[i];
        market.last = price;
        market.last_qty = qty;
        market.bar_ts = bar_ts;
        if self.config.margin.is_some() && self.ledger.open_count() > 0 {
            if price > market.safe.0 && price < market.safe.1 {
                return Ok(());
            }
            return self.check_margin(i, price, bar_ts);
        }
        Ok(())
    }
}
