//! The end of a run: the last words of strategies, and what is left behind.

use super::*;

impl Engine {
    /// Tells every strategy that the run is over; what they ask for now is not sent.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn stop(&mut self) -> Result<(), EngineError> {
        for i in 0..self.slots.len() {
            let slot = &mut self.slots[i];
            if slot.halted {
                continue;
            }
            let first = slot.own.instruments.first().copied().unwrap_or_default();
            let mut ctx = Context::new(self.now, first, &self.view, &slot.own, &mut self.outbox);
            slot.strategy.on_stop(&mut ctx);
            self.outbox.actions.clear();
        }
        Ok(())
    }

    /// How many bars strategies were told of; a bar heard by two counts twice.
    pub fn bars(&self) -> u64 {
        self.bars
    }

    /// What the run leaves behind.
    pub fn finish(mut self) -> Outcome {
        self.recorder.finish();
        let hash = self.order_hash();
        let in_reporting = |currency: usize, amount: Money| self.ledger.in_reporting(currency, amount);
        let total = |of: &dyn Fn(usize) -> Money| {
            let sum = (0..self.currencies.len())
                .filter_map(|c| in_reporting(c, of(c)))
                .fold(0i128, |sum, m| sum.saturating_add(m.mantissa()));
            Money::from_mantissa(sum)
        };
        let (fees, funding) = (total(&|c| self.ledger.fees(c)), total(&|c| self.ledger.funding(c)));
        for currency in self.ledger.unpriced() {
            let code = &self.currencies[currency].code;
            self.notes.push(format!("{code} cannot be priced in {}: left out of equity", self.currencies[0].code));
        }
        if self.book_gaps > 0 {
            let gaps = self.book_gaps;
            self.notes
                .push(format!("the depth feed broke off {gaps} times; the book was not used until the next snapshot"));
        }
        for halt in &self.halts {
            self.notes.push(format!("strategy {} was stopped: {}", halt.strategy, halt.reason));
        }
        if self.impossible > 0 {
            self.notes.push(format!("{} answers of the exchange were impossible and were refused", self.impossible));
        }
        let inferred = |v: &&InstrumentView| v.instrument.inferred;
        for view in self.view.instruments.iter().filter(inferred) {
            self.notes.push(format!(
                "{}: no venue rules in the catalog; tick and lot are inferred from the data's digits",
                view.instrument.symbol
            ));
        }
        let first = self.recorder.first;
        let unbuilt = self.builders.iter().filter(|b| b.completed_none(first)).map(|b| {
            let symbol = &self.view.instruments[b.instrument().index()].instrument.symbol;
            format!("{} of {symbol}", b.interval())
        });
        let unbuilt = unbuilt.collect();
        let instruments: Vec<Instrument> = self.view.instruments.into_iter().map(|v| v.instrument).collect();
        let strategies: Vec<String> = self.slots.iter().map(|s| s.id.clone()).collect();
        let open_lots = self.slots.iter().flat_map(|s| &s.lots).flat_map(|l| l.iter().copied()).collect();
        let trades = match self.trades_aside {
            None => self.trades,
            Some(mut all) => {
                all.extend(self.trades);
                self.trades_away = 0;
                all
            }
        };
        let (orders, fills, words, put_away) = self.orders.into_parts();
        let put_away = PutAway { trades: self.trades_away, ..put_away };
        if put_away != PutAway::default() {
            self.notes.push(format!(
                "the lists hold the last {} orders, {} fills and {} trades, and figures of trades are of these; {}, {} and {} \
                 before them are on the tape",
                orders.len(),
                fills.len(),
                trades.len(),
                put_away.orders,
                put_away.fills,
                put_away.trades
            ));
        }
        let charts = self.recorder.take_charts(&strategies);
        let most_first = |counts: BTreeMap<Tag, u64>| {
            let mut list: Vec<(String, u64)> = counts.into_iter().map(|(k, v)| (k.into_owned(), v)).collect();
            list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            list
        };
        // Signals of a warm-up were emitted too; they have no number, and count nowhere else.
        let in_warmup = self.dropped.get(Unsent::WarmUp.reason()).copied().unwrap_or(0);
        Outcome {
            instruments,
            strategies,
            account: self.account,
            reporting: self.currencies[0].clone(),
            currencies: self.currencies,
            ts_first: self.recorder.first,
            ts_last: self.recorder.last(),
            events: self.events,
            warmup: self.warmup,
            start_equity: self.recorder.start_equity(),
            end_equity: self.ledger.equity(),
            fees,
            funding,
            orders,
            fills,
            trades,
            put_away,
            open_lots,
            words,
            daily: std::mem::take(&mut self.recorder.daily),
            equity: std::mem::take(&mut self.recorder.points),
            drawdown: self.recorder.drawdown,
            exposed_ns: self.recorder.exposed_ns,
            charts,
            refusals: most_first(self.refusals),
            signals: self.signals.saturating_add(in_warmup),
            signals_dropped: most_first(self.dropped),
            unbuilt,
            halts: self.halts,
            notes: self.notes,
            order_hash: hash,
        }
    }
}
