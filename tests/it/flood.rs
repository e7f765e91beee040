//! Strategies take each other's places in a live session while the venue sends 20,000 quotes a second (5,000 to a build that is
//! not optimised): none is lost, and no order.
//!
//! The sandbox marks its load: the quantity of the best bid goes from one to two or back four times a second. So the
//! tape shows whether one was lost. The strategies send an order at each mark, by what they remember of the quote before.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bellwether::config::{Durability, Feed, KeySettings, Settings, StrategySettings};
use bellwether::host::Registry;
use bellwether::run::{self, Asked, ChangeAsked, SessionPlan, Status, Watcher};
use bellwether::sandbox::{ApiKey, Sandbox, SandboxSettings};
use bellwether::tape::{Record, TapeReader};
use bellwether_sdk::{
    Context, Intent, OrderId, OrderUpdate, ParamError, Params, Plugin, Price, Qty, Quote, Side, Strategy, TimeInForce,
    Ts, state,
};

const SYMBOL: &str = "binance:BTC/USDT";
const KEY: &str = "flooded";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const RATE: u32 = if cfg!(debug_assertions) { 5_000 } else { 20_000 };
/// Quotes between two marks: the sandbox makes four marks a second.
const BETWEEN: usize = RATE as usize / 4;
/// After its beginning, at least.
const LASTS: Duration = Duration::from_secs(6);
/// Changes, at least.
const SWAPS: usize = 3;
/// No session, no change and no answer takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The load is as much as a machine bears once.
static ALONE: Mutex<()> = Mutex::new(());

/// Nothing to set.
#[derive(Debug, Clone, Params)]
struct NoParams {}

/// Sends an order that cannot fill at each mark; the last one gives up at whatever it hears first in another's place.
struct Answers<const VERSION: u8> {
    before: Qty,
    has_taken_up: bool,
}

impl<const VERSION: u8> Strategy for Answers<VERSION> {
    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        if VERSION == 3 && self.has_taken_up {
            ctx.halt("enough");
        }
        if !is_load(quote, ctx.instrument(quote.instrument).qty_scale) {
            return;
        }
        let before = std::mem::replace(&mut self.before, quote.bid_qty);
        if before != quote.bid_qty && !before.is_zero() && !quote.bid.is_zero() {
            ctx.place(below(ctx, quote).tif(TimeInForce::Ioc));
        }
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, _: &OrderUpdate) {
        if VERSION == 3 && self.has_taken_up {
            ctx.halt("enough");
        }
    }

    fn save(&self) -> Vec<u8> {
        state::save(&(), &self.before)
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        self.before = state::load(&(), saved)?;
        self.has_taken_up = true;
        Ok(())
    }
}

impl<const VERSION: u8> Plugin for Answers<VERSION> {
    type Params = NoParams;
    const NAME: &'static str = ["", "answers", "answers_too", "gives_up"][VERSION as usize];
    const SUMMARY: &'static str = "answers marks";
    const DIRECTIONAL: bool = false;
    const STATE_VERSION: u32 = 1;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self { before: Qty::ZERO, has_taken_up: false })
    }
}

/// Has one order resting, which it replaces at each mark; the last one gives up at whatever it hears first in another's
/// place. Each takes up which order rests.
struct Rests<const VERSION: u8> {
    before: Qty,
    rests: Option<OrderId>,
    has_taken_up: bool,
}

impl<const VERSION: u8> Strategy for Rests<VERSION> {
    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        if VERSION == 3 && self.has_taken_up {
            ctx.halt("enough");
        }
        if !is_load(quote, ctx.instrument(quote.instrument).qty_scale) {
            return;
        }
        let before = std::mem::replace(&mut self.before, quote.bid_qty);
        if before != quote.bid_qty && !before.is_zero() && !quote.bid.is_zero() {
            self.rests.into_iter().for_each(|order| ctx.cancel(order));
            self.rests = Some(ctx.place(below(ctx, quote)));
        }
    }

    fn on_order(&mut self, ctx: &mut Context<'_>, update: &OrderUpdate) {
        if VERSION == 3 && self.has_taken_up {
            ctx.halt("enough");
        }
        if !update.state.is_open() {
            self.rests = self.rests.filter(|order| *order != update.order);
        }
    }

    fn save(&self) -> Vec<u8> {
        state::save(&(), &(self.before, self.rests))
    }

    fn restore(&mut self, saved: &[u8]) -> Result<(), String> {
        (self.before, self.rests) = state::load(&(), saved)?;
        self.has_taken_up = true;
        Ok(())
    }
}

impl<const VERSION: u8> Plugin for Rests<VERSION> {
    type Params = NoParams;
    const NAME: &'static str = ["", "rests", "rests_too", "rests_no_more"][VERSION as usize];
    const SUMMARY: &'static str = "replaces its order at marks";
    const DIRECTIONAL: bool = false;
    const STATE_VERSION: u32 = 1;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self { before: Qty::ZERO, rests: None, has_taken_up: false })
    }
}

/// A small order that does not fill.
fn below(ctx: &Context<'_>, quote: &Quote) -> Intent {
    let tick = ctx.instrument(quote.instrument).tick.mantissa();
    let price = Price::from_mantissa(quote.bid.mantissa() * 95 / 100 / tick * tick);
    let qty = Qty::from_mantissa(10i64.pow(u32::from(ctx.instrument(quote.instrument).qty_scale)) / 1_000);
    Intent::limit(quote.instrument, Side::Buy, qty, price)
}

/// Stored quotes come too; those of the load have a bid of one or two.
fn is_load(quote: &Quote, scale: u8) -> bool {
    let one = 10i64.pow(u32::from(scale));
    [one, 2 * one].contains(&quote.bid_qty.mantissa())
}

struct Nobody;

impl Watcher for Nobody {
    fn status(&mut self, _: &Status) {}
    fn effect(&mut self, _: Ts, _: &str) {}
}

fn settings(venue: &Sandbox, folder: &Path, plugin: &str) -> Settings {
    let at = venue.address();
    let mut settings = Settings::default();
    settings.session.feed = Feed::Venue;
    settings.session.durability = Durability::Staged;
    settings.backtest.instruments = vec![SYMBOL.parse().expect("a symbol")];
    settings.backtest.kinds = vec!["quotes".to_owned()];
    settings.strategy = vec![StrategySettings { plugin: plugin.to_owned(), ..StrategySettings::default() }];
    let urls = settings.venue.entry("binance".to_owned()).or_default();
    urls.rest_url = Some(format!("http://{at}"));
    urls.market_url = Some(format!("ws://{at}"));
    urls.account_url = Some(format!("ws://{at}"));
    urls.trade_url = Some(format!("ws://{at}/ws-api/v3"));
    let key = folder.join("key.json");
    std::fs::write(&key, format!("{{\"id\": \"{KEY}\", \"secret\": \"{SECRET}\"}}")).expect("written");
    #[cfg(unix)]
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    settings.key = vec![KeySettings {
        account: "binance/main".to_owned(),
        label: "flood".to_owned(),
        source: format!("file:{}", key.display()),
        ..KeySettings::default()
    }];
    settings
}

/// Asks for one version after the other; what became of each.
fn swap_on_and_on(state: &Path, [first, second, fails]: [&'static str; 3]) -> Vec<(&'static str, String)> {
    let wait = |within: Duration, what: &str, is: &mut dyn FnMut() -> bool| {
        let begun = Instant::now();
        while !is() {
            assert!(begun.elapsed() < within, "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    wait(PATIENCE, "no session runs", &mut || run::running(state).is_ok_and(|all| !all.is_empty()));
    // Some marks are heard before the first.
    std::thread::sleep(Duration::from_secs(2));
    let (begun, mut became) = (Instant::now(), Vec::new());
    let versions = [second, fails, first].into_iter().cycle();
    for (version, number) in versions.zip(1..) {
        if begun.elapsed() > LASTS && became.len() >= SWAPS {
            break;
        }
        let asked = ChangeAsked {
            file: Some(version.to_owned()),
            operator: "ann".to_owned(),
            number,
            // They have names of their own, and count on from one another.
            with_state: true,
            ..ChangeAsked::default()
        };
        run::ask(state, "binance-main", &Asked::Change(Box::new(asked))).expect("asked");
        let mut step = String::new();
        wait(PATIENCE, "no answer", &mut || {
            let reply = run::reply(state, "binance-main").filter(|r| r.number == number && r.step != "in");
            reply.map(|r| step = r.step).is_some()
        });
        became.push((version, step));
    }
    became
}

#[test]
fn no_quote_and_no_order_is_lost_while_strategies_are_swapped_under_load() {
    let registry = Registry::new().with::<Answers<1>>().with::<Answers<2>>().with::<Answers<3>>();
    let ends = flooded(&registry, ["answers", "answers_too", "gives_up"]);
    assert_eq!((ends.orders, ends.cancelled), (ends.expired, 0), "the venue answered each");
}

#[test]
fn an_order_that_rests_is_handed_on_and_none_is_left_behind_while_strategies_are_swapped_under_load() {
    let registry = Registry::new().with::<Rests<1>>().with::<Rests<2>>().with::<Rests<3>>();
    let ends = flooded(&registry, ["rests", "rests_too", "rests_no_more"]);
    // The last one is cancelled as the session ends.
    assert_eq!((ends.orders, ends.expired), (ends.cancelled, 0), "each was replaced by the next, and once");
}

/// What went out, and how it ended.
struct Ends {
    orders: usize,
    expired: usize,
    cancelled: usize,
}

/// A session under load in which versions take each other's places; the last of them fails.
fn flooded(registry: &Registry, versions: [&'static str; 3]) -> Ends {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let venue = Sandbox::start(SandboxSettings {
        data: Path::new(env!("CARGO_MANIFEST_DIR")).join("backtest-data"),
        instruments: vec![SYMBOL.parse().expect("a symbol")],
        // What is stored hardly moves: the load is all that comes.
        pace: 0.001,
        flood: RATE,
        keys: vec![ApiKey::parse(&format!("{KEY}:{SECRET}:read,trade")).expect("a key")],
        ..SandboxSettings::default()
    })
    .expect("a sandbox");
    let dir = tempfile::tempdir().expect("a folder");
    let settings = settings(&venue, dir.path(), versions[0]);
    let tape = dir.path().join("flood.tape");
    let plan = SessionPlan {
        state: Some(dir.path().to_owned()),
        ends_after: None,
        tokens: &bellwether::keys::token,
        ..crate::signals::desk::plan(Some(&tape), &settings)
    };
    let ring = run::Ring::open(&settings, &["binance".to_owned()], dir.path(), false).expect("a key");
    let stop = AtomicBool::new(false);
    let (became, notes) = std::thread::scope(|scope| {
        let swapping = scope.spawn(|| {
            // However that ends, so does the session.
            let became = std::panic::catch_unwind(|| swap_on_and_on(dir.path(), versions));
            stop.store(true, Ordering::Relaxed);
            became
        });
        let report = run::session(&settings, registry, plan, Some(ring), &mut Nobody, &stop);
        (swapping.join().expect("no panic").expect("asked"), report.expect("a session").outcome.notes)
    });
    assert!(!notes.iter().any(|n| n.contains("feed disconnected")), "too slow for the load: {notes:?}");
    assert!(became.len() >= SWAPS, "{became:?}");
    for (version, step) in &became {
        assert_eq!(step, if *version == versions[2] { "taken back" } else { "kept" }, "{became:?}");
    }

    let mut reader = TapeReader::open(&tape).expect("a tape");
    let (mut quotes, mut runs, mut before, mut scale) = (0, vec![0_usize], Qty::ZERO, 0);
    let (mut first, mut last, mut ends) = (Ts::MAX, Ts::NONE, Ends { orders: 0, expired: 0, cancelled: 0 });
    while let Some((_, record)) = reader.read().expect("a record") {
        match record {
            Record::Start(start) => scale = start.instruments[0].qty_scale,
            Record::Quote(quote) if is_load(&quote, scale) => {
                quotes += 1;
                (first, last) = (first.min(quote.ts), last.max(quote.ts));
                if std::mem::replace(&mut before, quote.bid_qty) != quote.bid_qty {
                    runs.push(0);
                }
                *runs.last_mut().expect("one") += 1;
            }
            Record::Effect(line) if line.starts_with("order ") => ends.orders += 1,
            Record::Effect(line) if line.starts_with("expired ") => ends.expired += 1,
            Record::Effect(line) if line.starts_with("cancelled ") => ends.cancelled += 1,
            _ => {}
        }
    }
    let heard = f64::from(quotes) / (last.nanos() - first.nanos()) as f64 * 1e9;
    println!("{quotes} quotes, {heard:.0} a second; {} orders; {became:?}", ends.orders);
    // Before the first mark it had not yet begun to listen, and after the last it stopped.
    let whole = &runs[2..runs.len() - 1];
    assert!(whole.len() > 10 && whole.iter().all(|run| *run == BETWEEN), "quotes between marks: {runs:?}");
    assert_eq!(ends.orders, whole.len() + 1, "an order at every mark: {runs:?}");
    assert_eq!(run::replay(&tape, registry).expect("a replay").divergence, None);
    ends
}
