//! Tapes heard again: the same inputs to a new engine, and its effects held against the recorded ones.

use std::collections::VecDeque;
use std::path::Path;

use bellwether_sdk::{Instrument, InstrumentId, Ts};

use super::plan::Form;
use super::resolved::written_hash;
use super::session::{Session, made_by};
use super::setup::Setup;
use super::supply::{Offer, Offers};
use super::swap::pinned_like;
use super::{RunError, RunReport};
use crate::config::Settings;
use crate::engine::{Circuit, Engine, Fresh, Told};
use crate::host::Registry;
use crate::market::Kind;
use crate::sim::Sim;
use crate::tape::{Mode, Record, Snapshot, Start, TapeError, TapeReader, VenueNote};

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
    /// Snapshots that were held against the session as it was there, and equal.
    pub snapshots: u64,
    /// Snapshots that were not looked at, or are of no use, and why.
    pub snapshot_notes: Vec<String>,
}

/// A session made again from its tape.
pub(super) struct TapeRun {
    pub(super) session: Session,
    pub(super) start: Start,
    /// The first record that was heard.
    from: u64,
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
    replay_by(path, registry, "")
}

/// The same by a program whose file has this hash: its own snapshots beside the tape are held against the session as it is
/// at their place. One that differs is a difference.
///
/// # Errors
/// As [`replay`].
pub fn replay_by(path: &Path, registry: &Registry, program: &str) -> Result<TapeReplay, RunError> {
    Ok(replay_kept(path, registry, program, false)?.0)
}

/// The same, and what the session left behind, with its settings: every order, fill and trade is there, also those that the
/// session itself did not keep in memory.
///
/// # Errors
/// As [`replay`].
pub fn replay_whole(
    path: &Path,
    registry: &Registry,
    program: &str,
) -> Result<(TapeReplay, RunReport, Settings), RunError> {
    let (replay, session) = replay_kept(path, registry, program, true)?;
    let settings = settings_of(&replay.start)?;
    let (config_hash, profile) = parts_of(&replay.start, &registry.clone().beside(path))?.made;
    let report = RunReport {
        outcome: session.circuit.into_engine().finish(),
        fill_profile: match replay.start.mode {
            Mode::Live => "venue".to_owned(),
            Mode::Paper => profile,
        },
        data_hash: String::new(),
        config_hash,
        series: Vec::new(),
        engine_cpu_seconds: 0.0,
        wall_seconds: 0.0,
        tape: Some(path.to_owned()),
    };
    Ok((replay, report, settings))
}

fn replay_kept(
    path: &Path,
    registry: &Registry,
    program: &str,
    keeps_all: bool,
) -> Result<(TapeReplay, Session), RunError> {
    let mut reader = TapeReader::open(path)?;
    let start = start_of(&mut reader)?;
    let mut ears = Compares { made_by: made_by(&start, program), path, equal: 0, different: None, notes: Vec::new() };
    let mut reader = TapeReader::open(path)?;
    let begun = start_of(&mut reader)?;
    let mut session = build(&begun, &registry.clone().beside(reader.path()))?;
    if keeps_all {
        session.circuit.engine_mut().keep_archive();
    }
    let mut run = hear_rest(TapeRun::new(session, begun), &mut reader, &mut ears)?;
    run.divergence = ears.different.take().or(run.divergence);
    let replay = TapeReplay {
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
        snapshots: ears.equal,
        snapshot_notes: ears.notes,
    };
    Ok((replay, run.session))
}

/// Holds snapshots against the session.
struct Compares<'a> {
    made_by: Option<String>,
    path: &'a Path,
    equal: u64,
    different: Option<Divergence>,
    notes: Vec<String>,
}

impl Ears for Compares<'_> {
    fn turned(&mut self, segment: u32, record: u64, session: &Session) {
        let Some(made_by) = &self.made_by else { return };
        match Snapshot::read(self.path, segment) {
            Ok(None) => {}
            Ok(Some(snapshot)) if snapshot.made_by != *made_by => {
                self.notes.push(format!("the snapshot before file {segment} is of another program"));
            }
            Ok(Some(snapshot)) if session.state().as_deref() == Ok(&snapshot.state) => self.equal += 1,
            Ok(Some(_)) => {
                let differs = Divergence {
                    record,
                    input: record,
                    at: session.now,
                    recorded: Some(format!("a snapshot before file {segment}")),
                    replayed: Some("another state".to_owned()),
                };
                self.different.get_or_insert(differs);
            }
            Err(why) => self.notes.push(why),
        }
    }
}

/// The settings of a tape's session.
pub(super) fn settings_of(start: &Start) -> Result<Settings, RunError> {
    serde_json::from_str(&start.settings).map_err(|e| {
        RunError::File(format!("the settings on the tape do not read: {e}; it is of version {}", start.version))
    })
}

/// Builds the session of a tape's first record.
pub(super) fn build(start: &Start, registry: &Registry) -> Result<Session, RunError> {
    let Parts { instruments, engine, sim, forms, .. } = parts_of(start, registry)?;
    let circuit = match start.mode {
        Mode::Paper => Circuit::paper(engine, sim),
        Mode::Live => Circuit::live(engine),
    };
    let mut session = Session::new(circuit, instruments, start.mode);
    (session.registry, session.forms) = (Some(registry.clone()), forms);
    Ok(session)
}

/// What a tape's first record makes.
pub(super) struct Parts {
    instruments: Vec<Instrument>,
    engine: Engine,
    pub(super) sim: Sim,
    /// What the strategies are made of.
    forms: Vec<Form>,
    /// What makes the result: the hash of the settings, and the fill profile.
    made: (String, String),
}

/// The parts of a tape's first record.
pub(super) fn parts_of(start: &Start, registry: &Registry) -> Result<Parts, RunError> {
    let settings = settings_of(start)?;
    let mut rows = Vec::new();
    for (record, id) in start.instruments.iter().zip(0u16..) {
        let damaged = || RunError::File(format!("the rules of {} on the tape do not read", record.symbol));
        rows.push(Offer {
            instrument: start.instrument(InstrumentId(id)).ok_or_else(damaged)?,
            fees: record.fees,
            fees_are_assumed: false,
            kinds: record.kinds.iter().filter_map(|k| k.parse::<Kind>().ok()).collect(),
        });
    }
    let offers = Offers { rows, place: start.place.clone() };
    let setup = Setup::new(&settings, registry, &offers)?;
    let instruments = setup.plan.instruments.clone();
    let (forms, made) = (setup.plan.forms.clone(), (setup.config_hash.clone(), setup.plan.profile.to_string()));
    let (engine, sim) = setup.build(&settings);
    Ok(Parts { instruments, engine, sim, forms, made })
}

/// Hears a tape to its end, to go on with it: mode and settings must be the same, and nothing may differ. What stands before
/// a snapshot need not be heard; one that does not fit is not believed, and more is heard.
pub(super) fn resumable(
    path: &Path,
    registry: &Registry,
    settings: &Settings,
    mode: Mode,
    program: &str,
) -> Result<(TapeReader, TapeRun), RunError> {
    let mut said = Vec::new();
    let mut reader = TapeReader::open(path)?;
    let start = start_of(&mut reader)?;
    refuse_others(path, &start, settings, mode)?;
    let made_by = made_by(&start, program).unwrap_or_default();
    let snapshots = if made_by.is_empty() { Vec::new() } else { Snapshot::segments(path) };
    for segment in snapshots {
        let (mut reader, start) = (TapeReader::open(path)?, start.clone());
        let heard = begun_from_snapshot(&mut reader, start, registry, segment, &made_by)
            .and_then(|run| hear_rest(run, &mut reader, &mut Deaf).map_err(|e| e.to_string()))
            .and_then(|run| unequal(path, &run).map_or(Ok(run), |why| Err(why.to_string())));
        match heard {
            Ok(mut run) => {
                said.push(format!("taken up from the snapshot before record {}", run.from));
                said.into_iter().for_each(|text| run.session.say(text));
                return Ok((reader, run));
            }
            Err(why) => {
                tracing::warn!("not taken up from the snapshot before file {segment}: {why}");
                said.push(format!("the snapshot before file {segment} is not believed: {why}"));
            }
        }
    }
    let mut reader = TapeReader::open(path)?;
    let mut run = run(&mut reader, registry, &mut Deaf)?;
    said.into_iter().for_each(|text| run.session.say(text));
    match unequal(path, &run) {
        Some(why) => Err(why),
        None => Ok((reader, run)),
    }
}

/// A session as a snapshot left it, its tape to be read from there on.
fn begun_from_snapshot(
    reader: &mut TapeReader,
    start: Start,
    registry: &Registry,
    segment: u32,
    made_by: &str,
) -> Result<TapeRun, String> {
    let snapshot = Snapshot::read(reader.path(), segment)?.ok_or("it is gone")?;
    if snapshot.made_by != made_by {
        return Err("another program, or another strategy, made it".to_owned());
    }
    start_of(reader).map_err(|e| e.to_string())?;
    reader.jump(&snapshot.place).map_err(|e| e.to_string())?;
    let mut session = build(&start, &registry.clone().beside(reader.path())).map_err(|e| e.to_string())?;
    session.take_up(&snapshot.state).map_err(|e| e.to_string())?;
    Ok(TapeRun { from: snapshot.place.record, ..TapeRun::new(session, start) })
}

fn refuse_others(path: &Path, start: &Start, settings: &Settings, mode: Mode) -> Result<(), RunError> {
    let path = path.display();
    if start.mode != mode {
        return Err(RunError::Settings(format!(
            "{path} is of a {} session, and this is a {} one; its orders are elsewhere",
            start.mode.name(),
            mode.name()
        )));
    }
    let theirs = settings_of(start)?;
    let mut ours = settings.clone();
    pinned_like(&mut ours, &theirs);
    if mode == Mode::Live {
        // What the account held when the session began is on its tape.
        ours.account.cash.clone_from(&theirs.account.cash);
    }
    if written_hash(&theirs) != written_hash(&ours) {
        return Err(RunError::Settings(format!(
            "{path} was made with other settings; go on with the same ones, or begin a new session"
        )));
    }
    Ok(())
}

/// Why what a tape was heard to be is not the whole of it, and not gone on with: damage, or something else than was recorded.
pub(super) fn unequal(path: &Path, run: &TapeRun) -> Option<RunError> {
    let divergence = run.divergence.as_ref().map(|d| {
        format!(
            "{}: this program makes something else of record {}: {:?} stands there, and {:?} came of it now; go on with \
             the one that recorded it ({})",
            path.display(),
            d.record,
            d.recorded,
            d.replayed,
            run.start.version
        )
    });
    run.damaged.clone().or(divergence).map(RunError::File)
}

/// Who listens while a tape is heard.
pub(super) trait Ears {
    /// Before an input.
    fn before(&mut self, _told: &Told<'_>, _session: &mut Session) {}

    /// After it.
    fn after(&mut self, _session: &mut Session) {}

    /// What the venue calls something.
    fn noted(&mut self, _note: VenueNote) {}

    /// The tape goes on in another file, behind a record.
    fn turned(&mut self, _segment: u32, _record: u64, _session: &Session) {}
}

/// Nobody listens.
pub(super) struct Deaf;

impl Ears for Deaf {}

/// What a tape begins with.
pub(super) fn start_of(reader: &mut TapeReader) -> Result<Start, RunError> {
    match reader.read()? {
        Some((_, Record::Start(start))) => Ok(*start),
        _ => Err(TapeError::NoStart { path: reader.path().to_owned() }.into()),
    }
}

/// Hears a whole tape.
pub(super) fn run(reader: &mut TapeReader, registry: &Registry, ears: &mut dyn Ears) -> Result<TapeRun, RunError> {
    let start = start_of(reader)?;
    hear_rest(TapeRun::new(build(&start, &registry.clone().beside(reader.path()))?, start), reader, ears)
}

/// Hears a tape from where it is being read.
fn hear_rest(mut run: TapeRun, reader: &mut TapeReader, ears: &mut dyn Ears) -> Result<TapeRun, RunError> {
    let mut expected: VecDeque<String> = VecDeque::new();
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
                let replayed = expected.pop_front();
                if replayed.as_ref() != Some(&line) {
                    run.part(number, input, Some(line), replayed);
                    break;
                }
            }
            Record::End(hash) => {
                run.order_hash = run.session.order_hash();
                let same = hash == run.order_hash;
                run.recorded_hash = Some(hash.clone());
                if !same {
                    let now = run.order_hash.clone();
                    run.part(number, input, Some(format!("order_hash {hash}")), Some(format!("order_hash {now}")));
                    break;
                }
            }
            Record::Venue(note) => {
                run.session.note(note.clone())?;
                ears.noted(note);
            }
            Record::Continued(segment) => ears.turned(segment, number, &run.session),
            Record::Start(_) => return Err(RunError::File(format!("record {number} begins another session"))),
            told => {
                if let Some(line) = expected.pop_front() {
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
    run.cut = expected.into();
    if run.recorded_hash.is_none() || run.order_hash.is_empty() {
        run.order_hash = run.session.order_hash();
    }
    Ok(run)
}

impl TapeRun {
    fn new(session: Session, start: Start) -> Self {
        Self {
            session,
            start,
            from: 0,
            counts: (1, 0, 0),
            first: Ts::NONE,
            recorded_hash: None,
            order_hash: String::new(),
            divergence: None,
            damaged: None,
            cut: Vec::new(),
        }
    }

    fn hear(&mut self, told: &Record, number: u64, ears: &mut dyn Ears) -> Result<(), RunError> {
        self.counts.1 += 1;
        let session = &mut self.session;
        let fresh = match told {
            Record::Swap(swap, _) => session.newcomer_of(swap)?,
            _ => Fresh::default(),
        };
        let done = told.tell(&fresh, |told| {
            ears.before(&told, session);
            session.tell(told)
        });
        done.ok_or_else(|| RunError::File(format!("record {number} holds an amount or a name that does not read")))??;
        ears.after(&mut self.session);
        // What went out then has gone.
        self.session.circuit.outgoing();
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
        let line = serde_json::to_string(&(number, record)).map_err(|e| RunError::File(e.to_string()))?;
        if !each(&line) {
            break;
        }
    }
    Ok(())
}
