//! Strategies are changed while a session runs: another version of one, or other parameters. What is asked is loaded, made
//! and tried on a thread of its own; the session only hears of it when it is ready, as an input between two events.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use bellwether_sdk::{
    AccountKind, Action, Aggressor, Bar, Context, Instrument, InstrumentId, Interval, OrderId, OrderState, OrderUpdate,
    Outbox, OwnView, ParamValues, PositionView, Qty, Quote, Strategy, Trade, Ts, View,
};
use serde::{Deserialize, Serialize};

use super::RunError;
use super::backtest::panic_text;
use super::control::{Claims, Reply};
use super::plan::{Form, make};
use crate::config::Settings;
use crate::engine::{Engine, Fresh, History, Newcomer, Step, Swap};
use crate::host::{EVENT_MS_MAX, Entry, Registry, is_file};
use crate::signal::{excludes, is_sizing};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a newcomer may take to be warmed up: the session waits for it.
const WARM_UP_MAX: Duration = Duration::from_secs(1);

/// A change that is asked of a session's strategy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeAsked {
    /// Which strategy, by its id; may be left out where there is one.
    pub strategy: Option<String>,
    /// The file of another version; `None`: it stays what it is.
    pub file: Option<String>,
    /// The content that the file must have; `None`: whatever it has.
    pub sha256: Option<String>,
    /// Parameters that are to be others than they are.
    pub params: ParamValues,
    /// It is not given the state of the one before even if it could take it.
    pub without_state: bool,
    /// It is given that state although it has another name, if it could take it else.
    pub with_state: bool,
    /// Who asks.
    pub operator: String,
    /// A number by which the answer is known; zero: nobody waits for one.
    pub number: u64,
}

/// Makes what a tape says took a strategy's place.
pub(super) fn newcomer_of(swap: &Swap, engine: &Engine, registry: &Registry) -> Result<Option<Newcomer>, RunError> {
    let pin = (!swap.sha256.is_empty()).then_some(swap.sha256.as_str());
    let entry = registry.get_pinned(&swap.plugin, pin).map_err(|e| RunError::Settings(e.to_string()))?;
    let Some(given) = engine.given_to(&swap.strategy) else { return Ok(None) };
    let instruments: Vec<Instrument> = engine.view().instruments.iter().map(|v| v.instrument.clone()).collect();
    Ok(Some(make(&swap.plugin, &entry, &swap.params, given, &instruments)?.newcomer))
}

/// Keeps the files of a session's strategies by their content, and gives its settings as they are to be stored, with that
/// content pinned: by then the files may be others.
pub(super) fn pinned(settings_json: &str, forms: &[Form], registry: &Registry) -> Result<String, RunError> {
    let unread = |e: serde_json::Error| RunError::Settings(format!("storing the settings: {e}"));
    let mut settings: serde_json::Value = serde_json::from_str(settings_json).map_err(unread)?;
    for (place, form) in forms.iter().enumerate().filter(|(_, form)| !form.sha256.is_empty()) {
        registry.keep(&form.plugin, &form.sha256).map_err(|e| RunError::Settings(e.to_string()))?;
        if let Some(strategy) = settings.get_mut("strategy").and_then(|all| all.get_mut(place)) {
            strategy["sha256"] = form.sha256.as_str().into();
        }
    }
    Ok(settings.to_string())
}

/// The watchdog ends a session that hangs. Where a strategy is bounded by its host it must wait for that: else one strategy's
/// endless call costs all of them their orders.
pub(super) fn watchdog_waits(hang_ms: u64, sha256: &str) -> Result<(), String> {
    if sha256.is_empty() || hang_ms == 0 || hang_ms > EVENT_MS_MAX {
        return Ok(());
    }
    Err(format!(
        "session.hang_ms = {hang_ms} ends the session before a component that takes too long is stopped alone, which is after \
         {EVENT_MS_MAX} ms; set it higher, or to 0"
    ))
}

/// Settings whose files are pinned as a tape pinned them, where they are the same files.
pub(super) fn pinned_like(settings: &mut Settings, theirs: &Settings) {
    for (ours, theirs) in settings.strategy.iter_mut().zip(&theirs.strategy) {
        if ours.sha256.is_none() {
            ours.sha256.clone_from(&theirs.sha256);
        }
    }
}

/// Pins what a session that watches its files begins with: where a file has changed since it was pinned, its pin becomes that
/// of what it has become, as it would had it changed while the session ran. Gives what is to be told of that.
pub fn pin_as_watched(settings: &mut Settings, registry: &Registry) -> Vec<String> {
    let mut told = Vec::new();
    for strategy in settings.strategy.iter_mut().filter(|s| is_file(&s.plugin)) {
        let Some(pin) = &mut strategy.sha256 else { continue };
        // One that cannot be loaded is refused where strategies are made.
        let Ok(now) = registry.get(&strategy.plugin) else { continue };
        if !pin.eq_ignore_ascii_case(&now.sha256) {
            told.push(format!(
                "{}: the settings pin sha256 {pin} and the file has {}; it is taken as it is, since it is watched",
                strategy.plugin, now.sha256
            ));
            pin.clone_from(&now.sha256);
        }
    }
    told
}

/// What the thread is to prepare.
struct Job {
    asked: ChangeAsked,
    now: Form,
    given: Vec<InstrumentId>,
    /// What the strategy sees at that moment, and when that is: what is tried out sees it too.
    view: View,
    at: Ts,
    /// What it would be warmed up by.
    history: Option<History>,
}

/// What the thread has done.
enum Done {
    /// A newcomer is ready, for who asked by this number.
    Ready(Box<Swap>, Fresh, u64),
    /// There is none, and why; nobody is told of what runs already where nobody waits for an answer.
    Refused(u64, Option<String>),
    /// The file of a strategy has changed.
    Changed(String),
}

/// Prepares changes beside a session.
pub(super) struct Swapper {
    jobs: Option<Sender<Job>>,
    /// What is asked, in order. One at a time is prepared, and the next when it is in its place: it may be the same strategy's.
    asked: VecDeque<ChangeAsked>,
    is_busy: bool,
    done: Mutex<Receiver<Done>>,
    /// Whether something is done: looked at where a channel would be too dear.
    is_ready: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    forms: Vec<Form>,
    /// By strategy: the numbers of who waits for an answer, oldest first.
    waits: BTreeMap<String, VecDeque<u64>>,
    /// Steps of swaps that were answered.
    answered: usize,
    claims: Option<Arc<Claims>>,
}

/// What the thread works with.
struct Bench {
    registry: Registry,
    instruments: Vec<Instrument>,
    account: AccountKind,
    hang_ms: u64,
    is_ready: Arc<AtomicBool>,
    done: Sender<Done>,
    /// By strategy: the file that is watched, and how it was last seen.
    watched: BTreeMap<String, (String, Sighting)>,
}

impl Swapper {
    /// Begins to wait for what is asked. With `watch`, files that change are taken by themselves.
    pub(super) fn begin(
        registry: &Registry,
        engine: &Engine,
        forms: Vec<Form>,
        claims: Option<Arc<Claims>>,
        (watch, hang_ms): (bool, u64),
    ) -> Self {
        let (jobs, wanted) = channel();
        let (send, done) = channel();
        let is_ready = Arc::new(AtomicBool::new(false));
        let files = forms.iter().filter(|form| watch && is_file(&form.plugin));
        let bench = Bench {
            registry: registry.clone(),
            instruments: engine.view().instruments.iter().map(|v| v.instrument.clone()).collect(),
            account: engine.account_kind(),
            hang_ms,
            is_ready: Arc::clone(&is_ready),
            done: send,
            watched: files.map(|f| (f.id.clone(), (f.plugin.clone(), Sighting::of(&f.plugin)))).collect(),
        };
        let spawned = std::thread::Builder::new().name("swapper".to_owned()).spawn(move || bench.work(&wanted));
        if let Err(error) = &spawned {
            tracing::error!("strategies cannot be changed while this session runs: {error}");
        }
        let mut waits = BTreeMap::<String, VecDeque<u64>>::new();
        for form in &forms {
            // A session that is taken up may have one on trial, for which nobody waits.
            if engine.swaps().iter().rfind(|s| s.strategy == form.id).is_some_and(|s| s.step == Step::In) {
                waits.insert(form.id.clone(), VecDeque::from([0]));
            }
        }
        Self {
            jobs: Some(jobs),
            asked: VecDeque::new(),
            is_busy: false,
            done: Mutex::new(done),
            is_ready,
            thread: spawned.ok(),
            forms,
            waits,
            answered: engine.swaps().len(),
            claims,
        }
    }

    /// Asks for a change; what is wrong with it at once is answered, and given.
    pub(super) fn ask(&mut self, asked: ChangeAsked, engine: &Engine) -> Option<String> {
        if let Err(why) = self.form(&asked) {
            return Some(self.refuse(asked.number, why));
        }
        self.asked.push_back(asked);
        self.go_on(engine)
    }

    /// Lets the next that is asked be prepared, where none is; gives why it cannot.
    fn go_on(&mut self, engine: &Engine) -> Option<String> {
        if self.is_busy {
            return None;
        }
        let asked = self.asked.pop_front()?;
        let number = asked.number;
        let sent = self.job(asked, engine).and_then(|job| {
            let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
            if sent { Ok(()) } else { Err("nobody is there to prepare it".to_owned()) }
        });
        self.is_busy = sent.is_ok();
        sent.err().map(|why| self.refuse(number, why))
    }

    fn form(&self, asked: &ChangeAsked) -> Result<&Form, String> {
        let names = || self.forms.iter().map(|f| f.id.as_str()).collect::<Vec<_>>().join(", ");
        match (&asked.strategy, self.forms.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(format!("which strategy? name one with --strategy; there are: {}", names())),
            (Some(id), forms) => forms
                .iter()
                .find(|f| f.id == *id)
                .ok_or_else(|| format!("no strategy {id:?} runs in this session; there are: {}", names())),
        }
    }

    fn job(&self, asked: ChangeAsked, engine: &Engine) -> Result<Job, String> {
        let form = self.form(&asked)?;
        let now = engine.form_of(&form.id).map_or_else(|| form.clone(), |swap| form_of(swap, form.directional));
        let given = engine.given_to(&form.id).unwrap_or_default().to_vec();
        let history = engine.history(&form.id);
        Ok(Job { asked, now, given, view: engine.view().clone(), at: engine.now(), history })
    }

    /// Whether there is something to take.
    #[inline]
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready.load(Ordering::Relaxed)
    }

    /// The next newcomer to be told, if there is one; what was refused goes to `say`.
    pub(super) fn next(&mut self, engine: &Engine, mut say: impl FnMut(String)) -> Option<(Box<Swap>, Fresh)> {
        self.is_ready.store(false, Ordering::Relaxed);
        loop {
            self.go_on(engine).into_iter().for_each(&mut say);
            let done = self.done.lock().unwrap_or_else(PoisonError::into_inner).try_recv().ok()?;
            match done {
                Done::Ready(swap, fresh, number) => {
                    self.is_busy = false;
                    self.waits.entry(swap.strategy.clone()).or_default().push_back(number);
                    // There may be more behind it.
                    self.is_ready.store(true, Ordering::Relaxed);
                    return Some((swap, fresh));
                }
                Done::Refused(number, why) => {
                    self.is_busy = false;
                    why.into_iter().for_each(|why| say(self.refuse(number, why)));
                }
                Done::Changed(strategy) => {
                    let form = self.forms.iter().find(|f| f.id == strategy)?;
                    let file = engine.form_of(&strategy).map_or(&form.plugin, |swap| &swap.plugin).clone();
                    let operator = "--watch".to_owned();
                    let asked =
                        ChangeAsked { strategy: Some(strategy), file: Some(file), operator, ..ChangeAsked::default() };
                    self.ask(asked, engine).into_iter().for_each(&mut say);
                }
            }
        }
    }

    /// Answers who waits for what became of a swap.
    #[inline]
    pub(super) fn answer(&mut self, engine: &Engine) {
        if self.answered != engine.swaps().len() {
            self.answer_new(engine);
        }
    }

    #[cold]
    fn answer_new(&mut self, engine: &Engine) {
        for swapped in &engine.swaps()[self.answered..] {
            let waits = self.waits.entry(swapped.strategy.clone()).or_default();
            let number = if swapped.step == Step::In { waits.front().copied() } else { waits.pop_front() };
            let number = number.unwrap_or_default();
            reply(self.claims.as_deref(), number, swapped.step.name(), swapped.text.clone());
        }
        self.answered = engine.swaps().len();
    }

    fn refuse(&self, number: u64, why: String) -> String {
        reply(self.claims.as_deref(), number, "refused", why.clone());
        format!("a change of strategy is refused: {why}")
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        drop(self.jobs.take());
        // One that is being tried may never return: the session does not wait for it.
        if let Some(thread) = self.thread.take().filter(|_| !self.is_busy) {
            let _ = thread.join();
        }
    }
}

fn reply(claims: Option<&Claims>, number: u64, step: &str, text: String) {
    if let Some(claims) = claims.filter(|_| number != 0) {
        claims.reply(&Reply { number, step: step.to_owned(), text });
    }
}

fn form_of(swap: &Swap, directional: bool) -> Form {
    Form {
        id: swap.strategy.clone(),
        plugin: swap.plugin.clone(),
        name: swap.name.clone(),
        sha256: swap.sha256.clone(),
        state_version: swap.state_version,
        params: swap.params.clone(),
        directional,
    }
}

/// How a file was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sighting {
    now: Option<(SystemTime, u64)>,
    /// Whether it has changed and was not told yet: told once it stays as it is.
    changed: bool,
}

impl Sighting {
    fn of(file: &str) -> Self {
        let now = std::fs::metadata(file).and_then(|m| Ok((m.modified()?, m.len()))).ok();
        Self { now, changed: false }
    }
}

impl Bench {
    fn work(mut self, wanted: &Receiver<Job>) {
        loop {
            match wanted.recv_timeout(LOOK_EVERY) {
                Ok(job) => {
                    let number = job.asked.number;
                    let prepared = catch_unwind(AssertUnwindSafe(|| self.prepare(&job)))
                        .unwrap_or_else(|panic| Err(format!("it panicked: {}", panic_text(&*panic))));
                    match prepared {
                        Ok(Some((swap, fresh))) => self.tell(Done::Ready(Box::new(swap), fresh, number)),
                        Ok(None) => self.tell(Done::Refused(number, None)),
                        Err(why) => self.tell(Done::Refused(number, Some(why))),
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn tell(&self, done: Done) {
        // Who would hear it may have gone.
        let _ = self.done.send(done);
        self.is_ready.store(true, Ordering::Relaxed);
    }

    /// Looks for files that have changed, and stay so.
    fn look(&mut self) {
        let mut changed = Vec::new();
        for (strategy, (file, last)) in &mut self.watched {
            let now = Sighting::of(file).now;
            if now.is_some() && now != last.now {
                *last = Sighting { now, changed: true };
            } else if now.is_some() && std::mem::take(&mut last.changed) {
                changed.push(strategy.clone());
            }
        }
        changed.into_iter().for_each(|strategy| self.tell(Done::Changed(strategy)));
    }

    /// Loads, makes and tries what is asked; `None` when it is what runs already and nobody waits for an answer.
    fn prepare(&mut self, job: &Job) -> Result<Option<(Swap, Fresh)>, String> {
        let Job { asked, now, given, .. } = job;
        let plugin = asked.file.as_ref().unwrap_or(&now.plugin);
        let pin = match &asked.file {
            Some(_) => asked.sha256.as_deref(),
            None => Some(now.sha256.as_str()).filter(|sha256| !sha256.is_empty()),
        };
        let entry = self.registry.get_pinned(plugin, pin).map_err(|e| e.to_string())?;
        watchdog_waits(self.hang_ms, &entry.sha256)?;
        let params = merged(&now.params, &asked.params);
        let same = entry.sha256 == now.sha256 && (!entry.sha256.is_empty() || *plugin == now.plugin);
        if same && params == now.params && !asked.without_state {
            return if asked.number == 0 { Ok(None) } else { Err("that is what runs already".to_owned()) };
        }
        if entry.directional() != now.directional {
            let emits = |directional| if directional { "signals" } else { "orders" };
            return Err(format!(
                "it emits {} and the one that runs emits {}; begin another session with it",
                emits(entry.directional()),
                emits(now.directional)
            ));
        }
        let made = make(plugin, &entry, &params, given, &self.instruments).map_err(|e| e.to_string())?;
        if made.newcomer.strategy.account() == AccountKind::Margin && self.account == AccountKind::Cash {
            return Err("it needs a margin account, and this session has a cash account".to_owned());
        }
        let own = own_of(&params);
        let fits = (entry.manifest.name == now.name || asked.with_state)
            && entry.manifest.state_version != 0
            && entry.manifest.state_version == now.state_version
            && own == own_of(&now.params);
        let takes_state = fits && !asked.without_state;
        try_out(&entry, &made.own, job, takes_state)?;
        self.registry.keep(plugin, &entry.sha256).map_err(|e| e.to_string())?;
        if let Some((watched, last)) = self.watched.get_mut(&now.id)
            && watched != plugin
        {
            (*watched, *last) = (plugin.clone(), Sighting::of(plugin));
        }
        let swap = Swap {
            strategy: now.id.clone(),
            plugin: plugin.clone(),
            name: entry.manifest.name.clone(),
            sha256: entry.sha256.clone(),
            version: entry.manifest.version.clone(),
            state_version: entry.manifest.state_version,
            params,
            takes_state,
            operator: asked.operator.clone(),
        };
        Ok(Some((swap, Fresh::new(made.newcomer))))
    }
}

/// Parameters with some of them others; one that says how large positions are takes the place of another that does.
fn merged(now: &ParamValues, other: &ParamValues) -> ParamValues {
    let mut all = now.clone();
    all.retain(|name, _| !other.keys().any(|given| excludes(given, name)));
    all.extend(other.clone());
    all
}

/// Those that are the strategy's own.
fn own_of(params: &ParamValues) -> ParamValues {
    params.iter().filter(|(name, _)| !is_sizing(name)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// Lets a copy of a newcomer start, hear what it will be warmed up by (if it will) and one event of each kind, and give its
/// state to another, before the session has to do with it: what fails at once fails here, and so does what takes long. It sees
/// the market as it is; where there is no price yet, it hears of none.
fn try_out(entry: &Entry, own: &ParamValues, job: &Job, takes_state: bool) -> Result<(), String> {
    let made = || (entry.make)(own).map_err(|e| e.to_string());
    let mut stage = Stage::new(job);
    let mut copy = made()?;
    stage.start(copy.as_mut())?;
    if !takes_state {
        stage.warm_up(copy.as_mut())?;
    }
    for id in &job.given {
        let Some(seen) = job.view.instruments.get(id.index()).filter(|seen| !seen.last.is_zero()) else { continue };
        let (price, at) = (seen.last, job.at);
        let qty = Qty::from_mantissa(seen.instrument.lot.mantissa().saturating_mul(100));
        let trade = Trade { ts: at, ts_venue: at, price, qty, instrument: *id, aggressor: Aggressor::Unknown };
        let quote = match seen.quote {
            known if !known.mid().is_zero() => Quote { instrument: *id, ..known },
            _ => Quote { ts: at, ts_venue: at, bid: price, bid_qty: qty, ask: price, ask_qty: qty, instrument: *id },
        };
        let bar = Bar {
            ts_open: at.plus(-Interval::MINUTE.nanos()),
            ts_close: at,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: qty,
            interval: Interval::MINUTE,
            instrument: *id,
        };
        stage.hear(copy.as_mut(), *id, |s, ctx| s.on_bar(ctx, &bar))?;
        stage.hear(copy.as_mut(), *id, |s, ctx| s.on_trade(ctx, &trade))?;
        stage.hear(copy.as_mut(), *id, |s, ctx| s.on_quote(ctx, &quote))?;
    }
    if entry.manifest.state_version == 0 {
        return Ok(());
    }
    let mut another = made()?;
    stage.start(another.as_mut())?;
    let saved = copy.save();
    if let Some(why) = copy.failure() {
        return Err(format!("tried out, it stops: {why}"));
    }
    let restored = another.restore(&saved);
    restored.map_err(|why| format!("tried out, it does not take up its own state: {why}"))
}

/// What a copy sees while it is tried out.
struct Stage<'a> {
    job: &'a Job,
    at: Ts,
    own: OwnView,
    out: Outbox,
    /// Bars that it asked for.
    bars: Vec<(InstrumentId, Interval)>,
    /// Orders that it asked for, which come to nothing.
    unsent: Vec<(OrderId, InstrumentId)>,
}

impl<'a> Stage<'a> {
    fn new(job: &'a Job) -> Self {
        let positions = vec![PositionView::default(); job.view.instruments.len()];
        let own = OwnView { positions, orders: Vec::new(), instruments: job.given.clone() };
        Self {
            job,
            at: job.at,
            own,
            out: Outbox { actions: Vec::new(), next_order: 1 },
            bars: Vec::new(),
            unsent: Vec::new(),
        }
    }

    fn start(&mut self, copy: &mut dyn Strategy) -> Result<(), String> {
        let first = self.job.given.first().copied().unwrap_or_default();
        self.hear(copy, first, |s, ctx| s.on_start(ctx))
    }

    /// Lets it hear what the session will let it hear on its own thread, and holds it to the time that may take.
    fn warm_up(&mut self, copy: &mut dyn Strategy) -> Result<(), String> {
        let Some(history) = &self.job.history else { return Ok(()) };
        copy.warms_up(true);
        let begun = Instant::now();
        let in_time = || match begun.elapsed() {
            spent if spent <= WARM_UP_MAX => Ok(()),
            _ => Err(format!(
                "tried out, it takes longer than {} ms to be warmed up, and the session would stand still meanwhile; let it \
                 say a smaller `rebuild_window`",
                WARM_UP_MAX.as_millis()
            )),
        };
        for seen in history.last(copy.rebuild_window(), &self.bars)? {
            self.at = seen.ts();
            self.hear(copy, seen.instrument(), |s, ctx| seen.tell(s, ctx))?;
            while let Some((order, instrument)) = self.unsent.pop() {
                let (ts, state, reason) = (self.at, OrderState::Rejected, "warm_up");
                let update = OrderUpdate { order, instrument, ts, state, reason };
                self.hear(copy, instrument, |s, ctx| s.on_order(ctx, &update))?;
                in_time()?;
            }
            in_time()?;
        }
        copy.warms_up(false);
        self.at = self.job.at;
        Ok(())
    }

    fn hear(
        &mut self,
        copy: &mut dyn Strategy,
        id: InstrumentId,
        hook: impl FnOnce(&mut dyn Strategy, &mut Context<'_>),
    ) -> Result<(), String> {
        let mut ctx = Context::new(self.at, id, &self.job.view, &self.own, &mut self.out);
        hook(copy, &mut ctx);
        for action in self.out.actions.drain(..) {
            match action {
                Action::Halt(why) => return Err(format!("tried out, it stops: {why}")),
                Action::SubscribeBars(id, interval) => self.bars.push((id, interval)),
                Action::Place(order, intent) => self.unsent.push((order, intent.instrument)),
                Action::Signal(signal) => self.unsent.push((OrderId(0), signal.instrument)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The file that a person names, as a session in another folder finds it.
///
/// # Errors
/// [`RunError::Settings`] when there is no such file.
pub fn file_for_session(file: &str) -> Result<String, RunError> {
    let path = std::fs::canonicalize(Path::new(file))
        .map_err(|e| RunError::Settings(format!("{file}: it cannot be read: {e}")))?;
    Ok(path.display().to_string())
}
