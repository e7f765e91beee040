//! `backtest`: runs strategies on stored data, once or over a grid, and reports.

use std::path::{Path, PathBuf};

use bellwether::host::Registry;
use bellwether::report::{Document, RunStore, html, terminal};
use bellwether::run;
use clap::Args;

use crate::args::{Global, RunArgs};
use crate::failure::{Code, Failure};
use crate::plan::{Of, Plan, plan};
use crate::{commands::grid, interrupt, out, record, shipped, steps};

/// `backtest`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether backtest
  bellwether backtest --strategy ema_cross --set strategy.fast=10 --set strategy.slow=50
  bellwether backtest --instrument binance:SOL/USDT --interval 1h --from 2024-01-01 --to 2025-01-01
  bellwether backtest --set strategy.fast=5:30:5 --set strategy.slow=40,80
  bellwether backtest --config config/strategies/ema_cross.toml --json > run.json
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
    let mut plan = plan(global, &args.run, registry, Of::Backtest)?;
    shipped::stand_in(global, &mut plan.settings.data.dir)?;
    if !plan.axes.is_empty() {
        if args.report.is_some() {
            return Err(Failure::new(Code::Usage, "--report is for one run, and a range or list makes a grid of many")
                .help("run the variant you like with single values and --report"));
        }
        return grid::run(&plan, registry, args.json);
    }
    single(global, args, &plan, registry)
}

fn single(global: &Global, args: &BacktestArgs, plan: &Plan, registry: &Registry) -> Result<(), Failure> {
    if let Some(path) = &args.report {
        writable(path)?;
    }
    // Before the run: a folder that cannot be made should not cost one.
    let state = if args.no_save { None } else { Some(record::state(global)?) };
    let store = state.as_deref().map(RunStore::new);
    tracing::info!(data = %plan.settings.data.dir.display(), strategies = plan.settings.strategy.len(), "backtest begins");
    let report = run::backtest(&plan.settings, registry, interrupt::listen()?)?;
    tracing::info!(
        events = report.outcome.events,
        engine_cpu_seconds = report.engine_cpu_seconds,
        wall_seconds = report.wall_seconds,
        "backtest ends"
    );
    let command = record::shell_line(record::typed());
    let document = record::document(&report, &plan.settings, registry, command, state.as_deref())?;
    if let Some(path) = &args.report {
        out::write_file(path, html::render(&document, Some(&report.outcome)).as_bytes())?;
    }
    let saved = store.map(|s| s.save(&document, None)).transpose();
    if let Ok(Some(path)) = &saved {
        tracing::info!(path = %path.display(), "run stored");
    }
    answer(global, args, &document, matches!(saved, Ok(Some(_))), registry)?;
    crate::plugins::none_stopped(&report)?;
    saved.map(|_| ()).map_err(|e| {
        let failure = Failure::from(e).prefixed("storing the run: ");
        failure.help("make room, or name another folder with --state-dir DIR; --no-save keeps no run")
    })
}

fn answer(
    global: &Global,
    args: &BacktestArgs,
    document: &Document,
    saved: bool,
    registry: &Registry,
) -> Result<(), Failure> {
    if args.json {
        return out::document(document);
    }
    let mut text = terminal::render(document, out::terminal());
    if let Some(path) = &args.report {
        text.push_str(&format!("\nReport: {}\n", path.display()));
    }
    text.push_str(&steps::after_run(global, document, saved, args.report.is_some(), registry));
    out::answer(&text)
}

/// Whether a file may be written there, as far as can be seen without writing.
fn writable(path: &Path) -> Result<(), Failure> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() || !parent.is_dir() {
        let why = if path.is_dir() { "is a folder" } else { "its folder does not exist" };
        return Err(Failure::new(Code::Usage, format!("--report {}: {why}", path.display()))
            .help("name a file in a folder that exists"));
    }
    Ok(())
}
