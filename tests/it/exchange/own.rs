//! An adapter of the program's own, added to those that are built in: the whole library knows it then.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;

use bellwether::config::{Feed, Settings, StrategySettings};
use bellwether::exchange::{Product, VenueTaken, add_venue, venues};
use bellwether::host::Registry;

use bellwether::run::{self, LookAt, SessionPlan, Status, Watcher, What, look};
use bellwether_sdk::{Context, Intent, ParamError, Params, Plugin, Price, Qty, Side, Strategy, TimeInForce, Trade, Ts};

use super::shop::{self, Shop};
use super::toy::Toy;

#[derive(Debug, Clone, Params)]
struct NoParams {}

/// Buys at its fifth trade, a tick above it.
struct Buyer(u32);

impl Strategy for Buyer {
    fn on_trade(&mut self, ctx: &mut Context<'_>, trade: &Trade) {
        self.0 += 1;
        if self.0 == 5 {
            let price = Price::from_mantissa(trade.price.mantissa() + 1);
            ctx.place(Intent::limit(trade.instrument, Side::Buy, Qty::from_mantissa(100), price).tif(TimeInForce::Gtc));
        }
    }
}

impl Plugin for Buyer {
    type Params = NoParams;
    const NAME: &'static str = "buyer";
    const SUMMARY: &'static str = "buys once";
    const DIRECTIONAL: bool = false;

    fn new(_: NoParams) -> Result<Self, ParamError> {
        Ok(Self(0))
    }
}

struct Nobody;

impl Watcher for Nobody {
    fn status(&mut self, _: &Status) {}
    fn effect(&mut self, _: Ts, _: &str) {}
}

/// The toy venue on a thread of its own, until the test ends.
fn open_shop() -> String {
    let (told, at) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let (_shop, at) = Shop::open().await;
            told.send(at).expect("heard");
            std::future::pending::<()>().await;
        });
    });
    at.recv().expect("an address")
}

#[test]
fn an_adapter_of_ones_own_is_looked_at_and_traded_on_paper_like_a_built_in_one() {
    let unknown =
        look(&Settings::default(), &LookAt { venue: "toy".to_owned(), ..LookAt::default() }, &What::Time, None);
    let unknown = unknown.expect_err("nobody added it").to_string();
    assert!(unknown.contains("no venue \"toy\" is known; there are: binance"), "{unknown}");

    add_venue("toy", Product::Spot, |_| Box::new(Toy::numbers())).expect("added");
    assert_eq!(
        add_venue("toy", Product::Spot, |_| Box::new(Toy::numbers())),
        Err(VenueTaken("toy", Product::Spot)),
        "nothing is replaced"
    );
    assert!(add_venue("binance", Product::Linear, |_| Box::new(Toy::numbers())).is_err());
    assert_eq!(venues().last(), Some(&("toy", Product::Spot)));

    let at = shop::urls(&open_shop());
    let place = LookAt { venue: "toy".to_owned(), rest_url: Some(at.rest.clone()), ..LookAt::default() };
    let time = look(&Settings::default(), &place, &What::Time, None).expect("the shop's time");
    assert_eq!(time["venue"], "toy", "{time}");

    let mut settings = Settings::default();
    settings.session.feed = Feed::Venue;
    settings.backtest.instruments = vec!["toy:BTC/USD".parse().expect("a symbol")];
    settings.backtest.kinds = vec!["trades".to_owned()];
    settings.account.cash = "100000USD".to_owned();
    settings.strategy = vec![StrategySettings { plugin: "buyer".to_owned(), ..StrategySettings::default() }];
    let venue = settings.venue.entry("toy".to_owned()).or_default();
    (venue.rest_url, venue.market_url) = (Some(at.rest), Some(at.market));
    let plan = SessionPlan {
        state: None,
        tape: None,
        watch: false,
        resume: None,
        ends_after: Some(Duration::from_secs(3)),
        program: ("test", ""),
        settings_json: serde_json::to_string(&settings).expect("settings"),
        session: 1,
        tokens: &crate::signals::desk::token,
    };
    let registry = Registry::new().with::<Buyer>();
    let stop = AtomicBool::new(false);
    let report = run::session(&settings, &registry, plan, None, &mut Nobody, &stop).expect("a session");
    assert_eq!(report.outcome.fills.len(), 1, "{:?}", report.outcome.notes);
}
