//! A session: inputs as they come, through the circuit, onto the tape.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use bellwether_sdk::{Depth, Instrument, InstrumentId, Price, Probe, Qty, Side, Ts};

use super::RunError;
use super::backtest::panic_text;
use super::digest::Digest;
use super::plan::Form;
use super::sent::{Sent, SentState};
use super::swap::newcomer_of;
use super::tapes::settings_of;
use crate::config::{Durability, Settings};
use crate::engine::{Circuit, Engine, Event, Fresh, Outcome, StateError, Swap, Told};
use crate::host::Registry;
use crate::sinks::{Levels, MarketEvent, Tap};
use crate::tape::{Mode, OnDisk, Record, Snapshot, Start, TapeError, TapeReader, TapeWriter, VenueNote, Waits, effect};

impl From<TapeError> for RunError {
    fn from(e: TapeError) -> Self {
        match e {
            TapeError::Io { .. } => Self::Tape(e.to_string()),
            _ => Self::File(e.to_string()),
        }
    }
}

/// How a session's tape is written.
#[derive(Clone)]
pub(super) struct Taping {
    durability: Durability,
    segment_bytes: u64,
    disk: OnDisk,
    waits: Waits,
    /// The hash of the program's file; empty where that is not known, and there are no snapshots.
    pub(super) program: String,
}

impl Taping {
    /// As the settings say, by a program whose file has this hash.
    pub(super) fn new(settings: &Settings, program: &str, disk: OnDisk, waits: Waits) -> Self {
        Self {
            durability: settings.session.durability,
            segment_bytes: settings.session.segment_kib.saturating_mul(1024),
            disk,
            waits,
            program: program.to_owned(),
        }
    }
}

/// Who alone can read the state of a session: the program's file, and those of the strategies that it began with, as its
/// tape pins them. `None` where the program is not known.
pub(super) fn made_by(start: &Start, program: &str) -> Option<String> {
    let strategies = settings_of(start).ok()?.strategy;
    let pins = strategies.iter().map(|s| s.sha256.as_deref().unwrap_or_default());
    (!program.is_empty()).then(|| [program].into_iter().chain(pins).collect::<Vec<_>>().join(" "))
}

/// Snapshots of a session.
#[derive(Default)]
struct Snapshots {
    made_by: Option<String>,
    /// The one that is being written.
    writing: Option<JoinHandle<io::Result<()>>>,
    /// It was said why there are none.
    said: bool,
}

impl Snapshots {
    fn wait(&mut self) {
        let Some(written) = self.writing.take().map(JoinHandle::join) else { return };
        let written = written.unwrap_or_else(|_| Err(io::Error::other("the thread that writes it panicked")));
        if let Err(error) = written {
            tracing::warn!("a snapshot beside the tape: {error}; a resumption hears more of it");
        }
    }
}

impl Drop for Snapshots {
    /// A session that ends has written its last one.
    fn drop(&mut self) {
        self.wait();
    }
}

/// What a session carries over beside its circuit.
#[derive(serde::Serialize, serde::Deserialize)]
struct Carried {
    market: u64,
    digest: Digest,
    sent: Option<SentState>,
    circuit: Vec<u8>,
}

/// A running session.
pub(super) struct Session {
    pub(super) circuit: Circuit,
    instruments: Vec<Instrument>,
    tape: Option<TapeWriter>,
    snapshots: Snapshots,
    /// What it has sent to venues; `None` where nobody stands behind the door.
    pub(super) sent: Option<Sent>,
    /// Market inputs heard.
    pub(super) market: u64,
    /// What these were, in paper: it may go on with stored data, which has to be the same then.
    pub(super) digest: Digest,
    /// Engine time of the last input.
    pub(super) now: Ts,
    /// Makes the strategies that took another's place, where a tape is heard.
    pub(super) registry: Option<Registry>,
    /// What its strategies were made of, where a tape says so.
    pub(super) forms: Vec<Form>,
    /// Effects since they were last looked at, for people.
    lines: Vec<(Ts, String)>,
    /// Who is told of the market.
    taps: Vec<Tap>,
}

impl Session {
    /// A session before its first input, without a tape.
    pub(super) fn new(circuit: Circuit, instruments: Vec<Instrument>, mode: Mode) -> Self {
        Self {
            circuit,
            instruments,
            tape: None,
            snapshots: Snapshots::default(),
            sent: (mode == Mode::Live).then(Sent::default),
            market: 0,
            digest: Digest::default(),
            now: Ts::NONE,
            registry: None,
            forms: Vec::new(),
            lines: Vec::new(),
            taps: Vec::new(),
        }
    }

    /// Begins its tape.
    pub(super) fn begin_tape(&mut self, path: &Path, start: &Start, taping: Taping) -> Result<(), RunError> {
        let tape = TapeWriter::create_on(path, taping.durability, taping.segment_bytes, taping.disk)?;
        let mut tape = tape.with_waits(taping.waits);
        tape.append(&Record::Start(Box::new(start.clone())))?;
        tape.flush()?;
        self.tape = Some(tape);
        self.snapshots.made_by = made_by(start, &taping.program);
        Ok(())
    }

    /// Goes on writing where a tape ended; its inputs have been heard. `cut` are effects of its last input that a crash
    /// cut off: they are written now, so that the tape stays whole.
    pub(super) fn resume_tape(
        &mut self,
        reader: TapeReader,
        start: &Start,
        cut: Vec<String>,
        taping: Taping,
    ) -> Result<(), RunError> {
        let tape = TapeWriter::resume_on(reader, taping.durability, taping.segment_bytes, taping.disk)?;
        let mut tape = tape.with_waits(taping.waits);
        self.snapshots.made_by = made_by(start, &taping.program);
        for line in cut {
            tape.append(&Record::Effect(line))?;
        }
        tape.flush()?;
        self.tape = Some(tape);
        Ok(())
    }

    /// What a tape says took a strategy's place.
    pub(super) fn newcomer_of(&self, swap: &Swap) -> Result<Fresh, RunError> {
        let Some(registry) = &self.registry else { return Ok(Fresh::default()) };
        Ok(newcomer_of(swap, self.circuit.engine(), registry)?.map(Fresh::new).unwrap_or_default())
    }

    /// The tape's file.
    pub(super) fn tape_path(&self) -> Option<PathBuf> {
        self.tape.as_ref().map(|t| t.path().to_owned())
    }

    /// From now on these are told of the market.
    pub(super) fn tap(&mut self, taps: Vec<Tap>) {
        self.taps = taps;
    }

    /// Takes an input: onto the tape, through the circuit, and what it caused onto the tape before anybody acts on it.
    pub(super) fn tell(&mut self, told: Told<'_>) -> Result<(), RunError> {
        if let Some(tape) = &mut self.tape {
            tape.append(&Record::of(&told))?;
        }
        if let Some(sent) = &mut self.sent {
            sent.before(&told);
        }
        self.market += u64::from(matches!(told, Told::Market(_) | Told::OpenPrint(_)));
        if self.sent.is_none() {
            self.digest.hear(&told);
        }
        if !self.taps.is_empty() {
            self.publish(&told);
        }
        let unsent = self.circuit.to_send().len();
        let heard = catch_unwind(AssertUnwindSafe(|| self.circuit.tell(told)));
        self.now = self.circuit.engine().now();
        match heard {
            Ok(done) => done?,
            Err(panic) => return Err(RunError::Strategy(format!("a strategy panicked: {}", panic_text(&*panic)))),
        }
        if !self.taps.is_empty() {
            self.publish_books();
        }
        if let Some(sent) = &mut self.sent {
            sent.put_away(self.circuit.engine());
            self.circuit.to_send()[unsent..].iter().for_each(|command| sent.goes(command, self.circuit.engine()));
        }
        if !self.circuit.journal().is_empty() {
            self.write_effects()?;
        }
        // With a venue behind the door what goes out goes first: then it waits for the next flush.
        if self.sent.is_none() { self.turn() } else { Ok(()) }
    }

    /// Hands an event to who publishes it: the tape has it, the engine has not heard it yet.
    fn publish(&mut self, told: &Told<'_>) {
        let event = match told {
            Told::Market(Event::Trade(trade)) => MarketEvent::Trade(**trade),
            Told::Market(Event::Quote(quote)) => MarketEvent::Quote(**quote),
            Told::Market(Event::Bar(bar)) => MarketEvent::Bar(**bar),
            Told::Market(Event::Depth(Depth { instrument, .. })) | Told::BookLost(instrument, _) => {
                return self.taps.iter_mut().for_each(|tap| tap.note_book(*instrument));
            }
            _ => return,
        };
        self.taps.iter_mut().for_each(|tap| tap.hear(event.clone()));
    }

    /// Hands over the books that changed, as the engine has them: each message is whole, so that none needs the one before.
    fn publish_books(&mut self) {
        let (engine, now) = (self.circuit.engine(), self.now);
        let levels = |instrument: InstrumentId, most: usize| {
            let book = engine.book(instrument);
            let best = |side| book.map(|b| b.levels(side).take(most).collect()).unwrap_or_default();
            Levels { ts: now, instrument, bids: best(Side::Buy), asks: best(Side::Sell) }
        };
        self.taps.iter_mut().for_each(|tap| tap.hear_books(now, levels));
    }

    /// Goes on in a new file of the tape when one is full, with a snapshot of what the session is there.
    fn turn(&mut self) -> Result<(), RunError> {
        let Some(tape) = self.tape.as_mut().filter(|_| self.circuit.to_send().is_empty()) else { return Ok(()) };
        if !tape.is_full() {
            return Ok(());
        }
        let state = self.snapshots.made_by.is_some().then(|| self.state());
        if state == Some(Err(StateError::Unsettled)) {
            return Ok(());
        }
        let Some(tape) = &mut self.tape else { return Ok(()) };
        let (Some(place), path) = (tape.turn()?, tape.path().to_owned()) else { return Ok(()) };
        match (state, &self.snapshots.made_by) {
            (Some(Ok(state)), Some(made_by)) => {
                let snapshot = Snapshot { made_by: made_by.clone(), place, state };
                self.write_snapshot(path, snapshot);
            }
            (Some(Err(why)), _) if !std::mem::replace(&mut self.snapshots.said, true) => {
                self.say(format!("no snapshot, a resumption hears the whole tape: {why}"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Whoever decides does not wait for it.
    fn write_snapshot(&mut self, tape: PathBuf, snapshot: Snapshot) {
        self.snapshots.wait();
        let thread = std::thread::Builder::new().name("snapshot".to_owned());
        self.snapshots.writing = thread.spawn(move || snapshot.write(&tape)).ok();
    }

    /// What it is now, as bytes: equal for equal sessions.
    pub(super) fn state(&self) -> Result<Vec<u8>, StateError> {
        let circuit = match &self.sent {
            Some(sent) => self.circuit.state(sent.orders())?,
            None => self.circuit.state(std::iter::empty())?,
        };
        let (market, digest) = (self.market, self.digest);
        let carried = Carried { market, digest, sent: self.sent.as_ref().map(Sent::state), circuit };
        postcard::to_extend(&carried, Vec::new()).map_err(|e| StateError::Form(e.to_string()))
    }

    /// Becomes what a session of equal settings was. After an error it is good for nothing.
    pub(super) fn take_up(&mut self, state: &[u8]) -> Result<(), StateError> {
        let carried: Carried = postcard::from_bytes(state).map_err(|e| StateError::Form(e.to_string()))?;
        let (registry, circuit) = (self.registry.as_ref(), &mut self.circuit);
        let mut make = |swap: &Swap, engine: &Engine| {
            let made = registry.map(|registry| newcomer_of(swap, engine, registry)).transpose();
            made.map_err(|e| e.to_string())?.flatten().ok_or_else(|| "it cannot be made again".to_owned())
        };
        let took = catch_unwind(AssertUnwindSafe(|| circuit.take_up(&carried.circuit, &mut make)));
        let orders = took.unwrap_or_else(|panic| Err(StateError::Form(panic_text(&*panic).to_owned())))?;
        let away = self.circuit.engine().put_away_counts().orders;
        self.sent = carried.sent.map(|state| Sent::of(orders, state, away));
        (self.market, self.digest, self.now) = (carried.market, carried.digest, self.circuit.engine().now());
        Ok(())
    }

    fn write_effects(&mut self) -> Result<(), RunError> {
        let mut journal = std::mem::take(self.circuit.journal());
        for passed in journal.drain(..) {
            let record = Record::Effect(effect(&passed, &self.instruments, self.circuit.engine()));
            if let Some(tape) = &mut self.tape {
                tape.append(&record)?;
            }
            if let Record::Effect(line) = record {
                self.lines.push((self.now, line));
            }
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
        if let Some(sent) = &mut self.sent {
            sent.noted(&note);
        }
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
        self.turn()
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
        self.circuit.engine().order_hash()
    }
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
    pub orders: u64,
    /// Fills.
    pub fills: u64,
    /// Market events heard.
    pub events: u64,
    /// What each strategy waits for.
    pub waiting: Vec<(String, Probe)>,
    /// What the feed says of itself; empty when all is well.
    pub feed: String,
    /// How long ago market data came last, nanoseconds; `None` before the first, and where stored data is heard.
    pub feed_age_ns: Option<i64>,
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
        orders: engine.orders().made(),
        fills: engine.orders().filled(),
        events: engine.events(),
        waiting: engine.observed_last(),
        feed: String::new(),
        feed_age_ns: None,
    }
}
