//! Market events: what each does to prices, books, bars, equity, and who hears of it.

use super::*;

impl Engine {
    /// Takes a market event. Exchange answers it caused go in first, by [`Engine::on_answer`].
    ///
    /// # Errors
    /// [`EngineError`].
    #[inline(always)]
    pub fn on_event(&mut self, event: Event<'_>) -> Result<(), EngineError> {
        self.events += 1;
        match event {
            Event::Trade(trade) => self.on_trade(trade)?,
            Event::Quote(quote) => self.on_quote(quote)?,
            Event::Bar(bar) => self.on_bar(bar)?,
            Event::Depth(depth) => self.on_depth(depth)?,
            Event::Funding(funding) => self.on_funding(funding)?,
        }
        self.enforce();
        Ok(())
    }

    #[inline]
    pub(super) fn on_trade(&mut self, trade: &Trade) -> Result<(), EngineError> {
        let id = trade.instrument;
        self.pass_time(trade.ts);
        self.recorder.price(id, self.now, trade.price, trade.qty);
        self.mark(id, trade.price)?;
        self.meet_targets(id);
        for i in 0..self.builders.len() {
            if self.builders[i].instrument() == id && self.bars_of_stream[id.index()].is_none() {
                let due = self.builders[i].trade(trade.ts, trade.price, trade.qty);
                if let Some(at) = due {
                    self.timers.add(at, Due::Bar(i));
                }
            }
        }
        for i in 0..self.slots.len() {
            if self.slots[i].input.trades && self.slots[i].trades_it[id.index()] {
                self.note_past(i, || Seen::Trade(*trade));
                self.tell(i, id, |s, ctx| s.on_trade(ctx, trade))?;
            }
        }
        Ok(())
    }

    pub(super) fn on_quote(&mut self, quote: &Quote) -> Result<(), EngineError> {
        let id = quote.instrument;
        self.pass_time(quote.ts);
        self.view.instruments[id.index()].quote = *quote;
        let mid = quote.mid();
        if !mid.is_zero() {
            self.recorder.price(id, self.now, mid, Qty::ZERO);
            self.mark(id, mid)?;
            self.meet_targets(id);
        }
        for i in 0..self.slots.len() {
            if self.slots[i].input.quotes && self.slots[i].trades_it[id.index()] {
                self.note_past(i, || Seen::Quote(*quote));
                self.tell(i, id, |s, ctx| s.on_quote(ctx, quote))?;
            }
        }
        Ok(())
    }

    pub(super) fn on_bar(&mut self, bar: &Bar) -> Result<(), EngineError> {
        let id = bar.instrument;
        // Before the bar's own candle begins, the old one ends.
        self.pass_time(bar.ts_open);
        self.recorder.candle(id, bar.ts_open, [bar.open, bar.high, bar.low, bar.close], bar.volume);
        self.now = self.now.max(bar.ts_close);
        self.mark(id, bar.close)?;
        self.meet_targets(id);
        for i in 0..self.builders.len() {
            let builder = &mut self.builders[i];
            if builder.instrument() == id
                && builder.interval() != bar.interval
                && self.bars_of_stream[id.index()] == Some(bar.interval)
                && let Some(at) = builder.bar(bar)
            {
                self.timers.add(at, Due::Bar(i));
            }
        }
        self.deliver_bar(bar)
    }

    pub(super) fn deliver_bar(&mut self, bar: &Bar) -> Result<(), EngineError> {
        for i in 0..self.slots.len() {
            if self.slots[i].wants_bars(bar.instrument, bar.interval) {
                self.bars += 1;
                let scale = self.view.instruments[bar.instrument.index()].instrument.price_scale;
                if let Some(gauge) = self.slots[i].gauges.get_mut(bar.instrument.index()) {
                    gauge.update(bar, scale);
                }
                self.note_past(i, || Seen::Bar(*bar));
                self.tell(i, bar.instrument, |s, ctx| s.on_bar(ctx, bar))?;
            }
        }
        Ok(())
    }

    /// Remembers what a strategy hears, where another may take its place.
    #[inline]
    fn note_past(&mut self, i: usize, seen: impl FnOnce() -> Seen) {
        if let Some(past) = &mut self.slots[i].past {
            past.push(seen());
        }
    }

    pub(super) fn on_depth(&mut self, depth: &Depth<'_>) -> Result<(), EngineError> {
        let id = depth.instrument;
        self.pass_time(depth.ts);
        match self.books[id.index()].apply(depth) {
            Applied::Changed => {}
            Applied::PassedOver => return Ok(()),
            Applied::Gap => return self.tell_book_lost(id),
        }
        let book = &self.books[id.index()];
        let bids: Vec<_> = book.levels(Side::Buy).take(BOOK_LEVELS).collect();
        let asks: Vec<_> = book.levels(Side::Sell).take(BOOK_LEVELS).collect();
        let (Some(bid), Some(ask)) = (bids.first(), asks.first()) else { return Ok(()) };
        let quote = Quote {
            ts: depth.ts,
            ts_venue: depth.ts_venue,
            bid: bid.0,
            bid_qty: bid.1,
            ask: ask.0,
            ask_qty: ask.1,
            instrument: id,
        };
        self.view.instruments[id.index()].quote = quote;
        let mid = quote.mid();
        self.recorder.price(id, self.now, mid, Qty::ZERO);
        self.mark(id, mid)?;
        let book = BookView { ts: self.now, instrument: id, bids: &bids, asks: &asks };
        for i in 0..self.slots.len() {
            if self.slots[i].input.depth && self.slots[i].trades_it[id.index()] {
                self.tell(i, id, |s, ctx| s.on_book(ctx, &book))?;
            }
        }
        Ok(())
    }

    /// The book of an instrument cannot be trusted until its next snapshot; strategies that follow it see it empty.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn lose_book(&mut self, id: InstrumentId, at: Ts) -> Result<(), EngineError> {
        self.pass_time(at);
        self.books[id.index()] = Book::default();
        self.tell_book_lost(id)
    }

    fn tell_book_lost(&mut self, id: InstrumentId) -> Result<(), EngineError> {
        self.book_gaps += 1;
        let book = BookView { ts: self.now, instrument: id, bids: &[], asks: &[] };
        for i in 0..self.slots.len() {
            if self.slots[i].input.depth && self.slots[i].trades_it[id.index()] {
                self.tell(i, id, |s, ctx| s.on_book(ctx, &book))?;
            }
        }
        Ok(())
    }

    pub(super) fn on_funding(&mut self, funding: &Funding) -> Result<(), EngineError> {
        // It settles what lies before it: a bar that closes at this moment is still to come.
        let begun = self.recorder.first != Ts::NONE;
        self.pass_time(if begun { funding.ts.plus(-1) } else { funding.ts });
        self.now = self.now.max(funding.ts);
        for i in 0..self.slots.len() {
            if self.slots[i].trades_it[funding.instrument.index()] {
                self.hear(i, funding.instrument, |s, ctx| s.on_funding(ctx, funding))?;
            }
        }
        Ok(())
    }

    #[inline]
    pub(super) fn pass_time(&mut self, ts: Ts) {
        self.now = self.now.max(ts);
        if self.recorder.is_due(ts) && self.recorder.pass_time(ts) {
            self.observe(ts);
        }
    }

    /// What each strategy tells of itself now, about each of its instruments.
    pub fn observed(&self) -> Vec<(String, Probe)> {
        self.probes(|strategy, probe| strategy.observe(probe))
    }

    /// The same at any time of a session that runs: a strategy that may only be called at inputs is not asked, it is what it
    /// told at the end of a candle.
    pub fn observed_last(&self) -> Vec<(String, Probe)> {
        self.probes(|strategy, probe| strategy.observed(probe))
    }

    fn probes(&self, ask: impl Fn(&dyn Strategy, &mut Probe)) -> Vec<(String, Probe)> {
        let of = |slot: &Slot, instrument: InstrumentId| {
            let mut probe = Probe { instrument, ..Probe::default() };
            ask(slot.strategy.as_ref(), &mut probe);
            (slot.id.clone(), probe)
        };
        self.slots.iter().flat_map(|s| s.own.instruments.iter().map(|i| of(s, *i)).collect::<Vec<_>>()).collect()
    }

    #[cold]
    pub(super) fn observe(&mut self, ts: Ts) {
        let mut probe = std::mem::take(&mut self.probe);
        for (i, slot) in self.slots.iter().enumerate() {
            for instrument in &slot.own.instruments {
                probe.values.clear();
                probe.instrument = *instrument;
                probe.conditions.clear();
                slot.strategy.observe(&mut probe);
                for (name, value) in &probe.values {
                    self.recorder.observed(*instrument, (i, *name), *value);
                }
            }
        }
        // Its memory is used again at the next candle.
        self.probe = probe;
        self.recorder.end_candles(ts);
    }

    #[inline(always)]
    pub(super) fn mark(&mut self, id: InstrumentId, price: Price) -> Result<(), EngineError> {
        self.view.instruments[id.index()].last = price;
        self.price_at[id.index()] = self.now;
        // The equity stays in registers: reading it back from where it was just written would wait for the store.
        let equity = self.ledger.mark(id, price)?;
        self.view.equity = equity;
        self.recorder.equity(self.now, equity, self.ledger.open_count() > 0);
        if self.watching {
            self.judge();
        }
        Ok(())
    }
}
