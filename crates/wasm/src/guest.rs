//! A strategy in its instance, behind the sdk's trait.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use bellwether_sdk::{
    AccountKind, Action, Bar, BookView, Context, Feature, Fill, Funding, InstrumentId, OpenOrder, OrderUpdate, Outbox,
    OwnView, ParamError, ParamValues, PositionView, Price, Probe, Quote, Signal, Strategy, Tag, Trade, Ts, View,
};
use wasmtime::Store;

use crate::bindings::{Strategy as Bindings, wit};
use crate::limits::{Bounds, Budget, TICK_MS, why};
use crate::load::{Clock, Loaded};
use crate::names::plain;
use crate::{asked, seen};

/// An instance and its store.
pub(crate) struct Instance {
    store: Store<Bounds>,
    bindings: Bindings,
    clock: Arc<Clock>,
    /// What the calls of now may use.
    budget: Budget,
    /// Instructions of all calls so far.
    work: u64,
}

impl Instance {
    /// A new instance of a component, which may be asked what it is and made.
    pub(crate) fn new(loaded: &Loaded) -> Result<Self, String> {
        let limits = &loaded.limits;
        let budget = limits.to_be_made();
        let mut store = Store::new(loaded.pre.engine(), Bounds::new(limits));
        store.limiter(|bounds| bounds);
        store.set_hostcall_fuel(limits.words_max);
        store.set_epoch_deadline(budget.ms / TICK_MS + 1);
        let made = store.set_fuel(budget.fuel).and_then(|()| loaded.pre.instantiate(&mut store));
        match made {
            Ok(bindings) => Ok(Self { store, bindings, clock: Arc::clone(&loaded.clock), budget, work: 0 }),
            Err(e) => Err(why(&e, store.data(), budget)),
        }
    }

    /// The calls to come may use so much. Their time runs from now on, for all of them together.
    #[inline]
    fn allow(&mut self, budget: Budget) {
        self.allow_since(budget, self.clock.ticks());
    }

    /// The same, with time that has been running since that tick of the clock.
    #[inline]
    fn allow_since(&mut self, budget: Budget, began: u64) {
        self.budget = budget;
        let ends = began.saturating_add(budget.ms / TICK_MS + 1);
        self.store.set_epoch_deadline(ends.saturating_sub(self.clock.ticks()));
    }

    /// Calls into it.
    #[inline]
    pub(crate) fn call<T>(
        &mut self,
        call: impl FnOnce(&wit::Guest, &mut Store<Bounds>) -> wasmtime::Result<T>,
    ) -> Result<T, String> {
        let fuel = self.budget.fuel;
        let called =
            self.store.set_fuel(fuel).and_then(|()| call(self.bindings.bellwether_strategy_plugin(), &mut self.store));
        self.work += fuel.saturating_sub(self.store.get_fuel().unwrap_or_default());
        called.map_err(|e| why(&e, self.store.data(), self.budget))
    }
}

/// What the instance knows of the view: what differs is told before a hook.
#[derive(Default)]
struct Mirror {
    seen: Vec<(Price, Quote)>,
    positions: Vec<PositionView>,
    orders: Vec<OpenOrder>,
    features: BTreeMap<(Tag, Option<InstrumentId>), Feature>,
    /// Values of features that had been taken then.
    features_at: u64,
}

/// What has changed, to be told.
type Changes = (Vec<wit::Seen>, Vec<wit::Position>, Option<Vec<wit::OpenOrder>>, Vec<wit::Feature>);

impl Mirror {
    fn of(view: &View, own: &OwnView) -> Self {
        let fresh = |i| (Price::ZERO, Quote { instrument: InstrumentId(i), ..Quote::default() });
        Self {
            seen: (0..view.instruments.len() as u16).map(fresh).collect(),
            positions: vec![PositionView::default(); own.positions.len()],
            ..Self::default()
        }
    }

    /// Comes to what is there now; `None` when that was known.
    #[inline]
    fn catch_up(&mut self, view: &View, own: &OwnView) -> Option<Changes> {
        let same = view.instruments.iter().zip(&self.seen).all(|(v, known)| v.last == known.0 && v.quote == known.1)
            && own.positions == self.positions
            && own.orders == self.orders
            && view.features.changes() == self.features_at;
        if same { None } else { Some(self.differences(view, own)) }
    }

    #[cold]
    fn differences(&mut self, view: &View, own: &OwnView) -> Changes {
        let mut seen = Vec::new();
        for ((now, known), instrument) in view.instruments.iter().zip(&mut self.seen).zip(0..) {
            if (now.last, now.quote) != *known {
                *known = (now.last, now.quote);
                // The guest puts the price where the quote says: also where no quote has come yet.
                let quote = Quote { instrument: InstrumentId(instrument), ..now.quote };
                seen.push(wit::Seen { last: now.last.mantissa(), quote: seen::quote(&quote) });
            }
        }
        let mut positions = Vec::new();
        for ((now, known), instrument) in own.positions.iter().zip(&mut self.positions).zip(0..) {
            if now != known {
                *known = *now;
                let (qty, entry) = (now.qty.mantissa(), now.entry.mantissa());
                positions.push(wit::Position { instrument, qty, entry });
            }
        }
        let orders = (own.orders != self.orders).then(|| {
            self.orders.clone_from(&own.orders);
            own.orders.iter().map(seen::open_order).collect()
        });
        let mut features = Vec::new();
        if view.features.changes() != self.features_at {
            self.features_at = view.features.changes();
            for (name, id, now) in view.features.iter() {
                let key = (name.clone(), id);
                if self.features.get(&key) != Some(&now) {
                    let (name, instrument) = (name.to_string(), id.map(|id| id.0));
                    features.push(wit::Feature { name, instrument, value: now.value, ts: now.ts.nanos() });
                    self.features.insert(key, now);
                }
            }
        }
        (seen, positions, orders, features)
    }
}

/// The strategy.
pub(crate) struct WasmStrategy {
    instance: RefCell<Instance>,
    loaded: Arc<Loaded>,
    account: AccountKind,
    warmup: u64,
    mirror: Option<Mirror>,
    /// The last event that began by itself: engine time, and since which tick of the clock it is heard.
    began: Option<(Ts, u64)>,
    /// It hears of the past, since that tick of the clock.
    warms_up: Option<u64>,
    /// It is not called any more.
    over: bool,
    /// Why it cannot be called any more, where that was found between two events: it is stopped at the next.
    failed: RefCell<Option<String>>,
    /// It is not given many events at once any more.
    singly: bool,
    /// What it told last of each instrument.
    told: RefCell<Vec<Probe>>,
    rows: Vec<i64>,
}

impl WasmStrategy {
    /// Makes one of its parameters.
    pub(crate) fn new(loaded: &Arc<Loaded>, values: &ParamValues) -> Result<Self, ParamError> {
        let broken = |why: String| ParamError::Broken(format!("{}: {why}", loaded.name));
        let mut instance = Instance::new(loaded).map_err(broken)?;
        let params: Vec<(String, String)> = values.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let made = instance.call(|guest, store| guest.call_create(store, &params));
        let created = made.map_err(broken)?.map_err(|error| match error {
            wit::ParamError::Unknown((name, known)) => ParamError::Unknown { name: plain(&name), known: plain(&known) },
            wit::ParamError::Value((name, value, why)) => {
                ParamError::Value { name: plain(&name), value: plain(&value), why: plain(&why) }
            }
            wit::ParamError::Conflict(why) => ParamError::Conflict(plain(&why)),
        })?;
        Ok(Self {
            instance: RefCell::new(instance),
            loaded: Arc::clone(loaded),
            account: match created.account {
                wit::Account::Cash => AccountKind::Cash,
                wit::Account::Margin => AccountKind::Margin,
            },
            warmup: created.warmup,
            mirror: None,
            began: None,
            warms_up: None,
            over: false,
            failed: RefCell::default(),
            singly: false,
            told: RefCell::default(),
            rows: Vec::new(),
        })
    }

    fn begin(&mut self, view: &View, own: &OwnView) -> Result<(), String> {
        let instruments: Vec<_> = view.instruments.iter().map(|v| seen::instrument(&v.instrument)).collect();
        let mine: Vec<u16> = own.instruments.iter().map(|id| id.0).collect();
        self.mirror = Some(Mirror::of(view, own));
        self.instance.get_mut().call(|guest, store| guest.call_seat(store, view.equity_scale, &instruments, &mine))
    }

    /// Calls a hook and takes what was asked for; what goes wrong halts the strategy. `implied` is what the event itself tells
    /// the strategy of the view.
    #[inline]
    fn hear(
        &mut self,
        ctx: &mut Context<'_>,
        implied: impl FnOnce(&mut Mirror),
        hook: impl FnOnce(&wit::Guest, &mut Store<Bounds>, wit::Moment) -> wasmtime::Result<u32>,
    ) {
        self.began = None;
        self.hear_on(ctx, implied, hook);
    }

    /// The same for what may come of an event at once: then it is heard in what is left of that event's time, since a session
    /// waits for all of it.
    #[inline]
    fn hear_on(
        &mut self,
        ctx: &mut Context<'_>,
        implied: impl FnOnce(&mut Mirror),
        hook: impl FnOnce(&wit::Guest, &mut Store<Bounds>, wit::Moment) -> wasmtime::Result<u32>,
    ) {
        if self.over {
            return;
        }
        let now = ctx.now();
        let (view, own, out) = ctx.parts();
        let before = out.actions.len();
        if let Err(why) = self.try_hear(now, (view, own, &mut *out), implied, hook) {
            self.over = true;
            out.actions.truncate(before);
            out.actions.push(Action::Halt(why.into()));
        }
    }

    #[inline]
    fn try_hear(
        &mut self,
        now: Ts,
        (view, own, out): (&View, &OwnView, &mut Outbox),
        implied: impl FnOnce(&mut Mirror),
        hook: impl FnOnce(&wit::Guest, &mut Store<Bounds>, wit::Moment) -> wasmtime::Result<u32>,
    ) -> Result<(), String> {
        if let Some(why) = self.failed.get_mut().take() {
            return Err(why);
        }
        let (begins, limits) = (self.mirror.is_none(), &self.loaded.limits);
        let since = match (self.warms_up, self.began) {
            (Some(since), _) => since,
            (None, Some((at, since))) if at == now => since,
            _ => self.began.insert((now, self.loaded.clock.ticks())).1,
        };
        let budget = match self.warms_up {
            _ if begins => limits.to_start(),
            None => limits.to_hear(1),
            Some(_) => limits.to_warm_up(),
        };
        self.instance.get_mut().allow_since(budget, since);
        if begins {
            self.begin(view, own)?;
        }
        let instance = self.instance.get_mut();
        let signal_only = self.loaded.signal_only;
        if let Some(mirror) = self.mirror.as_mut().filter(|_| !signal_only) {
            implied(mirror);
            if let Some((seen, positions, orders, features)) = mirror.catch_up(view, own) {
                instance
                    .call(|guest, store| guest.call_sync(store, &seen, &positions, orders.as_deref(), &features))?;
            }
        }
        let equity = seen::wide(view.equity.mantissa());
        let at = wit::Moment { now: now.nanos(), next_order: out.next_order, equity };
        match instance.call(|guest, store| hook(guest, store, at))? {
            0 => Ok(()),
            asked => take(instance, asked, own, out, signal_only),
        }
    }

    /// Calls it between two events; one that traps there is stopped at the next event.
    fn look<T>(
        &self,
        budget: Budget,
        call: impl FnOnce(&wit::Guest, &mut Store<Bounds>) -> wasmtime::Result<T>,
    ) -> Option<T> {
        if self.over || self.failed.borrow().is_some() {
            return None;
        }
        let mut instance = self.instance.borrow_mut();
        instance.allow(budget);
        instance.call(call).map_err(|why| *self.failed.borrow_mut() = Some(why)).ok()
    }

    /// Events in rows, all at once.
    fn hear_many<E>(
        &mut self,
        ctx: &mut Context<'_>,
        events: &[E],
        row: impl Fn(&E, &mut Vec<i64>),
        hook: impl FnOnce(&wit::Guest, &mut Store<Bounds>, &[i64]) -> wasmtime::Result<u32>,
    ) -> usize {
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        for event in events {
            row(event, &mut rows);
        }
        let mut heard = events.len();
        self.began = None;
        let (_, own, out) = ctx.parts();
        let instance = self.instance.get_mut();
        let (limits, worked) = (&self.loaded.limits, instance.work);
        instance.allow(limits.to_hear(events.len()));
        let called = instance.call(|guest, store| hook(guest, store, &rows));
        // One of the events may have taken more than it may: from now on each is counted by itself.
        self.singly |= instance.work - worked > limits.fuel_per_event;
        let told = called.map_err(|why| (1, why)).and_then(|at| {
            let at = at as usize;
            if at >= events.len() {
                return Ok(());
            }
            heard = at + 1;
            instance.allow(limits.to_hear(1));
            take(instance, 1, own, out, true).map_err(|why| (heard, why))
        });
        if let Err((at, why)) = told {
            // At which of the events it trapped is not known: it has heard none of them, and is stopped at the first.
            heard = at;
            self.over = true;
            out.actions.clear();
            out.actions.push(Action::Halt(why.into()));
        }
        self.rows = rows;
        heard
    }
}

fn take(instance: &mut Instance, asked: u32, own: &OwnView, out: &mut Outbox, signal_only: bool) -> Result<(), String> {
    if asked as usize > Outbox::ACTIONS_MAX {
        return Err(format!("it asked for more than {} things in one event", Outbox::ACTIONS_MAX));
    }
    let actions = instance.call(|guest, store| guest.call_take(store))?;
    asked::actions(actions, own, out, signal_only)
}

/// Nothing but what the event is.
fn nothing(_: &mut Mirror) {}

impl Strategy for WasmStrategy {
    fn account(&self) -> AccountKind {
        self.account
    }

    fn on_start(&mut self, ctx: &mut Context<'_>) {
        self.hear(ctx, nothing, |guest, store, at| guest.call_start(store, at));
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        let saw = |m: &mut Mirror| m.seen[trade.instrument.index()].0 = trade.price;
        self.hear(ctx, saw, |guest, store, at| guest.call_on_trade(store, at, seen::trade(trade)));
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        let saw = |m: &mut Mirror| {
            let (last, known) = &mut m.seen[quote.instrument.index()];
            *known = *quote;
            let mid = quote.mid();
            if !mid.is_zero() {
                *last = mid;
            }
        };
        self.hear(ctx, saw, |guest, store, at| guest.call_on_quote(store, at, seen::quote(quote)));
    }

    fn on_book(&mut self, ctx: &mut Context<'_>, book: &BookView<'_>) {
        let (bids, asks) = (seen::levels(book.bids), seen::levels(book.asks));
        self.hear(ctx, nothing, |guest, store, at| {
            guest.call_on_book(store, at, book.ts.nanos(), book.instrument.0, &bids, &asks)
        });
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let saw = |m: &mut Mirror| m.seen[bar.instrument.index()].0 = bar.close;
        self.hear(ctx, saw, |guest, store, at| guest.call_on_bar(store, at, seen::bar(bar)));
    }

    fn on_funding(&mut self, ctx: &mut Context<'_>, funding: &Funding) {
        self.hear(ctx, nothing, |guest, store, at| guest.call_on_funding(store, at, seen::funding(funding)));
    }

    fn on_signal(&mut self, ctx: &mut Context<'_>, signal: &Signal) {
        self.hear(ctx, nothing, |guest, store, at| guest.call_on_signal(store, at, &seen::signal(signal)));
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        self.hear_on(ctx, nothing, |guest, store, at| guest.call_on_order(store, at, &seen::update(update)));
    }

    fn on_fill(&mut self, ctx: &mut Context<'_>, fill: &Fill) {
        self.hear_on(ctx, nothing, |guest, store, at| guest.call_on_fill(store, at, seen::fill(fill)));
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, timer: u64) {
        self.hear_on(ctx, nothing, |guest, store, at| guest.call_on_timer(store, at, timer));
    }

    fn on_stop(&mut self, ctx: &mut Context<'_>) {
        self.hear(ctx, nothing, |guest, store, at| guest.call_stop(store, at));
    }

    fn rebuild_window(&self) -> u64 {
        self.warmup
    }

    fn takes_many(&self) -> bool {
        self.loaded.signal_only && self.mirror.is_some() && !self.over && !self.singly && self.failed.borrow().is_none()
    }

    fn on_trades(&mut self, ctx: &mut Context<'_>, trades: &[Trade]) -> usize {
        let Some(first) = trades.first() else { return 0 };
        let row = |t: &Trade, rows: &mut Vec<i64>| rows.extend_from_slice(&seen::trade_row(t));
        let id = first.instrument.0;
        self.hear_many(ctx, trades, row, |guest, store, rows| guest.call_on_trades(store, id, rows))
    }

    fn on_bars(&mut self, ctx: &mut Context<'_>, bars: &[Bar]) -> usize {
        let Some(first) = bars.first() else { return 0 };
        let row = |b: &Bar, rows: &mut Vec<i64>| rows.extend_from_slice(&seen::bar_row(b));
        let (id, interval) = (first.instrument.0, first.interval.nanos());
        self.hear_many(ctx, bars, row, |guest, store, rows| guest.call_on_bars(store, id, interval, rows))
    }

    fn observe(&self, probe: &mut Probe) {
        if self.mirror.is_none() {
            return;
        }
        let id = probe.instrument;
        let budget = self.loaded.limits.to_tell();
        let Some(observed) = self.look(budget, |guest, store| guest.call_observe(store, id.0)) else { return };
        for value in observed.values {
            if let Some(name) = self.loaded.names.keep(&value.name) {
                probe.value(name, Some(value.now));
            }
        }
        for condition in observed.conditions {
            if let Some(name) = self.loaded.names.keep(&condition.name) {
                probe.condition(name, condition.now, condition.trigger);
            }
        }
        let mut told = self.told.borrow_mut();
        match told.iter_mut().find(|last| last.instrument == id) {
            Some(last) => last.clone_from(probe),
            None => told.push(probe.clone()),
        }
    }

    fn observed(&self, probe: &mut Probe) {
        if self.over {
            return;
        }
        if let Some(last) = self.told.borrow().iter().find(|last| last.instrument == probe.instrument) {
            probe.clone_from(last);
        }
    }

    fn memory(&self) -> Option<usize> {
        Some(self.instance.borrow().store.data().memory)
    }

    fn work(&self) -> u64 {
        self.instance.borrow().work
    }

    fn save(&self) -> Vec<u8> {
        self.look(self.loaded.limits.to_save(), |guest, store| guest.call_save(store)).unwrap_or_default()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        if let Some(why) = self.failure() {
            return Err(why);
        }
        let instance = self.instance.get_mut();
        instance.allow(self.loaded.limits.to_take_up());
        let restored = instance.call(|guest, store| guest.call_restore(store, state));
        match restored {
            Ok(restored) => restored.map_err(|why| plain(&why)),
            Err(why) => {
                *self.failed.get_mut() = Some(why.clone());
                Err(why)
            }
        }
    }

    fn warms_up(&mut self, on: bool) {
        self.warms_up = on.then(|| self.loaded.clock.ticks());
    }

    fn failure(&self) -> Option<String> {
        self.failed.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::{Instrument, InstrumentView};

    use super::*;

    #[test]
    fn a_price_is_told_of_its_own_instrument_before_any_quote_has_come() {
        let view = |last: [i64; 2]| View {
            instruments: (0..2)
                .map(|i| InstrumentView {
                    instrument: Instrument::inferred(InstrumentId(i), "test:AAA/USD".parse().expect("a symbol"), 2, 3),
                    last: Price::from_mantissa(last[usize::from(i)]),
                    quote: Quote::default(),
                })
                .collect(),
            ..View::default()
        };
        let own = OwnView { positions: vec![PositionView::default(); 2], ..OwnView::default() };
        let mut mirror = Mirror::of(&view([0, 0]), &own);
        let mut told = |last| {
            let seen = mirror.catch_up(&view(last), &own).map(|changes| changes.0).unwrap_or_default();
            seen.iter().map(|s| (s.quote.instrument, s.last)).filter(|s| s.1 != 0).collect::<Vec<_>>()
        };
        assert_eq!(told([5, 0]), [(0, 5)]);
        assert_eq!(told([5, 7]), [(1, 7)]);
    }

    #[test]
    fn features_are_told_when_they_have_a_new_value() {
        let (mut view, own) = (View::default(), OwnView::default());
        let mut mirror = Mirror::of(&view, &own);
        let mut told = |view: &View| {
            let features = mirror.catch_up(view, &own).map(|changes| changes.3).unwrap_or_default();
            features.iter().map(|f| (f.name.clone(), f.instrument, f.value)).collect::<Vec<_>>()
        };
        assert_eq!(told(&view), []);
        let feature = |value| Feature { value, ts: Ts::from_nanos(5) };
        view.features.set("fear".into(), None, feature(20.0));
        view.features.set("grade".into(), Some(InstrumentId(1)), feature(0.5));
        assert_eq!(told(&view), [("fear".to_owned(), None, 20.0), ("grade".to_owned(), Some(1), 0.5)]);
        view.features.set("fear".into(), None, feature(21.0));
        assert_eq!(told(&view), [("fear".to_owned(), None, 21.0)]);
        assert_eq!(told(&view), []);
    }
}
