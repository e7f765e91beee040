//! The toy venue's side of the wire: true books and orders, and what it says of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bellwether_sdk::num::format_mantissa;
use bellwether_sdk::{Price, Qty, Side};
use serde_json::{Value, json};

/// Fills of one answer: few, so that pages are turned.
const FILLS_PAGE: usize = 5;

/// Seeded numbers: SplitMix64.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From zero, below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.roll() % n.max(1)
    }

    /// True in so many of ten thousand.
    pub fn chance(&mut self, of_ten_thousand: u64) -> bool {
        self.below(10_000) < of_ten_thousand
    }
}

pub type Levels = BTreeMap<i64, i64>;

/// Levels in order, best first.
pub type Rows = Vec<(i64, i64)>;

/// A whole book as of a change.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub id: i64,
    pub bids: Levels,
    pub asks: Levels,
}

#[derive(Debug, Clone)]
pub struct Order {
    pub id: String,
    pub client: String,
    pub side: String,
    pub price: String,
    pub qty: i64,
    pub filled: i64,
    pub status: &'static str,
}

/// The venue.
pub struct Server {
    pub state: State,
    pub history: VecDeque<State>,
    pub trades: u64,
    pub orders: Vec<Order>,
    pub fills: Vec<Value>,
    /// Whether some orders fill as they come.
    pub eager: bool,
    /// Whether some orders are refused.
    pub picky: bool,
    /// Whether tickets that are to be kept are not known any more.
    pub forgets_tickets: bool,
    pub clients_seen: BTreeSet<String>,
    pub clients_twice: Vec<String>,
    pub truncate: Option<usize>,
    /// Changes of orders that were asked for.
    pub amends: u32,
    mid: i64,
}

fn p(price: i64) -> String {
    format_mantissa(price, 1)
}

fn q(qty: i64) -> String {
    format_mantissa(qty, 3)
}

fn mantissa(text: &str) -> i64 {
    bellwether::exchange::mantissa("q", text, 3).expect("a quantity")
}

impl Server {
    pub fn new(truncate: Option<usize>) -> Self {
        let mid = 10_000;
        let bids = (1..=12).map(|i| (mid - i, 100 + i)).collect();
        let asks = (1..=12).map(|i| (mid + i, 100 + i)).collect();
        let state = State { id: 1_000, bids, asks };
        Self {
            history: VecDeque::from([state.clone()]),
            state,
            trades: 0,
            orders: Vec::new(),
            fills: Vec::new(),
            eager: true,
            picky: true,
            forgets_tickets: false,
            clients_seen: BTreeSet::new(),
            clients_twice: Vec::new(),
            truncate,
            amends: 0,
            mid,
        }
    }

    /// What a follower sees of a state.
    pub fn seen(&self, state: &State) -> (Rows, Rows) {
        let n = self.truncate.unwrap_or(usize::MAX);
        let bids = state.bids.iter().rev().take(n).map(|(p, q)| (*p, *q)).collect();
        let asks = state.asks.iter().take(n).map(|(p, q)| (*p, *q)).collect();
        (bids, asks)
    }

    fn crc(&self) -> u32 {
        let (bids, asks) = self.seen(&self.state);
        let mut text = String::new();
        for (price, qty) in asks.iter().take(10).chain(bids.iter().take(10)) {
            text += &format!("{price}{qty}");
        }
        crc32(text.as_bytes())
    }

    fn depth(&self, snap: bool, first: i64, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> String {
        let rows = |l: &[(i64, i64)]| l.iter().map(|(a, b)| json!([p(*a), q(*b)])).collect::<Vec<_>>();
        let (b, a) = (rows(bids), rows(asks));
        let mut v = json!({ "t": "depth", "s": "BTCUSD", "snap": snap, "b": b, "a": a });
        if self.truncate.is_some() {
            v["crc"] = json!(self.crc());
        } else {
            v["first"] = json!(first);
            v["last"] = json!(self.state.id);
        }
        v.to_string()
    }

    pub fn snapshot(&self) -> String {
        let (bids, asks) = self.seen(&self.state);
        self.depth(true, 0, &bids, &asks)
    }

    /// The market moves: what is told on (topic, message).
    pub fn tick(&mut self, dice: &mut Dice, ms: i64) -> Vec<(&'static str, String)> {
        let before = self.seen(&self.state);
        let first = self.state.id + 1;
        for _ in 0..=dice.below(3) {
            let step = 1 + dice.below(12) as i64;
            let qty = if dice.chance(3_000) { 0 } else { 1 + dice.below(5_000) as i64 };
            let bid = dice.chance(5_000);
            if bid && self.state.asks.keys().next().is_none_or(|a| *a > self.mid - step) {
                set(&mut self.state.bids, self.mid - step, qty);
            } else if !bid && self.state.bids.keys().next_back().is_none_or(|b| *b < self.mid + step) {
                set(&mut self.state.asks, self.mid + step, qty);
            }
            self.state.id += 1;
        }
        self.history.push_back(self.state.clone());
        if self.history.len() > 4_000 {
            self.history.pop_front();
        }
        // What a follower of so many levels is told: what it sees now and did not, and what went for good.
        let after = self.seen(&self.state);
        let diff = |old: &[(i64, i64)], new: &[(i64, i64)], all: &Levels| -> Vec<(i64, i64)> {
            let gone = old.iter().filter(|(price, _)| !all.contains_key(price)).map(|(price, _)| (*price, 0));
            gone.chain(new.iter().filter(|l| !old.contains(l)).copied()).collect()
        };
        let bids = diff(&before.0, &after.0, &self.state.bids);
        let asks = diff(&before.1, &after.1, &self.state.asks);
        let mut out = vec![("depth", self.depth(false, first, &bids, &asks))];
        if dice.chance(5_000) {
            self.trades += 1;
            let side = if dice.chance(5_000) { "buy" } else { "sell" };
            let t = json!({ "t": "trade", "s": "BTCUSD", "id": self.trades, "p": p(self.mid), "q": "0.5", "side": side, "ts": ms });
            out.push(("trades", t.to_string()));
        }
        out
    }

    fn row(&self, o: &Order) -> Value {
        json!({ "s": "BTCUSD", "id": o.id, "client": o.client, "status": o.status, "filled": q(o.filled),
                "side": o.side, "p": o.price, "q": q(o.qty) })
    }

    fn note(&self, o: &Order) -> String {
        let mut v = self.row(o);
        v["t"] = json!("order");
        v.to_string()
    }

    /// Carries an act out: the answer, and what the private stream says.
    pub fn act(&mut self, v: &Value, dice: &mut Dice, ms: i64) -> (Value, Vec<String>) {
        match v["op"].as_str() {
            Some("place") => {
                let client = v["client"].as_str().unwrap_or_default().to_owned();
                if !self.clients_seen.insert(client.clone()) {
                    self.clients_twice.push(client);
                    return (json!({ "code": "twice" }), Vec::new());
                }
                if self.picky && dice.chance(300) {
                    return (json!({ "code": "funds", "msg": "no money" }), Vec::new());
                }
                let id = format!("v{}", self.orders.len() + 1);
                let text = |key: &str| v[key].as_str().unwrap_or_default().to_owned();
                let qty = mantissa(&text("q"));
                let (side, price) = (text("side"), text("p"));
                self.orders.push(Order { id: id.clone(), client, side, price, qty, filled: 0, status: "open" });
                let at = self.orders.len() - 1;
                let mut notes = vec![self.note(&self.orders[at])];
                // Some fill before they are answered.
                if self.eager && dice.chance(2_000) {
                    notes.extend(self.fill(at, dice, ms));
                }
                let o = &self.orders[at];
                (json!({ "id": o.id, "client": o.client, "status": "open" }), notes)
            }
            Some("cancel") => {
                let by = |o: &&mut Order| v["id"] == json!(o.id) || v["client"] == json!(o.client);
                match self.orders.iter_mut().find(by) {
                    Some(o) if o.status == "open" || o.status == "part" => {
                        o.status = "cancelled";
                        let o = o.clone();
                        (self.row(&o), vec![self.note(&o)])
                    }
                    _ => (json!({ "code": "no_order" }), Vec::new()),
                }
            }
            // It is taken down, and looked at later.
            Some("amend") => {
                self.amends += 1;
                let o = self.orders.iter().find(|o| v["id"] == json!(o.id) || v["client"] == json!(o.client));
                (o.map_or(json!({ "code": "no_order" }), |o| json!({ "id": o.id, "client": o.client })), Vec::new())
            }
            Some("cancel_all") => {
                let mut notes = Vec::new();
                for i in 0..self.orders.len() {
                    if matches!(self.orders[i].status, "open" | "part") {
                        self.orders[i].status = "cancelled";
                        notes.push(self.note(&self.orders[i]));
                    }
                }
                (json!({}), notes)
            }
            _ => (json!({ "code": "what" }), Vec::new()),
        }
    }

    /// An order fills, in whole or part.
    fn fill(&mut self, at: usize, dice: &mut Dice, ms: i64) -> Vec<String> {
        let left = self.orders[at].qty - self.orders[at].filled;
        let qty = if dice.chance(5_000) { left } else { 1 + dice.below(left as u64) as i64 };
        self.fill_of(at, qty, ms)
    }

    /// So much of an order fills: what the private stream says.
    pub fn fill_of(&mut self, at: usize, qty: i64, ms: i64) -> Vec<String> {
        let o = &mut self.orders[at];
        o.filled += qty;
        o.status = if o.filled == o.qty { "filled" } else { "part" };
        let o = o.clone();
        let trade = format!("f{}", self.fills.len() + 1);
        let fill = json!({ "t": "fill", "s": "BTCUSD", "trade": trade, "id": o.id, "client": o.client, "side": o.side,
                           "p": o.price, "q": q(qty), "fee": "0.01", "ts": ms });
        self.fills.push(fill.clone());
        vec![fill.to_string(), self.note(&o)]
    }

    pub fn fill_some(&mut self, dice: &mut Dice, ms: i64) -> Vec<String> {
        let open: Vec<usize> =
            (0..self.orders.len()).filter(|i| matches!(self.orders[*i].status, "open" | "part")).collect();
        let mut notes = Vec::new();
        for at in open {
            if dice.chance(400) {
                notes.extend(self.fill(at, dice, ms));
            }
        }
        notes
    }

    /// Answers a REST read.
    pub fn read(&self, path: &str, query: &str, ms: i64) -> Value {
        let field = |key: &str| {
            query.split('&').find_map(|kv| kv.split_once('=').filter(|(k, _)| *k == key).map(|(_, v)| v.to_owned()))
        };
        match path {
            "/time" => json!({ "time": ms }),
            // The codec knows them.
            "/instruments" => json!({}),
            "/ticket/keep" if self.forgets_tickets => json!({ "code": "no_ticket" }),
            "/ticket" | "/ticket/keep" => json!({ "ticket": "one of many" }),
            "/book" => {
                let (bids, asks) = self.seen(&self.state);
                let v: Value = serde_json::from_str(&self.depth(true, 0, &bids, &asks)).expect("JSON");
                json!({ "last": self.state.id, "b": v["b"], "a": v["a"], "ts": ms })
            }
            "/balances" => json!({}),
            "/bars" => json!({ "bars": [] }),
            "/open" => {
                let open = self.orders.iter().filter(|o| matches!(o.status, "open" | "part"));
                json!({ "orders": open.map(|o| self.row(o)).collect::<Vec<_>>() })
            }
            "/order" => {
                let (id, client) = (field("id"), field("client"));
                let it = self.orders.iter().find(|o| Some(&o.id) == id.as_ref() || Some(&o.client) == client.as_ref());
                it.map_or(json!({ "code": "no_order" }), |o| json!({ "orders": [self.row(o)] }))
            }
            "/fills" => {
                let end = field("before").and_then(|at| at.parse().ok()).unwrap_or(self.fills.len());
                let begin = end.saturating_sub(FILLS_PAGE);
                let page: Vec<&Value> = self.fills[begin..end].iter().rev().collect();
                json!({ "fills": page, "before": (begin > 0).then(|| begin.to_string()) })
            }
            _ => json!({ "code": "what" }),
        }
    }
}

fn set(levels: &mut Levels, price: i64, qty: i64) {
    if qty == 0 && levels.len() > 3 {
        levels.remove(&price);
    } else if qty > 0 {
        levels.insert(price, qty);
    }
}

/// The same checksum, written another way.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
        crc
    })
}

/// A follower's levels as mantissas.
pub fn levels(book: &bellwether::market::book::Book, side: Side) -> Vec<(i64, i64)> {
    book.levels(side).map(|(p, q): (Price, Qty)| (p.mantissa(), q.mantissa())).collect()
}
