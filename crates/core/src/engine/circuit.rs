//! One input at a time: the engine with what stands behind the exchange door, and a journal of what went through it.
//!
//! A session (paper, live, or the replay of a tape) hands inputs to a [`Circuit`] in the order in which they came. With
//! the simulated exchange inside, the circuit is closed: answers are worked out. With a venue behind the door, commands
//! are left for the caller to send and answers come in as inputs. Either way the same inputs give the same journal.

use bellwether_sdk::{Bar, InstrumentId, Money, OrderId, Price, Probe, Ts};

use super::adopt::Adoption;
use super::core::{Command, Engine, Event};
use super::pair::Pair;
use super::replay::ReplayError;
use super::swap::{Fresh, Swap};
use super::timers::Class;
use crate::orders::{Answer, Order};
use crate::risk::{GuardAct, Hold};
use crate::signal::News;
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
    /// News from outside the market.
    News(&'a News),
    /// Entries are held for a reason that the engine does not see, or (`false`) no longer.
    Hold(Hold, bool, Ts),
    /// Somebody pulled the kill switch: all orders are cancelled and, with `true`, all positions closed.
    Kill(bool, Person<'a>, Ts),
    /// A person arms the guard again.
    Arm(Person<'a>, Ts),
    /// A strategy takes another's place.
    Swap(&'a Swap, &'a Fresh, Ts),
    /// What others left at the venue is taken into the books.
    Adopt(&'a Adoption, Ts),
    /// Earlier sessions of this UTC day made so much on the account, in reporting currency: the day's loss counts it.
    Earlier(Money, Ts),
}

/// Who asked for something, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person<'a> {
    /// Who.
    pub operator: &'a str,
    /// Why.
    pub reason: &'a str,
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
    /// Not through the door, but as much an effect: a strategy was halted, by its place in [`Engine::halts`].
    Halted(usize),
    /// The guard did something by itself or was told.
    Guard(GuardAct),
    /// A swap of strategies came so far, by its place in [`Engine::swaps`].
    Swapped(usize),
    /// An order that others had placed was taken into the books or, with a price, a position as an order that filled there.
    Adopted(Order, Option<Price>),
}

/// Who stands behind the door.
// One of them exists per session: its size does not matter.
#[allow(clippy::large_enum_variant)]
pub(super) enum Door {
    Sim(Pair),
    Venue { engine: Engine, out: Vec<Command>, journal: Vec<Passed> },
}

/// Engine and door.
pub struct Circuit {
    pub(super) door: Door,
    pub(super) started: bool,
    /// Halts that are in the journal.
    pub(super) halts: usize,
    /// Steps of swaps that are in the journal.
    pub(super) swaps: usize,
}

impl Circuit {
    /// A closed circuit: paper, and the replay of its tape.
    pub fn paper(mut engine: Engine, sim: Sim) -> Self {
        engine.remember();
        let mut pair = Pair::new(engine, sim);
        pair.journal = Some(Vec::new());
        Self { door: Door::Sim(pair), started: false, halts: 0, swaps: 0 }
    }

    /// An open circuit: the caller sends commands and brings answers.
    pub fn live(mut engine: Engine) -> Self {
        engine.remember();
        engine.go_to_venue();
        let door = Door::Venue { engine, out: Vec::new(), journal: Vec::new() };
        Self { door, started: false, halts: 0, swaps: 0 }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        match &self.door {
            Door::Sim(pair) => &pair.engine,
            Door::Venue { engine, .. } => engine,
        }
    }

    /// The engine, to be changed.
    pub fn engine_mut(&mut self) -> &mut Engine {
        match &mut self.door {
            Door::Sim(pair) => &mut pair.engine,
            Door::Venue { engine, .. } => engine,
        }
    }

    /// The engine, at the end.
    pub fn into_engine(self) -> Engine {
        match self.door {
            Door::Sim(pair) => pair.engine,
            Door::Venue { engine, .. } => engine,
        }
    }

    /// What went through the door since it was last emptied, in order; the caller empties it.
    pub fn journal(&mut self) -> &mut Vec<Passed> {
        match &mut self.door {
            Door::Sim(pair) => pair.journal.get_or_insert_default(),
            Door::Venue { journal, .. } => journal,
        }
    }

    /// What is to be sent to the venue, in order; the caller takes it. Empty in a closed circuit.
    pub fn outgoing(&mut self) -> Vec<Command> {
        match &mut self.door {
            Door::Sim(_) => Vec::new(),
            Door::Venue { out, .. } => std::mem::take(out),
        }
    }

    /// What [`outgoing`](Self::outgoing) would give.
    pub fn to_send(&self) -> &[Command] {
        match &self.door {
            Door::Sim(_) => &[],
            Door::Venue { out, .. } => out,
        }
    }

    /// When something is due by itself: tell the circuit [`Told::Clock`] then, at the latest.
    pub fn next_due(&self) -> Ts {
        match &self.door {
            Door::Sim(pair) => pair.engine.next_due().min(pair.sim.next_due()),
            Door::Venue { engine, .. } => engine.next_due(),
        }
    }

    /// Takes an input and carries out all that it causes.
    ///
    /// # Errors
    /// [`ReplayError`] when the engine cannot go on.
    pub fn tell(&mut self, told: Told<'_>) -> Result<(), ReplayError> {
        self.engine_mut().put_away();
        self.hear(told)?;
        for halt in self.halts..self.engine().halts().len() {
            self.journal().push(Passed::Halted(halt));
            self.halts = halt + 1;
        }
        for swap in self.swaps..self.engine().swaps().len() {
            self.journal().push(Passed::Swapped(swap));
            self.swaps = swap + 1;
        }
        Ok(())
    }

    fn hear(&mut self, told: Told<'_>) -> Result<(), ReplayError> {
        if let Door::Venue { engine, .. } = &mut self.door {
            // What was due before it fires now, whatever its own time.
            engine.told_at(told.at());
        }
        if !self.started {
            self.started = true;
            self.engine_mut().start(told.at())?;
            self.pump()?;
        }
        match told {
            Told::Market(event) => {
                self.come_to(event.ts(), event.class())?;
                if let Door::Sim(Pair { sim, .. }) = &mut self.door {
                    match event {
                        Event::Trade(t) => sim.on_trade(t)?,
                        Event::Quote(q) => sim.on_quote(q)?,
                        Event::Bar(b) => sim.on_bar(b)?,
                        Event::Depth(d) => sim.on_depth(d)?,
                        Event::Funding(f) => sim.on_funding(f)?,
                    }
                }
                match &mut self.door {
                    Door::Sim(pair) => pair.step(event),
                    Door::Venue { engine, .. } => {
                        engine.on_event(event)?;
                        self.pump()
                    }
                }
            }
            Told::OpenPrint(bar) => {
                if let Door::Sim(pair) = &mut self.door {
                    pair.open_print(bar)?;
                }
                Ok(())
            }
            Told::BookLost(instrument, at) => {
                self.come_to(at, Class::Depth)?;
                if let Door::Sim(Pair { sim, .. }) = &mut self.door {
                    sim.lose_book(instrument);
                }
                self.engine_mut().lose_book(instrument, at)?;
                self.pump()
            }
            Told::Reference(instrument, price, at) => {
                self.come_to(at, Class::Quote)?;
                self.engine_mut().refer(instrument, price);
                Ok(())
            }
            Told::Clock(at) => self.come_to(at.plus(1), Class::Funding),
            Told::Answer(answer, at) => {
                self.come_to(at, Class::Funding)?;
                self.journal().push(Passed::Answer(answer, at));
                self.engine_mut().on_answer(&answer, at)?;
                self.pump()
            }
            Told::Resume(at) => {
                self.engine_mut().reopen();
                if let Door::Sim(Pair { sim, .. }) = &mut self.door {
                    sim.reopen();
                }
                self.come_to(at, Class::Funding)
            }
            Told::Stop(at, ending) => self.stop(at, ending),
            Told::News(news) => {
                self.come_to(news.at, Class::News)?;
                self.engine_mut().on_news(news)?;
                self.pump()
            }
            Told::Hold(hold, on, at) => {
                self.come_to(at, Class::Funding)?;
                self.engine_mut().hold(hold, on, at);
                self.pump()
            }
            Told::Kill(flatten, _, at) => {
                self.come_to(at, Class::Funding)?;
                self.engine_mut().kill(flatten, at);
                self.pump()
            }
            Told::Arm(_, at) => {
                self.come_to(at, Class::Funding)?;
                self.engine_mut().arm(at);
                self.pump()
            }
            Told::Earlier(made, at) => {
                self.come_to(at, Class::Funding)?;
                self.engine_mut().count_earlier(made, at);
                self.pump()
            }
            Told::Swap(swap, fresh, at) => {
                self.come_to(at, Class::Funding)?;
                self.engine_mut().swap(swap, fresh.take())?;
                self.pump()
            }
            Told::Adopt(adoption, at) => {
                self.come_to(at, Class::Funding)?;
                // The simulated exchange has nothing that is not ours.
                if matches!(self.door, Door::Venue { .. })
                    && let Some((order, price)) = self.engine_mut().adopt(adoption)?
                {
                    self.journal().push(Passed::Adopted(order, price));
                }
                self.pump()
            }
        }
    }

    /// What each strategy waits for: its values and conditions now.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.engine().observed()
    }

    fn stop(&mut self, at: Ts, ending: Ending) -> Result<(), ReplayError> {
        self.come_to(at.plus(1), Class::Funding)?;
        self.engine_mut().stop()?;
        if ending.close {
            self.engine_mut().close_all();
            if let Door::Sim(Pair { sim, .. }) = &mut self.door {
                sim.settle_at_last(at);
            }
        } else if ending.cancel {
            self.engine_mut().cancel_all();
        }
        self.pump()
    }

    /// Lets time pass to an event of a class: what is due before it happens first.
    fn come_to(&mut self, ts: Ts, class: Class) -> Result<(), ReplayError> {
        match &mut self.door {
            Door::Sim(pair) => pair.come_to(ts, class),
            Door::Venue { engine, .. } => {
                while engine.next_due() <= ts && engine.fire_before(ts, class)? {}
                self.pump()
            }
        }
    }

    /// Carries commands out and, in a closed circuit, answers back until all is quiet.
    fn pump(&mut self) -> Result<(), ReplayError> {
        match &mut self.door {
            Door::Sim(pair) => pair.pump(),
            Door::Venue { engine, out, journal } => {
                journal.extend(engine.take_guard_acts().into_iter().map(Passed::Guard));
                for command in engine.commands().drain(..) {
                    journal.push(Passed::of(&command));
                    out.push(command);
                }
                Ok(())
            }
        }
    }
}

impl Passed {
    /// What goes out with a command.
    pub(super) fn of(command: &Command) -> Self {
        match command {
            Command::Submit(order) => Self::Submit(*order.get()),
            Command::Cancel(id, instrument) => Self::Cancel(*id, *instrument),
        }
    }
}

impl Told<'_> {
    /// Its engine time: of a bar, when it is known.
    pub const fn at(&self) -> Ts {
        match self {
            Told::Market(event) => event.ts(),
            Told::News(news) => news.at,
            Told::OpenPrint(bar) => bar.ts_open,
            Told::BookLost(_, at)
            | Told::Reference(_, _, at)
            | Told::Clock(at)
            | Told::Resume(at)
            | Told::Answer(_, at)
            | Told::Stop(at, _)
            | Told::Hold(_, _, at)
            | Told::Kill(_, _, at)
            | Told::Arm(_, at)
            | Told::Swap(_, _, at)
            | Told::Adopt(_, at)
            | Told::Earlier(_, at) => *at,
        }
    }
}
