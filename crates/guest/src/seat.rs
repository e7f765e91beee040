//! The strategy in its instance, with its own copy of what it may see.

use bellwether_sdk::{
    Action, Bar, Context, InstrumentId, InstrumentView, Money, OrderId, OrderUpdate, Outbox, OwnView, PositionView,
    Price, Quote, Strategy, Trade, Ts, View,
};

use crate::bindings::exports::bellwether::strategy::plugin as wit;
use crate::seen;

/// The strategy and its view.
pub(crate) struct Seat {
    pub(crate) strategy: Box<dyn Strategy>,
    view: View,
    own: OwnView,
    outbox: Outbox,
    /// Reasons of order updates, which the sdk holds as text that lives for ever. The host's are from a closed list.
    reasons: Vec<&'static str>,
}

/// An event that can come many at once.
pub(crate) trait Event {
    fn at(&self) -> (Ts, InstrumentId);
    fn tell(&self, strategy: &mut dyn Strategy, ctx: &mut Context<'_>);
}

impl Event for Trade {
    fn at(&self) -> (Ts, InstrumentId) {
        (self.ts, self.instrument)
    }
    fn tell(&self, strategy: &mut dyn Strategy, ctx: &mut Context<'_>) {
        strategy.on_trade(ctx, self);
    }
}

impl Event for Bar {
    fn at(&self) -> (Ts, InstrumentId) {
        (self.ts_close, self.instrument)
    }
    fn tell(&self, strategy: &mut dyn Strategy, ctx: &mut Context<'_>) {
        strategy.on_bar(ctx, self);
    }
}

impl Seat {
    pub(crate) fn new(strategy: Box<dyn Strategy>) -> Self {
        let outbox = Outbox { actions: Vec::new(), next_order: 1 };
        Self { strategy, view: View::default(), own: OwnView::default(), outbox, reasons: Vec::new() }
    }

    pub(crate) fn sit(&mut self, equity_scale: u8, instruments: Vec<wit::Instrument>, mine: &[u16]) {
        let view = |i| {
            let instrument = seen::instrument(i);
            InstrumentView {
                quote: Quote { instrument: instrument.id, ..Quote::default() },
                instrument,
                last: Price::ZERO,
            }
        };
        self.view.equity_scale = equity_scale;
        self.view.instruments = (0..).zip(instruments).map(view).collect();
        self.own = OwnView {
            positions: vec![PositionView::default(); self.view.instruments.len()],
            orders: Vec::new(),
            instruments: mine.iter().map(|id| InstrumentId(*id)).collect(),
        };
    }

    pub(crate) fn sync(
        &mut self,
        seen: Vec<wit::Seen>,
        positions: Vec<wit::Position>,
        orders: Option<Vec<wit::OpenOrder>>,
    ) {
        for now in seen {
            let quote = seen::quote(now.quote);
            let view = &mut self.view.instruments[quote.instrument.index()];
            (view.last, view.quote) = (Price::from_mantissa(now.last), quote);
        }
        for position in positions {
            self.own.positions[usize::from(position.instrument)] = PositionView {
                qty: bellwether_sdk::Qty::from_mantissa(position.qty),
                entry: Price::from_mantissa(position.entry),
            };
        }
        if let Some(orders) = orders {
            self.own.orders.clear();
            self.own.orders.extend(orders.iter().map(seen::open_order));
        }
    }

    /// The first instrument given, which stands for events of none.
    pub(crate) fn first(&self) -> InstrumentId {
        self.own.instruments.first().copied().unwrap_or_default()
    }

    /// A price was seen.
    pub(crate) fn saw(&mut self, id: InstrumentId, price: Price) {
        self.view.instruments[id.index()].last = price;
    }

    /// A quote was seen.
    pub(crate) fn saw_quote(&mut self, quote: &Quote) {
        let view = &mut self.view.instruments[quote.instrument.index()];
        view.quote = *quote;
        let mid = quote.mid();
        if !mid.is_zero() {
            view.last = mid;
        }
    }

    pub(crate) fn hear(
        &mut self,
        at: wit::Moment,
        instrument: InstrumentId,
        hook: impl FnOnce(&mut dyn Strategy, &mut Context<'_>),
    ) -> u32 {
        self.view.equity = Money::from_mantissa(seen::wide(at.equity));
        self.outbox.next_order = at.next_order;
        let now = Ts::from_nanos(at.now);
        let mut ctx = Context::new(now, instrument, &self.view, &self.own, &mut self.outbox);
        hook(self.strategy.as_mut(), &mut ctx);
        u32::try_from(self.outbox.actions.len()).unwrap_or(u32::MAX)
    }

    /// Hears events until one asks for something.
    pub(crate) fn hear_many<R, E: Event>(&mut self, rows: &[R], event: impl Fn(&R) -> E) -> u32 {
        let mut heard = 0;
        for row in rows {
            let event = event(row);
            let (now, instrument) = event.at();
            let mut ctx = Context::new(now, instrument, &self.view, &self.own, &mut self.outbox);
            event.tell(self.strategy.as_mut(), &mut ctx);
            if !self.outbox.actions.is_empty() {
                break;
            }
            heard += 1;
        }
        heard
    }

    pub(crate) fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.outbox.actions)
    }

    pub(crate) fn update(&mut self, update: wit::OrderUpdate) -> OrderUpdate {
        let known = self.reasons.iter().find(|r| **r == update.reason).copied();
        let reason = known.unwrap_or_else(|| {
            let reason: &'static str = Box::leak(update.reason.into_boxed_str());
            self.reasons.push(reason);
            reason
        });
        OrderUpdate {
            order: OrderId(update.order),
            instrument: InstrumentId(update.instrument),
            ts: Ts::from_nanos(update.ts),
            state: seen::state(update.state),
            reason,
        }
    }
}
