//! Venues' live feeds into the catalog: whole batches, committed every few seconds by a thread of their own, so that
//! reading does not wait for the disk.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bellwether_sdk::{InstrumentId, Symbol, Ts};
use serde::Serialize;

use super::RunError;
use super::download::note_rules;
use super::live::asked_to_stop;
use super::market;
use super::paper::wall_now;
use crate::config::Settings;
use crate::data::{Batch, Catalog, DataError, Intake, RECORDING};
use crate::exchange::Rules;
use crate::exchange::drive::{Desk, Drive, Hands, WallClock};
use crate::exchange::feed::FeedEvent;
use crate::exchange::gateway::GatewayEvent;
use crate::exchange::transport::{Live, LiveSettings, Transport};
use crate::market::Kind;

/// Another writer is waited for so long.
const LOCKED_FOR: Duration = Duration::from_secs(60);

/// What is to be recorded.
#[derive(Debug, Clone)]
pub struct RecordPlan {
    /// Whose data.
    pub instruments: Vec<Symbol>,
    /// Trades, quotes, depth.
    pub kinds: Vec<Kind>,
    /// Ends by itself after so long.
    pub ends_after: Option<Duration>,
    /// So often what came is committed.
    pub commit_every: Duration,
    /// The catalog's folder.
    pub data: PathBuf,
}

/// What a recording did.
#[derive(Debug, Clone, Serialize)]
pub struct RecordReport {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// The name of its source in the catalog.
    pub source: String,
    /// What was stored, by series.
    pub series: Vec<Recorded>,
    /// How often it was committed.
    pub commits: u64,
    /// What the feeds said of themselves, with counts.
    pub notes: Vec<String>,
}

/// Rows stored of a series.
#[derive(Debug, Clone, Serialize)]
pub struct Recorded {
    /// The instrument.
    pub symbol: Symbol,
    /// The kind of data.
    pub kind: Kind,
    /// Rows (of depth: levels).
    pub rows: u64,
}

/// Records until it is stopped or the time is up. `told` hears rows so far and the last note of the feed.
///
/// # Errors
/// [`RunError`]; what was committed before it stays.
pub fn record(
    settings: &Settings,
    plan: &RecordPlan,
    told: &mut dyn FnMut(u64, &str),
    stop: &AtomicBool,
) -> Result<RecordReport, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| RunError::Venue(format!("starting the runtime: {e}")))?;
    let transport: Arc<dyn Transport> =
        Arc::new(Live::new(LiveSettings::default()).map_err(|e| RunError::Venue(e.to_string()))?);
    runtime.block_on(run(settings, plan, told, stop, transport))
}

async fn run(
    settings: &Settings,
    plan: &RecordPlan,
    told: &mut dyn FnMut(u64, &str),
    stop: &AtomicBool,
    transport: Arc<dyn Transport>,
) -> Result<RecordReport, RunError> {
    let (places, _) = market::places(settings, &plan.instruments, &*transport).await?;
    let mut catalog = Catalog::open_or_create(&plan.data)?;
    let mut rules: BTreeMap<InstrumentId, Rules> = BTreeMap::new();
    let began = wall_now();
    for listing in places.iter().flat_map(|p| p.listings.iter()) {
        note_rules(&mut catalog, &listing.rules, began)?;
        rules.insert(listing.id, listing.rules.clone());
    }
    let series: Vec<(InstrumentId, Kind)> =
        rules.keys().flat_map(|id| plan.kinds.iter().map(|kind| (*id, *kind))).collect();
    let mut drive = Drive::new(transport, Box::<WallClock>::default());
    for place in &places {
        drive.add_feed(market::feed(place, &series, settings, began.nanos().unsigned_abs())?, place.urls.rest.clone());
    }
    let source = format!("{RECORDING} {}", crate::data::Stamp::from(began).utc);
    let writer = Writer::start(catalog, source.clone())?;
    let mut recorder = Recorder {
        batches: fresh(&series, &rules),
        series,
        rules,
        writer,
        every: plan.commit_every,
        due: wall_now().plus(nanos(plan.commit_every)),
        rows: 0,
        notes: BTreeMap::new(),
        last_note: String::new(),
        told,
        told_at: Instant::now(),
        failed: false,
    };
    drive.run(&mut recorder, asked_to_stop(stop, plan.ends_after)).await;
    let Recorder { batches, writer, notes, .. } = recorder;
    let (stored, commits) = writer.end(batches)?;
    let series = stored.into_iter().map(|((symbol, kind), rows)| Recorded { symbol, kind, rows }).collect();
    let notes = notes.into_iter().map(|(note, count)| format!("{note} ({count} times)")).collect();
    Ok(RecordReport { schema_version: 1, source, series, commits, notes })
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

type Batches = BTreeMap<(InstrumentId, Kind), Batch>;

fn fresh(series: &[(InstrumentId, Kind)], rules: &BTreeMap<InstrumentId, Rules>) -> Batches {
    let of = |(id, kind): &(InstrumentId, Kind)| {
        let r = rules.get(id)?;
        Some(((*id, *kind), Batch::new(r.symbol.clone(), *kind, r.price_scale, r.qty_scale)))
    };
    series.iter().filter_map(of).collect()
}

/// Hears feeds and hands what they tell to the writer.
struct Recorder<'a> {
    series: Vec<(InstrumentId, Kind)>,
    rules: BTreeMap<InstrumentId, Rules>,
    batches: Batches,
    writer: Writer,
    every: Duration,
    due: Ts,
    rows: u64,
    notes: BTreeMap<String, u64>,
    last_note: String,
    told: &'a mut dyn FnMut(u64, &str),
    told_at: Instant,
    failed: bool,
}

impl Recorder<'_> {
    fn add(&mut self, id: InstrumentId, kind: Kind, add: impl FnOnce(&mut Batch)) {
        if let Some(batch) = self.batches.get_mut(&(id, kind)) {
            let before = batch.len();
            add(batch);
            self.rows += (batch.len() - before) as u64;
        }
    }

    fn note(&mut self, note: String) {
        *self.notes.entry(note.clone()).or_default() += 1;
        self.last_note = note;
    }

    /// Hands over what came before the last time of each series, unless the writer is still at work.
    fn commit(&mut self) {
        let mut next = fresh(&self.series, &self.rules);
        for (key, batch) in &mut self.batches {
            next.insert(*key, batch.split_last());
        }
        let full = std::mem::replace(&mut self.batches, next);
        let Some(refused) = self.writer.hand(full) else { return };
        match refused {
            Refused::Busy(full) => {
                let later = std::mem::replace(&mut self.batches, full);
                for (key, rest) in later {
                    if let Some(batch) = self.batches.get_mut(&key) {
                        batch.join(rest);
                    }
                }
            }
            Refused::Gone => self.failed = true,
        }
    }
}

impl Hands for Recorder<'_> {
    fn on_feed(&mut self, _feed: usize, event: FeedEvent<'_>, _now: Ts, _desk: &mut Desk<'_>) {
        match event {
            FeedEvent::Trade(t) => self.add(t.instrument, Kind::Trades, |b| b.trade(&t, "")),
            FeedEvent::Quote(q) => self.add(q.instrument, Kind::Quotes, |b| b.quote(&q)),
            FeedEvent::Depth(d) => self.add(d.instrument, Kind::Depth, |b| b.depth(&d)),
            FeedEvent::BookLost(_, why) => self.note(format!("book lost: {}", why.name())),
            FeedEvent::Stale(topic, _) => self.note(format!("feed is stale: {topic:?}")),
            FeedEvent::Reconnecting(_, _, _, why) => self.note(format!("feed disconnected: {why}")),
            FeedEvent::Refused(why) => self.note(format!("the venue refused: {why}")),
            FeedEvent::Unexpected(_, why) => self.note(format!("not understood: {why}")),
            _ => {}
        }
    }

    fn on_gateway(&mut self, _gateway: usize, _event: GatewayEvent, _now: Ts, _desk: &mut Desk<'_>) {}

    fn on_time(&mut self, now: Ts, desk: &mut Desk<'_>) {
        if self.due <= now {
            self.due = now.plus(nanos(self.every));
            self.commit();
        }
        if self.failed {
            desk.stop();
        }
        if self.told_at.elapsed() >= Duration::from_millis(250) {
            self.told_at = Instant::now();
            (self.told)(self.rows, &self.last_note);
        }
    }

    fn next_due(&self) -> Ts {
        self.due.min(wall_now().plus(250_000_000))
    }
}

/// Rows stored by series, and how often.
type Stored = (BTreeMap<(Symbol, Kind), u64>, u64);

/// The thread that commits.
struct Writer {
    hands: SyncSender<Batches>,
    thread: JoinHandle<Result<Stored, DataError>>,
}

/// Batches that the writer did not take.
enum Refused {
    /// It is at work.
    Busy(Batches),
    /// It ended with an error.
    Gone,
}

impl Writer {
    fn start(catalog: Catalog, source: String) -> Result<Self, RunError> {
        let (hands, incoming) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || write(catalog, &source, &incoming))
            .map_err(|e| RunError::Data(format!("starting a thread: {e}")))?;
        Ok(Self { hands, thread })
    }

    fn hand(&self, batches: Batches) -> Option<Refused> {
        match self.hands.try_send(batches) {
            Ok(()) => None,
            Err(TrySendError::Full(batches)) => Some(Refused::Busy(batches)),
            Err(TrySendError::Disconnected(_)) => Some(Refused::Gone),
        }
    }

    /// Commits the rest and waits for it.
    fn end(self, rest: Batches) -> Result<Stored, RunError> {
        // Where the thread is gone, its error says why.
        let _ = self.hands.send(rest);
        drop(self.hands);
        match self.thread.join() {
            Ok(stored) => Ok(stored?),
            Err(_) => Err(RunError::Data("the writing thread panicked".to_owned())),
        }
    }
}

fn write(mut catalog: Catalog, source: &str, incoming: &Receiver<Batches>) -> Result<Stored, DataError> {
    let mut stored: BTreeMap<(Symbol, Kind), u64> = BTreeMap::new();
    let mut commits = 0;
    while let Ok(batches) = incoming.recv() {
        let intake = Intake { name: source.to_owned(), aggregated: false, covers: None };
        let mut any = false;
        for batch in batches.into_values().filter(|b| !b.is_empty()) {
            let (symbol, kind) = batch.series();
            let key = (symbol.clone(), kind);
            *stored.entry(key).or_default() += take_in(&mut catalog, batch, &intake)?;
            any = true;
        }
        commits += u64::from(any);
    }
    Ok((stored, commits))
}

/// Stores a batch, waiting for another writer to finish.
fn take_in(catalog: &mut Catalog, batch: Batch, intake: &Intake) -> Result<u64, DataError> {
    let began = Instant::now();
    loop {
        match catalog.take_in(vec![batch.clone()], intake) {
            Err(DataError::Locked { .. }) if began.elapsed() < LOCKED_FOR => {
                std::thread::sleep(Duration::from_millis(100));
            }
            other => return other,
        }
    }
}
