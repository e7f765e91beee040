//! `exchange`: looks at a venue, and single orders by hand.

use std::path::PathBuf;

use bellwether::exchange::{ClientId, Fault, OrderRef};
use bellwether::run::{AmendWish, LookAt, LookError, OrderWish, What, look, rules_of};
use bellwether_sdk::{Decimal, Interval, Side, TimeInForce, Ts};
use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{out, plan};

/// `exchange`
#[derive(Debug, Args)]
#[command(after_help = "\
Venues are named as in the settings: binance, binance_linear, kraken, hyperliquid_linear, …. Keys come from the
environment: BELLWETHER_KEY_<VENUE>_<ACCOUNT>_ID and _SECRET, or …_FILE with the path of a file.
Exits 2 for a question that does not go together, 3 for an unknown venue or instrument, 4 when refused, 6 when the venue
does not answer. docs/exchange.md has the JSON.

Examples:
  bellwether exchange binance ticker BTC/USDT
  bellwether exchange kraken book BTC/USD --limit 5 --json
  bellwether exchange binance bars BTC/USDT --interval 1h --limit 24
  bellwether exchange binance balances --account main
  bellwether exchange binance place BTC/USDT --side buy --qty 0.001 --price 20000 --testnet
  bellwether exchange binance cancel BTC/USDT 0123456789abcdef0000000000000001 --testnet
  bellwether exchange binance place BTC/USDT --side buy --qty 1 --price 2 --dry-run --now 1700000000000")]
pub(crate) struct ExchangeArgs {
    /// The venue's key in the settings.
    venue: String,
    /// What is asked or done.
    what: Word,
    /// The instrument: BTC/USDT, binance:BTC/USDT or the venue's own name.
    symbol: Option<String>,
    /// The order, for `order`, `amend` and `cancel`: our id (32 hex digits) or the venue's.
    order: Option<String>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
    /// The account whose key signs.
    #[arg(long, value_name = "NAME", default_value = "main")]
    account: String,
    /// REST address instead of the settings'.
    #[arg(long, value_name = "URL")]
    rest_url: Option<String>,
    /// Socket address instead of the settings'.
    #[arg(long, value_name = "URL")]
    ws_url: Option<String>,
    /// The venue's test network.
    #[arg(long)]
    testnet: bool,
    /// Rows, or levels per side of a book.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    limit: u32,
    /// Interval of bars.
    #[arg(long, visible_alias = "timeframe", value_name = "INTERVAL", default_value = "1m")]
    interval: Interval,
    /// Start of bars, funding, fills, payments and transfers, inclusive, UTC.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Ts>,
    /// End of bars and funding, exclusive, UTC.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Ts>,
    /// Print the request instead of sending it; nothing goes over the network.
    #[arg(long)]
    dry_run: bool,
    /// Our clock and nonce, milliseconds since 1970, so that signatures repeat.
    #[arg(long, value_name = "MS")]
    now: Option<i64>,
    /// Instruments' rules as `instruments --json` printed them, instead of asking for them.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    #[command(flatten)]
    order_flags: OrderFlags,
}

/// The flags of orders.
#[derive(Debug, Args)]
#[command(next_help_heading = "Orders")]
struct OrderFlags {
    /// Buy or sell.
    #[arg(long, value_name = "SIDE")]
    side: Option<SideWord>,
    /// Quantity in base currency.
    #[arg(long, value_name = "N")]
    qty: Option<Decimal>,
    /// Limit; without it (and without a trigger) a market order.
    #[arg(long, value_name = "N")]
    price: Option<Decimal>,
    /// The price that wakes a stop order.
    #[arg(long, value_name = "N")]
    trigger: Option<Decimal>,
    /// A trailing stop's distance, per cent of the best price.
    #[arg(long, value_name = "PCT")]
    trail_pct: Option<Decimal>,
    /// How long: gtc, ioc, fok, or a time until which it stands.
    #[arg(long, value_name = "TIF", default_value = "gtc", value_parser = tif)]
    tif: TimeInForce,
    /// Refused rather than filled as taker.
    #[arg(long)]
    post_only: bool,
    /// Only to make a position smaller.
    #[arg(long)]
    reduce_only: bool,
    /// Our id of the order, 32 hex digits [default: made of the time].
    #[arg(long, value_name = "ID")]
    client_id: Option<ClientId>,
    /// The price that a market order is judged by [default: the venue's].
    #[arg(long, value_name = "N")]
    reference: Option<Decimal>,
    /// Needed by place, amend and cancel unless --testnet or an address on this machine.
    #[arg(long)]
    i_understand_this_trades_real_money: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Word {
    Time,
    Instruments,
    Ticker,
    Book,
    Trades,
    Bars,
    Funding,
    Balances,
    Positions,
    Orders,
    Order,
    Fills,
    /// Funding that the account was paid or paid.
    Payments,
    /// Deposits, withdrawals and transfers.
    Transfers,
    Permissions,
    Place,
    Amend,
    Cancel,
    CancelAll,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SideWord {
    Buy,
    Sell,
}

impl From<SideWord> for Side {
    fn from(word: SideWord) -> Self {
        match word {
            SideWord::Buy => Self::Buy,
            SideWord::Sell => Self::Sell,
        }
    }
}

fn time(text: &str) -> Result<Ts, String> {
    bellwether::config::parse_time(text)
}

fn tif(text: &str) -> Result<TimeInForce, String> {
    match text {
        "gtc" => Ok(TimeInForce::Gtc),
        "ioc" => Ok(TimeInForce::Ioc),
        "fok" => Ok(TimeInForce::Fok),
        until => time(until).map(TimeInForce::Gtd).map_err(|e| format!("none of gtc, ioc, fok, and no time: {e}")),
    }
}

impl From<LookError> for Failure {
    fn from(error: LookError) -> Self {
        let text = error.to_string();
        match error {
            LookError::Usage(_) => Self::new(Code::Usage, text).help("`bellwether exchange --help` shows examples"),
            LookError::Key(_) | LookError::Unknown(_) => Self::bad(text),
            LookError::RealMoney(_) => Self::new(Code::Refused, text)
                .help("pass --i-understand-this-trades-real-money, or --testnet, or --dry-run to see the request"),
            LookError::Venue(e) => match e.fault {
                Fault::RateLimited { .. } | Fault::Transient | Fault::Unknown | Fault::Malformed => {
                    Self::new(Code::Venue, text)
                }
                Fault::Authentication => Self::new(Code::Refused, text)
                    .help("check the key, its permissions and addresses, and --account and --testnet"),
                _ => Self::new(Code::Refused, text),
            },
            LookError::Unavailable(_) | LookError::Outcome { .. } => Self::new(Code::Venue, text),
            _ => Self::new(Code::Refused, text),
        }
    }
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &ExchangeArgs) -> Result<(), Failure> {
    let settings = plan::settings(global)?.settings;
    let rules = args.rules.as_deref().map(|path| {
        let text =
            std::fs::read_to_string(path).map_err(|e| Failure::bad(format!("reading {}: {e}", path.display())))?;
        rules_of(&text).map_err(|e| Failure::from(e).prefixed(&format!("{}: ", path.display())))
    });
    let at = LookAt {
        venue: args.venue.clone(),
        account: args.account.clone(),
        rest_url: args.rest_url.clone(),
        ws_url: args.ws_url.clone(),
        testnet: args.testnet,
        dry_run: args.dry_run,
        now: args.now.map(Ts::from_millis),
        rules: rules.transpose()?,
        real_money: args.order_flags.i_understand_this_trades_real_money || settings.session.real_money,
    };
    let document = look(&settings, &at, &what(args)?, args.symbol.as_deref())?;
    if args.json { out::json(&document) } else { out::answer(&text(&document)) }
}

fn what(args: &ExchangeArgs) -> Result<What, Failure> {
    let flags = &args.order_flags;
    let order = || -> Result<OrderRef, Failure> {
        let text = args.order.as_deref().ok_or_else(|| {
            Failure::new(Code::Usage, "no order is named")
                .help("write the symbol and then the order's id; `exchange VENUE orders` lists those that are open")
        })?;
        Ok(text.parse().map_or_else(|_| OrderRef::Venue(text.to_owned()), OrderRef::Client))
    };
    let need = |name: &str| Failure::new(Code::Usage, format!("place needs {name}"));
    Ok(match args.what {
        Word::Time => What::Time,
        Word::Instruments => What::Instruments,
        Word::Ticker => What::Ticker,
        Word::Book => What::Book(args.limit),
        Word::Trades => What::Trades(args.limit),
        Word::Bars => What::Bars(args.interval, args.from, args.to, args.limit),
        Word::Funding => What::Funding(args.from, args.to),
        Word::Balances => What::Balances,
        Word::Positions => What::Positions,
        Word::Orders => What::Orders,
        Word::Order => What::Order(order()?),
        Word::Fills => What::Fills(args.from),
        Word::Payments => What::Payments(args.from),
        Word::Transfers => What::Transfers(args.from),
        Word::Permissions => What::Permissions,
        Word::Place => What::Place(OrderWish {
            side: flags.side.ok_or_else(|| need("--side"))?.into(),
            qty: flags.qty.ok_or_else(|| need("--qty"))?,
            price: flags.price,
            trigger: flags.trigger,
            trail_pct: flags.trail_pct,
            tif: flags.tif,
            post_only: flags.post_only,
            reduce_only: flags.reduce_only,
            client: flags.client_id,
            reference: flags.reference,
        }),
        Word::Amend => What::Amend(AmendWish {
            order: order()?,
            price: flags.price,
            qty: flags.qty,
            side: flags.side.map(Into::into),
        }),
        Word::Cancel => What::Cancel(order()?),
        Word::CancelAll => What::CancelAll,
    })
}

/// The document for people: a table of its rows, or its fields one by one.
fn text(document: &Value) -> String {
    const HEAD: [&str; 5] = ["schema_version", "venue", "what", "symbol", "dry_run"];
    let Some(fields) = document.as_object() else { return document.to_string() };
    let mut text = String::new();
    for (name, value) in fields.iter().filter(|(name, _)| !HEAD.contains(&name.as_str())) {
        match value {
            Value::Array(rows) if name == "requests" => rows.iter().for_each(|r| text.push_str(&request(r))),
            Value::Object(_) if name == "socket" => text.push_str(&said(value)),
            Value::Array(rows) if rows.is_empty() => text.push_str(&format!("{name}: none\n")),
            Value::Array(rows) if rows[0].is_object() => text.push_str(&format!("{}\n", table(rows))),
            Value::Array(rows) => {
                text.push_str(&format!("{name}:\n"));
                for row in rows {
                    let cells: Vec<String> = row.as_array().into_iter().flatten().map(|c| cell("", c)).collect();
                    let line = if cells.is_empty() { cell("", row) } else { cells.join("  ") };
                    text.push_str(&format!("  {line}\n"));
                }
            }
            Value::Object(inner) => inner.iter().for_each(|(n, v)| text.push_str(&format!("{n}: {}\n", cell(n, v)))),
            value => text.push_str(&format!("{name}: {}\n", cell(name, value))),
        }
    }
    text
}

/// Columns as wide as their widest value.
fn table(rows: &[Value]) -> String {
    let names: Vec<String> = rows[0].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let head: Vec<String> = names.iter().map(|n| n.trim_end_matches("_ns").to_owned()).collect();
    let mut lines = vec![head];
    lines.extend(rows.iter().map(|row| names.iter().map(|n| cell(n, &row[n])).collect()));
    let width = |i: usize| lines.iter().map(|l: &Vec<String>| l[i].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |cells: &Vec<String>| {
        let cells: Vec<String> = cells.iter().zip(&widths).map(|(c, w)| format!("{c:<w$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A value; times by the calendar.
fn cell(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if name.starts_with("ts_") || name == "venue_ns" || name == "expires_ns" => {
            match text.parse().ok().and_then(|ns: i64| jiff::Timestamp::from_nanosecond(i128::from(ns)).ok()) {
                Some(time) => time.to_string(),
                None => text.clone(),
            }
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a session would say instead of the request.
fn said(socket: &Value) -> String {
    let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let opens = socket["opens"].as_array().into_iter().flatten();
    let opens: String = opens.map(|text| format!("{}\n", of(text))).collect();
    format!("\na session says it on {}\n{opens}{}\n", of(&socket["url"]), of(&socket["message"]))
}

fn request(request: &Value) -> String {
    let of = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let mut text = format!("{} {}\n", of("method"), of("url"));
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        text.push_str(&format!("{name}: {}\n", cell("", value)));
    }
    match of("body").as_str() {
        "" => text,
        body => format!("{text}\n{body}\n"),
    }
}
