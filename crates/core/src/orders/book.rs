//! The orders of a session, by number, with the transitions that are possible.

use bellwether_sdk::{OrderId, OrderKind, OrderState, Price, Qty, Rate, Size, TimeInForce, Trail, Ts};
use serde::{Deserialize, Serialize};

use super::away::{Archive, Away, Places};
use super::hash::order_hash;
use super::{FillRecord, Life, Named, Order, OrderRecord, PutAway, REASONS, Step, TifType, WordId, Words};

/// Something happened to an order that cannot happen to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// There is no such order.
    #[error("order {0} is not known")]
    Unknown(u64),
    /// That cannot happen to an order in this state.
    #[error("order {id} is {from}, which {step:?} is impossible for")]
    Transition {
        /// The order.
        id: u64,
        /// Its state.
        from: &'static str,
        /// What was to happen.
        step: Step,
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

/// The orders and fills of a session: all of them, or all but those that were [put away](Self::put_away).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Orders {
    records: Vec<OrderRecord>,
    places: Places,
    fills: Vec<FillRecord>,
    /// Tags and reasons.
    pub words: Words,
    away: Away,
    /// Where what is put away goes, when somebody wants it.
    #[serde(skip)]
    archive: Option<Archive>,
}

impl Orders {
    /// An empty list with room for `count` orders that fill once: address space, not memory, until they are made.
    /// Growing by doubling would copy every record about once.
    pub fn with_room(count: usize) -> Self {
        Self {
            records: Vec::with_capacity(count),
            places: Places::with_room(count),
            fills: Vec::with_capacity(count),
            ..Self::default()
        }
    }

    /// Every order that was not put away, in order of creation.
    pub fn records(&self) -> &[OrderRecord] {
        &self.records
    }

    /// Every fill of these, in order of time.
    pub fn fills(&self) -> &[FillRecord] {
        &self.fills
    }

    /// How many orders were made.
    pub fn made(&self) -> u64 {
        self.away.counts.orders + self.records.len() as u64
    }

    /// How many fills there were.
    pub fn filled(&self) -> u64 {
        self.away.counts.fills + self.fills.len() as u64
    }

    /// What was put away.
    pub fn put_away_counts(&self) -> PutAway {
        self.away.counts
    }

    /// The hash of all orders and fills so far, those that were put away too.
    pub fn hash<'a>(&'a self, named: &Named<'a>) -> String {
        order_hash(&self.away, &self.records, &self.fills, &self.words, named)
    }

    /// From now on what is put away is kept aside, for whoever wants the whole lists at the end. It is not part of the
    /// state.
    pub fn keep_archive(&mut self) {
        self.archive.get_or_insert_default();
    }

    /// Whether there is a quarter more than when orders were [put away](Self::put_away) last: then it is worth its cost.
    #[inline]
    pub fn is_full(&self, kept: usize) -> bool {
        self.records.len() > self.away.left.max(kept).saturating_add(kept / 4)
    }

    /// Puts the oldest ended orders away, with their fills, so that `kept` of them stay: those that ended last, and of those
    /// first what went out. Their counts and their hash go on. Gives the last end of those that went out;
    /// [`Ts::NONE`] where there is none.
    pub fn put_away(&mut self, kept: usize, named: &Named<'_>) -> Ts {
        let over = self.records.iter().filter(|r| r.life.is_over());
        // For what no venue has heard of nothing can come late: it goes first.
        let went_out = |r: &OrderRecord| r.life != Life::Rejected || REASONS.contains(&self.words.get(r.reason));
        let mut ended: Vec<(bool, Ts, OrderId)> = over.map(|r| (went_out(r), r.ts_done, r.id)).collect();
        let many = ended.len().saturating_sub(kept);
        ended.sort_unstable();
        let until = ended[..many].last().filter(|(went_out, ..)| *went_out).map_or(Ts::NONE, |(_, ts, _)| *ts);
        let mut going: Vec<OrderId> = ended[..many].iter().map(|(_, _, id)| *id).collect();
        going.sort_unstable();
        let goes = |id: OrderId| going.binary_search(&id).is_ok();
        let gone: Vec<OrderRecord> = self.records.extract_if(.., |r| goes(r.id)).collect();
        let gone_fills: Vec<FillRecord> = self.fills.extract_if(.., |f| goes(f.order)).collect();
        self.away.take(&gone, &gone_fills, &self.words, named);
        self.away.left = self.records.len();
        self.places = Places::of(&self.records, kept);
        if let Some(archive) = &mut self.archive {
            archive.take(gone, gone_fills);
        }
        until
    }

    /// Takes the lists out, for the outcome of a run: what was put away is in them where it was kept aside. And how much is
    /// in none of them.
    pub fn into_parts(self) -> (Vec<OrderRecord>, Vec<FillRecord>, Words, PutAway) {
        match self.archive {
            None => (self.records, self.fills, self.words, self.away.counts),
            Some(archive) => {
                let (records, fills) = archive.with(self.records, self.fills);
                (records, fills, self.words, PutAway::default())
            }
        }
    }

    /// The record of an order.
    ///
    /// # Errors
    /// [`OrderError::Unknown`].
    pub fn get(&self, id: OrderId) -> Result<&OrderRecord, OrderError> {
        self.places.get(id).and_then(|p| self.records.get(p)).ok_or(OrderError::Unknown(id.0))
    }

    fn get_mut(&mut self, id: OrderId) -> Result<&mut OrderRecord, OrderError> {
        self.places.get(id).and_then(|p| self.records.get_mut(p)).ok_or(OrderError::Unknown(id.0))
    }

    /// Enters an order that was asked for.
    pub fn create(&mut self, order: &Order, now: Ts) {
        self.places.put(order.id, self.records.len());
        self.records.push(record_of(order, now));
    }

    /// Risk has approved it, and it goes out.
    ///
    /// # Errors
    /// [`OrderError`] when it is unknown or was decided on before.
    pub fn send(&mut self, id: OrderId) -> Result<(), OrderError> {
        let record = self.get_mut(id)?;
        step(record, Step::Approve)?;
        step(record, Step::Send)
    }

    /// The venue has it.
    ///
    /// # Errors
    /// [`OrderError`] when it is unknown or has ended.
    pub fn acknowledge(&mut self, id: OrderId) -> Result<(), OrderError> {
        step(self.get_mut(id)?, Step::Acknowledge)
    }

    /// Nobody knows what became of it.
    ///
    /// # Errors
    /// [`OrderError`] when it is unknown to us or has ended.
    pub fn lose_sight(&mut self, id: OrderId) -> Result<(), OrderError> {
        step(self.get_mut(id)?, Step::LoseSight)
    }

    /// Its end is asked for.
    ///
    /// # Errors
    /// [`OrderError`] when it is unknown or has ended.
    pub fn ask_cancel(&mut self, id: OrderId) -> Result<(), OrderError> {
        step(self.get_mut(id)?, Step::AskCancel)
    }

    /// It filled, in whole or part. `qty_total` is the order's quantity where only the venue knew it (notional orders).
    ///
    /// # Errors
    /// [`OrderError`] when it is unknown, has ended, or would be filled beyond its quantity; nothing is entered then.
    pub fn fill(&mut self, fill: FillRecord, qty_total: Qty) -> Result<OrderState, OrderError> {
        let record = self.get_mut(fill.order)?;
        let filled = record.filled.mantissa().saturating_add(fill.qty.mantissa());
        let fills = if filled < qty_total.mantissa() { Step::FillPart } else { Step::FillWhole };
        let mut after = *record;
        step(&mut after, fills)?;
        if filled > qty_total.mantissa() {
            return Err(OrderError::Overfill { id: fill.order.0, qty: qty_total.mantissa(), filled });
        }
        *record = after;
        record.qty = qty_total;
        record.filled = Qty::from_mantissa(filled);
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
    /// [`OrderError`] when it is unknown or never went out.
    pub fn fill_late(&mut self, fill: FillRecord, qty_total: Qty) -> Result<OrderState, OrderError> {
        let record = self.get_mut(fill.order)?;
        let filled = record.filled.mantissa().saturating_add(fill.qty.mantissa());
        if !record.life.is_over() {
            // Whatever was known of it: the venue has it. One that never went out is nobody's to fill.
            step(record, if filled < qty_total.mantissa() { Step::FillPart } else { Step::FillWhole })?;
        }
        record.qty = qty_total.max(Qty::from_mantissa(filled));
        record.filled = Qty::from_mantissa(filled);
        if filled >= qty_total.mantissa() {
            (record.state, record.life) = (OrderState::Filled, Life::Filled);
            record.reason = WordId(0);
            record.ts_done = fill.ts;
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
        let ends = match state {
            OrderState::Rejected => Step::Reject,
            OrderState::Expired => Step::Expire,
            _ => Step::Cancel,
        };
        step(record, ends)?;
        record.reason = reason;
        record.ts_done = now;
        Ok(())
    }
}

/// Takes a step that is possible; otherwise nothing changes.
fn step(record: &mut OrderRecord, step: Step) -> Result<(), OrderError> {
    let Some(after) = record.life.after(step, !record.filled.is_zero()) else {
        return Err(OrderError::Transition { id: record.id.0, from: record.life.name(), step });
    };
    record.life = after;
    match (after.shown(), step) {
        (Some(state), _) => record.state = state,
        // What a pending cancel meets is shown all the same.
        (None, Step::FillPart) => record.state = OrderState::PartlyFilled,
        (None, Step::Acknowledge) if record.state == OrderState::Sent => record.state = OrderState::Acknowledged,
        (None, _) => {}
    }
    Ok(())
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
        life: Life::Created,
    }
}

fn trail_mantissa(fraction: Rate) -> Price {
    Price::from_mantissa(fraction.mantissa())
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    fn order() -> Order {
        fixtures::order(1)
    }

    fn fill(qty: i64) -> FillRecord {
        fixtures::fill(1, qty)
    }

    #[test]
    fn what_filled_after_the_end_or_beyond_the_quantity_is_entered_as_a_fact() {
        let (mut orders, whole) = (Orders::default(), Qty::from_mantissa(10));
        orders.create(&order(), Ts::from_nanos(1));
        orders.send(OrderId(1)).expect("sent");
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
