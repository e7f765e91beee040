//! The engine and the simulated exchange, and the way between them: the closed circuit that backtest and paper share.

use bellwether_sdk::{Bar, Ts};

use super::circuit::Passed;
use super::core::{Command, Engine, Event};
use super::replay::ReplayError;
use super::timers::Class;
use crate::orders::Answer;
use crate::signal::News;
use crate::sim::Sim;

/// Engine and simulated exchange.
pub struct Pair {
    /// The engine.
    pub engine: Engine,
    /// The exchange.
    pub sim: Sim,
    answers: Vec<Answer>,
    /// What went through the door, while somebody keeps it.
    pub(super) journal: Option<Vec<Passed>>,
}

impl Pair {
    /// Both before their first event.
    pub(super) fn new(engine: Engine, sim: Sim) -> Self {
        Self { engine, sim, answers: Vec::new(), journal: None }
    }

    /// A bar's open print; says whether the exchange had something to answer.
    pub(super) fn open_print(&mut self, bar: &Bar) -> Result<bool, ReplayError> {
        self.come_to(bar.ts_open, Class::BarOpen)?;
        self.sim.on_bar_open(bar)?;
        let answers = !self.sim.is_quiet();
        if answers {
            self.pump()?;
        }
        Ok(answers)
    }

    /// Lets time pass to an event: what is due before it happens first.
    #[inline]
    pub(super) fn come_to(&mut self, ts: Ts, class: Class) -> Result<(), ReplayError> {
        if self.sim.has_prints_before(ts) {
            self.settle_prints()?;
        }
        if self.engine.next_due() <= ts || self.sim.next_due() <= ts {
            self.catch_up(ts, class)?;
        }
        Ok(self.sim.pass_time(ts)?)
    }

    /// All open prints of a moment have been: what waited for the last of them fills.
    #[cold]
    pub(super) fn settle_prints(&mut self) -> Result<(), ReplayError> {
        self.sim.settle_prints()?;
        self.pump()
    }

    #[cold]
    fn catch_up(&mut self, ts: Ts, class: Class) -> Result<(), ReplayError> {
        loop {
            // Exchange answers come first among equals.
            let sim_due = self.sim.next_due();
            if sim_due <= ts && sim_due <= self.engine.next_due() {
                self.sim.pass_time(sim_due)?;
                self.pump()?;
                continue;
            }
            if !self.engine.fire_before(ts, class)? {
                return Ok(());
            }
            let now = self.engine.now();
            self.sim.pass_time(now)?;
            self.pump()?;
        }
    }

    /// The exchange has seen an event: its answers reach the engine, then the event itself.
    #[inline]
    pub(super) fn step(&mut self, event: Event<'_>) -> Result<(), ReplayError> {
        if !self.sim.is_quiet() {
            self.pump()?;
        }
        self.engine.on_event(event)?;
        let quiet = self.engine.commands().is_empty() && !self.engine.has_guard_acts();
        if quiet { Ok(()) } else { self.pump() }
    }

    /// News from outside the market.
    pub(super) fn news(&mut self, news: &News) -> Result<(), ReplayError> {
        self.come_to(news.at, Class::News)?;
        self.engine.on_news(news)?;
        if self.engine.commands().is_empty() { Ok(()) } else { self.pump() }
    }

    /// Carries commands to the exchange and answers back until all is quiet.
    pub(super) fn pump(&mut self) -> Result<(), ReplayError> {
        loop {
            if self.engine.has_guard_acts() {
                let acts = self.engine.take_guard_acts();
                if let Some(journal) = &mut self.journal {
                    journal.extend(acts.into_iter().map(Passed::Guard));
                }
            }
            let now = self.engine.now().max(self.sim.now());
            for command in self.engine.commands().drain(..) {
                if let Some(journal) = &mut self.journal {
                    journal.push(Passed::of(&command));
                }
                match command {
                    Command::Submit(order) => self.sim.submit(order, now),
                    Command::Cancel(id, instrument) => self.sim.cancel(id, instrument, now),
                }
            }
            self.sim.pass_time(now)?;
            self.sim.advance(&mut self.answers)?;
            if self.answers.is_empty() {
                return Ok(());
            }
            let at = self.sim.now();
            for answer in self.answers.drain(..) {
                if let Some(journal) = &mut self.journal {
                    journal.push(Passed::Answer(answer, at));
                }
                self.engine.on_answer(&answer, at)?;
            }
            if self.engine.commands().is_empty() && self.sim.is_idle() {
                return Ok(());
            }
        }
    }
}
