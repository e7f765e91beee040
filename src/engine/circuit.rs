//! One input at a time: the engine with what stands behind the exchange door, and a journal of what went through it.
//!
//! A session (paper, live, or the replay of a tape) hands inputs to a [`Circuit`] in the order in which they came. With
//! the simulated exchange inside, the circuit is closed: answers are worked out. With a venue behind the door, commands
//! are left for the caller to send and answers come in as inputs. Either way the same inputs give the same journal.

use bellwether_sdk::{Bar, InstrumentId, OrderId, Price, Probe, Ts};

use super::core::{Command, Engine, Event};
use super::replay::ReplayError;
use super::timers::Class;
use crate::orders::{Answer, Order};
use crate::sim::Sim;

/// What a session is told, in order.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// A market event.
    Market(Event<'a>),
    /// A bar's open print, at its open time: what the simulated exchange sees of a bar that has begun.
    OpenPrint(&'a Bar),
    /// The book of an instrument cannot be trusted until its next snapshot.
    BookLost(InstrumentId, Ts),
    /// The price of an instrument by a second source.
    Reference(InstrumentId, Price, Ts),
    /// Time has come to here; nothing else happened.
    Clock(Ts),
    /// A venue's answer, with the time it came.
    Answer(Answer, Ts),
    /// The session was ended and goes on, at this engine time at the earliest.
    Resume(Ts),
    /// The session ends: open orders are cancelled or left, positions closed or left.
    Stop(Ts, Ending),
}

/// How a session ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ending {
    /// Cancel what is open.
    pub cancel: bool,
    /// Close positions at the last price (simulated exchange only).
    pub close: bool,
}

/// What a strategy told of itself: its id, its values, and its conditions with the value now and the one at which each
/// becomes true.
pub type Waiting = (String, Probe);

/// What went through the exchange door.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Passed {
    /// An order out.
    Submit(Order),
    /// A cancel out.
    Cancel(OrderId, InstrumentId),
    /// An answer in, at engine time.
    Answer(Answer, Ts),
}

/// Who stands behind the door.
// One of them exists per session: its size does not matter.
#[allow(clippy::large_enum_variant)]
enum Door {
    Sim(Sim),
    Venue(Vec<Command>),
}

/// Engine and door.
pub struct Circuit {
    /// The engine.
    pub engine: Engine,
    door: Door,
    answers: Vec<Answer>,
    journal: Vec<Passed>,
    started: bool,
}

impl Circuit {
    /// A closed circuit: paper, and the replay of its tape.
    pub fn paper(engine: Engine, sim: Sim) -> Self {
        Self::new(engine, Door::Sim(sim))
    }

    /// An open circuit: the caller sends commands and brings answers.
    pub fn live(engine: Engine) -> Self {
        Self::new(engine, Door::Venue(Vec::new()))
    }

    fn new(engine: Engine, door: Door) -> Self {
        Self { engine, door, answers: Vec::new(), journal: Vec::new(), started: false }
    }

    /// What went through the door since it was last emptied, in order; the caller empties it.
    pub fn journal(&mut self) -> &mut Vec<Passed> {
        &mut self.journal
    }

    /// What is to be sent to the venue, in order; the caller takes it. Empty in a closed circuit.
    pub fn outgoing(&mut self) -> Vec<Command> {
        match &mut self.door {
            Door::Sim(_) => Vec::new(),
            Door::Venue(out) => std::mem::take(out),
        }
    }

    /// When something is due by itself: tell the circuit [`Told::Clock`] then, at the latest.
    pub fn next_due(&self) -> Ts {
        match &self.door {
            Door::Sim(sim) => self.engine.next_due().min(sim.next_due()),
            Door::Venue(_) => self.engine.next_due(),
        }
    }

    /// Takes an input and carries out all that it causes.
    ///
    /// # Errors
    /// [`ReplayError`] when the engine cannot go on.
    pub fn tell(&mut self, told: Told<'_>) -> Result<(), ReplayError> {
        if !self.started {
            self.started = true;
            self.engine.start(time_of(&told))?;
            self.pump()?;
        }
        match told {
            Told::Market(event) => {
                self.come_to(event.ts(), event.class())?;
                if let Door::Sim(sim) = &mut self.door {
                    match event {
                        Event::Trade(t) => sim.on_trade(t)?,
                        Event::Quote(q) => sim.on_quote(q)?,
                        Event::Bar(b) => sim.on_bar(b)?,
                        Event::Depth(d) => sim.on_depth(d)?,
                        Event::Funding(f) => sim.on_funding(f)?,
                    }
                }
                self.pump()?;
                self.engine.on_event(event)?;
                self.pump()
            }
            Told::OpenPrint(bar) => {
                self.come_to(bar.ts_open, Class::BarOpen)?;
                if let Door::Sim(sim) = &mut self.door {
                    sim.on_bar_open(bar)?;
                }
                self.pump()
            }
            Told::BookLost(instrument, at) => {
                self.come_to(at, Class::Depth)?;
                if let Door::Sim(sim) = &mut self.door {
                    sim.lose_book(instrument);
                }
                self.engine.lose_book(instrument, at)?;
                self.pump()
            }
            Told::Reference(instrument, price, at) => {
                self.come_to(at, Class::Quote)?;
                self.engine.refer(instrument, price);
                Ok(())
            }
            Told::Clock(at) => self.come_to(at.plus(1), Class::Funding),
            Told::Answer(answer, at) => {
                self.come_to(at, Class::Funding)?;
                self.journal.push(Passed::Answer(answer, at));
                self.engine.on_answer(&answer, at)?;
                self.pump()
            }
            Told::Resume(at) => {
                self.engine.reopen();
                if let Door::Sim(sim) = &mut self.door {
                    sim.reopen();
                }
                self.come_to(at, Class::Funding)
            }
            Told::Stop(at, ending) => self.stop(at, ending),
        }
    }

    /// What each strategy waits for: its values and conditions now.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.engine.observed()
    }

    fn stop(&mut self, at: Ts, ending: Ending) -> Result<(), ReplayError> {
        self.come_to(at.plus(1), Class::Funding)?;
        self.engine.stop()?;
        if ending.close {
            self.engine.close_all();
            if let Door::Sim(sim) = &mut self.door {
                sim.settle_at_last(at);
            }
        } else if ending.cancel {
            self.engine.cancel_all();
        }
        self.pump()
    }

    /// Lets time pass to an event of a class: what is due before it happens first, answers before timers.
    fn come_to(&mut self, ts: Ts, class: Class) -> Result<(), ReplayError> {
        loop {
            let due = match &self.door {
                Door::Sim(sim) => sim.next_due(),
                Door::Venue(_) => Ts::MAX,
            };
            if due <= ts && due <= self.engine.next_due() {
                self.exchange_time(due)?;
                self.pump()?;
            } else if self.engine.next_due() <= ts && self.engine.fire_before(ts, class)? {
                self.exchange_time(self.engine.now())?;
                self.pump()?;
            } else {
                return self.exchange_time(ts);
            }
        }
    }

    fn exchange_time(&mut self, ts: Ts) -> Result<(), ReplayError> {
        match &mut self.door {
            Door::Sim(sim) => Ok(sim.pass_time(ts)?),
            Door::Venue(_) => Ok(()),
        }
    }

    /// Carries commands out and answers back until all is quiet.
    fn pump(&mut self) -> Result<(), ReplayError> {
        let journal = &mut self.journal;
        match &mut self.door {
            Door::Venue(out) => {
                for command in self.engine.commands().drain(..) {
                    journal.push(passed(&command));
                    out.push(command);
                }
                Ok(())
            }
            Door::Sim(sim) => loop {
                let now = self.engine.now().max(sim.now());
                for command in self.engine.commands().drain(..) {
                    journal.push(passed(&command));
                    match command {
                        Command::Submit(order) => sim.submit(order, now),
                        Command::Cancel(id, instrument) => sim.cancel(id, instrument, now),
                    }
                }
                sim.pass_time(now)?;
                sim.advance(&mut self.answers)?;
                if self.answers.is_empty() {
                    return Ok(());
                }
                let at = sim.now();
                for answer in self.answers.drain(..) {
                    journal.push(Passed::Answer(answer, at));
                    self.engine.on_answer(&answer, at)?;
                }
            },
        }
    }
}

fn passed(command: &Command) -> Passed {
    match command {
        Command::Submit(order) => Passed::Submit(*order.get()),
        Command::Cancel(id, instrument) => Passed::Cancel(*id, *instrument),
    }
}

fn time_of(told: &Told<'_>) -> Ts {
    match told {
        Told::Market(event) => event.ts(),
        Told::OpenPrint(bar) => bar.ts_open,
        Told::BookLost(_, at) | Told::Reference(_, _, at) | Told::Clock(at) | Told::Resume(at) | Told::Answer(_, at) | Told::Stop(at, _) => *at,
    }
}
