//! What the exchange says: orders change their state, fills reach the books, protection comes to life.

use super::*;

impl Engine {
    /// Takes an answer of the exchange, at engine time `at`.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn on_answer(&mut self, answer: &Answer, at: Ts) -> Result<(), EngineError> {
        self.now = self.now.max(at);
        match self.answered(answer) {
            // A venue may say what cannot be: it is refused and counted, and what was known stays.
            Err(EngineError::Order(error)) => self.refuse_answer(&error),
            done => done?,
        }
        self.enforce();
        Ok(())
    }

    fn refuse_answer(&mut self, error: &OrderError) {
        self.impossible += 1;
        if self.impossible == 1 {
            self.notes.push(format!("the exchange said what cannot be, first at {}: {error}", self.now.nanos()));
        }
    }

    /// Answers that were impossible for their order: they were refused, and changed nothing.
    pub fn impossible_answers(&self) -> u64 {
        self.impossible
    }

    fn answered(&mut self, answer: &Answer) -> Result<(), EngineError> {
        match *answer {
            Answer::Accepted(id) => {
                self.orders.acknowledge(id)?;
                self.update(id, OrderState::Acknowledged, "")
            }
            Answer::Unknown(id) => {
                self.orders.lose_sight(id)?;
                self.update(id, OrderState::Unknown, "")
            }
            Answer::Rejected(id, reason) => {
                *self.refusals.entry(reason.into()).or_default() += 1;
                self.ended(id, OrderState::Rejected, reason)
            }
            Answer::Cancelled(id, reason) => self.ended(id, OrderState::Cancelled, reason),
            // Nobody refused it: it is counted among the ends of orders.
            Answer::Expired(id, reason) => self.ended(id, OrderState::Expired, reason),
            Answer::Funding(instrument, amount) => {
                self.ledger.fund(instrument, amount)?;
                self.equity_changed(self.now.plus(-1));
                Ok(())
            }
            Answer::Fill { order: OrderId(0), instrument, side, price, qty, fee, bar_ts, .. } => {
                self.liquidated(instrument, side, price, qty, fee, bar_ts)
            }
            Answer::Fill { order, instrument, side, price, qty, withheld, qty_total, fee, liquidity, bar_ts } => {
                let record = self.orders.get(order)?;
                let role = record.role;
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
                self.filled(fill, withheld, qty_total, role)
            }
        }
    }

    /// Equity is another, by something of the time `of`: what happens at a day's first open is the new day's, what happens
    /// inside its last bar, or settles at its end, the old one's.
    pub(super) fn equity_changed(&mut self, of: Ts) {
        let equity = self.ledger.equity();
        self.recorder.pass_day(of);
        self.view.equity = equity;
        self.recorder.equity(self.now, equity, self.ledger.open_count() > 0);
        if self.watching {
            self.judge();
        }
    }

    pub(super) fn filled(
        &mut self,
        fill: FillRecord,
        withheld: Qty,
        qty_total: Qty,
        role: Role,
    ) -> Result<(), EngineError> {
        // What the order did is one thing, what we have of it another.
        let kept = Qty::from_mantissa(fill.qty.mantissa() - withheld.mantissa().clamp(0, fill.qty.mantissa().max(0)));
        let state = match self.orders.fill(fill, qty_total) {
            Ok(state) => state,
            // A venue may fill what it had called ended, and even too much: what it did counts.
            Err(OrderError::Transition { .. } | OrderError::Overfill { .. }) => {
                self.orders.fill_late(fill, qty_total)?
            }
            Err(error) => return Err(error.into()),
        };
        let record = self.orders.get(fill.order)?;
        let left = qty_total.mantissa().saturating_sub(record.filled.mantissa()).max(0);
        let (tag, qty_left) = (record.tag, Qty::from_mantissa(left));
        self.ledger.fill(fill.instrument, fill.side, fill.price, kept, fill.fee)?;
        let i = fill.strategy as usize;
        let lots = &mut self.slots[i].lots[fill.instrument.index()];
        let held = lots.qty().mantissa().signum();
        let lot_fill = LotFill {
            instrument: fill.instrument,
            strategy: fill.strategy,
            side: fill.side,
            price: fill.price,
            qty: kept,
            fee: fill.fee,
            ts: fill.ts,
            bar_ts: fill.bar_ts,
            tag,
            role,
        };
        let closed = self.trades.len();
        lots.fill(self.ledger.terms(fill.instrument), &lot_fill, &mut self.trades)?;
        lots.withhold(withheld);
        if self.trades.len() > closed {
            // It may fill in many pieces and close many lots: it is one trade all the same.
            let profit: i128 = self.trades[closed..].iter().map(|trade| trade.pnl.mantissa()).sum();
            let so_far = self.unwinding.entry(fill.order).or_default();
            *so_far = Money::from_mantissa(so_far.mantissa().saturating_add(profit));
            if matches!(role, Role::StopLoss | Role::TrailingStop) {
                self.guard.stopped_out(fill.instrument, self.now);
            }
        }
        self.slots[i].own.positions[fill.instrument.index()] = lots.view();
        if !state.is_open() {
            self.count_closed(fill.order);
        }
        self.equity_changed(if fill.bar_ts == Ts::NONE { fill.ts } else { fill.bar_ts });
        self.note_state(i, fill.order, state, qty_left);
        let holds = self.slots[i].lots[fill.instrument.index()].qty().mantissa().signum();
        if !self.protective.is_empty() && !state.is_open() {
            self.protective.remove(&fill.order);
        }
        let closed = held != 0 && holds != held;
        if closed {
            self.drop_targets(i, fill.instrument);
            if !self.protective.is_empty() {
                self.drop_protection(i, fill.instrument);
            }
            if role.is_protective() {
                // An entry that waited beside the protection was to undo what is gone now.
                let waits = |r: &OrderRecord| r.role == Role::Signal && r.order_type == OrderType::Limit;
                let waiting = self.slots[i].own.orders.iter().filter(|o| o.instrument == fill.instrument);
                let waiting = waiting.filter(|o| self.orders.get(o.id).is_ok_and(waits)).map(|o| o.id);
                waiting.collect::<Vec<_>>().into_iter().for_each(|order| self.cancel(i, order));
            }
        }
        // Few orders protect or are protected: most runs have these maps empty.
        if !self.replaced.is_empty() && (closed || !state.is_open()) {
            self.replaced.remove(&fill.order);
        }
        if !self.tried.is_empty() && !state.is_open() {
            self.tried.remove(&fill.order);
        }
        self.sell_at_targets(fill.instrument);
        self.protect(fill.order, kept, state)?;
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
        self.say(i, fill.instrument, What::Answer, || format!("order {} {}: fill", fill.order.0, state.name()));
        self.hear(i, fill.instrument, |s, ctx| s.on_fill(ctx, &told))?;
        let update = OrderUpdate { order: fill.order, instrument: fill.instrument, ts: self.now, state, reason: "" };
        self.hear(i, fill.instrument, |s, ctx| s.on_order(ctx, &update))
    }

    /// An order has ended: the guard counts what it closed, if it did.
    fn count_closed(&mut self, order: OrderId) -> bool {
        let profit = self.unwinding.remove(&order);
        profit.into_iter().for_each(|profit| self.guard.count_trade(profit));
        profit.is_some()
    }

    /// Places the protective orders of an entry for what has just filled and opened (not for what closed). A market order
    /// at a venue fills in many pieces in a moment, and is protected once, when it has ended or after [`AWAITED_NS`](targets::AWAITED_NS): venues
    /// bound how many stops there may be, and how small.
    pub(super) fn protect(&mut self, entry: OrderId, kept: Qty, state: OrderState) -> Result<(), EngineError> {
        if self.brackets.is_empty() {
            return Ok(());
        }
        let record = *self.orders.get(entry)?;
        let waits = self.at_venue && record.order_type == OrderType::Market && state.is_open();
        let now = self.now;
        let Some(awaited) = self.brackets.get_mut(&entry) else { return Ok(()) };
        let filled = awaited.kept.mantissa().saturating_add(kept.mantissa());
        let since = if awaited.kept.is_zero() { now } else { awaited.since };
        if waits && since.plus(targets::AWAITED_NS) > now {
            (awaited.kept, awaited.since) = (Qty::from_mantissa(filled), since);
            return Ok(());
        }
        let bracket = awaited.bracket;
        awaited.kept = Qty::ZERO;
        if !state.is_open() {
            self.brackets.remove(&entry);
        }
        let held = self.slots[record.strategy as usize].lots[record.instrument.index()].qty().mantissa();
        let opened = if held.signum() == record.side.sign() { held.abs().min(filled) } else { 0 };
        if opened == 0 {
            return Ok(());
        }
        let wanted = [
            bracket.stop_loss.map(|trigger| (Role::StopLoss, OrderKind::StopMarket { trigger })),
            bracket.trailing_stop.map(|trail| (Role::TrailingStop, OrderKind::TrailingStop { trail })),
            bracket.take_profit.map(|price| (Role::TakeProfit, OrderKind::Limit { price })),
        ];
        let reduce_only = self.is_alone(record.strategy as usize, record.instrument);
        let one_sale = self.holds_targets(record.instrument) && wanted.iter().flatten().count() > 1;
        let group = OrderId(self.outbox.next_order);
        for (role, kind) in wanted.into_iter().flatten() {
            let held_here = one_sale && role == Role::TakeProfit;
            let id = if held_here { OrderId(0) } else { OrderId(self.outbox.next_order) };
            self.outbox.next_order += u64::from(!held_here);
            let order = Order {
                id,
                strategy: record.strategy,
                instrument: record.instrument,
                side: record.side.opposite(),
                size: Size::Qty(Qty::from_mantissa(opened)),
                kind,
                tif: TimeInForce::Gtc,
                post_only: false,
                reduce_only,
                role,
                parent: entry,
                oco: group,
                tag: record.tag,
            };
            match kind {
                OrderKind::Limit { price } if held_here => self.hold_target(order, price),
                _ if self.send(order) => drop(self.protective.insert(id, order)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The venue closed a position: the part of each strategy that lies on its side, in their order.
    pub(super) fn liquidated(
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
            // The venue made it.
            self.orders.send(order.id)?;
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
            self.filled(fill, Qty::ZERO, Qty::from_mantissa(part), Role::Liquidation)?;
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn ended(&mut self, id: OrderId, state: OrderState, reason: &'static str) -> Result<(), EngineError> {
        self.orders.end(id, state, reason, self.now)?;
        if self.count_closed(id) && self.watching {
            self.judge();
        }
        // What came of it and waited.
        self.protect(id, Qty::ZERO, state)?;
        self.brackets.remove(&id);
        self.protective.remove(&id);
        self.restore_protection(id);
        let record = self.orders.get(id)?;
        let (instrument, left) = (record.instrument, record.qty.mantissa().saturating_sub(record.filled.mantissa()));
        if !self.tried.is_empty() {
            self.hold_again(id, left);
        }
        self.sell_at_targets(instrument);
        self.update(id, state, reason)
    }

    pub(super) fn update(&mut self, id: OrderId, state: OrderState, reason: &'static str) -> Result<(), EngineError> {
        let record = self.orders.get(id)?;
        let (i, instrument) = (record.strategy as usize, record.instrument);
        let left = Qty::from_mantissa(record.qty.mantissa() - record.filled.mantissa());
        self.say(i, instrument, What::Answer, || {
            let why = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            format!("order {} {}{why}", id.0, state.name())
        });
        self.note_state(i, id, state, left);
        let update = OrderUpdate { order: id, instrument, ts: self.now, state, reason };
        self.hear(i, instrument, |s, ctx| s.on_order(ctx, &update))
    }

    pub(super) fn note_state(&mut self, i: usize, id: OrderId, state: OrderState, qty_left: Qty) {
        let orders = &mut self.slots[i].own.orders;
        let Some(at) = orders.iter().position(|o| o.id == id) else { return };
        if state.is_open() {
            orders[at].state = state;
            orders[at].qty_left = qty_left;
        } else {
            orders.remove(at);
        }
    }
}
