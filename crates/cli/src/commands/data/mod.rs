//! `data`: the store of market data: what comes in, what is there, what is wrong with it, what goes out.

mod check;
mod download;
mod export;
mod import;
mod list;
mod record;
mod remove;
mod resample;
mod show;

use std::path::{Path, PathBuf};

use bellwether::config::Settings;
use bellwether::data::{Catalog, SeriesInfo};
use bellwether::market::{Kind, KindError};
use bellwether::run::RunError;
use bellwether_sdk::{Interval, Symbol};
use clap::{Args, Subcommand};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{plan, shipped};

/// `data`
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Import files of one instrument: all of them or none.
    Import(import::ImportArgs),
    /// Download a venue's history, by its endpoints or its archive.
    Download(download::DownloadArgs),
    /// Record a venue's live feed.
    Record(record::RecordArgs),
    /// List what is stored.
    List(list::ListArgs),
    /// Look for gaps, off-grid times, OHLC violations, crossed quotes, broken sequences and changed files.
    Check(check::CheckArgs),
    /// Show rows.
    Show(show::ShowArgs),
    /// Make bars of trades or of finer bars, and store them.
    Resample(resample::ResampleArgs),
    /// Remove a series: of an instrument, one kind of data.
    Remove(remove::RemoveArgs),
    /// Write rows to a CSV or Parquet file that `import` reads again.
    Export(export::ExportArgs),
}

/// Where the catalog is.
#[derive(Debug, Args)]
struct Place {
    /// Folder of stored market data [default: the settings', else backtest-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Place {
    fn dir(&self, global: &Global) -> Result<PathBuf, Failure> {
        match &self.data {
            Some(dir) => Ok(dir.clone()),
            None => Ok(plan::settings(global)?.settings.data.dir),
        }
    }

    fn open(&self, global: &Global) -> Result<Catalog, Failure> {
        let mut dir = self.dir(global)?;
        shipped::stand_in(global, &mut dir)?;
        Ok(Catalog::open(&dir)?)
    }
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &DataArgs) -> Result<(), Failure> {
    match &args.command {
        DataCommand::Import(args) => import::run(global, args),
        DataCommand::Download(args) => download::run(global, args),
        DataCommand::Record(args) => record::run(global, args),
        DataCommand::List(args) => list::run(global, args),
        DataCommand::Check(args) => check::run(global, args),
        DataCommand::Show(args) => show::run(global, args),
        DataCommand::Resample(args) => resample::run(global, args),
        DataCommand::Remove(args) => remove::run(global, args),
        DataCommand::Export(args) => export::run(global, args),
    }
}

/// Which series; what is left out must be the only one there is.
#[derive(Debug, Args)]
struct Which {
    /// Whose data, e.g. binance:BTC/USDT [default: the only one there is].
    #[arg(long, visible_alias = "symbol", value_name = "SYMBOL")]
    instrument: Option<Symbol>,
    /// Kind of data: trades, quotes, bars, bars-1h, depth or funding [default: the only one there is].
    #[arg(long, value_name = "KIND", value_parser = any_kind)]
    kind: Option<AnyKind>,
    /// Interval of bars.
    #[arg(long, visible_alias = "timeframe", value_name = "INTERVAL")]
    interval: Option<Interval>,
}

impl Which {
    fn fits(&self, series: &SeriesInfo) -> bool {
        self.instrument.as_ref().is_none_or(|s| series.symbol == *s)
            && self.kind.is_none_or(|k| k.fits(series.kind))
            && self.interval.is_none_or(|i| series.kind == Kind::Bars(i))
    }

    /// The one series that is meant.
    fn one(&self, catalog: &Catalog) -> Result<SeriesInfo, Failure> {
        let all = catalog.series();
        let mut found: Vec<&SeriesInfo> = all.iter().filter(|s| self.fits(s)).collect();
        let named = |list: &[&SeriesInfo]| {
            list.iter().map(|s| format!("{} {}", s.symbol, s.kind)).collect::<Vec<_>>().join(", ")
        };
        match (found.pop(), found.is_empty()) {
            (Some(series), true) => Ok(series.clone()),
            (Some(last), false) => {
                found.push(last);
                Err(Failure::new(Code::Usage, format!("{} series fit: {}", found.len(), named(&found)))
                    .help("choose one with --instrument and --kind or --interval"))
            }
            (None, _) => {
                let there = match all.is_empty() {
                    true => "nothing".to_owned(),
                    false => named(&all.iter().collect::<Vec<_>>()),
                };
                Err(Failure::bad(format!("no such series in {}; it has {there}", shown(catalog.dir()))))
            }
        }
    }
}

/// A kind of data, of bars without their interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnyKind {
    Bars,
    Kind(Kind),
}

impl AnyKind {
    fn fits(self, kind: Kind) -> bool {
        match self {
            Self::Bars => kind.interval().is_some(),
            Self::Kind(wanted) => kind == wanted,
        }
    }
}

fn any_kind(text: &str) -> Result<AnyKind, String> {
    match text {
        "bars" => Ok(AnyKind::Bars),
        _ => text.parse().map(AnyKind::Kind).map_err(|e: KindError| e.to_string()),
    }
}

/// A path as it is shown in lists.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Other addresses for the venue of an instrument than the settings'.
fn rest_url(settings: &mut Settings, symbol: &Symbol, rest: Option<&str>, ws: Option<&str>) {
    let key = match symbol.kind() {
        bellwether_sdk::InstrumentKind::Spot => symbol.venue().to_owned(),
        _ => format!("{}_linear", symbol.venue()),
    };
    let venue = settings.venue.entry(key).or_default();
    if let Some(url) = rest {
        venue.rest_url = Some(url.to_owned());
    }
    if let Some(url) = ws {
        venue.market_url = Some(url.to_owned());
    }
}

/// A download or recording that broke off: what came before it is stored.
fn kept(error: &RunError) -> Failure {
    match error {
        RunError::Interrupted => Failure::new(Code::Interrupted, "interrupted; what came before is stored")
            .help("the same command goes on where this one ended"),
        RunError::Venue(text) => Failure::new(Code::Venue, text.clone())
            .help("what came before is stored; the same command goes on from there"),
        RunError::Settings(text) => Failure::bad(text.clone()),
        RunError::Data(text) => Failure::bad(text.clone()).help("what came before is stored"),
        other => Failure::new(Code::Failed, other.to_string()),
    }
}
