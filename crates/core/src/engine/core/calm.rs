//! Calm stretches: events in a row that concern nothing but one strategy and the value of the position, taken at once.
//!
//! What [`Engine::on_event`] asks at every event, this asks once per stretch, and the recorder hears of a whole piece
//! of it at a time. Nothing else is different: the strategy sees every event with the same time, prices and equity.

use super::*;

/// Events the recorder is told of together: few enough to be still in the nearest cache.
const PIECE: usize = 128;

/// An event that a calm stretch can be made of.
pub(in crate::engine) trait Calm: Copy {
    /// When it begins: a bar's open, the time of a trade.
    fn begin(&self) -> Ts;
    /// When it is known: a bar's close, the time of a trade.
    fn end(&self) -> Ts;
    /// Open, high, low, close.
    fn prices(&self) -> [Price; 4];
    /// What was traded.
    fn qty(&self) -> Qty;
    /// Whose instrument.
    fn instrument(&self) -> InstrumentId;
    /// Whether it counts as a bar.
    const IS_BAR: bool;
    /// Whether a strategy is given it.
    fn is_heard_by(&self, slot: &Slot) -> bool;
    /// Gives it to a strategy.
    fn tell(&self, strategy: &mut dyn Strategy, ctx: &mut Context<'_>);
    /// Gives several to a strategy that takes many; says how many it heard.
    fn tell_many(events: &[Self], strategy: &mut dyn Strategy, ctx: &mut Context<'_>) -> usize;
}

impl Calm for Trade {
    const IS_BAR: bool = false;
    #[inline]
    fn begin(&self) -> Ts {
        self.ts
    }
    #[inline]
    fn end(&self) -> Ts {
        self.ts
    }
    #[inline]
    fn prices(&self) -> [Price; 4] {
        [self.price; 4]
    }
    #[inline]
    fn qty(&self) -> Qty {
        self.qty
    }
    #[inline]
    fn instrument(&self) -> InstrumentId {
        self.instrument
    }
    fn is_heard_by(&self, slot: &Slot) -> bool {
        slot.input.trades && slot.trades_it[self.instrument.index()] && !slot.halted
    }
    #[inline]
    fn tell(&self, strategy: &mut dyn Strategy, ctx: &mut Context<'_>) {
        strategy.on_trade(ctx, self);
    }
    fn tell_many(events: &[Self], strategy: &mut dyn Strategy, ctx: &mut Context<'_>) -> usize {
        strategy.on_trades(ctx, events)
    }
}

impl Calm for Bar {
    const IS_BAR: bool = true;
    #[inline]
    fn begin(&self) -> Ts {
        self.ts_open
    }
    #[inline]
    fn end(&self) -> Ts {
        self.ts_close
    }
    #[inline]
    fn prices(&self) -> [Price; 4] {
        [self.open, self.high, self.low, self.close]
    }
    #[inline]
    fn qty(&self) -> Qty {
        self.volume
    }
    #[inline]
    fn instrument(&self) -> InstrumentId {
        self.instrument
    }
    fn is_heard_by(&self, slot: &Slot) -> bool {
        slot.wants_bars(self.instrument, self.interval) && !slot.halted
    }
    #[inline]
    fn tell(&self, strategy: &mut dyn Strategy, ctx: &mut Context<'_>) {
        strategy.on_bar(ctx, self);
    }
    fn tell_many(events: &[Self], strategy: &mut dyn Strategy, ctx: &mut Context<'_>) -> usize {
        strategy.on_bars(ctx, events)
    }
}

impl Engine {
    /// Takes events of one series for as long as each ends before `horizon` and has all its prices inside `band`.
    /// Ends after the event at which the strategy asks for something. Gives how many were taken; none when more than
    /// one strategy listens, bars are built, or the run is warming up.
    ///
    /// # Errors
    /// [`EngineError`].
    pub(in crate::engine) fn calm_stretch<T: Calm>(
        &mut self,
        events: &[T],
        horizon: Ts,
        band: (Price, Price),
    ) -> Result<usize, EngineError> {
        let Some(first) = events.first() else { return Ok(0) };
        let id = first.instrument();
        let horizon = horizon.min(self.timers.next());
        if first.end() >= horizon || first.begin() >= self.recorder.next_due() {
            return Ok(0);
        }
        let mut hearing = (0..self.slots.len()).filter(|i| first.is_heard_by(&self.slots[*i]));
        let (Some(listener), None) = (hearing.next(), hearing.next()) else { return Ok(0) };
        let Some(per_unit) = self.ledger.equity_per_price_unit(id) else { return Ok(0) };
        let built = self.builders.iter().any(|b| b.instrument() == id);
        let watched = self.watching || self.guard.is_tripped();
        // A sizer that measures wants every bar by itself.
        let measured = T::IS_BAR && !self.slots[listener].gauges.is_empty();
        if built || watched || measured || self.warmup > 0 || self.closing || !self.commands.is_empty() {
            return Ok(0);
        }
        let mut taken = 0;
        for piece in events.chunks(PIECE) {
            let count = self.calm_piece(piece, listener, per_unit, horizon, band)?;
            taken += count;
            if count < piece.len() || !self.outbox.actions.is_empty() {
                break;
            }
        }
        self.events += taken as u64;
        if T::IS_BAR {
            self.bars += taken as u64;
        }
        if !self.outbox.actions.is_empty() {
            self.act(listener)?;
        }
        Ok(taken)
    }

    /// A piece of a stretch: first the strategy, event by event, then the recorder and the books for all of them.
    fn calm_piece<T: Calm>(
        &mut self,
        piece: &[T],
        listener: usize,
        per_unit: i64,
        horizon: Ts,
        band: (Price, Price),
    ) -> Result<usize, EngineError> {
        let Some(id) = piece.first().map(T::instrument) else { return Ok(0) };
        let candle_end = self.recorder.next_due();
        // Equity is linear in the price, so it need not be carried from event to event.
        let (equity, mark) = (self.ledger.equity().mantissa(), self.ledger.position(id).mark.mantissa());
        let equity_at =
            |p: Price| Money::from_mantissa(equity + i128::from(p.mantissa() - mark) * i128::from(per_unit));
        let slot = &mut self.slots[listener];
        let fits = |event: &T, now: Ts| {
            let [open, high, low, close] = event.prices();
            let in_band = low.min(open).min(close) > band.0 && high.max(open).max(close) < band.1;
            event.begin() >= now && event.begin() < candle_end && event.end() < horizon && in_band
        };
        let mut now = self.now;
        let mut taken = 0;
        if slot.strategy.takes_many() {
            // It looks at nothing but the events, so time, prices and equity may wait for the last that it hears.
            let fitting = piece.iter().take_while(|event| {
                let fits = fits(event, now);
                now = now.max(event.end());
                fits
            });
            let fitting = &piece[..fitting.count()];
            let mut ctx = Context::new(self.now, id, &self.view, &slot.own, &mut self.outbox);
            taken = T::tell_many(fitting, slot.strategy.as_mut(), &mut ctx).min(fitting.len());
            now = piece[..taken].last().map_or(self.now, |last| self.now.max(last.end()));
        } else {
            for event in piece {
                if !fits(event, now) {
                    break;
                }
                taken += 1;
                now = now.max(event.end());
                let close = event.prices()[3];
                self.view.instruments[id.index()].last = close;
                self.view.equity = equity_at(close);
                let mut ctx = Context::new(now, id, &self.view, &slot.own, &mut self.outbox);
                event.tell(slot.strategy.as_mut(), &mut ctx);
                if !self.outbox.actions.is_empty() {
                    break;
                }
            }
        }
        let told = &piece[..taken];
        if let Some(last) = told.last() {
            let close = last.prices()[3];
            self.now = now;
            self.view.instruments[id.index()].last = close;
            self.view.equity = equity_at(close);
            self.recorder.stretch(told, equity_at, self.ledger.open_count() > 0);
            self.price_at[id.index()] = now;
            self.ledger.mark(id, close)?;
        }
        Ok(taken)
    }
}
