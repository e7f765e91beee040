//! History of a venue into the catalog, through its own endpoints: what is there is not asked for again, what was
//! answered is kept whatever happens after it, and the venue's limits are obeyed before it complains.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bellwether_sdk::{Funding, InstrumentId, Symbol, Trade, Ts};
use serde::Serialize;

use super::RunError;
use super::archive;
use super::look::{notional_text, qty_text, tick_text};
use super::market;
use super::paper::wall_now;
use crate::config::Settings;
use crate::data::{Batch, Catalog, Intake, Stamp, StatedRules};
use crate::exchange::machine::Limits;
use crate::exchange::transport::{Live, LiveSettings, Transport};
use crate::exchange::{Ask, Fault, Listings, Reply, Rules, Urls, Venue, VenueError};
use crate::market::Kind;

/// Rows that wait for their commit at most, give or take a page.
const ROWS_PER_COMMIT: usize = 50_000;
/// Time that pages wait for their commit at most.
const COMMIT_EVERY: Duration = Duration::from_secs(10);
/// Funding is asked for in windows of four days: fewer settlements than any venue's page (OKX: 100), even where it settles
/// hourly.
pub(super) const FUNDING_WINDOW_NS: i64 = 4 * 86_400_000_000_000;
/// A page of trades that is as long as this is taken to be full.
const FULL_PAGE: usize = 1_000;
const MS_NS: i64 = 1_000_000;
/// How often a request that failed without having been answered is repeated.
const TRIES: u32 = 6;

/// What is younger than this by the venue's clock is not final: a bar may still change, a trade or a settlement may be
/// listed late. What was asked for is not asked for again.
pub(super) const fn unsettled_ns(kind: Kind) -> i64 {
    match kind {
        Kind::Bars(_) => 2_000_000_000,
        Kind::Funding => 600_000_000_000,
        Kind::Trades | Kind::Quotes | Kind::Depth => 5_000_000_000,
    }
}

/// What is to be downloaded.
#[derive(Debug, Clone)]
pub struct DownloadPlan {
    /// Whose data.
    pub instrument: Symbol,
    /// Trades, bars or funding.
    pub kind: Kind,
    /// Start, inclusive.
    pub from: Ts,
    /// End, exclusive; `None` for now.
    pub to: Option<Ts>,
    /// The catalog's folder.
    pub data: PathBuf,
    /// From the venue's archive of files instead of its endpoints.
    pub from_archive: bool,
    /// Of the archive: single trades instead of aggregated ones.
    pub single_trades: bool,
}

/// What a download did.
#[derive(Debug, Clone, Serialize)]
pub struct DownloadReport {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// The instrument.
    pub symbol: Symbol,
    /// The kind of data.
    pub kind: Kind,
    /// `api` or `archive`.
    pub source: &'static str,
    /// Requests that were answered; of the archive, files that were fetched.
    pub requests: u64,
    /// Rows added to the catalog.
    pub rows_added: u64,
    /// Files of the archive that it does not have.
    pub files_absent: Vec<String>,
    /// What was asked for and the venue does not have any more; it stays missing.
    pub unserved: Vec<Unserved>,
    /// Whether the instrument's rules were noted anew in `instruments.json`.
    pub rules_noted: bool,
}

/// A stretch of time that a venue does not answer for any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unserved {
    /// Start, inclusive.
    pub from: Stamp,
    /// End, exclusive.
    pub to: Stamp,
}

/// Downloads history into the catalog. `progress` is told how much of how much is done.
///
/// # Errors
/// [`RunError`]; what came before is stored, also when [`RunError::Interrupted`].
pub fn download(
    settings: &Settings,
    plan: &DownloadPlan,
    progress: &mut dyn FnMut(u64, u64),
    stop: &AtomicBool,
) -> Result<DownloadReport, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| RunError::Venue(format!("starting the runtime: {e}")))?;
    if plan.to.is_some_and(|to| to <= plan.from) {
        return Err(RunError::Settings("the end is not after the start".to_owned()));
    }
    let mut report = DownloadReport {
        schema_version: 1,
        symbol: plan.instrument.clone(),
        kind: plan.kind,
        source: if plan.from_archive { "archive" } else { "api" },
        requests: 0,
        rows_added: 0,
        files_absent: Vec::new(),
        unserved: Vec::new(),
        rules_noted: false,
    };
    let mut catalog = Catalog::open_or_create(&plan.data)?;
    if plan.from_archive {
        runtime.block_on(archive::fetch(settings, plan, &mut catalog, &mut report, progress, stop))?;
    } else {
        runtime.block_on(fetch(settings, plan, &mut catalog, &mut report, progress, stop))?;
    }
    Ok(report)
}

async fn fetch(
    settings: &Settings,
    plan: &DownloadPlan,
    catalog: &mut Catalog,
    report: &mut DownloadReport,
    progress: &mut dyn FnMut(u64, u64),
    stop: &AtomicBool,
) -> Result<(), RunError> {
    let symbol = &plan.instrument;
    let (venue, urls) = market::open(settings, symbol.venue(), market::product_of(symbol)?)?;
    let transport = Live::new(LiveSettings::default()).map_err(|e| RunError::Venue(e.to_string()))?;
    let (all, _) = market::instruments(&*venue, &urls, &transport).await?;
    let rules = all
        .into_iter()
        .find(|r| r.symbol == *symbol)
        .ok_or_else(|| RunError::Settings(format!("{symbol} is not listed by {}", venue.facts().venue)))?;
    let facts = venue.facts();
    let mut way = Way {
        limits: Limits::new(facts.weight_per_minute, facts.orders_per_10s),
        listings: Listings::new([(InstrumentId(0), rules.clone())]),
        venue,
        urls,
        transport: Box::new(transport),
        now: Ts::NONE,
        requests: 0,
    };
    fill(&mut way, &rules, plan, catalog, report, progress, stop).await
}

async fn fill(
    way: &mut Way,
    rules: &Rules,
    plan: &DownloadPlan,
    catalog: &mut Catalog,
    report: &mut DownloadReport,
    progress: &mut dyn FnMut(u64, u64),
    stop: &AtomicBool,
) -> Result<(), RunError> {
    let symbol = &plan.instrument;
    // By the venue's clock: what is open there is not complete, whatever ours says.
    let Reply::Time(now) = way.ask(&Ask::Time, stop).await? else { return Err(wrong()) };
    (way.now, way.requests) = (now, 0);
    let final_to = now.plus(-unsettled_ns(plan.kind));
    let (mut from, mut to) = (plan.from, plan.to.unwrap_or(final_to).min(final_to));
    if let Some(interval) = plan.kind.interval() {
        // Whole bars that are complete.
        let floor = from.floor_to(interval);
        from = if floor < from { floor.plus(interval.nanos()) } else { from };
        to = to.floor_to(interval);
    }
    let gaps = catalog.missing(symbol, plan.kind, from, to)?;
    report.rules_noted = note_rules(catalog, rules, now)?;
    let total: i64 = gaps.iter().map(|(a, b)| b.nanos() - a.nanos()).sum();
    let mut done = 0;
    for (from, to) in gaps {
        let mut gap = Gap::new(plan.kind, rules, from, to);
        let mut committed = Instant::now();
        let ended = loop {
            if stop.load(Ordering::Relaxed) {
                break Err(RunError::Interrupted);
            }
            match gap.page(way, stop).await {
                Err(e) => break Err(e),
                Ok(true) => break Ok(()),
                Ok(false) => {}
            }
            progress(share(done + gap.at.nanos() - from.nanos()), share(total));
            if gap.batch.len() >= ROWS_PER_COMMIT || committed.elapsed() >= COMMIT_EVERY {
                report.rows_added += gap.commit(catalog)?;
                committed = Instant::now();
            }
        };
        report.rows_added += gap.commit(catalog)?;
        report.requests = way.requests;
        report.unserved.extend(gap.unserved);
        ended?;
        done += to.nanos() - from.nanos();
        progress(share(done), share(total));
    }
    Ok(())
}

/// Nanoseconds as seconds, for progress.
fn share(nanos: i64) -> u64 {
    u64::try_from(nanos / 1_000_000_000).unwrap_or(0)
}

/// Notes the venue's rules of an instrument in the catalog.
pub(super) fn note_rules(catalog: &mut Catalog, rules: &Rules, now: Ts) -> Result<bool, RunError> {
    let day = jiff::Timestamp::from_nanosecond(i128::from(now.nanos()))
        .map(|t| jiff::tz::TimeZone::UTC.to_datetime(t).date().to_string())
        .map_err(|e| RunError::Data(e.to_string()))?;
    let stated = StatedRules {
        valid_from: day,
        tick: tick_text(rules),
        lot: qty_text(rules, rules.lot),
        qty_min: qty_text(rules, rules.qty_min),
        notional_min: notional_text(rules, rules.notional_min),
        qty_max: qty_text(rules, rules.qty_max),
        qty_max_market: qty_text(rules, rules.qty_max_market),
        notional_max: notional_text(rules, rules.notional_max),
        multiplier: rules.multiplier,
    };
    Ok(catalog.note_rules(&rules.symbol, &stated)?)
}

/// The way to the venue.
struct Way {
    venue: Arc<dyn Venue>,
    urls: Urls,
    listings: Listings,
    limits: Arc<Limits>,
    transport: Box<dyn Transport>,
    /// The venue's time when it was asked.
    now: Ts,
    requests: u64,
}

impl Way {
    /// Asks when the limits allow it, and again while the venue is too busy or does not answer.
    async fn ask(&mut self, ask: &Ask, stop: &AtomicBool) -> Result<Reply, RunError> {
        let name = self.venue.facts().venue;
        let failed = |e: VenueError| RunError::Venue(format!("{name}: {e}"));
        let request = self.venue.ask(ask, &self.listings).map_err(failed)?;
        let mut tries = 0;
        loop {
            while let Err(later) = self.limits.spend(request.weight, wall_now()) {
                nap_until(later, stop).await?;
            }
            tries += 1;
            let answer = match self.transport.http(&self.urls.rest, &request).await {
                Ok(response) => {
                    self.limits.told(self.venue.used(&response), wall_now());
                    self.venue.reply(ask, &response, &self.listings)
                }
                Err(e) => Err(VenueError::new(Fault::Transient, "", e.to_string())),
            };
            match answer {
                Ok(reply) => {
                    self.requests += 1;
                    return Ok(reply);
                }
                Err(VenueError { fault: Fault::RateLimited { retry_after_ms }, .. }) if tries < TRIES => {
                    let wait = i64::try_from(retry_after_ms.unwrap_or(1_000 << tries)).unwrap_or(60_000);
                    self.limits.pause(wall_now().plus(wait.saturating_mul(MS_NS)));
                }
                Err(e) if e.fault == Fault::Transient && tries < TRIES => {
                    nap_until(wall_now().plus((250 << tries) * MS_NS), stop).await?;
                }
                Err(e) => return Err(failed(e)),
            }
        }
    }
}

async fn nap_until(until: Ts, stop: &AtomicBool) -> Result<(), RunError> {
    while wall_now() < until {
        if stop.load(Ordering::Relaxed) {
            return Err(RunError::Interrupted);
        }
        let left = until.nanos().saturating_sub(wall_now().nanos()).max(0);
        tokio::time::sleep(Duration::from_nanos(left.unsigned_abs()).min(Duration::from_millis(50))).await;
    }
    Ok(())
}

/// A part of the time that the catalog lacks, and how far it is filled.
struct Gap {
    kind: Kind,
    rules: Rules,
    to: Ts,
    /// Everything before this time was answered.
    at: Ts,
    /// Before this time everything is committed.
    stored: Ts,
    batch: Batch,
    /// What the venue does not have any more.
    unserved: Option<Unserved>,
}

fn wrong() -> RunError {
    RunError::Venue("the answer is of another kind than the question".to_owned())
}

impl Gap {
    fn new(kind: Kind, rules: &Rules, from: Ts, to: Ts) -> Self {
        let batch = Batch::new(rules.symbol.clone(), kind, rules.price_scale, rules.qty_scale);
        Self { kind, rules: rules.clone(), to, at: from, stored: from, batch, unserved: None }
    }

    /// Stores the pages so far.
    fn commit(&mut self, catalog: &mut Catalog) -> Result<u64, RunError> {
        let until = self.at.min(self.to);
        if until <= self.stored {
            return Ok(0);
        }
        let empty = Batch::new(self.rules.symbol.clone(), self.kind, self.rules.price_scale, self.rules.qty_scale);
        let batch = std::mem::replace(&mut self.batch, empty);
        let intake = Intake {
            name: format!("download from {}", self.rules.symbol.venue()),
            aggregated: self.kind == Kind::Trades && self.rules.symbol.venue() == "binance",
            covers: Some((self.stored, until)),
        };
        let added = catalog.take_in(vec![batch], &intake)?;
        self.stored = until;
        Ok(added)
    }

    /// Asks for the next page; true when there is no more to ask for.
    async fn page(&mut self, way: &mut Way, stop: &AtomicBool) -> Result<bool, RunError> {
        if self.at >= self.to {
            return Ok(true);
        }
        let one = InstrumentId(0);
        match self.kind {
            Kind::Bars(interval) => {
                let ask = Ask::Bars(one, interval, self.at, self.to);
                let Reply::Bars(rows) = way.ask(&ask, stop).await? else { return Err(wrong()) };
                let facts = way.venue.facts();
                if let Some(kept) = facts.bars_kept {
                    // The newest, with the one that is open: nothing was said of what is older than these.
                    let oldest = way.now.floor_to(interval).plus(-interval.nanos().saturating_mul(i64::from(kept) - 1));
                    self.leave_out(rows.first().map_or(oldest, |b| b.ts_open.min(oldest)));
                }
                let last = rows.last().map(|b| b.ts_open);
                let (at, to) = (self.at, self.to);
                rows.iter().filter(|b| b.ts_open >= at && b.ts_open < to).for_each(|b| self.batch.bar(b));
                let next = match last {
                    Some(last) if last >= at => last.plus(interval.nanos()),
                    _ => at.plus(interval.nanos().saturating_mul(i64::from(facts.bars_page.max(1)))),
                };
                self.at = next.min(to);
            }
            Kind::Funding => {
                let until = self.at.plus(FUNDING_WINDOW_NS).min(self.to);
                let Reply::Funding(rows) = way.ask(&Ask::Funding(one, self.at, until), stop).await? else {
                    return Err(wrong());
                };
                for row in rows.iter().filter(|r| r.ts_venue >= self.at && r.ts_venue < until) {
                    self.batch.funding(&Funding { ts: row.ts_venue, rate: row.rate, mark: row.mark, instrument: one });
                }
                self.at = until;
            }
            Kind::Trades => {
                let Reply::Trades(rows) = way.ask(&Ask::TradesFrom(one, self.at), stop).await? else {
                    return Err(wrong());
                };
                return Ok(self.trades(&rows));
            }
            Kind::Quotes | Kind::Depth => {
                return Err(RunError::Settings(format!("venues have no history of {}", self.kind)));
            }
        }
        Ok(self.at >= self.to)
    }

    /// The venue has nothing to say of the time before this one.
    fn leave_out(&mut self, until: Ts) {
        let until = until.min(self.to);
        // Only at the beginning: later pages begin where the one before ended.
        if self.unserved.is_none() && self.at == self.stored && until > self.at {
            self.unserved = Some(Unserved { from: self.at.into(), to: until.into() });
            (self.at, self.stored) = (until, until);
        }
    }

    /// Takes a page of trades. The last time of a full page is asked for again, since the page may have cut it.
    fn trades(&mut self, rows: &[crate::exchange::TradeRow]) -> bool {
        let last = rows.last().map_or(self.at, |t| t.ts_venue);
        let full = rows.len() >= FULL_PAGE;
        let next = if !full || last >= self.to {
            // All there is until now, or until the end.
            self.to
        } else if last > self.at {
            last
        } else {
            // More trades at one time than a page holds: the rest of them cannot be asked for.
            self.at.plus(MS_NS)
        };
        let keep_last = next != last;
        let wanted = |ts: Ts| ts >= self.at && ts < self.to && (ts < next || keep_last && ts <= last);
        let chosen: Vec<_> = rows.iter().filter(|t| wanted(t.ts_venue)).collect();
        for t in chosen {
            let trade = Trade {
                ts: t.ts_venue,
                ts_venue: t.ts_venue,
                price: t.price,
                qty: t.qty,
                instrument: InstrumentId(0),
                aggressor: t.aggressor,
            };
            self.batch.trade(&trade, &t.id);
        }
        self.at = next;
        self.at >= self.to
    }
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::Interval;

    use super::*;
    use crate::exchange::Request;
    use crate::run::fake::{Fake, number, okx};
    use crate::run::look::guess;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;

    /// A folder, and what a download of a venue into it gave.
    fn downloaded(
        folder: &std::path::Path,
        symbol: &str,
        kind: Kind,
        (from, to): (i64, Option<i64>),
        answers: impl Fn(&Request) -> String + Send + Sync + 'static,
    ) -> DownloadReport {
        let symbol: Symbol = symbol.parse().expect("a symbol");
        let product = market::product_of(&symbol).expect("a product");
        let venue: Arc<dyn Venue> = Arc::from(crate::exchange::venue(symbol.venue(), product).expect("built in"));
        let rules = guess(&*venue, &symbol);
        let facts = venue.facts().clone();
        let mut way = Way {
            limits: Limits::new(1_000_000, 1_000_000),
            listings: Listings::new([(InstrumentId(0), rules.clone())]),
            venue,
            urls: facts.urls,
            transport: Box::new(Fake(answers)),
            now: Ts::NONE,
            requests: 0,
        };
        let plan = DownloadPlan {
            instrument: symbol.clone(),
            kind,
            from: Ts::from_millis(from),
            to: to.map(Ts::from_millis),
            data: folder.to_owned(),
            from_archive: false,
            single_trades: false,
        };
        let mut report = DownloadReport {
            schema_version: 1,
            symbol,
            kind,
            source: "api",
            requests: 0,
            rows_added: 0,
            files_absent: Vec::new(),
            unserved: Vec::new(),
            rules_noted: false,
        };
        let mut catalog = Catalog::open_or_create(folder).expect("a catalog");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (stop, mut quiet) = (AtomicBool::new(false), |_, _| {});
        let filled = fill(&mut way, &rules, &plan, &mut catalog, &mut report, &mut quiet, &stop);
        runtime.block_on(filled).expect("downloaded");
        report
    }

    #[test]
    fn every_settlement_is_downloaded_also_where_a_page_is_short() {
        let folder = tempfile::tempdir().expect("a folder");
        let now = 40 * DAY;
        let got = downloaded(folder.path(), "okx:BTC/USDT:USDT", Kind::Funding, (DAY, Some(31 * DAY)), move |r| {
            okx(r, now, 0..0)
        });
        assert_eq!(got.rows_added, 30 * 24, "hourly settlements of thirty days");
    }

    #[test]
    fn a_page_without_bars_says_nothing_of_more_than_was_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let kind = Kind::Bars(Interval::HOUR);
        // Two hundred hours without a trade, from the hundredth on.
        let got = downloaded(folder.path(), "okx:BTC/USDT", kind, (0, Some(600 * HOUR)), |r| {
            okx(r, 2_000 * HOUR, 100 * HOUR..300 * HOUR)
        });
        assert_eq!(got.rows_added, 400);
    }

    #[test]
    fn what_is_not_final_by_the_venues_clock_is_asked_for_again() {
        let folder = tempfile::tempdir().expect("a folder");
        // Ours is half a century ahead of this venue's.
        let at = |kind, now: i64| {
            downloaded(folder.path(), "okx:BTC/USDT:USDT", kind, (DAY, None), move |r| okx(r, now, 0..0)).rows_added
        };
        let bars = Kind::Bars(Interval::HOUR);
        assert_eq!(at(bars, 2 * DAY + HOUR / 2), 24, "the open bar is not among them");
        assert_eq!(at(bars, 2 * DAY + HOUR + 1_000), 0, "closed a second ago");
        assert_eq!(at(bars, 2 * DAY + HOUR + 3_000), 1);
        assert_eq!(at(Kind::Funding, 2 * DAY + 5_000), 24, "the settlement of five seconds ago may not be listed yet");
        assert_eq!(at(Kind::Funding, 2 * DAY + HOUR / 2), 1);
        assert_eq!(at(Kind::Funding, DAY), 0, "nothing is final yet");
    }

    /// Kraken gives its newest 720 bars, whatever is asked for.
    fn kraken(request: &Request, now: i64) -> String {
        if request.path.ends_with("Time") {
            return format!(r#"{{"error":[],"result":{{"unixtime":{now}}}}}"#);
        }
        let (open, since) = (now / 60 * 60, number(request, "since"));
        let row = |t: i64| format!(r#"[{t},"1.0","3.0","0.5","2.0","1.5","4.25",9]"#);
        let rows: Vec<String> = (0..720).rev().map(|n| open - n * 60).filter(|t| *t > since).map(row).collect();
        format!(r#"{{"error":[],"result":{{"XXBTZUSD":[{}],"last":{}}}}}"#, rows.join(","), open - 60)
    }

    #[test]
    fn what_a_venue_does_not_keep_is_told_and_stays_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (now, kind) = (10 * DAY / 1_000 + 30, Kind::Bars(Interval::MINUTE));
        let get = |span| downloaded(folder.path(), "kraken:BTC/USD", kind, span, move |r| kraken(r, now));
        let got = get((8 * DAY, None));
        let oldest = 10 * DAY - 719 * 60_000;
        let stretch =
            |from: i64, to: i64| vec![Unserved { from: Ts::from_millis(from).into(), to: Ts::from_millis(to).into() }];
        assert_eq!((got.rows_added, &got.unserved), (719, &stretch(8 * DAY, oldest)));
        let catalog = Catalog::open_or_create(folder.path()).expect("a catalog");
        let (from, to) = (Ts::from_millis(8 * DAY), Ts::from_millis(10 * DAY));
        let missing = catalog.missing(&got.symbol, kind, from, to).expect("read");
        assert_eq!(missing, [(from, Ts::from_millis(oldest))], "another source may fill it");
        let older = get((8 * DAY, Some(9 * DAY)));
        assert_eq!((older.rows_added, older.unserved), (0, stretch(8 * DAY, 9 * DAY)));
    }
}
