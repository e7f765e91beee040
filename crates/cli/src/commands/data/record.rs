//! `data record`: a venue's live feed into the store.

use std::time::Duration;

use bellwether::market::Kind;
use bellwether::run::{RecordPlan, RecordReport, record};
use bellwether_sdk::{Interval, Symbol};
use clap::Args;

use super::{Place, shown};
use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{interrupt, out, plan, progress};

/// `data record`
#[derive(Debug, Args)]
#[command(after_help = "\
What comes is committed every few seconds in whole batches; Ctrl-C commits the rest and ends.

Examples:
  bellwether data record --instrument binance:BTC/USDT --kind trades,quotes,depth --for 1h --data my-data
  bellwether data record --instrument kraken:BTC/USD --kind depth --data my-data
  bellwether data record --instrument binance:BTC/USDT:USDT --kind trades,funding --data my-data")]
pub(super) struct RecordArgs {
    /// Whose data, e.g. binance:BTC/USDT; repeat for more.
    #[arg(long, visible_alias = "symbol", value_name = "SYMBOL", required = true)]
    instrument: Vec<Symbol>,
    /// What: trades, quotes, depth, of perpetuals funding; several with commas.
    #[arg(long, value_name = "KINDS", value_delimiter = ',', default_value = "trades")]
    kind: Vec<Kind>,
    /// End after so long: 60s, 15m, 8h [default: until stopped].
    #[arg(long = "for", value_name = "TIME")]
    ends_after: Option<Interval>,
    /// How often what came is committed.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    every: Interval,
    /// REST address instead of the settings'.
    #[arg(long, value_name = "URL")]
    rest_url: Option<String>,
    /// Socket address instead of the settings'.
    #[arg(long, value_name = "URL")]
    ws_url: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(global: &Global, args: &RecordArgs) -> Result<(), Failure> {
    if let Some(kind) = args.kind.iter().find(|k| matches!(k, Kind::Bars(_))) {
        return Err(Failure::new(
            Code::Usage,
            format!("{kind} are not recorded; there are trades, quotes, depth, funding"),
        )
        .help("`bellwether data download` fetches bars afterwards"));
    }
    let mut settings = plan::settings(global)?.settings;
    for symbol in &args.instrument {
        super::rest_url(&mut settings, symbol, args.rest_url.as_deref(), args.ws_url.as_deref());
    }
    let duration = |i: Interval| Duration::from_nanos(i.nanos().unsigned_abs());
    let mut kinds = args.kind.clone();
    kinds.sort_unstable();
    kinds.dedup();
    let plan = RecordPlan {
        instruments: args.instrument.clone(),
        kinds,
        ends_after: args.ends_after.map(duration),
        commit_every: duration(args.every),
        data: args.place.dir(global)?,
    };
    let stop = interrupt::listen()?;
    let line = progress::line();
    let mut told = |rows: u64, note: &str| line.set_message(format!("{rows} rows  {note}"));
    let report = record(&settings, &plan, &mut told, stop);
    line.finish_and_clear();
    let report = report.map_err(|e| super::kept(&e))?;
    if args.json { out::json(&report) } else { out::answer(&text(&report, &shown(&plan.data))) }
}

fn text(report: &RecordReport, dir: &str) -> String {
    let mut lines = Vec::new();
    for series in &report.series {
        lines.push(format!("{dir}: {} {}: {} rows added", series.symbol, series.kind, series.rows));
    }
    if report.series.is_empty() {
        lines.push(format!("{dir}: nothing came"));
    }
    lines.extend(report.notes.iter().map(|n| format!("note: {n}")));
    lines.join("\n")
}
