//! What others left at the venue is taken into the books.

use super::super::adopt::Adoption;
use super::*;

impl Engine {
    /// The number that the next order will have.
    pub fn next_order(&self) -> OrderId {
        OrderId(self.outbox.next_order)
    }

    /// Takes over what others left at the venue. It is there whatever our limits say, so nothing is asked of the guard;
    /// from now on it counts for them. Gives the order that it is in our books, with the price of a position; `None` when
    /// its number is not the next, which a tape cannot bring about.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn adopt(&mut self, adoption: &Adoption) -> Result<Option<(Order, Option<Price>)>, EngineError> {
        if adoption.order != self.next_order() || adoption.qty <= Qty::ZERO {
            return Ok(None);
        }
        self.outbox.next_order += 1;
        let named = adoption.strategy.as_ref().and_then(|id| self.slots.iter().position(|s| s.id == *id && !s.house));
        let i = named.unwrap_or_else(|| self.house());
        // From now on the account's position need not be another strategy's: see `is_alone`.
        self.slots[i].trades_it[adoption.instrument.index()] = true;
        let entry = adoption.entry();
        let order = adoption.order(i as u16, self.orders.words.intern("adopted"));
        self.orders.create(&order, self.now);
        self.orders.send(order.id)?;
        self.orders.acknowledge(order.id)?;
        self.say(i, order.instrument, What::Order, || {
            let whose = if entry.is_some() { "a position" } else { "an open order" };
            format!("order {} is {whose} of others, taken over: {}", order.id.0, adoption.reason)
        });
        match entry {
            None => {
                self.slots[i].own.orders.push(OpenOrder {
                    id: order.id,
                    instrument: order.instrument,
                    side: order.side,
                    state: OrderState::Acknowledged,
                    price: order.price(),
                    qty_left: adoption.qty,
                });
                self.update(order.id, OrderState::Acknowledged, "")?;
            }
            Some(price) => {
                let fill = FillRecord {
                    // Whoever opened it has paid the fee.
                    fee: Money::ZERO,
                    order: order.id,
                    ts: self.now,
                    bar_ts: Ts::NONE,
                    price,
                    qty: adoption.qty,
                    instrument: order.instrument,
                    strategy: order.strategy,
                    side: order.side,
                    liquidity: bellwether_sdk::Liquidity::Taker,
                };
                self.filled(fill, Qty::ZERO, adoption.qty, Role::Intent)?;
                // A fill marks the position at its price: the market's counts.
                let last = self.view.instruments[order.instrument.index()].last;
                if !last.is_zero() {
                    self.ledger.mark(order.instrument, last)?;
                    self.equity_changed(self.now);
                }
            }
        }
        self.enforce();
        Ok(Some((order, entry)))
    }

    /// The place of what belongs to no strategy; made when it is first needed.
    pub(super) fn house(&mut self) -> usize {
        self.slots.iter().position(|s| s.house).unwrap_or_else(|| {
            self.slots.push(Slot::house(self.view.instruments.len()));
            self.slots.len() - 1
        })
    }
}
