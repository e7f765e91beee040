//! A strategy looked at before it trades: run again and again over data that is whole, cut and spoilt, with a witness
//! beside it, and its decisions compared.
//!
//! A run hands events on one by one, so a strategy cannot ask for later ones. What is looked for is what gets round that:
//! memory shared between runs, events taken in rows, decisions dated back. What a native strategy reads elsewhere (a file,
//! numbers in its code) no comparison shows; a component cannot read anything.

mod feeds;
mod params;
mod witness;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bellwether_sdk::{Context, Outbox, ParamValues, Strategy, Ts};
use rayon::prelude::*;

use super::RunError;
use super::backtest::Prepared;
use super::shared::Shared;
use crate::config::{Settings, StrategySettings};
use crate::data::Catalog;
use crate::host::{Entry, Manifest, Registry};
use witness::{Decision, Notes, witnessed};

/// Round trips per parameter below which a result says little of the parameters.
const TRIPS_PER_PARAM: usize = 10;

/// Threads on which copies run side by side.
const THREADS: [usize; 2] = [1, 4];

/// How often each side of a comparison of times is run.
const TIMES: usize = 3;

/// Growth of memory between half of the data and all of it that is worth a word.
const GROWTH_BYTES: usize = 8 << 20;

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Good,
    /// Worth a look; no reason to refuse.
    Warning,
    /// It does not hold.
    Bad,
    /// It could not be looked at.
    Skipped,
}

impl Verdict {
    /// Its name in tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub check: &'static str,
    /// What it says.
    pub verdict: Verdict,
    /// What was found, with the numbers.
    pub found: String,
}

/// What was found of a strategy.
#[derive(Debug, Clone)]
pub struct CheckReport {
    /// Its name.
    pub strategy: String,
    /// SHA-256 of its file, hex; empty for natives.
    pub sha256: String,
    /// Market events of the data.
    pub events: u64,
    /// What it asked for on all of it.
    pub decisions: usize,
    /// The hash of its orders on all of it.
    pub order_hash: String,
    /// Check by check.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether a check failed.
    pub fn is_bad(&self) -> bool {
        self.findings.iter().any(|f| f.verdict == Verdict::Bad)
    }
}

/// Checks the first strategy of the settings over the data they name. `against` is the same strategy in another form,
/// which has to decide alike; by default the native one of the name of a component.
///
/// # Errors
/// [`RunError`] when there is nothing to check: no such strategy, or no data. What is wrong with it is a finding.
pub fn check(
    settings: &Settings,
    registry: &Registry,
    against: Option<&str>,
    stop: &AtomicBool,
) -> Result<CheckReport, RunError> {
    let refused = |e: crate::host::HostError| RunError::Settings(e.to_string());
    let mut wanted = super::plan::strategies_of(settings).swap_remove(0);
    let entry = registry.get_pinned(&wanted.plugin, wanted.sha256.take().as_deref()).map_err(refused)?;
    entry.name().clone_into(&mut wanted.plugin);
    let native = || registry.entries().iter().find(|e| e.name() == entry.name() && !entry.sha256.is_empty());
    let other = match against {
        Some(name) => Some(registry.get(name).map_err(refused)?),
        None => native().cloned(),
    };
    let catalog = Catalog::open(&settings.data.dir)?;
    let settings = Settings { strategy: vec![wanted.clone()], ..settings.clone() };
    let bench = Bench { settings: &settings, wanted: &wanted, catalog: &catalog, stop };
    let data = bench.data(&entry)?;
    let mut findings = vec![contract(&entry), params::finding(&entry)];
    let (mut decisions, mut order_hash) = (0, String::new());
    match bench.run(&entry, &data, true) {
        Err(RunError::Interrupted) => return Err(RunError::Interrupted),
        Err(e) => findings.push(Finding { check: "run", verdict: Verdict::Bad, found: e.to_string() }),
        Ok(Ran { halted: Some(why), .. }) => {
            findings.push(Finding { check: "run", verdict: Verdict::Bad, found: format!("it was stopped: {why}") });
        }
        Ok(full) => {
            (decisions, order_hash) = (full.notes.decisions.len(), full.order_hash.clone());
            let case = Case { bench: &bench, entry: &entry, data: &data, times: feeds::times(&data), full };
            findings.extend(case.findings(other.as_ref())?);
        }
    }
    let events = feeds::times(&data).len() as u64;
    let sha256 = entry.sha256.clone();
    Ok(CheckReport { strategy: entry.name().to_owned(), sha256, events, decisions, order_hash, findings })
}

fn contract(entry: &Entry) -> Finding {
    let found = match entry.sha256.is_empty() {
        true => "native, of this program's version".to_owned(),
        false => {
            format!("a component of bellwether:strategy@1, version {}, sha256 {}", entry.manifest.version, entry.sha256)
        }
    };
    Finding { check: "contract", verdict: Verdict::Good, found }
}

/// Where strategies are run.
struct Bench<'a> {
    settings: &'a Settings,
    wanted: &'a StrategySettings,
    catalog: &'a Catalog,
    stop: &'a AtomicBool,
}

/// A run and what it left behind.
struct Ran {
    notes: Notes,
    order_hash: String,
    halted: Option<String>,
}

impl Bench<'_> {
    fn prepared(&self, entry: &Entry) -> Result<Prepared<'_>, RunError> {
        // Whatever it is called: the settings name one strategy, and it is this.
        let manifest = Manifest { name: self.wanted.plugin.clone(), ..entry.manifest.clone() };
        let registry = Registry::new().with_entry(Entry { manifest, ..entry.clone() });
        Prepared::new(self.settings, &registry, self.catalog)
    }

    fn data(&self, entry: &Entry) -> Result<Shared, RunError> {
        Shared::of(&self.prepared(entry)?, self.stop)
    }

    /// Runs a strategy with a witness. `many` says whether it may be given several events at once.
    fn run(&self, entry: &Entry, data: &Shared, many: bool) -> Result<Ran, RunError> {
        let (entry, notes) = witnessed(entry, many);
        let report = self.prepared(&entry)?.run(Some(data.sources()), self.stop)?;
        let notes = std::mem::take(&mut *witness::read(&notes));
        Ok(Ran {
            notes,
            halted: report.outcome.halts.first().map(|h| h.reason.clone()),
            order_hash: report.outcome.order_hash,
        })
    }

    /// The least CPU time of some runs without a witness.
    fn seconds(&self, entry: &Entry, data: &Shared) -> Result<f64, RunError> {
        let mut least = f64::INFINITY;
        for _ in 0..TIMES {
            let report = self.prepared(entry)?.run(Some(data.sources()), self.stop)?;
            least = least.min(report.engine_cpu_seconds);
        }
        Ok(least)
    }
}

/// A strategy, its data, and what it did on all of it.
struct Case<'a> {
    bench: &'a Bench<'a>,
    entry: &'a Entry,
    data: &'a Shared,
    /// When each event is known.
    times: Vec<Ts>,
    full: Ran,
}

impl Case<'_> {
    fn findings(&self, other: Option<&Entry>) -> Result<Vec<Finding>, RunError> {
        let mut findings = Vec::new();
        let mut add = |check, (verdict, found)| findings.push(Finding { check, verdict, found });
        add("decisions", self.decisions());
        add("determinism", self.determinism()?);
        add("threads", self.threads()?);
        add("native and component", self.same_as(other)?);
        add("one by one", self.one_by_one()?);
        add("look-ahead", self.look_ahead()?);
        add("warm-up", self.warm_up()?);
        for (check, data) in [
            ("gaps", feeds::gaps(self.data, &self.times)),
            ("zero volume", feeds::no_volume(self.data)),
            ("extreme prices", feeds::spikes(self.data)),
            ("flat prices", feeds::flat(self.data)),
            ("no data", feeds::empty(self.data)),
        ] {
            add(check, self.spoilt(&data)?);
        }
        add("state", self.state());
        add("time", self.time()?);
        add("memory", self.memory()?);
        add("parameters and data", self.enough_data());
        Ok(findings)
    }

    fn run(&self, data: &Shared) -> Result<Ran, RunError> {
        self.bench.run(self.entry, data, true)
    }

    fn decisions(&self) -> (Verdict, String) {
        let (count, heard) = (self.full.notes.decisions.len(), self.full.notes.heard.len());
        if let Some(odd) = &self.full.notes.odd {
            return (Verdict::Bad, format!("a signal has {odd}"));
        }
        match count {
            0 => (Verdict::Warning, format!("none in {heard} events: what follows says little; try other data")),
            _ => (Verdict::Good, format!("{count} in {heard} events")),
        }
    }

    fn determinism(&self) -> Result<(Verdict, String), RunError> {
        Ok(match difference(&self.full, &self.run(self.data)?) {
            None => (Verdict::Good, "two runs decide alike".to_owned()),
            Some(part) => (Verdict::Bad, format!("two runs of the same data differ: {part}")),
        })
    }

    fn threads(&self) -> Result<(Verdict, String), RunError> {
        for threads in THREADS {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.map_err(|e| RunError::Settings(format!("starting {threads} threads: {e}")))?;
            let ran: Vec<_> =
                pool.install(|| (0..threads.max(2)).into_par_iter().map(|_| self.run(self.data)).collect());
            for ran in ran {
                if let Some(part) = difference(&self.full, &ran?) {
                    return Ok((Verdict::Bad, format!("on {threads} threads: {part}")));
                }
            }
        }
        Ok((Verdict::Good, format!("copies on {} and {} threads decide alike", THREADS[0], THREADS[1])))
    }

    fn same_as(&self, other: Option<&Entry>) -> Result<(Verdict, String), RunError> {
        let Some(other) = other else {
            return Ok((Verdict::Skipped, "this program has it in one form only; --against names another".to_owned()));
        };
        Ok(match difference(&self.full, &self.bench.run(other, self.data, true)?) {
            None => (Verdict::Good, format!("equal orders: {}", self.full.order_hash)),
            Some(part) => (Verdict::Bad, part),
        })
    }

    fn one_by_one(&self) -> Result<(Verdict, String), RunError> {
        if !self.entry.manifest.signal_only {
            return Ok((Verdict::Skipped, "it hears every event by itself".to_owned()));
        }
        Ok(match difference(&self.full, &self.bench.run(self.entry, self.data, false)?) {
            None => (Verdict::Good, "events in rows and one by one make it decide alike".to_owned()),
            Some(part) => (Verdict::Bad, format!("given events in rows it decides otherwise: {part}")),
        })
    }

    /// Decisions on data that ends early have to be those on all of it.
    fn look_ahead(&self) -> Result<(Verdict, String), RunError> {
        let cuts = self.cuts();
        for cut in &cuts {
            let part = self.run(&feeds::until(self.data, *cut))?;
            // What answers a fill or news at the very end may come after it.
            let known = |d: &&Decision| d.stated < *cut || d.stated == *cut && !d.answers;
            let mut early = part.notes.decisions.iter().filter(known);
            let mut all = self.full.notes.decisions.iter().filter(known);
            loop {
                return Ok(match (early.next(), all.next()) {
                    (None, None) => break,
                    (Some(a), Some(b)) if a.text == b.text && a.at == b.at => continue,
                    (_, Some(late)) if late.at > *cut => (
                        Verdict::Bad,
                        format!("it repaints: at {} it says {:?} of {}", when(late.at), late.gist, when(late.stated)),
                    ),
                    (early, all) => {
                        let at = early.or(all).map_or(*cut, |d| d.at);
                        let say = |d: Option<&Decision>| d.map_or_else(|| "nothing".to_owned(), |d| d.text.clone());
                        (
                            Verdict::Bad,
                            format!(
                                "it looks ahead: at {} it asks for {} when the data goes on after {}, and for {} when it ends there",
                                when(at),
                                say(all),
                                when(*cut),
                                say(early)
                            ),
                        )
                    }
                });
            }
        }
        Ok((Verdict::Good, format!("data cut at {} places makes no difference before them", cuts.len())))
    }

    /// Where to cut: at decisions, at the times they are dated, and in between.
    fn cuts(&self) -> Vec<Ts> {
        let decisions = &self.full.notes.decisions;
        let spread =
            |count: usize, of: usize| (1..=count).map(move |i| i * of / (count + 1)).filter(move |at| *at < of);
        let mut cuts: Vec<Ts> = spread(8, decisions.len()).map(|i| decisions[i].at).collect();
        let dated: Vec<Ts> = decisions.iter().filter(|d| d.stated != d.at).map(|d| d.stated).collect();
        cuts.extend(spread(4, dated.len()).map(|i| dated[i]));
        cuts.extend(dated.first());
        cuts.extend(spread(5, self.times.len()).map(|i| self.times[i]));
        // A run ends with its last event: what is due between two of them, a timer or news, is not heard after it.
        let last_event = |at: &Ts| self.times[..self.times.partition_point(|t| t <= at)].last().copied();
        let mut cuts: Vec<Ts> = cuts.iter().filter_map(last_event).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }

    /// How many events after another beginning it decides as it does from the start.
    fn warm_up(&self) -> Result<(Verdict, String), RunError> {
        let mut needed = 0;
        let mut parted = None;
        for part in 1..=4 {
            let Some(start) = self.times.get(part * self.times.len() / 8) else { continue };
            let late = self.run(&feeds::from(self.data, *start))?;
            let Some(last) = last_difference(&self.full.notes, &late.notes, *start) else { continue };
            let end = self.times.last().copied().unwrap_or(*start);
            // Near the end there is nothing left by which it could be seen to agree.
            if last.nanos() > end.nanos() - (end.nanos() - start.nanos()) / 10 {
                parted = Some(*start);
            }
            needed = needed.max(heard_between(&late.notes, *start, last));
        }
        let declared = self.full.notes.window;
        if let Some(start) = parted {
            return Ok((
                Verdict::Warning,
                format!("begun at {} it never comes to decide as from the start", when(start)),
            ));
        }
        Ok(match declared {
            0 => (
                Verdict::Good,
                format!("{needed} events per instrument until it no longer matters where it began; none declared"),
            ),
            _ if needed as u64 > declared => {
                (Verdict::Warning, format!("it needs {needed} events per instrument and declares {declared}"))
            }
            _ => (Verdict::Good, format!("{needed} events per instrument, {declared} declared")),
        })
    }

    /// It has to get through data that is not as it should be.
    fn spoilt(&self, data: &Shared) -> Result<(Verdict, String), RunError> {
        Ok(match self.run(data) {
            Ok(Ran { halted: Some(why), .. }) => (Verdict::Bad, format!("it was stopped: {why}")),
            Ok(Ran { notes: Notes { odd: Some(odd), .. }, .. }) => (Verdict::Bad, format!("a signal has {odd}")),
            Ok(ran) => (Verdict::Good, format!("{} decisions", ran.notes.decisions.len())),
            Err(RunError::Interrupted) => return Err(RunError::Interrupted),
            Err(RunError::Strategy(why)) => (Verdict::Bad, why),
            // Not its fault: there was nothing to run on, or the account's numbers ended.
            Err(RunError::Data(_)) => (Verdict::Good, "0 decisions".to_owned()),
            Err(other) => (Verdict::Skipped, other.to_string()),
        })
    }

    /// Its state, as it is at the end, has to be taken up by another.
    fn state(&self) -> (Verdict, String) {
        let saved = &self.full.notes.saved;
        if saved.is_empty() {
            return match self.full.notes.window {
                0 => {
                    (Verdict::Warning, "it saves none and declares no window from which it could be rebuilt".to_owned())
                }
                n => (Verdict::Good, format!("it saves none, and is rebuilt from {n} events")),
            };
        }
        let mut params = self.bench.wanted.params.clone();
        params.retain(|name, _| self.entry.specs.iter().any(|s| s.name == name));
        let taken_up = (self.entry.make)(&params).map_err(|e| e.to_string()).and_then(|mut s| {
            // As wherever a state is taken up: it is started first.
            if let Some((now, view, own)) = &self.full.notes.seen {
                let mut out = Outbox { actions: Vec::new(), next_order: 1 };
                let first = own.instruments.first().copied().unwrap_or_default();
                s.on_start(&mut Context::new(*now, first, view, own, &mut out));
            }
            s.restore(saved)?;
            Ok(s.save())
        });
        match taken_up {
            Ok(again) if again == *saved => {
                (Verdict::Good, format!("{} bytes, taken up and saved again alike", saved.len()))
            }
            Ok(_) => (Verdict::Bad, "what it saves after taking up a state is another state".to_owned()),
            Err(why) => (Verdict::Bad, format!("it does not take up its own state: {why}")),
        }
    }

    fn time(&self) -> Result<(Verdict, String), RunError> {
        let idle =
            Entry { make: Arc::new(|_: &ParamValues| Ok(Box::new(Idle) as Box<dyn Strategy>)), ..self.entry.clone() };
        let events = self.times.len().max(1) as f64;
        let (own, without) = (self.bench.seconds(self.entry, self.data)?, self.bench.seconds(&idle, self.data)?);
        let nanos = (own - without).max(0.0) / events * 1e9;
        Ok((Verdict::Good, format!("{nanos:.0} ns per event beside the engine's {:.0}", without / events * 1e9)))
    }

    fn memory(&self) -> Result<(Verdict, String), RunError> {
        let Some(whole) = self.full.notes.memory else {
            return Ok((Verdict::Skipped, "a native strategy's memory is the program's".to_owned()));
        };
        let Some(middle) = self.times.get(self.times.len() / 2) else {
            return Ok((Verdict::Skipped, "there is no data".to_owned()));
        };
        let half = self.run(&feeds::until(self.data, *middle))?.notes.memory.unwrap_or(whole);
        let kib = whole / 1024;
        Ok(match whole.saturating_sub(half) > GROWTH_BYTES {
            true => (Verdict::Warning, format!("{kib} KiB, and {} KiB on half of the data: it grows", half / 1024)),
            false => (Verdict::Good, format!("{kib} KiB")),
        })
    }

    /// One decision may fill, and close, in many parts: what counts is how often it came in and was out again.
    fn enough_data(&self) -> (Verdict, String) {
        let count = self.entry.specs.iter().filter(|s| s.kind != "text").count();
        let (trips, entries) = (self.full.notes.round_trips, self.full.notes.entries.len());
        let text = format!("{count} parameters, {trips} round trips of {entries} entries, {} events", self.times.len());
        match trips.min(entries) < TRIPS_PER_PARAM * count {
            true => (
                Verdict::Warning,
                format!("{text}: fewer than {TRIPS_PER_PARAM} round trips a parameter prove nothing"),
            ),
            false => (Verdict::Good, text),
        }
    }
}

/// A strategy that does nothing.
struct Idle;

impl Strategy for Idle {}

/// Where two runs part first.
fn difference(a: &Ran, b: &Ran) -> Option<String> {
    let (mut one, mut two) = (a.notes.decisions.iter(), b.notes.decisions.iter());
    loop {
        match (one.next(), two.next()) {
            (Some(x), Some(y)) if x == y => {}
            (None, None) => break,
            (x, y) => {
                let say = |d: Option<&Decision>| {
                    d.map_or_else(|| "nothing more".to_owned(), |d| format!("{} at {}", d.text, when(d.at)))
                };
                return Some(format!("{}, and {}", say(x), say(y)));
            }
        }
    }
    if a.halted != b.halted {
        return Some(format!("stopped for {:?}, and for {:?}", a.halted, b.halted));
    }
    (a.order_hash != b.order_hash).then(|| format!("orders {}, and {}", a.order_hash, b.order_hash))
}

/// The last time after `start` at which one decided something that the other did not.
fn last_difference(full: &Notes, late: &Notes, start: Ts) -> Option<Ts> {
    let after = |notes: &Notes| {
        let mut all: Vec<_> = notes.decisions.iter().filter(|d| d.at > start).map(|d| (d.at, d.gist.clone())).collect();
        all.sort();
        all
    };
    let (mut a, mut b) = (after(full), after(late));
    // From the end: for as long as they agree.
    while let (Some(x), Some(y)) = (a.last(), b.last()) {
        if x != y {
            break;
        }
        a.pop();
        b.pop();
    }
    a.last().map(|d| d.0).max(b.last().map(|d| d.0))
}

/// The most events of one instrument that were heard after `start`, up to `end`.
fn heard_between(notes: &Notes, start: Ts, end: Ts) -> usize {
    let mut counts = std::collections::BTreeMap::new();
    for (_, id) in notes.heard.iter().filter(|(at, _)| *at > start && *at <= end) {
        *counts.entry(*id).or_insert(0) += 1;
    }
    counts.into_values().max().unwrap_or(0)
}

fn when(ts: Ts) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ts.nanos())).map_or_else(|_| ts.nanos().to_string(), |t| t.to_string())
}
