//! What strategies ask for: signals are sized, intents become orders, risk approves, commands go out.

use super::*;

/// Orders that close one position, at most: of one that would take more a part stays open.
const PIECES_MAX: usize = 100;

impl Engine {
    /// Carries out what a strategy asked for, in order.
    pub(super) fn act(&mut self, i: usize) -> Result<(), EngineError> {
        let mut actions = std::mem::take(&mut self.outbox.actions);
        if actions.len() > ACTIONS_MAX {
            actions = vec![Action::Halt(format!("more than {ACTIONS_MAX} actions in one event").into())];
        }
        for action in actions.drain(..) {
            // Each by itself is one order: asked for at every answer to the one before, they have no end.
            let is_order = matches!(action, Action::Place(..) | Action::Signal(_));
            if is_order && self.slots[i].placed.is_over(self.now, ACTIONS_MAX) {
                self.halt(i, format!("more than {ACTIONS_MAX} orders at one time"));
                break;
            }
            match action {
                Action::Signal(signal) => self.on_signal(i, signal),
                Action::Place(id, intent) if self.paused && !intent.reduce_only => {
                    self.drop_order(i, id, intent.instrument, Unsent::Paused);
                }
                Action::Place(id, intent) if self.only_emits => {
                    self.drop_order(i, id, intent.instrument, Unsent::OnlySignals);
                }
                Action::Place(id, intent) => {
                    self.place(i, id, &intent, Role::Intent);
                }
                Action::Cancel(id) => self.cancel(i, id),
                Action::CancelAll(instrument) => {
                    self.replaced
                        .retain(|_, old| old.iter().all(|o| (o.strategy as usize, o.instrument) != (i, instrument)));
                    // What is held here goes with what rests at the venue.
                    self.forget_targets(i, instrument);
                    self.forget_awaited(i, instrument);
                    self.cancel_where(i, |o, _| o.instrument == instrument);
                }
                Action::Timer(at, timer) => self.timers.add(at.max(self.now), Due::Timer(i, timer)),
                Action::SubscribeBars(instrument, interval) => self.subscribe(i, instrument, interval),
                Action::Halt(reason) => {
                    self.halt(i, reason.into_owned());
                    break;
                }
            }
            if let Some(reason) = self.hoard_of(i) {
                self.halt(i, reason);
                break;
            }
        }
        // The memory is used again by the next event.
        actions.clear();
        self.outbox.actions = actions;
        Ok(())
    }

    /// What a strategy has heaped up beyond what one may: each event by itself asked for little.
    #[inline]
    pub(super) fn hoard_of(&self, i: usize) -> Option<String> {
        let slot = &self.slots[i];
        if self.timers.pending(i) > TIMERS_MAX {
            Some(format!("more than {TIMERS_MAX} timers are pending"))
        } else if slot.more_bars.len() > INTERVALS_MAX * slot.own.instruments.len().max(1) {
            Some(format!("it asks for bars of more than {INTERVALS_MAX} intervals per instrument"))
        } else if slot.own.orders.len() > OPEN_MAX {
            Some(format!("more than {OPEN_MAX} of its orders are open"))
        } else if slot.words > WORDS_MAX {
            Some(format!("its orders have tags of more than {} MiB", WORDS_MAX >> 20))
        } else {
            None
        }
    }

    /// An order that a strategy counts on, or a signal (order 0), comes to nothing before it is one.
    pub(super) fn drop_order(&mut self, i: usize, order: OrderId, instrument: InstrumentId, why: Unsent) {
        // An order of a strategy's own was no signal, and is not counted as one.
        let reason = if order == OrderId(0) { why.reason() } else { why.reason_of_order() };
        *self.dropped.entry(reason.into()).or_default() += 1;
        self.timers.add(self.now, Due::Unsent(i, instrument, order, why));
    }

    /// A strategy is not called any more. The others go on.
    pub(super) fn halt(&mut self, i: usize, reason: String) {
        if self.slots[i].trial.is_some() {
            // It is the newcomer that fails.
            self.take_back(i, reason);
            return;
        }
        if std::mem::replace(&mut self.slots[i].halted, true) {
            return;
        }
        let first = self.slots[i].own.instruments.first().copied().unwrap_or_default();
        self.say(i, first, What::Halted, || reason.clone());
        self.halts.push(Halt { strategy: self.slots[i].id.clone(), at: self.now, reason });
        if self.slots[i].on_halt == OnHalt::Cancel {
            let protects = |role| matches!(role, Role::StopLoss | Role::TakeProfit | Role::TrailingStop);
            self.cancel_where(i, |_, role| !protects(role));
        }
    }

    pub(super) fn subscribe(&mut self, i: usize, instrument: InstrumentId, interval: Interval) {
        if self.slots[i].more_bars.contains(&(instrument, interval)) {
            // A strategy may ask again at every event.
            return;
        }
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

    pub(super) fn on_signal(&mut self, i: usize, mut signal: Signal) {
        self.signals += 1;
        if signal.id == 0 {
            signal.id = self.signals;
        }
        if signal.ts_made == Ts::NONE {
            signal.ts_made = self.now;
        }
        if signal.source.is_empty() {
            signal.source = self.slots[i].id.clone().into();
        }
        let id = signal.instrument;
        self.say(i, id, What::Signal, || words_of(&signal));
        if let Some(emitted) = &mut self.emitted {
            emitted.push((i, signal.clone()));
        }
        if self.only_emits {
            return;
        }
        let slot = &self.slots[i];
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
                equity: self.view.equity,
                equity_scale: self.view.equity_scale,
                quote_per_reporting: self.rate_of(settle),
                last: self.view.instruments[id.index()].last,
                gauge: slot.gauges.get(id.index()),
                shorts: self.account == AccountKind::Margin,
                now: self.now,
            },
        );
        match sized {
            Sized::Nothing(reason) => {
                *self.dropped.entry(reason.into()).or_default() += 1;
                if !reason.starts_with("already_") {
                    self.timers.add(self.now, Due::Unsent(i, id, OrderId(0), Unsent::NoOrder));
                }
                self.say(i, id, What::Dropped, || format!("no order: {reason}"));
            }
            Sized::CancelPending => {
                self.say(i, id, What::Order, || {
                    "orders in flight are cancelled: already where it wants to be".to_owned()
                });
                self.cancel_where(i, |o, role| o.instrument == id && role == Role::Signal);
            }
            Sized::Order(intent) if self.paused && !intent.reduce_only => {
                self.drop_order(i, OrderId(0), id, Unsent::Paused);
                self.say(i, id, What::Dropped, || "no order: paused".to_owned());
            }
            Sized::Order(intent) => {
                // A new wish replaces what is left of the last one, and the protection of what it undoes.
                let order = OrderId(self.outbox.next_order);
                self.outbox.next_order += 1;
                let before = self.commands.len();
                let waits = matches!(intent.kind, OrderKind::Limit { .. });
                if self.place(i, order, &intent, Role::Signal) {
                    self.replace_orders(i, id, order, before, waits);
                    if let Some(at) = signal.expiry.filter(|_| waits) {
                        self.timers.add(at, Due::Lapse(i, order));
                    }
                }
            }
        }
    }

    /// Sign of the position when all sized orders in flight have filled; 2 × sign never occurs.
    pub(super) fn position_after(&self, i: usize, id: InstrumentId) -> i64 {
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
    pub(super) fn rate_of(&self, settle: usize) -> f64 {
        if settle == 0 {
            return 1.0;
        }
        let one = i128::from(bellwether_sdk::num::pow10(self.currencies[0].scale));
        let converted = self.ledger.from_reporting(settle, Money::from_mantissa(one));
        converted.map_or(0.0, |m| m.to_f64(self.currencies[settle].scale))
    }

    /// Cancels what an accepted order replaces, ahead of it; protection is remembered until the order is done. An order
    /// that waits for its price leaves protection where it is: whichever fills first ends the other.
    pub(super) fn replace_orders(&mut self, i: usize, id: InstrumentId, by: OrderId, ahead_of: usize, waits: bool) {
        if self.slots[i].own.orders.len() <= 1 {
            // The new order is the only one.
            return;
        }
        let others = self.slots[i].own.orders.iter().filter(|o| o.instrument == id && o.id != by).map(|o| o.id);
        let old: Vec<OrderId> = others.filter(|o| !(waits && self.protective.contains_key(o))).collect();
        let mut protection = Vec::new();
        for order in &old {
            protection.extend(self.protective.get(order).copied());
            protection.extend(self.replaced.remove(order).into_iter().flatten());
            self.note_cancel(*order);
        }
        if !protection.is_empty() {
            self.replaced.insert(by, protection);
        }
        self.commands.splice(ahead_of..ahead_of, old.into_iter().map(|order| Command::Cancel(order, id)));
    }

    /// An order that had replaced protection is over: where the position is still there, so is its protection again.
    pub(super) fn restore_protection(&mut self, ended: OrderId) {
        let Some(old) = self.replaced.remove(&ended) else { return };
        let mut group = OrderId(0);
        for mut order in old {
            let held = self.slots[order.strategy as usize].lots[order.instrument.index()].qty().mantissa();
            let Size::Qty(qty) = order.size else { continue };
            if held.signum() != -order.side.sign() {
                continue;
            }
            order.size = Size::Qty(qty.min(Qty::from_mantissa(held.abs())));
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

    /// Everything is cancelled: nothing comes back.
    pub(super) fn forget_protection(&mut self) {
        self.brackets.clear();
        self.replaced.clear();
        self.targets.clear();
        self.tried.clear();
    }

    /// A strategy's position is closed: what protected it has nothing left to do.
    pub(super) fn drop_protection(&mut self, i: usize, id: InstrumentId) {
        let strategy = i as u16;
        let done = self.protective.values().filter(|o| o.strategy == strategy && o.instrument == id);
        let done: Vec<OrderId> = done.map(|o| o.id).collect();
        done.iter().for_each(|order| self.note_cancel(*order));
        self.commands.extend(done.into_iter().map(|order| Command::Cancel(order, id)));
    }

    pub(super) fn cancel_where(&mut self, i: usize, which: impl Fn(&OpenOrder, Role) -> bool) {
        for open in &self.slots[i].own.orders {
            let role = self.orders.get(open.id).map_or(Role::Intent, |r| r.role);
            if which(open, role) {
                // It is open, so this cannot fail.
                let _ = self.orders.ask_cancel(open.id);
                self.commands.push(Command::Cancel(open.id, open.instrument));
            }
        }
    }

    /// An open order's end is asked for.
    fn note_cancel(&mut self, order: OrderId) {
        // One that has just ended is asked for all the same, and its record stays.
        let _ = self.orders.ask_cancel(order);
    }

    /// Whether a strategy is alone in an instrument: then its position is the account's, and the exchange may judge
    /// what only makes it smaller.
    pub(super) fn is_alone(&self, i: usize, id: InstrumentId) -> bool {
        self.slots.iter().enumerate().all(|(j, s)| j == i || !s.trades_it[id.index()])
    }

    pub(super) fn cancel(&mut self, i: usize, id: OrderId) {
        match self.slots[i].own.orders.iter().find(|o| o.id == id) {
            Some(open) => {
                self.commands.push(Command::Cancel(id, open.instrument));
                self.note_cancel(id);
            }
            None => *self.dropped.entry("cancel_of_no_open_order".into()).or_default() += 1,
        }
    }

    /// Makes an order of an intent, asks risk, and sends it.
    pub(super) fn place(&mut self, i: usize, id: OrderId, intent: &Intent, role: Role) -> bool {
        let words = self.orders.words.bytes();
        let tag = self.orders.words.intern(&intent.tag);
        self.slots[i].words += self.orders.words.bytes() - words;
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
            self.brackets.insert(id, targets::Awaited::of(intent.bracket));
        }
        sent
    }

    /// A sale of all that was bought, where the venue kept a part of that as its fee: it is of what came. So a strategy that
    /// sells what it ordered leaves at a venue as it does in a backtest.
    fn of_what_came(&self, order: Order) -> Order {
        let slot = &self.slots[usize::from(order.strategy)];
        let lots = &slot.lots[order.instrument.index()];
        let (held, withheld) = (lots.qty().mantissa(), lots.withheld().mantissa());
        if withheld == 0 || order.side == Side::Buy {
            return order;
        }
        let sells = |o: &&OpenOrder| {
            o.instrument == order.instrument && o.side == Side::Sell && !self.protective.contains_key(&o.id)
        };
        let left = held - slot.own.orders.iter().filter(sells).map(|o| o.qty_left.mantissa()).sum::<i64>();
        match order.size {
            Size::Qty(qty) if left > 0 && (1..=withheld).contains(&(qty.mantissa() - left)) => {
                Order { size: Size::Qty(Qty::from_mantissa(left)), ..order }
            }
            _ => order,
        }
    }

    /// Enters an order, asks risk, and sends it if approved.
    pub(super) fn send(&mut self, order: Order) -> bool {
        let order = self.of_what_came(order);
        let index = order.instrument.index();
        let i = order.strategy as usize;
        self.orders.create(&order, self.now);
        let open_orders =
            self.slots.iter().flat_map(|s| &s.own.orders).filter(|o| o.instrument == order.instrument).count();
        let pace = self.pace(&order);
        let terms = self.ledger.terms(order.instrument);
        let view = RiskView {
            instrument: &self.view.instruments[index].instrument,
            terms,
            money_scale: self.currencies[terms.settle].scale,
            position: self.ledger.position(order.instrument),
            last: self.view.instruments[index].last,
            open_orders: u32::try_from(open_orders).unwrap_or(u32::MAX),
            reference: self.references[index],
            pace,
        };
        match self.guard.approve(order, &view) {
            Ok(approved) => {
                self.guard.note(&order, &view);
                // It was created a moment ago, so this cannot fail.
                let _ = self.orders.send(order.id);
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
                if self.guard.limits().orders_per_minute_max.is_some() {
                    self.sent.push_back(self.now);
                }
                self.say(i, order.instrument, What::Order, || format!("order {} approved and sent", order.id.0));
                true
            }
            Err(refusal) => {
                *self.refusals.entry(refusal.name().into()).or_default() += 1;
                // The order was created a moment ago, so ending it cannot fail.
                let _ = self.orders.end(order.id, OrderState::Rejected, refusal.name(), self.now);
                self.timers.add(self.now, Due::Unsent(i, order.instrument, order.id, Unsent::Guard));
                self.say(i, order.instrument, What::Refused, || {
                    format!("order {} refused by the guard: {refusal} ({})", order.id.0, refusal.name())
                });
                false
            }
        }
    }

    /// The session goes on after all: strategies are heard again.
    pub fn reopen(&mut self) {
        self.closing = false;
    }

    /// Cancels every open order; strategies are not heard any more.
    pub fn cancel_all(&mut self) {
        self.closing = true;
        self.forget_protection();
        for i in 0..self.slots.len() {
            self.cancel_where(i, |_, _| true);
        }
    }

    /// Orders that close every strategy's positions, role `end_of_data`; strategies are not heard any more.
    pub fn close_all(&mut self) {
        self.closing = true;
        self.forget_protection();
        for i in 0..self.slots.len() {
            self.cancel_where(i, |_, _| true);
            for index in 0..self.view.instruments.len() {
                self.close_held(i, InstrumentId(index as u16), Role::EndOfData);
            }
        }
    }

    /// Market orders that close what a strategy holds of an instrument: one, or pieces where the venue takes none so large.
    pub(super) fn close_held(&mut self, i: usize, instrument: InstrumentId, role: Role) {
        let held = self.slots[i].lots[instrument.index()].qty().mantissa();
        let side = if held > 0 { Side::Sell } else { Side::Buy };
        let rules = &self.view.instruments[instrument.index()].instrument;
        let lot = rules.lot.mantissa();
        let most = rules.qty_max_of(OrderKind::Market).map_or(i64::MAX, |max| (max.mantissa() / lot * lot).max(lot));
        let mut left = held.saturating_abs();
        for _ in 0..PIECES_MAX {
            if left == 0 {
                return;
            }
            // The last two are equal, about: a rest below the venue's smallest order could not be sold.
            let qty = if left > most && left / 2 < most { (left / 2 / lot * lot).max(lot) } else { left.min(most) };
            left -= qty;
            let intent = Intent::market(instrument, side, Qty::from_mantissa(qty)).reduce_only();
            let id = OrderId(self.outbox.next_order);
            self.outbox.next_order += 1;
            self.place(i, id, &intent, role);
        }
    }
}

/// A signal in words.
fn words_of(signal: &Signal) -> String {
    let direction = match signal.direction {
        bellwether_sdk::Direction::Long => "long",
        bellwether_sdk::Direction::Short => "short",
        bellwether_sdk::Direction::Flat => "flat",
    };
    let tag = signal.tags.first().map(|t| format!(", tag {t}")).unwrap_or_default();
    let reason = if signal.reason.is_empty() { String::new() } else { format!(": {}", signal.reason) };
    format!("wants to be {direction}{tag}{reason}")
}
