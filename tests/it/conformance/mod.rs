//! Every built-in venue held against the suite that all adapters pass, each with messages of its own documents' shapes.

mod binance;
mod bybit;
mod coinbase;
mod hyperliquid;
mod kraken;
mod okx;

use std::sync::Arc;

use bellwether::exchange::testing::{Script, check};
use bellwether::exchange::{
    Act, Ask, Cancel, ClientId, Listings, OrderRef, Place, Product, Response, Rules, Span, VENUES, venue,
};
use bellwether::keys::{Credential, Scheme, Signer};
use bellwether_sdk::{Decimal, OrderId, OrderKind, Price, Qty, Side, Ts};

use crate::exchange::world::{BTC, approved, order};

/// Every built-in venue has a script here, and holds to every rule.
#[test]
fn every_built_in_venue_conforms() {
    let mut found = Vec::new();
    for (name, product) in VENUES {
        let venue = venue(name, *product).expect("built in");
        let findings = check(&*venue, &script_of(name, *product));
        found.extend(findings.into_iter().map(|f| format!("{name} {product:?}: {}: {}", f.rule, f.what)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn script_of(name: &str, product: Product) -> Script {
    match name {
        "binance" => binance::script(product),
        "bybit" => bybit::script(product),
        "coinbase" => coinbase::script(),
        "hyperliquid" => hyperliquid::script(),
        "kraken" => kraken::script(),
        "okx" => okx::script(product),
        other => panic!("{other} has no script"),
    }
}

/// A script that breaks no rule by being empty: one of every list is there.
#[test]
fn no_script_is_empty() {
    for (name, product) in VENUES {
        let script = script_of(name, *product);
        let has_socket = !venue(name, *product).expect("built in").facts().urls.trade.is_empty();
        let counts = [script.market.len(), script.account.len(), script.replies.len(), script.act_replies.len()];
        assert!(counts[0] >= 4 && counts[1] >= 2 && counts[2] >= 4 && counts[3] >= 2, "{name} {product:?}: {counts:?}");
        assert!(script.signers.len() >= 2 && script.places.len() >= 3, "{name} {product:?}");
        assert!(!has_socket || !script.trade.is_empty(), "{name} {product:?} has a trading socket");
    }
}

/// The id of the order that scripts place.
const CLIENT: ClientId = ClientId { session: 0xabc, number: 1 };
/// How it stands on the wire.
const CLIENT_TEXT: &str = "0000000000000abc0000000000000001";

/// Bitcoin under a venue's own name.
fn listing(symbol: &str, name: &str, scales: (u8, u8), contract: Decimal) -> Listings {
    let plain = Rules::plain(symbol.parse().expect("a symbol"), name, scales.0, scales.1);
    Listings::new([(BTC, Rules { index: 1, contract, ..plain })])
}

/// The same order of the kinds that matter, each with an id of its own.
fn places() -> Vec<Place> {
    let price = Price::from_mantissa(9_000);
    let kinds = [
        (OrderKind::Limit { price }, false),
        (OrderKind::Limit { price }, true),
        (OrderKind::Market, false),
        (OrderKind::StopMarket { trigger: price }, false),
        (OrderKind::StopLimit { trigger: price, price }, false),
    ];
    let of = |(number, (kind, post_only)): (u64, (OrderKind, bool))| {
        let mut wanted = order(number, if number % 2 == 1 { Side::Buy } else { Side::Sell }, 5, 9_000);
        (wanted.id, wanted.kind, wanted.post_only) = (OrderId(number), kind, post_only);
        Place {
            order: approved(wanted),
            client: ClientId::of(CLIENT.session, number, &kind),
            qty: Qty::from_mantissa(5),
            reference: Price::from_mantissa(10_000),
        }
    };
    (1..).zip(kinds).map(of).collect()
}

fn placed() -> Act {
    Act::Place(places()[0])
}

fn cancel() -> Act {
    Act::Cancel(Cancel { instrument: BTC, order: OrderRef::Client(CLIENT) })
}

fn by_client() -> Ask {
    Ask::Order(BTC, OrderRef::Client(CLIENT))
}

fn ok(body: impl Into<String>) -> Response {
    Response { status: 200, headers: Vec::new(), body: body.into() }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

/// Two keys of a kind.
fn keys(scheme: Scheme, passphrase: &str, keys: [(&str, &str); 2]) -> (Vec<Arc<dyn Signer>>, Vec<String>) {
    let make = |(id, secret): (&str, &str)| -> Arc<dyn Signer> {
        Arc::new(Credential::new(id, scheme, secret).expect("a key").with_passphrase(passphrase))
    };
    (keys.map(make).into(), keys.map(|(_, secret)| secret.to_owned()).into())
}

/// What all scripts have in common, without messages.
fn script(listings: Listings, (signers, secrets): (Vec<Arc<dyn Signer>>, Vec<String>)) -> Script {
    Script {
        listings,
        signers,
        secrets,
        places: places(),
        market: Vec::new(),
        account: Vec::new(),
        trade: Vec::new(),
        replies: Vec::new(),
        act_replies: Vec::new(),
        mutations: 100,
        seed: 20_261_124,
    }
}

/// The question after what filled.
fn fills() -> Ask {
    Ask::Fills(BTC, Span::new(Ts::from_millis(0), Ts::from_millis(0)))
}
