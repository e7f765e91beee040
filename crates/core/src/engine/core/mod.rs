//! The state machine: events and answers in, commands out.

mod actions;
mod adopt;
mod answers;
mod calm;
mod events;
mod finish;
mod guard;
mod news;
mod state;
mod swap;
mod targets;

use std::collections::{BTreeMap, VecDeque};

pub(super) use calm::Calm;

use bellwether_sdk::{
    AccountKind, Action, Bar, BookView, Bracket, Context, Depth, Fill, Funding, Instrument, InstrumentId,
    InstrumentKind, InstrumentView, Intent, Interval, Money, OpenOrder, OrderId, OrderKind, OrderState, OrderUpdate,
    Outbox, Price, Probe, Qty, Quote, Role, Side, Signal, Size, Strategy, Tag, TimeInForce, Trade, Ts, View,
};

use super::outcome::Outcome;
use super::record::{Hold, Recorder};
use super::slot::{Halt, OnHalt, Slot, SlotConfig};
use super::swap::{Seen, Swapped};
use super::timers::{Class, Due, Timers, Unsent};
use crate::market::Currency;
use crate::market::bars::BarBuilder;
use crate::market::book::{Applied, Book};
use crate::orders::{Answer, FillRecord, Named, Order, OrderError, OrderRecord, OrderType, Orders, PutAway};
use crate::portfolio::{Ledger, LotFill, PortfolioError, TradeRecord};
use crate::risk::{Approved, Guard, Pace, RiskView};
use crate::signal::{Combiner, Heard, Sized, SizingView, size};

/// Levels of a book that strategies see, per side.
const BOOK_LEVELS: usize = 20;

/// Actions of one event, and timers and orders at one time, before the engine calls it a flood.
const ACTIONS_MAX: usize = Outbox::ACTIONS_MAX;

/// Orders of a strategy that may be open at one time.
const OPEN_MAX: usize = 10_000;

/// Timers of a strategy that may be pending at one time.
const TIMERS_MAX: usize = 100_000;

/// Intervals of bars that a strategy may ask for, per instrument it was given.
const INTERVALS_MAX: usize = 16;

/// Bytes of the different tags of a strategy's orders: they are kept as long as the run lasts.
const WORDS_MAX: usize = 16 << 20;

/// Orders and trades there is room for from the start.
const ORDERS_ROOM: usize = 1 << 16;

/// The engine could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// An amount left the range of exact money.
    #[error(transparent)]
    Portfolio(#[from] PortfolioError),
    /// An order was asked for something that is impossible for it. (Of an exchange's answers these are refused and
    /// counted.)
    #[error(transparent)]
    Order(#[from] OrderError),
}

/// A market event.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A trade.
    Trade(&'a Trade),
    /// A quote.
    Quote(&'a Quote),
    /// A complete bar.
    Bar(&'a Bar),
    /// A depth message.
    Depth(&'a Depth<'a>),
    /// A funding settlement.
    Funding(&'a Funding),
}

/// What the engine wants done at the exchange.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Command {
    /// Place an order.
    Submit(Approved<Order>),
    /// End an order.
    Cancel(OrderId, InstrumentId),
}

/// What a strategy asked for, or what became of it, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Engine time.
    pub at: Ts,
    /// Index of the strategy.
    pub strategy: usize,
    /// About which instrument.
    pub instrument: InstrumentId,
    /// What.
    pub what: What,
    /// The words, with numbers.
    pub text: String,
}

/// Kinds of [`Said`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A signal was emitted.
    Signal,
    /// A signal made no order.
    Dropped,
    /// An order went out.
    Order,
    /// The guard refused an order.
    Refused,
    /// The exchange answered.
    Answer,
    /// A strategy is not called any more.
    Halted,
}

impl What {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Dropped => "dropped",
            Self::Order => "order",
            Self::Refused => "refused",
            Self::Answer => "answer",
            Self::Halted => "halted",
        }
    }
}

/// What an engine is made of.
pub struct EngineConfig {
    /// The instruments, by id.
    pub instruments: Vec<Instrument>,
    /// The currencies; the first is the reporting one.
    pub currencies: Vec<Currency>,
    /// Our books.
    pub ledger: Ledger,
    /// Cash or margin.
    pub account: AccountKind,
    /// The strategies, in order.
    pub slots: Vec<SlotConfig>,
    /// The guard.
    pub guard: Guard,
    /// Events per strategy and instrument that only warm up.
    pub warmup: u64,
    /// Length of the first candles of the report's chart.
    pub chart_width: Interval,
    /// Bars to build: instrument and interval, from trades or finer bars of the stream.
    pub build: Vec<(InstrumentId, Interval)>,
    /// Interval of the stream's own bars, per instrument, from which bars are built; `None`: from trades.
    pub bars_of_stream: Vec<Option<Interval>>,
}

/// The engine.
pub struct Engine {
    now: Ts,
    view: View,
    slots: Vec<Slot>,
    outbox: Outbox,
    orders: Orders,
    guard: Guard,
    ledger: Ledger,
    account: AccountKind,
    /// Whether a venue stands behind the door, and no simulated one.
    at_venue: bool,
    currencies: Vec<Currency>,
    timers: Timers,
    builders: Vec<BarBuilder>,
    bars_of_stream: Vec<Option<Interval>>,
    books: Vec<Book>,
    commands: Vec<Command>,
    /// What protects entries once they fill.
    brackets: BTreeMap<OrderId, targets::Awaited>,
    /// Protective orders that are open.
    protective: BTreeMap<OrderId, Order>,
    /// Protective orders that an order in flight replaced: they come back when it ends and what they guarded is left.
    replaced: BTreeMap<OrderId, Vec<Order>>,
    /// Targets that are held here, and those that are being tried, by their orders.
    targets: Vec<targets::Target>,
    tried: BTreeMap<OrderId, targets::Target>,
    /// Open orders that have closed something, with the profit of that so far: the guard counts an order once, at its end.
    unwinding: BTreeMap<OrderId, Money>,
    trades: Vec<TradeRecord>,
    /// Ended orders and closed trades that are kept; `None` for all.
    kept: Option<usize>,
    /// Trades that were put away, and these themselves where somebody wants them.
    trades_away: u64,
    trades_aside: Option<Vec<TradeRecord>>,
    recorder: Recorder,
    probe: Probe,
    warmup: u64,
    events: u64,
    /// Bars that strategies were told of.
    bars: u64,
    signals: u64,
    refusals: BTreeMap<Tag, u64>,
    dropped: BTreeMap<Tag, u64>,
    notes: Vec<String>,
    /// Answers that were impossible for their order.
    impossible: u64,
    /// Depth messages that did not follow the one before.
    book_gaps: u64,
    /// By instrument: the price of a second source; zero for none.
    references: Vec<Price>,
    /// By instrument: when its price was heard.
    price_at: Vec<Ts>,
    /// The time of the input that is being heard, where that runs on while something is due: at a venue's door.
    told_at: Ts,
    /// What was done about a trip of the guard.
    enforced: guard::Enforced,
    /// Whether the guard looks at equity.
    watching: bool,
    /// When orders went out within the last minute, where a limit asks for it.
    sent: VecDeque<Ts>,
    /// What became of wishes, in words, while somebody listens.
    log: Option<Vec<Said>>,
    /// Strategies that were halted, in order.
    halts: Vec<Halt>,
    /// What became of strategies that took another's place, in order.
    swaps: Vec<Swapped>,
    /// The messages from outside that were heard, and what their sources want.
    heard: Heard,
    combiner: Combiner,
    /// The signals that strategies emitted, while somebody takes them.
    emitted: Option<Vec<(usize, Signal)>>,
    /// Whether signals are emitted only, and no order is made.
    only_emits: bool,
    /// Whether a person has paused the run: only what reduces is sent.
    paused: bool,
    /// Set while the last orders of a run are made: strategies are no longer heard.
    closing: bool,
}

impl Engine {
    /// An engine before its first event.
    pub fn new(config: EngineConfig) -> Self {
        let count = config.instruments.len();
        let start = config.ledger.equity();
        let watching = config.guard.is_watching();
        let hold = config.instruments.first().map_or(Hold::Same, |first| {
            let (settles, reporting) = (config.ledger.terms(InstrumentId(0)).settle == 0, &config.currencies[0].code);
            match first.kind() {
                InstrumentKind::Inverse if settles => Hold::Inverse,
                _ if settles || first.symbol.quote() == reporting => Hold::Price,
                _ => Hold::Same,
            }
        });
        let view = View {
            instruments: config
                .instruments
                .into_iter()
                .map(|instrument| InstrumentView {
                    quote: Quote { instrument: instrument.id, ..Quote::default() },
                    instrument,
                    last: Price::ZERO,
                })
                .collect(),
            equity: start,
            equity_scale: config.currencies[0].scale,
            features: bellwether_sdk::Features::default(),
        };
        Self {
            now: Ts::NONE,
            view,
            slots: config.slots.into_iter().map(|s| Slot::new(s, count)).collect(),
            outbox: Outbox { actions: Vec::new(), next_order: 1 },
            orders: Orders::with_room(ORDERS_ROOM),
            guard: config.guard,
            ledger: config.ledger,
            account: config.account,
            at_venue: false,
            currencies: config.currencies,
            timers: Timers::default(),
            builders: config.build.into_iter().map(|(id, interval)| BarBuilder::new(id, interval)).collect(),
            bars_of_stream: config.bars_of_stream,
            books: vec![Book::default(); count],
            commands: Vec::new(),
            brackets: BTreeMap::new(),
            protective: BTreeMap::new(),
            replaced: BTreeMap::new(),
            targets: Vec::new(),
            tried: BTreeMap::new(),
            unwinding: BTreeMap::new(),
            trades: Vec::with_capacity(ORDERS_ROOM),
            kept: None,
            trades_away: 0,
            trades_aside: None,
            recorder: Recorder::new(count, config.chart_width, start, hold),
            probe: Probe::default(),
            warmup: config.warmup,
            events: 0,
            bars: 0,
            signals: 0,
            refusals: BTreeMap::new(),
            dropped: BTreeMap::new(),
            notes: Vec::new(),
            impossible: 0,
            book_gaps: 0,
            references: vec![Price::ZERO; count],
            price_at: vec![Ts::NONE; count],
            told_at: Ts::NONE,
            enforced: guard::Enforced::default(),
            watching,
            sent: VecDeque::new(),
            log: None,
            halts: Vec::new(),
            swaps: Vec::new(),
            heard: Heard::default(),
            combiner: Combiner::default(),
            emitted: None,
            only_emits: false,
            paused: false,
            closing: false,
        }
    }

    /// From now on what strategies ask for and what becomes of it is kept in words, for `explain`.
    pub fn listen(&mut self) {
        self.log.get_or_insert_default();
    }

    /// What was kept since the last call.
    pub fn take_said(&mut self) -> Vec<Said> {
        self.log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Keeps words while somebody listens.
    pub(super) fn say(&mut self, strategy: usize, instrument: InstrumentId, what: What, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(Said { at: self.now, strategy, instrument, what, text: text() });
        }
    }

    /// Tells every strategy that the run begins, at the time of its first event.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn start(&mut self, now: Ts) -> Result<(), EngineError> {
        self.now = now;
        for i in 0..self.slots.len() {
            let first = self.slots[i].own.instruments.first().copied().unwrap_or_default();
            if self.is_warming(i) {
                self.hear_in_warmup(i, first, |s, ctx| s.on_start(ctx))?;
            } else {
                self.hear(i, first, |s, ctx| s.on_start(ctx))?;
            }
        }
        Ok(())
    }

    /// Engine time.
    #[inline]
    pub fn now(&self) -> Ts {
        self.now
    }

    /// An input of this time is heard next. What is due before it leaves then, so the guard judges it by this time: after a
    /// pause a timer's own time is long over, and the price of then is old.
    #[inline]
    pub(in crate::engine) fn told_at(&mut self, at: Ts) {
        self.told_at = at;
    }

    /// When something is due by itself.
    #[inline]
    pub fn next_due(&self) -> Ts {
        self.timers.next()
    }

    /// The price of an instrument by a second source, which the guard holds against the first's.
    pub fn refer(&mut self, instrument: InstrumentId, price: Price) {
        self.references[instrument.index()] = price;
    }

    /// What all strategies see: prices, quotes, equity.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The book of an instrument, where it can be relied on.
    pub fn book(&self, id: InstrumentId) -> Option<&Book> {
        self.books.get(id.index()).filter(|b| b.is_valid())
    }

    /// Orders and fills so far.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Ended orders, their fills and closed trades are put away but for so many: see [`Engine::put_away`].
    pub fn keep_ended(&mut self, count: usize) {
        self.kept = Some(count);
    }

    /// What is put away is kept aside for the outcome.
    pub fn keep_archive(&mut self) {
        self.orders.keep_archive();
        self.trades_aside.get_or_insert_default();
    }

    /// Puts away what ended longest ago, where only so much is kept. Between inputs only: within one, orders that have just
    /// ended are still spoken of.
    pub fn put_away(&mut self) {
        let Some(kept) = self.kept else { return };
        let mut going = self.trades.len().saturating_sub(kept);
        if self.orders.is_full(kept) {
            let until = self.orders.put_away(kept, &named(&self.view, &self.slots));
            // Trades go with the orders of their time: they are not kept for hours where orders are for minutes.
            going = going.max(self.trades.partition_point(|t| t.exit_ts < until));
        } else if going <= kept / 4 {
            return;
        }
        let going = self.trades.drain(..going);
        self.trades_away += going.len() as u64;
        match &mut self.trades_aside {
            Some(aside) => aside.extend(going),
            None => drop(going),
        }
    }

    /// What was put away.
    pub fn put_away_counts(&self) -> PutAway {
        PutAway { trades: self.trades_away, ..self.orders.put_away_counts() }
    }

    /// The hash of all orders and fills so far: SHA-256, hex, of the canonical order records in order of creation, then the
    /// fills in order of time; before them, where orders were put away, their count and hash.
    pub fn order_hash(&self) -> String {
        self.orders.hash(&named(&self.view, &self.slots))
    }

    /// Open orders of all strategies.
    pub fn open_orders(&self) -> impl Iterator<Item = &OpenOrder> {
        self.slots.iter().flat_map(|s| &s.own.orders)
    }

    /// Equity before the first event, as a number for people.
    pub fn start_equity(&self) -> f64 {
        self.recorder.start_equity().to_f64(self.currencies[0].scale)
    }

    /// Digits of an instrument's settlement currency.
    pub fn money_scale(&self, instrument: InstrumentId) -> u8 {
        self.currencies[self.ledger.terms(instrument).settle].scale
    }

    /// The kind of its account.
    pub fn account_kind(&self) -> AccountKind {
        self.account
    }

    /// The code of the reporting currency.
    pub fn reporting(&self) -> &str {
        &self.currencies[0].code
    }

    /// The strategies' ids, in order.
    pub fn strategy_ids(&self) -> Vec<String> {
        self.slots.iter().map(|s| s.id.clone()).collect()
    }

    /// Strategies that are not called any more, in the order in which they were halted.
    pub fn halts(&self) -> &[Halt] {
        &self.halts
    }

    /// Market events heard so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Our books.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What is to be done at the exchange, in order; the caller takes it.
    #[inline]
    pub fn commands(&mut self) -> &mut Vec<Command> {
        &mut self.commands
    }

    /// Handles the earliest thing that is due before an event of `class` at `at`; says whether there was one.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn fire_before(&mut self, at: Ts, class: Class) -> Result<bool, EngineError> {
        let Some((ts, due)) = self.timers.take_before(at, class) else { return Ok(false) };
        self.now = self.now.max(ts);
        match due {
            Due::Timer(slot, _) if self.slots[slot].fired.is_over(self.now, ACTIONS_MAX) => {
                self.halt(slot, format!("more than {ACTIONS_MAX} timers at one time"));
            }
            Due::Unsent(slot, ..) if self.slots[slot].fired.is_over(self.now, ACTIONS_MAX) => {
                self.halt(slot, format!("it placed more than {ACTIONS_MAX} orders at one time that cannot leave"));
            }
            Due::Unsent(slot, instrument, order, why) => {
                let (ts, state, reason) = (self.now, OrderState::Rejected, why.reason());
                let update = OrderUpdate { order, instrument, ts, state, reason };
                if self.is_warming(slot) {
                    self.hear_in_warmup(slot, instrument, |s, ctx| s.on_order(ctx, &update))?;
                } else {
                    self.hear(slot, instrument, |s, ctx| s.on_order(ctx, &update))?;
                }
            }
            Due::Lapse(slot, order) => {
                if self.slots[slot].own.orders.iter().any(|o| o.id == order) {
                    self.cancel(slot, order);
                }
            }
            Due::Bar(builder) => {
                if let Some(bar) = self.builders[builder].take_due(self.now) {
                    self.deliver_bar(&bar)?;
                }
            }
            Due::Timer(slot, timer) => {
                let first = self.slots[slot].own.instruments.first().copied().unwrap_or_default();
                if let Some(trial) = &mut self.slots[slot].trial {
                    trial.fire(ts, timer);
                }
                if self.is_warming(slot) {
                    self.hear_in_warmup(slot, first, |s, ctx| s.on_timer(ctx, timer))?;
                } else {
                    self.hear(slot, first, |s, ctx| s.on_timer(ctx, timer))?;
                }
                if let Some(trial) = &mut self.slots[slot].trial {
                    trial.newcomers_own = false;
                }
            }
        }
        self.enforce();
        Ok(true)
    }

    /// Lets a strategy hear an event that counts for its warm-up.
    #[inline]
    fn tell(
        &mut self,
        i: usize,
        id: InstrumentId,
        hook: impl Fn(&mut dyn Strategy, &mut Context<'_>),
    ) -> Result<(), EngineError> {
        if self.warmup > 0 {
            let seen = &mut self.slots[i].seen[id.index()];
            *seen += 1;
            if *seen <= self.warmup {
                return self.hear_in_warmup(i, id, hook);
            }
        }
        self.hear(i, id, hook)
    }

    #[inline]
    fn hear(
        &mut self,
        i: usize,
        id: InstrumentId,
        hook: impl Fn(&mut dyn Strategy, &mut Context<'_>),
    ) -> Result<(), EngineError> {
        let slot = &mut self.slots[i];
        if self.closing || slot.halted {
            return Ok(());
        }
        if slot.trial.is_some() {
            return self.hear_on_trial(i, id, hook);
        }
        let mut ctx = Context::new(self.now, id, &self.view, &slot.own, &mut self.outbox);
        hook(slot.strategy.as_mut(), &mut ctx);
        if self.outbox.actions.is_empty() { Ok(()) } else { self.act(i) }
    }

    /// Whether a strategy has an instrument whose warm-up is not over.
    fn is_warming(&self, i: usize) -> bool {
        let slot = &self.slots[i];
        self.warmup > 0 && slot.own.instruments.iter().any(|id| slot.seen[id.index()] < self.warmup)
    }

    fn hear_in_warmup(
        &mut self,
        i: usize,
        id: InstrumentId,
        hook: impl Fn(&mut dyn Strategy, &mut Context<'_>),
    ) -> Result<(), EngineError> {
        let slot = &mut self.slots[i];
        if slot.halted {
            return Ok(());
        }
        let (on_trial, next_order) = (slot.trial.is_some(), self.outbox.next_order);
        let mut ctx = Context::new(self.now, id, &self.view, &slot.own, &mut self.outbox);
        hook(slot.strategy.as_mut(), &mut ctx);
        if on_trial && let Some(why) = self.failure() {
            self.outbox.actions.clear();
            self.outbox.next_order = next_order;
            let hears_it = self.take_back(i, format!("in the warm-up: {why}"));
            return if hears_it { self.hear_in_warmup(i, id, hook) } else { Ok(()) };
        }
        let asked = std::mem::take(&mut self.outbox.actions);
        let all = asked.len();
        for action in asked {
            match action {
                Action::Signal(signal) => self.drop_order(i, OrderId(0), signal.instrument, Unsent::WarmUp),
                Action::Place(order, intent) => self.drop_order(i, order, intent.instrument, Unsent::WarmUp),
                other => self.outbox.actions.push(other),
            }
        }
        let dropped = all - self.outbox.actions.len();
        if dropped > 0 {
            self.say(i, id, What::Dropped, || format!("{dropped} wishes of the warm-up do not count"));
        }
        self.act(i)
    }
}

/// The class of an event among those of equal time.
impl Event<'_> {
    /// Its place among events of equal time.
    pub const fn class(&self) -> Class {
        match self {
            Self::Funding(_) => Class::Funding,
            Self::Depth(_) => Class::Depth,
            Self::Quote(_) => Class::Quote,
            Self::Trade(_) => Class::Trade,
            Self::Bar(_) => Class::BarClose,
        }
    }

    /// Engine time at which it is known: of a bar, its close.
    pub const fn ts(&self) -> Ts {
        match self {
            Self::Funding(f) => f.ts,
            Self::Depth(d) => d.ts,
            Self::Quote(q) => q.ts,
            Self::Trade(t) => t.ts,
            Self::Bar(b) => b.ts_close,
        }
    }
}

/// What the numbers of instruments and strategies are called.
fn named<'a>(view: &'a View, slots: &'a [Slot]) -> Named<'a> {
    Named {
        instruments: view.instruments.iter().map(|v| &v.instrument).collect(),
        strategies: slots.iter().map(|s| s.id.as_str()).collect(),
    }
}
