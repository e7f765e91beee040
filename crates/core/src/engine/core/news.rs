//! News from outside the market: each signal acts once, all sources together make one wish, strategies hear it.

use bellwether_sdk::Feature;

use super::*;
use crate::signal::{Body, Combination, Combiner, News};

impl Engine {
    /// How sources are put together; forgets what they said before.
    pub fn combine(&mut self, rules: Combination) {
        self.combiner = Combiner::new(rules);
    }

    /// From now on signals are only emitted: nothing is sized and no order is made.
    pub fn only_emit(&mut self) {
        self.only_emits = true;
    }

    /// From now on the signals that strategies emit are kept for whoever takes them.
    pub fn keep_signals(&mut self) {
        self.emitted.get_or_insert_default();
    }

    /// Whether there are signals to take.
    pub fn has_signals(&self) -> bool {
        self.emitted.as_ref().is_some_and(|e| !e.is_empty())
    }

    /// The signals emitted since the last call, with the index of the strategy; empty unless they are kept.
    pub fn take_signals(&mut self) -> Vec<(usize, Signal)> {
        self.emitted.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whether a person has paused the run.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Takes news.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn on_news(&mut self, news: &News) -> Result<(), EngineError> {
        self.pass_time(news.at);
        match &news.body {
            Body::Feature { name, instrument, value } => {
                let feature = Feature { value: *value, ts: self.now };
                self.view.features.set(name.clone(), *instrument, feature);
                Ok(())
            }
            Body::Signal(signal) => self.on_outside_signal(news, signal),
            Body::Pause(pause) => {
                self.paused = *pause;
                Ok(())
            }
        }
    }

    fn on_outside_signal(&mut self, news: &News, signal: &Signal) -> Result<(), EngineError> {
        let known = signal.instrument.index() < self.view.instruments.len();
        let reason = if !known {
            Some("signal_unknown_instrument")
        } else if !self.heard.is_new(news) {
            Some("signal_duplicate")
        } else if signal.expiry.is_some_and(|at| at <= self.now) {
            Some("signal_expired")
        } else {
            None
        };
        let combined = match reason {
            Some(reason) => Err(reason),
            None => self.combiner.hear(&news.source, signal, self.now),
        };
        match combined {
            Ok(signal) => self.hear_signal(&signal),
            Err(reason) => {
                *self.dropped.entry(reason.into()).or_default() += 1;
                Ok(())
            }
        }
    }

    fn hear_signal(&mut self, signal: &Signal) -> Result<(), EngineError> {
        let id = signal.instrument;
        for i in 0..self.slots.len() {
            if !self.slots[i].trades_it[id.index()] {
                continue;
            }
            if self.is_warming(i) {
                self.hear_in_warmup(i, id, |s, ctx| s.on_signal(ctx, signal))?;
            } else {
                self.hear(i, id, |s, ctx| s.on_signal(ctx, signal))?;
            }
        }
        Ok(())
    }
}
