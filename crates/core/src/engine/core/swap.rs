//! A strategy takes another's place between two events; one that fails gives it back.

use super::super::swap::{Past, Seen, Step, Swap, Swapped, Trial};
use super::*;
use crate::engine::{History, Newcomer};
use crate::orders::{OrderRecord, OrderType};

/// Timers and dropped orders that a newcomer may hear of while it takes its place.
const DUE_MAX: usize = 1_000_000;

/// Instructions of a newcomer while it takes its place, where its host counts them: the session waits for it meanwhile.
const WORK_MAX: u64 = 3_000_000_000;

/// Numbers of orders that are asked for before the place is taken: no order has one of these.
const NO_ORDERS: u64 = 1 << 62;

/// What a newcomer hears while it takes its place.
enum Early<'a> {
    Start,
    Past(&'a Seen),
    Due(Due),
}

/// A newcomer on its way into its place. What it asks for comes to nothing, and it is told so; its timers are due as they
/// would have been.
struct Rehearsal {
    due: Timers,
    heard_due: usize,
    next_order: u64,
    /// Its instructions before.
    worked: u64,
}

impl Engine {
    /// From now on the last events of each strategy are remembered, so that another can be warmed up by them.
    pub(in crate::engine) fn remember(&mut self) {
        for slot in &mut self.slots {
            slot.past = Some(Past::default());
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

    /// What another in a strategy's place would be warmed up by.
    pub fn history(&self, strategy: &str) -> Option<History> {
        let slot = self.slots.iter().find(|s| s.id == strategy)?;
        let (input, given) = (slot.input, slot.own.instruments.clone());
        Some(History { past: slot.past.clone()?, input, given })
    }

    /// Puts a newcomer in a strategy's place. Positions and open orders stay. It is on trial until it has heard its first
    /// event: if it fails until then, or another comes, the one before has its place again and hears that event. One that
    /// stays without having taken up the state does not know the resting orders of the one before: they are cancelled, but
    /// for those that protect or reduce a position, unless the place keeps its orders when it is halted.
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
        // A state that fits the one on trial fits the one before only if that gave it its own.
        let mut fits = swap.takes_state;
        if self.slots[i].trial.is_some() {
            fits &= self.slots[i].form.as_ref().is_some_and(|form| form.takes_state);
            self.take_back(i, "another is put in before it has heard an event".to_owned());
        }
        // What a strategy that failed holds is not given on; one that fails as it saves has failed.
        let mut state = (fits && !self.slots[i].halted).then(|| self.slots[i].strategy.save());
        if let Some(why) = self.slots[i].strategy.failure() {
            state = None;
            self.halt(i, why);
        }
        self.put_in(i, swap, newcomer, state.is_some());
        let begun = match &state {
            Some(state) => self.continue_from(i, state),
            None => self.warm_up_from_past(i),
        };
        self.slots[i].strategy.warms_up(false);
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
            Err(why) => {
                self.take_back(i, why);
            }
        }
        Ok(())
    }

    /// Gives the place to the newcomer, and keeps aside what it may have to be given back.
    fn put_in(&mut self, i: usize, swap: &Swap, newcomer: Newcomer, gives_state: bool) {
        let timers = self.timers.of(i);
        if !gives_state {
            self.timers.forget(i);
        }
        let instruments = self.view.instruments.len();
        let slot = &mut self.slots[i];
        slot.words = 0;
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
            gave_state: gives_state,
            newcomers_own: false,
        }));
    }

    fn continue_from(&mut self, i: usize, state: &[u8]) -> Result<String, String> {
        let mut rehearsal = self.rehearsal(i);
        self.rehearse(i, self.now, Early::Start, &mut rehearsal)?;
        // The timers of the one before stay instead of its own.
        self.hear_due(i, Ts::MAX, Ts::NONE, &mut rehearsal)?;
        let restored = self.slots[i].strategy.restore(state);
        restored
            .map(|()| format!("took over a state of {} bytes", state.len()))
            .map_err(|why| format!("it does not take over the state: {why}"))
    }

    fn warm_up_from_past(&mut self, i: usize) -> Result<String, String> {
        let window = self.slots[i].strategy.rebuild_window();
        let last = |slot: &Slot, wants: &dyn Fn(&Seen) -> bool| {
            slot.past.as_ref().map_or(Ok(Vec::new()), |past| past.last(window, wants))
        };
        self.slots[i].strategy.warms_up(true);
        let begin = last(&self.slots[i], &|_| true).ok().and_then(|all| all.first().map(Seen::ts));
        let mut rehearsal = self.rehearsal(i);
        self.rehearse(i, begin.unwrap_or(self.now), Early::Start, &mut rehearsal)?;
        // It has said by now which bars it wants.
        let slot = &self.slots[i];
        let last = last(slot, &|seen| match seen {
            Seen::Bar(b) => slot.wants_bars(b.instrument, b.interval),
            Seen::Trade(_) | Seen::Quote(_) => true,
        })?;
        let past = |why: String| format!("in its warm-up: {why}");
        for seen in &last {
            self.hear_due(i, seen.ts(), seen.ts(), &mut rehearsal).map_err(past)?;
            self.rehearse(i, seen.ts(), Early::Past(seen), &mut rehearsal).map_err(past)?;
        }
        for (at, due) in self.hear_due(i, Ts::MAX, self.now, &mut rehearsal).map_err(past)? {
            self.timers.add(at, due);
        }
        Ok(format!("warmed up by {} events", last.len()))
    }

    fn rehearsal(&self, i: usize) -> Rehearsal {
        let worked = self.slots[i].strategy.work();
        Rehearsal { due: Timers::default(), heard_due: 0, next_order: NO_ORDERS, worked }
    }

    /// Lets a newcomer hear what is due before a time: that its orders came to nothing, and timers before `timers`. Gives the
    /// later ones.
    fn hear_due(
        &mut self,
        i: usize,
        before: Ts,
        timers: Ts,
        rehearsal: &mut Rehearsal,
    ) -> Result<Vec<(Ts, Due)>, String> {
        let mut later = Vec::new();
        while let Some((at, due)) = rehearsal.due.take_before(before, Class::Funding) {
            if matches!(due, Due::Timer(..)) && at >= timers {
                later.push((at, due));
                continue;
            }
            rehearsal.heard_due += 1;
            if rehearsal.heard_due > DUE_MAX {
                return Err(format!("more than {DUE_MAX} timers and orders"));
            }
            self.rehearse(i, at, Early::Due(due), rehearsal)?;
        }
        Ok(later)
    }

    /// Lets a newcomer hear its start, something of the past or what is due then. The error is why it fails.
    fn rehearse(&mut self, i: usize, now: Ts, early: Early<'_>, rehearsal: &mut Rehearsal) -> Result<(), String> {
        let slot = &mut self.slots[i];
        let first = slot.own.instruments.first().copied().unwrap_or_default();
        let id = match early {
            Early::Past(seen) => seen.instrument(),
            Early::Due(Due::Unsent(_, id, ..)) => id,
            Early::Start | Early::Due(_) => first,
        };
        let next_order = std::mem::replace(&mut self.outbox.next_order, rehearsal.next_order);
        let mut ctx = Context::new(now, id, &self.view, &slot.own, &mut self.outbox);
        match early {
            Early::Start => slot.strategy.on_start(&mut ctx),
            Early::Past(seen) => seen.tell(slot.strategy.as_mut(), &mut ctx),
            Early::Due(Due::Timer(_, timer)) => slot.strategy.on_timer(&mut ctx, timer),
            Early::Due(Due::Unsent(_, instrument, order, why)) => {
                let (state, reason) = (OrderState::Rejected, why.reason());
                slot.strategy.on_order(&mut ctx, &OrderUpdate { order, instrument, ts: now, state, reason });
            }
            Early::Due(Due::Bar(_) | Due::Lapse(..)) => {}
        }
        let worked = slot.strategy.work().saturating_sub(rehearsal.worked);
        rehearsal.next_order = std::mem::replace(&mut self.outbox.next_order, next_order);
        let failure = self.failure();
        let asked = std::mem::take(&mut self.outbox.actions);
        if let Some(why) = failure {
            return Err(why);
        }
        if worked > WORK_MAX {
            return Err(format!("it took more than {} million instructions to take its place", WORK_MAX / 1_000_000));
        }
        for action in asked {
            match action {
                Action::SubscribeBars(id, interval) => {
                    self.subscribe(i, id, interval);
                    if let Some(why) = self.hoard_of(i) {
                        return Err(why);
                    }
                }
                Action::Timer(at, timer) => rehearsal.due.add(at.max(now), Due::Timer(i, timer)),
                Action::Place(order, intent) => {
                    rehearsal.due.add(now, Due::Unsent(i, intent.instrument, order, Unsent::WarmUp));
                }
                Action::Signal(signal) => {
                    rehearsal.due.add(now, Due::Unsent(i, signal.instrument, OrderId(0), Unsent::WarmUp));
                }
                Action::Cancel(_) | Action::CancelAll(_) | Action::Halt(_) => {}
            }
        }
        if rehearsal.due.pending(i) > TIMERS_MAX {
            return Err(format!("more than {TIMERS_MAX} timers are pending"));
        }
        Ok(())
    }

    /// Why what was just asked for ends a trial.
    pub(super) fn failure(&self) -> Option<String> {
        let actions = &self.outbox.actions;
        if actions.len() > ACTIONS_MAX {
            return Some(format!("more than {ACTIONS_MAX} actions in one event"));
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
            let knows_orders = self.slots[i].trial.take().is_none_or(|trial| trial.gave_state);
            let mut text = "it heard its first event".to_owned();
            let cancelled = if knows_orders { 0 } else { self.cancel_unattended(i) };
            if cancelled > 0 {
                text.push_str(&format!("; {cancelled} resting orders of the one before are cancelled"));
            }
            self.note_swap(self.slots[i].id.clone(), Step::Kept, text);
            return self.act(i);
        };
        self.outbox.actions.clear();
        self.outbox.next_order = next_order;
        if self.take_back(i, format!("in its first event: {why}")) { self.hear(i, id, hook) } else { Ok(()) }
    }

    /// Cancels what rests of a strategy whose place was taken by one that does not know of it; gives how many.
    fn cancel_unattended(&mut self, i: usize) -> usize {
        if self.slots[i].on_halt == OnHalt::Keep {
            return 0;
        }
        let rests = |open: &&OpenOrder| {
            let unattended = |r: &OrderRecord| r.order_type != OrderType::Market && !r.reduce_only;
            self.orders.get(open.id).is_ok_and(|r| r.role == Role::Intent && unattended(r))
        };
        let resting: Vec<OrderId> = self.slots[i].own.orders.iter().filter(rests).map(|o| o.id).collect();
        resting.iter().for_each(|order| self.cancel(i, *order));
        resting.len()
    }

    /// The one before has its place again; gives whether it is to hear what the newcomer heard last.
    pub(super) fn take_back(&mut self, i: usize, why: String) -> bool {
        let slot = &mut self.slots[i];
        let Some(trial) = slot.trial.take() else { return false };
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
        !trial.newcomers_own
    }

    fn note_swap(&mut self, strategy: String, step: Step, text: String) {
        self.swaps.push(Swapped { strategy, at: self.now, step, text });
    }
}
