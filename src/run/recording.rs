//! Venues' live feeds into the catalog: whole batches, committed every few seconds by a thread of their own, so that
//! reading does not wait for the disk.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bellwether_sdk::{Funding, InstrumentId, Symbol, Ts};
use serde::Serialize;

use super::RunError;
use super::download::note_rules;
use super::live::asked_to_stop;
use super::market::{self, Place};
use super::paper::wall_now;
use super::settlements::Listed;
use crate::config::Settings;
use crate::data::{Batch, Catalog, DataError, Intake, RECORDING};
use crate::exchange::drive::{Desk, Drive, Hands, WallClock};
use crate::exchange::feed::FeedEvent;
use crate::exchange::gateway::GatewayEvent;
use crate::exchange::transport::{Live, LiveSettings, Transport};
use crate::exchange::{Product, Rules};
use crate::market::Kind;

/// Another writer is waited for so long.
const LOCKED_FOR: Duration = Duration::from_secs(60);

/// So many rows wait for the writer at most (of depth: levels): [`LOCKED_FOR`] at 16,000 a second. Each is up to 80
/// bytes, and what the writer has in hand and the batch before it can be as many again.
const ROWS_WAITING_MAX: usize = 1_000_000;

/// What is to be recorded.
#[derive(Debug, Clone)]
pub struct RecordPlan {
    /// Whose data.
    pub instruments: Vec<Symbol>,
    /// Trades, quotes, depth; of perpetuals funding too.
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
/// Rows that cannot be stored as fast as they come end the recording, once as many wait as memory is meant to hold:
/// these are stored still. A hole in the middle would be there for good, in books until their next snapshot.
///
/// # Errors
/// [`RunError`]; what came before it is stored, but for what the catalog itself refused.
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
    let series = series_of(plan, &places)?;
    let streams: Vec<_> = series.iter().copied().filter(|(_, kind)| *kind != Kind::Funding).collect();
    let mut drive = Drive::new(Arc::clone(&transport), Box::<WallClock>::default());
    for place in places.iter().filter(|_| !streams.is_empty()) {
        drive.add_feed(market::feed(place, &streams, settings, began.nanos().unsigned_abs())?, place.urls.rest.clone());
    }
    // Announced rates change until they settle: what is stored is what venues list, as a download would find it.
    let with_funding = streams.len() < series.len();
    let mut listed = Listed::new(if with_funding { &places } else { &[] }, transport, began);
    let (tell, settled) = channel();
    let source = format!("{RECORDING} {}", crate::data::Stamp::from(began).utc);
    let writer = Writer::start(catalog, source.clone())?;
    let mut recorder = Recorder {
        batches: fresh(&series, &rules),
        series,
        rules,
        writer,
        settled,
        waiting: 0,
        waiting_max: ROWS_WAITING_MAX,
        full: false,
        every: plan.commit_every,
        due: wall_now().plus(nanos(plan.commit_every)),
        rows: 0,
        notes: BTreeMap::new(),
        last_note: String::new(),
        told,
        told_at: Instant::now(),
        failed: false,
    };
    tokio::select! {
        () = drive.run(&mut recorder, asked_to_stop(stop, plan.ends_after)) => {}
        never = listed.follow(|found| drop(tell.send(found))) => match never {},
    }
    recorder.take_settled();
    let last = listed.until(wall_now()).await;
    recorder.settle(last);
    let ((stored, commits), notes) = recorder.end()?;
    let series = stored.into_iter().map(|((symbol, kind), rows)| Recorded { symbol, kind, rows }).collect();
    let notes = notes.into_iter().map(|(note, count)| format!("{note} ({count} times)")).collect();
    Ok(RecordReport { schema_version: 1, source, series, commits, notes })
}

/// What is recorded of which instrument: funding of perpetuals only.
fn series_of(plan: &RecordPlan, places: &[Place]) -> Result<Vec<(InstrumentId, Kind)>, RunError> {
    let mut series = Vec::new();
    for place in places {
        let has = |kind: &Kind| *kind != Kind::Funding || place.venue.facts().product == Product::Linear;
        let kinds = plan.kinds.iter().copied().filter(has);
        kinds.for_each(|kind| series.extend(place.listings.iter().map(|l| (l.id, kind))));
    }
    let (asked, kept) = (plan.kinds.contains(&Kind::Funding), series.iter().any(|(_, kind)| *kind == Kind::Funding));
    if asked && !kept {
        return Err(RunError::Settings("funding is of perpetual contracts, and there is none among these".to_owned()));
    }
    Ok(series)
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
    /// What venues list of funding.
    settled: Receiver<Result<Vec<Funding>, RunError>>,
    /// Rows that the writer has not taken, and how many there may be.
    waiting: usize,
    waiting_max: usize,
    /// There were more: nothing is taken any more.
    full: bool,
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
        if self.full {
            return;
        }
        if let Some(batch) = self.batches.get_mut(&(id, kind)) {
            let before = batch.len();
            add(batch);
            let more = batch.len() - before;
            self.rows += more as u64;
            self.waiting += more;
        }
        if self.waiting > self.waiting_max {
            // A writer that has nothing to do takes them before it is time.
            self.commit();
            self.full = self.waiting > self.waiting_max;
        }
    }

    /// Takes what venues listed of funding.
    fn settle(&mut self, found: Result<Vec<Funding>, RunError>) {
        match found {
            Ok(rows) => rows.iter().for_each(|f| self.add(f.instrument, Kind::Funding, |b| b.funding(f))),
            Err(e) => self.note(format!("funding was asked for in vain: {e}")),
        }
    }

    fn take_settled(&mut self) {
        while let Ok(found) = self.settled.try_recv() {
            self.settle(found);
        }
    }

    fn hear(&mut self, event: FeedEvent<'_>) {
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
        match self.writer.hand(full) {
            None => {}
            Some(Refused::Busy(full)) => {
                let later = std::mem::replace(&mut self.batches, full);
                for (key, rest) in later {
                    if let Some(batch) = self.batches.get_mut(&key) {
                        batch.join(rest);
                    }
                }
            }
            Some(Refused::Gone) => self.failed = true,
        }
        self.waiting = self.batches.values().map(Batch::len).sum();
    }

    /// Has the rest stored; gives what was, and the notes.
    fn end(self) -> Result<(Stored, BTreeMap<String, u64>), RunError> {
        let stored = self.writer.end(self.batches)?;
        if self.full {
            return Err(RunError::Data(format!(
                "the disk did not keep up: over {} rows waited to be stored, and the recording ended; record less, or \
                 to a faster disk",
                self.waiting_max
            )));
        }
        Ok((stored, self.notes))
    }
}

impl Hands for Recorder<'_> {
    fn on_feed(&mut self, _feed: usize, event: FeedEvent<'_>, _now: Ts, desk: &mut Desk<'_>) {
        self.hear(event);
        if self.full {
            desk.stop();
        }
    }

    fn on_gateway(&mut self, _gateway: usize, _event: GatewayEvent, _now: Ts, _desk: &mut Desk<'_>) {}

    fn on_time(&mut self, now: Ts, desk: &mut Desk<'_>) {
        self.take_settled();
        if self.due <= now {
            self.due = now.plus(nanos(self.every));
            self.commit();
        }
        if self.failed || self.full {
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

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, number};
    use super::*;
    use crate::exchange::Request;
    use bellwether_sdk::{Aggressor, Price, Qty, Trade};
    use std::sync::atomic::{AtomicUsize, Ordering};

    const PERPETUAL: &str = r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT",
        "marginAsset":"USDT","contractType":"PERPETUAL","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.10"},
        {"filterType":"LOT_SIZE","minQty":"0.001","stepSize":"0.001"}]}]}"#;

    const SPOT: &str = r#"{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC",
        "quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.01"},
        {"filterType":"LOT_SIZE","minQty":"0.001","stepSize":"0.001"}]}]}"#;

    fn plan(symbol: &str, data: PathBuf) -> RecordPlan {
        RecordPlan {
            instruments: vec![symbol.parse().expect("a symbol")],
            kinds: vec![Kind::Funding],
            ends_after: Some(Duration::from_millis(200)),
            commit_every: Duration::from_secs(10),
            data,
        }
    }

    fn recorded(plan: &RecordPlan, answer: fn(&Request) -> String) -> Result<RecordReport, RunError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let stop = AtomicBool::new(false);
        runtime.block_on(run(&Settings::default(), plan, &mut |_, _| {}, &stop, Arc::new(Fake(answer))))
    }

    #[test]
    fn funding_is_recorded_as_the_venue_lists_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = plan("binance:BTC/USDT:USDT", folder.path().join("data"));
        let report = recorded(&plan, |request| match request.path.rsplit('/').next() {
            Some("exchangeInfo") => PERPETUAL.to_owned(),
            Some("fundingRate") => {
                let at = number(request, "startTime") + 50;
                format!(r#"[{{"symbol":"BTCUSDT","fundingTime":{at},"fundingRate":"0.0001","markPrice":"100.0"}}]"#)
            }
            other => panic!("{other:?}"),
        });
        let report = report.expect("a recording");
        assert_eq!(report.series.len(), 1, "{:?}", report.notes);
        assert_eq!((report.series[0].kind, report.series[0].rows), (Kind::Funding, 1));
        let catalog = Catalog::open(&plan.data).expect("a catalog");
        let instrument = catalog.instrument(&plan.instruments[0], InstrumentId(0)).expect("an instrument");
        let mut source = catalog.source(&instrument, Kind::Funding, Ts::NONE..Ts::MAX).expect("a source");
        let Ok(Some(crate::market::Batch::Funding(rows))) = source.next(None) else { panic!("no funding") };
        assert_eq!((rows.len(), rows[0].rate.to_text()), (1, "0.0001".to_owned()));
    }

    #[test]
    fn funding_of_what_has_none_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = plan("binance:BTC/USDT", folder.path().join("data"));
        let error = recorded(&plan, |_| SPOT.to_owned()).expect_err("a refusal");
        assert!(matches!(&error, RunError::Settings(why) if why.contains("perpetual")), "{error}");
    }

    /// A trade of so many milliseconds.
    fn trade(at: i64) -> FeedEvent<'static> {
        let (price, qty) = (Price::from_mantissa(1_000), Qty::from_mantissa(1));
        let ts = Ts::from_millis(at);
        FeedEvent::Trade(Trade {
            ts,
            ts_venue: ts,
            price,
            qty,
            instrument: InstrumentId(0),
            aggressor: Aggressor::Buyer,
        })
    }

    #[test]
    fn rows_that_the_disk_does_not_take_end_the_recording_and_none_of_them_is_lost() {
        let rules = crate::exchange::venue("binance", Product::Linear);
        let rules = rules.expect("a venue").reply(
            &crate::exchange::Ask::Instruments,
            &crate::exchange::Response { status: 200, headers: Vec::new(), body: PERPETUAL.to_owned() },
            &crate::exchange::Listings::default(),
        );
        let Ok(crate::exchange::Reply::Instruments(rules, _)) = rules else { panic!("{rules:?}") };
        let rules = BTreeMap::from([(InstrumentId(0), rules[0].clone())]);
        let series = vec![(InstrumentId(0), Kind::Trades)];
        // A disk that does nothing until it is let go, and then counts.
        let (hands, incoming) = sync_channel::<Batches>(1);
        let (let_go, wait) = channel::<()>();
        let stored = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&stored);
        let thread = std::thread::spawn(move || {
            let _ = wait.recv();
            let came = incoming.iter().flat_map(BTreeMap::into_values).map(|batch| batch.len());
            count.store(came.sum(), Ordering::Relaxed);
            Ok((BTreeMap::new(), 0))
        });
        let mut told = |_: u64, _: &str| {};
        let mut recorder = Recorder {
            batches: fresh(&series, &rules),
            series,
            rules,
            writer: Writer { hands, thread },
            settled: channel().1,
            waiting: 0,
            waiting_max: 100,
            full: false,
            every: Duration::from_secs(10),
            due: Ts::MAX,
            rows: 0,
            notes: BTreeMap::new(),
            last_note: String::new(),
            told: &mut told,
            told_at: Instant::now(),
            failed: false,
        };
        // The first hundred go to the writer, and the next to nobody.
        (0..101).for_each(|at| recorder.hear(trade(at)));
        assert_eq!((recorder.full, recorder.waiting), (false, 1));
        (101..400).for_each(|at| recorder.hear(trade(at)));
        assert_eq!((recorder.full, recorder.waiting, recorder.rows), (true, 101, 201));
        drop(let_go);
        let error = recorder.end().expect_err("it ended");
        assert!(error.to_string().starts_with("the disk did not keep up: over 100 rows waited"), "{error}");
        assert_eq!(stored.load(Ordering::Relaxed), 201, "what waited is stored");
    }
}
