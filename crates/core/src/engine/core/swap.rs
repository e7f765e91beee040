//! A strategy takes another's place between two events; one that fails gives it back.

use super::super::swap::{Past, Seen, Step, Swap, Swapped, Trial};
use super::*;
use crate::engine::Newcomer;

/// What a newcomer may ask for while it takes its place.
enum May {
    /// What was set for the one before stays: only bars are asked for anew.
    AskForBars,
    /// Wishes do not count, as in any warm-up.
    AskForAllButOrders,
}

impl Engine {
    /// From now on the last events of each strategy are remembered, so that another can be warmed up by them.
    pub(in crate::engine) fn remember(&mut self) {
        let instruments = self.view.instruments.len();
        for slot in &mut self.slots {
            slot.past = Some(Past::new(instruments));
        }
    }

    /// What became of swaps, in order.
    pub fn swaps(&self) -> &[Swapped] {
        &self.swaps
    }

    /// What took a strategy's place last; `None` when it is what the session began with.
    pub fn form_of(&self, strategy: &str) -> Option<&Swap> {
        self.slots.iter().find(|s| s.id == strategy)?.form.as_ref()
    }

    /// The instruments that a strategy was given.
    pub fn given_to(&self, strategy: &str) -> Option<&[InstrumentId]> {
        self.slots.iter().find(|s| s.id == strategy).map(|s| s.own.instruments.as_slice())
    }

    /// Puts a newcomer in a strategy's place. Positions and open orders stay. It is on trial until it has heard its first
    /// event: if it fails until then, the one before has its place again and hears that event.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn swap(&mut self, swap: &Swap, newcomer: Option<Newcomer>) -> Result<(), EngineError> {
        let Some(i) = self.slots.iter().position(|s| s.id == swap.strategy && !s.house) else {
            self.note_swap(swap.strategy.clone(), Step::Back, "no strategy of this name runs".to_owned());
            return Ok(());
        };
        let id = swap.strategy.clone();
        let Some(newcomer) = newcomer else {
            self.note_swap(id, Step::Back, "it could not be made".to_owned());
            return Ok(());
        };
        if self.slots[i].trial.is_some() {
            self.note_swap(id, Step::Back, "the one before it has not heard an event yet".to_owned());
            return Ok(());
        }
        // What a strategy that failed holds is not given on.
        let state = (swap.takes_state && !self.slots[i].halted).then(|| self.slots[i].strategy.save());
        self.put_in(i, swap, newcomer, state.is_some());
        let begun = match &state {
            Some(state) => self.continue_from(i, state)?,
            None => self.warm_up_from_past(i)?,
        };
        match begun {
            Ok(how) => {
                let params: Vec<String> = swap.params.iter().map(|(k, v)| format!("{k}={v}")).collect();
                let what = [
                    swap.plugin.clone(),
                    swap.version.clone(),
                    if swap.sha256.is_empty() { String::new() } else { format!("sha256 {}", swap.sha256) },
                    params.join(" "),
                ];
                let what: Vec<String> = what.into_iter().filter(|text| !text.is_empty()).collect();
                self.note_swap(id, Step::In, format!("{}; {how}; asked for by {}", what.join(" "), swap.operator));
            }
            Err(why) => self.take_back(i, why),
        }
        Ok(())
    }

    /// Gives the place to the newcomer, and keeps aside what it may have to be given back.
    fn put_in(&mut self, i: usize, swap: &Swap, newcomer: Newcomer, keeps_timers: bool) {
        let timers = self.timers.of(i);
        if !keeps_timers {
            self.timers.forget(i);
        }
        let instruments = self.view.instruments.len();
        let slot = &mut self.slots[i];
        let gauges = slot.gauges.clone();
        match (newcomer.sizer.measures(), slot.gauges.is_empty()) {
            (true, true) => slot.gauges = vec![Default::default(); instruments],
            (false, false) => slot.gauges.clear(),
            // They measure the same bars for whichever sizer asks.
            _ => {}
        }
        slot.trial = Some(Box::new(Trial {
            before: std::mem::replace(&mut slot.strategy, newcomer.strategy),
            sizer: std::mem::replace(&mut slot.sizer, newcomer.sizer),
            gauges,
            declared: self.guard.declare(i, newcomer.declared),
            more_bars: std::mem::take(&mut slot.more_bars),
            timers,
            halted: std::mem::replace(&mut slot.halted, false),
            form: slot.form.replace(swap.clone()),
        }));
    }

    fn continue_from(&mut self, i: usize, state: &[u8]) -> Result<Result<String, String>, EngineError> {
        if let Err(why) = self.hear_beginning(i, None, May::AskForBars)? {
            return Ok(Err(why));
        }
        let restored = self.slots[i].strategy.restore(state);
        Ok(restored
            .map(|()| format!("took over a state of {} bytes", state.len()))
            .map_err(|why| format!("it does not take over the state: {why}")))
    }

    fn warm_up_from_past(&mut self, i: usize) -> Result<Result<String, String>, EngineError> {
        let window = self.slots[i].strategy.rebuild_window();
        let last = match self.slots[i].past.as_ref().map_or(Ok(Vec::new()), |past| past.last(window)) {
            Ok(last) => last,
            Err(why) => return Ok(Err(why)),
        };
        if let Err(why) = self.hear_beginning(i, None, May::AskForAllButOrders)? {
            return Ok(Err(why));
        }
        for seen in &last {
            if let Err(why) = self.hear_beginning(i, Some(seen), May::AskForAllButOrders)? {
                return Ok(Err(format!("in its warm-up: {why}")));
            }
        }
        Ok(Ok(format!("warmed up by {} events", last.len())))
    }

    /// Lets a newcomer hear its start or something of the past. The inner error is why it fails.
    fn hear_beginning(&mut self, i: usize, seen: Option<&Seen>, may: May) -> Result<Result<(), String>, EngineError> {
        let next_order = self.outbox.next_order;
        let slot = &mut self.slots[i];
        let first = slot.own.instruments.first().copied().unwrap_or_default();
        let (now, id) = seen.map_or((self.now, first), |seen| (seen.ts(), seen.instrument()));
        let mut ctx = Context::new(now, id, &self.view, &slot.own, &mut self.outbox);
        match seen {
            Some(seen) => seen.tell(slot.strategy.as_mut(), &mut ctx),
            None => slot.strategy.on_start(&mut ctx),
        }
        // No order was made: the numbers it gave out are free again.
        self.outbox.next_order = next_order;
        if let Some(why) = self.failure() {
            self.outbox.actions.clear();
            return Ok(Err(why));
        }
        self.outbox.actions.retain(|action| match may {
            May::AskForBars => matches!(action, Action::SubscribeBars(..)),
            May::AskForAllButOrders => !matches!(action, Action::Signal(_) | Action::Place(..)),
        });
        self.act(i)?;
        Ok(Ok(()))
    }

    /// Why what was just asked for ends a trial.
    pub(super) fn failure(&self) -> Option<String> {
        let actions = &self.outbox.actions;
        if actions.len() > ACTIONS_MAX {
            return Some(format!("{} actions in one event; the limit is {ACTIONS_MAX}", actions.len()));
        }
        actions.iter().find_map(|action| match action {
            Action::Halt(why) => Some(why.to_string()),
            _ => None,
        })
    }

    /// Lets a newcomer hear its first event: it stays, or the one before hears the event in its place.
    #[cold]
    pub(super) fn hear_on_trial(
        &mut self,
        i: usize,
        id: InstrumentId,
        hook: impl Fn(&mut dyn Strategy, &mut Context<'_>),
    ) -> Result<(), EngineError> {
        let next_order = self.outbox.next_order;
        let slot = &mut self.slots[i];
        let mut ctx = Context::new(self.now, id, &self.view, &slot.own, &mut self.outbox);
        hook(slot.strategy.as_mut(), &mut ctx);
        let Some(why) = self.failure() else {
            self.slots[i].trial = None;
            self.note_swap(self.slots[i].id.clone(), Step::Kept, "it heard its first event".to_owned());
            return self.act(i);
        };
        self.outbox.actions.clear();
        self.outbox.next_order = next_order;
        self.take_back(i, format!("in its first event: {why}"));
        self.hear(i, id, hook)
    }

    /// The one before has its place again.
    pub(super) fn take_back(&mut self, i: usize, why: String) {
        let slot = &mut self.slots[i];
        let Some(trial) = slot.trial.take() else { return };
        slot.strategy = trial.before;
        slot.sizer = trial.sizer;
        slot.gauges = trial.gauges;
        slot.more_bars = trial.more_bars;
        slot.halted = trial.halted;
        slot.form = trial.form;
        let id = slot.id.clone();
        self.guard.declare(i, trial.declared);
        self.timers.forget(i);
        for (at, timer) in trial.timers {
            self.timers.add(at, Due::Timer(i, timer));
        }
        self.note_swap(id, Step::Back, why);
    }

    fn note_swap(&mut self, strategy: String, step: Step, text: String) {
        self.swaps.push(Swapped { strategy, at: self.now, step, text });
    }
}
