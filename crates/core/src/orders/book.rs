//! The orders of a session, by number, with the transitions that are possible.

use bellwether_sdk::{OrderId, OrderKind, OrderState, Price, Qty, Rate, Size, TimeInForce, Trail, Ts};

use super::{FillRecord, Order, OrderRecord, TifType, WordId, Words};

/// Something happened to an order that cannot happen to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// There is no such order.
    #[error("order {0} is not known")]
    Unknown(u64),
    /// The order had ended before.
    #[error("order {id} is {from} and cannot become {to}")]
    Transition {
        /// The order.
        id: u64,
        /// Its state.
        from: &'static str,
        /// The state asked for.
        to: &'static str,
    },
    /// More filled than was ordered.
    #[error("order {id} of {qty} would have {filled} filled")]
    Overfill {
        /// The order.
        id: u64,
        /// Its quantity, mantissa.
        qty: i64,
        /// What would be filled, mantissa.
        filled: i64,
    },
}

/// All orders and fills of a session.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    records: Vec<OrderRecord>,
    /// Place in `records` by order number − 1; ids are dense, creation order may differ within one event.
    slots: Vec<u32>,
    fills: Vec<FillRecord>,
    /// Tags and reasons.
    pub words: Words,
}

impl Orders {
    /// An empty list with room for `count` orders that fill once: address space, not memory, until they are made.
    /// Growing by doubling would copy every record about once.
    pub fn with_room(count: usize) -> Self {
        Self {
            records: Vec::with_capacity(count),
            slots: Vec::with_capacity(count),
            fills: Vec::with_capacity(count),
            words: Words::default(),
        }
    }

    /// Every order, in order of creation.
    pub fn records(&self) -> &[OrderRecord] {
        &self.records
    }

    /// Every fill, in order of time.
    pub fn fills(&self) -> &[FillRecord] {
        &self.fills
    }

    /// Takes the lists out, for the outcome of a run.
    pub fn into_parts(self) -> (Vec<OrderRecord>, Vec<FillRecord>, Words) {
        (self.records, self.fills, self.words)
    }

    /// The record of an order.
    ///
    /// # Errors
    /// [`OrderError::Unknown`].
    pub fn get(&self, id: OrderId) -> Result<&OrderRecord, OrderError> {
        let slot = usize::try_from(id.0.wrapping_sub(1)).ok().and_then(|i| self.slots.get(i));
        slot.and_then(|s| self.records.get(*s as usize)).ok_or(OrderError::Unknown(id.0))
    }

    fn get_mut(&mut self, id: OrderId) -> Result<&mut OrderRecord, OrderError> {
        let slot = usize::try_from(id.0.wrapping_sub(1)).ok().and_then(|i| self.slots.get(i));
        slot.and_then(|s| self.records.get_mut(*s as usize)).ok_or(OrderError::Unknown(id.0))
    }

    /// Enters a new order as sent.
    pub fn create(&mut self, order: &Order, now: Ts) {
        let index = order.id.0.saturating_sub(1) as usize;
        if self.slots.len() <= index {
            self.slots.resize(index + 1, u32::MAX);
        }
        self.slots[index] = self.records.len() as u32;
        self.records.push(record_of(order, now));
    }

    /// The venue has it.
    ///
    /// # Errors
    /// [`OrderError`] when it is unknown or has ended.
    pub fn acknowledge(&mut self, id: OrderId) -> Result<(), OrderError> {
        let record = self.get_mut(id)?;
        alive(record, OrderState::Acknowledged)?;
        if matches!(record.state, OrderState::Sent | OrderState::Unknown) {
            record.state = if record.filled.is_zero() { OrderState::Acknowledged } else { OrderState::PartlyFilled };
        }
        Ok(())
    }

    /// Nobody knows what became of it.
    ///
    /// # Errors
    /// [`OrderError`] when it is unknown to us or has ended.
    pub fn lose_sight(&mut self, id: OrderId) -> Result<(), OrderError> {
        let record = self.get_mut(id)?;
        alive(record, OrderState::Unknown)?;
        record.state = OrderState::Unknown;
        Ok(())
    }

    /// It filled, in whole or part. `qty_total` is the order's quantity where only the venue knew it (notional orders).
    ///
    /// # Errors
    /// [`OrderError`] when it is unknown, has ended, or would be filled beyond its quantity; nothing is entered then.
    pub fn fill(&mut self, fill: FillRecord, qty_total: Qty) -> Result<OrderState, OrderError> {
        let record = self.get_mut(fill.order)?;
        alive(record, OrderState::Filled)?;
        let filled = record.filled.mantissa().saturating_add(fill.qty.mantissa());
        if filled > qty_total.mantissa() {
            return Err(OrderError::Overfill { id: fill.order.0, qty: qty_total.mantissa(), filled });
        }
        record.qty = qty_total;
        record.filled = Qty::from_mantissa(filled);
        record.state = if filled == qty_total.mantissa() { OrderState::Filled } else { OrderState::PartlyFilled };
        if record.state == OrderState::Filled {
            record.ts_done = fill.ts;
        }
        let state = record.state;
        self.fills.push(fill);
        Ok(state)
    }

    /// It filled at a venue after an end that we were told of, or beyond its quantity: a fact, entered all the same. The
    /// order's end stays as it was told unless the whole quantity is filled now.
    ///
    /// # Errors
    /// [`OrderError::Unknown`].
    pub fn fill_late(&mut self, fill: FillRecord, qty_total: Qty) -> Result<OrderState, OrderError> {
        let record = self.get_mut(fill.order)?;
        let filled = record.filled.mantissa().saturating_add(fill.qty.mantissa());
        record.qty = qty_total.max(Qty::from_mantissa(filled));
        record.filled = Qty::from_mantissa(filled);
        if filled >= qty_total.mantissa() {
            record.state = OrderState::Filled;
            record.reason = WordId(0);
            record.ts_done = fill.ts;
        } else if record.state.is_open() {
            record.state = OrderState::PartlyFilled;
        }
        let state = record.state;
        self.fills.push(fill);
        Ok(state)
    }

    /// It ended without (further) fills.
    ///
    /// # Errors
    /// [`OrderError`] when it is unknown or had ended before.
    pub fn end(&mut self, id: OrderId, state: OrderState, reason: &str, now: Ts) -> Result<(), OrderError> {
        let reason = self.words.intern(reason);
        let record = self.get_mut(id)?;
        alive(record, state)?;
        record.state = state;
        record.reason = reason;
        record.ts_done = now;
        Ok(())
    }
}

fn alive(record: &OrderRecord, to: OrderState) -> Result<(), OrderError> {
    if record.state.is_open() {
        return Ok(());
    }
    Err(OrderError::Transition { id: record.id.0, from: record.state.name(), to: to.name() })
}

fn record_of(order: &Order, now: Ts) -> OrderRecord {
    let (price, trigger, trail_fraction) = match order.kind {
        OrderKind::Market => (Price::ZERO, Price::ZERO, false),
        OrderKind::Limit { price } => (price, Price::ZERO, false),
        OrderKind::StopMarket { trigger } => (Price::ZERO, trigger, false),
        OrderKind::StopLimit { trigger, price } => (price, trigger, false),
        OrderKind::TrailingStop { trail: Trail::Offset(offset) } => (Price::ZERO, offset, false),
        OrderKind::TrailingStop { trail: Trail::Fraction(fraction) } => (Price::ZERO, trail_mantissa(fraction), true),
    };
    let (tif, ts_expiry) = match order.tif {
        TimeInForce::Gtc => (TifType::Gtc, Ts::NONE),
        TimeInForce::Ioc => (TifType::Ioc, Ts::NONE),
        TimeInForce::Fok => (TifType::Fok, Ts::NONE),
        TimeInForce::Gtd(at) => (TifType::Gtd, at),
    };
    let (qty, notional, notional_scale) = match order.size {
        Size::Qty(qty) => (qty, 0, 0),
        Size::Notional { amount, .. } => (Qty::ZERO, amount.mantissa(), amount.scale()),
    };
    OrderRecord {
        id: order.id,
        ts_created: now,
        ts_done: Ts::NONE,
        ts_expiry,
        price,
        trigger,
        qty,
        filled: Qty::ZERO,
        notional,
        parent: order.parent,
        tag: order.tag,
        reason: WordId(0),
        strategy: order.strategy,
        instrument: order.instrument,
        notional_scale,
        side: order.side,
        order_type: order.kind.into(),
        tif,
        trail_fraction,
        post_only: order.post_only,
        reduce_only: order.reduce_only,
        role: order.role,
        state: OrderState::Sent,
    }
}

fn trail_mantissa(fraction: Rate) -> Price {
    Price::from_mantissa(fraction.mantissa())
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::{InstrumentId, Liquidity, Money, Role, Side};

    use super::*;

    fn order() -> Order {
        Order {
            id: OrderId(1),
            strategy: 0,
            instrument: InstrumentId(0),
            side: Side::Buy,
            size: Size::Qty(Qty::from_mantissa(10)),
            kind: OrderKind::Limit { price: Price::from_mantissa(100) },
            tif: TimeInForce::Gtc,
            post_only: false,
            reduce_only: false,
            role: Role::Intent,
            parent: OrderId(0),
            oco: OrderId(0),
            tag: WordId(0),
        }
    }

    fn fill(qty: i64) -> FillRecord {
        FillRecord {
            fee: Money::ZERO,
            order: OrderId(1),
            ts: Ts::from_nanos(9),
            bar_ts: Ts::NONE,
            price: Price::from_mantissa(100),
            qty: Qty::from_mantissa(qty),
            instrument: InstrumentId(0),
            strategy: 0,
            side: Side::Buy,
            liquidity: Liquidity::Maker,
        }
    }

    #[test]
    fn what_filled_after_the_end_or_beyond_the_quantity_is_entered_as_a_fact() {
        let (mut orders, whole) = (Orders::default(), Qty::from_mantissa(10));
        orders.create(&order(), Ts::from_nanos(1));
        orders.end(OrderId(1), OrderState::Cancelled, "requested", Ts::from_nanos(2)).expect("ended");
        assert!(matches!(orders.fill(fill(4), whole), Err(OrderError::Transition { .. })));
        assert_eq!(orders.fills().len(), 0);
        assert_eq!(orders.fill_late(fill(4), whole), Ok(OrderState::Cancelled), "its end stays as it was told");
        assert_eq!(orders.get(OrderId(1)).expect("there").filled, Qty::from_mantissa(4));
        assert_eq!(orders.fill_late(fill(6), whole), Ok(OrderState::Filled));
        assert!(matches!(orders.fill(fill(1), whole), Err(OrderError::Transition { .. })));
        assert_eq!(orders.fill_late(fill(1), whole), Ok(OrderState::Filled));
        let record = orders.get(OrderId(1)).expect("there");
        assert_eq!(
            (record.filled, record.qty, orders.fills().len()),
            (Qty::from_mantissa(11), Qty::from_mantissa(11), 3)
        );
        assert_eq!(orders.fill_late(FillRecord { order: OrderId(2), ..fill(1) }, whole), Err(OrderError::Unknown(2)));
    }
}
