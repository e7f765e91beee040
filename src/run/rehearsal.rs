//! Keeps the way from a decision to its signed order warm.
//!
//! Orders are rare: between two of them the processor's caches are filled with what feeds need, and the next order would
//! wait a hundred times for memory (60 to 90 µs instead of 10 to 20, [benches/README.md](../../benches/README.md)). So between
//! two messages the same code is gone through with orders that never leave: an engine, a guard and a gateway of their own, with
//! no socket, and a key that no venue knows. Nothing of the session is touched, and nothing is recorded.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bellwether_sdk::{
    AccountKind, Context, Intent, ParamError, Params, Plugin, Price, Qty, Quote, Side, Strategy, Ts, View,
};

use super::RunError;
use super::market::Place;
use super::session::Session;
use super::setup::Setup;
use super::supply::Offers;
use crate::config::{RiskSettings, Settings, StrategySettings};
use crate::engine::{Circuit, Command, Event, Told};
use crate::exchange::Listing;
use crate::exchange::gateway::{Gateway, GatewaySettings};
use crate::exchange::machine::Limits;
use crate::host::Registry;
use crate::keys::{Credential, Scheme, Signing};
use crate::orders::Answer;
use crate::tape::Mode;

/// How often at most.
const EVERY_NS: i64 = 500_000;

/// The thread is busy with it for at most one part in so many.
const SHARE: i64 = 40;

/// Its engine keeps so many ended orders: it does not begin anew, which would cost tens of megabytes each time.
const ORDERS_KEPT: usize = 256;

/// Its gateway never hears of an end: after so many orders there is another one.
const GATEWAY_ORDERS: u32 = 512;

#[derive(Debug, Clone, Params)]
struct Nothing {}

/// Places an order at every quote.
struct Actor;

impl Strategy for Actor {
    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        let rules = ctx.instrument(quote.instrument);
        let (tick, lot) = (rules.tick.mantissa().max(1), rules.lot.mantissa().max(1));
        let price = (quote.bid.mantissa() / tick * tick).max(tick);
        let least = i64::try_from(rules.notional_min / i128::from(price)).unwrap_or(i64::MAX / 4);
        let qty = (least.max(rules.qty_min.mantissa()) / lot + 1).saturating_mul(lot);
        ctx.place(Intent::limit(quote.instrument, Side::Buy, Qty::from_mantissa(qty), Price::from_mantissa(price)));
    }
}

impl Plugin for Actor {
    type Params = Nothing;
    const NAME: &'static str = "rehearsal";
    const SUMMARY: &'static str = "orders that never leave";
    const DIRECTIONAL: bool = false;

    fn new(_: Nothing) -> Result<Self, ParamError> {
        Ok(Self)
    }
}

/// A session of its own, and its gateway.
pub(super) struct Rehearsal {
    place: Place,
    signing: Signing,
    session: Session,
    gateway: Gateway,
    orders: u32,
    due: Ts,
}

impl Rehearsal {
    /// What is like the session's, with its kind of account, at one of its places and for a key like its; `None` for kinds
    /// of keys that are not made up here.
    pub(super) fn new(
        settings: &Settings,
        account: AccountKind,
        offers: &Offers,
        place: &Place,
        signing: &Signing,
    ) -> Result<Option<Self>, RunError> {
        let Some(signing) = signing.in_force().and_then(|key| made_up(crate::keys::Signer::scheme(&*key))) else {
            return Ok(None);
        };
        let mut settings = settings.clone();
        settings.strategy = vec![StrategySettings { plugin: Actor::NAME.to_owned(), ..StrategySettings::default() }];
        // Limits that judge one order stay; those that count orders would only be hit.
        settings.risk = RiskSettings {
            order_notional_max: settings.risk.order_notional_max,
            price_collar_bps_max: settings.risk.price_collar_bps_max,
            price_gap_bps_max: settings.risk.price_gap_bps_max,
            position_notional_max: settings.risk.position_notional_max,
            ..RiskSettings::default()
        };
        settings.account.kind = Some(account);
        settings.signals.only = false;
        settings.backtest.kinds = vec!["quotes".to_owned()];
        let setup = Setup::new(&settings, &Registry::new().with::<Actor>(), offers)?;
        let instruments = setup.plan.instruments.clone();
        let mut engine = setup.build(&settings).0;
        engine.keep_ended(ORDERS_KEPT);
        let session = Session::new(Circuit::live(engine), instruments, Mode::Live);
        let (place, gateway) = (place.clone(), gateway_of(place, &signing));
        Ok(Some(Self { place, signing, session, gateway, orders: 0, due: Ts::NONE }))
    }

    /// Whether it is time to go through it again.
    pub(super) fn is_due(&self, now: Ts) -> bool {
        now >= self.due
    }

    /// Goes through it once, with an instrument of its place that has a price; says how many requests it made.
    pub(super) fn run(&mut self, view: &View, now: Ts) -> Result<usize, RunError> {
        let priced = |l: &&Listing| view.instruments.get(l.id.index()).is_some_and(|i| !i.last.is_zero());
        let Some(instrument) = self.place.listings.iter().find(priced).map(|l| l.id) else { return Ok(0) };
        let last = view.instruments[instrument.index()].last;
        let mut made = 0;
        let began = Instant::now();
        if self.orders >= GATEWAY_ORDERS {
            self.gateway = gateway_of(&self.place, &self.signing);
            self.orders = 0;
        }
        let one = Qty::from_mantissa(1);
        let quote = Quote { ts: now, ts_venue: now, bid: last, bid_qty: one, ask: last, ask_qty: one, instrument };
        self.session.tell(Told::Market(Event::Quote(&quote)))?;
        for command in self.session.circuit.outgoing() {
            let Command::Submit(order) = command else { continue };
            let id = order.get().id;
            self.gateway.submit(order, last, now);
            // There is no socket.
            made += self.gateway.actions().map(std::hint::black_box).count();
            while self.gateway.next_event().is_some() {}
            self.session.tell(Told::Answer(Answer::Rejected(id, "rehearsal"), now))?;
        }
        self.session.circuit.outgoing();
        self.session.take_lines();
        self.orders += 1;
        let took = i64::try_from(began.elapsed().as_nanos()).unwrap_or(i64::MAX / SHARE);
        self.due = now.plus(EVERY_NS.max(took.saturating_mul(SHARE)));
        Ok(made)
    }
}

/// A gateway whose connections are up, as far as it knows.
fn gateway_of(place: &Place, signing: &Signing) -> Gateway {
    let settings = GatewaySettings::new(0, place.urls.clone());
    let limits = Limits::new(u32::MAX / 2, u32::MAX / 2);
    let mut gateway = Gateway::new(Arc::clone(&place.venue), place.listings.clone(), signing.clone(), settings, limits);
    gateway.start_alone(Ts::NONE);
    gateway
}

/// A key that no venue knows.
fn made_up(scheme: Scheme) -> Option<Signing> {
    let secret = match scheme {
        Scheme::HmacSha256 | Scheme::HmacSha512 | Scheme::Ed25519 => STANDARD.encode([7; 32]),
        Scheme::Secp256k1 => "07".repeat(32),
        _ => return None,
    };
    let key: Arc<dyn crate::keys::Signer> = Arc::new(Credential::new("rehearsal", scheme, &secret).ok()?);
    Some(key.into())
}

#[cfg(test)]
mod tests {
    use bellwether_sdk::InstrumentId;

    use super::*;
    use crate::exchange::{Product, Urls, venue};
    use crate::run::look::guess;
    use crate::run::supply::Offer;

    /// A price of 87,250.35 in the digits of rules that were guessed.
    const PRICE: Price = Price::from_mantissa(8_725_035_000_000);

    fn rehearsal(scheme: Scheme) -> Option<Rehearsal> {
        let venue: Arc<dyn crate::exchange::Venue> = venue("binance", Product::Spot).expect("a venue").into();
        let rules = guess(&*venue, &"binance:BTC/USDT".parse().expect("a symbol"));
        let instrument = rules.instrument(InstrumentId(0));
        let listings = crate::exchange::Listings::new([(InstrumentId(0), rules)]);
        let kinds = vec![crate::market::Kind::Quotes];
        let offers = Offers {
            rows: vec![Offer { instrument, fees: None, fees_are_assumed: false, kinds }],
            place: "binance".to_owned(),
        };
        let nowhere = "ws://127.0.0.1:9".to_owned();
        let urls = Urls { rest: String::new(), market: nowhere.clone(), account: String::new(), trade: nowhere };
        let place = Place { venue, urls, listings, limits: Limits::new(100, 100) };
        let mut settings = Settings::default();
        settings.account.cash = "100000USDT".to_owned();
        settings.backtest.instruments = vec!["binance:BTC/USDT".parse().expect("a symbol")];
        let signing = made_up(scheme)?;
        Rehearsal::new(&settings, AccountKind::Cash, &offers, &place, &signing).expect("settings")
    }

    /// Each time an order goes through guard, codec and signature, also when its gateway is another one, and what they keep
    /// does not grow.
    #[test]
    fn an_order_is_made_and_signed_whenever_there_is_a_price_and_it_is_time() {
        for scheme in [Scheme::HmacSha256, Scheme::Ed25519] {
            let mut rehearsal = rehearsal(scheme).expect("a kind of key that is made up");
            let mut view = rehearsal.session.circuit.engine().view().clone();
            let minute = |n: u32| Ts::from_nanos(1_700_000_000_000_000_000 + i64::from(n) * 60_000_000_000);
            assert_eq!(rehearsal.run(&view, minute(0)).expect("goes on"), 0, "there is no price yet");
            view.instruments[0].last = PRICE;
            let last = 3 * GATEWAY_ORDERS;
            for n in 0..=last {
                assert!(rehearsal.is_due(minute(n)));
                assert_eq!(rehearsal.run(&view, minute(n)).expect("goes on"), 1, "{scheme:?}, time {n}");
                let engine = rehearsal.session.circuit.engine();
                let sent = rehearsal.session.sent.as_ref().map_or(0, |sent| sent.orders().len());
                let kept = [engine.orders().records().len(), sent, rehearsal.gateway.orders().count()];
                assert!(kept.iter().all(|n| *n <= GATEWAY_ORDERS as usize), "{kept:?}");
            }
            assert_eq!(rehearsal.session.circuit.engine().orders().made(), u64::from(last) + 1);
            assert!(!rehearsal.is_due(minute(last).plus(1)));
        }
        assert!(rehearsal(Scheme::Es256).is_none());
    }
}
