//! `data download`: a venue's history into the store.

use bellwether::config::parse_time;
use bellwether::market::Kind;
use bellwether::run::{DownloadPlan, DownloadReport, Unserved, download};
use bellwether_sdk::{Interval, Symbol, Ts};
use clap::{Args, ValueEnum};

use super::{Place, shown};
use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{interrupt, out, plan, progress};

/// `data download`
#[derive(Debug, Args)]
#[command(after_help = "\
What the store has is not asked for again, and Ctrl-C keeps what came: the same line goes on where it ended. The venue's
rules of the instrument are noted in instruments.json. `--source archive` fetches Binance's public files, each checked
against its SHA-256.

Examples:
  bellwether data download --instrument binance:BTC/USDT --interval 1m --from 2026-01-01 --data my-data
  bellwether data download --instrument binance:BTC/USDT:USDT --kind funding --from 2025-01-01 --to 2026-01-01 --data my-data
  bellwether data download --instrument binance:ETH/USDT --kind trades --from 2026-03-01 --to 2026-04-01 --source archive --data my-data")]
pub(super) struct DownloadArgs {
    /// Whose data, e.g. binance:BTC/USDT.
    #[arg(long, visible_alias = "symbol", value_name = "SYMBOL")]
    instrument: Symbol,
    /// Kind of data [default: bars].
    #[arg(long, value_name = "KIND", default_value = "bars")]
    kind: Word,
    /// Interval of bars.
    #[arg(long, visible_alias = "timeframe", value_name = "INTERVAL", default_value = "1m")]
    interval: Interval,
    /// Start, inclusive, UTC.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Ts,
    /// End, exclusive, UTC [default: now].
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Option<Ts>,
    /// The venue's endpoints, or its archive of files.
    #[arg(long, value_name = "SOURCE", default_value = "api")]
    source: Source,
    /// Address of the archive instead of the settings'.
    #[arg(long, value_name = "URL")]
    archive_url: Option<String>,
    /// REST address instead of the settings'.
    #[arg(long, value_name = "URL")]
    rest_url: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Word {
    /// Bars.
    Bars,
    /// Trades; of Binance aggregated ones, as its history is.
    Trades,
    /// Single trades; of the archive only.
    SingleTrades,
    /// Funding settlements.
    Funding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Source {
    /// The venue's endpoints.
    Api,
    /// Binance's public archive.
    Archive,
}

/// Runs the command.
pub(super) fn run(global: &Global, args: &DownloadArgs) -> Result<(), Failure> {
    let kind = match args.kind {
        Word::Bars => Kind::Bars(args.interval),
        Word::Trades => Kind::Trades,
        Word::SingleTrades if args.source == Source::Api => {
            return Err(Failure::new(Code::Usage, "single trades are in the archive only")
                .help("add --source archive, or take --kind trades"));
        }
        Word::SingleTrades => Kind::Trades,
        Word::Funding => Kind::Funding,
    };
    let mut settings = plan::settings(global)?.settings;
    if let Some(url) = &args.archive_url {
        settings.data.archive_url.clone_from(url);
    }
    super::rest_url(&mut settings, &args.instrument, args.rest_url.as_deref(), None);
    let plan = DownloadPlan {
        instrument: args.instrument.clone(),
        kind,
        from: args.from,
        to: args.to,
        data: args.place.dir(global)?,
        from_archive: args.source == Source::Archive,
        single_trades: args.kind == Word::SingleTrades,
    };
    let stop = interrupt::listen()?;
    let bar = progress::bar(0, "download");
    let mut told = |done: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let report = download(&settings, &plan, &mut told, stop);
    bar.finish_and_clear();
    let report = report.map_err(|e| super::kept(&e))?;
    if args.json { out::json(&report) } else { out::answer(&text(&report, &shown(&plan.data))) }
}

fn text(report: &DownloadReport, dir: &str) -> String {
    let DownloadReport { symbol, kind, requests, rows_added, .. } = report;
    let what = if report.source == "archive" { "files" } else { "requests" };
    let mut text = match rows_added {
        0 => format!("{dir}: {symbol} {kind}: nothing new, {requests} {what}"),
        n => format!("{dir}: {symbol} {kind}: {n} rows added, {requests} {what}"),
    };
    if !report.files_absent.is_empty() {
        text.push_str(&format!("\nnot in the archive: {}", report.files_absent.join(", ")));
    }
    for Unserved { from, to } in &report.unserved {
        text.push_str(&format!(
            "\nstill missing: {} to {}: {} answers with its newest bars only",
            from.utc,
            to.utc,
            symbol.venue()
        ));
    }
    if report.rules_noted {
        text.push_str("\nthe venue's rules of the instrument are noted in instruments.json");
    }
    text
}
