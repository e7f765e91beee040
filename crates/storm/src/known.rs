//! What the engine believes, looked at after each of its inputs and held against the truth.

use std::collections::{BTreeMap, BTreeSet};

use bellwether::engine::Engine;
use bellwether::exchange::ClientId;
use bellwether::exchange::gateway::order_of;
use bellwether::orders::FillRecord;
use bellwether_sdk::{InstrumentId, OrderId, OrderState, Side};

use crate::floor::{Floor, Order, is_by_hand};
use crate::world::column;

const BTC: InstrumentId = InstrumentId(0);

/// A fill as both sides know it: order, cents, 1e-5 BTC, fee in 1e-8 USDT.
type FillKey = (u64, i64, i64, i128);

/// What the engine believed last.
#[derive(Default)]
pub struct Known {
    /// Orders by state, as columns of the coverage; the last is not ours to know.
    pub states: [u64; 9],
    /// Orders made, by number: state and what filled.
    pub orders: BTreeMap<u64, (OrderState, i64)>,
    open: BTreeSet<u64>,
    /// Numbers of orders that left, at least once.
    pub left: BTreeSet<u64>,
    /// Fills known, and the account by them.
    pub fills: Vec<FillKey>,
    /// Net of the fills, 1e-5 BTC.
    pub position: i64,
    /// Cash, 1e-8 USDT.
    pub cash: i128,
    /// How often each fill happened at the venue, and how many of its fills are counted.
    happened: BTreeMap<FillKey, usize>,
    happened_seen: usize,
    /// By their price, cents: numbers of orders of others that were taken over.
    taken: BTreeMap<i64, u64>,
    /// A lot in the engine's digits.
    lot: i64,
    matched: BTreeMap<FillKey, usize>,
    /// At this seed's venue nothing fills after its end: an order that ends in the books has all its fills.
    pub ends_are_final: bool,
    /// The next input is the first of a process.
    is_new: bool,
}

impl Known {
    /// A new process: what it knows, it has from its tape.
    pub fn begins(&mut self) {
        self.is_new = true;
    }

    /// The engine has heard an input. What does not fit, in words.
    pub fn heard(&mut self, engine: &Engine, floor: &Floor, open_max: usize) -> Vec<String> {
        let mut wrongs = Vec::new();
        self.orders_of(engine, &mut wrongs);
        self.fills_of(engine, floor, &mut wrongs);
        // What only makes the position smaller passes the limit, and this strategy sells nothing that it does not hold: the
        // orders that are too many, which are the last ones, must sell.
        // What was taken over is there whatever the limit says.
        let own: Vec<u64> = self.open.iter().filter(|id| !self.taken.values().any(|t| t == *id)).copied().collect();
        let too_many = own.len().saturating_sub(open_max);
        let enters = |id: &u64| engine.orders().get(OrderId(*id)).is_ok_and(|o| o.side == Side::Buy);
        if own.iter().rev().take(too_many).any(enters) {
            wrongs.push(format!("{} orders are open, the limit is {open_max}", self.open.len()));
        }
        let ledger = engine.ledger();
        let (left, right) = ledger.conservation(0);
        if left != right {
            wrongs.push(format!("money is not conserved: {left:?} and {right:?}"));
        }
        let held = ledger.position(BTC).qty.mantissa();
        if held != self.position * self.lot {
            wrongs.push(format!("the position is {held}, the fills make {}", self.position * self.lot));
        }
        let scale = u32::from(engine.money_scale(BTC));
        self.cash = ledger.cash(0).mantissa() / 10i128.pow(scale.saturating_sub(8));
        wrongs
    }

    fn orders_of(&mut self, engine: &Engine, wrongs: &mut Vec<String>) {
        let records = engine.orders().records();
        let made = count(engine.orders().made());
        if self.is_new && made < self.orders.len() {
            // What was refused before it was sent need not be on a tape: nobody else has heard of it.
            let last = records.iter().map(|r| r.id.0).max().unwrap_or(0);
            let states = &mut self.states;
            self.orders.retain(|id, (state, _)| {
                let keeps = *id <= last || *state != OrderState::Rejected;
                if !keeps {
                    states[column(*state)] -= 1;
                }
                keeps
            });
        }
        if made < self.orders.len() {
            wrongs.push(format!("{} orders were known, now {made}", self.orders.len()));
        }
        let late = self.new_fills(engine).iter().map(|f| f.order);
        let open = self.open.iter().map(|n| OrderId(*n));
        let seen = if self.is_new { 0 } else { records.len() - made.saturating_sub(self.orders.len()) };
        let looked_at: BTreeSet<OrderId> = late.chain(open).chain(records.iter().skip(seen).map(|r| r.id)).collect();
        for id in looked_at {
            let Ok(record) = engine.orders().get(id) else { continue };
            let tick = engine.view().instruments.first().map_or(1, |i| i.instrument.tick.mantissa());
            let cents = record.price.mantissa() / tick;
            if is_by_hand(cents)
                && let Some(other) = self.taken.insert(cents, id.0).filter(|other| *other != id.0)
            {
                wrongs.push(format!("order {} of others was taken over twice, before as order {other}", id.0));
            }
            if record.state.is_open() {
                self.open.insert(id.0)
            } else {
                self.open.remove(&id.0)
            };
            let now = (record.state, record.filled.mantissa());
            match self.orders.get_mut(&record.id.0) {
                None => {
                    self.states[column(now.0)] += 1;
                    self.orders.insert(record.id.0, now);
                }
                Some(before) if *before != now => {
                    let late = self.ends_are_final && !before.0.is_open() && now.1 != before.1;
                    if !self.is_new && !may_become(before.0, now.0) || now.1 < before.1 || late {
                        wrongs.push(format!("order {} went from {before:?} to {now:?}", record.id.0));
                    }
                    self.states[column(before.0)] -= 1;
                    self.states[column(now.0)] += 1;
                    *before = now;
                }
                Some(_) => {}
            }
        }
    }

    /// Fills that the engine has heard of since it was looked at last: they stand at the end of its list.
    fn new_fills<'a>(&self, engine: &'a Engine) -> &'a [FillRecord] {
        let fills = engine.orders().fills();
        let new = count(engine.orders().filled()).saturating_sub(self.fills.len());
        &fills[fills.len().saturating_sub(new)..]
    }

    fn fills_of(&mut self, engine: &Engine, floor: &Floor, wrongs: &mut Vec<String>) {
        let scale = u32::from(engine.money_scale(BTC));
        let rules =
            engine.view().instruments.first().map(|i| (i.instrument.tick.mantissa(), i.instrument.lot.mantissa()));
        let (tick, lot) = rules.unwrap_or((1, 1));
        self.lot = lot;
        let key_of_ours = |fill: &FillRecord| {
            let fee = fill.fee.mantissa() / 10i128.pow(scale.saturating_sub(8));
            (fill.order.0, fill.price.mantissa() / tick, fill.qty.mantissa() / lot, fee)
        };
        if std::mem::take(&mut self.is_new) {
            let filled = count(engine.orders().filled());
            if filled < self.fills.len() {
                wrongs.push(format!("{} fills were known, after the restart {filled}", self.fills.len()));
            }
            // Those that are kept are the ones that were known, in the same order.
            let kept = engine.orders().fills();
            let mut known = self.fills.iter();
            for fill in &kept[..kept.len() - self.new_fills(engine).len()] {
                let key = key_of_ours(fill);
                if !known.any(|k| *k == key) {
                    wrongs.push(format!("fill {key:?} was not known, or is in another place after the restart"));
                }
            }
        }
        for fill in self.new_fills(engine) {
            let key = key_of_ours(fill);
            self.position += if fill.side == Side::Buy { key.2 } else { -key.2 };
            self.fills.push(key);
            let booked = self.matched.entry(key).or_default();
            *booked += 1;
            for fill in floor.fills.iter().skip(self.happened_seen) {
                if let Some(key) = key_of(floor, fill, &self.taken) {
                    *self.happened.entry(key).or_default() += 1;
                }
            }
            self.happened_seen = floor.fills.len();
            let there = self.happened.get(&key).copied().unwrap_or(0);
            if there < *booked {
                wrongs.push(format!("fill {key:?} is booked {booked} times, and happened {there} times"));
            }
        }
    }

    /// Prices of others' orders that were taken over.
    pub fn taken(&self) -> BTreeSet<i64> {
        self.taken.keys().copied().collect()
    }

    /// Whether an order may still fill, as the engine knows it.
    pub fn is_open(&self, number: u64) -> bool {
        self.orders.get(&number).is_some_and(|o| o.0.is_open())
    }

    /// The orders that a message which cancels is about.
    pub fn named_in(&self, text: &str, floor: &Floor) -> Vec<u64> {
        let named = |o: &&Order| text.contains(&o.wish.client) || text.contains(&o.id.to_string());
        let open = floor.open().into_iter().filter_map(|i| floor.orders.get(i));
        open.filter(named).filter_map(|o| number(o, &self.taken)).collect()
    }

    /// At rest, both sides must be equal, and what was to be cancelled must have ended. What is not, in words.
    pub fn compare(&self, floor: &Floor, to_be_cancelled: &BTreeSet<u64>) -> Vec<String> {
        let open = to_be_cancelled.iter().filter(|n| self.is_open(**n));
        let mut wrongs: Vec<String> = open.map(|n| format!("order {n} was to be cancelled, and is open")).collect();
        let mut there: BTreeMap<u64, Vec<&Order>> = BTreeMap::new();
        for order in &floor.orders {
            match number(order, &self.taken) {
                Some(n) => there.entry(n).or_default().push(order),
                // Whoever cancels all cancels those of others too.
                None if order.is_by_hand() && !order.state.is_open() && order.filled == 0 => {}
                None if order.is_by_hand() => wrongs.push(format!("an order of others was not taken over: {order:?}")),
                None => wrongs.push(format!("the venue has a strange order: {order:?}")),
            }
        }
        for (number, orders) in &there {
            match (self.orders.get(number), orders.as_slice()) {
                (None, _) => wrongs.push(format!("the venue has order {number}, which is not known")),
                (Some(_), [_, _, ..]) => wrongs.push(format!("order {number} was accepted more than once: {orders:?}")),
                (Some((state, filled)), [o]) => {
                    if *state == OrderState::Rejected {
                        wrongs.push(format!(
                            "order {number} is rejected as we know it, and the venue had taken it: {o:?}"
                        ));
                    }
                    if o.state.is_open() != state.is_open() || o.filled * self.lot != *filled {
                        wrongs.push(format!("order {number} is {state:?}, {filled} filled; at the venue {o:?}"));
                    }
                }
                (Some(_), []) => {}
            }
        }
        for (number, (state, filled)) in &self.orders {
            let ended_unseen = matches!(state, OrderState::Rejected | OrderState::Cancelled) && *filled == 0;
            if !there.contains_key(number) && !ended_unseen {
                wrongs.push(format!("order {number} is {state:?}, {filled} filled, and not at the venue"));
            }
        }
        if self.fills.len() != floor.fills.len() {
            wrongs.push(format!("{} fills are booked, {} happened", self.fills.len(), floor.fills.len()));
        }
        if self.position != floor.position() {
            wrongs.push(format!("the position is {}, at the venue {}", self.position, floor.position()));
        }
        let cash = crate::life::CASH + floor.cash_change();
        if self.cash != cash {
            wrongs.push(format!("cash is {}, at the venue {cash}", self.cash));
        }
        wrongs
    }
}

fn count(of: u64) -> usize {
    usize::try_from(of).unwrap_or(usize::MAX)
}

fn number(order: &Order, taken: &BTreeMap<i64, u64>) -> Option<u64> {
    if order.is_by_hand() {
        return taken.get(&order.wish.price).copied();
    }
    order.wish.client.parse::<ClientId>().ok().map(|c| order_of(c).0)
}

fn key_of(floor: &Floor, fill: &crate::floor::Fill, taken: &BTreeMap<i64, u64>) -> Option<FillKey> {
    let order = floor.orders.get(fill.order)?;
    Some((number(order, taken)?, fill.price, fill.qty, fill.fee))
}

/// Whether an order's state may follow another. An end is final, but for fills that were heard of after it.
fn may_become(before: OrderState, now: OrderState) -> bool {
    match before {
        OrderState::Sent | OrderState::Unknown => true,
        OrderState::Acknowledged | OrderState::PartlyFilled => now != OrderState::Sent,
        OrderState::Filled => false,
        OrderState::Cancelled | OrderState::Rejected | OrderState::Expired => {
            now == before || now == OrderState::Filled
        }
    }
}
