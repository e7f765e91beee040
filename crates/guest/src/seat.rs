//! The strategy in its instance, with its own copy of what it may see.

use bellwether_sdk::{
    Action, Bar, Context, Feature, InstrumentId, InstrumentView, Money, OrderId, OrderUpdate, Outbox, OwnView,
    PositionView, Price, Quote, Strategy, Trade, Ts, View,
};

use crate::bindings::exports::bellwether::strategy::plugin as wit;
use crate::seen;

/// The strategy and its view.
pub(crate) struct Seat {
    pub(crate) strategy: Box<dyn Strategy>,
    /// It said that it looks at events alone, and is given no view.
    is_blind: bool,
    view: View,
    own: OwnView,
    outbox: Outbox,
    /// Reasons of order updates, which the sdk holds as text that lives for ever. The host's are from a closed list.
    reasons: Vec<&'static str>,
    /// Instruments that the host told of before the event that comes now: it knows their prices better than the event.
    synced: Vec<InstrumentId>,
    /// Those that were told at once last.
    trades: Vec<Trade>,
    bars: Vec<Bar>,
}

impl Seat {
    pub(crate) fn new(strategy: Box<dyn Strategy>, is_blind: bool) -> Self {
        let outbox = Outbox { actions: Vec::new(), next_order: 1 };
        Self {
            strategy,
            is_blind,
            view: View::default(),
            own: OwnView::default(),
            outbox,
            reasons: Vec::new(),
            synced: Vec::new(),
            trades: Vec::new(),
            bars: Vec::new(),
        }
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
        features: Vec<wit::Feature>,
    ) {
        for now in seen {
            let quote = seen::quote(now.quote);
            let view = &mut self.view.instruments[quote.instrument.index()];
            (view.last, view.quote) = (Price::from_mantissa(now.last), quote);
            self.synced.push(quote.instrument);
        }
        for position in positions {
            self.own.positions[usize::from(position.instrument)] = PositionView {
                qty: bellwether_sdk::Qty::from_mantissa(position.qty),
                entry: Price::from_mantissa(position.entry),
            };
        }
        for wit::Feature { name, instrument, value, ts } in features {
            let feature = Feature { value, ts: Ts::from_nanos(ts) };
            self.view.features.set(name.into(), instrument.map(InstrumentId), feature);
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
        if !self.synced.contains(&id) {
            self.view.instruments[id.index()].last = price;
        }
    }

    /// A quote was seen.
    pub(crate) fn saw_quote(&mut self, quote: &Quote) {
        if self.synced.contains(&quote.instrument) {
            return;
        }
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
        self.synced.clear();
        self.view.equity = Money::from_mantissa(seen::wide(at.equity));
        self.outbox.next_order = at.next_order;
        let now = Ts::from_nanos(at.now);
        let ctx = Context::new(now, instrument, &self.view, &self.own, &mut self.outbox);
        let mut ctx = if self.is_blind { ctx.blind() } else { ctx };
        hook(self.strategy.as_mut(), &mut ctx);
        ctx.end();
        u32::try_from(self.outbox.actions.len()).unwrap_or(u32::MAX)
    }

    /// Hears trades until one asks for something; gives how many asked for nothing.
    pub(crate) fn hear_trades(&mut self, instrument: u16, rows: &[[i64; 5]]) -> u32 {
        self.trades.clear();
        self.trades.extend(rows.iter().map(|row| seen::trade_of_row(instrument, row)));
        let Some(first) = self.trades.first() else { return 0 };
        let mut ctx = Context::new(first.ts, first.instrument, &self.view, &self.own, &mut self.outbox).blind();
        // One call through a table: within it the strategy's own hook is known to the compiler.
        let heard = self.strategy.on_trades(&mut ctx, &self.trades);
        self.without_the_last(heard)
    }

    /// The same for bars.
    pub(crate) fn hear_bars(&mut self, instrument: u16, interval: i64, rows: &[[i64; 7]]) -> u32 {
        self.bars.clear();
        self.bars.extend(rows.iter().map(|row| seen::bar_of_row(instrument, interval, row)));
        let Some(first) = self.bars.first() else { return 0 };
        let mut ctx = Context::new(first.ts_close, first.instrument, &self.view, &self.own, &mut self.outbox).blind();
        let heard = self.strategy.on_bars(&mut ctx, &self.bars);
        self.without_the_last(heard)
    }

    /// Of so many heard events the last may have asked for something.
    fn without_the_last(&self, heard: usize) -> u32 {
        let asked = usize::from(!self.outbox.actions.is_empty());
        u32::try_from(heard.saturating_sub(asked)).unwrap_or(u32::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Idle;

    impl Strategy for Idle {}

    /// A seat of two instruments.
    fn seated(strategy: Box<dyn Strategy>, is_blind: bool) -> Seat {
        let mut seat = Seat::new(strategy, is_blind);
        let instrument = || wit::Instrument {
            symbol: "test:AAA/USD".to_owned(),
            price_scale: 2,
            qty_scale: 3,
            tick: 1,
            lot: 1,
            qty_min: 0,
            notional_min: WIDE,
            multiplier: 1,
            inferred: true,
        };
        seat.sit(2, vec![instrument(), instrument()], &[0, 1]);
        seat
    }

    const WIDE: wit::Wide = wit::Wide { high: 0, low: 0 };
    const AT: wit::Moment = wit::Moment { now: 1, next_order: 1, equity: WIDE };

    struct Looks;

    impl Strategy for Looks {
        fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
            ctx.signal(bellwether_sdk::Signal::long(bar.instrument));
            if bar.close == Price::from_mantissa(3) {
                ctx.position(bar.instrument);
            }
        }

        fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
            if trade.price == Price::from_mantissa(3) && ctx.position(trade.instrument).qty.is_zero() {
                ctx.signal(bellwether_sdk::Signal::long(trade.instrument));
            }
        }
    }

    #[test]
    fn one_that_says_it_looks_at_events_alone_and_looks_elsewhere_is_halted_instead_of_told_zeros() {
        let looked = [Action::Halt(
            "it looked at a position, and its manifest says signal-only: then it is given events alone".into(),
        )];
        let bar = |close| seen::bar_of_row(0, 60_000_000_000, &[0, 1, close, close, close, close, 1]);
        for (is_blind, close, asked) in [(true, 2, None), (false, 3, None), (true, 3, Some(&looked[..]))] {
            let mut seat = seated(Box::new(Looks), is_blind);
            seat.hear(AT, InstrumentId(0), |strategy, ctx| strategy.on_bar(ctx, &bar(close)));
            let actions = seat.take();
            assert!(matches!((&actions[..], asked), ([Action::Signal(_)], None)) || asked == Some(&actions[..]));
        }
        // Of many at once, at the one at which it looks.
        let mut seat = seated(Box::new(Looks), true);
        let rows: Vec<[i64; 5]> = (1..6).map(|n| [n, n, n, 1, 0]).collect();
        assert_eq!((seat.hear_trades(0, &rows), seat.take()), (2, looked.to_vec()));
    }

    #[test]
    fn what_the_host_tells_of_a_price_stands_against_what_the_event_says() {
        let mut seat = seated(Box::new(Idle), false);
        let id = InstrumentId(1);
        let last = |seat: &Seat| seat.view.instruments[1].last;
        // A bar that closed at 100 while the quotes stand at 103, as a native strategy sees it.
        let quote = wit::Quote { ts: 1, ts_venue: 1, bid: 102, bid_qty: 1, ask: 104, ask_qty: 1, instrument: 1 };
        seat.sync(vec![wit::Seen { last: 103, quote }], Vec::new(), None, Vec::new());
        seat.saw(id, Price::from_mantissa(100));
        seat.hear(AT, id, |_, ctx| assert_eq!(ctx.last(id), Price::from_mantissa(103)));
        // Where the host told nothing, it is what the event says.
        seat.saw(id, Price::from_mantissa(101));
        assert_eq!(last(&seat), Price::from_mantissa(101));
    }
}
