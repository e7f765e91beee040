//! `data resample`: coarser bars of what is stored.

use bellwether::data::resample;
use bellwether_sdk::Interval;
use clap::Args;

use super::{Place, Which, shown};
use crate::args::Global;
use crate::failure::Failure;
use crate::{out, progress};

/// `data resample`
#[derive(Debug, Args)]
#[command(after_help = "\
Bars are half-open and begin at whole multiples of their interval since 1970, UTC. Backtests build coarser bars by
themselves; this is for keeping them.

Examples:
  bellwether data resample --data my-data --instrument binance:BTC/USDT --interval 1h --to 4h
  bellwether data resample --data my-data --instrument binance:BTC/USDT --kind trades --to 1m --json")]
pub(super) struct ResampleArgs {
    #[command(flatten)]
    which: Which,
    /// Interval of the bars to make.
    #[arg(long, value_name = "INTERVAL")]
    to: Interval,
    #[command(flatten)]
    place: Place,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(global: &Global, args: &ResampleArgs) -> Result<(), Failure> {
    let mut catalog = args.place.open(global)?;
    let series = args.which.one(&catalog)?;
    let report = progress::watched("resample", |w| resample(&mut catalog, &series.symbol, series.kind, args.to, w))?;
    if args.json {
        return out::json(&report);
    }
    out::answer(&format!(
        "{}: {} {} made of {} {}, {} rows",
        shown(catalog.dir()),
        report.bars,
        report.to,
        report.symbol,
        report.from,
        report.rows_read
    ))
}
