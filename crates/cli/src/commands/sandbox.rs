//! `sandbox`: an exchange of one's own, on this machine.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bellwether::data::DataError;
use bellwether::sandbox::{ApiKey, Commission, Faults, LimitSettings, Sandbox, SandboxError, SandboxSettings};
use bellwether_sdk::{Decimal, Interval, Symbol};
use clap::Args;
use serde_json::{Value, json};

use crate::args::Global;
use crate::failure::{Code, Failure};
use crate::{interrupt, out, plan, shipped};

/// `sandbox`
#[derive(Debug, Args)]
#[command(after_help = "\
Prints one line with the address, a key and how to point a client to it, then serves until Ctrl-C.

Examples:
  bellwether sandbox --loop
  bellwether sandbox --loop --json --port 8377 --pace 10 --balance USDT=5000 --balance BTC=0.1
  bellwether sandbox --loop --key reader:s3cret:read --key bot:t0psecret:read,trade:127.0.0.1:2030-01-01T00:00:00Z
  bellwether sandbox --loop --faults delay=5..50,disconnect=500,duplicate=0.01,error_after=0.02 --seed 7")]
pub(crate) struct SandboxArgs {
    /// Port on 127.0.0.1; 0 for any that is free.
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
    /// Spot instruments to serve; repeat for more [default: all with stored trades].
    #[arg(long, visible_alias = "symbol", value_name = "SYMBOL")]
    instrument: Vec<Symbol>,
    /// Folder of stored market data [default: the settings', else backtest-data].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Times real time; 0 plays only the steps that are asked for.
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    pace: f64,
    /// Begin anew where the stored data ends; without it prices stand still then.
    #[arg(long = "loop")]
    again: bool,
    /// What an account begins with; repeat for more currencies [default: USDT=100000].
    #[arg(long, value_name = "CODE=AMOUNT", value_parser = balance)]
    balance: Vec<(String, Decimal)>,
    /// What commission is taken in: `received`, as at the venue, where a purchase gives less than it filled, or `quote`.
    #[arg(long, value_name = "WHERE", default_value = "received")]
    commission: Commission,
    /// A key: id[@account]:secret:perm[,perm][:ip[,ip]][:expiry]; perms read, trade, withdraw; the secret may be
    /// ed25519=PUBLIC or rsa=PUBLIC in base64 [default: a random one that may read and trade].
    #[arg(long, value_name = "KEY", value_parser = key)]
    key: Vec<ApiKey>,
    /// What goes wrong: delay=5..50 (ms), disconnect=N, stale=N (messages), lifetime=SECONDS, skew=MS, and shares of
    /// duplicate, reorder, drop, busy (429), ban (418), error_after, error_before (503), reset.
    #[arg(long, value_name = "FAULTS", value_parser = faults)]
    faults: Option<Faults>,
    /// Seed of the faults [default: another one every time; it is printed].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// End after this time, e.g. 60s.
    #[arg(long = "for", value_name = "TIME")]
    lasts: Option<Interval>,
    /// How much of the past can be asked for at the start.
    #[arg(long, value_name = "TIME", default_value = "4h")]
    history: Interval,
    /// Fill rules: book@1 (the book that clients see), quote@1 or trade@1.
    #[arg(long, value_name = "NAME", default_value = "book@1")]
    fill_profile: String,
    /// Load: so many best quotes per second beside what is stored; keeps one processor busy.
    #[arg(long, value_name = "N", default_value_t = 0)]
    flood: u32,
    /// Request weight allowed per minute.
    #[arg(long, value_name = "N", default_value_t = LimitSettings::default().weight_per_minute)]
    weight_limit: u32,
    /// Orders allowed per ten seconds.
    #[arg(long, value_name = "N", default_value_t = LimitSettings::default().orders_per_10s)]
    order_limit: u32,
    /// Orders allowed per day.
    #[arg(long, value_name = "N", default_value_t = LimitSettings::default().orders_per_day)]
    day_limit: u32,
    /// The line is JSON.
    #[arg(long)]
    json: bool,
}

fn balance(text: &str) -> Result<(String, Decimal), String> {
    let (code, amount) = text.split_once('=').ok_or("write CODE=AMOUNT, e.g. USDT=100000")?;
    let amount: Decimal = amount.parse().map_err(|e| format!("{e}"))?;
    if !amount.is_positive() {
        return Err(format!("{amount} is not above zero"));
    }
    Ok((code.to_owned(), amount))
}

fn key(text: &str) -> Result<ApiKey, String> {
    ApiKey::parse(text).map_err(|e| e.to_string())
}

fn faults(text: &str) -> Result<Faults, String> {
    Faults::parse(text).map_err(|e| e.to_string())
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let text = error.to_string();
        match error {
            SandboxError::Data(DataError::Io { .. }) => Self::new(Code::Failed, text),
            SandboxError::Data(_) | SandboxError::Setting { .. } => {
                Self::bad(text).help("`bellwether data list` shows what is stored")
            }
            _ => Self::new(Code::Failed, text),
        }
    }
}

/// Runs the command.
pub(crate) fn run(global: &Global, args: &SandboxArgs) -> Result<(), Failure> {
    let stop = interrupt::listen()?;
    let data = match &args.data {
        Some(dir) => dir.clone(),
        None => {
            let mut dir = plan::settings(global)?.settings.data.dir;
            shipped::stand_in(global, &mut dir)?;
            dir
        }
    };
    let profile = args.fill_profile.parse().map_err(|e| Failure::bad(format!("{e}")))?;
    let mut keys = args.key.clone();
    let mut made = None;
    if keys.is_empty() {
        let (key, secret) = ApiKey::random()?;
        keys.push(key);
        made = Some(secret);
    }
    let seed = args.seed.unwrap_or_else(seed_of_the_moment);
    let mut settings = SandboxSettings {
        commission: args.commission,
        port: args.port,
        data,
        instruments: args.instrument.clone(),
        profile,
        pace: args.pace,
        again: args.again,
        history_ns: args.history.nanos(),
        limits: LimitSettings {
            weight_per_minute: args.weight_limit,
            orders_per_10s: args.order_limit,
            orders_per_day: args.day_limit,
        },
        flood: args.flood,
        faults: args.faults.unwrap_or_default(),
        seed,
        keys: keys.clone(),
        ..SandboxSettings::default()
    };
    if !args.balance.is_empty() {
        settings.balances.clone_from(&args.balance);
    }
    let sandbox = Sandbox::start(settings)?;
    let told = told(&sandbox, &keys, made.as_deref(), args, seed);
    out::answer(&if args.json { told.to_string() } else { plain(&told) })?;
    let begun = Instant::now();
    let lasts = args.lasts.map(|i| Duration::from_nanos(i.nanos().unsigned_abs()));
    while sandbox.is_alive() && !stop.load(Ordering::Relaxed) && lasts.is_none_or(|l| begun.elapsed() < l) {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(sandbox.stop()?)
}

fn seed_of_the_moment() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}

/// The line as JSON. Secrets that came by flag are not repeated.
fn told(sandbox: &Sandbox, keys: &[ApiKey], made: Option<&str>, args: &SandboxArgs, seed: u64) -> Value {
    let at = sandbox.address();
    let keys: Vec<Value> = keys
        .iter()
        .map(|k| {
            json!({"id": k.id, "secret": made, "scheme": k.scheme(), "account": k.account,
                   "read": k.read, "trade": k.trade, "withdraw": k.withdraw})
        })
        .collect();
    let instruments: Vec<&str> = sandbox.instruments().iter().map(Symbol::as_str).collect();
    json!({
        "schema_version": 1,
        "rest_url": format!("http://{at}"),
        "ws_url": format!("ws://{at}"),
        "ws_api_url": format!("ws://{at}/ws-api/v3"),
        "keys": keys,
        "admin_token": sandbox.token(),
        "seed": seed,
        "instruments": instruments,
        "pace": args.pace,
        "loop": args.again,
        "fill_profile": args.fill_profile,
    })
}

fn plain(told: &Value) -> String {
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let keys: Vec<String> = told["keys"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|k| match k["secret"].as_str() {
            Some(secret) => format!("key {} secret {secret}", k["id"].as_str().unwrap_or_default()),
            None => format!("key {}", k["id"].as_str().unwrap_or_default()),
        })
        .collect();
    format!(
        "sandbox: set the venue's REST URL to {}, streams to {}, WebSocket API to {}; {}; admin token {}; seed {}",
        text("rest_url"),
        text("ws_url"),
        text("ws_api_url"),
        keys.join(", "),
        text("admin_token"),
        told["seed"]
    )
}
