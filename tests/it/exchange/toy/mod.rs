//! A venue of our own making: the worked example of an adapter, written against the public API only.
//!
//! It speaks plain JSON. Books follow by numbers or by checksum as the test wants, orders go over a trading socket with
//! REST behind it, and account notes have a stream of their own. What the venue says is read in [`rows`].

mod rows;

use bellwether::exchange::{
    AccountNote, Act, ActCount, ActReply, Ask, BookRow, BookRule, Continuity, Facts, Fault, Heartbeat, Listings,
    Method, Note, OrderRef, Plan, Product, Reply, Request, Response, Rules, Sink, SnapshotBy, Span, Stamp, Topic,
    TradeReply, Urls, Used, Venue, VenueError, WireError,
};
use bellwether::keys::{KeyError, Scheme, Signer};
use bellwether_sdk::num::format_mantissa;
use bellwether_sdk::{Bar, InstrumentId, OrderKind, Qty, Side, Symbol, Ts};
use serde_json::{Value, json};

use self::rows::{act_row, bar, body, fill_note, levels, market_note, ok_text, order_note, order_row, refusal, time};

pub struct Toy {
    facts: Facts,
}

impl Toy {
    pub fn new(continuity: Continuity, snapshot: SnapshotBy, truncate: bool) -> Self {
        let facts = Facts {
            venue: "toy",
            product: Product::Spot,
            urls: Urls {
                rest: "http://toy".to_owned(),
                market: "ws://toy/market".to_owned(),
                account: "ws://toy/account".to_owned(),
                trade: "ws://toy/trade".to_owned(),
            },
            testnet: None,
            book: BookRule { continuity, snapshot, truncate },
            heartbeat: Heartbeat { say: Some((r#"{"op":"ping"}"#.to_owned(), 5_000)), dead_after_ms: 12_000 },
            connection_life_ms: Some(600_000),
            weight_per_minute: 6_000,
            orders_per_10s: 100,
            fees_bps: None,
            act_count: None,
            says_per_second: 10,
            ticket: None,
            account_on_trade: false,
            signed_in_turn: false,
            cancel_replace: false,
            amend: true,
            batch_max: 1,
            bars_page: 500,
            bars_kept: None,
            balance_is_wallet: true,
            settle_ms: 2_000,
        };
        Self { facts }
    }

    /// A connection is dead after so many milliseconds without a sign of the venue, which nobody asks for one.
    pub fn that_wants_no_words(dead_after_ms: u64) -> Self {
        let mut toy = Self::numbers();
        toy.facts.heartbeat = Heartbeat { say: None, dead_after_ms };
        toy
    }

    /// Nonces have to rise in the order in which requests arrive.
    pub fn with_rising_nonces() -> Self {
        let mut toy = Self::numbers();
        toy.facts.signed_in_turn = true;
        toy
    }

    /// "Not found" may mean "not yet" for so many milliseconds only.
    pub fn that_settles(ms: u64) -> Self {
        let mut toy = Self::numbers();
        toy.facts.settle_ms = ms;
        toy
    }

    /// What is done about orders counts: an order one, a cancel the more the younger the order is.
    pub fn that_counts_acts(max: u32, empties_ms: u64) -> Self {
        let mut toy = Self::numbers();
        toy.facts.act_count = Some(ActCount { max, empties_ms });
        toy
    }

    /// Private connections need a ticket.
    pub fn with_tickets() -> Self {
        let mut toy = Self::numbers();
        toy.facts.ticket = Some(300_000);
        toy
    }

    pub fn numbers() -> Self {
        Self::new(Continuity::Numbers, SnapshotBy::Rest(1_000), false)
    }
}

/// The venue's instrument, as this run numbers it.
pub fn rules() -> Rules {
    let symbol = "toy:BTC/USD".parse().expect("a symbol");
    Rules { qty_min: Qty::from_mantissa(1), ..Rules::plain(symbol, "BTCUSD", 1, 3) }
}

pub fn listings() -> Listings {
    Listings::new([(InstrumentId(0), rules())])
}

fn malformed(e: WireError) -> VenueError {
    VenueError::malformed(e.to_string())
}

fn by(order: &OrderRef) -> (&'static str, String) {
    match order {
        OrderRef::Client(c) => ("client", c.to_string()),
        OrderRef::Venue(id) => ("id", id.clone()),
    }
}

/// An act's fields.
fn act_json(act: &Act, listings: &Listings) -> Result<Value, VenueError> {
    let listed = |id| listings.get(id).ok_or_else(|| VenueError::new(Fault::Rejected, "", "not listed"));
    Ok(match act {
        Act::Place(place) => {
            let order = place.order.get();
            let rules = &listed(order.instrument)?.rules;
            let OrderKind::Limit { price } = order.kind else {
                return Err(VenueError::unsupported("limit orders only"));
            };
            json!({
                "op": "place", "s": rules.name, "client": place.client.to_string(),
                "side": if order.side == Side::Buy { "buy" } else { "sell" },
                "p": format_mantissa(price.mantissa(), rules.price_scale),
                "q": format_mantissa(place.qty.mantissa(), rules.qty_scale),
            })
        }
        Act::Cancel(cancel) => {
            let (key, value) = by(&cancel.order);
            json!({ "op": "cancel", "s": listed(cancel.instrument)?.rules.name, key: value })
        }
        Act::Amend(amend) => {
            let (key, value) = by(&amend.order);
            let rules = &listed(amend.instrument)?.rules;
            let qty = amend.qty.map(|q| format_mantissa(q.mantissa(), rules.qty_scale));
            json!({ "op": "amend", "s": rules.name, key: value, "q": qty })
        }
        Act::CancelAll(id) => json!({ "op": "cancel_all", "s": listed(*id)?.rules.name }),
        _ => return Err(VenueError::unsupported("not on the toy venue")),
    })
}

fn signature(signer: &dyn Signer, payload: &str) -> Result<String, KeyError> {
    if signer.scheme() != Scheme::HmacSha256 {
        return Err(KeyError::Scheme { venue: "toy", wants: "HMAC-SHA256", found: signer.scheme().name() });
    }
    Ok(bellwether::orders::hex(&signer.sign(payload.as_bytes())?))
}

fn login(signer: &dyn Signer, stamp: Stamp) -> Result<String, KeyError> {
    let at = stamp.now.nanos() / 1_000_000;
    let sign = signature(signer, &format!("login{at}"))?;
    Ok(json!({ "op": "login", "key": signer.key_id(), "ts": at, "sign": sign }).to_string())
}

fn topic_name(topic: &Topic, listings: &Listings) -> Option<String> {
    let name = &listings.get(topic.instrument())?.rules.stream_name;
    Some(match topic {
        Topic::Trades(_) => format!("trades:{name}"),
        Topic::Quotes(_) => format!("quotes:{name}"),
        Topic::Depth(_, n) => format!("depth:{name}:{n}"),
        Topic::Bars(_, interval) => format!("bars:{name}:{interval}"),
        Topic::Funding(_) => return None,
    })
}

fn subscribe(name: &str) -> String {
    json!({ "op": "sub", "topic": name }).to_string()
}

impl Venue for Toy {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn guess_name(&self, symbol: &Symbol) -> String {
        format!("{}{}", symbol.base(), symbol.quote())
    }

    fn ask(&self, ask: &Ask, listings: &Listings) -> Result<Request, VenueError> {
        let name = |id: &InstrumentId| {
            let listed = listings.get(*id).map(|l| l.rules.name.clone());
            listed.ok_or_else(|| VenueError::new(Fault::Rejected, "", "not listed"))
        };
        Ok(match ask {
            Ask::Time => Request::get("/time", "", 1),
            Ask::Instruments => Request::get("/instruments", "", 10),
            Ask::Book(id, n) => Request::get("/book", format!("s={}&n={n}", name(id)?), 10),
            Ask::Bars(id, interval, from, to) => {
                let (a, b) = (from.nanos() / 1_000_000, to.nanos() / 1_000_000);
                Request::get("/bars", format!("s={}&i={interval}&from={a}&to={b}", name(id)?), 5)
            }
            Ask::StreamTicket => Request::get("/ticket", "", 1).signed(),
            Ask::KeepTicket(_) => Request::get("/ticket/keep", "", 1).signed(),
            Ask::Balances => Request::get("/balances", "", 5).signed(),
            Ask::OpenOrders(_) => Request::get("/open", "", 5).signed(),
            Ask::Order(id, order) => {
                let (key, value) = by(order);
                Request::get("/order", format!("s={}&{key}={value}", name(id)?), 2).signed()
            }
            Ask::Fills(id, span) => {
                let from = span.from.nanos() / 1_000_000;
                let query = format!("s={}&from={from}&before={}", name(id)?, span.cursor);
                Request::get("/fills", query, 5).signed()
            }
            _ => return Err(VenueError::unsupported("not on the toy venue")),
        })
    }

    fn reply(&self, ask: &Ask, response: &Response, listings: &Listings) -> Result<Reply, VenueError> {
        let v = body(response, false)?;
        let rows = |key: &str| v[key].as_array().cloned().ok_or_else(|| VenueError::malformed(format!("no {key}")));
        let listed = |row: &Value| row["s"].as_str().and_then(|s| listings.named(s)).cloned();
        match ask {
            Ask::Time => v["time"]
                .as_i64()
                .map(|ms| Reply::Time(Ts::from_millis(ms)))
                .ok_or_else(|| VenueError::malformed("no time")),
            Ask::Instruments => Ok(Reply::Instruments(vec![rules()], Vec::new())),
            Ask::StreamTicket | Ask::KeepTicket(_) => {
                let ticket = v["ticket"].as_str().ok_or_else(|| VenueError::malformed("no ticket"))?;
                Ok(Reply::StreamTicket(ticket.to_owned()))
            }
            Ask::Book(id, _) => {
                let rules = &listings.get(*id).ok_or_else(|| VenueError::malformed("not listed"))?.rules;
                let last_id = v["last"].as_i64().ok_or_else(|| VenueError::malformed("no last"))?;
                Ok(Reply::Book(BookRow { ts_venue: time(&v), last_id, levels: levels(&v, rules).map_err(malformed)? }))
            }
            Ask::Bars(id, ..) => {
                let rules = &listings.get(*id).ok_or_else(|| VenueError::malformed("not listed"))?.rules;
                let bars: Result<Vec<Bar>, _> = rows("bars")?.iter().map(|b| bar(b, *id, rules)).collect();
                Ok(Reply::Bars(bars.map_err(malformed)?))
            }
            // There are none: they show that the key is taken.
            Ask::Balances => Ok(Reply::Balances(Vec::new())),
            Ask::Order(..) | Ask::OpenOrders(_) => {
                let mut out = Vec::new();
                for row in rows("orders")? {
                    if let Some(l) = listed(&row) {
                        out.push(order_row(&row, &l).map_err(malformed)?);
                    }
                }
                Ok(Reply::Orders(out, 0))
            }
            // The newest come first, and name where those before are to be found.
            Ask::Fills(_, span) => {
                let mut out = Vec::new();
                for row in rows("fills")?.iter().rev() {
                    if let Some(l) = listed(row) {
                        out.push(fill_note(row, &l).map_err(malformed)?);
                    }
                }
                let further = v["before"].as_str().map(|at| Span { cursor: at.to_owned(), ..span.clone() });
                Ok(Reply::Fills(out, further))
            }
            _ => Err(VenueError::unsupported("not on the toy venue")),
        }
    }

    fn act(&self, act: &Act, listings: &Listings) -> Result<Request, VenueError> {
        let body = act_json(act, listings)?.to_string();
        Ok(Request::new(Method::Post, "/act", "", 1).body("application/json", body).signed())
    }

    fn act_reply(&self, act: &Act, response: &Response, listings: &Listings) -> Result<Vec<ActReply>, VenueError> {
        let v = body(response, true)?;
        let id = match act {
            Act::Place(p) => p.order.get().instrument,
            Act::Cancel(c) => c.instrument,
            _ => return Ok(Vec::new()),
        };
        let rules = &listings.get(id).ok_or_else(|| VenueError::malformed("not listed"))?.rules;
        Ok(vec![act_row(&v, rules).map_err(malformed)?])
    }

    fn used(&self, response: &Response) -> Used {
        let number = |name: &str| response.header(name)?.parse().ok();
        Used { weight: number("x-used-weight"), orders: number("x-used-orders") }
    }

    fn used_said(&self, text: &str) -> Used {
        let v = serde_json::from_str::<Value>(text).unwrap_or_default();
        let number = |name: &str| v[name].as_u64().and_then(|n| u32::try_from(n).ok());
        Used { weight: number("used_weight"), orders: number("used_orders") }
    }

    fn cost(&self, act: &Act, age_ms: u64) -> u32 {
        match act {
            Act::Place(_) | Act::Amend(_) => 1,
            Act::Cancel(_) | Act::CancelAll(_) if age_ms < 5_000 => 3,
            _ => 0,
        }
    }

    fn sign(&self, request: &mut Request, signer: &dyn Signer, stamp: Stamp) -> Result<(), KeyError> {
        let at = stamp.now.nanos() / 1_000_000;
        let payload = format!("{}{}{}{at}", request.method.name(), request.target(), request.body);
        let sign = signature(signer, &payload)?;
        request.headers.push(("x-key".to_owned(), signer.key_id().to_owned()));
        request.headers.push(("x-time".to_owned(), at.to_string()));
        request.headers.push(("x-nonce".to_owned(), stamp.nonce.to_string()));
        request.headers.push(("x-sign".to_owned(), sign));
        Ok(())
    }

    fn market(&self, urls: &Urls, topics: &[Topic], listings: &Listings) -> Vec<Plan> {
        let carried: Vec<Topic> = topics.iter().filter(|t| topic_name(t, listings).is_some()).copied().collect();
        if carried.is_empty() {
            return Vec::new();
        }
        let messages = carried.iter().filter_map(|t| topic_name(t, listings)).map(|n| subscribe(&n)).collect();
        vec![Plan { url: urls.market.clone(), login: None, messages, topics: carried }]
    }

    fn renew_book(&self, topic: Topic, listings: &Listings) -> Vec<String> {
        let name = topic_name(&topic, listings).unwrap_or_default();
        vec![json!({ "op": "unsub", "topic": name }).to_string(), subscribe(&name)]
    }

    fn read_market(&self, text: &str, listings: &Listings, now: Ts, sink: &mut dyn Sink) -> Result<(), WireError> {
        let v: Value = serde_json::from_str(text).map_err(|e| WireError::shape(e, text))?;
        let kind = ok_text(&v, "t")?;
        match kind {
            "pong" => sink.note(Note::Alive),
            "ok" => sink.note(Note::Subscribed),
            "no" => sink.note(Note::Refused(v["msg"].as_str().unwrap_or_default())),
            "bye" => sink.note(Note::Leaving("bye")),
            "trade" | "quote" | "depth" | "bar" => {
                let Some(l) = listings.named(ok_text(&v, "s")?) else {
                    sink.note(Note::Ignored);
                    return Ok(());
                };
                market_note(kind, &v, l, now, sink)?;
            }
            other => sink.note(Note::Unexpected(other)),
        }
        Ok(())
    }

    fn account(
        &self,
        urls: &Urls,
        _: &Listings,
        signer: &dyn Signer,
        _: &str,
        stamp: Stamp,
    ) -> Result<Option<Plan>, KeyError> {
        let login = Some(login(signer, stamp)?);
        Ok(Some(Plan { url: urls.account.clone(), login, messages: vec![subscribe("orders")], topics: Vec::new() }))
    }

    fn read_account(&self, text: &str, listings: &Listings) -> Result<Vec<AccountNote>, WireError> {
        let v: Value = serde_json::from_str(text).map_err(|e| WireError::shape(e, text))?;
        let listed = || listings.named(v["s"].as_str().unwrap_or_default());
        Ok(vec![match (ok_text(&v, "t")?, listed()) {
            ("pong", _) => AccountNote::Alive,
            ("login", _) => match refusal(&v) {
                Some(error) => AccountNote::Refused(error),
                None => AccountNote::LoggedIn,
            },
            ("ok", _) => AccountNote::Ready,
            ("order", Some(l)) => AccountNote::Order(order_note(&v, l)?),
            ("fill", Some(l)) => AccountNote::Fill(fill_note(&v, l)?),
            ("order" | "fill", None) => AccountNote::Ignored,
            (other, _) => AccountNote::Unexpected(other.to_owned()),
        }])
    }

    fn trade(
        &self,
        urls: &Urls,
        _: &Listings,
        signer: &dyn Signer,
        _: &str,
        stamp: Stamp,
    ) -> Result<Option<Plan>, KeyError> {
        let login = Some(login(signer, stamp)?);
        Ok(Some(Plan { url: urls.trade.clone(), login, messages: Vec::new(), topics: Vec::new() }))
    }

    fn say(
        &self,
        act: &Act,
        number: u64,
        listings: &Listings,
        _: &dyn Signer,
        _: &str,
        _: Stamp,
    ) -> Result<Option<String>, VenueError> {
        let mut message = act_json(act, listings)?;
        message["n"] = json!(number);
        Ok(Some(message.to_string()))
    }

    fn read_trade(&self, text: &str, listings: &Listings) -> Result<TradeReply, WireError> {
        let v: Value = serde_json::from_str(text).map_err(|e| WireError::shape(e, text))?;
        let first = listings.iter().next();
        Ok(match (ok_text(&v, "t")?, first) {
            ("login", _) => TradeReply::LoggedIn(refusal(&v).map_or(Ok(()), Err)),
            ("re", Some(l)) => {
                let number = v["n"].as_u64().ok_or_else(|| WireError::shape("no n", text))?;
                let outcome = match refusal(&v) {
                    Some(error) => Err(error),
                    None if v["id"].is_null() => Ok(Vec::new()),
                    None => Ok(vec![act_row(&v, &l.rules)?]),
                };
                TradeReply::Answered(number, outcome)
            }
            _ => TradeReply::Ignored,
        })
    }
}
