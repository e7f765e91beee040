//! Binance's public archive into the catalog: monthly files where a month is over, else daily ones, each checked
//! against the archive's own SHA-256 before it is imported. A file that the catalog has is not fetched again.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bellwether_sdk::Ts;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use sha2::{Digest, Sha256};

use super::RunError;
use super::download::{DownloadPlan, DownloadReport};
use super::market;
use super::paper::wall_now;
use crate::config::Settings;
use crate::data::{Catalog, Format, ImportSpec, import};
use crate::exchange::Product;
use crate::market::Kind;

/// A file that arrives otherwise than its checksum says is fetched so often.
const TRIES: u32 = 3;

/// One file of the archive: its path below the base, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    path: String,
    name: String,
    /// The days instead, where the archive does not have the month.
    days: Vec<Part>,
}

/// What stands for a kind in the archive's paths.
struct Names<'a> {
    market: &'static str,
    /// Folder of the kind, e.g. `klines`.
    kind: &'static str,
    symbol: &'a str,
    /// What stands in the file's name, and for bars as a folder: `1m`, `aggTrades`.
    word: String,
    monthly_only: bool,
}

impl Names<'_> {
    fn part(&self, every: &str, date: &str) -> Part {
        let Self { market, kind, symbol, word, .. } = self;
        let name = format!("{symbol}-{word}-{date}.zip");
        let folder = if *kind == "klines" { format!("{symbol}/{word}") } else { (*symbol).to_owned() };
        Part { path: format!("data/{market}/{every}/{kind}/{folder}/{name}"), name, days: Vec::new() }
    }

    /// The files that hold `[from, to)`: whole months that are over, single days of the others.
    fn parts(&self, from: Date, to: Date, today: Date) -> Result<Vec<Part>, jiff::Error> {
        let mut parts = Vec::new();
        let mut month = from.first_of_month();
        while month < to {
            let next = month.checked_add(1.month())?;
            let text = format!("{:04}-{:02}", month.year(), month.month());
            let mut days = Vec::new();
            let mut day = month.max(from);
            while !self.monthly_only && day < next.min(to).min(today) {
                days.push(self.part("daily", &day.to_string()));
                day = day.checked_add(1.day())?;
            }
            // A month is published as one file in the first days of the next.
            let whole = self.monthly_only || (month >= from && next <= to);
            if whole && next <= today {
                parts.push(Part { days, ..self.part("monthly", &text) });
            } else {
                parts.extend(days);
            }
            month = next;
        }
        Ok(parts)
    }
}

/// Fetches what the archive has of a plan.
///
/// # Errors
/// [`RunError`]; files before it are stored.
pub(super) async fn fetch(
    settings: &Settings,
    plan: &DownloadPlan,
    catalog: &mut Catalog,
    report: &mut DownloadReport,
    progress: &mut dyn FnMut(u64, u64),
    stop: &AtomicBool,
) -> Result<(), RunError> {
    let symbol = &plan.instrument;
    let product = market::product_of(symbol)?;
    if symbol.venue() != "binance" {
        return Err(RunError::Settings(format!("{} has no archive of files here; use its endpoints", symbol.venue())));
    }
    let (venue, _) = market::open(settings, symbol.venue(), product)?;
    let name = venue.guess_name(symbol);
    let names = names(plan, product, &name)?;
    let date = |ts: Ts| Timestamp::from_nanosecond(i128::from(ts.nanos())).map(|t| TimeZone::UTC.to_datetime(t).date());
    let wrong = |e: jiff::Error| RunError::Settings(e.to_string());
    let now = wall_now();
    let end = plan.to.unwrap_or(now).min(now);
    let today = date(now).map_err(wrong)?;
    let last = date(end.plus(-1)).and_then(|d| d.checked_add(1.day())).map_err(wrong)?;
    let mut parts = names.parts(date(plan.from).map_err(wrong)?, last, today).map_err(wrong)?;
    parts.reverse();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(60));
    // The process keeps the provider that was installed first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = client.build().map_err(|e| RunError::Venue(e.to_string()))?;
    let base = settings.data.archive_url.trim_end_matches('/');
    let folder = tempfile::tempdir().map_err(|e| RunError::Data(format!("making a temporary folder: {e}")))?;
    let mut total = parts.len() as u64;
    let mut done = 0;
    while let Some(part) = parts.pop() {
        if stop.load(Ordering::Relaxed) {
            return Err(RunError::Interrupted);
        }
        progress(done, total);
        done += 1;
        if catalog.has_source(symbol, plan.kind, &part.name) {
            continue;
        }
        let path = folder.path().join(&part.name);
        if !get(&client, base, &part, &path).await? {
            if part.days.is_empty() {
                report.files_absent.push(part.name);
            } else {
                total += part.days.len() as u64;
                parts.extend(part.days.into_iter().rev());
            }
            continue;
        }
        report.requests += 1;
        let spec = ImportSpec {
            kind: Some(plan.kind),
            interval: plan.kind.interval(),
            ..ImportSpec::new(Format::Binance, symbol.clone())
        };
        let stored = import(catalog, &spec, std::slice::from_ref(&path), &mut |_| {}, stop);
        // It is read; the folder goes at the end anyway.
        let _ = std::fs::remove_file(&path);
        report.rows_added += stored?.rows_added;
    }
    progress(total, total);
    Ok(())
}

fn names<'a>(plan: &DownloadPlan, product: Product, symbol: &'a str) -> Result<Names<'a>, RunError> {
    let market = match product {
        Product::Spot => "spot",
        Product::Linear => "futures/um",
    };
    let (kind, word, monthly_only) = match plan.kind {
        Kind::Bars(interval) => ("klines", interval.to_string(), false),
        Kind::Trades if plan.single_trades => ("trades", "trades".to_owned(), false),
        Kind::Trades => ("aggTrades", "aggTrades".to_owned(), false),
        Kind::Funding if product == Product::Linear => ("fundingRate", "fundingRate".to_owned(), true),
        other => return Err(RunError::Settings(format!("the archive has no {other} of {}", plan.instrument))),
    };
    Ok(Names { market, kind, symbol, word, monthly_only })
}

/// Fetches a file and holds it against its checksum; false where the archive does not have it.
async fn get(client: &reqwest::Client, base: &str, part: &Part, to: &Path) -> Result<bool, RunError> {
    let url = format!("{base}/{}", part.path);
    let mut last = String::new();
    for tried in 0..TRIES {
        if tried > 0 {
            tokio::time::sleep(Duration::from_millis(500 << tried)).await;
        }
        let told = match body(client, &format!("{url}.CHECKSUM")).await {
            Ok(Some(told)) => told,
            Ok(None) => return Ok(false),
            Err(why) => {
                last = why;
                continue;
            }
        };
        let told = String::from_utf8_lossy(&told).split_whitespace().next().unwrap_or_default().to_lowercase();
        match body(client, &url).await {
            Ok(Some(bytes)) => {
                let found = crate::orders::hex(&Sha256::digest(&bytes));
                if found == told {
                    std::fs::write(to, bytes).map_err(|e| RunError::Data(format!("writing {}: {e}", to.display())))?;
                    return Ok(true);
                }
                last = format!("its SHA-256 is {found}, the archive says {told}");
            }
            Ok(None) => return Ok(false),
            Err(why) => last = why,
        }
    }
    Err(RunError::Venue(format!("fetching {url}, {TRIES} times: {last}")))
}

/// The body of an answer; `None` for 404.
async fn body(client: &reqwest::Client, url: &str) -> Result<Option<Vec<u8>>, String> {
    let mut answer = client.get(url).send().await.map_err(|e| e.to_string())?;
    if answer.status() == reqwest::StatusCode::NOT_FOUND {
        return Ok(None);
    }
    if !answer.status().is_success() {
        return Err(format!("the status is {}", answer.status()));
    }
    let mut bytes = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|e| e.to_string())? {
        bytes.extend_from_slice(&part);
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_months_come_as_one_file_and_the_rest_by_the_day() {
        let names =
            Names { market: "spot", kind: "klines", symbol: "BTCUSDT", word: "1m".to_owned(), monthly_only: false };
        let date = |text: &str| text.parse::<Date>().expect("a date");
        let parts = names.parts(date("2024-01-30"), date("2024-03-03"), date("2024-03-02")).expect("parts");
        let shown: Vec<&str> = parts.iter().map(|p| p.name.as_str()).collect();
        let days = ["BTCUSDT-1m-2024-01-30.zip", "BTCUSDT-1m-2024-01-31.zip"];
        assert_eq!(shown, [&days[..], &["BTCUSDT-1m-2024-02.zip", "BTCUSDT-1m-2024-03-01.zip"]].concat());
        assert_eq!(parts[2].days.len(), 29);
        assert_eq!(parts[2].path, "data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-02.zip");
        let trades = Names { kind: "aggTrades", word: "aggTrades".to_owned(), ..names };
        assert_eq!(
            trades.part("daily", "2024-01-30").path,
            "data/spot/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-01-30.zip"
        );
    }
}
