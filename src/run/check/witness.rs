//! A strategy with somebody beside it who writes down what it hears and what it asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bellwether_sdk::{
    AccountKind, Action, Bar, BookView, Context, Direction, Fill, Funding, InstrumentId, OrderId, OrderUpdate, OwnView,
    Probe, Quote, Side, Signal, SizeHint, Strategy, Tag, Trade, Ts, View,
};

use crate::host::Entry;

/// Something a strategy asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    /// When it was asked for.
    pub(super) at: Ts,
    /// When it says that it was made: of a signal with a time of its own, that.
    pub(super) stated: Ts,
    /// Whether it answers an order's fate or news instead of the market.
    pub(super) answers: bool,
    /// All of it.
    pub(super) text: String,
    /// What it comes to, without amounts.
    pub(super) gist: String,
}

/// What was written down.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) decisions: Vec<Decision>,
    /// Market events it heard: time and instrument.
    pub(super) heard: Vec<(Ts, InstrumentId)>,
    /// A number in a signal that cannot be meant.
    pub(super) odd: Option<String>,
    /// Its state at the end, and what it saw then.
    pub(super) saved: Vec<u8>,
    pub(super) seen: Option<(Ts, View, OwnView)>,
    /// Bytes of memory at the end, where its host can tell.
    pub(super) memory: Option<usize>,
    /// The window it declares.
    pub(super) window: u64,
    /// How often a position came to be flat, or turned.
    pub(super) round_trips: usize,
    /// Orders that opened a position or made one larger.
    pub(super) entries: BTreeSet<OrderId>,
}

/// The entry of the same strategy with a witness, and the notes. With `many` off it hears events one by one.
pub(super) fn witnessed(entry: &Entry, many: bool) -> (Entry, Arc<Mutex<Notes>>) {
    let notes = Arc::<Mutex<Notes>>::default();
    let (make, kept) = (Arc::clone(&entry.make), Arc::clone(&notes));
    let make = move |values: &_| {
        let strategy = make(values)?;
        let witness: Box<dyn Strategy> = Box::new(Witness {
            strategy,
            many,
            notes: Arc::clone(&kept),
            passed: BTreeSet::new(),
            held: BTreeMap::new(),
        });
        Ok(witness)
    };
    (Entry { make: Arc::new(make), ..entry.clone() }, notes)
}

/// The notes, also of a strategy that panicked.
pub(super) fn read(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Witness {
    strategy: Box<dyn Strategy>,
    many: bool,
    notes: Arc<Mutex<Notes>>,
    /// Signals of others that it heard: source and time.
    passed: BTreeSet<(Tag, Ts)>,
    /// What it holds, by its fills.
    held: BTreeMap<InstrumentId, i64>,
}

impl Witness {
    /// Lets it hear something, and notes what it asks for.
    fn hear<T>(
        &mut self,
        ctx: &mut Context<'_>,
        answers: bool,
        hook: impl FnOnce(&mut dyn Strategy, &mut Context<'_>) -> T,
    ) -> T {
        let before = ctx.parts().2.actions.len();
        let told = hook(self.strategy.as_mut(), ctx);
        let now = ctx.now();
        self.note(ctx, before, now, answers);
        told
    }

    fn note(&mut self, ctx: &mut Context<'_>, before: usize, at: Ts, answers: bool) {
        let asked = &ctx.parts().2.actions[before..];
        if asked.is_empty() {
            return;
        }
        let mut notes = read(&self.notes);
        for action in asked {
            if let Action::Signal(signal) = action
                && let Some(odd) = odd(signal)
            {
                notes.odd.get_or_insert(odd);
            }
            let stated = match action {
                // One that is passed on keeps the time at which somebody else made it: that is not dated back.
                Action::Signal(s) if s.ts_made != Ts::NONE && !self.passed.contains(&(s.source.clone(), s.ts_made)) => {
                    s.ts_made
                }
                _ => at,
            };
            notes.decisions.push(Decision { at, stated, answers, text: format!("{action:?}"), gist: gist(action) });
        }
    }

    fn heard(&self, at: Ts, instrument: InstrumentId) {
        read(&self.notes).heard.push((at, instrument));
    }

    /// Counts a round trip where the position comes to its end, and the order where it begins or grows.
    fn filled(&mut self, fill: &Fill) {
        let held = self.held.entry(fill.instrument).or_default();
        let before = *held;
        *held = before.saturating_add(fill.side.sign().saturating_mul(fill.qty.mantissa()));
        let ended = before != 0 && held.signum() != before.signum();
        let grew = held.unsigned_abs() > before.unsigned_abs() || ended && *held != 0;
        let mut notes = read(&self.notes);
        notes.round_trips += usize::from(ended);
        if grew {
            notes.entries.insert(fill.order);
        }
    }

    /// The same for events in a row; what was asked for belongs to the last that was heard.
    fn hear_many<E>(
        &mut self,
        ctx: &mut Context<'_>,
        events: &[E],
        time: impl Fn(&E) -> (Ts, InstrumentId),
        hook: impl FnOnce(&mut dyn Strategy, &mut Context<'_>) -> usize,
    ) -> usize {
        let before = ctx.parts().2.actions.len();
        let count = hook(self.strategy.as_mut(), ctx).min(events.len());
        read(&self.notes).heard.extend(events[..count].iter().map(&time));
        let at = events[..count].last().map_or(ctx.now(), |last| time(last).0);
        self.note(ctx, before, at, false);
        count
    }
}

/// What in a signal is no number that can be meant.
fn odd(signal: &Signal) -> Option<String> {
    let share = |what: &str, value: f64| (!(0.0..=1.0).contains(&value)).then(|| format!("a {what} of {value}"));
    let size = match signal.size {
        Some(SizeHint::EquityPct(pct)) if !pct.is_finite() => Some(format!("a size of {pct} per cent of equity")),
        _ => None,
    };
    share("strength", signal.strength).or_else(|| share("confidence", signal.confidence)).or(size)
}

fn gist(action: &Action) -> String {
    let direction = |d: Direction| match d {
        Direction::Long => "long",
        Direction::Short => "short",
        Direction::Flat => "flat",
    };
    match action {
        Action::Signal(s) => format!("{} {}", direction(s.direction), s.instrument.0),
        Action::Place(_, i) => {
            format!("{} {}", if i.side == Side::Buy { "buy" } else { "sell" }, i.instrument.0)
        }
        Action::Cancel(_) => "cancel".to_owned(),
        Action::CancelAll(id) => format!("cancel all {}", id.0),
        Action::Timer(..) => "timer".to_owned(),
        Action::SubscribeBars(id, interval) => format!("bars {} {interval}", id.0),
        Action::Halt(reason) => format!("halt: {reason}"),
    }
}

impl Strategy for Witness {
    fn account(&self) -> AccountKind {
        self.strategy.account()
    }

    fn on_start(&mut self, ctx: &mut Context<'_>) {
        self.hear(ctx, false, |s, ctx| s.on_start(ctx));
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.heard(trade.ts, trade.instrument);
        self.hear(ctx, false, |s, ctx| s.on_trade(ctx, trade));
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        self.heard(quote.ts, quote.instrument);
        self.hear(ctx, false, |s, ctx| s.on_quote(ctx, quote));
    }

    fn on_book(&mut self, ctx: &mut Context<'_>, book: &BookView<'_>) {
        self.heard(book.ts, book.instrument);
        self.hear(ctx, false, |s, ctx| s.on_book(ctx, book));
    }

    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        self.heard(bar.ts_close, bar.instrument);
        self.hear(ctx, false, |s, ctx| s.on_bar(ctx, bar));
    }

    fn on_funding(&mut self, ctx: &mut Context<'_>, funding: &Funding) {
        self.hear(ctx, false, |s, ctx| s.on_funding(ctx, funding));
    }

    fn on_signal(&mut self, ctx: &mut Context<'_>, signal: &Signal) {
        // With the name of who made it, or as its own.
        self.passed.extend([signal.source.clone(), Tag::default()].map(|source| (source, signal.ts_made)));
        self.hear(ctx, true, |s, ctx| s.on_signal(ctx, signal));
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        self.hear(ctx, true, |s, ctx| s.on_order(ctx, update));
    }

    fn on_fill(&mut self, ctx: &mut Context<'_>, fill: &Fill) {
        self.filled(fill);
        self.hear(ctx, true, |s, ctx| s.on_fill(ctx, fill));
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, timer: u64) {
        self.hear(ctx, false, |s, ctx| s.on_timer(ctx, timer));
    }

    /// What it asks for here is not done, so it is not noted.
    fn on_stop(&mut self, ctx: &mut Context<'_>) {
        let saved = self.strategy.save();
        let (now, (view, own, _)) = (ctx.now(), ctx.parts());
        let seen = Some((now, view.clone(), own.clone()));
        self.strategy.on_stop(ctx);
        let mut notes = read(&self.notes);
        (notes.saved, notes.seen) = (saved, seen);
        (notes.memory, notes.window) = (self.strategy.memory(), self.strategy.rebuild_window());
    }

    fn observe(&self, probe: &mut Probe) {
        self.strategy.observe(probe);
    }

    fn observed(&self, probe: &mut Probe) {
        self.strategy.observed(probe);
    }

    fn failure(&self) -> Option<String> {
        self.strategy.failure()
    }

    fn rebuild_window(&self) -> u64 {
        self.strategy.rebuild_window()
    }

    fn on_trades(&mut self, ctx: &mut Context<'_>, trades: &[Trade]) -> usize {
        self.hear_many(ctx, trades, |t| (t.ts, t.instrument), |s, ctx| s.on_trades(ctx, trades))
    }

    fn on_bars(&mut self, ctx: &mut Context<'_>, bars: &[Bar]) -> usize {
        self.hear_many(ctx, bars, |b| (b.ts_close, b.instrument), |s, ctx| s.on_bars(ctx, bars))
    }

    fn takes_many(&self) -> bool {
        self.many && self.strategy.takes_many()
    }

    fn memory(&self) -> Option<usize> {
        self.strategy.memory()
    }

    fn save(&self) -> Vec<u8> {
        self.strategy.save()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        self.strategy.restore(state)
    }
}
