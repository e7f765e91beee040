//! `data check`: what is odd in the store.

use bellwether::data::{CheckReport, check};
use bellwether_sdk::Symbol;
use clap::Args;

use super::{AnyKind, Place, any_kind, shown};
use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, progress};

/// `data check`
#[derive(Debug, Args)]
#[command(after_help = "\
Exits 5 when something is odd, 0 when nothing is. Quiet bars of one price without volume, trades of equal times and a
receiver's clock behind the venue's are told and are no fault.

Examples:
  bellwether data check
  bellwether data check --data my-data --instrument binance:BTC/USDT --kind bars-1h --json")]
pub(super) struct CheckArgs {
    /// Whose data [default: all].
    #[arg(long, visible_alias = "symbol", value_name = "SYMBOL")]
    instrument: Option<Symbol>,
    /// Kind of data: trades, quotes, bars, bars-1h, depth or funding [default: all].
    #[arg(long, value_name = "KIND", value_parser = any_kind)]
    kind: Option<AnyKind>,
    #[command(flatten)]
    place: Place,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(global: &Global, args: &CheckArgs) -> Result<(), Failure> {
    let catalog = args.place.open(global)?;
    let kind = match args.kind {
        Some(AnyKind::Kind(kind)) => Some(kind),
        _ => None,
    };
    let mut report = progress::watched("check", |w| check(&catalog, args.instrument.as_ref(), kind, w))?;
    if args.kind == Some(AnyKind::Bars) {
        report.series.retain(|s| AnyKind::Bars.fits(s.kind));
        report.ok = report.series.iter().flat_map(|s| &s.findings).all(|f| !f.kind.refused_when_strict());
    }
    if let Some(symbol) = args.instrument.as_ref().filter(|_| report.series.is_empty()) {
        return Err(Failure::bad(format!("the catalog {} has no bars of {symbol}", shown(catalog.dir())))
            .help("`bellwether data list` shows what is stored"));
    }
    if args.json {
        out::json(&report)?;
    } else {
        out::answer(&text(&report))?;
    }
    if report.ok { Ok(()) } else { Err(Failure::silent(Code::Different)) }
}

fn text(report: &CheckReport) -> String {
    let mut lines = Vec::new();
    for series in &report.series {
        let verdict = match series.findings.iter().any(|f| f.kind.refused_when_strict()) {
            true => "odd:",
            false if series.findings.is_empty() => "nothing odd",
            false => "nothing odd; worth knowing:",
        };
        lines.push(format!("{} {}, {} rows: {verdict}", series.symbol, series.kind, series.rows));
        lines.extend(series.findings.iter().map(|f| format!("  {f}")));
    }
    if lines.is_empty() {
        lines.push("nothing is stored".to_owned());
    }
    lines.join("\n")
}
