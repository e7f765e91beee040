//! `signals tokenmetrics`: what the provider says, its history into the catalog, its reports, and what calls are left.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bellwether::config::{Settings, SourceSettings, TokenMetricsSource};
use bellwether::run;
use bellwether::sources::tokenmetrics::{Asked, Desk, REPORTS, store};
use bellwether::sources::{Api, ApiError, Budget, budgets};
use bellwether_sdk::Ts;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, plan};

/// Longest cell of a table, characters.
const CELL_MAX: usize = 40;

/// `signals tokenmetrics`
#[derive(Debug, Args)]
#[command(after_help = "\
Its key is a [[key]] with account = \"tokenmetrics/NAME\" and scope = \"read\", or BELLWETHER_KEY_TOKENMETRICS_<NAME>_SECRET.
Every look costs calls; `budget` costs none.

Examples:
  bellwether signals tokenmetrics budget
  bellwether signals tokenmetrics signals --token 3375 --from 2025-01-01
  bellwether signals tokenmetrics import --name tm --from 2024-01-01 --to 2025-01-01
  bellwether signals tokenmetrics reports --token 3375")]
pub(crate) struct TokenMetricsArgs {
    /// Which `[source.NAME]` of the settings; the only one of its kind where none is named.
    #[arg(long, global = true, value_name = "NAME")]
    source: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Calls made and left, of the day and the month. Asks nobody.
    #[command(after_help = "Example:\n  bellwether signals tokenmetrics budget --json")]
    Budget(JsonArg),
    /// Whether the provider takes the key. Costs one call.
    #[command(after_help = "Example:\n  bellwether signals tokenmetrics check")]
    Check(JsonArg),
    /// Tokens and their numbers.
    #[command(after_help = "Example:\n  bellwether signals tokenmetrics tokens --symbol BTC,ETH")]
    Tokens(LookArgs),
    /// Current prices.
    #[command(after_help = "Example:\n  bellwether signals tokenmetrics price --token 3375")]
    Price(LookArgs),
    /// Daily bars, or hourly ones.
    #[command(after_help = "Example:\n  bellwether signals tokenmetrics ohlcv --token 3375 --hourly")]
    Ohlcv(LookArgs),
    /// Daily trading signals, or hourly ones.
    #[command(
        after_help = "Example:\n  bellwether signals tokenmetrics signals --token 3375 --from 2025-01-01 --to 2025-01-31"
    )]
    Signals(LookArgs),
    /// Grades.
    #[command(after_help = "Example:\n  bellwether signals tokenmetrics grades --of trader --token 3375")]
    Grades(GradesArgs),
    /// The market as a whole.
    #[command(after_help = "Example:\n  bellwether signals tokenmetrics metrics --json")]
    Metrics(LookArgs),
    /// Indices.
    #[command(after_help = "Example:\n  bellwether signals tokenmetrics indices")]
    Indices(LookArgs),
    /// Resistance and support.
    #[command(after_help = "Example:\n  bellwether signals tokenmetrics levels --token 3375")]
    Levels(LookArgs),
    /// Sentiment of news and networks.
    #[command(after_help = "Example:\n  bellwether signals tokenmetrics sentiment")]
    Sentiment(LookArgs),
    /// Volatility, ratios, drawdown.
    #[command(
        name = "quantmetrics",
        after_help = "Example:\n  bellwether signals tokenmetrics quantmetrics --token 3375"
    )]
    QuantMetrics(LookArgs),
    /// AI reports: fetched, and stored in `reports/` of the catalog.
    #[command(after_help = "Example:\n  bellwether signals tokenmetrics reports --token 3375")]
    Reports(LookArgs),
    /// Take the history of signals and numbers into a series, each row known when its day or hour was over.
    #[command(
        after_help = "Example:\n  bellwether signals tokenmetrics import --name tm --from 2024-01-01 --to 2025-01-01"
    )]
    Import(ImportArgs),
}

#[derive(Debug, Args)]
struct JsonArg {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct LookArgs {
    /// Token ids, e.g. 3375 for Bitcoin; those of the source's `instruments` where none is named.
    #[arg(long, value_delimiter = ',')]
    token: Vec<u64>,
    /// Tickers. They are not unique: several tokens may answer.
    #[arg(long, value_delimiter = ',')]
    symbol: Vec<String>,
    /// The first day.
    #[arg(long, requires = "to")]
    from: Option<String>,
    /// The last day.
    #[arg(long, requires = "from")]
    to: Option<String>,
    /// By the hour, where there is such a thing.
    #[arg(long)]
    hourly: bool,
    /// Rows of a page.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Which page.
    #[arg(long, default_value_t = 1)]
    page: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct GradesArgs {
    /// Whose grade.
    #[arg(long, value_enum, default_value = "tm")]
    of: Grade,
    #[command(flatten)]
    look: LookArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Grade {
    /// The provider's own.
    Tm,
    /// For traders.
    Trader,
    /// For investors.
    Investor,
}

#[derive(Debug, Args)]
struct ImportArgs {
    /// The series' name in the catalog.
    #[arg(long)]
    name: String,
    /// What to take: trading-signals, hourly-trading-signals, trader-grades, quantmetrics, ….
    #[arg(long, default_value = "trading-signals")]
    endpoint: String,
    /// The first day.
    #[arg(long)]
    from: String,
    /// The last day; today unless said.
    #[arg(long)]
    to: Option<String>,
    /// Seconds from the end of a row's day or hour until it was known.
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    delay: u64,
    /// Folder of stored market data [default: backtest-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    json: JsonArg,
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &TokenMetricsArgs) -> Result<(), Failure> {
    let settings = plan::settings(global)?.settings;
    let (name, source) = chosen(&settings, args.source.as_deref())?;
    let place = Place { settings: &settings, name: &name, source: &source };
    match &args.command {
        Command::Budget(args) => place.show_budget(args.json),
        Command::Check(args) => place.check(args.json),
        Command::Tokens(look) => place.look("tokens", look),
        Command::Price(look) => place.look("price", look),
        Command::Ohlcv(look) => place.look(if look.hourly { "hourly-ohlcv" } else { "daily-ohlcv" }, look),
        Command::Signals(look) => {
            place.look(if look.hourly { "hourly-trading-signals" } else { "trading-signals" }, look)
        }
        Command::Grades(args) => {
            let endpoint = match args.of {
                Grade::Tm => "tm-grade",
                Grade::Trader => "trader-grades",
                Grade::Investor => "investor-grades",
            };
            place.look(endpoint, &args.look)
        }
        Command::Metrics(look) => place.look("market-metrics", look),
        Command::Indices(look) => place.look("indices", look),
        Command::Levels(look) => place.look("resistance-support", look),
        Command::Sentiment(look) => place.look("sentiment", look),
        Command::QuantMetrics(look) => place.look("quantmetrics", look),
        Command::Reports(look) => place.reports(look),
        Command::Import(args) => place.import(args),
    }
}

/// The source of the settings that is meant; without one, what is usual.
fn chosen(settings: &Settings, wanted: Option<&str>) -> Result<(String, TokenMetricsSource), Failure> {
    let all = settings.source.iter().filter_map(|(name, source)| match source {
        SourceSettings::TokenMetrics(of) => Some((name.clone(), of.clone())),
        _ => None,
    });
    let mut fit: Vec<_> = all.filter(|(name, _)| wanted.is_none_or(|w| w == name)).collect();
    match (fit.len(), wanted) {
        (1, _) => Ok(fit.remove(0)),
        (0, None) => Ok(("tokenmetrics".to_owned(), TokenMetricsSource::default())),
        (0, Some(name)) => Err(Failure::bad(format!("the settings have no [source.{name}] of kind tokenmetrics"))),
        _ => {
            let names: Vec<&str> = fit.iter().map(|(name, _)| name.as_str()).collect();
            Err(Failure::bad(format!("several sources are of that kind: {}", names.join(", ")))
                .help("add --source NAME"))
        }
    }
}

/// A place at the provider.
struct Place<'a> {
    settings: &'a Settings,
    name: &'a str,
    source: &'a TokenMetricsSource,
}

impl Place<'_> {
    fn budget(&self) -> Result<Budget, Failure> {
        let dir = budgets(self.settings).map_err(Failure::bad)?;
        Ok(Budget::new(&dir, self.name, self.source.calls_per_day_max, self.source.calls_per_month_max))
    }

    fn desk(&self) -> Result<Desk, Failure> {
        let key = run::tokens(&self.settings.key)("tokenmetrics", self.name);
        let key = key.map_err(|e| Failure::bad(format!("source {}: {e}", self.name)))?;
        let api = Api::open(&self.source.url, Some(key), self.source.per_minute_max);
        let api = api.map_err(|e| Failure::new(Code::Failed, e))?;
        Ok(Desk::new(api, self.budget()?, &self.source.version))
    }

    fn show_budget(&self, as_json: bool) -> Result<(), Failure> {
        let budget = self.budget()?;
        let used = budget.used(now()).map_err(Failure::bad)?;
        let (day_max, month_max) = budget.limits();
        if as_json {
            return out::json(&json!({
                "schema_version": 1, "source": self.name, "day": used.day,
                "day_calls": used.day_calls, "day_calls_max": day_max,
                "month_calls": used.month_calls, "month_calls_max": month_max,
            }));
        }
        let left = |used: u64, max: u64| max.saturating_sub(used);
        out::answer(&format!(
            "{}: {} of {day_max} calls on {} ({} left), {} of {month_max} in its month ({} left); a new day begins at 00:00 UTC",
            self.name,
            used.day_calls,
            used.day,
            left(used.day_calls, day_max),
            used.month_calls,
            left(used.month_calls, month_max)
        ))
    }

    fn check(&self, as_json: bool) -> Result<(), Failure> {
        let desk = self.desk()?;
        let asked = Asked {
            endpoint: "tokens".to_owned(),
            filters: BTreeMap::from([("token_id".to_owned(), "3375".to_owned())]),
            days: None,
        };
        block_on(desk.page(&asked, 1, 1))?.map_err(failed)?;
        let (name, url, version) = (self.name, &self.source.url, &self.source.version);
        if as_json {
            return out::json(
                &json!({"schema_version": 1, "source": name, "url": url, "version": version, "accepted": true}),
            );
        }
        out::answer(&format!("{name}: the key is accepted by {url} ({version})"))
    }

    fn asked(&self, endpoint: &str, look: &LookArgs) -> Asked {
        let mut filters = BTreeMap::new();
        let named: Vec<String> = look.token.iter().map(u64::to_string).collect();
        let of_market = ["tokens", "market-metrics", "indices", "sentiment"].contains(&endpoint);
        let tokens = match named.is_empty() && look.symbol.is_empty() && !of_market {
            true => self.source.instruments.keys().cloned().collect(),
            false => named,
        };
        if !tokens.is_empty() {
            filters.insert("token_id".to_owned(), tokens.join(","));
        }
        if !look.symbol.is_empty() {
            filters.insert("symbol".to_owned(), look.symbol.join(","));
        }
        Asked { endpoint: endpoint.to_owned(), filters, days: look.from.clone().zip(look.to.clone()) }
    }

    fn rows(&self, endpoint: &str, look: &LookArgs) -> Result<(Vec<Map<String, Value>>, Value), Failure> {
        let desk = self.desk()?;
        let asked = self.asked(endpoint, look);
        let rows = block_on(desk.page(&asked, look.page.max(1), look.limit.clamp(1, 1_000)))?.map_err(failed)?;
        let used = desk.budget().used(now()).map_err(Failure::bad)?;
        let (day, month) = desk.budget().limits();
        let left = json!({"day": day.saturating_sub(used.day_calls), "month": month.saturating_sub(used.month_calls)});
        Ok((rows, left))
    }

    fn look(&self, endpoint: &str, look: &LookArgs) -> Result<(), Failure> {
        let (rows, left) = self.rows(endpoint, look)?;
        if look.json {
            let version = &self.source.version;
            return out::json(&json!({
                "schema_version": 1, "endpoint": endpoint, "version": version, "rows": rows, "calls_left": left,
            }));
        }
        if rows.is_empty() {
            return out::answer(&format!("{endpoint}: the provider has nothing on that"));
        }
        out::answer(&table(&rows))?;
        out::tell(&format!("{} rows; {} calls left today, {} this month", rows.len(), left["day"], left["month"]));
        Ok(())
    }

    fn reports(&self, look: &LookArgs) -> Result<(), Failure> {
        let (rows, _) = self.rows(REPORTS, look)?;
        let mut said = Vec::new();
        for row in &rows {
            let stored =
                store(&self.settings.data.dir, self.name, row, now()).map_err(|e| Failure::new(Code::Failed, e))?;
            let token = row.get("token_id").map(Value::to_string).unwrap_or_default();
            said.push(match &stored {
                Some(path) => json!({"token_id": token, "stored": path.display().to_string()}),
                None => json!({"token_id": token, "stored": null}),
            });
        }
        if look.json {
            return out::json(&json!({"schema_version": 1, "reports": said}));
        }
        let line = |row: &Value| match row["stored"].as_str() {
            Some(path) => format!("token {}: {path}", row["token_id"].as_str().unwrap_or_default()),
            None => format!("token {}: nothing new", row["token_id"].as_str().unwrap_or_default()),
        };
        match said.is_empty() {
            true => out::answer("the provider has no report on that"),
            false => out::answer(&said.iter().map(line).collect::<Vec<_>>().join("\n")),
        }
    }

    fn import(&self, args: &ImportArgs) -> Result<(), Failure> {
        if self.source.instruments.is_empty() {
            return Err(Failure::bad(format!("[source.{}] names no tokens, so no row has an instrument", self.name))
                .help("write instruments = { \"3375\" = \"binance:BTC/USDT\" }"));
        }
        let time = |text: &str| bellwether::config::parse_time(text).map_err(|e| Failure::bad(e.to_string()));
        let to = args.to.as_deref().map_or_else(|| Ok(now()), time)?;
        let from = time(&args.from)?;
        let ids: Vec<&str> = self.source.instruments.keys().map(String::as_str).collect();
        let asked = Asked {
            endpoint: args.endpoint.clone(),
            filters: BTreeMap::from([("token_id".to_owned(), ids.join(","))]),
            days: None,
        };
        let dir = args.data.clone().unwrap_or_else(|| self.settings.data.dir.clone());
        let desk = self.desk()?;
        let done = desk.import(&dir, &args.name, &asked, (from, to), args.delay, &self.source.instruments);
        let (done, why) = match block_on(done)? {
            Ok(done) => (done, None),
            Err((done, why)) => (done, Some(why)),
        };
        if args.json.json {
            let until = Some(&done.until).filter(|until| !until.is_empty());
            out::json(&json!({
                "schema_version": 1, "name": args.name, "rows": done.rows, "lines": done.lines, "lines_new": done.new,
                "until": until, "whole": why.is_none(),
            }))?;
        } else {
            let until = if done.until.is_empty() { String::new() } else { format!(", until {}", done.until) };
            out::answer(&format!(
                "{}: {} rows, {} signals and features, {} of them new{until}",
                args.name, done.rows, done.lines, done.new
            ))?;
        }
        match why {
            None => Ok(()),
            Some(why) => Err(Failure::new(Code::Failed, format!("the history is not whole: {why}"))
                .help("what is stored stays; go on with --from")),
        }
    }
}

fn failed(error: ApiError) -> Failure {
    match error {
        ApiError::Final(why) => Failure::new(Code::Refused, why),
        ApiError::Spent(why) => Failure::new(Code::Refused, why).help("`bellwether signals tokenmetrics budget`"),
        other => Failure::new(Code::Venue, other.to_string()),
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|e| Failure::new(Code::Failed, e.to_string()))?.block_on(work))
}

fn now() -> Ts {
    Ts::from_millis(jiff::Timestamp::now().as_millisecond())
}

/// Rows as a table, the columns those of all of them. The text is foreign: short, and without what moves a terminal.
fn table(rows: &[Map<String, Value>]) -> String {
    let mut names: Vec<&String> = Vec::new();
    rows.iter().flat_map(Map::keys).for_each(|name| {
        if !names.contains(&name) {
            names.push(name)
        }
    });
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(names.iter().map(|n| plain(n)));
    for row in rows {
        table.add_row(names.iter().map(|name| match row.get(*name) {
            None | Some(Value::Null) => "-".to_owned(),
            Some(Value::String(text)) => plain(text),
            Some(other) => plain(&other.to_string()),
        }));
    }
    table.to_string()
}

fn plain(text: &str) -> String {
    let clean = text.chars().filter(|c| !c.is_control());
    let short: String = clean.take(CELL_MAX).collect();
    if text.chars().count() > CELL_MAX { short + "…" } else { short }
}
