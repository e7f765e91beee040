//! The engine's state as bytes, and back. Settings are not in it.

use std::collections::BTreeMap;

use super::super::slot::Slot;
use super::super::state::{Maker, StateError, carried, get, put};
use super::*;

impl Slot {
    carried!(gauges, lots, trades_it, seen, more_bars, words, fired, placed, halted, form, past);

    fn put_state(&self, out: &mut Vec<u8>) -> Result<(), StateError> {
        self.put_fields(out)?;
        put(out, &(&self.own.positions, &self.own.orders))?;
        // One that was halted is never called again: its state is of no use, and may not be there.
        let saved = if self.halted { Vec::new() } else { self.strategy.save() };
        if let Some(why) = self.strategy.failure().filter(|_| !self.halted) {
            return Err(StateError::Broken { strategy: self.id.clone(), why });
        }
        if saved.is_empty() && !self.halted {
            return Err(StateError::Unsaved(self.id.clone()));
        }
        put(out, &saved)
    }

    /// All but the strategy's own, whose bytes it gives.
    fn get_state(&mut self, from: &mut &[u8]) -> Result<Vec<u8>, StateError> {
        self.get_fields(from)?;
        (self.own.positions, self.own.orders) = get(from)?;
        get(from)
    }
}

impl Engine {
    carried!(
        now,
        orders,
        ledger,
        builders,
        books,
        brackets,
        protective,
        replaced,
        targets,
        tried,
        unwinding,
        trades,
        trades_away,
        recorder,
        events,
        bars,
        signals,
        refusals,
        dropped,
        notes,
        impossible,
        book_gaps,
        references,
        price_at,
        enforced,
        sent,
        halts,
        heard,
        paused,
        closing,
        swaps,
    );

    pub(in crate::engine) fn put_state(&self, out: &mut Vec<u8>) -> Result<(), StateError> {
        let on_trial = self.slots.iter().any(|slot| slot.trial.is_some());
        if on_trial || !self.outbox.actions.is_empty() || !self.commands.is_empty() || self.guard.has_acts() {
            return Err(StateError::Unsettled);
        }
        self.put_fields(out)?;
        let prices: Vec<(Price, Quote)> = self.view.instruments.iter().map(|v| (v.last, v.quote)).collect();
        put(out, &(prices, self.view.equity, &self.view.features))?;
        put(out, &(self.outbox.next_order, self.timers.state(), self.guard.memory(), self.combiner.opinions()))?;
        // It came to be as something was taken over: no settings make it.
        put(out, &self.slots.iter().any(|slot| slot.house))?;
        self.slots.iter().try_for_each(|slot| slot.put_state(out))
    }

    /// `make` makes what took a strategy's place.
    pub(in crate::engine) fn get_state(&mut self, from: &mut &[u8], make: Maker<'_>) -> Result<(), StateError> {
        self.get_fields(from)?;
        let (prices, equity, features): (Vec<(Price, Quote)>, _, _) = get(from)?;
        for (view, (last, quote)) in self.view.instruments.iter_mut().zip(prices) {
            (view.last, view.quote) = (last, quote);
        }
        (self.view.equity, self.view.features) = (equity, features);
        let (next_order, timers, memory, opinions): (u64, _, _, BTreeMap<_, _>) = get(from)?;
        self.timers.take_up(timers);
        self.guard.take_up(memory);
        self.combiner.take_up(opinions);
        if get(from)? {
            self.house();
        }
        for i in 0..self.slots.len() {
            let saved = self.slots[i].get_state(from)?;
            if let Some(swap) = self.slots[i].form.take() {
                let failed = |why| StateError::Strategy { strategy: swap.strategy.clone(), why };
                let newcomer = make(&swap, self).map_err(failed)?;
                self.guard.declare(i, newcomer.declared);
                let slot = &mut self.slots[i];
                (slot.strategy, slot.sizer, slot.form) = (newcomer.strategy, newcomer.sizer, Some(swap));
            }
            if !self.slots[i].halted {
                self.wake(i, &saved)?;
            }
        }
        self.outbox = Outbox { actions: Vec::new(), next_order };
        Ok(())
    }

    /// A strategy takes up its state. It is started first, for what it keeps of its start beside what it saves; what it
    /// asks for then was asked for long ago.
    fn wake(&mut self, i: usize, saved: &[u8]) -> Result<(), StateError> {
        let slot = &mut self.slots[i];
        let first = slot.own.instruments.first().copied().unwrap_or_default();
        let mut ctx = Context::new(self.now, first, &self.view, &slot.own, &mut self.outbox);
        slot.strategy.on_start(&mut ctx);
        self.outbox.actions.clear();
        let failed = |why| StateError::Strategy { strategy: slot.id.clone(), why };
        slot.strategy.restore(saved).map_err(failed)?;
        if slot.strategy.save() == saved {
            return Ok(());
        }
        Err(failed("what it saves after taking it up is another state".to_owned()))
    }
}
