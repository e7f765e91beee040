//! The token of the private socket: asked for, kept, and spoken.

use std::sync::Arc;

use super::*;
use crate::exchange::gateway::{Gateway, GatewaySettings};
use crate::exchange::machine::{Action, Limits};
use crate::keys::{Key, Scope, Signing};

fn of(id: &str) -> Key {
    let credential = Credential::new(id, Scheme::HmacSha512, SECRET).expect("a key");
    Key::new(id, "", Scope::Trade, Arc::new(credential), Ts::NONE)
}

/// A gateway at a venue whose connections open at once and take every subscription.
struct Session {
    gateway: Gateway,
    now: Ts,
    connected: u32,
    said: Vec<String>,
}

impl Session {
    fn new(signing: Signing) -> Self {
        let venue = Kraken::spot();
        let settings = GatewaySettings::new(1, venue.facts().urls.clone());
        let limits = Limits::new(100_000, 1_000);
        let mut gateway = Gateway::new(Arc::new(venue), listings(), signing, settings, limits);
        gateway.start(NOW);
        Self { gateway, now: NOW, connected: 0, said: Vec::new() }
    }

    /// Lets tenths of seconds pass; what is asked by REST is answered as `answer` says, by path and the key's name.
    fn run(&mut self, steps: u32, mut answer: impl FnMut(&str, &str) -> Response) {
        let mut links = Vec::new();
        for _ in 0..steps {
            self.now = self.now.plus(100_000_000);
            let now = self.now;
            self.gateway.on_time(now);
            for link in &links {
                self.gateway.on_text(*link, r#"{"channel":"heartbeat"}"#, now);
            }
            while self.gateway.has_actions() {
                for action in self.gateway.actions().collect::<Vec<_>>() {
                    match action {
                        Action::Http { tag, request } => {
                            let key = request.headers.iter().find(|(name, _)| name == "API-Key");
                            let key = key.map_or("", |(_, id)| id.as_str());
                            let answer = match request.path.as_str() {
                                "/0/public/Time" => ok(&format!("{{\"unixtime\":{}}}", now.nanos() / 1_000_000_000)),
                                path => answer(path, key),
                            };
                            self.gateway.on_http(tag, Ok(&answer), now);
                        }
                        Action::Connect { link, .. } => {
                            self.connected += 1;
                            links.push(link);
                            self.gateway.on_opened(link, now);
                        }
                        Action::Say { link, text, .. } => {
                            if text.contains("\"subscribe\"") {
                                let taken = r#"{"method":"subscribe","result":{},"success":true}"#;
                                self.gateway.on_text(link, taken, now);
                            }
                            self.said.push(text);
                        }
                        Action::Close { link } => links.retain(|l| *l != link),
                    }
                }
            }
        }
    }
}

fn error(text: &str) -> Response {
    Response { status: 200, headers: Vec::new(), body: format!("{{\"error\":[\"{text}\"]}}") }
}

#[test]
fn a_halted_gateway_gets_the_ticket_of_the_key_that_comes_next() {
    let signing = Signing::new("kraken/main", of("before"), Vec::new());
    let mut session = Session::new(signing.clone());
    // The venue takes the next key only.
    let answer = |path: &str, key: &str| match (path, key) {
        ("/0/private/GetWebSocketsToken", "next") => ok("{\"token\":\"t\",\"expires\":900}"),
        ("/0/private/OpenOrders", "next") => ok("{\"open\":{}}"),
        (_, "next") => ok("{}"),
        (path, key) => {
            assert_eq!(key, "before", "{path}");
            error("EAPI:Invalid key")
        }
    };
    session.run(30, answer);
    assert_eq!(session.connected, 0);
    assert!(session.gateway.halted().is_some());
    signing.offer(of("next")).expect("offered");
    session.run(30, answer);
    assert_eq!(session.connected, 1, "the next key's connection comes up");
}

#[test]
fn a_token_that_cannot_be_renewed_stays_and_orders_are_said_with_it() {
    let mut session = Session::new(Signing::new("kraken/main", of("key"), Vec::new()));
    let mut tokens = 0;
    session.run(6_100, |path, _| match path {
        "/0/private/GetWebSocketsToken" => {
            tokens += 1;
            if tokens == 1 { ok("{\"token\":\"first\",\"expires\":900}") } else { error("EService:Busy") }
        }
        "/0/private/OpenOrders" => ok("{\"open\":{}}"),
        _ => ok("{}"),
    });
    assert!(tokens > 1 && session.connected == 1, "{tokens} {}", session.connected);
    session.said.clear();
    session.gateway.submit(buy(LIMIT, |_| ()).order, Price::from_mantissa(300_005), session.now);
    session.run(1, |_, _| ok("{}"));
    let order = session.said.iter().find(|text| text.contains("add_order")).expect("an order");
    assert!(order.contains("\"token\":\"first\""), "{order}");
}

#[test]
fn an_order_is_not_said_without_a_token() {
    let act = Act::Place(buy(LIMIT, |_| ()));
    let say = |ticket: &str| Kraken::spot().say(&act, 1, &listings(), &key(), ticket, stamp(1));
    assert!(say("t").expect("said").is_some());
    assert_eq!(say(""), Ok(None), "it goes by REST");
}
