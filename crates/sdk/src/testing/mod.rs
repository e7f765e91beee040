//! A light desk to test a strategy at: market in, signals and orders out, no engine.
//!
//! The desk keeps the view a strategy sees, acknowledges every order at once, fires timers when all events of their
//! time are through, and writes down what was asked for. It does **not** fill, size, refuse or charge: that needs the
//! engine. A test that wants a fill says so with [`Desk::fill`].
//!
//! ```
//! use bellwether_sdk::testing::Desk;
//! use bellwether_sdk::{Bar, Context, Signal, Strategy};
//!
//! struct Above100;
//! impl Strategy for Above100 {
//!     fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
//!         if ctx.f64(bar.close) > 100.0 {
//!             ctx.signal(Signal::long(bar.instrument));
//!         }
//!     }
//! }
//!
//! assert_eq!(Desk::new(Above100).bars("100 101 99").story(), "2:long");
//! ```
//!
//! Everything in here panics on text it cannot read: it is for tests.

mod properties;
mod text;

use std::fmt::Write as _;

use crate::{
    Action, Aggressor, Bar, BookView, Context, Decimal, Fill, Instrument, InstrumentId, InstrumentView, Intent,
    Interval, Liquidity, OpenOrder, OrderId, OrderKind, OrderState, OrderUpdate, Outbox, OwnView, PositionView, Price,
    Probe, Qty, Quote, Role, Signal, Size, Strategy, Trade, Ts, View,
};

pub use properties::{decides_without_the_future, random_bars, story_of, survives_a_restore};

/// Digits after the point of prices and quantities at the desk.
pub const SCALE: u8 = 6;

/// An instrument with six digits for prices and quantities and no minimums.
///
/// ```
/// use bellwether_sdk::testing::instrument;
///
/// assert_eq!(instrument(0, "test:AAA/USD").symbol.base(), "AAA");
/// ```
///
/// # Panics
/// When the text is not a symbol.
pub fn instrument(id: u16, symbol: &str) -> Instrument {
    match symbol.parse() {
        Ok(symbol) => Instrument::inferred(InstrumentId(id), symbol, SCALE, SCALE),
        Err(error) => panic!("{error}"),
    }
}

/// A price at the desk's scale.
///
/// ```
/// assert_eq!(bellwether_sdk::testing::price("100.5").mantissa(), 100_500_000);
/// ```
///
/// # Panics
/// When the text is not a decimal number of at most six digits after the point.
pub fn price(text: &str) -> Price {
    Price::from_mantissa(mantissa(text))
}

/// A quantity at the desk's scale.
///
/// ```
/// assert_eq!(bellwether_sdk::testing::qty("0.25").mantissa(), 250_000);
/// ```
///
/// # Panics
/// When the text is not a decimal number of at most six digits after the point.
pub fn qty(text: &str) -> Qty {
    Qty::from_mantissa(mantissa(text))
}

fn mantissa(text: &str) -> i64 {
    match Decimal::parse(text.as_bytes()).and_then(|d| d.at_scale(SCALE)) {
        Ok(mantissa) => mantissa,
        Err(error) => panic!("reading {text:?}: {error}"),
    }
}

/// Bars of the first instrument from text, one word each, from 1970 on: a close (`101`; the bar opens at the close
/// before it), or `open/high/low/close`, or `open/high/low/close/volume`. The volume is 1 where none is given.
///
/// ```
/// use bellwether_sdk::testing::{bars, price};
/// use bellwether_sdk::Interval;
///
/// let bars = bars("100 102 101/105/100/104", Interval::HOUR);
/// assert_eq!((bars[1].open, bars[1].high, bars[1].low), (price("100"), price("102"), price("100")));
/// assert_eq!(bars[2].high, price("105"));
/// ```
///
/// # Panics
/// When a word is neither.
pub fn bars(text: &str, interval: Interval) -> Vec<Bar> {
    let mut out: Vec<Bar> = Vec::new();
    for word in text.split_whitespace() {
        let at = |i: usize| Ts::from_nanos(i as i64 * interval.nanos());
        let numbers: Vec<i64> = word.split('/').map(mantissa).collect();
        let (open, high, low, close, volume) = match numbers[..] {
            [close] => {
                let open = out.last().map_or(close, |b| b.close.mantissa());
                (open, open.max(close), open.min(close), close, mantissa("1"))
            }
            [open, high, low, close] => (open, high, low, close, mantissa("1")),
            [open, high, low, close, volume] => (open, high, low, close, volume),
            _ => panic!("reading {word:?}: a bar is close, open/high/low/close or open/high/low/close/volume"),
        };
        let price = Price::from_mantissa;
        out.push(Bar {
            ts_open: at(out.len()),
            ts_close: at(out.len() + 1),
            open: price(open),
            high: price(high),
            low: price(low),
            close: price(close),
            volume: Qty::from_mantissa(volume),
            interval,
            instrument: InstrumentId(0),
        });
    }
    out
}

/// A strategy with a view of the market and a notebook.
///
/// ```
/// use bellwether_sdk::testing::Desk;
/// use bellwether_sdk::{Bar, Context, Signal, Strategy};
///
/// struct Rises;
///
/// impl Strategy for Rises {
///     fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
///         if bar.close > bar.open {
///             ctx.signal(Signal::long(bar.instrument).reason("it rose"));
///         }
///     }
/// }
///
/// let desk = Desk::new(Rises).bars("100 99 101");
/// assert_eq!(desk.story(), "3:long"); // what it asked for, and at which bar
/// assert_eq!(desk.signals()[0].reason, "it rose");
/// ```
pub struct Desk<S> {
    /// The strategy, to look into.
    pub strategy: S,
    /// What it sees of the market.
    pub view: View,
    /// What it sees of its own.
    pub own: OwnView,
    outbox: Outbox,
    timers: Vec<(Ts, u64)>,
    events: usize,
    now: Ts,
    actions: Vec<(usize, Action)>,
}

impl<S: Strategy> Desk<S> {
    /// A desk with one instrument, started.
    pub fn new(strategy: S) -> Self {
        Self::with(strategy, &["test:ONE/USD"])
    }

    /// A desk with these instruments, started.
    ///
    /// # Panics
    /// When a text is not a symbol.
    pub fn with(strategy: S, symbols: &[&str]) -> Self {
        let seat = |(id, symbol): (u16, &&str)| {
            let quote = Quote { instrument: InstrumentId(id), ..Quote::default() };
            InstrumentView { instrument: instrument(id, symbol), last: Price::ZERO, quote }
        };
        let instruments: Vec<_> = (0..).zip(symbols).map(seat).collect();
        let own = OwnView {
            positions: vec![PositionView::default(); instruments.len()],
            orders: Vec::new(),
            instruments: instruments.iter().map(|v| v.instrument.id).collect(),
        };
        let view = View { instruments, ..View::default() };
        let outbox = Outbox { actions: Vec::new(), next_order: 1 };
        let now = Ts::from_nanos(0);
        let mut desk = Self { strategy, view, own, outbox, timers: Vec::new(), events: 0, now, actions: Vec::new() };
        desk.call(InstrumentId(0), |s, ctx| s.on_start(ctx));
        desk
    }

    fn call(&mut self, instrument: InstrumentId, hook: impl FnOnce(&mut S, &mut Context<'_>)) {
        let mut ctx = Context::new(self.now, instrument, &self.view, &self.own, &mut self.outbox);
        hook(&mut self.strategy, &mut ctx);
        for action in std::mem::take(&mut self.outbox.actions) {
            self.take_down(&action);
            self.actions.push((self.events, action));
        }
    }

    /// Another in its place, started as the engine starts one that takes up a state: what it asks for is not heard.
    fn seat(&mut self, strategy: S) {
        self.strategy = strategy;
        let mut unheard = Outbox { actions: Vec::new(), next_order: self.outbox.next_order };
        let mut ctx = Context::new(self.now, InstrumentId(0), &self.view, &self.own, &mut unheard);
        self.strategy.on_start(&mut ctx);
    }

    fn take_down(&mut self, action: &Action) {
        match action {
            Action::Place(id, intent) => self.own.orders.push(resting(*id, intent)),
            Action::Cancel(id) => self.own.orders.retain(|o| o.id != *id),
            Action::CancelAll(instrument) => self.own.orders.retain(|o| o.instrument != *instrument),
            Action::Timer(at, id) => self.timers.push((*at, *id)),
            Action::Signal(_) | Action::SubscribeBars(..) | Action::Halt(_) => {}
        }
    }

    /// Fires the timers that are due before `until`, in order of their time.
    fn fire(&mut self, until: Ts) {
        while let Some(i) =
            (0..self.timers.len()).filter(|&i| self.timers[i].0 < until).min_by_key(|&i| self.timers[i].0)
        {
            let (at, id) = self.timers.remove(i);
            self.now = self.now.max(at);
            self.call(InstrumentId(0), |s, ctx| s.on_timer(ctx, id));
        }
    }

    fn begin(&mut self, ts: Ts) {
        self.fire(ts);
        self.now = self.now.max(ts);
        self.events += 1;
    }

    /// Feeds hourly bars of the first instrument, written as for [`bars`], after what came before.
    ///
    /// # Panics
    /// When the text is not bars.
    #[must_use]
    pub fn bars(mut self, text: &str) -> Self {
        let start = self.now.nanos();
        let shifted = bars(text, Interval::HOUR).into_iter().map(|b| Bar {
            ts_open: b.ts_open.plus(start),
            ts_close: b.ts_close.plus(start),
            ..b
        });
        let shifted: Vec<_> = shifted.collect();
        self.feed(&shifted);
        self
    }

    /// Feeds hourly bars of all instruments side by side, one text each in order, written as for [`bars`].
    ///
    /// # Panics
    /// When a text is not bars.
    #[must_use]
    pub fn bars_of_all(mut self, texts: &[&str]) -> Self {
        let mut all = Vec::new();
        for (id, text) in (0..).zip(texts) {
            all.extend(bars(text, Interval::HOUR).into_iter().map(|b| Bar { instrument: InstrumentId(id), ..b }));
        }
        all.sort_by_key(|b| (b.ts_close, b.instrument));
        self.feed(&all);
        self
    }

    /// Feeds trades of the first instrument, one second apart: prices as text, each of quantity 1.
    ///
    /// # Panics
    /// When the text is not prices.
    #[must_use]
    pub fn trades(mut self, text: &str) -> Self {
        for word in text.split_whitespace() {
            let (ts, instrument) = (self.now.plus(1_000_000_000), InstrumentId(0));
            let (ts_venue, aggressor) = (Ts::NONE, Aggressor::Unknown);
            self.trade(&Trade { ts, ts_venue, price: price(word), qty: qty("1"), instrument, aggressor });
        }
        self
    }

    /// Feeds quotes of the first instrument, one second apart, written `bid/ask`, each side of quantity 1.
    ///
    /// # Panics
    /// When the text is not pairs of prices.
    #[must_use]
    pub fn quotes(mut self, text: &str) -> Self {
        for word in text.split_whitespace() {
            let Some((bid, ask)) = word.split_once('/') else { panic!("reading {word:?}: a quote is bid/ask") };
            let (ts, instrument) = (self.now.plus(1_000_000_000), InstrumentId(0));
            let (bid, ask, size) = (price(bid), price(ask), qty("1"));
            self.quote(&Quote { ts, ts_venue: Ts::NONE, bid, bid_qty: size, ask, ask_qty: size, instrument });
        }
        self
    }

    /// Feeds bars in the order given, then the timers due by the last one.
    pub fn feed(&mut self, bars: &[Bar]) {
        self.hear(bars);
        self.fire(self.now.plus(1));
    }

    fn hear(&mut self, bars: &[Bar]) {
        for bar in bars {
            self.begin(bar.ts_close);
            self.view.instruments[bar.instrument.index()].last = bar.close;
            self.call(bar.instrument, |s, ctx| s.on_bar(ctx, bar));
        }
    }

    /// Feeds one trade.
    pub fn trade(&mut self, trade: &Trade) {
        self.begin(trade.ts);
        self.view.instruments[trade.instrument.index()].last = trade.price;
        self.call(trade.instrument, |s, ctx| s.on_trade(ctx, trade));
    }

    /// Feeds one quote.
    pub fn quote(&mut self, quote: &Quote) {
        self.begin(quote.ts);
        let seen = &mut self.view.instruments[quote.instrument.index()];
        seen.quote = *quote;
        seen.last = Price::from_mantissa(quote.bid.mantissa().midpoint(quote.ask.mantissa()));
        self.call(quote.instrument, |s, ctx| s.on_quote(ctx, quote));
    }

    /// Feeds the best levels of a book.
    pub fn book(&mut self, book: &BookView<'_>) {
        self.begin(book.ts);
        self.call(book.instrument, |s, ctx| s.on_book(ctx, book));
    }

    /// Feeds a signal made elsewhere.
    pub fn signal(&mut self, signal: &Signal, ts: Ts) {
        self.begin(ts);
        self.call(signal.instrument, |s, ctx| s.on_signal(ctx, signal));
    }

    /// Fills an open order whole: the position changes, then the strategy hears of it. It fills at its limit or trigger, one
    /// that has neither at the last price of its instrument.
    ///
    /// # Panics
    /// When there is no such order.
    pub fn fill(&mut self, id: OrderId) {
        let Some(place) = self.own.orders.iter().position(|o| o.id == id) else { panic!("no open order {id:?}") };
        let order = self.own.orders.remove(place);
        let last = self.view.instruments[order.instrument.index()].last;
        let price = if order.price.is_zero() { last } else { order.price };
        let position = &mut self.own.positions[order.instrument.index()];
        position.qty = Qty::from_mantissa(position.qty.mantissa() + order.side.sign() * order.qty_left.mantissa());
        position.entry = price;
        let (instrument, ts) = (order.instrument, self.now);
        let update = OrderUpdate { order: id, instrument, ts, state: OrderState::Filled, reason: "" };
        let (side, qty) = (order.side, order.qty_left);
        let liquidity = if order.price.is_zero() { Liquidity::Taker } else { Liquidity::Maker };
        let fill = Fill { order: id, instrument, ts, side, price, qty, liquidity, role: Role::Intent };
        self.call(instrument, |s, ctx| s.on_order(ctx, &update));
        self.call(instrument, |s, ctx| s.on_fill(ctx, &fill));
    }

    /// What was asked for: the number of the event (from 1; 0 at the start) and the action.
    pub fn actions(&self) -> &[(usize, Action)] {
        &self.actions
    }

    /// The signals emitted, in order.
    pub fn signals(&self) -> Vec<&Signal> {
        self.actions.iter().filter_map(|(_, a)| if let Action::Signal(s) = a { Some(s) } else { None }).collect()
    }

    /// The sized orders asked for, in order.
    pub fn intents(&self) -> Vec<&Intent> {
        self.actions.iter().filter_map(|(_, a)| if let Action::Place(_, i) = a { Some(i) } else { None }).collect()
    }

    /// The actions as text: `4:long 9:flat`, with the base currency where there are several instruments
    /// (`4:long:BTC`), cancels as `3:cancel-1`, timers and subscriptions left out.
    ///
    /// A limit order is `2:buy-1@99.5`, a market order `2:buy-1@market`. What is not usual follows:
    ///
    /// | text | means |
    /// |---|---|
    /// | `buy-for-500@market`, `buy-2+for-500@market` | sized by its value, and by what is closed before |
    /// | `sell-1@market/on-95`, `sell-1@94.5/on-95` | a stop order: it wakes at 95 |
    /// | `sell-1@market/trail-2.5`, `…/trail-2%` | a trailing stop |
    /// | `/ioc`, `/fok`, `/until-60000000000` | its time in force; the end in nanoseconds |
    /// | `/post`, `/reduce` | it only makes, it only reduces |
    /// | `[stop-95,target-110,trail-2%]` | what protects it, of an order and of a signal |
    /// | `long-2`, `long-for-500`, `long-25%`, `long@99` | a signal that says its size or its entry |
    pub fn story(&self) -> String {
        let mut story = String::new();
        for (event, action) in &self.actions {
            let (word, instrument) = match action {
                Action::Signal(signal) => (text::of_signal(signal), signal.instrument),
                Action::Place(_, intent) => (text::of_order(intent), intent.instrument),
                Action::Cancel(id) => (format!("cancel-{}", id.0), InstrumentId(0)),
                Action::CancelAll(instrument) => ("cancel-all".to_owned(), *instrument),
                Action::Halt(_) => ("halt".to_owned(), InstrumentId(0)),
                Action::Timer(..) | Action::SubscribeBars(..) => continue,
            };
            let space = if story.is_empty() { "" } else { " " };
            let _ = write!(story, "{space}{event}:{word}");
            if self.view.instruments.len() > 1 && !matches!(action, Action::Cancel(_) | Action::Halt(_)) {
                let _ = write!(story, ":{}", self.view.instruments[instrument.index()].instrument.symbol.base());
            }
        }
        story
    }

    /// What the strategy tells of itself now.
    pub fn observe(&self) -> Probe {
        let mut probe = Probe::default();
        self.strategy.observe(&mut probe);
        probe
    }
}

fn order_price(kind: OrderKind) -> Price {
    match kind {
        OrderKind::Limit { price } => price,
        OrderKind::StopMarket { trigger } | OrderKind::StopLimit { trigger, .. } => trigger,
        OrderKind::Market | OrderKind::TrailingStop { .. } => Price::ZERO,
    }
}

fn order_qty(size: Size) -> Qty {
    match size {
        Size::Qty(qty) => qty,
        Size::Notional { .. } => Qty::ZERO,
    }
}

fn resting(id: OrderId, intent: &Intent) -> OpenOrder {
    OpenOrder {
        id,
        instrument: intent.instrument,
        side: intent.side,
        state: OrderState::Acknowledged,
        price: order_price(intent.kind),
        qty_left: order_qty(intent.size),
    }
}

#[cfg(test)]
mod tests {
    use crate::Side;

    use super::*;

    /// Buys one at market and one at 90 at its first bar; keeps what fills.
    #[derive(Default)]
    struct Buys(Vec<Fill>);

    impl Strategy for Buys {
        fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
            ctx.place(Intent::market(bar.instrument, Side::Buy, qty("1")));
            ctx.place(Intent::limit(bar.instrument, Side::Buy, qty("1"), price("90")));
        }
        fn on_fill(&mut self, _: &mut Context<'_>, fill: &Fill) {
            self.0.push(*fill);
        }
    }

    #[test]
    fn a_market_order_fills_at_the_last_price_and_a_limit_order_at_its_own() {
        let mut desk = Desk::new(Buys::default()).bars("100");
        desk.fill(OrderId(1));
        assert_eq!(desk.own.positions[0].entry, price("100"));
        desk.fill(OrderId(2));
        let fills: Vec<_> = desk.strategy.0.iter().map(|f| (f.price, f.liquidity)).collect();
        assert_eq!(fills, [(price("100"), Liquidity::Taker), (price("90"), Liquidity::Maker)]);
    }
}
