//! `data remove`: a series out of the store, for good.

use bellwether_sdk::{Interval, Symbol};
use clap::Args;
use serde_json::json;

use super::{AnyKind, Place, Which, any_kind, shown};
use crate::args::Global;
use crate::failure::Failure;
use crate::out;

/// `data remove`
#[derive(Debug, Args)]
#[command(after_help = "\
Without --yes it says what would go, and removes nothing.

Examples:
  bellwether data remove --data my-data --instrument binance:BTC/USDT --kind bars-1h
  bellwether data remove --data my-data --instrument binance:BTC/USDT --kind trades --yes --json")]
pub(super) struct RemoveArgs {
    /// Whose data, e.g. binance:BTC/USDT.
    #[arg(long, visible_alias = "symbol", value_name = "SYMBOL")]
    instrument: Symbol,
    /// Kind of data: trades, quotes, bars, bars-1h, depth or funding.
    #[arg(long, value_name = "KIND", value_parser = any_kind)]
    kind: AnyKind,
    /// Interval of bars.
    #[arg(long, visible_alias = "timeframe", value_name = "INTERVAL")]
    interval: Option<Interval>,
    /// Remove it.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: Place,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(global: &Global, args: &RemoveArgs) -> Result<(), Failure> {
    let mut catalog = args.place.open(global)?;
    let which = Which { instrument: Some(args.instrument.clone()), kind: Some(args.kind), interval: args.interval };
    let mut series = which.one(&catalog)?;
    if args.yes {
        series = catalog.remove(&series.symbol, series.kind)?;
    }
    if args.json {
        return out::json(&json!({
            "schema_version": 1, "symbol": series.symbol.as_str(), "kind": series.kind.to_string(),
            "rows": series.rows, "files": series.files, "bytes": series.bytes, "removed": args.yes,
        }));
    }
    let end = if args.yes { "removed" } else { "would go; `--yes` removes them" };
    out::answer(&format!(
        "{}: {} {}, {} rows in {} files, {} KiB: {end}",
        shown(catalog.dir()),
        series.symbol,
        series.kind,
        series.rows,
        series.files,
        series.bytes.div_ceil(1024)
    ))
}
