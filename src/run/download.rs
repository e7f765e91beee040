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
use super::look::{lot_text, notional_text, tick_text};
use super::market;
use super::paper::wall_now;
use crate::config::Settings;
use crate::data::{Batch, Catalog, Intake, StatedRules};
use crate::exchange::machine::Limits;
use crate::exchange::transport::{Live, LiveSettings, Transport};
use crate::exchange::{Ask, Fault, Listings, Reply, Rules, Urls, Venue, VenueError};
use crate::market::Kind;

/// Rows that wait for their commit at most, give or take a page.
const ROWS_PER_COMMIT: usize = 50_000;
/// Time that pages wait for their commit at most.
const COMMIT_EVERY: Duration = Duration::from_secs(10);
/// A page of bars without any: so many intervals are taken to be empty.
const EMPTY_BARS: i64 = 1_000;
/// Funding is asked for in windows of eight days: fewer settlements than any venue's page, even where it settles hourly.
const FUNDING_WINDOW_NS: i64 = 8 * 86_400_000_000_000;
/// A page of trades that is as long as this is taken to be full.
const FULL_PAGE: usize = 1_000;
const MS_NS: i64 = 1_000_000;
/// How often a request that failed without having been answered is repeated.
const TRIES: u32 = 6;

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
    /// Whether the instrument's rules were noted anew in `instruments.json`.
    pub rules_noted: bool,
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
    let now = wall_now();
    let (mut from, mut to) = (plan.from, plan.to.unwrap_or(now).min(now));
    if let Some(interval) = plan.kind.interval() {
        // Whole bars that are complete.
        let floor = from.floor_to(interval);
        from = if floor < from { floor.plus(interval.nanos()) } else { from };
        to = to.floor_to(interval);
    }
    let gaps = catalog.missing(symbol, plan.kind, from, to)?;
    report.rules_noted = note_rules(catalog, &rules, now)?;
    let facts = venue.facts();
    let mut way = Way {
        limits: Limits::new(facts.weight_per_minute, facts.orders_per_10s),
        listings: Listings::new([(InstrumentId(0), rules.clone())]),
        venue,
        urls,
        transport,
        requests: 0,
    };
    let total: i64 = gaps.iter().map(|(a, b)| b.nanos() - a.nanos()).sum();
    let mut done = 0;
    for (from, to) in gaps {
        let mut gap = Gap::new(plan.kind, &rules, from, to);
        let mut committed = Instant::now();
        let ended = loop {
            if stop.load(Ordering::Relaxed) {
                break Err(RunError::Interrupted);
            }
            match gap.page(&mut way, stop).await {
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
        lot: lot_text(rules),
        qty_min: bellwether_sdk::Decimal::new(rules.qty_min.mantissa(), rules.qty_scale).normalized().to_string(),
        notional_min: notional_text(rules),
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
    transport: Live,
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
                Ok(response) => self.venue.reply(ask, &response, &self.listings),
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
}

impl Gap {
    fn new(kind: Kind, rules: &Rules, from: Ts, to: Ts) -> Self {
        let batch = Batch::new(rules.symbol.clone(), kind, rules.price_scale, rules.qty_scale);
        Self { kind, rules: rules.clone(), to, at: from, stored: from, batch }
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
        let wrong = || RunError::Venue("the answer is of another kind than the question".to_owned());
        match self.kind {
            Kind::Bars(interval) => {
                let ask = Ask::Bars(one, interval, self.at, self.to);
                let Reply::Bars(rows) = way.ask(&ask, stop).await? else { return Err(wrong()) };
                let last = rows.last().map(|b| b.ts_open);
                let (at, to) = (self.at, self.to);
                rows.iter().filter(|b| b.ts_open >= at && b.ts_open < to).for_each(|b| self.batch.bar(b));
                let next = match last {
                    Some(last) if last >= at => last.plus(interval.nanos()),
                    _ => at.plus(interval.nanos().saturating_mul(EMPTY_BARS)),
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
