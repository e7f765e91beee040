//! `data list`: what is stored.

use bellwether::data::SeriesInfo;
use bellwether_sdk::{Symbol, Ts};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};

use super::Place;
use crate::args::Global;
use crate::failure::Failure;
use crate::out;

/// `data list`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bellwether data list
  bellwether data list --data my-data --json")]
pub(super) struct ListArgs {
    /// Only these instruments; repeat for more.
    #[arg(long, visible_alias = "symbol", value_name = "SYMBOL")]
    instrument: Vec<Symbol>,
    #[command(flatten)]
    place: Place,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(global: &Global, args: &ListArgs) -> Result<(), Failure> {
    let catalog = args.place.open(global)?;
    let wanted = |s: &SeriesInfo| args.instrument.is_empty() || args.instrument.contains(&s.symbol);
    let mut report = catalog.list();
    report.series.retain(wanted);
    if args.json {
        return out::json(&report);
    }
    if report.series.is_empty() {
        return out::answer(&format!(
            "{} holds nothing that was asked for; `bellwether data import` fills it",
            report.dir
        ));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["instrument", "kind", "rows", "from", "to", "kB"]);
    for s in &report.series {
        let (from, to) = (minute(s.first), minute(s.end));
        table.add_row([
            s.symbol.to_string(),
            s.kind.to_string(),
            s.rows.to_string(),
            from,
            to,
            s.bytes.div_ceil(1000).to_string(),
        ]);
    }
    for column in [2, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    out::answer(&table.to_string())
}

/// A time to the minute, UTC.
fn minute(ts: Ts) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(ts.nanos()))
        .map_or_else(|_| "-".to_owned(), |t| t.strftime("%Y-%m-%d %H:%M").to_string())
}
