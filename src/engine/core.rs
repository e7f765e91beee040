//! The state machine: events and answers in, commands out.

use std::collections::BTreeMap;

use bellwether_sdk::{
    AccountKind, Action, Bar, BookView, Bracket, Context, Depth, Fill, Funding, Instrument, InstrumentId,
    InstrumentView, Intent, Interval, Money, OpenOrder, OrderId, OrderKind, OrderState, OrderUpdate, Outbox, Price,
    Probe, Qty, Quote, Role, Side, Signal, Size, Strategy, TimeInForce, Trade, Ts, View,
};

use super::outcome::Outcome;
use super::record::Recorder;
use super::slot::{Slot, SlotConfig};
use super::timers::{Class, Due, Timers};
use crate::market::bars::BarBuilder;
use crate::market::book::{Applied, Book};
use crate::market::{Currency, mid};
use crate::orders::{Answer, FillRecord, Order, OrderError, Orders, order_hash};
use crate::portfolio::{Ledger, LotFill, PortfolioError, TradeRecord};
use crate::risk::{Approved, Guard, RiskView};
use crate::signal::{Sized, SizingView, size};

/// Levels of a book that strategies see, per side.
const BOOK_LEVELS: usize = 20;

/// Actions one event may cause before the engine calls it a flood.
const ACTIONS_MAX: usize = 10_000;

/// The engine could not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// An amount left the range of exact money.
    #[error(transparent)]
    Portfolio(#[from] PortfolioError),
    /// The venue said something impossible of an order.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// A strategy asked for more in one event than anybody means.
    #[error("strategy {strategy} asked for {asked} actions in one event; the limit is {ACTIONS_MAX}")]
    Flood {
        /// Its id.
        strategy: String,
        /// How many.
        asked: usize,
    },
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
    currencies: Vec<Currency>,
    timers: Timers,
    builders: Vec<BarBuilder>,
    bars_of_stream: Vec<Option<Interval>>,
    books: Vec<Book>,
    commands: Vec<Command>,
    /// What protects an entry once it fills.
    brackets: BTreeMap<OrderId, Bracket>,
    /// Protective orders that are open.
    protective: BTreeMap<OrderId, Order>,
    /// Protective orders that an order in flight replaced: they come back when the exchange refuses it.
    replaced: BTreeMap<OrderId, Vec<Order>>,
    /// When something was last due, and how often at that very time.
    fired: (Ts, usize),
    trades: Vec<TradeRecord>,
    recorder: Recorder,
    warmup: u64,
    events: u64,
    /// Bars that strategies were told of.
    bars: u64,
    signals: u64,
    refusals: BTreeMap<&'static str, u64>,
    dropped: BTreeMap<&'static str, u64>,
    notes: Vec<String>,
    /// Set while the last orders of a run are made: strategies are no longer heard.
    closing: bool,
}

impl Engine {
    /// An engine before its first event.
    pub fn new(config: EngineConfig) -> Self {
        let count = config.instruments.len();
        let start = config.ledger.equity();
        let view = View {
            instruments: config
                .instruments
                .into_iter()
                .map(|instrument| InstrumentView { instrument, last: Price::ZERO, quote: Quote::default() })
                .collect(),
            equity: start,
            equity_scale: config.currencies[0].scale,
        };
        Self {
            now: Ts::NONE,
            view,
            slots: config.slots.into_iter().map(|s| Slot::new(s, count)).collect(),
            outbox: Outbox { actions: Vec::new(), next_order: 1 },
            orders: Orders::default(),
            guard: config.guard,
            ledger: config.ledger,
            account: config.account,
            currencies: config.currencies,
            timers: Timers::default(),
            builders: config.build.into_iter().map(|(id, interval)| BarBuilder::new(id, interval)).collect(),
            bars_of_stream: config.bars_of_stream,
            books: vec![Book::default(); count],
            commands: Vec::new(),
            brackets: BTreeMap::new(),
            protective: BTreeMap::new(),
            replaced: BTreeMap::new(),
            fired: (Ts::NONE, 0),
            trades: Vec::new(),
            recorder: Recorder::new(count, config.chart_width, start),
            warmup: config.warmup,
            events: 0,
            bars: 0,
            signals: 0,
            refusals: BTreeMap::new(),
            dropped: BTreeMap::new(),
            notes: Vec::new(),
            closing: false,
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

    /// When something is due by itself.
    #[inline]
    pub fn next_due(&self) -> Ts {
        self.timers.next()
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
        self.fired = if self.fired.0 == self.now { (self.now, self.fired.1 + 1) } else { (self.now, 1) };
        match due {
            Due::Timer(slot, _) if self.fired.1 > ACTIONS_MAX => {
                return Err(EngineError::Flood { strategy: self.slots[slot].id.clone(), asked: self.fired.1 });
            }
            Due::Bar(builder) => {
                if let Some(bar) = self.builders[builder].take_due(self.now) {
                    self.deliver_bar(&bar)?;
                }
            }
            Due::Timer(slot, timer) => {
                let first = self.slots[slot].own.instruments.first().copied().unwrap_or_default();
                if self.is_warming(slot) {
                    self.hear_in_warmup(slot, first, |s, ctx| s.on_timer(ctx, timer))?;
                } else {
                    self.hear(slot, first, |s, ctx| s.on_timer(ctx, timer))?;
                }
            }
        }
        Ok(true)
    }

    /// Takes a market event. Exchange answers it caused go in first, by [`Engine::on_answer`].
    ///
    /// # Errors
    /// [`EngineError`].
    #[inline(always)]
    pub fn on_event(&mut self, event: Event<'_>) -> Result<(), EngineError> {
        self.events += 1;
        match event {
            Event::Trade(trade) => self.on_trade(trade),
            Event::Quote(quote) => self.on_quote(quote),
            Event::Bar(bar) => self.on_bar(bar),
            Event::Depth(depth) => self.on_depth(depth),
            Event::Funding(funding) => self.on_funding(funding),
        }
    }

    #[inline]
    fn on_trade(&mut self, trade: &Trade) -> Result<(), EngineError> {
        let id = trade.instrument;
        self.pass_time(trade.ts);
        self.recorder.price(id, self.now, trade.price, trade.qty);
        self.mark(id, trade.price)?;
        for i in 0..self.builders.len() {
            if self.builders[i].instrument() == id && self.bars_of_stream[id.index()].is_none() {
                let due = self.builders[i].trade(trade.ts, trade.price, trade.qty);
                if let Some(at) = due {
                    self.timers.add(at, Due::Bar(i));
                }
            }
        }
        for i in 0..self.slots.len() {
            if self.slots[i].input.trades && self.slots[i].trades_it[id.index()] {
                self.tell(i, id, |s, ctx| s.on_trade(ctx, trade))?;
            }
        }
        Ok(())
    }

    /// Takes trades of one instrument for as long as each concerns nothing but one strategy and the value of the
    /// position: before `horizon`, at prices inside `band`. Ends after the trade at which the strategy asks for
    /// something. Gives how many were taken; what [`Engine::on_event`] does with each, this does, only without asking
    /// again at every tick what cannot have changed.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn calm_trades(&mut self, trades: &[Trade], horizon: Ts, band: (Price, Price)) -> Result<usize, EngineError> {
        let Some(id) = trades.first().map(|t| t.instrument) else { return Ok(0) };
        let mut hearing =
            (0..self.slots.len()).filter(|i| self.slots[*i].input.trades && self.slots[*i].trades_it[id.index()]);
        let (Some(listener), None) = (hearing.next(), hearing.next()) else { return Ok(0) };
        let Some(per_unit) = self.ledger.equity_per_price_unit(id) else { return Ok(0) };
        let built = self.builders.iter().any(|b| b.instrument() == id);
        if built || self.warmup > 0 || self.closing || !self.commands.is_empty() {
            return Ok(0);
        }
        let horizon = horizon.min(self.timers.next()).min(self.recorder.next_due());
        let exposed = self.ledger.open_count() > 0;
        let mut equity = self.ledger.equity().mantissa();
        let mut mark = self.ledger.position(id).mark.mantissa();
        let mut taken = 0;
        for trade in trades {
            let price = trade.price;
            if trade.ts >= horizon || trade.ts < self.now || price <= band.0 || price >= band.1 {
                break;
            }
            taken += 1;
            self.now = trade.ts;
            self.recorder.price(id, trade.ts, price, trade.qty);
            equity += i128::from(price.mantissa() - mark) * i128::from(per_unit);
            mark = price.mantissa();
            let money = Money::from_mantissa(equity);
            self.view.instruments[id.index()].last = price;
            self.view.equity = money;
            self.recorder.equity(trade.ts, money, exposed);
            let slot = &mut self.slots[listener];
            let mut ctx = Context::new(trade.ts, id, &self.view, &slot.own, &mut self.outbox);
            slot.strategy.on_trade(&mut ctx, trade);
            if !self.outbox.actions.is_empty() {
                break;
            }
        }
        self.events += taken as u64;
        if taken > 0 {
            self.ledger.mark(id, Price::from_mantissa(mark))?;
        }
        if !self.outbox.actions.is_empty() {
            self.act(listener)?;
        }
        Ok(taken)
    }

    fn on_quote(&mut self, quote: &Quote) -> Result<(), EngineError> {
        let id = quote.instrument;
        self.pass_time(quote.ts);
        self.view.instruments[id.index()].quote = *quote;
        let mid = mid(quote);
        if !mid.is_zero() {
            self.recorder.price(id, self.now, mid, Qty::ZERO);
            self.mark(id, mid)?;
        }
        for i in 0..self.slots.len() {
            if self.slots[i].input.quotes && self.slots[i].trades_it[id.index()] {
                self.tell(i, id, |s, ctx| s.on_quote(ctx, quote))?;
            }
        }
        Ok(())
    }

    fn on_bar(&mut self, bar: &Bar) -> Result<(), EngineError> {
        let id = bar.instrument;
        // Before the bar's own candle begins, the old one ends.
        self.pass_time(bar.ts_open);
        self.recorder.candle(id, bar.ts_open, [bar.open, bar.high, bar.low, bar.close], bar.volume);
        self.now = self.now.max(bar.ts_close);
        self.mark(id, bar.close)?;
        for i in 0..self.builders.len() {
            let builder = &mut self.builders[i];
            if builder.instrument() == id
                && builder.interval() != bar.interval
                && self.bars_of_stream[id.index()] == Some(bar.interval)
                && let Some(at) = builder.bar(bar)
            {
                self.timers.add(at, Due::Bar(i));
            }
        }
        self.deliver_bar(bar)
    }

    fn deliver_bar(&mut self, bar: &Bar) -> Result<(), EngineError> {
        for i in 0..self.slots.len() {
            if self.slots[i].wants_bars(bar.instrument, bar.interval) {
                self.bars += 1;
                self.tell(i, bar.instrument, |s, ctx| s.on_bar(ctx, bar))?;
            }
        }
        Ok(())
    }

    fn on_depth(&mut self, depth: &Depth<'_>) -> Result<(), EngineError> {
        let id = depth.instrument;
        self.pass_time(depth.ts);
        match self.books[id.index()].apply(depth) {
            Applied::Changed => {}
            Applied::PassedOver => return Ok(()),
            Applied::Gap => {
                *self.dropped.entry("book_gap").or_default() += 1;
                return Ok(());
            }
        }
        let book = &self.books[id.index()];
        let bids: Vec<_> = book.levels(Side::Buy).take(BOOK_LEVELS).collect();
        let asks: Vec<_> = book.levels(Side::Sell).take(BOOK_LEVELS).collect();
        let (Some(bid), Some(ask)) = (bids.first(), asks.first()) else { return Ok(()) };
        let quote = Quote {
            ts: depth.ts,
            ts_venue: depth.ts_venue,
            bid: bid.0,
            bid_qty: bid.1,
            ask: ask.0,
            ask_qty: ask.1,
            instrument: id,
        };
        self.view.instruments[id.index()].quote = quote;
        let mid = mid(&quote);
        self.recorder.price(id, self.now, mid, Qty::ZERO);
        self.mark(id, mid)?;
        let book = BookView { ts: self.now, instrument: id, bids: &bids, asks: &asks };
        for i in 0..self.slots.len() {
            if self.slots[i].input.depth && self.slots[i].trades_it[id.index()] {
                self.tell(i, id, |s, ctx| s.on_book(ctx, &book))?;
            }
        }
        Ok(())
    }

    fn on_funding(&mut self, funding: &Funding) -> Result<(), EngineError> {
        self.pass_time(funding.ts);
        for i in 0..self.slots.len() {
            if self.slots[i].trades_it[funding.instrument.index()] {
                self.hear(i, funding.instrument, |s, ctx| s.on_funding(ctx, funding))?;
            }
        }
        Ok(())
    }

    #[inline]
    fn pass_time(&mut self, ts: Ts) {
        self.now = self.now.max(ts);
        if self.recorder.is_due(ts) && self.recorder.pass_time(ts) {
            self.observe(ts);
        }
    }

    #[cold]
    fn observe(&mut self, ts: Ts) {
        let mut probe = Probe::default();
        for slot in &self.slots {
            let Some(first) = slot.own.instruments.first() else { continue };
            probe.values.clear();
            slot.strategy.observe(&mut probe);
            for (name, value) in &probe.values {
                self.recorder.observed(*first, format!("{}: {name}", slot.id), *value);
            }
        }
        self.recorder.end_candles(ts);
    }

    #[inline(always)]
    fn mark(&mut self, id: InstrumentId, price: Price) -> Result<(), EngineError> {
        self.view.instruments[id.index()].last = price;
        // The equity stays in registers: reading it back from where it was just written would wait for the store.
        let equity = self.ledger.mark(id, price)?;
        self.view.equity = equity;
        self.recorder.equity(self.now, equity, self.ledger.open_count() > 0);
        Ok(())
    }

    /// Lets a strategy hear an event that counts for its warm-up.
    #[inline]
    fn tell(
        &mut self,
        i: usize,
        id: InstrumentId,
        hook: impl FnOnce(&mut dyn Strategy, &mut Context<'_>),
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
        hook: impl FnOnce(&mut dyn Strategy, &mut Context<'_>),
    ) -> Result<(), EngineError> {
        if self.closing {
            return Ok(());
        }
        let slot = &mut self.slots[i];
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
        hook: impl FnOnce(&mut dyn Strategy, &mut Context<'_>),
    ) -> Result<(), EngineError> {
        let slot = &mut self.slots[i];
        let mut ctx = Context::new(self.now, id, &self.view, &slot.own, &mut self.outbox);
        hook(slot.strategy.as_mut(), &mut ctx);
        let before = self.outbox.actions.len();
        self.outbox.actions.retain(|a| !matches!(a, Action::Signal(_) | Action::Place(..)));
        let dropped = (before - self.outbox.actions.len()) as u64;
        if dropped > 0 {
            *self.dropped.entry("warm_up").or_default() += dropped;
        }
        self.act(i)
    }

    /// Carries out what a strategy asked for, in order.
    fn act(&mut self, i: usize) -> Result<(), EngineError> {
        let asked = self.outbox.actions.len();
        if asked > ACTIONS_MAX {
            return Err(EngineError::Flood { strategy: self.slots[i].id.clone(), asked });
        }
        let mut actions = std::mem::take(&mut self.outbox.actions);
        for action in actions.drain(..) {
            match action {
                Action::Signal(signal) => self.on_signal(i, signal),
                Action::Place(id, intent) => {
                    self.place(i, id, &intent, Role::Intent);
                }
                Action::Cancel(id) => self.cancel(i, id),
                Action::CancelAll(instrument) => self.cancel_where(i, |o, _| o.instrument == instrument),
                Action::Timer(at, timer) => self.timers.add(at.max(self.now), Due::Timer(i, timer)),
                Action::SubscribeBars(instrument, interval) => self.subscribe(i, instrument, interval),
            }
        }
        // The memory is used again by the next event.
        self.outbox.actions = actions;
        Ok(())
    }

    fn subscribe(&mut self, i: usize, instrument: InstrumentId, interval: Interval) {
        self.slots[i].more_bars.push((instrument, interval));
        let known = self.builders.iter().any(|b| b.instrument() == instrument && b.interval() == interval);
        match self.bars_of_stream[instrument.index()] {
            Some(own) if own == interval => {}
            Some(own) if !interval.is_multiple_of(own) => {
                let symbol = &self.view.instruments[instrument.index()].instrument.symbol;
                self.notes
                    .push(format!("{}: bars of {interval} for {symbol} cannot be built from {own}", self.slots[i].id));
            }
            _ if !known => self.builders.push(BarBuilder::new(instrument, interval)),
            _ => {}
        }
    }

    fn on_signal(&mut self, i: usize, mut signal: Signal) {
        self.signals += 1;
        if signal.id == 0 {
            signal.id = self.signals;
        }
        let slot = &self.slots[i];
        let id = signal.instrument;
        let pending = slot
            .own
            .orders
            .iter()
            .filter(|o| o.instrument == id && self.orders.get(o.id).is_ok_and(|r| r.role == Role::Signal))
            .map(|o| o.side.sign())
            .next_back();
        let settle = self.ledger.terms(id).settle;
        let sized = size(
            &signal,
            &slot.sizer,
            &SizingView {
                instrument: &self.view.instruments[id.index()].instrument,
                position: slot.lots[id.index()].qty(),
                pending: pending.map(|_| self.position_after(i, id)),
                equity: self.view.equity.to_f64(self.view.equity_scale),
                quote_per_reporting: self.rate_of(settle),
                shorts: self.account == AccountKind::Margin,
                now: self.now,
            },
        );
        match sized {
            Sized::Nothing(reason) => *self.dropped.entry(reason).or_default() += 1,
            Sized::CancelPending => {
                self.cancel_where(i, |o, role| o.instrument == id && role == Role::Signal);
            }
            Sized::Order(intent) => {
                // A new wish replaces what is left of the last one, and the protection of what it undoes.
                let order = OrderId(self.outbox.next_order);
                self.outbox.next_order += 1;
                let before = self.commands.len();
                if self.place(i, order, &intent, Role::Signal) {
                    self.replace_orders(i, id, order, before);
                }
            }
        }
    }

    /// Sign of the position when all sized orders in flight have filled; 2 × sign never occurs.
    fn position_after(&self, i: usize, id: InstrumentId) -> i64 {
        let mut position = self.slots[i].lots[id.index()].qty().mantissa();
        for open in self.slots[i].own.orders.iter().filter(|o| o.instrument == id) {
            let Ok(record) = self.orders.get(open.id) else { continue };
            if record.role != Role::Signal {
                continue;
            }
            if record.notional != 0 && record.qty.is_zero() {
                return record.side.sign();
            }
            position += record.side.sign() * (record.qty.mantissa() - record.filled.mantissa());
        }
        position.signum()
    }

    /// Units of a settlement currency per unit of the reporting one.
    fn rate_of(&self, settle: usize) -> f64 {
        if settle == 0 {
            return 1.0;
        }
        let one = i128::from(bellwether_sdk::num::pow10(self.currencies[0].scale));
        let converted = self.ledger.from_reporting(settle, Money::from_mantissa(one));
        converted.map_or(0.0, |m| m.to_f64(self.currencies[settle].scale))
    }

    /// Cancels what an accepted order replaces, ahead of it; protection is remembered until the exchange has taken it.
    fn replace_orders(&mut self, i: usize, id: InstrumentId, by: OrderId, ahead_of: usize) {
        let others = self.slots[i].own.orders.iter().filter(|o| o.instrument == id && o.id != by);
        let old: Vec<OrderId> = others.map(|o| o.id).collect();
        let protection: Vec<Order> = old.iter().filter_map(|o| self.protective.get(o)).copied().collect();
        if !protection.is_empty() {
            self.replaced.insert(by, protection);
        }
        self.commands.splice(ahead_of..ahead_of, old.into_iter().map(|order| Command::Cancel(order, id)));
    }

    /// The exchange refused an order that had replaced protection: the protection comes back.
    fn restore_protection(&mut self, refused: OrderId) {
        let Some(old) = self.replaced.remove(&refused) else { return };
        let mut group = OrderId(0);
        for mut order in old {
            order.id = OrderId(self.outbox.next_order);
            self.outbox.next_order += 1;
            if group.0 == 0 {
                group = order.id;
            }
            order.oco = group;
            if self.send(order) {
                self.protective.insert(order.id, order);
            }
        }
    }

    /// A strategy's position is closed: what protected it has nothing left to do.
    fn drop_protection(&mut self, i: usize, id: InstrumentId) {
        let strategy = i as u16;
        let done = self.protective.values().filter(|o| o.strategy == strategy && o.instrument == id);
        self.commands.extend(done.map(|o| Command::Cancel(o.id, id)));
    }

    fn cancel_where(&mut self, i: usize, which: impl Fn(&OpenOrder, Role) -> bool) {
        for open in &self.slots[i].own.orders {
            let role = self.orders.get(open.id).map_or(Role::Intent, |r| r.role);
            if which(open, role) {
                self.commands.push(Command::Cancel(open.id, open.instrument));
            }
        }
    }

    /// Whether a strategy is alone in an instrument: then its position is the account's, and the exchange may judge
    /// what only makes it smaller.
    fn is_alone(&self, i: usize, id: InstrumentId) -> bool {
        self.slots.iter().enumerate().all(|(j, s)| j == i || !s.trades_it[id.index()])
    }

    fn cancel(&mut self, i: usize, id: OrderId) {
        match self.slots[i].own.orders.iter().find(|o| o.id == id) {
            Some(open) => self.commands.push(Command::Cancel(id, open.instrument)),
            None => *self.dropped.entry("cancel_of_no_open_order").or_default() += 1,
        }
    }

    /// Makes an order of an intent, asks risk, and sends it.
    fn place(&mut self, i: usize, id: OrderId, intent: &Intent, role: Role) -> bool {
        let tag = self.orders.words.intern(&intent.tag);
        let order = Order {
            id,
            strategy: i as u16,
            instrument: intent.instrument,
            side: intent.side,
            size: intent.size,
            kind: intent.kind,
            tif: intent.tif,
            post_only: intent.post_only,
            reduce_only: intent.reduce_only && (role == Role::Intent || self.is_alone(i, intent.instrument)),
            role,
            parent: OrderId(0),
            oco: OrderId(0),
            tag,
        };
        let sent = self.send(order);
        if sent && !intent.bracket.is_empty() {
            self.brackets.insert(id, intent.bracket);
        }
        sent
    }

    /// Enters an order, asks risk, and sends it if approved.
    fn send(&mut self, order: Order) -> bool {
        let index = order.instrument.index();
        let i = order.strategy as usize;
        self.orders.create(&order, self.now);
        let open_orders =
            self.slots.iter().flat_map(|s| &s.own.orders).filter(|o| o.instrument == order.instrument).count();
        let terms = self.ledger.terms(order.instrument);
        let view = RiskView {
            instrument: &self.view.instruments[index].instrument,
            terms,
            money_scale: self.currencies[terms.settle].scale,
            position: self.ledger.position(order.instrument),
            last: self.view.instruments[index].last,
            open_orders: u32::try_from(open_orders).unwrap_or(u32::MAX),
        };
        match self.guard.approve(order, &view) {
            Ok(approved) => {
                self.slots[i].own.orders.push(OpenOrder {
                    id: order.id,
                    instrument: order.instrument,
                    side: order.side,
                    state: OrderState::Sent,
                    price: order.price(),
                    qty_left: match order.size {
                        Size::Qty(qty) => qty,
                        Size::Notional { .. } => Qty::ZERO,
                    },
                });
                self.commands.push(Command::Submit(approved));
                true
            }
            Err(refusal) => {
                *self.refusals.entry(refusal.name()).or_default() += 1;
                // The order was created a moment ago, so ending it cannot fail.
                let _ = self.orders.end(order.id, OrderState::Rejected, refusal.name(), self.now);
                false
            }
        }
    }

    /// Takes an answer of the exchange, at engine time `at`.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn on_answer(&mut self, answer: &Answer, at: Ts) -> Result<(), EngineError> {
        self.now = self.now.max(at);
        match *answer {
            Answer::Accepted(id) => {
                self.orders.acknowledge(id)?;
                self.update(id, OrderState::Acknowledged, "")
            }
            Answer::Rejected(id, reason) => {
                *self.refusals.entry(reason).or_default() += 1;
                self.ended(id, OrderState::Rejected, reason)
            }
            Answer::Cancelled(id, reason) => self.ended(id, OrderState::Cancelled, reason),
            Answer::Expired(id, reason) => {
                *self.refusals.entry(reason).or_default() += 1;
                self.ended(id, OrderState::Expired, reason)
            }
            Answer::Funding(instrument, amount) => {
                self.ledger.fund(instrument, amount)?;
                self.equity_changed();
                Ok(())
            }
            Answer::Fill { order: OrderId(0), instrument, side, price, qty, fee, bar_ts, .. } => {
                self.liquidated(instrument, side, price, qty, fee, bar_ts)
            }
            Answer::Fill { order, instrument, side, price, qty, qty_total, fee, liquidity, bar_ts } => {
                let record = *self.orders.get(order)?;
                let fill = FillRecord {
                    fee,
                    order,
                    ts: self.now,
                    bar_ts,
                    price,
                    qty,
                    instrument,
                    strategy: record.strategy,
                    side,
                    liquidity,
                };
                self.filled(fill, qty_total, record.role)
            }
        }
    }

    fn equity_changed(&mut self) {
        let equity = self.ledger.equity();
        self.view.equity = equity;
        self.recorder.equity(self.now, equity, self.ledger.open_count() > 0);
    }

    fn filled(&mut self, fill: FillRecord, qty_total: Qty, role: Role) -> Result<(), EngineError> {
        let state = self.orders.fill(fill, qty_total)?;
        let record = *self.orders.get(fill.order)?;
        self.ledger.fill(fill.instrument, fill.side, fill.price, fill.qty, fill.fee)?;
        let i = fill.strategy as usize;
        let lots = &mut self.slots[i].lots[fill.instrument.index()];
        let held = lots.qty().mantissa().signum();
        let lot_fill = LotFill {
            instrument: fill.instrument,
            strategy: fill.strategy,
            side: fill.side,
            price: fill.price,
            qty: fill.qty,
            fee: fill.fee,
            ts: fill.ts,
            bar_ts: fill.bar_ts,
            tag: record.tag,
            role,
        };
        lots.fill(self.ledger.terms(fill.instrument), &lot_fill, &mut self.trades)?;
        self.slots[i].own.positions[fill.instrument.index()] = lots.view();
        self.equity_changed();
        self.note_state(i, fill.order, state, Qty::from_mantissa(qty_total.mantissa() - record.filled.mantissa()));
        let holds = self.slots[i].lots[fill.instrument.index()].qty().mantissa().signum();
        if held != 0 && holds != held && !self.protective.is_empty() {
            self.drop_protection(i, fill.instrument);
        }
        self.replaced.remove(&fill.order);
        self.protective.retain(|id, _| *id != fill.order || state.is_open());
        self.protect(&fill, state)?;
        let told = Fill {
            order: fill.order,
            instrument: fill.instrument,
            ts: fill.ts,
            side: fill.side,
            price: fill.price,
            qty: fill.qty,
            liquidity: fill.liquidity,
            role,
        };
        self.hear(i, fill.instrument, |s, ctx| s.on_fill(ctx, &told))?;
        let update = OrderUpdate { order: fill.order, instrument: fill.instrument, ts: self.now, state, reason: "" };
        self.hear(i, fill.instrument, |s, ctx| s.on_order(ctx, &update))
    }

    /// Places the protective orders of an entry for what has just filled and opened (not for what closed).
    fn protect(&mut self, fill: &FillRecord, state: OrderState) -> Result<(), EngineError> {
        let Some(bracket) = self.brackets.get(&fill.order).copied() else { return Ok(()) };
        if !state.is_open() {
            self.brackets.remove(&fill.order);
        }
        let held = self.slots[fill.strategy as usize].lots[fill.instrument.index()].qty().mantissa();
        let opened = if held.signum() == fill.side.sign() { held.abs().min(fill.qty.mantissa()) } else { 0 };
        if opened == 0 {
            return Ok(());
        }
        let record = *self.orders.get(fill.order)?;
        let wanted = [
            bracket.stop_loss.map(|trigger| (Role::StopLoss, OrderKind::StopMarket { trigger })),
            bracket.trailing_stop.map(|trail| (Role::TrailingStop, OrderKind::TrailingStop { trail })),
            bracket.take_profit.map(|price| (Role::TakeProfit, OrderKind::Limit { price })),
        ];
        let reduce_only = self.is_alone(fill.strategy as usize, fill.instrument);
        let group = OrderId(self.outbox.next_order);
        for (role, kind) in wanted.into_iter().flatten() {
            let id = OrderId(self.outbox.next_order);
            self.outbox.next_order += 1;
            let order = Order {
                id,
                strategy: fill.strategy,
                instrument: fill.instrument,
                side: fill.side.opposite(),
                size: Size::Qty(Qty::from_mantissa(opened)),
                kind,
                tif: TimeInForce::Gtc,
                post_only: false,
                reduce_only,
                role,
                parent: fill.order,
                oco: group,
                tag: record.tag,
            };
            if self.send(order) {
                self.protective.insert(id, order);
            }
        }
        Ok(())
    }

    /// The venue closed a position: the part of each strategy that lies on its side, in their order.
    fn liquidated(
        &mut self,
        instrument: InstrumentId,
        side: Side,
        price: Price,
        qty: Qty,
        fee: Money,
        bar_ts: Ts,
    ) -> Result<(), EngineError> {
        let (mut left, mut fee_left) = (qty.mantissa(), fee);
        for i in 0..self.slots.len() {
            let held = self.slots[i].lots[instrument.index()].qty().mantissa();
            let part = if held.signum() == -side.sign() { held.abs().min(left) } else { 0 };
            if part == 0 {
                continue;
            }
            left -= part;
            let part_fee = if left == 0 {
                fee_left
            } else {
                Money::from_mantissa(fee_left.mantissa() * i128::from(part) / i128::from(part + left))
            };
            fee_left = Money::from_mantissa(fee_left.mantissa() - part_fee.mantissa());
            let mut order = Order {
                id: OrderId(self.outbox.next_order),
                strategy: i as u16,
                instrument,
                side,
                size: Size::Qty(Qty::from_mantissa(part)),
                kind: OrderKind::Market,
                tif: TimeInForce::Gtc,
                post_only: false,
                reduce_only: true,
                role: Role::Liquidation,
                parent: OrderId(0),
                oco: OrderId(0),
                tag: Default::default(),
            };
            order.tag = self.orders.words.intern("liquidation");
            self.outbox.next_order += 1;
            self.orders.create(&order, self.now);
            let fill = FillRecord {
                fee: part_fee,
                order: order.id,
                ts: self.now,
                bar_ts,
                price,
                qty: Qty::from_mantissa(part),
                instrument,
                strategy: i as u16,
                side,
                liquidity: bellwether_sdk::Liquidity::Taker,
            };
            self.filled(fill, Qty::from_mantissa(part), Role::Liquidation)?;
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    fn ended(&mut self, id: OrderId, state: OrderState, reason: &'static str) -> Result<(), EngineError> {
        self.orders.end(id, state, reason, self.now)?;
        self.brackets.remove(&id);
        self.protective.remove(&id);
        if state == OrderState::Rejected {
            self.restore_protection(id);
        } else {
            self.replaced.remove(&id);
        }
        self.update(id, state, reason)
    }

    fn update(&mut self, id: OrderId, state: OrderState, reason: &'static str) -> Result<(), EngineError> {
        let record = *self.orders.get(id)?;
        let i = record.strategy as usize;
        let left = Qty::from_mantissa(record.qty.mantissa() - record.filled.mantissa());
        self.note_state(i, id, state, left);
        let update = OrderUpdate { order: id, instrument: record.instrument, ts: self.now, state, reason };
        self.hear(i, record.instrument, |s, ctx| s.on_order(ctx, &update))
    }

    fn note_state(&mut self, i: usize, id: OrderId, state: OrderState, qty_left: Qty) {
        let orders = &mut self.slots[i].own.orders;
        let Some(at) = orders.iter().position(|o| o.id == id) else { return };
        if state.is_open() {
            orders[at].state = state;
            orders[at].qty_left = qty_left;
        } else {
            orders.remove(at);
        }
    }

    /// Orders that close every strategy's positions, role `end_of_data`; strategies are not heard any more.
    pub fn close_all(&mut self) {
        self.closing = true;
        for i in 0..self.slots.len() {
            self.cancel_where(i, |_, _| true);
            for index in 0..self.view.instruments.len() {
                let held = self.slots[i].lots[index].qty().mantissa();
                if held == 0 {
                    continue;
                }
                let side = if held > 0 { Side::Sell } else { Side::Buy };
                let instrument = InstrumentId(index as u16);
                let intent = Intent::market(instrument, side, Qty::from_mantissa(held.abs())).reduce_only();
                let id = OrderId(self.outbox.next_order);
                self.outbox.next_order += 1;
                self.place(i, id, &intent, Role::EndOfData);
            }
        }
    }

    /// Tells every strategy that the run is over; what they ask for now is not sent.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn stop(&mut self) -> Result<(), EngineError> {
        for i in 0..self.slots.len() {
            let slot = &mut self.slots[i];
            let first = slot.own.instruments.first().copied().unwrap_or_default();
            let mut ctx = Context::new(self.now, first, &self.view, &slot.own, &mut self.outbox);
            slot.strategy.on_stop(&mut ctx);
            self.outbox.actions.clear();
        }
        Ok(())
    }

    /// How many bars strategies were told of; a bar heard by two counts twice.
    pub fn bars(&self) -> u64 {
        self.bars
    }

    /// What the run leaves behind.
    pub fn finish(mut self) -> Outcome {
        self.recorder.finish();
        let in_reporting = |currency: usize, amount: Money| self.ledger.in_reporting(currency, amount);
        let total = |of: &dyn Fn(usize) -> Money| {
            let sum = (0..self.currencies.len())
                .filter_map(|c| in_reporting(c, of(c)))
                .fold(0i128, |sum, m| sum.saturating_add(m.mantissa()));
            Money::from_mantissa(sum)
        };
        let (fees, funding) = (total(&|c| self.ledger.fees(c)), total(&|c| self.ledger.funding(c)));
        for currency in self.ledger.unpriced() {
            let code = &self.currencies[currency].code;
            self.notes.push(format!("{code} cannot be priced in {}: left out of equity", self.currencies[0].code));
        }
        let inferred = |v: &&InstrumentView| v.instrument.inferred;
        for view in self.view.instruments.iter().filter(inferred) {
            self.notes.push(format!(
                "{}: no venue rules in the catalog; tick and lot are inferred from the data's digits",
                view.instrument.symbol
            ));
        }
        let instruments: Vec<Instrument> = self.view.instruments.into_iter().map(|v| v.instrument).collect();
        let strategies: Vec<String> = self.slots.iter().map(|s| s.id.clone()).collect();
        let open_lots = self.slots.iter().flat_map(|s| &s.lots).flat_map(|l| l.iter().copied()).collect();
        let (orders, fills, words) = self.orders.into_parts();
        let hash = order_hash(&orders, &fills, &words, &instruments, &strategies);
        let most_first = |counts: BTreeMap<&'static str, u64>| {
            let mut list: Vec<(String, u64)> = counts.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            list
        };
        Outcome {
            instruments,
            strategies,
            account: self.account,
            reporting: self.currencies[0].clone(),
            currencies: self.currencies,
            ts_first: self.recorder.first,
            ts_last: self.recorder.last(),
            events: self.events,
            warmup: self.warmup,
            start_equity: self.recorder.start_equity(),
            end_equity: self.ledger.equity(),
            fees,
            funding,
            orders,
            fills,
            trades: self.trades,
            open_lots,
            words,
            daily: std::mem::take(&mut self.recorder.daily),
            equity: std::mem::take(&mut self.recorder.points),
            drawdown: self.recorder.drawdown,
            exposed_ns: self.recorder.exposed_ns,
            charts: self.recorder.take_charts(),
            refusals: most_first(self.refusals),
            signals: self.signals,
            signals_dropped: most_first(self.dropped),
            notes: self.notes,
            order_hash: hash,
        }
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
}
