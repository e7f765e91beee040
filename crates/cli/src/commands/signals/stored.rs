//! `signals import`, `list`, `show`: series of signals and features in the catalog.

use std::path::PathBuf;

use bellwether::data::news;
use bellwether_sdk::Ts;
use clap::Args;
use serde_json::json;

use crate::args::Global;
use crate::failure::Failure;
use crate::{out, plan, watch};

/// `signals import`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether signals import --name research research.csv
  bellwether signals import --name model --delay 60 model.jsonl")]
pub(crate) struct ImportArgs {
    /// The series' name: that of the source.
    #[arg(long)]
    name: String,
    /// Seconds from a row's `made` until it could be known, where it does not say `received`.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    delay: u64,
    /// Folder of stored market data [default: backtest-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    /// CSV with a header, or lines of JSON.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// `signals list`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether signals list --json")]
pub(crate) struct ListArgs {
    /// Folder of stored market data [default: backtest-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `signals show`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether signals show research")]
pub(crate) struct ShowArgs {
    /// Which series.
    name: String,
    /// Folder of stored market data [default: backtest-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one document instead of lines.
    #[arg(long)]
    json: bool,
}

fn folder(global: &Global, data: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    Ok(match data {
        Some(dir) => dir.clone(),
        None => plan::settings(global)?.settings.data.dir,
    })
}

/// Runs `signals import`.
pub(crate) fn import(global: &Global, args: &ImportArgs) -> Result<(), Failure> {
    let dir = folder(global, args.data.as_ref())?;
    let mut lines = Vec::new();
    for file in &args.files {
        lines.extend(news::read_file(file, args.delay)?);
    }
    let count = lines.len();
    let new = news::import(&dir, &args.name, lines)?;
    if args.json {
        return out::json(&json!({"schema_version": 1, "name": args.name, "lines": count, "lines_new": new}));
    }
    out::answer(&format!("{}: {count} lines read, {new} of them new", args.name))
}

/// Runs `signals list`.
pub(crate) fn list(global: &Global, args: &ListArgs) -> Result<(), Failure> {
    let series = news::series(&folder(global, args.data.as_ref())?)?;
    if args.json {
        return out::json(&json!({"schema_version": 1, "series": series}));
    }
    if series.is_empty() {
        return out::answer("no signals are stored; `bellwether signals import` takes them in");
    }
    let when = |at: Ts| if at == Ts::NONE { "unknown".to_owned() } else { watch::time(at) };
    let row = |s: &news::NewsSeries| format!("{}  {} lines  {} to {}", s.name, s.lines, when(s.first), when(s.last));
    out::answer(&series.iter().map(row).collect::<Vec<_>>().join("\n"))
}

/// Runs `signals show`.
pub(crate) fn show(global: &Global, args: &ShowArgs) -> Result<(), Failure> {
    let lines = news::load(&folder(global, args.data.as_ref())?, &args.name)?;
    if lines.is_empty() {
        return Err(Failure::bad(format!("there is no series {:?}", args.name)).help("`bellwether signals list`"));
    }
    if args.json {
        return out::json(&json!({"schema_version": 1, "name": args.name, "lines": lines}));
    }
    lines.iter().try_for_each(out::line)
}
