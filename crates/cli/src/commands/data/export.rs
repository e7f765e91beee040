//! `data export`: rows of a series as a file for other tools.

use std::path::PathBuf;

use bellwether::config::parse_time;
use bellwether::data::{ExportFormat, export};
use bellwether_sdk::Ts;
use clap::Args;

use super::{Place, Which, shown};
use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, progress};

/// `data export`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether data export --instrument binance:BTC/USDT --interval 1h --from 2023-01-01 --out btc.csv
  bellwether data export --instrument binance:BTC/USDT --kind trades --out trades.parquet")]
pub(super) struct ExportArgs {
    #[command(flatten)]
    which: Which,
    /// Start, inclusive, UTC.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// End, exclusive, UTC.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// csv or parquet [default: what the file's name ends with, else csv].
    #[arg(long)]
    format: Option<ExportFormat>,
    /// The file to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(global: &Global, args: &ExportArgs) -> Result<(), Failure> {
    let read = |flag: &str, text: &Option<String>, default: Ts| match text {
        None => Ok(default),
        Some(text) => parse_time(text).map_err(|why| Failure::new(Code::Usage, format!("reading {flag}: {why}"))),
    };
    let range = read("--from", &args.from, Ts::NONE)?..read("--to", &args.to, Ts::MAX)?;
    let catalog = args.place.open(global)?;
    let series = args.which.one(&catalog)?;
    let named = out::is_parquet(&args.out).map(|yes| if yes { ExportFormat::Parquet } else { ExportFormat::Csv });
    let format = out::one_format(args.format, named, ExportFormat::Csv)?;
    let report =
        progress::watched("export", |w| export(&catalog, &series.symbol, series.kind, range, format, &args.out, w))?;
    if args.json {
        return out::json(&report);
    }
    out::answer(&format!("{}: {} rows of {} {}", shown(&report.path), report.rows, report.symbol, report.kind))
}
