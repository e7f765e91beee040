//! The contract: what a strategy implements, what it sees, and what it can do.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

use crate::{
    Bar, BookView, Capabilities, Feature, Fill, Funding, Instrument, InstrumentId, Intent, Interval, OpenOrder,
    OrderId, OrderUpdate, OwnView, ParamError, Params, PositionView, Price, Qty, Quote, Signal, Tag, Trade, Ts, View,
};

/// What kind of account a strategy needs.
///
/// ```
/// use bellwether_sdk::{AccountKind, Strategy};
///
/// struct Shorts;
///
/// impl Strategy for Shorts {
///     fn account(&self) -> AccountKind {
///         AccountKind::Margin // what is not owned cannot be sold from a cash account
///     }
/// }
///
/// assert_eq!(Shorts.account(), AccountKind::Margin);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// Nothing is owed: no shorts, no leverage.
    #[default]
    Cash,
    /// Shorts and leverage within limits.
    Margin,
}

/// A strategy: one event in, signals and intents out through the [`Context`]. Every hook is optional.
///
/// A strategy sees the event and a read-only view; it has no clock, no randomness, no files, no network. Two
/// strategies of equal code, parameters and events must do the same.
///
/// ```
/// use bellwether_sdk::testing::Desk;
/// use bellwether_sdk::{Bar, Context, Signal, Strategy};
///
/// /// Long after a bar that rose.
/// struct Rises;
///
/// impl Strategy for Rises {
///     fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
///         if bar.close > bar.open {
///             ctx.signal(Signal::long(bar.instrument));
///         }
///     }
/// }
///
/// assert_eq!(Desk::new(Rises).bars("100 101").story(), "2:long");
/// ```
pub trait Strategy: Send {
    /// The account it needs; a run that is told otherwise is refused.
    fn account(&self) -> AccountKind {
        AccountKind::Cash
    }

    /// Once, before the first event.
    fn on_start(&mut self, ctx: &mut Context<'_>) {
        let _ = ctx;
    }

    /// A trade of the market.
    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        let _ = (ctx, trade);
    }

    /// A new best bid and offer.
    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        let _ = (ctx, quote);
    }

    /// The book changed; the best levels first.
    fn on_book(&mut self, ctx: &mut Context<'_>, book: &BookView<'_>) {
        let _ = (ctx, book);
    }

    /// A bar is complete.
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let _ = (ctx, bar);
    }

    /// A funding settlement of an instrument it trades.
    fn on_funding(&mut self, ctx: &mut Context<'_>, funding: &Funding) {
        let _ = (ctx, funding);
    }

    /// A signal made elsewhere.
    fn on_signal(&mut self, ctx: &mut Context<'_>, signal: &Signal) {
        let _ = (ctx, signal);
    }

    /// One of its orders changed its state. An order that never left (the guard refused it, or the strategy is paused) is
    /// told as rejected, with the reason `refused_by_guard`, `paused`, `only_signals` or `warm_up`, when the event in which
    /// it was placed is over. So is a signal of which no order came, as order 0, with `no_order` as one more reason; not
    /// told is a wish that was fulfilled already.
    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        let _ = (ctx, update);
    }

    /// One of its orders filled, whole or in part.
    fn on_fill(&mut self, ctx: &mut Context<'_>, fill: &Fill) {
        let _ = (ctx, fill);
    }

    /// A timer it set is due.
    fn on_timer(&mut self, ctx: &mut Context<'_>, timer: u64) {
        let _ = (ctx, timer);
    }

    /// Once, after the last event; orders made here are not sent.
    fn on_stop(&mut self, ctx: &mut Context<'_>) {
        let _ = ctx;
    }

    /// Tells the values and conditions it decides by about `probe.instrument`, for charts and `explain`. Called now and then, never on the
    /// hot path; must not change what the strategy does.
    fn observe(&self, probe: &mut Probe) {
        let _ = probe;
    }

    /// What it told last, for whoever looks at a session at any time. A host that calls its strategy at inputs only gives what
    /// [`observe`](Self::observe) told then. Strategies leave this as it is.
    #[doc(hidden)]
    fn observed(&self, probe: &mut Probe) {
        self.observe(probe);
    }

    /// Events per instrument after which it no longer matters where it began: the history from which it can be rebuilt
    /// where its state cannot be taken up. Zero: not declared.
    fn rebuild_window(&self) -> u64 {
        0
    }

    /// Trades of one instrument in a row. A host whose strategy is far away takes them at once; gives how many were heard:
    /// it ends after the one at which something was asked for. Strategies leave this as it is.
    #[doc(hidden)]
    fn on_trades(&mut self, ctx: &mut Context<'_>, trades: &[Trade]) -> usize {
        hear_each(ctx, trades, |t| (t.ts, t.instrument), |ctx, trade| self.on_trade(ctx, trade))
    }

    /// The same for bars.
    #[doc(hidden)]
    fn on_bars(&mut self, ctx: &mut Context<'_>, bars: &[Bar]) -> usize {
        hear_each(ctx, bars, |b| (b.ts_close, b.instrument), |ctx, bar| self.on_bar(ctx, bar))
    }

    /// Whether the engine should give it [`on_trades`](Self::on_trades) and [`on_bars`](Self::on_bars): only where it looks
    /// at nothing but the events.
    #[doc(hidden)]
    fn takes_many(&self) -> bool {
        false
    }

    /// Bytes of memory it occupies, where its host can tell. Strategies leave this as it is.
    #[doc(hidden)]
    fn memory(&self) -> Option<usize> {
        None
    }

    /// Instructions it has executed since it was made, where its host counts them. Strategies leave this as it is.
    #[doc(hidden)]
    fn work(&self) -> u64 {
        0
    }

    /// Its state as bytes, to be taken up again by [`restore`](Self::restore).
    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Why it can be called no more, where its host found that while it was looked at or saved. Strategies leave this as it
    /// is.
    #[doc(hidden)]
    fn failure(&self) -> Option<String> {
        None
    }

    /// From now on it hears of the past, to take another's place (or, with `false`, no longer): its host gives it the time of
    /// one event for all of it. Strategies leave this as it is.
    #[doc(hidden)]
    fn warms_up(&mut self, on: bool) {
        let _ = on;
    }

    /// Takes up a state that [`save`](Self::save) made.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        if state.is_empty() { Ok(()) } else { Err("this strategy keeps no state".to_owned()) }
    }
}

fn hear_each<E>(
    ctx: &mut Context<'_>,
    events: &[E],
    at: impl Fn(&E) -> (Ts, InstrumentId),
    mut hear: impl FnMut(&mut Context<'_>, &E),
) -> usize {
    for (i, event) in events.iter().enumerate() {
        (ctx.now, ctx.instrument) = at(event);
        hear(ctx, event);
        ctx.end();
        if !ctx.out.actions.is_empty() {
            return i + 1;
        }
    }
    events.len()
}

/// A strategy that can be made from parameters: what a registry holds.
///
/// ```
/// use bellwether_sdk::{ParamError, Params, Plugin, Strategy};
///
/// /// Nothing to set.
/// #[derive(Params)]
/// struct None {}
///
/// struct Waits;
///
/// impl Strategy for Waits {}
///
/// impl Plugin for Waits {
///     type Params = None;
///     const NAME: &'static str = "waits";
///     const SUMMARY: &'static str = "does nothing";
///     const DIRECTIONAL: bool = true;
///
///     fn new(_: None) -> Result<Self, ParamError> {
///         Ok(Self)
///     }
/// }
///
/// assert_eq!((Waits::NAME, Waits::STATE_VERSION), ("waits", 0));
/// ```
pub trait Plugin: Strategy + Sized + 'static {
    /// Its parameters.
    type Params: Params;
    /// Its name in flags and config, `snake_case`.
    const NAME: &'static str;
    /// One line for lists.
    const SUMMARY: &'static str;
    /// Whether it emits signals (which a sizer turns into orders) instead of sized intents.
    const DIRECTIONAL: bool;
    /// Whether it looks at events alone, never at last prices, positions, orders, equity or features through the
    /// [`Context`], and places no orders itself. As a WebAssembly component it is then given many events at once, and sees
    /// nothing else: it is halted when it looks.
    const SIGNAL_ONLY: bool = false;
    /// The version of its state: bytes that one version of the code saved are given to another when both say the same
    /// number here. Zero: never.
    const STATE_VERSION: u32 = 0;

    /// What it may do at the most.
    fn capabilities() -> Capabilities {
        Capabilities::default()
    }

    /// Makes one.
    ///
    /// # Errors
    /// [`ParamError::Conflict`] when values do not go together.
    fn new(params: Self::Params) -> Result<Self, ParamError>;
}

/// What a strategy asked for during one event, in order.
///
/// ```
/// use bellwether_sdk::testing::Desk;
/// use bellwether_sdk::{Action, Bar, Context, Strategy};
///
/// struct GivesUp;
///
/// impl Strategy for GivesUp {
///     fn on_bar(&mut self, ctx: &mut Context<'_>, _: &Bar) {
///         ctx.halt("enough");
///     }
/// }
///
/// let desk = Desk::new(GivesUp).bars("100");
/// assert!(matches!(&desk.actions()[0], (1, Action::Halt(why)) if why == "enough"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A wish, to be sized.
    Signal(Signal),
    /// A sized order with the number it was given.
    Place(OrderId, Intent),
    /// End an order.
    Cancel(OrderId),
    /// End all its orders of an instrument.
    CancelAll(InstrumentId),
    /// Call [`Strategy::on_timer`] at a time.
    Timer(Ts, u64),
    /// Deliver bars of another interval, built from what the run has.
    SubscribeBars(InstrumentId, Interval),
    /// Never be called again in this run, for a reason.
    Halt(Tag),
}

/// Where actions are collected. The engine owns it.
///
/// ```
/// use bellwether_sdk::{Context, InstrumentId, Intent, OrderId, Outbox, OwnView, Side, Ts, View, testing::qty};
///
/// let (view, own) = (View::default(), OwnView::default());
/// let mut out = Outbox { actions: Vec::new(), next_order: 7 };
/// let mut ctx = Context::new(Ts::from_millis(5), InstrumentId(0), &view, &own, &mut out);
/// assert_eq!(ctx.place(Intent::market(InstrumentId(0), Side::Buy, qty("1"))), OrderId(7));
/// assert_eq!((out.actions.len(), out.next_order), (1, 8));
/// ```
#[derive(Debug, Default)]
pub struct Outbox {
    /// What was asked for, in order.
    pub actions: Vec<Action>,
    /// The number the next order gets.
    pub next_order: u64,
}

impl Outbox {
    /// The most that may be asked for during one event. A strategy that asks for more is halted, and nothing of it counts.
    pub const ACTIONS_MAX: usize = 10_000;
}

/// What a hook is given: the time, the view, and the ways to act.
///
/// ```
/// use bellwether_sdk::testing::{Desk, price};
/// use bellwether_sdk::{Bar, Context, Interval, Signal, Strategy};
///
/// struct Looks;
///
/// impl Strategy for Looks {
///     fn on_start(&mut self, ctx: &mut Context<'_>) {
///         for id in ctx.instruments() {
///             ctx.subscribe_bars(*id, Interval::HOUR);
///         }
///     }
///     fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
///         assert_eq!((ctx.now(), ctx.last(bar.instrument)), (bar.ts_close, bar.close));
///         assert_eq!(ctx.f64(bar.close), 100.0);
///         assert_eq!(ctx.price(99.5), Some(price("99.5")));
///         assert!(ctx.position(bar.instrument).qty.is_zero() && ctx.feature("fear").is_none());
///         ctx.timer(ctx.now().plus(Interval::MINUTE.nanos()), 1);
///         ctx.signal(Signal::long(bar.instrument));
///     }
/// }
///
/// assert_eq!(Desk::new(Looks).bars("100").signals().len(), 1);
/// ```
pub struct Context<'a> {
    now: Ts,
    instrument: InstrumentId,
    view: &'a View,
    own: &'a OwnView,
    out: &'a mut Outbox,
    sight: Cell<Sight>,
}

/// Whether a strategy has a view of the market and the account.
#[derive(Clone, Copy)]
enum Sight {
    Sees,
    /// It said that it looks at events alone.
    Blind,
    /// It said so, and looked at this.
    Looked(&'static str),
}

impl<'a> Context<'a> {
    /// For engines and tests.
    #[inline]
    pub fn new(now: Ts, instrument: InstrumentId, view: &'a View, own: &'a OwnView, out: &'a mut Outbox) -> Self {
        Self { now, instrument, view, own, out, sight: Cell::new(Sight::Sees) }
    }

    /// For hosts: the same for a strategy that said [`Plugin::SIGNAL_ONLY`] and has no view. One that looks all the same is
    /// halted, instead of being told zeros.
    #[doc(hidden)]
    #[must_use]
    pub fn blind(self) -> Self {
        Self { sight: Cell::new(Sight::Blind), ..self }
    }

    /// For hosts: the hook is over. What a strategy asked for that looked at what it has not got does not count.
    #[doc(hidden)]
    #[inline]
    pub fn end(&mut self) {
        if let Sight::Looked(at) = self.sight.get() {
            self.out.actions.clear();
            self.halt(format!("it looked at {at}, and its manifest says signal-only: then it is given events alone"));
        }
    }

    #[inline]
    fn look(&self, at: &'static str) {
        if let Sight::Blind = self.sight.get() {
            self.sight.set(Sight::Looked(at));
        }
    }

    /// For hosts: all that is behind it.
    #[doc(hidden)]
    #[inline]
    pub fn parts(&mut self) -> (&'a View, &'a OwnView, &mut Outbox) {
        (self.view, self.own, self.out)
    }

    /// Engine time of the event.
    #[inline]
    pub fn now(&self) -> Ts {
        self.now
    }

    /// The instruments this strategy was given, in the order given.
    pub fn instruments(&self) -> &'a [InstrumentId] {
        &self.own.instruments
    }

    /// Name, scales and rules.
    pub fn instrument(&self, id: InstrumentId) -> &'a Instrument {
        &self.view.instruments[id.index()].instrument
    }

    /// A price of the event's instrument as `f64`, for indicators.
    #[inline]
    pub fn f64(&self, price: Price) -> f64 {
        price.to_f64(self.view.instruments[self.instrument.index()].instrument.price_scale)
    }

    /// A quantity of the event's instrument as `f64`, for indicators.
    #[inline]
    pub fn qty_f64(&self, qty: Qty) -> f64 {
        qty.to_f64(self.view.instruments[self.instrument.index()].instrument.qty_scale)
    }

    /// The price of the event's instrument nearest to `value` on the tick grid; `None` unless finite and above zero.
    pub fn price(&self, value: f64) -> Option<Price> {
        self.view.instruments[self.instrument.index()].instrument.price_near(value)
    }

    /// The last price of an instrument; zero before the first.
    pub fn last(&self, id: InstrumentId) -> Price {
        self.look("a last price");
        self.view.instruments[id.index()].last
    }

    /// The last quote of an instrument; zero prices before the first.
    pub fn quote(&self, id: InstrumentId) -> &'a Quote {
        self.look("a last quote");
        &self.view.instruments[id.index()].quote
    }

    /// This strategy's own position.
    pub fn position(&self, id: InstrumentId) -> PositionView {
        self.look("a position");
        self.own.positions[id.index()]
    }

    /// This strategy's open orders, in order of creation.
    pub fn open_orders(&self) -> &'a [OpenOrder] {
        self.look("its open orders");
        &self.own.orders
    }

    /// The account's equity in the reporting currency, for sizing formulas.
    pub fn equity_f64(&self) -> f64 {
        self.look("the equity");
        self.view.equity.to_f64(self.view.equity_scale)
    }

    /// A number from outside the market, for the event's instrument or for none; `None` until it is known.
    pub fn feature(&self, name: &str) -> Option<Feature> {
        self.look("a feature");
        self.view.features.get(name, self.instrument)
    }

    /// Whether the market data of an instrument is stale: one of the streams that the session has of it is silent for
    /// longer than its settings allow, or its connection is gone. What else is said of it then may be old. Only
    /// sessions on a venue's feed tell it; no hook is called for it, so whoever must act while nothing comes sets a
    /// [`timer`](Self::timer).
    pub fn is_stale(&self, id: InstrumentId) -> bool {
        self.look("whether data is stale");
        self.view.features.get(Feature::FEED_STALE, id).is_some_and(|f| f.value != 0.0)
    }

    /// Of a flood no more is kept than shows that it is one: a loop without end takes no memory.
    #[inline]
    fn ask(&mut self, action: Action) {
        if self.out.actions.len() <= Outbox::ACTIONS_MAX {
            self.out.actions.push(action);
        }
    }

    /// Emits a signal; the sizer and risk decide what becomes of it.
    pub fn signal(&mut self, signal: Signal) {
        self.ask(Action::Signal(signal));
    }

    /// Asks for an order and gives its number.
    pub fn place(&mut self, intent: Intent) -> OrderId {
        let id = OrderId(self.out.next_order);
        self.out.next_order += 1;
        self.ask(Action::Place(id, intent));
        id
    }

    /// Asks to end an order.
    pub fn cancel(&mut self, order: OrderId) {
        self.ask(Action::Cancel(order));
    }

    /// Asks to end all its orders of an instrument.
    pub fn cancel_all(&mut self, instrument: InstrumentId) {
        self.ask(Action::CancelAll(instrument));
    }

    /// Asks for [`Strategy::on_timer`] at `at`; at once if that is past.
    pub fn timer(&mut self, at: Ts, timer: u64) {
        self.ask(Action::Timer(at, timer));
    }

    /// Asks for bars of another interval, built from finer data. Call it in [`Strategy::on_start`].
    pub fn subscribe_bars(&mut self, instrument: InstrumentId, interval: Interval) {
        self.ask(Action::SubscribeBars(instrument, interval));
    }

    /// Gives up: this strategy is not called again in this run, and the reason stands in the report and on the tape. What
    /// becomes of its open orders is a setting; other strategies go on.
    pub fn halt(&mut self, reason: impl Into<Tag>) {
        self.ask(Action::Halt(reason.into()));
    }
}

/// Collects what a strategy tells of itself.
///
/// ```
/// use bellwether_sdk::{Probe, Strategy};
///
/// struct Waits {
///     rsi: f64,
/// }
///
/// impl Strategy for Waits {
///     fn observe(&self, probe: &mut Probe) {
///         probe.value("rsi", Some(self.rsi));
///         probe.condition("oversold", self.rsi, 30.0); // how far it is from what it waits for
///     }
/// }
///
/// let mut probe = Probe::default();
/// Waits { rsi: 45.0 }.observe(&mut probe);
/// assert_eq!((probe.values.len(), probe.conditions[0]), (1, ("oversold", 45.0, 30.0)));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Probe {
    /// The instrument it is asked about.
    pub instrument: InstrumentId,
    /// Values to draw: name, value.
    pub values: Vec<(&'static str, f64)>,
    /// Conditions: name, value now, value at which it becomes true.
    pub conditions: Vec<(&'static str, f64, f64)>,
}

impl Probe {
    /// A value to draw beside the price, if it is there yet.
    pub fn value(&mut self, name: &'static str, value: Option<f64>) {
        if let Some(value) = value.filter(|v| v.is_finite()) {
            self.values.push((name, value));
        }
    }

    /// A condition the strategy acts on: its value now and the value at which it becomes true.
    pub fn condition(&mut self, name: &'static str, value: f64, trigger: f64) {
        self.conditions.push((name, value, trigger));
    }
}
