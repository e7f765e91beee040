//! `signals evaluate`: what a series was worth before anybody trades it.

use std::path::PathBuf;

use bellwether::report::evaluation;
use bellwether::run::{self, EvaluateSpec};
use bellwether::signal::Measure;
use bellwether_sdk::{Interval, Symbol};
use clap::Args;
use serde::Serialize;

use crate::args::Global;
use crate::failure::Failure;
use crate::{out, plan};

/// `signals evaluate`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether signals evaluate research
  bellwether signals evaluate research.csv --delay 60 --interval 1d --report research.html")]
pub(crate) struct EvaluateArgs {
    /// A stored series (`bellwether signals list`), or a file.
    series: String,
    /// Which instrument.
    #[arg(long, default_value = "binance:BTC/USDT")]
    instrument: Symbol,
    /// Which bars.
    #[arg(long, default_value = "1h")]
    interval: Interval,
    /// Measure this feature's values instead of signals.
    #[arg(long, value_name = "NAME")]
    feature: Option<String>,
    /// Horizons in bars.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 4, 8, 24, 72, 168])]
    horizons: Vec<usize>,
    /// Fee and slippage of one trade, basis points.
    #[arg(long, default_value_t = 10.0, value_name = "BPS")]
    cost_bps: f64,
    /// Seconds from a row's `made` until it could be known, where a file does not say `received`.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    delay: u64,
    /// Seed of the baseline's rotations.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder of stored market data [default: backtest-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Also write one HTML file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Evaluation<'a> {
    schema_version: u32,
    series: &'a str,
    instrument: &'a str,
    interval: String,
    cost_bps: f64,
    #[serde(flatten)]
    measure: &'a Measure,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &EvaluateArgs) -> Result<(), Failure> {
    let dir = match &args.data {
        Some(dir) => dir.clone(),
        None => plan::settings(global)?.settings.data.dir,
    };
    let mut horizons: Vec<usize> = args.horizons.iter().copied().filter(|h| *h > 0).collect();
    horizons.sort_unstable();
    horizons.dedup();
    let spec = EvaluateSpec {
        series: args.series.clone(),
        symbol: args.instrument.clone(),
        interval: args.interval,
        feature: args.feature.clone(),
        horizons,
        cost_bps: args.cost_bps,
        delay_s: args.delay,
        seed: args.seed,
    };
    let measure = run::evaluate(&dir, &spec)?;
    let title = format!("{} on {} by {} bars", args.series, args.instrument, args.interval);
    if let Some(path) = &args.report {
        out::write_file(path, evaluation::html(&title, &measure).as_bytes())?;
    }
    if !args.json {
        return out::answer(&evaluation::text(&title, &measure));
    }
    out::json(&Evaluation {
        schema_version: 1,
        series: &args.series,
        instrument: args.instrument.as_str(),
        interval: args.interval.to_string(),
        cost_bps: args.cost_bps,
        measure: &measure,
    })
}
