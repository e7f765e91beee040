//! Paper mode over stored data: the catalog's events at their own pace, against the simulated exchange, with a tape.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bellwether_sdk::{Symbol, Ts};

use super::asked::Standing;
use super::backtest::Prepared;
use super::bus::offerings;
use super::control::{Asked, Reply};
use super::digest::Digest;
use super::latency::LatencyKeeper;
use super::news::Outside;
use super::report::Reporter;
use super::session::{Session, Status, Taping, status};
use super::spec::SeriesRead;
use super::supply::Supply;
use super::swap::{Swapper, pinned, watchdog_waits};
use super::tapes::{self, TapeRun};
use super::watchdog::Watch;
use super::{RunError, RunReport, ask};
use crate::config::{OnStop, Settings};
use crate::data::Catalog;
use crate::data::news::SignalForm;
use crate::engine::{Circuit, Ending, Engine, Merge, Person, Told};
use crate::exchange::drive::{Histogram, Stages};
use crate::host::{ARTEFACTS, Registry};
use crate::signal::News;
use crate::sinks::About;
use crate::sources::{Mail, Question, Tokens};
use crate::tape::{InstrumentRecord, MaximaRecord, Mode, Start, Waits, plain_disk};

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

    /// A signal that a strategy emitted, where they are kept.
    fn signal(&mut self, signal: &SignalForm) {
        let _ = signal;
    }

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
    /// Strategies whose file changes are changed too.
    pub watch: bool,
    /// The state folder, where sessions keep their locks and hear what is asked of them; `None` for neither.
    pub state: Option<PathBuf>,
    /// Finds the tokens of sources and sinks.
    pub tokens: Tokens<'a>,
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
    let registry = &with_artefacts(registry, &plan);
    let catalog = Catalog::open(&settings.data.dir)?;
    let prepared = Prepared::new(settings, registry, &catalog)?;
    let merge = Merge::new(prepared.sources()?).map_err(|e| RunError::Data(e.to_string()))?;
    let mut merge = merge.with_news(prepared.news()?);
    let data_hash = prepared.data_hash()?;
    let profile = prepared.setup.plan.profile.to_string();
    let config_hash = prepared.setup.config_hash.clone();
    let notes = [prepared.setup.plan.notes.clone(), prepared.setup.plan.left_out()].concat();
    let instruments = prepared.setup.plan.instruments.clone();
    let outside = Outside::open(settings, &instruments, plan.tokens, plan.resume.is_some())?;
    let offerings = offerings(&instruments, &prepared.setup.plan.series, |symbol| {
        Supply::fees(&catalog, symbol, &prepared.setup.plan.range)
    });
    let about = About { instruments: &instruments, offerings: &offerings, session: plan.session };
    let mut reporter = Reporter::open(settings, plan.tokens, &outside.sender, "paper", about, watcher)?;
    let forms = prepared.setup.plan.forms.clone();
    for form in &forms {
        watchdog_waits(settings.session.hang_ms, &form.sha256).map_err(RunError::Settings)?;
    }
    let stored = pinned(&plan.settings_json, &forms, registry)?;
    let start = start_record(settings, &prepared, &catalog, &plan, stored);
    let tapes = (plan.tape.as_deref(), plan.resume.as_deref());
    let mut standing = Standing::take(plan.state.as_deref(), settings, Mode::Paper, &[], tapes)?;
    let taping = Taping::new(settings, plan.program.1, plain_disk(), Waits::default());
    let mut session = match &plan.resume {
        None => {
            let (engine, sim) = prepared.setup.build(settings);
            let mut session = Session::new(Circuit::paper(engine, sim), instruments.clone(), Mode::Paper);
            if let Some(path) = &plan.tape {
                session.begin_tape(path, &start, taping)?;
            }
            session
        }
        Some(path) => take_up(path, registry, settings, taping, &mut merge)?,
    };
    session.tap(reporter.taps());
    if reporter.is_open() || settings.signals.only {
        session.circuit.engine_mut().keep_signals();
    }
    reporter.began(wall_now(), plan.resume.is_some());
    let forms = if session.forms.is_empty() { forms } else { std::mem::take(&mut session.forms) };
    let mut swapper =
        standing.swapper(registry, session.circuit.engine(), forms, (plan.watch, settings.session.hang_ms));
    let around = (&outside, &mut standing, &mut swapper);
    let stages = Arc::<Stages>::default();
    let latency = session.tape_path().map(|tape| LatencyKeeper::begin(Arc::clone(&stages), tape));
    let ran = hear_all(&mut session, settings, &plan, &mut merge, around, &mut reporter, (&stages.decide, stop));
    drop((swapper, latency));
    let sent = reporter.ended(wall_now(), ran.as_ref().err());
    ran?;
    let series: Vec<SeriesRead> = merge
        .read()
        .iter()
        .map(|p| (instruments[p.instrument.index()].symbol.clone(), p.kind, p.rows, p.first, p.last))
        .collect();
    let tape = session.tape_path();
    let mut outcome = session.finish()?;
    outcome.notes.extend(notes.into_iter().chain(outside.sources.counts()).chain(sent));
    outcome.notes.push(match settings.session.pace {
        0 => "paper mode over stored data, without waiting".to_owned(),
        pace => format!("paper mode over stored data at {pace} × real time"),
    });
    Ok(RunReport {
        outcome,
        fill_profile: profile,
        data_hash,
        config_hash,
        series,
        engine_cpu_seconds: 0.0,
        wall_seconds: began.elapsed().as_secs_f64(),
        tape,
    })
}

/// With the folder of the state folder in which the files of strategies are kept.
pub(super) fn with_artefacts(registry: &Registry, plan: &SessionPlan<'_>) -> Registry {
    match &plan.state {
        Some(state) => registry.clone().with_artefacts(state.join(ARTEFACTS)),
        None => registry.clone(),
    }
}

/// Hears the data and what comes from outside, until one of them or a person ends the session. How long each event took is
/// counted.
fn hear_all(
    session: &mut Session,
    settings: &Settings,
    plan: &SessionPlan<'_>,
    merge: &mut Merge,
    (outside, standing, swapper): (&Outside, &mut Standing, &mut Swapper),
    reporter: &mut Reporter<'_>,
    (decide, stop): (&Histogram, &AtomicBool),
) -> Result<(), RunError> {
    let watch = standing.watch(settings, &[], session.tape_path().as_deref());
    let mut killed = None;
    let start_equity = session.circuit.engine().start_equity();
    let currency = session.circuit.engine().reporting().to_owned();
    let mut tell = |session: &mut Session| {
        for (at, line) in session.take_lines() {
            reporter.effect(at, &line);
        }
        reporter.status(&status(session.circuit.engine(), &currency, start_equity));
        reporter.signals(session.circuit.engine_mut(), plan.session);
    };
    let mut pace = Pace::new(settings.session.pace, plan.ends_after);
    while let Some(next) = merge.next_ts() {
        while let Some(mail) = outside.mailbox.take() {
            hear(session, mail, pace.heard_at(session.now, next), stop)?;
        }
        if swapper.is_ready() {
            take_newcomers(session, swapper, pace.heard_at(session.now, next))?;
        }
        let due = session.circuit.next_due();
        // What is due at the same time as an event comes in its turn with the event.
        let (at, by_itself) = if due < next { (due, true) } else { (next, false) };
        match pace.wait_for(
            at,
            stop,
            (watch.as_ref(), swapper),
            |at_most| outside.mailbox.wait(at_most),
            || tell(session),
        ) {
            Waited::Due => {}
            Waited::Asked => {
                match watch.as_ref().and_then(Watch::asked) {
                    None => {}
                    Some(Asked::Stop) => break,
                    Some(Asked::Change(asked)) => {
                        swapper.ask(*asked, session.circuit.engine()).into_iter().for_each(|why| session.say(why));
                    }
                    Some(Asked::Kill { flatten, operator, reason }) => {
                        let who = Person { operator: &operator, reason: &reason };
                        session.tell(Told::Kill(false, who, session.now))?;
                        killed = Some(flatten);
                        break;
                    }
                    Some(Asked::Adopt(asked)) => {
                        let text = "a paper session has no orders of others at a venue".to_owned();
                        standing.answer(&Reply { number: asked.number, step: "refused".to_owned(), text });
                    }
                    Some(Asked::Arm { operator, reason }) => {
                        session.tell(Told::Arm(Person { operator: &operator, reason: &reason }, session.now))?;
                    }
                }
                continue;
            }
            Waited::Mail(mail) => {
                hear(session, *mail, pace.heard_at(session.now, at), stop)?;
                // People see at once what came of it.
                tell(session);
                continue;
            }
            Waited::Over => break,
        }
        if by_itself {
            session.tell(Told::Clock(at))?;
        } else {
            let heard = merge.next(|told| {
                let began = Instant::now();
                session.tell(told)?;
                decide.record(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
                Ok(())
            });
            heard.map_err(|e| RunError::Data(e.to_string()))?.unwrap_or(Ok::<_, RunError>(()))?;
        }
        swapper.answer(session.circuit.engine());
        if pace.is_time_to_tell() {
            session.flush()?;
            tell(session);
            standing.see(session.circuit.engine());
        } else if session.circuit.engine().has_signals() {
            tell(session);
        }
    }
    let (at, on_stop) = (session.now, settings.session.on_stop);
    let ending = match killed {
        Some(flatten) => Ending { cancel: true, close: flatten },
        None => Ending { cancel: on_stop == OnStop::Cancel, close: on_stop == OnStop::Close },
    };
    session.tell(Told::Stop(at, ending))?;
    tell(session);
    swapper.answer(session.circuit.engine());
    drop(watch);
    standing.see(session.circuit.engine());
    Ok(())
}

/// Hears mail at engine time `now`.
fn hear(session: &mut Session, mail: Mail, now: Ts, stop: &AtomicBool) -> Result<(), RunError> {
    match mail {
        Mail::News(news) => session.tell(Told::News(&News { at: now, ..news }))?,
        Mail::Note(text) => session.say(text),
        Mail::Ask(question, reply) => {
            if let Some(news) = ask::news_of(question, now) {
                session.tell(Told::News(&news))?;
            }
            if question == Question::Stop {
                stop.store(true, Ordering::Relaxed);
            }
            // Who asked may have gone away.
            let _ = reply.send(ask::answer(question, session.circuit.engine()));
        }
    }
    Ok(())
}

/// Puts strategies that are ready in the places of others.
fn take_newcomers(session: &mut Session, swapper: &mut Swapper, now: Ts) -> Result<(), RunError> {
    while swapper.is_ready() {
        let mut said = Vec::new();
        let next = swapper.next(session.circuit.engine(), |text| said.push(text));
        said.into_iter().for_each(|text| session.say(text));
        if let Some((swap, fresh)) = next {
            session.tell(Told::Swap(&swap, &fresh, now))?;
        }
    }
    swapper.answer(session.circuit.engine());
    Ok(())
}

/// Takes a session up where its tape ended: the inputs make it what it was, and the data goes on after them.
fn take_up(
    path: &Path,
    registry: &Registry,
    settings: &Settings,
    taping: Taping,
    merge: &mut Merge,
) -> Result<Session, RunError> {
    let (reader, TapeRun { mut session, start, cut, .. }) =
        tapes::resumable(path, registry, settings, Mode::Paper, &taping.program)?;
    let mut data = Digest::default();
    merge.skip(session.market, |told| data.hear(told)).map_err(|e| RunError::Data(e.to_string()))?;
    if data != session.digest {
        return Err(RunError::Data(format!(
            "the {} market events of the catalog with which the session of {} began are not those that it heard: the \
             catalog was changed since; go on with the one of then, or begin a new session",
            session.market,
            path.display()
        )));
    }
    session.resume_tape(reader, &start, cut, taping)?;
    let now = session.now;
    session.tell(Told::Resume(now))?;
    Ok(session)
}

fn start_record(
    settings: &Settings,
    prepared: &Prepared<'_>,
    catalog: &Catalog,
    plan: &SessionPlan<'_>,
    stored: String,
) -> Start {
    let setup = &prepared.setup.plan;
    let of = |instrument: &bellwether_sdk::Instrument| {
        let symbol: &Symbol = &instrument.symbol;
        let kinds = catalog.series().into_iter().filter(|s| s.symbol == *symbol).map(|s| s.kind.to_string());
        InstrumentRecord::new(instrument, Supply::fees(catalog, symbol, &setup.range), kinds.collect())
    };
    Start {
        mode: Mode::Paper,
        session: plan.session,
        version: plan.program.0.to_owned(),
        program: plan.program.1.to_owned(),
        created: wall_now(),
        settings: stored,
        instruments: setup.instruments.iter().map(of).collect(),
        place: settings.data.dir.display().to_string(),
        pace: settings.session.pace,
        maxima: setup.instruments.iter().map(MaximaRecord::new).collect(),
    }
}

/// The machine's clock.
pub(super) fn wall_now() -> Ts {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ts::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// How a wait ended.
enum Waited {
    /// The time has come.
    Due,
    /// Mail has come before.
    Mail(Box<Mail>),
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

    /// The engine time of what is heard between an input at `now` and the next at `next`; before the first input it is that
    /// one's.
    fn heard_at(&self, now: Ts, next: Ts) -> Ts {
        let passed = self.origin.filter(|_| self.times > 0).map_or(Ts::NONE, |(first, begun)| {
            let passed = i64::try_from(begun.elapsed().as_nanos()).unwrap_or(i64::MAX);
            first.plus(passed.saturating_mul(i64::from(self.times)))
        });
        match passed.max(now) {
            Ts::NONE => next,
            at => at.min(next),
        }
    }

    /// Waits until data time `at` is due, mail comes or the session is to end.
    fn wait_for(
        &mut self,
        at: Ts,
        stop: &AtomicBool,
        (watch, swapper): (Option<&Watch>, &Swapper),
        wait: impl Fn(Duration) -> Option<Mail>,
        mut idle: impl FnMut(),
    ) -> Waited {
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
            if swapper.is_ready() {
                return Waited::Asked;
            }
            if self.times == 0 {
                return Waited::Due;
            }
            let data_ns = at.nanos().saturating_sub(first.nanos()).max(0) / i64::from(self.times);
            let due = Duration::from_nanos(u64::try_from(data_ns).unwrap_or(0));
            let Some(left) = due.checked_sub(begun.elapsed()).filter(|d| !d.is_zero()) else { return Waited::Due };
            if let Some(mail) = wait(left.min(NAP)) {
                return Waited::Mail(Box::new(mail));
            }
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
