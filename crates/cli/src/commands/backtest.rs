//! `backtest`: runs strategies on stored data, once or over a grid, and reports.

use std::path::PathBuf;

use bellwether::host::Registry;
use bellwether::run;
use clap::Args;

use crate::args::{Global, RunArgs};
use crate::failure::Failure;
use crate::{interrupt, out, plan};

/// `backtest`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether backtest
  bellwether backtest --strategy ema_cross --set strategy.fast=10 --set strategy.slow=50
  bellwether backtest --instrument binance:SOL/USDT --interval 1h --from 2024-01-01 --to 2025-01-01
  bellwether backtest --set strategy.fast=5:30:5 --set strategy.slow=40,80
  bellwether backtest --config config/default.toml --json > run.json
  bellwether backtest --report report.html")]
pub(crate) struct BacktestArgs {
    #[command(flatten)]
    run: RunArgs,
    /// Print one JSON document instead of tables (`bellwether schema backtest` describes it).
    #[arg(long)]
    json: bool,
    /// Also write the report as one HTML file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Do not keep the run in the state folder.
    #[arg(long)]
    no_save: bool,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &BacktestArgs, registry: &Registry) -> Result<(), Failure> {
    let plan = plan::plan(global, &args.run, registry)?;
    let stop = interrupt::listen()?;
    let report = run::backtest(&plan.settings, registry, stop)?;
    out::answer(&report.outcome.order_hash)
}
