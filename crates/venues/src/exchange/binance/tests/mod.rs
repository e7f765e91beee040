//! Binance's codec against requests and messages written by hand from the venue's documents.

mod account;
mod acts;
mod asks;
mod errors;
mod market;
mod signing;
mod trade;

use bellwether_sdk::{InstrumentId, Intent, OrderId, OrderKind, Price, Qty, Role, Side, Size, TimeInForce, Ts};

use super::Binance;
use crate::exchange::{ClientId, Listings, Place, Product, Response, Rules, Stamp, Venue, trial};
use crate::keys::{Credential, Scheme};
use crate::orders::{Order, WordId};
use crate::risk::{Approved, Guard, RiskView};

/// Bitcoin in Tether, prices to the cent, quantities to eight digits; and Ether.
pub(super) fn listings(product: Product) -> Listings {
    let settle = if product == Product::Spot { "" } else { ":USDT" };
    let rules = |base: &str, qty_scale| Rules {
        stream_name: format!("{}usdt", base.to_lowercase()),
        ..trial::rules(&format!("binance:{base}/USDT{settle}"), &format!("{base}USDT"), 2, qty_scale)
    };
    Listings::new([(InstrumentId(0), rules("BTC", 8)), (InstrumentId(1), rules("ETH", 3))])
}

pub(super) const BTC: InstrumentId = InstrumentId(0);

pub(super) fn spot() -> Binance {
    Binance::new(Product::Spot)
}

pub(super) fn futures() -> Binance {
    Binance::new(Product::Linear)
}

/// The secret of the venue's published examples.
pub(super) fn key() -> Credential {
    let secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
    Credential::new(KEY_ID, Scheme::HmacSha256, secret).expect("a key")
}

pub(super) const KEY_ID: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";

/// RFC 8032, test 1.
pub(super) fn ed25519() -> Credential {
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----";
    Credential::new(KEY_ID, Scheme::Ed25519, pem).expect("a key")
}

pub(super) fn at_millis(ms: i64) -> Stamp {
    Stamp { now: Ts::from_millis(ms), nonce: 1 }
}

pub(super) fn response(status: u16, body: &str) -> Response {
    Response { status, headers: Vec::new(), body: body.to_owned() }
}

/// A limit order to buy 0.5 at 100.25, changed by `change`, approved and numbered.
pub(super) fn place(change: impl FnOnce(&mut Order)) -> Place {
    let intent = Intent::limit(BTC, Side::Buy, Qty::from_mantissa(50_000_000), Price::from_mantissa(10_025));
    let mut order = Order {
        id: OrderId(7),
        strategy: 0,
        instrument: intent.instrument,
        side: intent.side,
        size: intent.size,
        kind: intent.kind,
        tif: TimeInForce::Gtc,
        post_only: false,
        reduce_only: false,
        role: Role::Signal,
        parent: OrderId(0),
        oco: OrderId(0),
        tag: WordId::default(),
    };
    change(&mut order);
    let Size::Qty(qty) = order.size else { panic!("a quantity") };
    let client = ClientId::of(0xabcd, 7, &order.kind);
    Place { order: approved(order), client, qty, reference: Price::from_mantissa(10_000) }
}

fn approved(order: Order) -> Approved<Order> {
    let rules = listings(Product::Spot).get(BTC).expect("listed").rules.clone();
    let instrument = rules.instrument(BTC);
    let terms = crate::portfolio::Terms::new(&instrument, 0, 10).expect("terms");
    let view = RiskView {
        instrument: &instrument,
        terms: &terms,
        money_scale: 10,
        position: &crate::portfolio::Position::default(),
        last: Price::from_mantissa(10_000),
        open_orders: 0,
        reference: Price::ZERO,
        pace: crate::risk::Pace::default(),
    };
    Guard::default().approve(order, &view).expect("approved")
}

pub(super) const STOP: OrderKind = OrderKind::StopMarket { trigger: Price::from_mantissa(9_000) };

/// Whether a product's facts and name are right at the door.
#[test]
fn both_products_stand_at_the_door() {
    for product in [Product::Spot, Product::Linear] {
        let venue = crate::exchange::venue("binance", product).expect("built in");
        assert_eq!((venue.facts().venue, venue.facts().product), ("binance", product));
        let symbol = "binance:BTC/USDT".parse().expect("a symbol");
        assert_eq!(venue.guess_name(&symbol), "BTCUSDT");
    }
}
