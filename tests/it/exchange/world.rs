//! Virtual time, and a network that does what networks do, between the machines and the toy venue. Everything comes
//! from one seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use bellwether::exchange::feed::{Feed, FeedEvent, FeedSettings};
use bellwether::exchange::gateway::{Adoptable, Earlier, Gateway, GatewayEvent, GatewaySettings};
use bellwether::exchange::machine::{Action, Limits, Link, Tag};
use bellwether::exchange::transport::TransportError;
use bellwether::exchange::{Continuity, OrderRow, OrderStatus, Request, Response, SnapshotBy, Topic, Venue};
use bellwether::keys::{Credential, Scheme};
use bellwether::market::book::Book;
use bellwether::orders::{Answer, Order, WordId};
use bellwether::portfolio::{Position, Terms};
use bellwether::risk::{Approved, Guard, RiskView};
use bellwether_sdk::{InstrumentId, OrderId, OrderKind, Price, Qty, Role, Side, Size, TimeInForce, Ts};
use serde_json::{Value, json};

use super::server::{Dice, Server, levels};
use super::toy::{Toy, listings, rules};

pub const BTC: InstrumentId = InstrumentId(0);
pub const START: i64 = 1_750_000_000_000_000_000;
pub const MS: i64 = 1_000_000;

/// What the transport says of a name that cannot be looked up.
const NO_NAME: &str = "failed to lookup address information";

/// How often what goes wrong, of ten thousand messages or requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    pub drop_message: u64,
    pub duplicate: u64,
    pub reorder: u64,
    pub cut: u64,
    pub refuse: u64,
    pub lose_request: u64,
    pub lose_answer: u64,
    /// No connection is opened.
    pub refuse_sockets: bool,
    pub delay_ms: u64,
}

pub const STORM: Faults = Faults {
    drop_message: 30,
    duplicate: 200,
    reorder: 200,
    cut: 15,
    refuse: 600,
    lose_request: 300,
    lose_answer: 500,
    refuse_sockets: false,
    delay_ms: 80,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Feed,
    Gateway,
}

#[derive(Debug, Clone, PartialEq)]
enum Ev {
    Open(Who, Link, String),
    ToServer(Who, Link, String),
    ToClient(Who, Link, String),
    Cut(Who, Link),
    Arrive(Who, Tag, Request),
    Answer(Who, Tag, Result<Response, TransportError>),
    Tick,
}

#[derive(Debug, Default)]
struct Conn {
    url: String,
    subs: BTreeSet<String>,
    logged_in: bool,
    /// What was sent last arrives no earlier than this, each way.
    to_server: i64,
    to_client: i64,
    /// Open, and saying nothing.
    pub mute: bool,
    /// Open, and nothing arrives at the other end.
    dead: bool,
}

/// What the engine knows of an order by the answers.
#[derive(Debug, Default, Clone)]
pub struct Told {
    pub qty: i64,
    pub side: Option<Side>,
    pub sent: Ts,
    pub attempts: u64,
    pub cancelled: bool,
    /// Ids of the fills that were told.
    pub ids: Vec<String>,
    pub accepted: u32,
    pub filled: i64,
    pub ends: Vec<String>,
    pub unknown: u32,
    pub known: u32,
}

pub struct World {
    pub now: i64,
    pub dice: Dice,
    pub faults: Faults,
    /// Names cannot be looked up: nothing is opened, no request is sent.
    pub outage: bool,
    pub server: Server,
    pub feed: Feed,
    pub gateway: Gateway,
    session: u64,
    restarted: bool,
    pub follower: Book,
    pub told: BTreeMap<OrderId, Told>,
    pub trades: u64,
    pub log: Vec<String>,
    pub notes: Vec<String>,
    pub ticking: bool,
    pub halts: Vec<String>,
    /// Whether the private stream is on, each time it was told.
    pub private: Vec<bool>,
    /// Orders of others: seen, ready to be taken over, and not to be.
    pub foreign: Vec<OrderRow>,
    pub adoptable: Vec<Adoptable>,
    pub left_alone: Vec<String>,
    /// What the venue answers to the next acts instead of carrying them out.
    pub force: Vec<Value>,
    /// The highest nonce that arrived by REST, and how many arrived that were not above it.
    nonce: u64,
    pub overtaken: u32,
    /// The venue refuses the key for questions, for acts by REST, for logins.
    pub no_reads: bool,
    pub no_acts: bool,
    pub no_logins: bool,
    /// What came of changes of orders.
    pub amends: Vec<String>,
    /// Questions of the gateway that the venue was asked by REST.
    pub asked: u32,
    /// Weight and orders that the venue says were used by all.
    pub used: Option<(u32, u32)>,
    checksum: bool,
    conns: BTreeMap<(Who, Link), Conn>,
    heap: BinaryHeap<Reverse<(i64, u64)>>,
    events: BTreeMap<u64, Ev>,
    next: u64,
    pub next_order: u64,
}

pub fn credential() -> Arc<Credential> {
    Arc::new(Credential::new("toy-key", Scheme::HmacSha256, "toy-secret").expect("a key"))
}

pub fn order(id: u64, side: Side, qty: i64, price: i64) -> Order {
    Order {
        id: OrderId(id),
        strategy: 0,
        instrument: BTC,
        side,
        size: Size::Qty(Qty::from_mantissa(qty)),
        kind: OrderKind::Limit { price: Price::from_mantissa(price) },
        tif: TimeInForce::Gtc,
        post_only: false,
        reduce_only: false,
        role: Role::Intent,
        parent: OrderId(0),
        oco: OrderId(0),
        tag: WordId::default(),
    }
}

pub fn approved(order: Order) -> Approved<Order> {
    let instrument = rules().instrument(BTC);
    let terms = Terms::new(&instrument, 0, 8).expect("terms");
    let view = RiskView {
        instrument: &instrument,
        terms: &terms,
        money_scale: 8,
        position: &Position::default(),
        last: Price::from_mantissa(10_000),
        open_orders: 0,
        reference: bellwether_sdk::Price::ZERO,
        pace: bellwether::risk::Pace::default(),
    };
    Guard::default().approve(order, &view).expect("approved")
}

impl World {
    pub fn new(seed: u64, checksum: bool, settings: FeedSettings) -> Self {
        let toy = if checksum { Toy::new(Continuity::Checksum, SnapshotBy::Stream, true) } else { Toy::numbers() };
        Self::at_venue(toy, seed, checksum, settings)
    }

    pub fn at_venue(toy: Toy, seed: u64, checksum: bool, settings: FeedSettings) -> Self {
        let venue: Arc<dyn Venue> = Arc::new(toy);
        let facts = venue.facts().clone();
        let limits = Limits::with_acts(facts.weight_per_minute, facts.orders_per_10s, facts.act_count);
        let depth = if checksum { 10 } else { 1_000 };
        let topics = [Topic::Trades(BTC), Topic::Depth(BTC, depth)];
        let settings = FeedSettings { seed, ..settings };
        let (feed, missing) =
            Feed::new(Arc::clone(&venue), listings(), &topics, &facts.urls, settings, Arc::clone(&limits));
        assert_eq!(missing, []);
        let gateway = Gateway::new(venue, listings(), credential(), GatewaySettings::new(seed | 1, facts.urls), limits);
        let mut world = Self {
            now: START,
            dice: Dice(seed),
            faults: Faults::default(),
            outage: false,
            server: Server::new(checksum.then_some(10)),
            feed,
            gateway,
            session: seed | 1,
            restarted: false,
            follower: Book::default(),
            told: BTreeMap::new(),
            trades: 0,
            log: Vec::new(),
            notes: Vec::new(),
            ticking: true,
            halts: Vec::new(),
            private: Vec::new(),
            foreign: Vec::new(),
            adoptable: Vec::new(),
            left_alone: Vec::new(),
            force: Vec::new(),
            nonce: 0,
            overtaken: 0,
            no_reads: false,
            no_acts: false,
            no_logins: false,
            amends: Vec::new(),
            asked: 0,
            used: None,
            checksum,
            conns: BTreeMap::new(),
            heap: BinaryHeap::new(),
            events: BTreeMap::new(),
            next: 0,
            next_order: 1,
        };
        world.gateway.start(Ts::from_nanos(world.now));
        world.at(0, Ev::Tick);
        world.carry_out();
        world
    }

    fn at(&mut self, wait: i64, ev: Ev) {
        self.next += 1;
        self.heap.push(Reverse((self.now + wait, self.next)));
        self.events.insert(self.next, ev);
    }

    fn delay(&mut self) -> i64 {
        MS / 2 + self.dice.below(self.faults.delay_ms * 1_000 + 1) as i64 * 1_000
    }

    pub fn ts(&self) -> Ts {
        Ts::from_nanos(self.now)
    }

    /// Lets so many milliseconds pass; `each` is called after every event.
    pub fn run(&mut self, ms: i64, mut each: impl FnMut(&mut Self)) {
        let until = self.now + ms * MS;
        loop {
            let due = self.feed.next_due().min(self.gateway.next_due()).nanos().max(self.now);
            let next = self.heap.peek().map_or(i64::MAX, |r| r.0.0);
            let at = due.min(next);
            if at > until {
                self.now = until;
                return;
            }
            self.now = at;
            if due <= next {
                let before = (self.feed.next_due(), self.gateway.next_due());
                self.time();
                let after = (self.feed.next_due(), self.gateway.next_due());
                assert!(before != after || before.0.min(before.1).nanos() > self.now, "spins on {before:?}");
            } else if let Some(Reverse((_, n))) = self.heap.pop()
                && let Some(ev) = self.events.remove(&n)
            {
                self.event(ev);
            }
            self.carry_out();
            self.check_book();
            each(self);
            self.carry_out();
        }
    }

    fn time(&mut self) {
        let now = self.ts();
        self.told_by_feed(|feed, sink| feed.on_time(now, sink));
        self.gateway.on_time(now);
    }

    /// Runs the feed and takes what it tells.
    fn told_by_feed(&mut self, run: impl FnOnce(&mut Feed, &mut dyn bellwether::exchange::feed::FeedSink)) {
        let (follower, log, now) = (&mut self.follower, &mut self.log, self.now);
        let mut new = 0;
        run(&mut self.feed, &mut |event: FeedEvent<'_>| match event {
            FeedEvent::Depth(depth) => {
                follower.apply(&depth);
            }
            FeedEvent::BookLost(_, why) => {
                *follower = Book::default();
                log.push(format!("{} book lost: {}", (now - START) / MS, why.name()));
            }
            FeedEvent::Trade(_) => new += 1,
            other => log.push(format!("{} {other:?}", (now - START) / MS)),
        });
        self.trades += new;
    }

    fn event(&mut self, ev: Ev) {
        let now = self.ts();
        let ms = self.now / MS;
        match ev {
            Ev::Tick => {
                self.at(50 * MS, Ev::Tick);
                if self.ticking {
                    for (topic, text) in self.server.tick(&mut self.dice, ms) {
                        self.broadcast(topic, &text);
                    }
                    for text in self.server.fill_some(&mut self.dice, ms) {
                        self.broadcast("orders", &text);
                    }
                }
            }
            Ev::Open(who, link, url) => {
                if self.outage || self.faults.refuse_sockets || self.dice.chance(self.faults.refuse) {
                    self.closed(who, link, if self.outage { NO_NAME } else { "refused" });
                    return;
                }
                self.conns.insert((who, link), Conn { url, ..Conn::default() });
                match who {
                    Who::Feed => self.told_by_feed(|feed, sink| feed.on_opened(link, now, sink)),
                    Who::Gateway => self.gateway.on_opened(link, now),
                }
            }
            Ev::ToServer(who, link, text) => self.serve(who, link, &text),
            Ev::ToClient(who, link, text) if self.conns.contains_key(&(who, link)) => match who {
                Who::Feed => self.told_by_feed(|feed, sink| feed.on_text(link, &text, now, sink)),
                Who::Gateway => self.gateway.on_text(link, &text, now),
            },
            Ev::ToClient(..) => {}
            Ev::Cut(who, link) => {
                if self.conns.remove(&(who, link)).is_some() {
                    self.closed(who, link, "cut");
                }
            }
            Ev::Arrive(who, tag, request) => {
                self.asked += u32::from(who == Who::Gateway && request.path != "/act");
                let answer = self.rest(&request, ms);
                let wait = self.delay();
                self.at(wait, Ev::Answer(who, tag, answer));
            }
            Ev::Answer(who, tag, answer) => match who {
                Who::Feed => self.told_by_feed(|feed, sink| feed.on_http(tag, answer.as_ref(), now, sink)),
                Who::Gateway => self.gateway.on_http(tag, answer.as_ref(), now),
            },
        }
    }

    fn closed(&mut self, who: Who, link: Link, why: &str) {
        let now = self.ts();
        match who {
            Who::Feed => self.told_by_feed(|feed, sink| feed.on_closed(link, why, now, sink)),
            Who::Gateway => self.gateway.on_closed(link, why, now),
        }
    }

    fn broadcast(&mut self, topic: &str, text: &str) {
        let to: Vec<(Who, Link)> =
            self.conns.iter().filter(|(_, c)| c.subs.contains(topic) && !c.mute).map(|(k, _)| *k).collect();
        for (who, link) in to {
            self.deliver(who, link, text.to_owned());
        }
    }

    fn deliver(&mut self, who: Who, link: Link, text: String) {
        let wait = self.delay();
        let f = self.faults;
        if self.dice.chance(f.cut) {
            // Some bytes of it arrive, and then nothing does.
            let at = self.dice.below(text.len() as u64) as usize;
            let part = text.get(..at).unwrap_or_default().to_owned();
            self.at(wait, Ev::ToClient(who, link, part));
            self.at(wait + 1, Ev::Cut(who, link));
            return;
        }
        if self.dice.chance(f.drop_message) && who == Who::Feed {
            return;
        }
        let Some(conn) = self.conns.get_mut(&(who, link)) else { return };
        conn.to_client = conn.to_client.max(self.now + wait) + 1;
        let wait = conn.to_client - self.now;
        if self.dice.chance(f.duplicate) {
            self.at(wait + MS, Ev::ToClient(who, link, text.clone()));
        }
        let late = if self.dice.chance(f.reorder) { 120 * MS } else { 0 };
        self.at(wait + late, Ev::ToClient(who, link, text));
    }

    /// The venue reads a message of ours.
    fn serve(&mut self, who: Who, link: Link, text: &str) {
        let ms = self.now / MS;
        if self.conns.get(&(who, link)).is_none_or(|c| c.dead) {
            return;
        }
        let v: Value = serde_json::from_str(text).expect("what we say is JSON");
        let mut say = Vec::new();
        match v["op"].as_str().unwrap_or_default() {
            "ping" => say.push(json!({ "t": "pong" }).to_string()),
            "login" if self.no_logins => {
                say.push(json!({ "t": "login", "code": "key", "msg": "who are you" }).to_string());
            }
            "login" => {
                if let Some(c) = self.conns.get_mut(&(who, link)) {
                    c.logged_in = true;
                }
                say.push(json!({ "t": "login" }).to_string());
            }
            "sub" | "unsub" => {
                let topic = v["topic"].as_str().unwrap_or_default();
                let topic = topic.split(':').next().unwrap_or_default().to_owned();
                let on = v["op"] == json!("sub");
                if let Some(c) = self.conns.get_mut(&(who, link)) {
                    if on {
                        c.subs.insert(topic.clone())
                    } else {
                        c.subs.remove(&topic)
                    };
                }
                say.push(json!({ "t": "ok" }).to_string());
                if on && topic == "depth" && self.checksum {
                    say.push(self.server.snapshot());
                }
            }
            _ => {
                assert!(self.conns[&(who, link)].logged_in, "an act before login");
                let answer = if !self.force.is_empty() {
                    self.force.remove(0)
                } else if self.dice.chance(self.faults.refuse) {
                    let code = ["limit", "busy", "clock"][self.dice.below(3) as usize];
                    json!({ "code": code, "msg": "not now", "wait": 200 })
                } else {
                    let (answer, notes) = self.server.act(&v, &mut self.dice, ms);
                    for note in notes {
                        self.broadcast("orders", &note);
                    }
                    answer
                };
                let mut answer = answer;
                answer["t"] = json!("re");
                answer["n"] = v["n"].clone();
                if let Some((weight, orders)) = self.used {
                    (answer["used_weight"], answer["used_orders"]) = (json!(weight), json!(orders));
                }
                if !self.dice.chance(self.faults.lose_answer) {
                    say.push(answer.to_string());
                }
            }
        }
        for text in say {
            self.deliver(who, link, text);
        }
    }

    /// The venue's REST. What goes wrong may go wrong before it is done or after.
    fn rest(&mut self, request: &Request, ms: i64) -> Result<Response, TransportError> {
        let f = self.faults;
        let answer = |status: u16, body: String, headers: Vec<(String, String)>| Ok(Response { status, headers, body });
        if self.outage {
            return Err(TransportError::NotSent(NO_NAME.to_owned()));
        }
        if self.dice.chance(f.refuse) {
            return match self.dice.below(3) {
                0 => Err(TransportError::NotSent("connection refused".to_owned())),
                1 => answer(429, String::new(), vec![("retry-after".to_owned(), "1".to_owned())]),
                _ => answer(400, json!({ "code": "clock", "msg": "your clock" }).to_string(), Vec::new()),
            };
        }
        if self.dice.chance(f.lose_request) {
            return Err(TransportError::Unknown("reset".to_owned()));
        }
        if request.signed {
            if if request.path == "/act" { self.no_acts } else { self.no_reads } {
                return answer(401, String::new(), Vec::new());
            }
            let header = |name: &str| request.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value);
            assert!(header("x-sign").is_some(), "unsigned: {request:?}");
            let nonce = header("x-nonce").and_then(|n| n.parse::<u64>().ok()).expect("a nonce");
            self.overtaken += u32::from(nonce <= self.nonce);
            self.nonce = self.nonce.max(nonce);
        }
        let body = if request.path == "/act" {
            let v: Value = serde_json::from_str(&request.body).expect("JSON");
            let (value, notes) = self.server.act(&v, &mut self.dice, ms);
            for note in notes {
                self.broadcast("orders", &note);
            }
            value
        } else {
            self.server.read(&request.path, &request.query, ms)
        };
        if self.dice.chance(f.lose_answer) {
            return match self.dice.below(3) {
                0 => Err(TransportError::Unknown("reset after the request".to_owned())),
                1 => answer(502, "<html>bad gateway</html>".to_owned(), Vec::new()),
                _ => answer(200, "{\"half\":".to_owned(), Vec::new()),
            };
        }
        let status = if body["code"].is_null() { 200 } else { 400 };
        let used = |(weight, orders): (u32, u32)| {
            [("x-used-weight", weight), ("x-used-orders", orders)].map(|(name, n)| (name.to_owned(), n.to_string()))
        };
        answer(status, body.to_string(), self.used.map_or(Vec::new(), |all| used(all).to_vec()))
    }

    /// What the machines want done.
    pub fn carry_out(&mut self) {
        self.take_events();
        let mut actions: Vec<(Who, Action)> = self.feed.actions().map(|a| (Who::Feed, a)).collect();
        actions.extend(self.gateway.actions().map(|a| (Who::Gateway, a)));
        for (who, action) in actions {
            let wait = self.delay();
            match action {
                Action::Connect { link, url } => self.at(wait, Ev::Open(who, link, url)),
                Action::Say { link, text, .. } => {
                    let Some(conn) = self.conns.get_mut(&(who, link)) else { continue };
                    conn.to_server = conn.to_server.max(self.now + wait) + 1;
                    let wait = conn.to_server - self.now;
                    if self.dice.chance(self.faults.cut) {
                        self.at(wait, Ev::Cut(who, link));
                    }
                    self.at(wait, Ev::ToServer(who, link, text));
                }
                Action::Close { link } => {
                    self.conns.remove(&(who, link));
                    self.events.retain(|_, e| !matches!(e, Ev::Open(w, l, _) if *w == who && *l == link));
                }
                Action::Http { tag, request } => self.at(wait, Ev::Arrive(who, tag, request)),
            }
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.gateway.next_event() {
            match event {
                GatewayEvent::Answer(answer) => self.answer(answer),
                GatewayEvent::Unknown(id) => self.told.entry(id).or_default().unknown += 1,
                GatewayEvent::Known(id, _) => self.told.entry(id).or_default().known += 1,
                GatewayEvent::Attempt(id, attempts) => self.told.entry(id).or_default().attempts = attempts,
                GatewayEvent::FillId(id, trade) => self.told.entry(id).or_default().ids.push(trade),
                GatewayEvent::Amended(id, _, qty) => self.amends.push(format!("{} made {qty:?}", id.0)),
                GatewayEvent::AmendRefused(id, why) => self.amends.push(format!("{} {why}", id.0)),
                GatewayEvent::Note(words) => self.notes.push(words),
                GatewayEvent::Halt(why) => self.halts.push(why),
                GatewayEvent::Private(on) => self.private.push(on),
                GatewayEvent::Foreign(row) => self.foreign.push(row),
                GatewayEvent::Adoptable(order) => self.adoptable.push(order),
                GatewayEvent::LeftAlone(left) => self.left_alone.push(left.why),
                _ => {}
            }
        }
    }

    fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Accepted(id) => self.told.entry(id).or_default().accepted += 1,
            Answer::Rejected(id, why) => self.told.entry(id).or_default().ends.push(format!("rejected: {why}")),
            Answer::Cancelled(id, why) => self.told.entry(id).or_default().ends.push(format!("cancelled: {why}")),
            Answer::Expired(id, why) => self.told.entry(id).or_default().ends.push(format!("expired: {why}")),
            Answer::Fill { order, qty, .. } => self.told.entry(order).or_default().filled += qty.mantissa(),
            Answer::Funding(..) | Answer::Unknown(_) => {}
        }
    }

    pub fn submit(&mut self, side: Side, qty: i64) -> OrderId {
        let id = OrderId(self.next_order);
        self.next_order += 1;
        let price = if side == Side::Buy { 9_000 } else { 11_000 };
        let now = self.ts();
        self.told.insert(id, Told { qty, side: Some(side), sent: now, ..Told::default() });
        self.gateway.submit(approved(order(id.0, side, qty, price)), Price::from_mantissa(10_000), now);
        self.carry_out();
        id
    }

    pub fn cancel(&mut self, id: OrderId) {
        self.told.entry(id).or_default().cancelled = true;
        let now = self.ts();
        self.gateway.cancel(id, now);
        self.carry_out();
    }

    /// The process that holds the gateway dies and begins again with what it was told; what it had said and not yet sent
    /// is lost.
    pub fn restart(&mut self) {
        self.restarted = true;
        self.conns.retain(|(who, _), _| *who == Who::Feed);
        let of_gateway = |e: &Ev| {
            matches!(
                e,
                Ev::Open(Who::Gateway, ..)
                    | Ev::ToServer(Who::Gateway, ..)
                    | Ev::ToClient(Who::Gateway, ..)
                    | Ev::Cut(Who::Gateway, ..)
                    | Ev::Arrive(Who::Gateway, ..)
                    | Ev::Answer(Who::Gateway, ..)
            )
        };
        self.events.retain(|_, e| !of_gateway(e));
        let (now, venue) = (self.ts(), Arc::new(Toy::numbers()));
        let facts = venue.facts().clone();
        let limits = Limits::new(facts.weight_per_minute, facts.orders_per_10s);
        let settings = GatewaySettings::new(self.session, facts.urls);
        self.gateway = Gateway::new(venue, listings(), credential(), settings, limits);
        for (id, told) in &self.told {
            let side = told.side.expect("a side");
            let price = if side == Side::Buy { 9_000 } else { 11_000 };
            let end = |text: &String| match text.split(':').next() {
                Some("rejected") => OrderStatus::Rejected,
                Some("expired") => OrderStatus::Expired,
                _ => OrderStatus::Cancelled,
            };
            let filled = (told.filled >= told.qty).then_some(OrderStatus::Filled);
            let earlier = Earlier {
                order: approved(order(id.0, side, told.qty, price)),
                reference: Price::from_mantissa(10_000),
                sent: told.sent,
                attempts: told.attempts.max(1),
                accepted: told.accepted > 0,
                cancelled: told.cancelled,
                ended: told.ends.first().map(end).or(filled),
                filled: Qty::from_mantissa(told.filled),
                seen: told.ids.clone(),
            };
            self.gateway.adopt(earlier, now);
        }
        self.gateway.start(now);
        self.carry_out();
    }

    /// So much of the venue's order at a place fills.
    pub fn fill(&mut self, at: usize, qty: i64) {
        for text in self.server.fill_of(at, qty, self.now / MS) {
            self.broadcast("orders", &text);
        }
    }

    /// Cuts all connections.
    pub fn cut_all(&mut self) {
        let all: Vec<(Who, Link)> = self.conns.keys().copied().collect();
        for (who, link) in all {
            self.event(Ev::Cut(who, link));
        }
    }

    /// The private stream says something.
    pub fn say_private(&mut self, v: &Value) {
        let now = self.ts();
        let link = self.conns.iter().find(|((who, _), c)| *who == Who::Gateway && c.url.ends_with("account"));
        let link = link.map(|((_, link), _)| *link).expect("a private stream");
        self.gateway.on_text(link, &v.to_string(), now);
        self.carry_out();
    }

    /// A message of the market stream arrives as it is.
    pub fn say_market(&mut self, text: &str) {
        let now = self.ts();
        let link = self.conns.keys().find(|(who, _)| *who == Who::Feed).map(|(_, link)| *link).expect("a stream");
        self.told_by_feed(|feed, sink| feed.on_text(link, text, now, sink));
        self.carry_out();
    }

    /// The feed's connections stay open and say nothing more.
    pub fn mute_feed(&mut self) {
        for ((who, _), conn) in &mut self.conns {
            conn.mute |= *who == Who::Feed;
        }
    }

    /// The feed's connections say nothing more of books, and all else.
    pub fn mute_depth(&mut self) {
        for ((who, _), conn) in &mut self.conns {
            conn.subs.retain(|topic| *who != Who::Feed || !topic.contains("depth"));
        }
    }

    /// The trading socket stays open, and what is said on it is lost.
    pub fn kill_trading_socket(&mut self) {
        for conn in self.conns.values_mut().filter(|c| c.url.ends_with("trade")) {
            conn.dead = true;
        }
    }

    pub fn open_urls(&self) -> Vec<&str> {
        self.conns.values().map(|c| c.url.as_str()).collect()
    }

    /// A valid book is the venue's book as of its own number, and whoever follows the events has the same.
    fn check_book(&self) {
        let Some(book) = self.feed.book(BTC) else {
            assert!(!self.follower.is_valid() || self.feed.book(BTC).is_some(), "the follower believes a lost book");
            return;
        };
        let mine = (levels(book, Side::Buy), levels(book, Side::Sell));
        let followed = (levels(&self.follower, Side::Buy), levels(&self.follower, Side::Sell));
        assert_eq!(mine, followed, "the follower has another book");
        let truth = |s: &&super::server::State| self.checksum || s.id == book.last_id();
        let is_true = self.server.history.iter().rev().filter(truth).any(|s| self.server.seen(s) == mine);
        assert!(is_true, "no such book was ever the venue's: id {} {mine:?}", book.last_id());
    }

    /// Our knowledge of every order against the venue's.
    pub fn check_orders(&self) {
        assert_eq!(self.halts, Vec::<String>::new(), "the key was good");
        assert_eq!(self.server.clients_twice, Vec::<String>::new(), "a client id was sent twice");
        for (id, told) in &self.told {
            let is_mine = |c: &str| c.parse().is_ok_and(|c| bellwether::exchange::gateway::order_of(c) == *id);
            let there: Vec<_> = self.server.orders.iter().filter(|o| is_mine(&o.client)).collect();
            assert!(there.len() <= 1, "order {id:?} stands {} times", there.len());
            assert!(told.ends.len() <= 1, "order {id:?} ended more than once: {told:?}");
            assert!(told.accepted <= 1, "order {id:?}: {told:?}");
            match there.first() {
                // Refused, or cancelled before it could be sent.
                None => {
                    let ended =
                        told.ends.first().is_some_and(|e| e.starts_with("rejected") || e == "cancelled: requested");
                    assert!(ended && told.filled == 0, "{id:?} is lost: {told:?}");
                }
                Some(o) => {
                    assert_eq!(told.filled, o.filled, "fills of {id:?}: {told:?} {o:?}");
                    let open = matches!(o.status, "open" | "part");
                    let ended = told.ends.len() == 1 || told.filled == told.qty;
                    assert_eq!(open, !ended, "{id:?}: {told:?} {o:?}");
                    let view = self.gateway.orders().find(|v| v.id == *id).expect("a view");
                    // Of what had ended before a restart the id at the venue is not asked for.
                    assert!(view.venue_id == o.id || self.restarted && !open, "{view:?} {o:?}");
                }
            }
        }
    }
}
