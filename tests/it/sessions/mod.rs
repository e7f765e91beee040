//! Paper sessions on venues' feeds, over real sockets: second sources, funding, warm-up.

mod contracts;
mod silence;
mod venue;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bellwether::config::{Feed, Settings, SourceSettings, StrategySettings, WebhookSource};
use bellwether::engine::Outcome;
use bellwether::host::Registry;
use bellwether::run::{self, RunError, SessionPlan, Status, Watcher};
use bellwether_sdk::{
    AccountKind, Bar, Context, Intent, OrderState, ParamError, Params, Plugin, Qty, Side, Strategy, Trade, Ts,
};
use venue::{Script, Venues};

const SYMBOL: &str = "binance:BTC/USDT:USDT";

/// Nothing to set.
#[derive(Debug, Clone, Params)]
struct NoParams {}

/// Buys one contract at its fiftieth trade: by then every source has spoken.
struct BuyOnce {
    heard: u64,
}

impl Strategy for BuyOnce {
    fn account(&self) -> AccountKind {
        AccountKind::Margin
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.heard += 1;
        if self.heard == 50 {
            let scale = ctx.instrument(trade.instrument).qty_scale;
            ctx.place(Intent::market(trade.instrument, Side::Buy, Qty::from_mantissa(10i64.pow(u32::from(scale)))));
        }
    }
}

impl Plugin for BuyOnce {
    type Params = NoParams;
    const NAME: &'static str = "buy_once";
    const SUMMARY: &'static str = "buys one contract";
    const DIRECTIONAL: bool = false;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self { heard: 0 })
    }
}

/// Buys one contract four seconds after its first trade.
struct BuyLater {
    set: bool,
}

impl Strategy for BuyLater {
    fn account(&self) -> AccountKind {
        AccountKind::Margin
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        if !std::mem::replace(&mut self.set, true) {
            ctx.timer(trade.ts.plus(4_000_000_000), 1);
        }
    }

    fn on_timer(&mut self, ctx: &mut Context<'_>, _: u64) {
        let instrument = ctx.instruments().first().copied().expect("one");
        let scale = ctx.instrument(instrument).qty_scale;
        ctx.place(Intent::market(instrument, Side::Buy, Qty::from_mantissa(10i64.pow(u32::from(scale)))));
    }
}

impl Plugin for BuyLater {
    type Params = NoParams;
    const NAME: &'static str = "buy_later";
    const SUMMARY: &'static str = "buys one contract after a while";
    const DIRECTIONAL: bool = false;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self { set: false })
    }
}

/// Closes of the bars that [`Listener`] heard, in hundredths.
static CLOSES: Mutex<Vec<i64>> = Mutex::new(Vec::new());

/// Writes down what it hears.
struct Listener;

impl Strategy for Listener {
    fn on_bar(&mut self, ctx: &mut Context<'_>, bar: &Bar) {
        let unit = 10i64.pow(u32::from(ctx.instrument(bar.instrument).price_scale));
        CLOSES.lock().expect("closes").push(bar.close.mantissa() * 100 / unit);
    }
}

impl Plugin for Listener {
    type Params = NoParams;
    const NAME: &'static str = "listener";
    const SUMMARY: &'static str = "writes down what it hears";
    const DIRECTIONAL: bool = true;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self)
    }
}

struct Nobody;

impl Watcher for Nobody {
    fn status(&mut self, _: &Status) {}
    fn effect(&mut self, _: Ts, _: &str) {}
}

/// Trades at a price for so long.
fn trading(price: &'static str, trades_for_ms: u64) -> Script {
    Script { price, trades_for_ms, pauses_ms: 0, hangs_up: false, funding: None }
}

/// A paper session of a strategy on the venues.
fn session(plugin: &str, venues: Venues, lasts: Duration, change: impl FnOnce(&mut Settings)) -> Outcome {
    session_at(venues.open(), plugin, lasts, (None, None), change)
}

/// The same at an address, with the tape that it begins and the one that it goes on with.
fn session_at(
    at: SocketAddr,
    plugin: &str,
    lasts: Duration,
    tapes: (Option<PathBuf>, Option<PathBuf>),
    change: impl FnOnce(&mut Settings),
) -> Outcome {
    session_until(at, plugin, lasts, tapes, &AtomicBool::new(false), change).expect("a session")
}

fn registry() -> Registry {
    let own = Registry::new().with::<BuyOnce>().with::<BuyLater>().with::<Listener>().with::<silence::Careful>();
    own.with::<strategy_follow::Follow>()
}

/// The same until somebody stops it, if not before.
fn session_until(
    at: SocketAddr,
    plugin: &str,
    lasts: Duration,
    (tape, resume): (Option<PathBuf>, Option<PathBuf>),
    stop: &AtomicBool,
    change: impl FnOnce(&mut Settings),
) -> Result<Outcome, RunError> {
    let mut settings = Settings::default();
    settings.session.feed = Feed::Venue;
    settings.backtest.instruments = vec![SYMBOL.parse().expect("a symbol")];
    settings.backtest.kinds = vec!["trades".to_owned()];
    settings.account.cash = "1000USDT".to_owned();
    settings.strategy = vec![StrategySettings { plugin: plugin.to_owned(), ..StrategySettings::default() }];
    for (name, market) in [("binance_linear", format!("ws://{at}")), ("bybit_linear", format!("ws://{at}/bybit"))] {
        let venue = settings.venue.entry(name.to_owned()).or_default();
        venue.rest_url = Some(format!("http://{at}"));
        venue.market_url = Some(market);
    }
    change(&mut settings);
    let plan = SessionPlan {
        state: None,
        tape,
        watch: false,
        resume,
        ends_after: Some(lasts),
        program: ("test", ""),
        settings_json: serde_json::to_string(&settings).expect("settings"),
        session: 1,
        tokens: &crate::signals::desk::token,
    };
    run::session(&settings, &registry(), plan, None, &mut Nobody, stop).map(|report| report.outcome)
}

#[test]
fn whoever_ends_a_session_does_not_wait_for_a_venue_that_is_silent() {
    // It takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = silent.local_addr().expect("an address");
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            stop.store(true, Ordering::Relaxed);
        });
        session_until(at, "buy_once", Duration::from_secs(60), (None, None), &stop, |_| {})
    });
    assert!(matches!(ended, Err(RunError::Interrupted)), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

fn with_second(settings: &mut Settings) {
    let of = |text: &str| text.parse().expect("a symbol");
    settings.session.second_source.insert(of(SYMBOL), of("bybit:BTC/USDT:USDT"));
}

#[test]
fn a_second_source_stands_in_while_the_first_is_silent() {
    let venues = Venues { first: trading("100.0", 0), second: trading("100.25", 60_000) };
    let outcome = session("buy_once", venues, Duration::from_secs(5), |s| {
        with_second(s);
        s.session.stale_trades_ms = 1_000;
    });
    let [fill] = outcome.fills.as_slice() else { panic!("{:?}", outcome.fills) };
    let unit = 10i64.pow(u32::from(outcome.instruments[0].price_scale));
    assert_eq!(fill.price.mantissa() * 100 / unit, 10_025, "at the second's price, in the first's digits");
    assert!(outcome.notes.iter().any(|n| n.starts_with("the second source stands in")), "{:?}", outcome.notes);
}

#[test]
fn a_second_source_is_not_heard_while_the_first_speaks() {
    let venues = Venues { first: trading("100.0", 60_000), second: trading("100.25", 60_000) };
    let outcome = session("buy_once", venues, Duration::from_secs(4), |s| {
        with_second(s);
        s.risk.price_gap_bps_max = None;
    });
    let unit = 10i64.pow(u32::from(outcome.instruments[0].price_scale));
    assert_eq!(outcome.fills[0].price.mantissa() * 100 / unit, 10_000);
    assert!(!outcome.notes.iter().any(|n| n.contains("stands in")), "{:?}", outcome.notes);
}

#[test]
fn an_order_is_refused_while_the_sources_are_apart() {
    let venues = Venues { first: trading("100.0", 60_000), second: trading("102.0", 60_000) };
    let outcome = session("buy_once", venues, Duration::from_secs(4), |s| {
        with_second(s);
        s.risk.price_gap_bps_max = Some("50".parse().expect("a number"));
    });
    assert!(outcome.fills.is_empty());
    assert_eq!(outcome.orders.iter().map(|o| o.state).collect::<Vec<_>>(), [OrderState::Rejected]);
}

#[test]
fn a_second_source_that_is_silent_judges_no_longer() {
    // It says 102 for a second and a half; the order is made two seconds after that.
    let venues = Venues { first: trading("100.0", 60_000), second: trading("102.0", 1_500) };
    let outcome = session("buy_later", venues, Duration::from_secs(7), |s| {
        with_second(s);
        s.session.stale_trades_ms = 1_000;
        s.risk.price_gap_bps_max = Some("50".parse().expect("a number"));
    });
    assert_eq!(outcome.fills.len(), 1, "{:?} {:?}", outcome.refusals, outcome.notes);
    assert!(outcome.notes.iter().any(|n| n.starts_with("second source is stale")), "{:?}", outcome.notes);
}

#[test]
fn announced_funding_is_booked_when_it_settles() {
    let first = Script { funding: Some(("0.0010", 3_000)), ..trading("100.0", 60_000) };
    let venues = Venues { first, second: trading("100.0", 0) };
    let outcome = session("buy_once", venues, Duration::from_secs(5), |_| {});
    assert_eq!(outcome.fills.len(), 1);
    // One contract at a mark of 100 pays a thousandth.
    assert_eq!(outcome.funding.to_text(outcome.reporting.scale), "-0.1", "{:?}", outcome.notes);
    assert_fees_of_the_lowest_tier(&outcome);
}

/// Where nobody states a fee, the venue's lowest tier is taken and told: a taker pays five basis points of a hundred.
fn assert_fees_of_the_lowest_tier(outcome: &Outcome) {
    assert_eq!(outcome.fees.to_text(outcome.reporting.scale), "0.05");
    let told = "binance:BTC/USDT:USDT: no fee stated; the venue's lowest tier assumed: maker 2, taker 5 basis points";
    assert!(outcome.notes.iter().any(|n| n == told), "{:?}", outcome.notes);
}

#[test]
fn funding_that_settled_while_a_paper_session_was_down_is_booked_when_it_goes_on() {
    let settled = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&settled);
    let history = axum::routing::get(move || async move {
        let at = told.load(Ordering::Relaxed);
        format!(r#"[{{"symbol":"BTCUSDT","fundingTime":{at},"fundingRate":"0.0010","markPrice":"100.0"}}]"#)
    });
    let venues = Venues { first: trading("100.0", 60_000), second: trading("100.0", 0) };
    let at = venues.open_with(axum::Router::new().route("/fapi/v1/fundingRate", history));
    let folder = tempfile::tempdir().expect("a folder");
    let tape = folder.path().join("t.tape");
    let run = |tape, resume| session_at(at, "buy_once", Duration::from_secs(3), (tape, resume), |_| {});
    let before = run(Some(tape.clone()), None);
    assert_eq!((before.fills.len(), before.funding.mantissa()), (1, 0), "{:?}", before.notes);
    settled.store(venue::now_ms() + 50, Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(200));
    let after = run(None, Some(tape.clone()));
    assert_eq!(after.funding.to_text(after.reporting.scale), "-0.1", "{:?}", after.notes);
    // The tape has the fee.
    assert_eq!(after.fees.to_text(after.reporting.scale), "0.05");
    let again = run(None, Some(tape));
    assert_eq!(again.funding.to_text(again.reporting.scale), "-0.1", "it is booked once: {:?}", again.notes);
}

#[test]
fn past_bars_of_the_venue_warm_strategies_up() {
    let venues = Venues { first: trading("100.0", 60_000), second: trading("100.0", 0) };
    let outcome = session("listener", venues, Duration::from_secs(2), |s| {
        s.backtest.kinds.clear();
        s.backtest.interval = Some("1m".parse().expect("an interval"));
        s.backtest.warmup = 3;
    });
    let closes = CLOSES.lock().expect("closes").clone();
    assert_eq!(closes.get(..3), Some([10_300, 10_400, 10_500].as_slice()), "the last three complete minutes");
    assert_eq!(outcome.warmup, 3);
}

#[test]
fn whoever_ends_a_session_is_heard_while_the_venue_is_asked_for_past_bars() {
    let venues = Venues { first: trading("100.0", 60_000), second: trading("100.0", 0) };
    // All else is answered; the past never comes.
    let slow = axum::Router::new()
        .route("/slow/fapi/v1/exchangeInfo", axum::routing::get(|| async { venue::BINANCE_INSTRUMENTS }))
        .route("/slow/fapi/v1/klines", axum::routing::get(std::future::pending::<String>));
    let at = venues.open_with(slow);
    let stop = AtomicBool::new(false);
    let (ended, took) = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(1_500));
            stop.store(true, Ordering::Relaxed);
        });
        let began = std::time::Instant::now();
        let ended = session_until(at, "listener", Duration::from_secs(20), (None, None), &stop, |s| {
            s.backtest.kinds.clear();
            s.backtest.interval = Some("1m".parse().expect("an interval"));
            s.backtest.warmup = 3;
            s.venue.entry("binance_linear".to_owned()).or_default().rest_url = Some(format!("http://{at}/slow"));
        });
        (ended.map(|_| ()), began.elapsed())
    });
    assert!(matches!(ended, Err(RunError::Interrupted)), "{ended:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn an_alert_is_traded_on_a_venues_feed_as_soon_as_it_comes() {
    let address = crate::signals::server::free_port();
    let hook = WebhookSource { listen: address.to_string(), ..WebhookSource::default() };
    let sender = std::thread::spawn(move || {
        // By then the feed has told prices; the server listens once the session runs.
        std::thread::sleep(Duration::from_millis(2_000));
        let body =
            format!(r#"{{"secret":"open sesame","id":"1","instrument":"{SYMBOL}","direction":"long","qty":"1"}}"#);
        crate::signals::server::post(address, "", &body)
    });
    let venues = Venues { first: trading("100.0", 60_000), second: trading("100.0", 0) };
    let outcome = session("follow", venues, Duration::from_secs(6), |s| {
        s.account.kind = Some(AccountKind::Margin);
        s.source.insert("tv".to_owned(), SourceSettings::Webhook(hook));
    });
    assert_eq!(sender.join().expect("a request").0, 200);
    assert_eq!((outcome.orders.len(), outcome.fills.len()), (1, 1), "{:?}", outcome.notes);
}

/// The venue's instruments while it takes no orders for them, under `/halted`.
fn halted() -> axum::Router {
    let instruments = || async { venue::BINANCE_INSTRUMENTS.replace("TRADING", "BREAK") };
    axum::Router::new().route("/halted/fapi/v1/exchangeInfo", axum::routing::get(instruments))
}

/// What is told of them.
const HALTED: &str = "binance takes no orders for binance:BTC/USDT:USDT now: it says BREAK";

#[test]
fn a_paper_session_on_an_instrument_that_the_venue_halted_says_so() {
    let venues = Venues { first: trading("100.0", 60_000), second: trading("100.0", 0) };
    let at = venues.open_with(halted());
    let outcome = session_at(at, "listener", Duration::from_secs(1), (None, None), |s| {
        s.venue.entry("binance_linear".to_owned()).or_default().rest_url = Some(format!("http://{at}/halted"));
    });
    assert!(outcome.notes.iter().any(|n| n.starts_with(HALTED)), "{:?}", outcome.notes);
}
