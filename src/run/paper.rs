//! Paper mode over stored data: the catalog's events at their own pace, against the simulated exchange, with a tape.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bellwether_sdk::{Symbol, Ts};

use super::asked::Standing;
use super::backtest::{Prepared, config_hash};
use super::control::Asked;
use super::session::{Session, Status, status};
use super::spec::SeriesRead;
use super::surroundings;
use super::tapes::{self, Deaf, TapeRun};
use super::watchdog::Watch;
use super::{RunError, RunReport};
use crate::config::{OnStop, Settings};
use crate::data::Catalog;
use crate::engine::{Circuit, Ending, Engine, Merge, Person, Told};
use crate::host::Registry;
use crate::tape::{InstrumentRecord, Mode, Start, TapeReader};

/// How long the loop sleeps at most before it looks whether to stop.
const NAP: Duration = Duration::from_millis(20);

/// How often people are told how it stands.
const STATUS_EVERY: Duration = Duration::from_millis(250);

/// Who watches a session.
pub trait Watcher {
    /// How it stands now; some four times a second.
    fn status(&mut self, status: &Status);

    /// An order, an answer, at engine time, as one line.
    fn effect(&mut self, at: Ts, line: &str);

    /// The engine after each input of a session on a venue's feed; for checks at every step.
    fn heard(&mut self, _engine: &Engine) {}
}

/// What a session is asked for beside its settings.
pub struct SessionPlan<'a> {
    /// The tape to begin; `None` keeps none.
    pub tape: Option<PathBuf>,
    /// A tape to go on with: account, strategies and place in the data are as they were.
    pub resume: Option<PathBuf>,
    /// Ends by itself after so long, by the clock on the wall.
    pub ends_after: Option<Duration>,
    /// The program's version and the hash of its file, for the tape.
    pub program: (&'a str, &'a str),
    /// Settings as they may be stored, without secrets.
    pub settings_json: String,
    /// The upper half of order ids.
    pub session: u64,
    /// The state folder, where sessions keep their locks and hear what is asked of them; `None` for neither.
    pub state: Option<PathBuf>,
}

/// Runs paper mode over the catalog's data, paced as the settings say.
///
/// # Errors
/// [`RunError`].
pub fn paper(
    settings: &Settings,
    registry: &Registry,
    plan: SessionPlan<'_>,
    watcher: &mut dyn Watcher,
    stop: &AtomicBool,
) -> Result<RunReport, RunError> {
    let began = Instant::now();
    let catalog = Catalog::open(&settings.data.dir)?;
    let prepared = Prepared::new(settings, registry, &catalog)?;
    let mut merge = Merge::new(prepared.sources()?).map_err(|e| RunError::Data(e.to_string()))?;
    let data_hash = prepared.data_hash()?;
    let profile = prepared.setup.plan.profile.to_string();
    let notes = prepared.setup.plan.notes.clone();
    let instruments = prepared.setup.plan.instruments.clone();
    let start = start_record(settings, &prepared, &catalog, &plan);
    let tapes = (plan.tape.as_deref(), plan.resume.as_deref());
    let mut standing = Standing::take(plan.state.as_deref(), settings, Mode::Paper, &[], tapes)?;
    let mut session = match &plan.resume {
        None => {
            let (engine, sim) = prepared.setup.build(settings);
            let circuit = Circuit::paper(engine, sim);
            Session::new(
                circuit,
                instruments.clone(),
                plan.tape.as_deref().map(|p| (p, &start, settings.session.durability, surroundings::DISK)),
            )?
        }
        Some(path) => take_up(path, registry, settings, &mut merge)?,
    };
    let start_equity = session.circuit.engine().start_equity();
    let currency = session.circuit.engine().reporting().to_owned();
    let mut tell = |session: &mut Session| {
        for (at, line) in session.take_lines() {
            watcher.effect(at, &line);
        }
        watcher.status(&status(session.circuit.engine(), &currency, start_equity));
    };
    let watch = standing.watch(settings, &[], session.tape_path().as_deref());
    let mut killed = None;
    let mut pace = Pace::new(settings.session.pace, plan.ends_after);
    while let Some(next) = merge.next_ts() {
        let due = session.circuit.next_due();
        // What is due at the same time as an event comes in its turn with the event.
        let (at, by_itself) = if due < next { (due, true) } else { (next, false) };
        let waited = pace.wait_for(at, stop, watch.as_ref(), || tell(&mut session));
        if waited == Waited::Over {
            break;
        }
        let now = session.now;
        match watch.as_ref().and_then(Watch::asked) {
            Some(Asked::Stop) => break,
            Some(Asked::Kill { flatten, operator, reason }) => {
                session.tell(Told::Kill(false, Person { operator: &operator, reason: &reason }, now))?;
                killed = Some(flatten);
                break;
            }
            Some(Asked::Arm { operator, reason }) => {
                session.tell(Told::Arm(Person { operator: &operator, reason: &reason }, now))?;
            }
            None => {}
        }
        if waited == Waited::Asked {
            continue;
        }
        if by_itself {
            session.tell(Told::Clock(at))?;
        } else if let Some(told) = merge.next(|told| session.tell(told)).map_err(|e| RunError::Data(e.to_string()))? {
            told?;
        }
        if pace.is_time_to_tell() {
            session.flush()?;
            tell(&mut session);
            standing.see(session.circuit.engine());
        }
    }
    let (at, on_stop) = (session.now, settings.session.on_stop);
    let ending = match killed {
        Some(flatten) => Ending { cancel: true, close: flatten },
        None => Ending { cancel: on_stop == OnStop::Cancel, close: on_stop == OnStop::Close },
    };
    session.tell(Told::Stop(at, ending))?;
    tell(&mut session);
    drop(watch);
    standing.see(session.circuit.engine());
    let series: Vec<SeriesRead> = merge
        .read()
        .iter()
        .map(|p| (instruments[p.instrument.index()].symbol.clone(), p.kind, p.rows, p.first, p.last))
        .collect();
    let tape = session.tape_path();
    let mut outcome = session.finish()?;
    outcome.notes.extend(notes);
    outcome.notes.push(match settings.session.pace {
        0 => "paper mode over stored data, without waiting".to_owned(),
        pace => format!("paper mode over stored data at {pace} × real time"),
    });
    Ok(RunReport {
        outcome,
        fill_profile: profile,
        data_hash,
        config_hash: config_hash(settings),
        series,
        engine_cpu_seconds: 0.0,
        wall_seconds: began.elapsed().as_secs_f64(),
        tape,
    })
}

/// Takes a session up where its tape ended: the inputs make it what it was, and the data goes on after them.
fn take_up(path: &Path, registry: &Registry, settings: &Settings, merge: &mut Merge) -> Result<Session, RunError> {
    let mut reader = TapeReader::open(path)?;
    let TapeRun { mut session, market, cut, .. } =
        tapes::resumable(&mut reader, registry, settings, Mode::Paper, &mut Deaf)?;
    for _ in 0..market {
        merge.next(|_| ()).map_err(|e| RunError::Data(e.to_string()))?;
    }
    session.resume_tape(reader, settings.session.durability, cut, surroundings::DISK)?;
    let now = session.now;
    session.tell(Told::Resume(now))?;
    Ok(session)
}

fn start_record(settings: &Settings, prepared: &Prepared<'_>, catalog: &Catalog, plan: &SessionPlan<'_>) -> Start {
    let setup = &prepared.setup.plan;
    let of = |instrument: &bellwether_sdk::Instrument| {
        let symbol: &Symbol = &instrument.symbol;
        let kinds = catalog.series().into_iter().filter(|s| s.symbol == *symbol).map(|s| s.kind.to_string());
        InstrumentRecord::new(instrument, catalog.fees(symbol), kinds.collect())
    };
    Start {
        mode: Mode::Paper,
        session: plan.session,
        version: plan.program.0.to_owned(),
        program: plan.program.1.to_owned(),
        created: wall_now(),
        settings: plan.settings_json.clone(),
        instruments: setup.instruments.iter().map(of).collect(),
        place: settings.data.dir.display().to_string(),
        pace: settings.session.pace,
    }
}

/// The machine's clock.
pub(super) fn wall_now() -> Ts {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ts::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Why waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waited {
    /// The time has come.
    Due,
    /// Somebody asks something of the session.
    Asked,
    /// The session is to end.
    Over,
}

/// Brings data time and wall time together.
struct Pace {
    /// Times real time; zero does not wait.
    times: u32,
    /// Data time and wall time of the first event.
    origin: Option<(Ts, Instant)>,
    begun: Instant,
    ends_after: Option<Duration>,
    told: Instant,
}

impl Pace {
    fn new(times: u32, ends_after: Option<Duration>) -> Self {
        let now = Instant::now();
        Self { times, origin: None, begun: now, ends_after, told: now }
    }

    /// Waits until data time `at` is due.
    fn wait_for(&mut self, at: Ts, stop: &AtomicBool, watch: Option<&Watch>, mut idle: impl FnMut()) -> Waited {
        let (first, begun) = *self.origin.get_or_insert((at, Instant::now()));
        loop {
            if stop.load(Ordering::Relaxed) || self.ends_after.is_some_and(|d| self.begun.elapsed() >= d) {
                return Waited::Over;
            }
            if let Some(watch) = watch {
                watch.beat();
                if watch.is_asked() {
                    return Waited::Asked;
                }
            }
            if self.times == 0 {
                return Waited::Due;
            }
            let data_ns = at.nanos().saturating_sub(first.nanos()).max(0) / i64::from(self.times);
            let due = Duration::from_nanos(u64::try_from(data_ns).unwrap_or(0));
            let Some(left) = due.checked_sub(begun.elapsed()).filter(|d| !d.is_zero()) else { return Waited::Due };
            std::thread::sleep(left.min(NAP));
            if self.is_time_to_tell() {
                idle();
            }
        }
    }

    fn is_time_to_tell(&mut self) -> bool {
        let is = self.told.elapsed() >= STATUS_EVERY;
        if is {
            self.told = Instant::now();
        }
        is
    }
}
