//! The suite that every adapter passes, passed by the toy; and that it finds what is wrong.

use std::sync::Arc;

use bellwether::exchange::testing::{Script, check};
use bellwether::exchange::{
    AccountNote, Act, ActReply, Ask, Cancel, ClientId, Facts, Listings, Note, OrderRef, Place, Plan, Reply, Request,
    Response, Sink, Stamp, Topic, TradeReply, Urls, Venue, VenueError, WireError,
};
use bellwether::keys::{Credential, KeyError, Scheme, Signer};
use bellwether_sdk::{Aggressor, Price, Qty, Side, Symbol, Trade, Ts};

use super::toy::{Toy, listings};
use super::world::{BTC, approved, credential, order};

fn ok(body: &str) -> Response {
    Response { status: 200, headers: Vec::new(), body: body.to_owned() }
}

fn script() -> Script {
    let place = Place {
        order: approved(order(1, Side::Buy, 5, 9_000)),
        client: ClientId { session: 0xabc, number: 1 },
        qty: Qty::from_mantissa(5),
        reference: Price::from_mantissa(10_000),
    };
    let cancel = Cancel { instrument: BTC, order: OrderRef::Client(place.client) };
    let texts = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    let row =
        r#"{"s":"BTCUSD","id":"v1","client":"x","status":"open","filled":"0","side":"buy","p":"900","q":"0.005"}"#;
    Script {
        listings: listings(),
        signers: vec![
            credential(),
            Arc::new(Credential::new("other", Scheme::HmacSha256, "other-secret").expect("a key")),
        ],
        secrets: vec!["toy-secret".to_owned(), "other-secret".to_owned()],
        places: vec![place],
        market: texts(&[
            r#"{"t":"trade","s":"BTCUSD","id":5,"p":"100.5","q":"0.25","side":"buy","ts":1}"#,
            r#"{"t":"quote","s":"BTCUSD","b":"100","B":"1","a":"100.1","A":"2"}"#,
            r#"{"t":"depth","s":"BTCUSD","first":3,"last":4,"b":[["100","1"]],"a":[["101","0"]]}"#,
            r#"{"t":"bar","s":"BTCUSD","i":"1m","ts":60000,"o":"1","h":"2","l":"1","c":"2","q":"3","done":true}"#,
            r#"{"t":"pong"}"#,
        ]),
        account: texts(&[
            r#"{"t":"order","s":"BTCUSD","id":"v1","client":"x","status":"part","filled":"0.001"}"#,
            r#"{"t":"fill","s":"BTCUSD","trade":"f1","id":"v1","client":"x","side":"buy","p":"900","q":"0.001","fee":"0.01"}"#,
        ]),
        trade: texts(&[
            r#"{"t":"re","n":42,"id":"v1","status":"open"}"#,
            r#"{"t":"re","n":43,"code":"funds","msg":"no"}"#,
        ]),
        replies: vec![
            (Ask::Time, ok(r#"{"time":1750000000000}"#)),
            (Ask::OpenOrders(None), ok(&format!(r#"{{"orders":[{row}]}}"#))),
            (Ask::Book(BTC, 10), ok(r#"{"last":7,"b":[["100","1"]],"a":[["101","2"]]}"#)),
        ],
        act_replies: vec![
            (Act::Place(place), ok(r#"{"id":"v1","status":"open"}"#)),
            (Act::Cancel(cancel), ok(r#"{"id":"v1","status":"cancelled","filled":"0.001"}"#)),
        ],
        mutations: 200,
        seed: 1,
    }
}

#[test]
fn the_toy_venue_conforms() {
    for toy in [
        Toy::numbers(),
        Toy::new(bellwether::exchange::Continuity::Snapshots, bellwether::exchange::SnapshotBy::Stream, false),
    ] {
        assert_eq!(check(&toy, &script()), []);
    }
}

/// The toy with faults that adapters have had.
struct Faulty(Toy);

impl Venue for Faulty {
    fn facts(&self) -> &Facts {
        self.0.facts()
    }
    fn guess_name(&self, symbol: &Symbol) -> String {
        self.0.guess_name(symbol)
    }
    fn ask(&self, ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
        self.0.ask(ask, listings)
    }
    fn reply(&self, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
        self.0.reply(ask, response, listings)
    }
    fn act(&self, act: &Act, listings: &Listings) -> Result<Request, VenueError> {
        self.0.act(act, listings)
    }
    fn act_reply(&self, act: &Act, response: &Response, listings: &Listings) -> Result<Vec<ActReply>, VenueError> {
        // A gateway's timeout taken for a refusal: the order that stands at the venue would be forgotten.
        let guess = |e: VenueError| VenueError { fault: bellwether::exchange::Fault::Rejected, ..e };
        self.0.act_reply(act, response, listings).map_err(guess)
    }
    fn sign(&self, request: &mut Request, signer: &dyn Signer, _: Stamp) -> Result<(), KeyError> {
        // The secret goes out, and the time does not matter.
        request.headers.push(("x-key".to_owned(), format!("{}:toy-secret", signer.key_id())));
        Ok(())
    }
    fn market(&self, urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
        let once = self.0.market(urls, topics, listings);
        once.iter().chain(&once).cloned().collect()
    }
    fn renew_book(&self, topic: Topic, listings: &Listings) -> Vec<String> {
        self.0.renew_book(topic, listings)
    }
    fn read_market(&self, text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
        // Numbers are believed as they come.
        if text.contains(r#""p":"-5""#) {
            let (price, qty, aggressor) = (Price::from_mantissa(-5), Qty::from_mantissa(1), Aggressor::Buyer);
            sink.note(Note::Trade(Trade { ts: now, ts_venue: now, price, qty, instrument: BTC, aggressor }, 5));
        }
        self.0.read_market(text, listings, now, sink)
    }
    fn account(&self, u: &Urls, l: &Listings, s: &dyn Signer, t: &str, at: Stamp) -> Result<Option<Plan>, KeyError> {
        self.0.account(u, l, s, t, at)
    }
    fn read_account(&self, text: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
        // So are those of fills.
        match text.contains(r#""q":"0""#) {
            true => self.0.read_account(&text.replace(r#""q":"0""#, r#""q":"0.001""#), listings).map(|mut notes| {
                notes.iter_mut().for_each(|n| {
                    if let AccountNote::Fill(fill) = n {
                        fill.qty = Qty::ZERO;
                    }
                });
                notes
            }),
            false => self.0.read_account(text, listings),
        }
    }
    fn trade(&self, u: &Urls, l: &Listings, s: &dyn Signer, t: &str, at: Stamp) -> Result<Option<Plan>, KeyError> {
        self.0.trade(u, l, s, t, at)
    }
    fn say(
        &self,
        act: &Act,
        number: u64,
        listings: &Listings,
        signer: &dyn Signer,
        ticket: &str,
        stamp: Stamp,
    ) -> Result<Option<String>, VenueError> {
        self.0.say(act, number, listings, signer, ticket, stamp)
    }
    fn read_trade(&self, text: &str, listings: &Listings) -> Result<TradeReply, WireError> {
        self.0.read_trade(text, listings)
    }
}

#[test]
fn the_suite_finds_what_is_wrong() {
    let found = check(&Faulty(Toy::numbers()), &script());
    for rule in [
        "every topic is in one plan or in none",
        "no secret is sent",
        "a signature depends on key, time and content",
        "a lost answer is an unknown outcome",
        "no loss looks like a refusal",
        "prices are above zero and quantities not below it",
        "what fills is above zero",
    ] {
        assert!(found.iter().any(|f| f.rule == rule), "{rule} is not found: {found:#?}");
    }
}
