//! `runs list|show|report|export`: what is stored of past runs.

use std::path::PathBuf;

use bellwether::host::Registry;
use bellwether::report::{export, html, terminal};
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, record};

/// `runs`
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// List stored runs, newest first.
    #[command(after_help = "Examples:\n  bellwether runs list\n  bellwether runs list --json")]
    List {
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a stored run.
    #[command(after_help = "Examples:\n  bellwether runs show last\n  bellwether runs show last --json")]
    Show {
        /// An id, a beginning of one, `last`, or a file of `backtest --json`.
        run: String,
        /// Answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run a stored run again and write its HTML report.
    #[command(after_help = "Examples:\n  bellwether runs report last report.html")]
    Report {
        /// An id, a beginning of one, `last`, or a file of `backtest --json`.
        run: String,
        /// The file to write.
        file: PathBuf,
        /// Folder of stored market data, if it is not where it was.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// Export a table of a stored run.
    #[command(after_help = "\
Examples:
  bellwether runs export last --table trades
  bellwether runs export last --table equity --out equity.parquet")]
    Export(ExportArgs),
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// An id, a beginning of one, `last`, or a file of `backtest --json`.
    run: String,
    /// Which table.
    #[arg(long, value_enum, default_value = "trades")]
    table: TableName,
    /// Which format [default: what the file's name ends with, else csv].
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The file to write; CSV goes to stdout without one.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TableName {
    /// Closed trades.
    Trades,
    /// Executions.
    Fills,
    /// Orders.
    Orders,
    /// The equity curve.
    Equity,
    /// Every calendar day with its return.
    Daily,
}

impl From<TableName> for export::Table {
    fn from(name: TableName) -> Self {
        match name {
            TableName::Trades => Self::Trades,
            TableName::Fills => Self::Fills,
            TableName::Orders => Self::Orders,
            TableName::Equity => Self::Equity,
            TableName::Daily => Self::Daily,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Comma-separated text.
    Csv,
    /// Parquet.
    Parquet,
}

impl From<Format> for export::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Parquet => Self::Parquet,
        }
    }
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &RunsArgs, registry: &Registry) -> Result<(), Failure> {
    match &args.command {
        RunsCommand::List { json } => list(global, *json),
        RunsCommand::Show { run, json } => {
            let document = record::find(global, run)?;
            match json {
                true => out::document(&document),
                false => out::answer(&terminal::render(&document, out::terminal())),
            }
        }
        RunsCommand::Report { run, file, data } => {
            let stored = record::find(global, run)?;
            let (report, document) = record::rerun(&stored, registry, data.as_deref())?;
            if document.run.order_hash != stored.run.order_hash {
                return Err(Failure::new(
                    Code::Different,
                    format!("run {} cannot be repeated: it makes other orders now", stored.run.id),
                )
                .help(format!("`bellwether verify {}` says what differs", stored.run.id)));
            }
            out::write_file(file, html::render(&stored, Some(&report.outcome)).as_bytes())?;
            out::answer(&format!("Report: {}", file.display()))
        }
        RunsCommand::Export(args) => export(global, args),
    }
}

fn list(global: &Global, json: bool) -> Result<(), Failure> {
    let listing = record::store(global)?.list()?;
    for damaged in &listing.damaged {
        out::tell(&format!("warning: {damaged}"));
    }
    if json {
        return out::json(&json!({"schema_version": 1, "runs": listing.runs}));
    }
    if listing.runs.is_empty() {
        return out::answer("no runs yet; `bellwether backtest` makes one");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "run",
        "instruments",
        "fills",
        "return %",
        "max dd %",
        "sharpe",
        "trades",
    ]);
    let number = |v: Option<f64>| v.map_or("-".to_owned(), |v| format!("{v:.2}"));
    for run in &listing.runs {
        table.add_row([
            run.id.clone(),
            run.instruments.join(", "),
            run.fill_profile.clone(),
            number(run.return_pct),
            number(run.max_drawdown_pct),
            number(run.sharpe_daily_365),
            run.trades.to_string(),
        ]);
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    out::answer(&table.to_string())
}

fn export(global: &Global, args: &ExportArgs) -> Result<(), Failure> {
    let document = record::find(global, &args.run)?;
    let named = args.out.as_deref().and_then(out::is_parquet);
    let named = named.map(|yes| if yes { Format::Parquet } else { Format::Csv });
    let format = out::one_format(args.format, named, Format::Csv)?;
    if format == Format::Parquet && args.out.is_none() {
        return Err(Failure::new(Code::Usage, "Parquet is not for a terminal").help("name a file with --out FILE"));
    }
    let mut bytes = Vec::new();
    export::write(&document, args.table.into(), format.into(), &mut bytes)?;
    match &args.out {
        Some(path) => {
            out::write_file(path, &bytes)?;
            out::answer(&format!("{}: written", path.display()))
        }
        None => out::answer(&String::from_utf8_lossy(&bytes)),
    }
}
