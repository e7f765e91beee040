//! Limits of a key in a session, from the settings to the venue.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bellwether::config::{Durability, Feed, NarrowSettings, StrategySettings};
use bellwether::host::Registry;
use bellwether::run::{self, Ring, SessionPlan, Status, Watcher};
use bellwether::sandbox::Faults;
use bellwether_sdk::{AccountKind, Context, Intent, ParamError, Params, Plugin, Price, Qty, Side, Strategy, Trade, Ts};

use super::Bench;

/// Nothing to set.
#[derive(Debug, Clone, Params)]
struct NoParams {}

/// Places one order that rests.
struct Once {
    placed: bool,
}

impl Strategy for Once {
    fn account(&self) -> AccountKind {
        AccountKind::Cash
    }

    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        if !std::mem::replace(&mut self.placed, true) {
            let instrument = ctx.instrument(trade.instrument);
            let tick = instrument.tick.mantissa();
            let below = Price::from_mantissa(trade.price.mantissa() * 3 / 4 / tick * tick);
            let one = 10i64.pow(u32::from(instrument.qty_scale));
            ctx.place(Intent::limit(trade.instrument, Side::Buy, Qty::from_mantissa(one / 1_000), below));
        }
    }
}

impl Plugin for Once {
    type Params = NoParams;
    const NAME: &'static str = "once";
    const SUMMARY: &'static str = "places one order";
    const DIRECTIONAL: bool = false;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self { placed: false })
    }
}

struct Nobody;

impl Watcher for Nobody {
    fn status(&mut self, _: &Status) {}

    fn effect(&mut self, _: Ts, _: &str) {}
}

#[test]
fn an_order_outside_of_its_strategys_limits_never_reaches_the_venue_and_the_report_says_why() {
    let mut bench = Bench::paced(&["key-narrow-1"], Faults::default(), 20.0);
    let source = bench.put("main.json", "key-narrow-1");
    bench.with_key("main", source);
    let own =
        |id: &str| StrategySettings { id: id.to_owned(), plugin: "once".to_owned(), ..StrategySettings::default() };
    bench.settings.strategy = vec![own("small"), own("free")];
    bench.settings.key[0].narrow = vec![NarrowSettings {
        strategy: "small".to_owned(),
        order_notional_max: Some("10".parse().expect("money")),
        ..NarrowSettings::default()
    }];
    bench.settings.session.feed = Feed::Venue;
    bench.settings.session.durability = Durability::Direct;
    bench.settings.backtest.instruments = vec!["binance:BTC/USDT".parse().expect("a symbol")];
    bench.settings.backtest.kinds = vec!["trades".to_owned()];
    let venue = bench.settings.venue.get_mut("binance").expect("a venue");
    venue.market_url = Some(bench.urls.market.clone());
    venue.account_url = Some(bench.urls.account.clone());
    let tape = bench.dir.path().join("narrow.tape");
    let settings = &bench.settings;
    let plan = SessionPlan {
        state: Some(bench.state()),
        tape: Some(tape.clone()),
        watch: false,
        resume: None,
        ends_after: Some(Duration::from_secs(6)),
        program: ("test", ""),
        tokens: &bellwether::keys::token,
        settings_json: serde_json::to_string(settings).expect("settings"),
        session: 1,
    };
    let ring = Ring::open(settings, &["binance".to_owned()], &bench.state(), false).expect("a key");
    let registry = Registry::new().with::<Once>();
    let done =
        run::session(settings, &registry, plan, Some(ring), &mut Nobody, &AtomicBool::new(false)).expect("a session");

    let lines = lines_of(&tape);
    let taken = bench.taken("key-narrow-1");
    assert_eq!(taken.len(), 1, "only the order without a limit: {taken:?} {lines:#?}");
    assert!(lines.iter().any(|l| l.contains("key_narrowed")), "{lines:#?}");
    let why = "and it signs at most 10 an order";
    assert!(done.outcome.notes.iter().any(|n| n.contains(why)), "{:?}", done.outcome.notes);
}

fn lines_of(tape: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let shown = run::show(tape, |_, line| {
        lines.push(line.to_owned());
        true
    });
    shown.expect("a tape");
    lines
}
