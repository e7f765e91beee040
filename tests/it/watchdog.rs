//! A strategy that hangs: the watchdog cancels at the venue, keeps a record, and ends the process.
//!
//! The session runs in a process of its own, which is this test program once more.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bellwether::config::{Durability, Feed, Settings, StrategySettings};
use bellwether::host::Registry;
use bellwether::run::{self, SessionPlan, Status, Watcher, look};
use bellwether::sandbox::{ApiKey, Sandbox, SandboxSettings};
use bellwether_sdk::{
    AccountKind, Context, Intent, OrderUpdate, ParamError, Params, Plugin, Price, Qty, Side, Strategy, Trade, Ts,
};

const SYMBOL: &str = "binance:BTC/USDT";
const KEY: &str = "watched";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const AT: &str = "BELLWETHER_TEST_WATCHDOG_AT";
const RESTS: &str = "the venue has accepted its order";
const TAPE: &str = "BELLWETHER_TEST_WATCHDOG_TAPE";

/// Nothing to set.
#[derive(Debug, Clone, Params)]
struct NoParams {}

/// Places an order that rests, and does not return once it does.
struct Hangs {
    placed: bool,
}

impl Strategy for Hangs {
    fn account(&self) -> AccountKind {
        AccountKind::Cash
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        if !std::mem::replace(&mut self.placed, true) {
            let tick = ctx.instrument(trade.instrument).tick.mantissa();
            let below = Price::from_mantissa(trade.price.mantissa() * 3 / 4 / tick * tick);
            let one = 10i64.pow(u32::from(ctx.instrument(trade.instrument).qty_scale));
            ctx.place(Intent::limit(trade.instrument, Side::Buy, Qty::from_mantissa(one / 1_000), below));
        }
    }

    fn on_order(&mut self, _: &mut Context<'_>, update: &OrderUpdate) {
        if update.state == bellwether_sdk::OrderState::Acknowledged {
            eprintln!("{RESTS}");
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
}

impl Plugin for Hangs {
    type Params = NoParams;
    const NAME: &'static str = "hangs";
    const SUMMARY: &'static str = "does not return";
    const DIRECTIONAL: bool = false;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self { placed: false })
    }
}

struct Nobody;

impl Watcher for Nobody {
    fn status(&mut self, _: &Status) {}
    fn effect(&mut self, _: Ts, line: &str) {
        eprintln!("{line}");
    }
}

fn settings(at: &str) -> Settings {
    let mut settings = Settings::default();
    settings.session.feed = Feed::Venue;
    settings.session.durability = Durability::Direct;
    settings.session.hang_ms = 1_500;
    settings.backtest.instruments = vec![SYMBOL.parse().expect("a symbol")];
    settings.backtest.kinds = vec!["trades".to_owned()];
    settings.strategy = vec![StrategySettings { plugin: "hangs".to_owned(), ..StrategySettings::default() }];
    let venue = settings.venue.entry("binance".to_owned()).or_default();
    venue.rest_url = Some(format!("http://{at}"));
    venue.market_url = Some(format!("ws://{at}"));
    venue.account_url = Some(format!("ws://{at}"));
    venue.trade_url = Some(format!("ws://{at}/ws-api/v3"));
    settings
}

/// The session that hangs; run by the test below in a process of its own, and nothing by itself.
#[test]
fn a_session_that_hangs() {
    let (Ok(at), Ok(tape)) = (std::env::var(AT), std::env::var(TAPE)) else { return };
    let settings = settings(&at);
    let registry = Registry::new().with::<Hangs>();
    let plan = SessionPlan {
        state: Some(std::path::Path::new(&tape).parent().expect("a folder").join("state")),
        tape: Some(tape.clone().into()),
        watch: false,
        resume: None,
        ends_after: Some(Duration::from_secs(60)),
        program: ("test", ""),
        tokens: &bellwether::keys::token,
        settings_json: serde_json::to_string(&settings).expect("settings"),
        session: 1,
    };
    let state = std::path::Path::new(&tape).parent().expect("a folder");
    let ring = run::Ring::open(&settings, &["binance".to_owned()], state, false).expect("a key");
    run::session(&settings, &registry, plan, Some(ring), &mut Nobody, &AtomicBool::new(false)).expect("a session");
}

fn lines_of(tape: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    run::show(tape, |_, line| {
        lines.push(line.to_owned());
        true
    })
    .expect("a tape");
    lines
}

#[test]
fn the_watchdog_cancels_for_a_session_that_hangs_and_ends_it() {
    let venue = Sandbox::start(SandboxSettings {
        data: Path::new(env!("CARGO_MANIFEST_DIR")).join("backtest-data"),
        instruments: vec![SYMBOL.parse().expect("a symbol")],
        pace: 20.0,
        keys: vec![ApiKey::parse(&format!("{KEY}:{SECRET}:read,trade")).expect("a key")],
        ..SandboxSettings::default()
    })
    .expect("a sandbox");
    let dir = tempfile::tempdir().expect("a folder");
    let tape = dir.path().join("hangs.tape");
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["watchdog::a_session_that_hangs", "--exact", "--nocapture"])
        .env(AT, venue.address().to_string())
        .env(TAPE, &tape)
        .env("BELLWETHER_KEY_BINANCE_MAIN_ID", KEY)
        .env("BELLWETHER_KEY_BINANCE_MAIN_SECRET", SECRET)
        .stdin(Stdio::null())
        .output()
        .expect("it ran");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(RESTS), "its order never rested: {:?}; {told}", lines_of(&tape));
    let lines = lines_of(&dir.path().join("hangs.tape.watchdog"));
    assert!(lines[0].starts_with("effect watchdog acts: the session has not moved for "), "{lines:?}");
    assert!(lines.iter().any(|l| l == "effect watchdog cancelled all orders of binance:BTC/USDT"), "{lines:?}");
    // The venue says so too.
    let asked = Command::new(std::env::current_exe().expect("this program"))
        .args(["watchdog::how_many_orders_are_open", "--exact", "--nocapture"])
        .env(AT, venue.address().to_string())
        .env("BELLWETHER_KEY_BINANCE_MAIN_ID", KEY)
        .env("BELLWETHER_KEY_BINANCE_MAIN_SECRET", SECRET)
        .output()
        .expect("it ran");
    let told = String::from_utf8_lossy(&asked.stdout);
    assert!(told.contains("open orders: 0"), "{told}");
}

/// Asks the sandbox with the key of its environment; run by the test above in a process of its own.
#[test]
fn how_many_orders_are_open() {
    let Ok(at) = std::env::var(AT) else { return };
    let look_at = run::LookAt { venue: "binance".to_owned(), account: "main".to_owned(), ..run::LookAt::default() };
    let told = look(&settings(&at), &look_at, &run::What::Orders, Some(SYMBOL)).expect("an answer");
    println!("open orders: {}", told["orders"].as_array().expect("orders").len());
}
