//! Tapes heard again: the same inputs to a new engine, and its effects held against the recorded ones.

use std::path::Path;

use bellwether_sdk::{InstrumentId, Ts};

use super::RunError;
use super::backtest::config_hash;
use super::session::{Session, hash_of};
use super::setup::Setup;
use super::supply::{Offer, Offers};
use crate::config::Settings;
use crate::engine::{Circuit, Told};
use crate::host::Registry;
use crate::market::Kind;
use crate::tape::{Mode, Record, Start, TapeError, TapeReader, VenueNote};

/// Where a replay and its tape part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// Number of the record at which they part.
    pub record: u64,
    /// Number of the input that caused it.
    pub input: u64,
    /// Engine time.
    pub at: Ts,
    /// What the tape says.
    pub recorded: Option<String>,
    /// What came of the same inputs now.
    pub replayed: Option<String>,
}

/// What came of replaying a tape.
#[derive(Debug, Clone)]
pub struct TapeReplay {
    /// What the session was made of.
    pub start: Start,
    /// Records read.
    pub records: u64,
    /// Inputs among them.
    pub inputs: u64,
    /// Effects among them.
    pub effects: u64,
    /// Engine time of the first and the last input.
    pub first: Ts,
    /// Engine time of the last input.
    pub last: Ts,
    /// The hash of orders and fills as replayed.
    pub order_hash: String,
    /// The hash the tape ends with; `None` when the session did not end properly.
    pub recorded_hash: Option<String>,
    /// Where they part first; `None` when they are equal.
    pub divergence: Option<Divergence>,
    /// Bytes at the end that are no whole record.
    pub torn: u64,
    /// A record that was changed after it was written: where reading ended.
    pub damaged: Option<String>,
}

/// A session made again from its tape.
pub(super) struct TapeRun {
    pub(super) session: Session,
    /// Market inputs heard.
    pub(super) market: u64,
    pub(super) start: Start,
    counts: (u64, u64, u64),
    first: Ts,
    recorded_hash: Option<String>,
    /// Of the end of the tape or, where one was recorded, at its last `End`.
    order_hash: String,
    divergence: Option<Divergence>,
    damaged: Option<String>,
    /// Effects of the last input that are not on the tape: a crash cut them off.
    pub(super) cut: Vec<String>,
}

/// Replays a tape.
///
/// # Errors
/// [`RunError`] when it cannot be read, or its session cannot be built by this program. A difference is no error.
pub fn replay(path: &Path, registry: &Registry) -> Result<TapeReplay, RunError> {
    let mut reader = TapeReader::open(path)?;
    let run = run(&mut reader, registry, &mut Deaf)?;
    Ok(TapeReplay {
        start: run.start,
        records: run.counts.0,
        inputs: run.counts.1,
        effects: run.counts.2,
        first: run.first,
        last: run.session.now,
        order_hash: run.order_hash,
        recorded_hash: run.recorded_hash,
        divergence: run.divergence,
        torn: reader.torn(),
        damaged: run.damaged,
    })
}

/// The settings of a tape's session.
pub(super) fn settings_of(start: &Start) -> Result<Settings, RunError> {
    serde_json::from_str(&start.settings).map_err(|e| {
        RunError::Data(format!("the settings on the tape do not read: {e}; it is of version {}", start.version))
    })
}

/// Builds the session of a tape's first record.
pub(super) fn build(start: &Start, registry: &Registry) -> Result<Session, RunError> {
    let settings = settings_of(start)?;
    let mut rows = Vec::new();
    for (record, id) in start.instruments.iter().zip(0u16..) {
        let damaged = || RunError::Data(format!("the rules of {} on the tape do not read", record.symbol));
        rows.push(Offer {
            instrument: record.instrument(InstrumentId(id)).ok_or_else(damaged)?,
            fees: record.fees,
            kinds: record.kinds.iter().filter_map(|k| k.parse::<Kind>().ok()).collect(),
        });
    }
    let offers = Offers { rows, place: start.place.clone() };
    let setup = Setup::new(&settings, registry, &offers)?;
    let instruments = setup.plan.instruments.clone();
    let (engine, sim) = setup.build(&settings);
    let circuit = match start.mode {
        Mode::Paper => Circuit::paper(engine, sim),
        Mode::Live => Circuit::live(engine),
    };
    Session::new(circuit, instruments, None)
}

/// Hears a tape to its end, to go on with it: mode and settings must be the same, and nothing may differ.
pub(super) fn resumable(
    reader: &mut TapeReader,
    registry: &Registry,
    settings: &Settings,
    mode: Mode,
    ears: &mut dyn Ears,
) -> Result<TapeRun, RunError> {
    let run = run(reader, registry, ears)?;
    let path = reader.path().display();
    if run.start.mode != mode {
        return Err(RunError::Settings(format!(
            "{path} is of a {} session, and this is a {} one; its orders are elsewhere",
            run.start.mode.name(),
            mode.name()
        )));
    }
    let theirs = settings_of(&run.start)?;
    let mut ours = settings.clone();
    if mode == Mode::Live {
        // What the account held when the session began is on its tape.
        ours.account.cash.clone_from(&theirs.account.cash);
    }
    if config_hash(&theirs) != config_hash(&ours) {
        return Err(RunError::Settings(format!(
            "{path} was made with other settings; go on with the same ones, or begin a new session"
        )));
    }
    match (&run.damaged, &run.divergence) {
        (Some(why), _) => Err(RunError::Data(why.clone())),
        (None, Some(d)) => Err(RunError::Data(format!(
            "{path}: this program makes something else of record {}: {:?} stands there, and {:?} came of it now; go on with \
             the one that recorded it ({})",
            d.record, d.recorded, d.replayed, run.start.version
        ))),
        (None, None) => Ok(run),
    }
}

/// Who listens while a tape is heard.
pub(super) trait Ears {
    /// Before an input.
    fn before(&mut self, _told: &Told<'_>, _session: &mut Session) {}

    /// After it.
    fn after(&mut self, _session: &mut Session) {}

    /// What the venue calls something.
    fn noted(&mut self, _note: VenueNote) {}
}

/// Nobody listens.
pub(super) struct Deaf;

impl Ears for Deaf {}

/// Hears a whole tape.
pub(super) fn run(reader: &mut TapeReader, registry: &Registry, ears: &mut dyn Ears) -> Result<TapeRun, RunError> {
    let start = match reader.read()? {
        Some((_, Record::Start(start))) => *start,
        _ => return Err(TapeError::NoStart { path: reader.path().to_owned() }.into()),
    };
    let session = build(&start, registry)?;
    let mut run = TapeRun {
        session,
        market: 0,
        start,
        counts: (1, 0, 0),
        first: Ts::NONE,
        recorded_hash: None,
        order_hash: String::new(),
        divergence: None,
        damaged: None,
        cut: Vec::new(),
    };
    let mut expected: Vec<String> = Vec::new();
    let mut input = 0;
    loop {
        let (number, record) = match reader.read() {
            Ok(Some(next)) => next,
            Ok(None) => break,
            Err(e @ TapeError::Damaged { .. }) => {
                run.damaged = Some(e.to_string());
                break;
            }
            Err(e) => return Err(e.into()),
        };
        run.counts.0 += 1;
        match record {
            Record::Effect(line) => {
                run.counts.2 += 1;
                let replayed = if expected.is_empty() { None } else { Some(expected.remove(0)) };
                if replayed.as_ref() != Some(&line) {
                    run.part(number, input, Some(line), replayed);
                    break;
                }
            }
            Record::End(hash) => {
                run.order_hash = hash_of(run.session.circuit.engine());
                let same = hash == run.order_hash;
                run.recorded_hash = Some(hash.clone());
                if !same {
                    let now = run.order_hash.clone();
                    run.part(number, input, Some(format!("order_hash {hash}")), Some(format!("order_hash {now}")));
                    break;
                }
            }
            Record::Venue(note) => ears.noted(note),
            Record::Start(_) => return Err(RunError::Data(format!("record {number} begins another session"))),
            told => {
                if let Some(line) = expected.first().cloned() {
                    run.part(number, input, None, Some(line));
                    break;
                }
                input = number;
                run.hear(&told, number, ears)?;
                expected = run.session.take_lines().into_iter().map(|(_, line)| line).collect();
            }
        }
    }
    // A crash may have cut effects off with the tail; they are no difference.
    run.cut = expected;
    if run.recorded_hash.is_none() || run.order_hash.is_empty() {
        run.order_hash = run.session.order_hash();
    }
    Ok(run)
}

impl TapeRun {
    fn hear(&mut self, told: &Record, number: u64, ears: &mut dyn Ears) -> Result<(), RunError> {
        self.counts.1 += 1;
        let is_market = !matches!(
            told,
            Record::Clock(_)
                | Record::Resume(_)
                | Record::Answer(..)
                | Record::Stop(..)
                | Record::BookLost(..)
                | Record::Reference(..)
                | Record::News(..)
                | Record::Hold(..)
                | Record::Kill(..)
                | Record::Arm(..)
        );
        self.market += u64::from(is_market);
        let session = &mut self.session;
        let done = told.tell(|told| {
            ears.before(&told, session);
            session.tell(told)
        });
        done.ok_or_else(|| RunError::Data(format!("record {number} holds an amount or a name that does not read")))??;
        ears.after(&mut self.session);
        if self.first == Ts::NONE {
            self.first = self.session.now;
        }
        Ok(())
    }

    fn part(&mut self, record: u64, input: u64, recorded: Option<String>, replayed: Option<String>) {
        self.divergence = Some(Divergence { record, input, at: self.session.now, recorded, replayed });
    }
}

/// A tape as lines for people: number and text.
///
/// # Errors
/// [`RunError`] when it cannot be read.
pub fn show(path: &Path, mut each: impl FnMut(u64, &str) -> bool) -> Result<(), RunError> {
    let mut reader = TapeReader::open(path)?;
    while let Some((number, record)) = reader.read()? {
        let text = match &record {
            Record::Effect(line) => format!("effect {line}"),
            Record::Start(start) => format!(
                "start {} of version {} over {}",
                start.mode.name(),
                start.version,
                start.instruments.iter().map(|i| i.symbol.to_string()).collect::<Vec<_>>().join(", ")
            ),
            other => format!("{other:?}"),
        };
        if !each(number, &text) {
            break;
        }
    }
    Ok(())
}

/// What a tape's frames say, without its session being built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Whole records.
    pub records: u64,
    /// Inputs among them.
    pub inputs: u64,
    /// Effects among them.
    pub effects: u64,
    /// The program's version that began it.
    pub version: String,
    /// Whether it ends with its hash.
    pub ended: bool,
    /// Bytes at the end that are no whole record.
    pub torn: u64,
    /// A record that was changed after it was written: where reading ended.
    pub damaged: Option<String>,
}

/// Reads a tape to its end and checks every frame.
///
/// # Errors
/// [`RunError`] when it cannot be read, or is no tape. Damage is no error.
pub fn verify(path: &Path) -> Result<Verified, RunError> {
    let mut reader = TapeReader::open(path)?;
    let mut found = Verified::default();
    loop {
        match reader.read() {
            Ok(Some((number, record))) => {
                found.records += 1;
                found.inputs += u64::from(record.is_input());
                found.ended = matches!(record, Record::End(_));
                match record {
                    Record::Effect(_) => found.effects += 1,
                    Record::Start(start) => found.version = start.version,
                    _ if number == 0 => return Err(TapeError::NoStart { path: path.to_owned() }.into()),
                    _ => {}
                }
            }
            Ok(None) => break,
            Err(e @ TapeError::Damaged { .. }) => {
                found.damaged = Some(e.to_string());
                break;
            }
            Err(e) => return Err(e.into()),
        }
    }
    found.torn = reader.torn();
    Ok(found)
}

/// A tape as JSON documents: number and record, one a line.
///
/// # Errors
/// [`RunError`] when it cannot be read.
pub fn export(path: &Path, mut each: impl FnMut(&str) -> bool) -> Result<(), RunError> {
    let mut reader = TapeReader::open(path)?;
    while let Some((number, record)) = reader.read()? {
        let line = serde_json::to_string(&(number, record)).map_err(|e| RunError::Data(e.to_string()))?;
        if !each(&line) {
            break;
        }
    }
    Ok(())
}
