//! `data import`: foreign files into the store.

use std::path::PathBuf;

use bellwether::data::{Catalog, FileReport, Format, ImportReport, ImportSpec, Progress, TimeUnit, import};
use bellwether::market::Kind;
use bellwether_sdk::{Interval, Symbol};
use clap::Args;

use super::{AnyKind, Place, any_kind, shown};
use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{interrupt, out, progress};

/// `data import`
#[derive(Debug, Args)]
#[command(after_help = "\
Files may be plain, .gz, .zst or .zip. What cannot be parsed is refused with file and line, and nothing is written; gaps,
disorder, duplicates and the like are imported, counted and named. Importing the same file again changes nothing.

Examples:
  bellwether data import --format binance --instrument binance:BTC/USDT --data my-data BTCUSDT-1h-2024-01.zip
  bellwether data import --format csv --instrument us:AAPL/USD --interval 1d --columns ts=date,close=AAPL --data my-data prices.csv
  bellwether data import --format freqtrade --instrument binance:ETH/USDT --interval 5m --data my-data ETH_USDT-5m.feather")]
pub(super) struct ImportArgs {
    /// Family of formats: csv, binance, freqtrade, tardis or parquet.
    #[arg(long)]
    format: Format,
    /// Whose data it is, e.g. binance:BTC/USDT.
    #[arg(long, visible_alias = "symbol", value_name = "SYMBOL")]
    instrument: Symbol,
    /// What the rows are: trades, quotes, bars, depth or funding [default: as the columns tell].
    #[arg(long, value_name = "KIND", value_parser = any_kind)]
    kind: Option<AnyKind>,
    /// Interval of bars [default: the most frequent step].
    #[arg(long, visible_alias = "timeframe", value_name = "INTERVAL")]
    interval: Option<Interval>,
    /// Which column means what, e.g. ts=date,close=AAPL.
    #[arg(long, value_name = "MAP")]
    columns: Option<String>,
    /// Unit of integer times: s, ms, us or ns [default: as the column's name or the first value tells].
    #[arg(long, value_name = "UNIT")]
    time_unit: Option<TimeUnit>,
    /// Milliseconds added to the venue's time where there is no time of reception.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency_ms: u32,
    /// Refuse what is odd instead of storing, counting and naming it.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    place: Place,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Runs the command.
pub(super) fn run(global: &Global, args: &ImportArgs) -> Result<(), Failure> {
    let spec = ImportSpec {
        kind: known_kind(args)?,
        bars: args.kind == Some(AnyKind::Bars),
        interval: args.interval,
        columns: args.columns.clone(),
        time_unit: args.time_unit,
        latency_ns: i64::from(args.latency_ms) * 1_000_000,
        strict: args.strict,
        ..ImportSpec::new(args.format, args.instrument.clone())
    };
    let dir = args.place.dir(global)?;
    let stop = interrupt::listen()?;
    let mut catalog = Catalog::open_or_create(&dir)?;
    let bar = progress::bytes("import");
    let mut told = |p: Progress| {
        bar.set_length(p.total);
        bar.set_position(p.bytes);
    };
    let report = import(&mut catalog, &spec, &args.files, &mut told, stop);
    bar.finish_and_clear();
    let report = report?;
    if args.json { out::json(&report) } else { out::answer(&text(&report, &shown(&dir))) }
}

fn known_kind(args: &ImportArgs) -> Result<Option<Kind>, Failure> {
    match (args.kind, args.interval) {
        (None, _) => Ok(None),
        (Some(AnyKind::Bars), interval) => Ok(interval.map(Kind::Bars)),
        (Some(AnyKind::Kind(kind)), Some(interval)) if kind.interval() != Some(interval) => {
            Err(Failure::new(Code::Usage, format!("--kind {kind} and --interval {interval} do not go together"))
                .help("--interval is for bars; leave one of the two out"))
        }
        (Some(AnyKind::Kind(kind)), _) => Ok(Some(kind)),
    }
}

fn text(report: &ImportReport, dir: &str) -> String {
    let mut lines: Vec<String> = report.files.iter().map(|f| told(f, &report.symbol)).collect();
    for seams in &report.seams {
        let where_ = match report.files.len() {
            1 => "between the file and what is stored",
            _ => "between the files and what is stored",
        };
        lines.push(format!("{} {}, {where_}:", report.symbol, seams.kind));
        lines.extend(seams.findings.iter().map(|f| format!("  odd: {f}")));
    }
    lines.push(match report.unchanged {
        true => format!("{dir}: unchanged, it had all of it"),
        false => format!("{dir}: {} rows added", report.rows_added),
    });
    lines.join("\n")
}

fn told(file: &FileReport, symbol: &Symbol) -> String {
    let mut text = format!(
        "{}: {symbol} {}, {} rows from {} to {}",
        file.name, file.kind, file.rows_read, file.first.utc, file.last.utc
    );
    if file.known {
        text.push_str("; imported before");
    } else {
        text.push_str(&format!("; {} added", file.rows_added));
        let counts = [(file.rows_known, "known"), (file.rows_repeated, "repeated"), (file.rows_skipped, "skipped")];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    if !file.columns_unused.is_empty() {
        text.push_str(&format!("\n  columns left out: {}", file.columns_unused.join(", ")));
    }
    if file.no_volume {
        text.push_str("\n  its bars have no volume");
    }
    for finding in &file.findings {
        let word = if finding.kind.refused_when_strict() { "odd" } else { "note" };
        text.push_str(&format!("\n  {word}: {finding}"));
    }
    text
}
