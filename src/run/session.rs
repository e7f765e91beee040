//! A session: inputs as they come, through the circuit, onto the tape.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bellwether_sdk::{Instrument, InstrumentId, Price, Probe, Qty, Ts};

use super::RunError;
use super::backtest::panic_text;
use crate::config::Durability;
use crate::engine::{Circuit, Engine, Outcome, Told};
use crate::orders::order_hash;
use crate::tape::{OnDisk, Record, Start, TapeError, TapeReader, TapeWriter, VenueNote, effect};

impl From<TapeError> for RunError {
    fn from(e: TapeError) -> Self {
        match e {
            TapeError::Io { .. } => Self::Tape(e.to_string()),
            _ => Self::Data(e.to_string()),
        }
    }
}

/// A running session.
pub(super) struct Session {
    pub(super) circuit: Circuit,
    instruments: Vec<Instrument>,
    tape: Option<TapeWriter>,
    /// Engine time of the last input.
    pub(super) now: Ts,
    /// Effects since they were last looked at, for people.
    lines: Vec<(Ts, String)>,
}

impl Session {
    /// A session before its first input, with its tape begun.
    pub(super) fn new(
        circuit: Circuit,
        instruments: Vec<Instrument>,
        tape: Option<(&Path, &Start, Durability, OnDisk<'_>)>,
    ) -> Result<Self, RunError> {
        let tape = tape
            .map(|(path, start, durability, disk)| -> Result<TapeWriter, TapeError> {
                let mut tape = TapeWriter::create_on(path, durability, disk)?;
                tape.append(&Record::Start(Box::new(start.clone())))?;
                tape.flush()?;
                Ok(tape)
            })
            .transpose()?;
        Ok(Self { circuit, instruments, tape, now: Ts::NONE, lines: Vec::new() })
    }

    /// Goes on writing where a tape ended; its inputs have been heard. `cut` are effects of its last input that a crash
    /// cut off: they are written now, so that the tape stays whole.
    pub(super) fn resume_tape(
        &mut self,
        reader: TapeReader,
        durability: Durability,
        cut: Vec<String>,
        disk: OnDisk<'_>,
    ) -> Result<(), RunError> {
        let mut tape = TapeWriter::resume_on(reader, durability, disk)?;
        for line in cut {
            tape.append(&Record::Effect(line))?;
        }
        tape.flush()?;
        self.tape = Some(tape);
        Ok(())
    }

    /// The tape's file.
    pub(super) fn tape_path(&self) -> Option<PathBuf> {
        self.tape.as_ref().map(|t| t.path().to_owned())
    }

    /// Takes an input: onto the tape, through the circuit, and what it caused onto the tape before anybody acts on it.
    pub(super) fn tell(&mut self, told: Told<'_>) -> Result<(), RunError> {
        if let Some(tape) = &mut self.tape {
            tape.append(&Record::of(&told))?;
        }
        let heard = catch_unwind(AssertUnwindSafe(|| self.circuit.tell(told)));
        self.now = self.circuit.engine().now();
        match heard {
            Ok(done) => done?,
            Err(panic) => return Err(RunError::Strategy(format!("a strategy panicked: {}", panic_text(&*panic)))),
        }
        if self.circuit.journal().is_empty() { Ok(()) } else { self.write_effects() }
    }

    fn write_effects(&mut self) -> Result<(), RunError> {
        let mut journal = std::mem::take(self.circuit.journal());
        for passed in journal.drain(..) {
            let line = effect(&passed, &self.instruments, self.circuit.engine());
            if let Some(tape) = &mut self.tape {
                tape.append(&Record::Effect(line.clone()))?;
            }
            self.lines.push((self.now, line));
        }
        *self.circuit.journal() = journal;
        if let Some(tape) = &mut self.tape
            && !planted!("no_commit")
        {
            tape.commit()?;
        }
        Ok(())
    }

    /// Bytes of the tape that wait for the disk, where these are so many that no order should leave.
    pub(super) fn is_behind(&self) -> Option<u64> {
        self.tape.as_ref().filter(|t| t.is_behind()).map(TapeWriter::backlog)
    }

    /// Bytes of the tape that wait for the disk.
    pub(super) fn backlog(&self) -> u64 {
        self.tape.as_ref().map_or(0, TapeWriter::backlog)
    }

    /// Writes down what the venue calls something, before anybody relies on it.
    pub(super) fn note(&mut self, note: VenueNote) -> Result<(), RunError> {
        if let Some(tape) = &mut self.tape {
            tape.append(&Record::Venue(note))?;
            tape.commit()?;
        }
        Ok(())
    }

    /// What happened since the last call, for people.
    pub(super) fn take_lines(&mut self) -> Vec<(Ts, String)> {
        std::mem::take(&mut self.lines)
    }

    /// Something for people that is neither input nor effect.
    pub(super) fn say(&mut self, text: String) {
        self.lines.push((self.now, text));
    }

    /// Hands waiting inputs to the operating system.
    pub(super) fn flush(&mut self) -> Result<(), RunError> {
        if let Some(tape) = &mut self.tape {
            tape.flush()?;
        }
        Ok(())
    }

    /// Ends the session: the hash of what it did onto the tape, and what it leaves behind.
    pub(super) fn finish(self) -> Result<Outcome, RunError> {
        let Self { circuit, tape, .. } = self;
        let outcome = circuit.into_engine().finish();
        if let Some(mut tape) = tape {
            tape.append(&Record::End(outcome.order_hash.clone()))?;
            tape.sync()?;
        }
        Ok(outcome)
    }

    /// The hash of all orders and fills so far.
    pub(super) fn order_hash(&self) -> String {
        hash_of(self.circuit.engine())
    }
}

pub(super) fn hash_of(engine: &Engine) -> String {
    let (orders, strategies) = (engine.orders(), engine.strategy_ids());
    let instruments: Vec<Instrument> = engine.view().instruments.iter().map(|i| i.instrument.clone()).collect();
    order_hash(orders.records(), orders.fills(), &orders.words, &instruments, &strategies)
}

/// How a session stands, for people.
#[derive(Debug, Clone)]
pub struct Status {
    /// Engine time.
    pub now: Ts,
    /// One per instrument.
    pub rows: Vec<StatusRow>,
    /// Equity and its start, in the reporting currency, as numbers for people.
    pub equity: f64,
    /// Equity at the start.
    pub start_equity: f64,
    /// The reporting currency.
    pub currency: String,
    /// Orders open.
    pub orders_open: usize,
    /// Orders made.
    pub orders: usize,
    /// Fills.
    pub fills: usize,
    /// Market events heard.
    pub events: u64,
    /// What each strategy waits for.
    pub waiting: Vec<(String, Probe)>,
    /// What the feed says of itself; empty when all is well.
    pub feed: String,
}

/// How an instrument stands.
#[derive(Debug, Clone)]
pub struct StatusRow {
    /// Its name.
    pub symbol: String,
    /// Last price as text; empty before the first.
    pub last: String,
    /// The account's position as text.
    pub position: String,
}

pub(super) fn status(engine: &Engine, currency: &str, start: f64) -> Status {
    let view = engine.view();
    let row = |(i, v): (usize, &bellwether_sdk::InstrumentView)| {
        let position: Qty = engine.ledger().position(InstrumentId(i as u16)).qty;
        StatusRow {
            symbol: v.instrument.symbol.to_string(),
            last: if v.last == Price::ZERO { String::new() } else { v.last.to_text(v.instrument.price_scale) },
            position: position.to_text(v.instrument.qty_scale),
        }
    };
    Status {
        now: engine.now(),
        rows: view.instruments.iter().enumerate().map(row).collect(),
        equity: view.equity.to_f64(view.equity_scale),
        start_equity: start,
        currency: currency.to_owned(),
        orders_open: engine.open_orders().count(),
        orders: engine.orders().records().len(),
        fills: engine.orders().fills().len(),
        events: engine.events(),
        waiting: engine.observed(),
        feed: String::new(),
    }
}
