//! Virtual time, and a network that does what networks do, between the machines and the toy venue. Everything comes
//! from one seed. Here is what happens when, and what is heard of it.

mod story;
mod wire;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use bellwether::exchange::feed::{Feed, FeedEvent, FeedSettings};
use bellwether::exchange::gateway::{Adoptable, Gateway, GatewayEvent, GatewaySettings};
use bellwether::exchange::machine::{Limits, Link, Tag};
use bellwether::exchange::transport::TransportError;
use bellwether::exchange::{Continuity, OrderRow, Request, Response, SnapshotBy, Topic, Venue};
use bellwether::keys::{Credential, Scheme};
use bellwether::market::book::Book;
use bellwether::orders::{Answer, Order, WordId};
use bellwether::portfolio::{Position, Terms};
use bellwether::risk::{Approved, Guard, RiskView};
use bellwether_sdk::{InstrumentId, OrderId, OrderKind, Price, Qty, Role, Side, Size, TimeInForce, Ts};
use serde_json::Value;

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
    mute: bool,
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
}
