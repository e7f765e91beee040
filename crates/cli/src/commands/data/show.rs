//! `data show`: rows of a series.

use bellwether::config::parse_time;
use bellwether::data::{Place as At, show};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};

use super::{Place, Which};
use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::out;

/// `data show`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether data show --instrument binance:BTC/USDT --interval 1h
  bellwether data show --instrument binance:BTC/USDT --kind trades --tail
  bellwether data show --instrument binance:BTC/USDT --interval 1h --at 2021-05-19T12:00 --rows 24 --json")]
pub(super) struct ShowArgs {
    #[command(flatten)]
    which: Which,
    /// How many rows at most.
    #[arg(long, value_name = "N", default_value_t = 10)]
    rows: usize,
    /// The last rows instead of the first.
    #[arg(long, conflicts_with = "at")]
    tail: bool,
    /// The first rows at or after a time, UTC.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(global: &Global, args: &ShowArgs) -> Result<(), Failure> {
    let at = match &args.at {
        _ if args.tail => At::Tail,
        None => At::Head,
        Some(text) => {
            At::At(parse_time(text).map_err(|why| Failure::new(Code::Usage, format!("reading --at: {why}")))?)
        }
    };
    let catalog = args.place.open(global)?;
    let series = args.which.one(&catalog)?;
    let report = show(&catalog, &series.symbol, series.kind, at, args.rows)?;
    if args.json {
        return out::json(&report);
    }
    // Columns that no row fills are noise on a screen.
    let columns: Vec<&String> =
        report.columns.iter().filter(|c| report.rows.iter().any(|r| r.contains_key(c.as_str()))).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns.iter().map(|c| c.as_str()));
    for row in &report.rows {
        table.add_row(columns.iter().map(|c| row.get(c.as_str()).cloned().unwrap_or_default()));
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    out::answer(&format!("{} {}\n{table}", report.symbol, report.kind))
}
